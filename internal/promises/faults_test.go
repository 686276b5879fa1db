package promises_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
)

// A contextLogger asks the context of each record for the session, as handlers that add its ID to every line do.
type contextLogger struct{ slog.Handler }

func (contextLogger) Enabled(context.Context, slog.Level) bool { return true }

func (l contextLogger) Handle(ctx context.Context, r slog.Record) error {
	r.AddAttrs(slog.String("session", session.FromContext(ctx).ID().String()))
	return l.Handler.Handle(ctx, r)
}

func TestLoggerMayAskForTheSession(t *testing.T) {
	m, s := fixture.NewManager(t, &session.Config{Logger: slog.New(contextLogger{slog.DiscardHandler})})
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
	v.Visit(func(ctx context.Context) { fixture.User.Get(ctx) }) // would hang
	v.Receive(&http.Cookie{Name: v.Cookie().Name, Value: "forged"})
	v.Visit(func(ctx context.Context) { fixture.User.Get(ctx) })
}

func TestStoreDoesNotSeeTheSession(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	asked := askingStore{Store: fixture.NewStore(), m: m}
	v := fixture.NewVisitor(t, fixture.NewManagerOn(t, asked, nil))
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) }) // would hang
}

// An askingStore looks for the session in the contexts that it gets.
type askingStore struct {
	store.Store
	m *session.Manager
}

func (s askingStore) Commit(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
	session.FromContext(ctx).ID()
	s.m.Session(ctx).ID()
	return s.Store.Commit(ctx, token, c)
}

func TestOverlookedFailures(t *testing.T) {
	renewed := func(v *fixture.Visitor) {
		v.Clone().Visit(func(ctx context.Context) { expect.OK(v.T, session.FromContext(ctx).Renew()) })
	}
	tests := []struct {
		name   string
		before func(v *fixture.Visitor)
		do     func(ctx context.Context, s *fixture.Store)
		status int
	}{
		{"Set while the store is down", nil, func(ctx context.Context, s *fixture.Store) {
			s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
			fixture.User.Set(ctx, "bob")
		}, 503},
		{"End while the store is down", nil, func(ctx context.Context, s *fixture.Store) {
			s.Broken.Fail(fixture.ErrStore, sessiontest.End)
			session.FromContext(ctx).End()
		}, 503},
		{"Commit while the store is down", nil, func(ctx context.Context, s *fixture.Store) {
			s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
			fixture.User.Set(ctx, "bob")
			session.FromContext(ctx).Commit(ctx)
		}, 503},
		{"End with a token that was renewed", renewed, func(ctx context.Context, _ *fixture.Store) { session.FromContext(ctx).End() }, 409},
		{"Get while the store is down", nil, func(ctx context.Context, s *fixture.Store) {
			s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
			fixture.User.Get(ctx)
		}, 503},
		{"Set with a cancelled context, and again", nil, func(ctx context.Context, s *fixture.Store) {
			gone, cancel := context.WithCancel(ctx)
			cancel()
			s.Broken.Fail(context.Canceled, sessiontest.Load)
			fixture.User.Set(gone, "bob")
			s.Broken.Mend()
			fixture.User.Set(ctx, "bob")
		}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, s := fixture.NewManager(t, nil)
			v := fixture.NewVisitor(t, m)
			v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
			if tt.before != nil {
				tt.before(v)
			}
			res := v.Visit(func(ctx context.Context) { tt.do(ctx, s) })
			expect.Equal(t, "status", res.StatusCode, tt.status)
		})
	}
}

func TestReloadAfterUnknownOutcome(t *testing.T) {
	t.Run("of a session that ended", func(t *testing.T) {
		m, s := fixture.NewManager(t, nil)
		v := fixture.NewVisitor(t, m)
		v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
		res := v.Clone().Visit(func(ctx context.Context) {
			expect.OK(t, fixture.User.Set(ctx, "bob"))
			s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
			expect.Is(t, "Commit", session.FromContext(ctx).Commit(ctx), session.ErrUnavailable)
			s.Broken.Mend()
			v.Visit(func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).End()) })
			expect.Is(t, "Reload", session.FromContext(ctx).Reload(ctx), session.ErrEnded)
			expect.Is(t, "Set", fixture.User.Set(ctx, "bob"), session.ErrEnded)
		})
		expect.Equal(t, "status", res.StatusCode, http.StatusConflict)
		expect.Equal(t, "cookies", len(res.Cookies()), 0)
	})
	t.Run("of a session that was made", func(t *testing.T) {
		s := fixture.NewStore()
		lost := &replyLoser{Store: s}
		v := fixture.NewVisitor(t, fixture.NewManagerOn(t, lost, nil))
		v.Visit(func(ctx context.Context) {
			expect.OK(t, fixture.User.Set(ctx, "ann"))
			lost.lose = true
			expect.Is(t, "Commit", session.FromContext(ctx).Commit(ctx), session.ErrUnavailable)
			lost.lose = false
			expect.OK(t, session.FromContext(ctx).Reload(ctx))
		})
		v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
	})
}

