package session_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/lazysession/session"
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
	m, s := newManager(t, &session.Config{Logger: slog.New(contextLogger{slog.DiscardHandler})})
	v := &visitor{t: t, m: m}
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	s.onLoad = fail
	v.visit(func(ctx context.Context) { user.Get(ctx) }) // would hang
	v.cookie = &http.Cookie{Name: v.cookie.Name, Value: "forged"}
	v.visit(func(ctx context.Context) { user.Get(ctx) })
}

func TestStoreDoesNotSeeTheSession(t *testing.T) {
	m, _ := newManager(t, nil)
	asked := askingStore{Store: newSpy(), m: m}
	v := &visitor{t: t, m: newManagerOn(t, asked, nil)}
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) }) // would hang
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
	renewed := func(v *visitor) {
		v.clone().visit(func(ctx context.Context) { must(v.t, session.FromContext(ctx).Renew()) })
	}
	tests := []struct {
		name   string
		before func(v *visitor)
		do     func(ctx context.Context, s *spy)
		status int
	}{
		{"Set while the store is down", nil, func(ctx context.Context, s *spy) { s.onLoad = fail; user.Set(ctx, "bob") }, 503},
		{"End while the store is down", nil, func(ctx context.Context, s *spy) { s.onEnd = fail; session.FromContext(ctx).End() }, 503},
		{"Commit while the store is down", nil, func(ctx context.Context, s *spy) {
			s.onCommit = fail
			user.Set(ctx, "bob")
			session.FromContext(ctx).Commit(ctx)
		}, 503},
		{"End with a token that was renewed", renewed, func(ctx context.Context, _ *spy) { session.FromContext(ctx).End() }, 409},
		{"Get while the store is down", nil, func(ctx context.Context, s *spy) { s.onLoad = fail; user.Get(ctx) }, 503},
		{"Set with a cancelled context, and again", nil, func(ctx context.Context, s *spy) {
			gone, cancel := context.WithCancel(ctx)
			cancel()
			s.onLoad = func() error { return context.Canceled }
			user.Set(gone, "bob")
			s.onLoad = nil
			user.Set(ctx, "bob")
		}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, s := newManager(t, nil)
			v := &visitor{t: t, m: m}
			v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
			if tt.before != nil {
				tt.before(v)
			}
			res := v.visit(func(ctx context.Context) { tt.do(ctx, s) })
			check(t, "status", res.StatusCode, tt.status)
		})
	}
}

func TestReloadAfterUnknownOutcome(t *testing.T) {
	t.Run("of a session that ended", func(t *testing.T) {
		m, s := newManager(t, nil)
		v := &visitor{t: t, m: m}
		v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
		res := v.clone().visit(func(ctx context.Context) {
			must(t, user.Set(ctx, "bob"))
			s.onCommit = fail
			checkErr(t, "Commit", session.FromContext(ctx).Commit(ctx), session.ErrUnavailable)
			s.onCommit = nil
			v.visit(func(ctx context.Context) { must(t, session.FromContext(ctx).End()) })
			checkErr(t, "Reload", session.FromContext(ctx).Reload(ctx), session.ErrEnded)
			checkErr(t, "Set", user.Set(ctx, "bob"), session.ErrEnded)
		})
		check(t, "status", res.StatusCode, http.StatusConflict)
		check(t, "cookies", len(res.Cookies()), 0)
	})
	t.Run("of a session that was made", func(t *testing.T) {
		s := newSpy()
		lost := &replyLoser{Store: s}
		v := &visitor{t: t, m: newManagerOn(t, lost, nil)}
		v.visit(func(ctx context.Context) {
			must(t, user.Set(ctx, "ann"))
			lost.lose = true
			checkErr(t, "Commit", session.FromContext(ctx).Commit(ctx), session.ErrUnavailable)
			lost.lose = false
			must(t, session.FromContext(ctx).Reload(ctx))
		})
		v.visit(func(ctx context.Context) { wantValue(t, ctx, user, "ann") })
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
		return nil, errStore
	}
	return rec, err
}

// A token that is stored reaches the client even if what came after it is lost: else it would be locked out.
func TestStoredTokenIsToldWithTheError(t *testing.T) {
	m, s := newManager(t, nil)
	v := &visitor{t: t, m: m}
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	res := v.visit(func(ctx context.Context) {
		must(t, session.FromContext(ctx).Renew())
		must(t, session.FromContext(ctx).Commit(ctx))
		must(t, user.Set(ctx, "bob"))
		s.onCommit = fail
	})
	s.onCommit = nil
	check(t, "status", res.StatusCode, http.StatusServiceUnavailable)
	v.visit(func(ctx context.Context) { wantValue(t, ctx, user, "ann") })
}

func TestHeaderMayChangeBeforeTheFirstUse(t *testing.T) {
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	h := v.m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var wg sync.WaitGroup
		wg.Go(func() { wantValue(t, r.Context(), user, "ann") })
		r.Header.Del("Cookie")
		r.Header.Set("X-Forwarded-For", "somebody")
		wg.Wait()
	}))
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(v.cookie)
	h.ServeHTTP(httptest.NewRecorder(), r)
}

