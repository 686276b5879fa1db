package promises_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
)

// refusing returns a handler that changes its session and then does what a test wants. The store refuses the commit.
func refusing(t *testing.T, cfg *session.Config, next http.HandlerFunc) (http.Handler, *fixture.Store) {
	t.Helper()
	m, s := fixture.NewManager(t, cfg)
	s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	return m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		expect.OK(t, fixture.Color.Set(r.Context(), "red"))
		next(w, r)
	})), s
}

// wantRefusal checks that a response is the standard answer, complete and with its length.
func wantRefusal(t *testing.T, resp *http.Response, body string) {
	t.Helper()
	expect.Equal(t, "status", resp.StatusCode, http.StatusServiceUnavailable)
	expect.Equal(t, "body", body, "Sessions are unavailable. Nothing may have been saved. Try again.\n")
	expect.Equal(t, "Content-Length", resp.ContentLength, int64(len(body)))
}

// A proxy inside aborts when a write fails. The client still gets the answer, and can use the connection again.
func TestRefusalBehindAProxy(t *testing.T) {
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for range 100 {
				fmt.Fprintln(w, strings.Repeat("saved", 1000))
			}
		}))
		t.Cleanup(upstream.Close)
		target, err := url.Parse(upstream.URL)
		expect.OK(t, err)
		proxy := httputil.NewSingleHostReverseProxy(target)
		proxy.ErrorLog = log.New(io.Discard, "", 0)
		proxy.FlushInterval = -1
		h, _ := refusing(t, nil, proxy.ServeHTTP)
		var connections atomic.Int64
		srv, browser := fixture.StartServer(t, proto, h)
		transport := browser.Transport.(*http.Transport)
		transport.DialContext = counting(&connections, transport.DialContext)
		for range 3 {
			resp, body := fixture.Fetch(t, browser, srv.URL)
			wantRefusal(t, resp, body)
		}
		expect.Equal(t, "connections", connections.Load(), 1)
	})
}

// The client has the whole answer while the handler still runs.
func TestRefusalOfAStreamingHandler(t *testing.T) {
	for _, begin := range []struct {
		name string
		do   func(w http.ResponseWriter)
	}{
		{"Write", func(w http.ResponseWriter) { fmt.Fprint(w, "data: 1\n\n") }},
		{"WriteHeader", func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) }},
		{"Flush", func(w http.ResponseWriter) { w.(http.Flusher).Flush() }},
	} {
		t.Run(begin.name, func(t *testing.T) {
			answered := make(chan bool)
			h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				begin.do(w)
				<-answered
			})
			srv, browser := fixture.StartServer(t, fixture.HTTP1, h)
			r, err := http.NewRequest("GET", srv.URL, nil)
			expect.OK(t, err)
			resp, err := browser.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			expect.OK(t, err)
			wantRefusal(t, resp, string(body))
			expect.Equal(t, "Content-Type", resp.Header.Get("Content-Type"), "text/plain; charset=utf-8")
			close(answered)
		})
	}
}

// A handler may stream until its context is done, and ignore errors. It does not delay the client's next request.
func TestRefusedHandlerThatStreamsOnIsLeft(t *testing.T) {
	for _, begin := range []struct {
		name string
		do   func(w http.ResponseWriter)
	}{
		{"Flush", func(w http.ResponseWriter) { w.(http.Flusher).Flush() }},
		{"events", func(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/event-stream; charset=utf-8") }},
	} {
		t.Run(begin.name, func(t *testing.T) {
			stopped := make(chan bool)
			h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) {
				defer close(stopped)
				begin.do(w)
				for r.Context().Err() == nil {
					fmt.Fprint(w, "data: 1\n\n")
					w.(http.Flusher).Flush()
				}
			})
			mux := http.NewServeMux()
			mux.Handle("/stream", h)
			mux.HandleFunc("/next", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Context().Err()) })
			srv, browser := fixture.StartServer(t, fixture.HTTP1, mux)
			resp, body := fixture.Fetch(t, browser, srv.URL+"/stream")
			wantRefusal(t, resp, body)
			_, body = fixture.Fetch(t, browser, srv.URL+"/next")
			expect.Equal(t, "context of the next request", body, "<nil>")
			<-stopped
		})
	}
}

