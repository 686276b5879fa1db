package sessiontest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/service"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store/mem"
)

var (
	name   = session.NewKey[string]("name")
	visits = session.NewCounter("visits")
)

func named(n string) func(context.Context) error {
	return func(ctx context.Context) error { return name.Set(ctx, n) }
}

// serve serves req with the handler of m.
func serve(m *session.Manager, req *http.Request, h http.HandlerFunc) *http.Response {
	rec := httptest.NewRecorder()
	m.Handler(h).ServeHTTP(rec, req)
	return rec.Result()
}

func idle(http.ResponseWriter, *http.Request) {}

func do(f func(ctx context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := f(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
		}
	}
}

func wantName(t *testing.T, ctx context.Context, want string) {
	t.Helper()
	if got, err := name.Get(ctx); err != nil || got != want {
		t.Errorf("name: got %q, %v, want %q", got, err, want)
	}
}

func wantExists(t *testing.T, ctx context.Context, want bool) {
	t.Helper()
	if got, err := session.FromContext(ctx).Exists(); err != nil || got != want {
		t.Errorf("session exists: got %v, %v, want %v", got, err, want)
	}
}

var carriers = []struct {
	name string
	cfg  session.Config
}{
	{"cookie", session.Config{}},
	{"cookie of another name", session.Config{
		Cookie: session.Cookie{Name: "sid", Secure: session.InsecureForDevelopment},
	}},
	{"cookie that follows the request", session.Config{Cookie: session.Cookie{Secure: session.SecureAuto}}},
	{"persistent cookie", session.Config{Cookie: session.Cookie{Persistent: true}}},
	{"bearer", session.Config{Carrier: session.BearerHeader()}},
}

func eachCarrier(t *testing.T, test func(t *testing.T, m *session.Manager, clock *sessiontest.Clock)) {
	for _, tt := range carriers {
		t.Run(tt.name, func(t *testing.T) {
			m, clock := sessiontest.New(t, &tt.cfg)
			test(t, m, clock)
		})
	}
}

func TestNewRequestCarriesWhatFillWrote(t *testing.T) {
	eachCarrier(t, func(t *testing.T, m *session.Manager, _ *sessiontest.Clock) {
		req := sessiontest.NewRequest(t, m, "POST", "/cart?n=1", strings.NewReader("body"), func(ctx context.Context) error {
			_, err := visits.Add(ctx, 41)
			return errors.Join(err, name.Set(ctx, "Ann"), session.FromContext(ctx).SetOwner("ann"))
		})
		res := serve(m, req, func(w http.ResponseWriter, r *http.Request) {
			n, _ := visits.Add(r.Context(), 1)
			got, _ := name.Get(r.Context())
			owner, _ := session.FromContext(r.Context()).Owner()
			body, _ := io.ReadAll(r.Body)
			fmt.Fprint(w, r.Method, " ", r.URL, " ", string(body), " ", n, got, owner)
		})
		got, _ := io.ReadAll(res.Body)
		if want := "POST /cart?n=1 body 42Annann"; string(got) != want {
			t.Errorf("answer: got %q, want %q", got, want)
		}
	})
}

func TestNewRequestOfANewVisitor(t *testing.T) {
	for _, tt := range []struct {
		name string
		fill func(context.Context) error
	}{
		{"no fill", nil},
		{"fill that writes nothing", func(ctx context.Context) error { _, err := name.Get(ctx); return err }},
		{"fill that ends the session", func(ctx context.Context) error {
			return errors.Join(name.Set(ctx, "Ann"), session.FromContext(ctx).End())
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, _ := sessiontest.New(t, nil)
			req := sessiontest.NewRequest(t, m, "GET", "/", nil, tt.fill)
			if len(req.Header) != 0 {
				t.Errorf("header: got %v, want none", req.Header)
			}
			for info := range m.Sessions(t.Context(), session.Filter{All: true}) {
				t.Errorf("session in the store: got %v, want none", info.ID)
			}
		})
	}
}

