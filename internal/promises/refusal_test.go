package promises_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
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

// A proxy inside takes a write that fails for a reason to abort: the client gets the answer all the same, and goes on
// with the connection.
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
		browser.Transport.(*http.Transport).DialContext = counting(&connections, browser.Transport.(*http.Transport).DialContext)
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

// A handler that streams until its context is done, and looks at no error, does not hold up the client's next request.
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

// What stood in the header before the handler stays, what the handler has set goes, however it is spelled.
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
	w.Header()["SURROGATE-Control"] = []string{"max-age=600"} // from outside as well: no cache may keep this answer
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

// A header that is empty before the handler, as net/http has it, is empty again.
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

// The cookie of a Manager further in is its visitor's only way back in.
func TestRefusalKeepsTheCookieOfAnInnerManager(t *testing.T) {
	outer, s := fixture.NewManager(t, nil)
	middle := fixture.NewManagerOn(t, fixture.NewStore(), &session.Config{Cookie: session.Cookie{Name: "middle"}})
	inner := fixture.NewManagerOn(t, fixture.NewStore(), &session.Config{Cookie: session.Cookie{Name: "inner"}})
	page := func(w http.ResponseWriter, r *http.Request) {
		expect.OK(t, fixture.User.Set(r.Context(), "ann"))
		expect.OK(t, inner.Session(r.Context()).Renew())
		expect.OK(t, outer.Session(r.Context()).SetOwner("ann"))
		w.Header().Add("Set-Cookie", "saved=1")
		fmt.Fprint(w, "saved")
	}
	c := sessiontest.NewClient(outer.Handler(middle.Handler(inner.Handler(http.HandlerFunc(page)))))
	c.Get("/")
	s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	w := c.Get("/")
	expect.Equal(t, "status", w.Code, http.StatusServiceUnavailable)
	var names []string
	for _, cookie := range w.Result().Cookies() {
		names = append(names, cookie.Name)
	}
	expect.Equal(t, "cookies", strings.Join(names, " "), "inner")
	c = c.On(inner.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fixture.Holds(t, r.Context(), fixture.User, "ann")
	})))
	expect.Equal(t, "status after it", c.Get("/").Code, http.StatusOK)
}

// OnError that panics leaves the standard answer, also where a recoverer inside swallows the panic.
func TestOnErrorThatPanics(t *testing.T) {
	for _, recovers := range []bool{true, false} {
		h, _ := refusing(t, &session.Config{OnError: func(w http.ResponseWriter, r *http.Request, err error) {
			w.Header().Set("X-Half", "done")
			fmt.Fprint(w, "half")
			panic("template")
		}}, func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if recovers {
					expect.Equal(t, "panic inside", recover(), any("template"))
					w.WriteHeader(http.StatusInternalServerError)
				}
			}()
			fmt.Fprint(w, "saved")
		})
		w := httptest.NewRecorder()
		want := any("template")
		if recovers {
			want = nil
		}
		expect.Equal(t, "panic", expect.Panic(func() { h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil)) }), want)
		wantRefusal(t, w.Result(), w.Body.String())
	}
}

func TestOnErrorAnswers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		onError func(w http.ResponseWriter)
		status  int
		length  string
	}{
		{"nothing", func(w http.ResponseWriter) {}, 503, "66"},
		{"a body", func(w http.ResponseWriter) { fmt.Fprint(w, "sorry") }, 503, "5"},
		{"a success of its own", func(w http.ResponseWriter) { w.WriteHeader(200); fmt.Fprint(w, "sorry") }, 200, "5"},
		{"a status twice", func(w http.ResponseWriter) { w.WriteHeader(503); w.WriteHeader(500) }, 503, "0"},
		{"an early hint first", func(w http.ResponseWriter) { w.WriteHeader(103); w.WriteHeader(503) }, 503, "0"},
		{"no content", func(w http.ResponseWriter) { w.WriteHeader(204) }, 204, ""},
		{"a wrong length", func(w http.ResponseWriter) { w.Header().Set("Content-Length", "99"); fmt.Fprint(w, "sorry") }, 503, "5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, _ := refusing(t, &session.Config{OnError: func(w http.ResponseWriter, _ *http.Request, _ error) { tt.onError(w) }},
				func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "saved") })
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			expect.Equal(t, "status", w.Code, tt.status)
			expect.Equal(t, "Content-Length", w.Header().Get("Content-Length"), tt.length)
		})
	}
}

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

// After a refusal the session takes no changes: nothing would say what has become of them.
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
			"Set": fixture.Color.Set(r.Context(), "green"), "SetOwner": session.SetOwner("ann"), "Commit": session.Commit(r.Context()),
			"Reload": session.Reload(r.Context()), "End": session.End(),
		} {
			expect.Is(t, name, err, fixture.ErrStore)
		}
	}).Get("/")
	expect.Equal(t, "color", c.Color(), "red")
}

// A Carrier that logs with its request's context, by a log handler that asks for the session, would wait for the lock.
func TestCarrierMayLog(t *testing.T) {
	logger := slog.New(contextLogger{slog.DiscardHandler})
	m, _ := fixture.NewManager(t, &session.Config{Logger: logger, Carrier: loggingCarrier{session.BearerHeader(), logger}})
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
}

type loggingCarrier struct {
	session.Carrier
	log *slog.Logger
}

func (c loggingCarrier) AppendTokens(dst []string, r *http.Request) []string {
	c.log.InfoContext(r.Context(), "looking for tokens")
	return c.Carrier.AppendTokens(dst, r)
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

// Nothing of a refused response is left for the next one, which has headers from outside as well.
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

// A store that has just failed is not asked to note that the session was used.
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