// Other panics of a handler pass on, also after a refusal.
func TestPanicAfterARefusalPasses(t *testing.T) {
	h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "saved")
		panic("boom")
	})
	w := httptest.NewRecorder()
	expect.Equal(t, "panic", expect.Panic(func() { h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil)) }), any("boom"))
	expect.Equal(t, "status", w.Code, http.StatusServiceUnavailable)
}

// A refusal keeps the headers from before the handler and removes those that the handler has set, in any spelling.
func TestHeaderOfARefusedResponse(t *testing.T) {
	outside := http.Header{
		"Content-Security-Policy": {"default-src 'self'"}, "X-Request-Id": {"42"}, "Vary": {"Accept-Encoding"},
		"Set-Cookie": {"theme=dark"}, "X-Accel-Buffering": {"no"},
	}
	h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{
			"X-Accel-Redirect", "X-Sendfile", "HX-Trigger", "HX-Trigger-After-Swap", "HX-Push-Url", "Location", "Link",
			"Content-Encoding", "Content-Range", "Etag", "X-Anything",
		} {
			w.Header().Set(name, "saved")
		}
		w.Header()["cdn-CACHE-control"] = []string{"max-age=600"}
		w.Header()["x-accel-expires"] = []string{"600"}
		w.Header().Add("Vary", "Accept-Language")
		w.Header().Add("Set-Cookie", "saved=1")
		w.Header().Set("X-Request-Id", "43")
		w.Header().Del("Content-Security-Policy")
		w.Header().Set(http.TrailerPrefix+"Checksum", "1")
		fmt.Fprint(w, "saved")
	})
	w := httptest.NewRecorder()
	for name, lines := range outside {
		w.Header()[name] = lines
	}
	// No cache may keep the answer, so this goes even though it was set before.
	w.Header()["SURROGATE-Control"] = []string{"max-age=600"}
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	want := outside.Clone()
	want["Vary"] = []string{"Accept-Encoding", "Cookie"}
	want["Cache-Control"] = []string{"no-store"}
	want["Content-Type"] = []string{"text/plain; charset=utf-8"}
	want["Content-Length"] = []string{fmt.Sprint(w.Body.Len())}
	want["X-Content-Type-Options"] = []string{"nosniff"}
	want["Retry-After"] = []string{"2"}
	for name := range want {
		expect.Lines(t, name, w.Result().Header[name], []string(want[name]))
	}
	for name := range w.Result().Header {
		if want[name] == nil {
			t.Errorf("%s: got %q, want none", name, w.Result().Header[name])
		}
	}
	for name := range w.Header() {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			t.Errorf("a trailer is left: %s", name)
		}
	}
}

// Compression outside sets Content-Encoding before the handler runs. A refusal keeps that, and removes the handler's.
func TestRefusalUnderCompression(t *testing.T) {
	h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "br") // the handler's own
		fmt.Fprint(w, "saved")
	})
	w := httptest.NewRecorder()
	compress(h).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	expect.Equal(t, "Content-Encoding", w.Header().Get("Content-Encoding"), "gzip")
	zipped, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatalf("the body is no gzip: %v", err)
	}
	body, err := io.ReadAll(zipped)
	expect.OK(t, err)
	expect.Equal(t, "body", string(body), "Sessions are unavailable. Nothing may have been saved. Try again.\n")
}

// compress is compression as gorilla/handlers does it: the header is set before the handler runs.
func compress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		next.ServeHTTP(&compressed{w, z}, r)
	})
}

type compressed struct {
	http.ResponseWriter
	zip *gzip.Writer
}

func (c *compressed) WriteHeader(status int) {
	c.Header().Del("Content-Length")
	c.ResponseWriter.WriteHeader(status)
}
func (c *compressed) Write(b []byte) (int, error) { return c.zip.Write(b) }