func TestNewRequestsAreDifferentVisitors(t *testing.T) {
	m, _ := sessiontest.New(t, nil)
	ann := sessiontest.NewRequest(t, m, "GET", "/", nil, named("Ann"))
	bob := sessiontest.NewRequest(t, m, "GET", "/", nil, named("Bob"))
	wantName(t, sessiontest.After(t, m, bob, serve(m, bob, idle)), "Bob")
	wantName(t, sessiontest.After(t, m, ann, serve(m, ann, idle)), "Ann")
}

func TestFillFindsServices(t *testing.T) {
	reg := new(service.Registry)
	if err := service.Provide(reg, "Ann"); err != nil {
		t.Fatal(err)
	}
	m, _ := sessiontest.New(t, &session.Config{Services: reg})
	req := sessiontest.NewRequest(t, m, "GET", "/", nil, func(ctx context.Context) error {
		n, err := service.Query[string](ctx)
		return errors.Join(err, name.Set(ctx, n))
	})
	wantName(t, sessiontest.After(t, m, req, serve(m, req, idle)), "Ann")
}

func TestAfterShowsWhatTheHandlerDid(t *testing.T) {
	for _, tt := range []struct {
		name    string
		visitor func(context.Context) error
		handler func(context.Context) error
		want    string
		exists  bool
	}{
		{"nothing, for a new visitor", nil, func(context.Context) error { return nil }, "", false},
		{"nothing, for a known one", named("Ann"), func(context.Context) error { return nil }, "Ann", true},
		{"the first value", nil, named("Ann"), "Ann", true},
		{"another value", named("Ann"), named("Bob"), "Bob", true},
		{"a value less", named("Ann"), func(ctx context.Context) error { return name.Delete(ctx) }, "", true},
		{"a new token", named("Ann"), func(ctx context.Context) error {
			return session.FromContext(ctx).Renew()
		}, "Ann", true},
		{"a longer life", named("Ann"), func(ctx context.Context) error {
			s := session.FromContext(ctx)
			return errors.Join(s.Persist(true), s.SetLifetime(30*24*time.Hour))
		}, "Ann", true},
		{"the end", named("Ann"), func(ctx context.Context) error { return session.FromContext(ctx).End() }, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachCarrier(t, func(t *testing.T, m *session.Manager, _ *sessiontest.Clock) {
				req := sessiontest.NewRequest(t, m, "GET", "/", nil, tt.visitor)
				res := serve(m, req, do(tt.handler))
				if res.StatusCode != http.StatusOK {
					t.Fatalf("status: got %d, want 200", res.StatusCode)
				}
				ctx := sessiontest.After(t, m, req, res)
				wantName(t, ctx, tt.want)
				wantExists(t, ctx, tt.exists)
			})
		})
	}
}

func TestAfterShowsWhatTheClientHas(t *testing.T) {
	eachCarrier(t, func(t *testing.T, m *session.Manager, _ *sessiontest.Clock) {
		req := sessiontest.NewRequest(t, m, "GET", "/", nil, named("Ann"))
		res := serve(m, req, do(func(ctx context.Context) error { return session.FromContext(ctx).Renew() }))
		lost := &http.Response{Header: http.Header{}}
		wantExists(t, sessiontest.After(t, m, req, lost), false) // the old token is dead, and the new one was lost
		wantExists(t, sessiontest.After(t, m, req, res), true)
	})
}

func TestAfterForgetsTheTokenThatTheResponseRemoves(t *testing.T) {
	m, _ := sessiontest.New(t, &session.Config{Carrier: session.BearerHeader()})
	req := sessiontest.NewRequest(t, m, "GET", "/", nil, named("Ann"))
	removing := &http.Response{Header: http.Header{session.TokenHeader: {""}}}
	wantExists(t, sessiontest.After(t, m, req, removing), false)
}

func TestAfterStandsStill(t *testing.T) {
	m, _ := sessiontest.New(t, nil)
	req := sessiontest.NewRequest(t, m, "GET", "/", nil, named("Ann"))
	ann := sessiontest.After(t, m, req, serve(m, req, idle))
	res := serve(m, req, do(named("Bob")))
	wantName(t, ann, "Ann")
	wantName(t, sessiontest.After(t, m, req, res), "Bob")
}

