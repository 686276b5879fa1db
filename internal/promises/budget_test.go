package promises_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/service"
	"github.com/lazysession/session/store/mem"
)

// A budget is what one kind of request may cost on any machine.
type budget struct {
	name    string
	handle  func(ctx context.Context)
	visitor bool // a client with a session whose token was seen before; else one without a cookie
	values  int  // that the session has beside those of the work
	allocs  float64
	bytes   uint64
	calls   fixture.Calls
}

var budgets = []budget{
	{"untouched, no cookie", func(context.Context) {}, false, 0, 1, 416, fixture.Calls{}},
	{"untouched, cookie sent", func(context.Context) {}, true, 0, 1, 416, fixture.Calls{}},
	{"asked, no cookie", func(ctx context.Context) {
		session.FromContext(ctx).Exists()
	}, false, 0, 2, 800, fixture.Calls{}},
	{"read one value", func(ctx context.Context) { fixture.Color.Get(ctx) }, true, 0, 2, 800, fixture.Calls{Loads: 1}},
	{"read 1 of 20", func(ctx context.Context) { fixture.Color.Get(ctx) }, true, 20, 2, 800, fixture.Calls{Loads: 1}},
	{"count one hit", func(ctx context.Context) {
		fixture.Visits.Add(ctx, 1)
	}, true, 0, 6, 1088, fixture.Calls{Loads: 1, Commits: 1}},
	{"write 1 of 20", func(ctx context.Context) {
		fixture.Color.Set(ctx, "blue")
	}, true, 20, 7, 1536, fixture.Calls{Loads: 1, Commits: 1}},
	{"read and write ten times", readAndWriteTenTimes, true, 0, 46, 1856, fixture.Calls{Loads: 1, Commits: 1}},
	{"new session", func(ctx context.Context) {
		fixture.Color.Set(ctx, "red")
	}, false, 0, 14, 1792, fixture.Calls{Commits: 1}},
	{"login", login, true, 0, 26, 2816, fixture.Calls{Loads: 1, Commits: 1}},
}

func readAndWriteTenTimes(ctx context.Context) {
	for i := range 10 {
		fixture.Color.Get(ctx)
		fixture.Color.Sub("of a thing").Set(ctx, "blue")
		fixture.Visits.Add(ctx, int64(i))
	}
}

func login(ctx context.Context) {
	s := session.FromContext(ctx)
	s.Renew()
	s.SetOwner("ann")
}

func TestBudgetOfStoreCalls(t *testing.T) {
	for _, b := range budgets {
		t.Run(b.name, func(t *testing.T) {
			m, s := fixture.NewManager(t, nil)
			serve := b.prepare(t, m)
			s.Take()
			serve()
			expect.Equal(t, "store calls", s.Take(), b.calls)
		})
	}
}

// A request with a token that was not seen before also pays for the signature; see knownTokens.
func TestBudgetOfAllocations(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates as well; make test runs this test without it")
	}
	for _, b := range budgets {
		t.Run(b.name, func(t *testing.T) {
			m := fixture.NewManagerOn(t, mem.New(nil), nil)
			serve := b.prepare(t, m)
			if got := fewestAllocs(serve); got > b.allocs {
				t.Errorf("allocations: got %v, want at most %v", got, b.allocs)
			}
			if got := fewestBytes(serve); got > b.bytes {
				t.Errorf("bytes: got %v, want at most %v", got, b.bytes)
			}
		})
	}
}

// prepare returns a function that serves one request of the budget's kind.
func (b budget) prepare(t *testing.T, m *session.Manager) (serve func()) {
	r := httptest.NewRequest("GET", "https://example.com/", nil)
	renews := b.name == "login"
	if b.visitor {
		c := fixture.NewVisitorWith(t, m, "red").Meet(func(_ http.ResponseWriter, r *http.Request) { b.fill(t, r.Context()) })
		c.Get("/")
		r = c.Request("GET", "/", nil)
	}
	w := fixture.Discard{}
	h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.handle(r.Context())
		w.WriteHeader(http.StatusNoContent)
	}))
	return func() {
		clear(w)
		h.ServeHTTP(w, r)
		if line := w.Header().Get("Set-Cookie"); renews && line != "" {
			r.Header["Cookie"][0], _, _ = strings.Cut(line, ";")
		}
	}
}

// fill gives the session the values that the work meets, and makes its token known.
func (b budget) fill(t *testing.T, ctx context.Context) {
	expect.OK(t, fixture.Color.Set(ctx, "red"))
	for i := range b.values {
		expect.OK(t, fixture.Color.Sub(fmt.Sprint(i)).Set(ctx, "green"))
	}
	_, err := fixture.Visits.Add(ctx, 1)
	expect.OK(t, err)
}

// fewestBytes returns how many bytes f allocates, without those of other goroutines.
func fewestBytes(f func()) uint64 {
	const runs = 20
	fewest := ^uint64(0)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			f()
		}
		runtime.ReadMemStats(&after)
		fewest = min(fewest, (after.TotalAlloc-before.TotalAlloc)/runs)
	}
	return fewest
}

// Reading one value costs the same among few and many values, since only that value is decoded.
func TestReadingCostsNoMoreAmongManyValues(t *testing.T) {
	few := budget{visitor: true, values: 1, handle: budgets[3].handle}
	many := budget{visitor: true, values: 1000, handle: budgets[3].handle}
	m := fixture.NewManagerOn(t, mem.New(nil), &session.Config{MaxBytes: 1 << 20})
	expect.Equal(t, "allocations", fewestAllocs(many.prepare(t, m)), fewestAllocs(few.prepare(t, m)))
}