// net/http panics at such a status. Nothing is committed for it.
func TestInvalidStatusCommitsNothing(t *testing.T) {
	for _, status := range []int{0, 99, 1000, -1} {
		m, s := fixture.NewManager(t, nil)
		c := fixture.NewVisitorWith(t, m, "red")
		s.Take()
		panicked := expect.Panic(func() {
			c.Meet(func(w http.ResponseWriter, r *http.Request) {
				expect.OK(t, fixture.Color.Set(r.Context(), "blue"))
				w.WriteHeader(status)
			}).Get("/")
		})
		expect.Equal(t, fmt.Sprint("status ", status, " panics"), panicked != nil, true)
		expect.Equal(t, "store calls", s.Take(), fixture.Calls{Loads: 1})
		expect.Equal(t, "color", c.Color(), "red")
	}
}

// After a refusal the session accepts no changes, since no response could report their failure.
func TestNothingIsCommittedAfterARefusal(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	c := fixture.NewVisitorWith(t, m, "red")
	c.Meet(func(w http.ResponseWriter, r *http.Request) {
		expect.OK(t, fixture.Color.Set(r.Context(), "blue"))
		s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
		if err := http.NewResponseController(w).Flush(); err == nil {
			t.Error("Flush: got no error")
		}
		s.Broken.Mend()
		session := session.FromContext(r.Context())
		for name, err := range map[string]error{
			"Set": fixture.Color.Set(r.Context(), "green"), "SetOwner": session.SetOwner("ann"),
			"Commit": session.Commit(r.Context()),
			"Reload": session.Reload(r.Context()), "End": session.End(),
		} {
			expect.Is(t, name, err, fixture.ErrStore)
		}
	}).Get("/")
	expect.Equal(t, "color", c.Color(), "red")
}

// counting counts the connections that a client dials.
func counting(n *atomic.Int64, dial dialer) dialer {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		n.Add(1)
		return dial(ctx, network, addr)
	}
}

type dialer = func(ctx context.Context, network, addr string) (net.Conn, error)

// The response after a refused one has nothing of it, even if both have headers from outer middleware.
func TestResponseAfterARefusal(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		expect.OK(t, fixture.Color.Set(r.Context(), "red"))
		fmt.Fprint(w, "saved")
		fmt.Fprint(w, " and said")
	}))
	for i := range 50 {
		s.Broken.Mend()
		if i%2 == 0 {
			s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
		}
		w := httptest.NewRecorder()
		w.Header().Set("X-Request-Id", fmt.Sprint(i))
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		expect.Equal(t, "status", w.Code, map[bool]int{true: 503, false: 200}[i%2 == 0])
		expect.Equal(t, "X-Request-Id", w.Header().Get("X-Request-Id"), fmt.Sprint(i))
		expect.Equal(t, "said", strings.Contains(w.Body.String(), "said"), i%2 == 1)
	}
}

// After a failure of the store, the request does not update the time of the session's last use.
func TestRefusedRequestDoesNotTouch(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	c := fixture.NewVisitorWith(t, m, "red")
	s.Clock.Advance(15 * time.Minute)
	s.Take()
	c.Meet(func(w http.ResponseWriter, r *http.Request) {
		fixture.User.Sub("").Get(r.Context()) // fails
		fixture.Color.Get(r.Context())
		fmt.Fprint(w, "hello")
		fixture.Color.Get(r.Context())
	}).Get("/")
	expect.Equal(t, "store calls", s.Take(), fixture.Calls{Loads: 1})
}

// withFive is middleware outside that sets a header before the handler.
func withFive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"X-One", "X-Two", "X-Three", "X-Four", "X-Five"} {
			w.Header().Set(name, r.URL.Path)
		}
		next.ServeHTTP(w, r)
	})
}

// A deferring is a writer that writes its header at the end (for an ETag, say), and unwraps for deadlines.
type deferring struct {
	http.ResponseWriter
	status int
	body   strings.Builder
}

func (d *deferring) WriteHeader(status int) { d.status = status }

func (d *deferring) Write(b []byte) (int, error) { return d.body.Write(b) }

func (d *deferring) Unwrap() http.ResponseWriter { return d.ResponseWriter }

func (d *deferring) finish() {
	d.ResponseWriter.WriteHeader(d.status)
	io.WriteString(d.ResponseWriter, d.body.String())
}

