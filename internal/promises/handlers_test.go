package promises_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
)

// visit counts a visit before it calls next.
func visit(t *testing.T, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := fixture.Visits.Add(r.Context(), 1)
		expect.OK(t, err)
		next.ServeHTTP(w, r)
	})
}

func TestFileServer(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat("0123456789", 10_000)
	expect.OK(t, os.WriteFile(filepath.Join(dir, "file.txt"), []byte(text), 0o600))
	modified := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	expect.OK(t, os.Chtimes(filepath.Join(dir, "file.txt"), modified, modified))
	tests := []struct {
		name   string
		method string
		header [2]string
		status int
		length string
		body   string
	}{
		{"whole", "GET", [2]string{}, 200, "100000", text},
		{"head", "HEAD", [2]string{}, 200, "100000", ""},
		{"range", "GET", [2]string{"Range", "bytes=5-14"}, 206, "10", "5678901234"},
		{"last bytes", "GET", [2]string{"Range", "bytes=-3"}, 206, "3", "789"},
		{"range beyond the end", "GET", [2]string{"Range", "bytes=200000-"}, 416, "33", "invalid range: failed to overlap\n"},
		{"not modified", "GET", [2]string{"If-Modified-Since", modified.Format(http.TimeFormat)}, 304, "", ""},
	}
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				m, _ := fixture.NewManager(t, nil)
				srv, browser := fixture.StartServer(t, proto, m.Handler(visit(t, http.FileServer(http.Dir(dir)))))
				r, err := http.NewRequest(test.method, srv.URL+"/file.txt", nil)
				expect.OK(t, err)
				if test.header[0] != "" {
					r.Header.Set(test.header[0], test.header[1])
				}
				resp, body := fixture.RoundTrip(t, browser, r)
				expect.Equal(t, "status", resp.StatusCode, test.status)
				expect.Equal(t, "Content-Length", resp.Header.Get("Content-Length"), test.length)
				if body != test.body {
					t.Errorf("body: got %d bytes %.40q, want %d bytes %.40q", len(body), body, len(test.body), test.body)
				}
				expect.Equal(t, "number of cookies", len(resp.Cookies()), 1)
				expect.Equal(t, "Vary", resp.Header.Get("Vary"), "Cookie")
			})
		}
	})
}

func TestServerSentEvents(t *testing.T) {
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		m, s := fixture.NewManager(t, nil)
		next, done := make(chan string), make(chan struct{})
		srv, browser := fixture.StartServer(t, proto,
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(done)
				expect.OK(t, fixture.Color.Set(r.Context(), "red"))
				w.Header().Set("Content-Type", "text/event-stream")
				w.(http.Flusher).Flush()
				for text := range next {
					expect.OK(t, fixture.Color.Set(r.Context(), text))
					fmt.Fprintf(w, "data: %s\n\n", text)
					expect.OK(t, http.NewResponseController(w).Flush())
				}
				expect.Is(t, "Renew while streaming", session.FromContext(r.Context()).Renew(), session.ErrTooLate)
			})))
		resp, err := browser.Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		expect.Equal(t, "cookies with the first flush", len(resp.Cookies()), 1)
		expect.Equal(t, "commits with the first flush", s.Commits(), 1)
		events := bufio.NewReader(resp.Body)
		for _, text := range []string{"green", "blue"} {
			next <- text
			line, err := events.ReadString('\n')
			expect.OK(t, err)
			expect.Equal(t, "event", line, "data: "+text+"\n")
			events.ReadString('\n')
		}
		expect.Equal(t, "commits while streaming", s.Commits(), 1)
		close(next)
		<-done
		_, err = io.Copy(io.Discard, resp.Body)
		expect.OK(t, err)
		expect.Equal(t, "color after the stream", colorOver(t, browser, m, srv), "blue")
		expect.Equal(t, "commits in all", s.Commits(), 2)
	})
}

// colorOver asks another server of the same Manager for the visitor's color.
func colorOver(t *testing.T, browser *http.Client, m *session.Manager, srv *httptest.Server) string {
	t.Helper()
	u, err := url.Parse(srv.URL)
	expect.OK(t, err)
	r := httptest.NewRequest("GET", srv.URL, nil)
	for _, cookie := range browser.Jar.Cookies(u) {
		r.AddCookie(cookie)
	}
	var text string
	fixture.NewVisitor(t, m).Meet(func(w http.ResponseWriter, r *http.Request) {
		text, err = fixture.Color.Get(r.Context())
		expect.OK(t, err)
	}).Do(r)
	return text
}

