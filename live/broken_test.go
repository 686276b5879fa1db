package live_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store/mem"
)

var errBroken = errors.New("the log is broken")

// A brokenLog is a log whose calls fail, or wait, on demand.
type brokenLog struct {
	stream.Log

	mu sync.Mutex
	// mu locks the remaining fields.
	before map[string]func() error // by the method's name
}

func newBrokenLog(t *testing.T) *brokenLog {
	l := memlog.New(nil)
	t.Cleanup(func() { l.Close(context.Background(), false) })
	return &brokenLog{Log: l, before: make(map[string]func() error)}
}

// on has f called before each call of a method. Its error becomes that of the method.
func (l *brokenLog) on(method string, f func() error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.before[method] = f
}

// breaks has a method fail from now on.
func (l *brokenLog) breaks(method string) { l.on(method, func() error { return errBroken }) }

func (l *brokenLog) call(method string) error {
	l.mu.Lock()
	f := l.before[method]
	l.mu.Unlock()
	if f == nil {
		return nil
	}
	return f()
}

func (l *brokenLog) Read(ctx context.Context, n stream.Name, at stream.Position, max int) ([]stream.Message, error) {
	if err := l.call("Read"); err != nil {
		return nil, err
	}
	return l.Log.Read(ctx, n, at, max)
}

func (l *brokenLog) Commit(ctx context.Context, b *stream.Batch) ([]stream.Position, error) {
	if err := l.call("Commit"); err != nil {
		return nil, err
	}
	return l.Log.Commit(ctx, b)
}

func (l *brokenLog) Take(ctx context.Context, c *stream.Claim) (*stream.Socket, error) {
	s, err := l.Log.Take(ctx, c)
	if err := l.call("Take"); err != nil {
		return nil, err
	}
	return s, err
}

func (l *brokenLog) Channel(ctx context.Context, name string) (*stream.Channel, error) {
	if err := l.call("Channel"); err != nil {
		return nil, err
	}
	return l.Log.Channel(ctx, name)
}

// newBrokenSite returns a site on a log that can be broken.
func newBrokenSite(t *testing.T, e live.Endpoint, cfg *live.Config) (*site, *brokenLog) {
	l, s := newBrokenLog(t), mem.New(nil)
	t.Cleanup(func() { s.Close() })
	return newNode(t, s, l, e, cfg), l
}

// ends fails the test where f does not return.
func ends(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s does not return", what)
	}
}

func TestLogThatCantBeRead(t *testing.T) {
	site, l := newBrokenSite(t, echo, nil)
	c, w := site.open(site.login("ada"), hello)
	l.breaks("Read")
	id, _ := live.ParseID(w.ID)
	if err := site.hub.Send(t.Context(), id, []byte(`1`)); err != nil {
		t.Fatal(err)
	}
	c.wantClose(1013)
	ends(t, "Close", func() { site.hub.Close() })
}
