package promises_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
)

// A contextLogger asks the context of each record for the session, as a handler does that adds its ID to every line.
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

// A Carrier may log with the context of its request, and the log handler may ask that context for the session. If the
// Carrier ran under the session's lock, this would hang.
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