func TestFullDuplex(t *testing.T) {
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		m, _ := fixture.NewManager(t, nil)
		srv, browser := fixture.StartServer(t, proto,
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				expect.OK(t, fixture.Color.Set(r.Context(), "red"))
				c := http.NewResponseController(w)
				expect.OK(t, c.EnableFullDuplex())
				in := bufio.NewReader(r.Body)
				for {
					line, err := in.ReadString('\n')
					if err != nil {
						return
					}
					fmt.Fprint(w, strings.ToUpper(line))
					expect.OK(t, c.Flush())
				}
			})))
		send, body := net.Pipe()
		r, err := http.NewRequest("POST", srv.URL, io.NopCloser(body))
		expect.OK(t, err)
		words := []string{"one", "two", "three"}
		go fmt.Fprintln(send, words[0])
		resp, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		expect.Equal(t, "number of cookies", len(resp.Cookies()), 1)
		out := bufio.NewReader(resp.Body)
		for i, word := range words {
			line, err := out.ReadString('\n')
			expect.OK(t, err)
			expect.Equal(t, "echo", line, strings.ToUpper(word)+"\n")
			if i+1 < len(words) {
				fmt.Fprintln(send, words[i+1])
			}
		}
		send.Close()
		_, err = io.Copy(io.Discard, out) // leaving earlier may fail the last Flush
		expect.OK(t, err)
	})
}

func TestResponseControllerOnAServer(t *testing.T) {
	past := time.Unix(1, 0)
	tests := []struct {
		name string
		do   func(c *http.ResponseController) error
		want map[string]bool // whether the protocol can do it
	}{
		{"Flush", (*http.ResponseController).Flush, map[string]bool{fixture.HTTP1: true, fixture.HTTP2: true}},
		{"EnableFullDuplex", (*http.ResponseController).EnableFullDuplex,
			map[string]bool{fixture.HTTP1: true, fixture.HTTP2: true}},
		{"SetReadDeadline", func(c *http.ResponseController) error {
			return c.SetReadDeadline(past)
		}, map[string]bool{fixture.HTTP1: true, fixture.HTTP2: true}},
		{"SetWriteDeadline", func(c *http.ResponseController) error { return c.SetWriteDeadline(time.Now().Add(time.Hour)) },
			map[string]bool{fixture.HTTP1: true, fixture.HTTP2: true}},
		{"Hijack", func(c *http.ResponseController) error {
			conn, _, err := c.Hijack()
			if err == nil {
				fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				conn.Close()
			}
			return err
		}, map[string]bool{fixture.HTTP1: true, fixture.HTTP2: false}},
	}
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				m, _ := fixture.NewManager(t, nil)
				srv, browser := fixture.StartServer(t, proto,
					m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						err := test.do(http.NewResponseController(w))
						expect.Equal(t, "works", err == nil, test.want[proto])
					})))
				resp, _ := fixture.Fetch(t, browser, srv.URL)
				expect.Equal(t, "status", resp.StatusCode, http.StatusOK)
			})
		}
	})
}

// Deadlines that a handler sets are the connection's own.
func TestReadDeadlineWorks(t *testing.T) {
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		m, _ := fixture.NewManager(t, nil)
		srv, browser := fixture.StartServer(t, proto,
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				expect.OK(t, http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)))
				_, err := io.ReadAll(r.Body)
				expect.Is(t, "reading after the deadline", err, os.ErrDeadlineExceeded)
				w.Header().Set("Connection", "close")
				w.WriteHeader(http.StatusRequestTimeout)
			})))
		body, send := net.Pipe()
		defer send.Close()
		r, err := http.NewRequest("POST", srv.URL, body)
		expect.OK(t, err)
		resp, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		expect.Equal(t, "status", resp.StatusCode, http.StatusRequestTimeout)
	})
}