func TestAfterLeavesNoTrace(t *testing.T) {
	m, clock := sessiontest.New(t, &session.Config{IdleTimeout: time.Hour})
	req := sessiontest.NewRequest(t, m, "GET", "/", nil, named("Ann"))
	res := serve(m, req, idle)
	clock.Advance(35 * time.Minute)
	t.Run("first", func(t *testing.T) { wantExists(t, sessiontest.After(t, m, req, res), true) })
	clock.Advance(35 * time.Minute)
	wantExists(t, sessiontest.After(t, m, req, res), false)
}

func TestAfterKeepsTheBodyAndTheHeader(t *testing.T) {
	m, _ := sessiontest.New(t, nil)
	req := httptest.NewRequest("POST", "/", strings.NewReader("body"))
	req.Header.Set("Authorization", "Basic YW5uOng=")
	req.AddCookie(&http.Cookie{Name: "theme", Value: "dark"})
	res := serve(m, req, do(named("Ann")))
	wantName(t, sessiontest.After(t, m, req, res), "Ann")
	if body, _ := io.ReadAll(req.Body); string(body) != "body" {
		t.Errorf("body of the request: got %q, want %q", body, "body")
	}
	if got, want := fmt.Sprint(req.Header), "map[Authorization:[Basic YW5uOng=] Cookie:[theme=dark]]"; got != want {
		t.Errorf("header of the request: got %v, want %v", got, want)
	}
}

func TestAfterReplaysOtherCookies(t *testing.T) {
	m, _ := sessiontest.New(t, &session.Config{Carrier: chosen{}})
	for _, tt := range []struct {
		name string
		set  []string
		want string
	}{
		{"kept", nil, "a"},
		{"of another name", []string{"other=b"}, "a"},
		{"replaced", []string{"which=b"}, "b"},
		{"replaced twice", []string{"which=a", "which=b"}, "b"},
		{"removed by age", []string{"which=b; Max-Age=0"}, ""},
		{"removed by date", []string{"which=b; Expires=Mon, 01 Jan 2001 00:00:00 GMT"}, ""},
		{"removed and set", []string{"which=a; Max-Age=0", "which=b"}, "b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := httptest.NewRequest("GET", "/", nil)
			req.AddCookie(&http.Cookie{Name: "which", Value: "a"})
			for _, of := range []string{"a", "b"} {
				s, err := m.Create(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(name.Set(session.NewContext(t.Context(), s), of), s.Commit(t.Context())); err != nil {
					t.Fatal(err)
				}
				token, _ := s.Token()
				req.Header.Set("Token-"+of, token)
			}
			res := &http.Response{Header: http.Header{"Set-Cookie": tt.set}}
			wantName(t, sessiontest.After(t, m, req, res), tt.want)
		})
	}
}

// chosen is a Carrier that takes its token from the header that the cookie "which" chooses.
type chosen struct{}

func (chosen) AppendTokens(dst []string, r *http.Request) []string {
	for _, c := range r.CookiesNamed("which") {
		dst = append(dst, r.Header.Values("Token-"+c.Value)...)
	}
	return dst
}

func (chosen) Send(http.Header, string, time.Duration) {}
func (chosen) Remove(http.Header)                      {}
func (chosen) Vary() string                            { return "Cookie" }

func TestClockEndsSessions(t *testing.T) {
	cfg := &session.Config{IdleTimeout: time.Hour, Lifetime: 2 * time.Hour}
	for _, tt := range []struct {
		name  string
		steps []time.Duration // between requests
		want  string
	}{
		{"used", []time.Duration{50 * time.Minute, 50 * time.Minute}, "Ann"},
		{"idle", []time.Duration{61 * time.Minute}, ""},
		{"old", []time.Duration{50 * time.Minute, 50 * time.Minute, 30 * time.Minute}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, clock := sessiontest.New(t, cfg)
			req := sessiontest.NewRequest(t, m, "GET", "/", nil, named("Ann"))
			var res *http.Response
			for _, d := range tt.steps {
				clock.Advance(d)
				res = serve(m, req, do(func(ctx context.Context) error { _, err := name.Get(ctx); return err }))
			}
			wantName(t, sessiontest.After(t, m, req, res), tt.want)
		})
	}
}

func TestSynctestEndsSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := sessiontest.New(t, nil)
		req := sessiontest.NewRequest(t, m, "GET", "/", nil, named("Ann"))
		time.Sleep(29 * time.Minute)
		wantName(t, sessiontest.After(t, m, req, serve(m, req, idle)), "Ann")
		time.Sleep(2 * time.Minute)
		wantName(t, sessiontest.After(t, m, req, serve(m, req, idle)), "")
	})
}

func TestZeroClockIsRight(t *testing.T) {
	var clock sessiontest.Clock
	before := time.Now()
	now := clock.Now()
	if now.Before(before) || now.After(time.Now()) {
		t.Errorf("Now: got %v, want time.Now()", now)
	}
	clock.Advance(time.Hour)
	if got := clock.Now().Sub(now); got < time.Hour || got > time.Hour+time.Minute {
		t.Errorf("Now after Advance(1h): got %v later, want 1h", got)
	}
}

func TestNewClosesWithTheTest(t *testing.T) {
	var m *session.Manager
	t.Run("test", func(t *testing.T) { m, _ = sessiontest.New(t, nil) })
	if _, err := m.Create(t.Context()); !errors.Is(err, mem.ErrClosed) {
		t.Errorf("Create after the test: got %v, want %v", err, mem.ErrClosed)
	}
}

func TestNewLeavesTheConfigAlone(t *testing.T) {
	var cfg session.Config
	sessiontest.New(t, &cfg)
	if cfg.Logger != nil {
		t.Errorf("Logger of the caller's Config: got %v, want nil", cfg.Logger)
	}
}

func TestFatal(t *testing.T) {
	broken := errors.New("disk on fire")
	down := func(t testing.TB) *session.Manager {
		s := sessiontest.Broken(mem.New(nil))
		s.Fail(broken, sessiontest.Load, sessiontest.Commit)
		m, err := session.New(s, &session.Config{Keys: [][]byte{make([]byte, 32)}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return m
	}
	for _, tt := range []struct {
		name string
		do   func(t testing.TB)
		want string
	}{
		{"New with a bad Config", func(t testing.TB) {
			sessiontest.New(t, &session.Config{MaxBytes: -1})
		}, "MaxBytes is -1"},
		{"NewRequest with an error of fill", func(t testing.TB) {
			m, _ := sessiontest.New(t, nil)
			sessiontest.NewRequest(t, m, "GET", "/", nil, func(context.Context) error { return broken })
		}, "disk on fire"},
		{"NewRequest with a store that is down", func(t testing.TB) {
			sessiontest.NewRequest(t, down(t), "GET", "/", nil, named("Ann"))
		}, "disk on fire"},
		{"NewRequest with an unknown Carrier", func(t testing.TB) {
			m, _ := sessiontest.New(t, &session.Config{Carrier: chosen{}})
			sessiontest.NewRequest(t, m, "GET", "/", nil, named("Ann"))
		}, "a Carrier other than"},
		{"After with a store that is down", func(t testing.TB) {
			m, _ := sessiontest.New(t, &session.Config{Keys: [][]byte{make([]byte, 32)}})
			req := sessiontest.NewRequest(t, m, "GET", "/", nil, named("Ann"))
			sessiontest.After(t, down(t), req, serve(m, req, idle))
		}, "disk on fire"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := fatal(t, tt.do); !strings.Contains(got, tt.want) {
				t.Errorf("Fatal: got %q, want it to say %q", got, tt.want)
			}
		})
	}
}

// fatal returns the message with which do ends its test.
func fatal(t *testing.T, do func(t testing.TB)) string {
	f := &fatalTB{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(f)
	}()
	<-done
	return f.said
}

type fatalTB struct {
	testing.TB
	said string
}

func (f *fatalTB) Fatal(args ...any) { f.said = fmt.Sprint(args...); runtime.Goexit() }
func (f *fatalTB) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