// The Manager keeps the headers of outer middleware for a refusal. That costs no allocation.
func TestBudgetBelowHeaders(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates as well; make test runs this test without it")
	}
	h := fixture.NewManagerOn(t, mem.New(nil), nil).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	w, r := fixture.Discard{}, httptest.NewRequest("GET", "https://example.com/", nil)
	for _, name := range []string{"Content-Security-Policy", "X-Frame-Options", "X-Request-Id", "Vary", "Server"} {
		w.Header().Set(name, "x")
	}
	expect.Equal(t, "allocations", fewestAllocs(func() { h.ServeHTTP(w, r) }), 1)
}

func TestUntouchedRequestCostsOneAllocation(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	cookie := fixture.NewVisitorWith(t, m, "red").Request("GET", "/", nil).Header
	s.Take()
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		session.FromContext(r.Context())
	})
	h := m.Handler(hello)
	requests := map[string]http.Header{
		"without a cookie": {},
		"with a cookie":    cookie,
		"with two cookies": {"Cookie": {"a=b", "c=d"}},
	}
	writers := combinations(&base{})
	for name := range writers {
		for kind, header := range requests {
			t.Run(name+"/"+kind, func(t *testing.T) {
				w := combinations(&base{header: make(http.Header), log: make([]string, 0, 1)})[name]
				r := httptest.NewRequest("GET", "https://example.com/", nil)
				r.Header = header
				expect.Equal(t, "allocations", allocsOver(hello, h, w, r), 1)
				expect.Equal(t, "response headers", len(w.Header()), 0)
				expect.Equal(t, "store calls", s.Take(), fixture.Calls{})
			})
		}
	}
}

// allocsOver returns how many allocations a handler makes more than another.
func allocsOver(without, with http.Handler, w http.ResponseWriter, r *http.Request) float64 {
	return fewestAllocs(func() { with.ServeHTTP(w, r) }) - fewestAllocs(func() { without.ServeHTTP(w, r) })
}

// fewestAllocs is testing.AllocsPerRun without the allocations of other goroutines, for example of a server that
// closes: these only add.
func fewestAllocs(f func()) float64 {
	fewest := testing.AllocsPerRun(100, f)
	for range 4 {
		fewest = min(fewest, testing.AllocsPerRun(100, f))
	}
	return fewest
}

func TestUntouchedRequestCostsOneAllocationBelowChi(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	routes := func(with ...func(http.Handler) http.Handler) http.Handler {
		r := chi.NewRouter()
		r.Use(with...)
		r.Get("/{page}", func(w http.ResponseWriter, r *http.Request) {
			if chi.URLParam(r, "page") != "home" {
				t.Error("got no URL parameter, want chi's")
			}
		})
		return r
	}
	pass := func(next http.Handler) http.Handler { return next }
	// With a context of its own, chi uses no pool. The race detector empties pools at random.
	found := chi.NewRouteContext()
	again := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			found.Reset()
			h.ServeHTTP(w, r.WithContext(r.Context())) // chi puts path values into the request
		})
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/home", nil)
	r = r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, found))
	expect.Equal(t, "allocations", allocsOver(again(routes(pass)), again(routes(m.Handler)), w, r), 1)
	expect.Equal(t, "store calls", s.Take(), fixture.Calls{})
}

// The writers of net/http exist only in a request, so they are measured there.
func TestUntouchedRequestCostsOneAllocationOnAServer(t *testing.T) {
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		m, _ := fixture.NewManager(t, nil)
		nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		h := m.Handler(nothing)
		srv, browser := fixture.StartServer(t, proto, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			expect.Equal(t, "protocol", r.Proto, proto)
			expect.Equal(t, "allocations", allocsOver(nothing, h, w, r), 1)
		}))
		resp, _ := fixture.Fetch(t, browser, srv.URL)
		expect.Equal(t, "Vary", resp.Header.Get("Vary"), "")
		expect.Equal(t, "Set-Cookie", resp.Header.Get("Set-Cookie"), "")
	})
}

func TestSecureAutoCostsNothingUntouched(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates as well; make test runs this test without it")
	}
	m := fixture.NewManagerOn(t, mem.New(nil), &session.Config{
		Cookie:         session.Cookie{Secure: session.SecureAuto},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	})
	h := m.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r, w := httptest.NewRequest("GET", "/", nil), fixture.Discard{}
	r.RemoteAddr = "10.1.2.3:80"
	r.Header.Set("X-Forwarded-Proto", "https")
	expect.Equal(t, "allocations", fewestAllocs(func() { h.ServeHTTP(w, r) }), 1)
}

func TestQueryBeyondTheManagerAllocatesNothing(t *testing.T) {
	type mailer struct{}
	services := service.NewRegistry(nil)
	expect.OK(t, service.Provide(services, &mailer{}))
	m := fixture.NewManagerOn(t, mem.New(nil), nil)
	h := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		expect.Equal(t, "allocations", fewestAllocs(func() { service.Query[*mailer](ctx) }), 0)
	}))
	r := httptest.NewRequest("GET", "/", nil)
	h.ServeHTTP(httptest.NewRecorder(), r.WithContext(service.NewContext(r.Context(), services)))
}

func TestFiveHeadersCostNothing(t *testing.T) {
	if underRace {
		t.Skip("the race detector drops from pools")
	}
	m, _ := fixture.NewManager(t, nil)
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})
	h := m.Handler(hello)
	w := httptest.NewRecorder()
	for i := range 5 {
		w.Header().Set(fmt.Sprint("X-", i), "1")
	}
	expect.Equal(t, "allocations", allocsOver(hello, h, w, httptest.NewRequest("GET", "/", nil)), 1)
}