func deferringHandler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := &deferring{ResponseWriter: w, status: 200}
		next.ServeHTTP(d, r)
		d.finish()
	})
}

// If a writer outside has not yet written its header, the refusal must not flush past it: the server would send 200.
func TestRefusalBelowAWriterThatBuffers(t *testing.T) {
	h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "saved") })
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		srv, browser := fixture.StartServer(t, proto, deferringHandler(h))
		resp, body := fixture.Fetch(t, browser, srv.URL)
		expect.Equal(t, "status", resp.StatusCode, 503)
		expect.Equal(t, "body", body, "Sessions are unavailable. Nothing may have been saved. Try again.\n")
	})
}

// The answer of Error is whole, even if the handler has announced another length.
func TestErrorAfterContentLength(t *testing.T) {
	for _, accept := range []string{"text/html", "application/json"} {
		srv, browser := fixture.StartServer(t, fixture.HTTP1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.Header().Set("Etag", `"1"`)
			session.Error(w, r, session.ErrEnded)
		}))
		r, _ := http.NewRequest("GET", srv.URL, nil)
		r.Header.Set("Accept", accept)
		resp, err := browser.Do(r)
		if err != nil {
			t.Errorf("%s: %v", accept, err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || !strings.Contains(string(body), "Load the page again") {
			t.Errorf("%s: got %q, %v", accept, body, err)
		}
		expect.Equal(t, accept+": nosniff", resp.Header.Get("X-Content-Type-Options"), "nosniff")
	}
}

// A refusal also undoes changes that a handler makes in the slices of the header.
func TestHeaderChangedInPlace(t *testing.T) {
	h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-One"][0] = "saved"
		fmt.Fprint(w, "saved")
	})
	w := httptest.NewRecorder()
	withFive(h).ServeHTTP(w, httptest.NewRequest("GET", "/a", nil))
	expect.Equal(t, "X-One", w.Header().Get("X-One"), "/a")
}

// After a refusal, a handler can't send a trailer, even if it has kept the header's map.
func TestTrailerOfARefusedResponse(t *testing.T) {
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) {
			header := w.Header()
			header.Set("Trailer", "Declared")
			fmt.Fprint(w, "saved")
			header.Set(http.TrailerPrefix+"Outcome", "saved")
			header.Set("Declared", "saved")
			w.Header().Set(http.TrailerPrefix+"Second", "saved")
		})
		srv, browser := fixture.StartServer(t, proto, h)
		resp, body := fixture.Fetch(t, browser, srv.URL)
		wantRefusal(t, resp, body)
		expect.Equal(t, "trailers", len(resp.Trailer), 0)
	})
}

func TestPoolKeepsHeadersApart(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	h := withFive(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-One", "handler")
		w.Header().Set("X-Mine", r.URL.Path)
		if strings.HasSuffix(r.URL.Path, "0") {
			expect.OK(t, fixture.Color.Set(r.Context(), "red"))
		}
		fmt.Fprint(w, "saved")
	})))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				path := fmt.Sprintf("/%d/%d", g, i)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
				refused := i%10 == 0
				want := map[bool]string{true: path, false: "handler"}[refused]
				if got := w.Header().Get("X-One"); got != want {
					t.Errorf("%s: X-One: got %q, want %q", path, got, want)
				}
				for _, name := range []string{"X-Two", "X-Three", "X-Four", "X-Five"} {
					if got := w.Header().Get(name); got != path {
						t.Errorf("%s: %s: got %q", path, name, got)
					}
				}
				if refused && w.Header().Get("X-Mine") != "" {
					t.Errorf("%s: the handler's header is left", path)
				}
			}
		})
	}
	wg.Wait()
}