// A replyLoser applies commits and says that it failed.
type replyLoser struct {
	store.Store
	lose bool
}

func (s *replyLoser) Commit(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
	rec, err := s.Store.Commit(ctx, token, c)
	if s.lose {
		return nil, fixture.ErrStore
	}
	return rec, err
}

// A token that is stored reaches the client even if what came after it is lost: else it would be locked out.
func TestStoredTokenIsToldWithTheError(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	res := v.Visit(func(ctx context.Context) {
		expect.OK(t, session.FromContext(ctx).Renew())
		expect.OK(t, session.FromContext(ctx).Commit(ctx))
		expect.OK(t, fixture.User.Set(ctx, "bob"))
		s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	})
	s.Broken.Mend()
	expect.Equal(t, "status", res.StatusCode, http.StatusServiceUnavailable)
	v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
}

func TestHeaderMayChangeBeforeTheFirstUse(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	h := v.Site.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var wg sync.WaitGroup
		wg.Go(func() { fixture.Holds(t, r.Context(), fixture.User, "ann") })
		r.Header.Del("Cookie")
		r.Header.Set("X-Forwarded-For", "somebody")
		wg.Wait()
	}))
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(v.Cookie())
	h.ServeHTTP(httptest.NewRecorder(), r)
}

func TestStorePanicsInCommit(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	s.OnCommit = func() error { panic("store") }
	for _, tt := range []struct{ status, want int }{{http.StatusOK, 503}, {http.StatusInternalServerError, 500}} {
		h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			expect.OK(t, fixture.User.Set(r.Context(), "ann"))
			expect.Equal(t, "panic", expect.Panic(func() { w.Write([]byte("saved")) }), any("store"))
			w.WriteHeader(tt.status)
		}))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		expect.Equal(t, "status", w.Code, tt.want)
		expect.Equal(t, "commits", s.Take().Commits, 1)
	}
}

func TestAmbiguousVisitorLogsOut(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	a, b := fixture.NewVisitor(t, m), fixture.NewVisitor(t, m)
	for _, v := range []*fixture.Visitor{a, b} {
		v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(a.Cookie())
	r.AddCookie(b.Cookie())
	w := httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		expect.OK(t, session.FromContext(r.Context()).End())
	})).ServeHTTP(w, r)
	expect.Equal(t, "removed", len(w.Result().Cookies()) == 1 && w.Result().Cookies()[0].MaxAge < 0, true)
	for _, v := range []*fixture.Visitor{a, b} {
		v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "") })
	}
}

func TestDeleteOfWhatIsNotSeen(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { fixture.Hits.Add(ctx, 1) })
	v.Visit(func(ctx context.Context) {
		fixture.Holds(t, ctx, fixture.User, "")
		v.Clone().Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
		expect.OK(t, fixture.User.Delete(ctx))
	})
	v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "") })
}

func TestChangesInOnErrorAreKept(t *testing.T) {
	m, s := fixture.NewManager(t, &session.Config{OnError: func(w http.ResponseWriter, r *http.Request, _ error) {
		expect.OK(t, fixture.User.Set(r.Context(), "told"))
		w.WriteHeader(http.StatusInternalServerError)
	}})
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { fixture.Hits.Add(ctx, 1) })
	v.Visit(func(ctx context.Context) {
		fixture.Hits.Add(ctx, 1)
		s.Broken.FailNext(1, &store.EditError{Name: "hits", Err: store.ErrNotInteger}, sessiontest.Commit)
	})
	v.Visit(func(ctx context.Context) {
		fixture.Holds(t, ctx, fixture.User, "told")
		n, _ := fixture.Hits.Get(ctx)
		expect.Equal(t, "hits", n, 1)
	})
}

func TestWrongUse(t *testing.T) {
	ctx := session.NewContext(context.Background(), nil)
	_, err := fixture.User.Get(ctx)
	expect.Is(t, "Get in NewContext(ctx, nil)", err, session.ErrNoMiddleware)

	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) {
		var key session.Key[string]
		if key.Set(ctx, "x") == nil {
			t.Error("a zero Key was taken")
		}
		var counter session.Counter
		if _, err := counter.Add(ctx, 1); err == nil {
			t.Error("a zero Counter was taken")
		}
	})
	twice := v.Site.Handler(v.Site.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if fixture.User.Set(r.Context(), "x") == nil {
			t.Error("one Manager around a route twice: no error")
		}
	})))
	twice.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}
