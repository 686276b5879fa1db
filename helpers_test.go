package session_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// A spy is a store that counts its calls and can be made to fail. Its clock can be moved. The hooks run before the
// call; an error of theirs takes its place. They are set before the store is used.
type spy struct {
	store.Store
	mem *mem.Store // what Store is, unless a test replaced that

	loads, commits, ends atomic.Int64

	onLoad, onCommit, onEnd func() error

	clock sessiontest.Clock

	mu sync.Mutex
	// mu locks the remaining field.
	changes []store.Change
}

var (
	_ store.Store      = (*spy)(nil)
	_ store.Lister     = (*spy)(nil)
	_ store.OwnerEnder = (*spy)(nil)
	_ store.Clock      = (*spy)(nil)
)

var (
	color  = session.NewKey[string]("color")
	visits = session.NewCounter("visits")
)

var errStore = errors.New("the disk is on fire")

func newSpy() *spy {
	s := &spy{}
	s.mem = mem.New(&mem.Options{Now: s.Now})
	s.Store = s.mem
	return s
}

func (s *spy) Load(ctx context.Context, token store.Token) (*store.Record, error) {
	s.loads.Add(1)
	if err := call(s.onLoad); err != nil {
		return nil, err
	}
	return s.Store.Load(ctx, token)
}

func (s *spy) Commit(ctx context.Context, token store.Token, change *store.Change) (*store.Record, error) {
	s.commits.Add(1)
	s.note(change)
	if err := call(s.onCommit); err != nil {
		return nil, err
	}
	return s.Store.Commit(ctx, token, change)
}

func (s *spy) End(ctx context.Context, id store.ID, why store.Reason) error {
	s.ends.Add(1)
	if err := call(s.onEnd); err != nil {
		return err
	}
	return s.Store.End(ctx, id, why)
}

func (s *spy) List(ctx context.Context, f store.Filter) iter.Seq2[*store.Record, error] {
	return s.mem.List(ctx, f)
}

func (s *spy) EndOwner(ctx context.Context, owner string, except []store.ID, why store.Reason) (int, error) {
	return s.mem.EndOwner(ctx, owner, except, why)
}

func (s *spy) Now() time.Time { return s.clock.Now() }

// advance moves the store's clock.
func (s *spy) advance(d time.Duration) { s.clock.Advance(d) }

func (s *spy) note(change *store.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes = append(s.changes, *change)
}

// lastChange returns the last change that was to be committed.
func (s *spy) lastChange() store.Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.changes) == 0 {
		return store.Change{}
	}
	return s.changes[len(s.changes)-1]
}

// calls are how often each method of a store was called.
type calls struct{ loads, commits, ends int64 }

// take returns the calls since it was last called.
func (s *spy) take() calls {
	return calls{loads: s.loads.Swap(0), commits: s.commits.Swap(0), ends: s.ends.Swap(0)}
}

func call(hook func() error) error {
	if hook == nil {
		return nil
	}
	return hook()
}

func fail() error { return errStore }

// newManager returns a Manager on a spy. What cfg leaves out and a test needs is filled in: a key, and a logger that
// says nothing.
func newManager(t testing.TB, cfg *session.Config) (*session.Manager, *spy) {
	t.Helper()
	s := newSpy()
	return newManagerOn(t, s, cfg), s
}

func newManagerOn(t testing.TB, s store.Store, cfg *session.Config) *session.Manager {
	t.Helper()
	var c session.Config
	if cfg != nil {
		c = *cfg
	}
	if c.Keys == nil {
		c.Keys = [][]byte{[]byte("0123456789abcdef0123456789abcdef")}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	m, err := session.New(s, &c)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// A client is a browser whose handler may change, so that one visitor can meet several.
type client struct {
	*sessiontest.Client
	handler http.Handler
}

func newClient(h http.Handler) *client {
	c := &client{handler: h}
	c.Client = sessiontest.NewClient(c.current())
	return c
}

// current is the handler of the moment.
func (c *client) current() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) })
}

// tab returns a client that shares the cookies, and meets no handler yet.
func (c *client) tab() *client {
	tab := new(client)
	tab.Client = c.On(tab.current())
	return tab
}

// get asks for a path of https://example.com.
func (c *client) get(path string) *httptest.ResponseRecorder { return c.Get(path) }

// do serves r with the client's cookies.
func (c *client) do(r *http.Request) *httptest.ResponseRecorder { return c.Do(r) }

// request returns a GET with the client's cookies.
func (c *client) request(path string) *http.Request { return c.Request("GET", path, nil) }

// use replaces the handler.
func (c *client) use(f http.HandlerFunc, m *session.Manager) *client {
	c.handler = m.Handler(f)
	return c
}

// A logbook is a logger's output, for tests that read it.
type logbook struct {
	mu sync.Mutex
	// mu locks the remaining field.
	text strings.Builder
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// count returns how many lines contain text.
func (l *logbook) count(text string) int {
	n := 0
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// logger writes every level into the logbook.
func (l *logbook) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func check[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// checkErr checks that an error is what is wanted, where nil means none.
func checkErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

// must fails the test at an error that has nothing to do with what is tested. It may be called by any goroutine.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// newVisitorWith returns a client that has a session with a color.
func newVisitorWith(t *testing.T, m *session.Manager, text string) *client {
	t.Helper()
	c := newClient(nil).use(func(w http.ResponseWriter, r *http.Request) { must(t, color.Set(r.Context(), text)) }, m)
	if w := c.get("/"); w.Code != http.StatusOK || len(w.Result().Cookies()) != 1 {
		t.Fatalf("making a session: got status %d and cookies %v, want 200 and one", w.Code, w.Result().Cookies())
	}
	return c
}

// colorOf returns the color that the next request of a client sees.
func colorOf(t *testing.T, c *client, m *session.Manager) string {
	t.Helper()
	var text string
	c.tab().use(func(w http.ResponseWriter, r *http.Request) {
		var err error
		text, err = color.Get(r.Context())
		must(t, err)
	}, m).do(httptest.NewRequest("GET", "https://example.com/", nil))
	return text
}

// headerLines are the lines of one header, as a handler sets them or a client gets them.
type headerLines []string

func checkLines(t *testing.T, name string, got []string, want headerLines) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", name, got, want)
	}
}