// Goroutines that outlive their handler use the session in every way while the response is refused and after.
func TestGoroutinesOutliveARefusedHandler(t *testing.T) {
	m, s := fixture.NewManager(t, &session.Config{OnError: func(w http.ResponseWriter, r *http.Request, err error) {
		flashes.Add(r.Context(), "error", "sorry")
		session.Error(w, r, err)
	}})
	c := fixture.NewVisitorWith(t, m, "red")
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	for i := range 200 {
		s.Broken.Mend()
		if i%2 == 0 {
			s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
		}
		tab := c.Meet(func(w http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			started := make(chan bool, 6)
			for g := range 6 {
				wg.Go(func() {
					started <- true
					x := session.FromContext(ctx)
					for range 5 {
						switch g {
						case 0:
							fixture.Color.Get(ctx)
							fixture.Color.Set(ctx, "x")
						case 1:
							x.Degrade()
							fixture.Hits.Add(ctx, 1)
						case 2:
							fixture.Hits.Next(ctx)
						case 3:
							flashes.Add(ctx, "a", "b")
							flashes.Take(ctx)
							x.Info()
						case 4:
							x.Reload(ctx)
							x.Commit(ctx)
							fixture.User.Sub("").Get(ctx)
						case 5:
							fixture.Color.Update(ctx, func(string) (string, error) { return "y", nil })
							x.Token()
							x.ID()
						}
					}
				})
			}
			for range 6 {
				<-started
			}
			fmt.Fprint(w, "saved")
		})
		w := tab.Get("/")
		if w.Code != 200 && w.Code != 503 && w.Code != 409 && w.Code != 500 {
			t.Fatal(w.Code)
		}
		wg.Wait()
		s.Broken.Mend()
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("goroutines: %d before, %d after", before, runtime.NumGoroutine())
}

// A gzipLate sets its header when the handler writes its own.
type gzipLate struct {
	http.ResponseWriter
	z *gzip.Writer
}

func (g *gzipLate) WriteHeader(status int) {
	if g.z == nil && status >= 200 && status != 204 && status != 304 {
		g.Header().Set("Content-Encoding", "gzip")
		g.Header().Del("Content-Length")
		g.z = gzip.NewWriter(g.ResponseWriter)
	}
	g.ResponseWriter.WriteHeader(status)
}

func (g *gzipLate) Write(b []byte) (int, error) {
	if g.z == nil {
		g.WriteHeader(200)
	}
	return g.z.Write(b)
}

func (g *gzipLate) Unwrap() http.ResponseWriter { return g.ResponseWriter }

func TestRefusalOnServers(t *testing.T) {
	late := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			g := &gzipLate{ResponseWriter: w}
			next.ServeHTTP(g, r)
			if g.z != nil {
				g.z.Close()
			}
		})
	}
	pass := func(next http.Handler) http.Handler { return next }
	say := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "saved") }
	status := func(n int) http.HandlerFunc { return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(n) } }
	for _, tt := range []struct {
		name    string
		outside func(http.Handler) http.Handler
		method  string
		do      http.HandlerFunc
	}{
		{"HEAD", pass, "HEAD", say},
		{"204", pass, "GET", status(204)},
		{"304", pass, "GET", status(304)},
		{"302", pass, "GET", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) }},
		{"101", pass, "GET", status(101)},
		{"100 then", pass, "GET", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(100); say(w, r) }},
		{"103 then", pass, "GET", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</x>")
			w.WriteHeader(103)
			say(w, r)
		}},
		{"nothing written", pass, "GET", func(w http.ResponseWriter, r *http.Request) {}},
		{"length announced", pass, "GET", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			say(w, r)
		}},
		{"ReadFrom", pass, "GET", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, strings.NewReader("saved")) }},
		{"ServeContent", pass, "GET", func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "a.txt", time.Now(), strings.NewReader("saved"))
		}},
		{"gzip at WriteHeader", late, "GET", say},
		{"gzip before", compress, "GET", say},
		{"TimeoutHandler outside", func(h http.Handler) http.Handler {
			return http.TimeoutHandler(h, time.Minute, "")
		}, "GET", say},
		{"TimeoutHandler inside", pass, "GET", http.TimeoutHandler(http.HandlerFunc(say), time.Minute, "").ServeHTTP},
		{"MaxBytesHandler outside", func(h http.Handler) http.Handler {
			return http.MaxBytesHandler(h, 10)
		}, "POST", func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			say(w, r)
		}},
		{"MaxBytesHandler inside", pass, "POST",
			http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				say(w, r)
			}), 10).ServeHTTP},
		{"body unread", pass, "POST", say},
		{"full duplex", pass, "POST", func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			say(w, r)
			io.CopyN(io.Discard, r.Body, 1)
		}},
		{"ErrAbortHandler", pass, "GET", func(w http.ResponseWriter, r *http.Request) {
			if _, err := w.Write([]byte("saved")); err != nil {
				panic(http.ErrAbortHandler)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
				if proto == fixture.HTTP2 && tt.name == "101" {
					t.Skip()
				}
				h, _ := refusing(t, nil, tt.do)
				srv, browser := fixture.StartServer(t, proto, withFive(tt.outside(h)))
				for _, continues := range []bool{false, true} {
					if continues && (tt.method != "POST" || tt.name == "full duplex") {
						continue
					}
					var body io.Reader
					if tt.method == "POST" {
						body = strings.NewReader(strings.Repeat("x", 5000))
					}
					r, _ := http.NewRequest(tt.method, srv.URL+"/p", body)
					if continues {
						r.Header.Set("Expect", "100-continue")
						browser.Transport.(*http.Transport).ExpectContinueTimeout = 5 * time.Second
					}
					r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
						Got1xxResponse: func(int, textproto.MIMEHeader) error { return nil },
					}))
					resp, err := browser.Do(r)
					if err != nil {
						t.Fatal(err)
					}
					text, err := io.ReadAll(resp.Body)
					expect.OK(t, err)
					resp.Body.Close()
					expect.Equal(t, "status", resp.StatusCode, 503)
					expect.Equal(t, "X-One", resp.Header.Get("X-One"), "/p")
					if resp.Header.Get("Content-Encoding") == "gzip" {
						z, err := gzip.NewReader(bytes.NewReader(text))
						expect.OK(t, err)
						text, err = io.ReadAll(z)
						expect.OK(t, err)
					}
					if tt.method != "HEAD" && !strings.HasPrefix(string(text), "Sessions are unavailable.") {
						t.Errorf("body %q", text)
					}
					for _, name := range []string{"Link", "Location", "Etag", "Last-Modified", "Accept-Ranges"} {
						expect.Equal(t, name, resp.Header.Get(name), "")
					}
				}
			})
		})
	}
}

