package live_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/store/mem"
)

// user is what the examples keep in a session: the name of the one who has logged in.
var user = session.NewKey[string]("user")

// An exampleSite is a server with sessions and live sockets, in one process.
type exampleSite struct {
	hub    *live.Hub
	mux    *http.ServeMux
	server *httptest.Server
	ends   []func()
}

// newExampleSite returns a site without handlers.
func newExampleSite() *exampleSite {
	sessions := mem.New(nil)
	m, err := session.New(sessions, &session.Config{
		Cookie: session.Cookie{Secure: session.InsecureForDevelopment}, // plain http
	})
	if err != nil {
		log.Fatal(err)
	}
	streams := memlog.New(nil)
	hub, err := live.New(m, streams, nil)
	if err != nil {
		log.Fatal(err)
	}
	site := &exampleSite{hub: hub, mux: http.NewServeMux()}
	site.mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := user.Set(r.Context(), r.FormValue("user")); err != nil {
			session.Error(w, r, err)
		}
	})
	site.server = httptest.NewServer(m.Handler(site.mux))
	site.ends = []func(){ // in this order
		func() { hub.Close() },
		site.server.Close,
		func() { m.Close() },
		func() { streams.Close(context.Background(), false) },
		func() { sessions.Close() },
	}
	return site
}

func (s *exampleSite) Close() {
	for _, end := range s.ends {
		end()
	}
}

// login returns a client with the cookie of a new session.
func (s *exampleSite) login(name string) *http.Client {
	client := *s.server.Client()
	client.Jar, _ = cookiejar.New(nil) // which has no error without options
	resp, err := client.PostForm(s.server.URL+"/login", url.Values{"user": {name}})
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	return &client
}

// connect logs in and opens a socket.
func (s *exampleSite) connect(name string) *live.Conn {
	c, err := live.Dial(context.Background(), s.server.URL+"/live", &live.DialOptions{HTTPClient: s.login(name)})
	if err != nil {
		log.Fatal(err)
	}
	return c
}

// printNext prints what a client receives next.
func printNext(name string, c *live.Conn) {
	m, err := c.Receive(context.Background())
	switch {
	case err != nil:
		fmt.Printf("%s: %v\n", name, err)
	case m.Member != nil:
		fmt.Printf("%s: %d somebody %s %s\n", name, m.Number, m.Member.Event, m.Stream)
	default:
		fmt.Printf("%s: %d %s\n", name, m.Number, m.Data)
	}
}
