package work

import (
	"fmt"
	"io"
	"net/http"

	"github.com/lazysession/session/bench/child"
)

// A site is a contender whose server runs in a process of its own, and whose clients go through the network.
type site struct {
	*contender
	process *child.Process
}

func newSite(c *contender, p *child.Process) *site {
	over := *c
	s := &site{&over, p}
	over.open = func() (server, error) { return networkServer{s}, nil }
	return s
}

func (s *site) url(t task) string { return "http://" + s.process.Address + path(t) }

// path returns where a site does a task.
func path(t task) string { return fmt.Sprintf("/task-%d", t) }

// Sites returns the sites that this package starts.
func Sites() map[string]child.Site {
	all := make(map[string]child.Site)
	for _, c := range networked {
		all[siteName(c)] = c.site
	}
	return all
}

func siteName(c *contender) string { return "requests to " + c.name }

// site returns a handler that does each task on its own path.
func (c *contender) site() (http.Handler, error) {
	s, err := c.open()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for t := range tasks {
		mux.Handle(path(t), s.(httpServer).handler(&plan{task: t, values: 1}))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8") // as a page does
		mux.ServeHTTP(w, r)
	}), nil
}

// A networkServer is a site that goes on when it is closed: the next turn has sessions of its own.
type networkServer struct{ site *site }

func (s networkServer) client(p *plan) client { return &networkClient{url: s.site.url(p.task)} }

func (s networkServer) close() {}

type networkClient struct{ url, sent, body string }

func (c *networkClient) do() error {
	r, err := http.NewRequest(http.MethodGet, c.url, nil)
	if err != nil {
		return err
	}
	if c.sent != "" {
		r.Header.Set("Cookie", c.sent)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if c.body = string(body); err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", response.StatusCode, c.body)
	}
	if set := response.Header["Set-Cookie"]; len(set) > 0 {
		c.sent = pair(set[len(set)-1])
	}
	return err
}

func (c *networkClient) cookie() string        { return c.sent }
func (c *networkClient) setCookie(pair string) { c.sent = pair }
func (c *networkClient) shown() string         { return c.body }