// A proxy inside forwards events without end. After a refusal the client has the 503, and the handler ends.
func TestRefusalOfAProxiedStream(t *testing.T) {
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for r.Context().Err() == nil {
				fmt.Fprint(w, "data: 1\n\n")
				w.(http.Flusher).Flush()
			}
		}))
		defer upstream.Close()
		target, _ := url.Parse(upstream.URL)
		proxy := httputil.NewSingleHostReverseProxy(target)
		proxy.ErrorLog = log.New(io.Discard, "", 0)
		ended := make(chan bool, 1)
		h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) {
			defer func() { ended <- true }()
			proxy.ServeHTTP(w, r)
		})
		srv, browser := fixture.StartServer(t, proto, h)
		resp, body := fixture.Fetch(t, browser, srv.URL)
		wantRefusal(t, resp, body)
		<-ended
	})
}

// The client may go away during a refusal.
func TestClientGoneAtARefusal(t *testing.T) {
	ended := make(chan bool)
	writing := make(chan bool)
	h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) {
		close(writing)
		<-r.Context().Done()
		fmt.Fprint(w, "saved")
	})
	srv, _ := fixture.StartServer(t, fixture.HTTP1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		h.ServeHTTP(w, r)
	}))
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	expect.OK(t, err)
	c.Close()
	r, _ := http.NewRequest("GET", srv.URL, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-writing; cancel() }()
	srv.Client().Do(r.WithContext(ctx))
	<-ended
}

// In raw HTTP/1.1, a refusal answers a request with Expect: 100-continue whose body is not read. If the connection
// stays open, the next request on it is answered too.
func TestRefusalBeforeTheBody(t *testing.T) {
	h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "saved") })
	srv := httptest.NewServer(h)
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	expect.OK(t, err)
	defer c.Close()
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "POST"})
	expect.OK(t, err)
	body, _ := io.ReadAll(resp.Body)
	wantRefusal(t, resp, string(body))
}