// echo is a WebSocket server that returns each message, and counts the messages in the session.
func echo(t *testing.T) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Errorf("accepting a WebSocket: %v", err)
			return
		}
		defer ws.CloseNow()
		for {
			kind, text, err := ws.Read(r.Context())
			if err != nil {
				return
			}
			_, err = fixture.Visits.Add(r.Context(), 1)
			expect.OK(t, err)
			expect.OK(t, session.FromContext(r.Context()).Commit(r.Context()))
			expect.OK(t, ws.Write(r.Context(), kind, text))
		}
	})
}

// say opens a WebSocket, sends words, reads them back, and returns the response of the upgrade.
func say(t *testing.T, browser *http.Client, url string, words ...string) *http.Response {
	t.Helper()
	ws, resp, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPClient: browser})
	if err != nil {
		t.Fatalf("dialling: %v", err)
	}
	defer ws.CloseNow()
	for _, word := range words {
		expect.OK(t, ws.Write(t.Context(), websocket.MessageText, []byte(word)))
		_, got, err := ws.Read(t.Context())
		expect.OK(t, err)
		expect.Equal(t, "echo", string(got), word)
	}
	expect.OK(t, ws.Close(websocket.StatusNormalClosure, ""))
	return resp
}

func TestWebSocket(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	srv, browser := fixture.StartServer(t, fixture.HTTP1, m.Handler(visit(t, echo(t))))

	resp := say(t, browser, srv.URL, "one", "two")
	expect.Equal(t, "status of a new visitor", resp.StatusCode, http.StatusSwitchingProtocols)
	expect.Equal(t, "cookies with the upgrade of a new visitor", len(resp.Cookies()), 1)
	expect.Equal(t, "commits of a new visitor", s.Take().Commits, 3)

	resp = say(t, browser, srv.URL, "three")
	expect.Equal(t, "status of a known visitor", resp.StatusCode, http.StatusSwitchingProtocols)
	expect.Equal(t, "cookies with the upgrade of a known visitor", len(resp.Cookies()), 0)
	expect.Equal(t, "store calls of a known visitor", s.Take(), fixture.Calls{Loads: 1, Commits: 2})
	for rec, err := range s.Mem.List(t.Context(), session.Filter{All: true}) {
		expect.OK(t, err)
		count, _ := rec.Values.Get(fixture.Visits.Name())
		expect.Equal(t, "visits and words", count, "5")
	}
}

func TestWebSocketWhoseCommitFails(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	srv, browser := fixture.StartServer(t, fixture.HTTP1,
		m.Handler(visit(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := websocket.Accept(w, r, nil); err == nil {
				t.Error("accepting a WebSocket: got no error, want one")
			}
		}))))
	_, resp, err := websocket.Dial(t.Context(), srv.URL, &websocket.DialOptions{HTTPClient: browser})
	if err == nil || resp == nil {
		t.Fatalf("dialling: got response %v and error %v, want a response that refuses", resp, err)
	}
	expect.Equal(t, "status", resp.StatusCode, http.StatusServiceUnavailable)
}

// As in gorilla/websocket, the handler hijacks the connection and writes the response itself, without the Manager's
// headers.
func TestDirectHijack(t *testing.T) {
	commit := func(r *http.Request) error { return session.FromContext(r.Context()).Commit(r.Context()) }
	tests := []struct {
		name    string
		known   bool
		do      func(r *http.Request) error
		cookies int // of the response that the handler writes
	}{
		{"not used", false, func(*http.Request) error { return nil }, 0},
		{"read, no session", false, func(r *http.Request) error { _, err := fixture.Color.Get(r.Context()); return err }, 0},
		{"new session", false, func(r *http.Request) error { return fixture.Color.Set(r.Context(), "red") }, 1},
		{"new session, committed", false, func(r *http.Request) error {
			return errors.Join(fixture.Color.Set(r.Context(), "red"), commit(r))
		}, 1},
		{"read", true, func(r *http.Request) error { _, err := fixture.Color.Get(r.Context()); return err }, 0},
		{"changed", true, func(r *http.Request) error { return fixture.Color.Set(r.Context(), "blue") }, 0},
		{"renewed", true, func(r *http.Request) error { return session.FromContext(r.Context()).Renew() }, 1},
		{"ended", true, func(r *http.Request) error { return session.FromContext(r.Context()).End() }, 1},
	}
	for _, test := range tests {
		for way, answer := range waysToAnswer {
			t.Run(test.name+", "+way, func(t *testing.T) {
				m, _ := fixture.NewManager(t, nil)
				mux := http.NewServeMux()
				mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
					expect.OK(t, fixture.Color.Set(r.Context(), "red"))
				})
				mux.HandleFunc("/exists", func(w http.ResponseWriter, r *http.Request) {
					ok, err := session.FromContext(r.Context()).Exists()
					expect.OK(t, err)
					fmt.Fprint(w, ok)
				})
				mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
					expect.OK(t, test.do(r))
					conn, rw, err := w.(http.Hijacker).Hijack()
					if err != nil {
						t.Errorf("Hijack: %v", err)
						return
					}
					defer conn.Close()
					answer(t, w.Header(), conn, rw)
				})
				srv, browser := fixture.StartServer(t, fixture.HTTP1, m.Handler(mux))
				if test.known {
					fixture.Fetch(t, browser, srv.URL+"/login")
				}
				resp, body := fixture.Fetch(t, browser, srv.URL)
				expect.Equal(t, "body", body, "hijacked")
				expect.Equal(t, "cookies", len(resp.Cookies()), test.cookies)
				_, exists := fixture.Fetch(t, browser, srv.URL+"/exists")
				has := (test.known || test.cookies > 0) && test.name != "ended"
				expect.Equal(t, "there is a session", exists, fmt.Sprint(has))
			})
		}
	}
}