func TestStorePanicsInCommit(t *testing.T) {
	m, s := newManager(t, nil)
	s.onCommit = func() error { panic("store") }
	for _, tt := range []struct{ status, want int }{{http.StatusOK, 503}, {http.StatusInternalServerError, 500}} {
		h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			must(t, user.Set(r.Context(), "ann"))
			check(t, "panic", caught(func() { w.Write([]byte("saved")) }), any("store"))
			w.WriteHeader(tt.status)
		}))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		check(t, "status", w.Code, tt.want)
		check(t, "commits", s.take().commits, 1)
	}
}

func TestAmbiguousVisitorLogsOut(t *testing.T) {
	m, _ := newManager(t, nil)
	a, b := &visitor{t: t, m: m}, &visitor{t: t, m: m}
	for _, v := range []*visitor{a, b} {
		v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(a.cookie)
	r.AddCookie(b.cookie)
	w := httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		must(t, session.FromContext(r.Context()).End())
	})).ServeHTTP(w, r)
	check(t, "removed", len(w.Result().Cookies()) == 1 && w.Result().Cookies()[0].MaxAge < 0, true)
	for _, v := range []*visitor{a, b} {
		v.visit(func(ctx context.Context) { wantValue(t, ctx, user, "") })
	}
}

func TestDeleteOfWhatIsNotSeen(t *testing.T) {
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) { hits.Add(ctx, 1) })
	v.visit(func(ctx context.Context) {
		wantValue(t, ctx, user, "")
		v.clone().visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
		must(t, user.Delete(ctx))
	})
	v.visit(func(ctx context.Context) { wantValue(t, ctx, user, "") })
}

func TestChangesInOnErrorAreKept(t *testing.T) {
	m, s := newManager(t, &session.Config{OnError: func(w http.ResponseWriter, r *http.Request, _ error) {
		must(t, user.Set(r.Context(), "told"))
		w.WriteHeader(http.StatusInternalServerError)
	}})
	v := &visitor{t: t, m: m}
	v.visit(func(ctx context.Context) { hits.Add(ctx, 1) })
	v.visit(func(ctx context.Context) {
		hits.Add(ctx, 1)
		s.onCommit = func() error {
			s.onCommit = nil
			return &store.EditError{Name: "hits", Err: store.ErrNotInteger}
		}
	})
	v.visit(func(ctx context.Context) {
		wantValue(t, ctx, user, "told")
		n, _ := hits.Get(ctx)
		check(t, "hits", n, 1)
	})
}

func TestWrongUse(t *testing.T) {
	ctx := session.NewContext(context.Background(), nil)
	_, err := user.Get(ctx)
	checkErr(t, "Get in NewContext(ctx, nil)", err, session.ErrNoMiddleware)

	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) {
		var key session.Key[string]
		if key.Set(ctx, "x") == nil {
			t.Error("a zero Key was taken")
		}
		var counter session.Counter
		if _, err := counter.Add(ctx, 1); err == nil {
			t.Error("a zero Counter was taken")
		}
	})
	twice := v.m.Handler(v.m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if user.Set(r.Context(), "x") == nil {
			t.Error("one Manager around a route twice: no error")
		}
	})))
	twice.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}