// waysToAnswer are those in which hijackers write a response.
var waysToAnswer = map[string]func(t *testing.T, h http.Header, conn net.Conn, rw *bufio.ReadWriter){
	"at once": func(t *testing.T, _ http.Header, conn net.Conn, _ *bufio.ReadWriter) {
		n, err := io.WriteString(conn, hijackedAnswer)
		expect.OK(t, err)
		expect.Equal(t, "bytes", n, len(hijackedAnswer))
	},
	"through the buffer": func(t *testing.T, _ http.Header, _ net.Conn, rw *bufio.ReadWriter) {
		for line := range strings.Lines(hijackedAnswer) {
			rw.WriteString(line)
		}
		expect.OK(t, rw.Flush())
	},
	"line by line": func(t *testing.T, _ http.Header, conn net.Conn, _ *bufio.ReadWriter) {
		for line := range strings.Lines(hijackedAnswer) {
			_, err := io.WriteString(conn, line)
			expect.OK(t, err)
		}
	},
	"with our header": func(t *testing.T, h http.Header, _ net.Conn, rw *bufio.ReadWriter) {
		status, rest, _ := strings.Cut(hijackedAnswer, "\r\n")
		rw.WriteString(status + "\r\n")
		expect.OK(t, h.Write(rw))
		rw.WriteString(rest)
		expect.OK(t, rw.Flush())
	},
}

const hijackedAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nhijacked"

// Without a response the cookie can't be sent. The handler gets an error.
func TestHijackerThatWritesNoResponse(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	srv, browser := fixture.StartServer(t, fixture.HTTP1,
		m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			expect.OK(t, fixture.Color.Set(r.Context(), "red"))
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Errorf("Hijack: %v", err)
				return
			}
			defer conn.Close()
			for _, text := range []string{"220 ready\r\n", "HTTP/1.1 20"} {
				_, err = io.WriteString(conn, text)
				expect.Is(t, "Write", err, session.ErrTooLate)
			}
			_, err = io.WriteString(conn, hijackedAnswer)
			expect.OK(t, err)
			_, ok := conn.(interface{ NetConn() net.Conn }).NetConn().(*tls.Conn)
			expect.Equal(t, "the connection below is the server's", ok, true)
		})))
	resp, body := fixture.Fetch(t, browser, srv.URL)
	expect.Equal(t, "body", body, "hijacked")
	expect.Equal(t, "cookies", len(resp.Cookies()), 1)
}

// startProxy starts a ReverseProxy, behind a Manager, in front of a handler.
func startProxy(t *testing.T, proto string, m *session.Manager, h http.Handler) (string, *http.Client) {
	t.Helper()
	behind := httptest.NewServer(h)
	t.Cleanup(behind.Close)
	target, err := url.Parse(behind.URL)
	expect.OK(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Header.Del("Cookie") },
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
	}
	srv, browser := fixture.StartServer(t, proto, m.Handler(visit(t, proxy)))
	return srv.URL, browser
}

func TestReverseProxy(t *testing.T) {
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		m, s := fixture.NewManager(t, nil)
		next := make(chan struct{})
		u, browser := startProxy(t, proto, m, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			http.SetCookie(w, &http.Cookie{Name: "theirs", Value: "1"})
			w.Header().Set("Trailer", "X-Sum")
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprint(w, "first ")
			w.(http.Flusher).Flush()
			<-next
			fmt.Fprint(w, "second")
			w.Header().Set("X-Sum", "42")
		}))
		resp, err := browser.Get(u)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		first := make([]byte, len("first "))
		_, err = io.ReadFull(resp.Body, first)
		expect.OK(t, err)
		expect.Equal(t, "what is flushed", string(first), "first ")
		close(next)
		rest, err := io.ReadAll(resp.Body)
		expect.OK(t, err)
		expect.Equal(t, "status", resp.StatusCode, http.StatusTeapot)
		expect.Equal(t, "rest", string(rest), "second")
		expect.Equal(t, "trailer", resp.Trailer.Get("X-Sum"), "42")
		expect.Equal(t, "number of cookies", len(resp.Cookies()), 2)
		expect.Equal(t, "store calls", s.Take(), fixture.Calls{Commits: 1})
	})
}

func TestWebSocketThroughReverseProxy(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	other, _ := fixture.NewManager(t, nil)
	u, browser := startProxy(t, fixture.HTTP1, m, other.Handler(visit(t, echo(t))))
	resp := say(t, browser, u, "one", "two")
	expect.Equal(t, "status of a new visitor", resp.StatusCode, http.StatusSwitchingProtocols)
	expect.Equal(t, "cookies of a new visitor, from here and there", len(resp.Cookies()), 2)

	resp = say(t, browser, u, "one", "two")
	expect.Equal(t, "status of a known visitor", resp.StatusCode, http.StatusSwitchingProtocols)
}

func TestTimeoutHandlerInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := fixture.NewManager(t, nil)
		c := fixture.NewVisitorWith(t, m, "red")
		finished := make(chan error)
		h := http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			expect.OK(t, fixture.User.Set(r.Context(), "ann"))
			if r.URL.Path == "/slow" {
				<-r.Context().Done()
				synctest.Wait() // until the response is out
				finished <- fixture.Color.Set(r.Context(), "blue")
				return
			}
			fmt.Fprint(w, "fast")
		}), time.Second, "too slow")
		site := c.Meet(h.ServeHTTP)

		s.Take()
		w := site.Get("/fast")
		expect.Equal(t, "fast: status", w.Code, http.StatusOK)
		expect.Equal(t, "fast: body", w.Body.String(), "fast")
		expect.Equal(t, "fast: store calls", s.Take(), fixture.Calls{Loads: 1, Commits: 1})

		late := make(chan error, 1)
		go func() { late <- <-finished }()
		w = site.Get("/slow")
		expect.Equal(t, "slow: status", w.Code, http.StatusServiceUnavailable)
		expect.Equal(t, "slow: body", w.Body.String(), "too slow")
		expect.Is(t, "slow: change after the response", <-late, session.ErrTooLate)
	})
}

func TestTimeoutHandlerOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := fixture.NewManager(t, nil)
		c := fixture.NewVisitor(t, m)
		handled := make(chan struct{}, 1)
		site := c.On(http.TimeoutHandler(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() { handled <- struct{}{} }()
			expect.OK(t, fixture.Color.Set(r.Context(), strings.TrimPrefix(r.URL.Path, "/")))
			if r.URL.Path == "/slow" {
				<-r.Context().Done()
				synctest.Wait()
			}
			fmt.Fprint(w, "saved")
		})), time.Second, "too slow"))

		w := site.Get("/fast")
		expect.Equal(t, "fast: status", w.Code, http.StatusOK)
		expect.Equal(t, "fast: body", w.Body.String(), "saved")
		expect.Equal(t, "fast: number of cookies", len(w.Result().Cookies()), 1)
		<-handled

		w = site.Get("/slow")
		expect.Equal(t, "slow: status", w.Code, http.StatusServiceUnavailable)
		expect.Equal(t, "slow: body", w.Body.String(), "too slow")
		<-handled
		synctest.Wait()
		expect.Equal(t, "color after a change that was too slow to be told of", c.Color(), "slow")
	})
}
