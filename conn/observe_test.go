package conn_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/slot"
)

// A tally counts the bytes of all connections that it observes.
type tally struct{ read, written atomic.Int64 }

func (c *tally) OnRead(n int64, _ error)  { c.read.Add(n) }
func (c *tally) OnWrite(n int64, _ error) { c.written.Add(n) }

func (c *tally) observe(ctx context.Context, _ *tally) *tally {
	if err := conn.FromContext(ctx).Observe(c); err != nil {
		panic(err)
	}
	return c
}

// A scribe is an observer that writes down its calls.
type scribe struct {
	name  string
	lines *[]string
}

func (s scribe) OnRead(n int64, err error) {
	*s.lines = append(*s.lines, fmt.Sprint(s.name, " read ", n, " ", err))
}
func (s scribe) OnWrite(n int64, err error) {
	*s.lines = append(*s.lines, fmt.Sprint(s.name, " wrote ", n, " ", err))
}

func TestObserversAreAStack(t *testing.T) {
	var table slot.Table
	var lines []string
	for _, name := range []string{"a", "b"} {
		_, err := slot.New(&table, name, slot.Hooks[scribe]{OnOpen: func(ctx context.Context, _ *scribe) *scribe {
			expect.NoError(t, conn.FromContext(ctx).Observe(scribe{name, &lines}))
			return nil
		}})
		expect.NoError(t, err)
	}
	c, peer := tcpPair(t, &table)
	_, err := io.WriteString(c, "hello")
	expect.NoError(t, err)
	expect.NoError(t, peer.CloseWrite())
	_, _ = c.Read(make([]byte, 1))
	if want := []string{"b wrote 5 <nil>", "a wrote 5 <nil>", "a read 0 EOF", "b read 0 EOF"}; !slices.Equal(lines, want) {
		t.Errorf("told: got %q, want %q", lines, want)
	}
	lines = nil
	expect.NoError(t, c.Close())
	_, _ = c.Read(make([]byte, 1))
	_, _ = c.Write(make([]byte, 1))
	expect.Equal(t, "told after the release", len(lines), 0)
}

func TestObserveOutsideOfOnOpen(t *testing.T) {
	c, _ := tcpPair(t, nil)
	expect.Text(t, c.Observe(new(tally)), "OnOpen")
	var table slot.Table
	_, err := slot.New(&table, "nil", slot.Hooks[tally]{OnOpen: func(ctx context.Context, _ *tally) *tally {
		expect.Text(t, conn.FromContext(ctx).Observe(nil), "nil observer")
		return nil
	}})
	expect.NoError(t, err)
	tcpPair(t, &table)
}

type broken struct{}

func (broken) OnRead(int64, error)  { panic("out of cheese") }
func (broken) OnWrite(int64, error) { panic("out of wine") }

func TestPanickingObserver(t *testing.T) {
	var text strings.Builder
	table := slot.Table{Logger: slog.New(slog.NewTextHandler(&text, nil))}
	total := new(tally)
	_, err := slot.New(&table, "broken", slot.Hooks[broken]{OnOpen: func(ctx context.Context, _ *broken) *broken {
		expect.NoError(t, conn.FromContext(ctx).Observe(broken{}))
		return nil
	}})
	expect.NoError(t, err)
	_, err = slot.New(&table, "tally", slot.Hooks[tally]{OnOpen: total.observe})
	expect.NoError(t, err)
	c, peer := tcpPair(t, &table)
	_, err = c.Write([]byte("hello"))
	expect.NoError(t, err)
	_, err = peer.Write([]byte("hi"))
	expect.NoError(t, err)
	_, err = c.Read(make([]byte, 2))
	expect.NoError(t, err)
	expect.Equal(t, "told written", total.written.Load(), 5)
	expect.Equal(t, "told read", total.read.Load(), 2)
	for _, part := range []string{"out of cheese", "out of wine", "conn_test.broken"} {
		expect.Equal(t, "logged "+part, strings.Contains(text.String(), part), true)
	}
}

// An observer that panics harms no copy, either. Without a Logger of the table, the default logger gets the panic.
func TestPanickingObserverOfACopy(t *testing.T) {
	old := slog.Default()
	defer slog.SetDefault(old)
	var text buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&text, nil)))
	var table slot.Table
	_, err := slot.New(&table, "broken", slot.Hooks[broken]{OnOpen: func(ctx context.Context, _ *broken) *broken {
		expect.NoError(t, conn.FromContext(ctx).Observe(broken{}))
		return nil
	}})
	expect.NoError(t, err)
	from, source := tcpPair(t, &table)
	to, sink := tcpPair(t, &table)
	send(source, size)
	received := drain(sink)
	n, err := io.Copy(to, from)
	expect.NoError(t, err)
	expect.Equal(t, "copied", n, size)
	expect.NoError(t, to.Close())
	expect.Equal(t, "received", await(t, "the peer", received), size)
	for _, part := range []string{"out of cheese", "out of wine", "an observer panicked"} {
		expect.Equal(t, "logged "+part, strings.Contains(text.String(), part), true)
	}
}

// While OnRelease hooks run, and afterwards, no observer is called.
func TestObserversAreNotToldAfterTheRelease(t *testing.T) {
	for range 200 {
		var table slot.Table
		var over atomic.Bool
		late := func(int64, error) {
			if over.Load() {
				t.Error("told after the release")
			}
		}
		_, err := slot.New(&table, "late", slot.Hooks[funcObserver]{
			OnOpen: func(ctx context.Context, _ *funcObserver) *funcObserver {
				expect.NoError(t, conn.FromContext(ctx).Observe(funcObserver(late)))
				return nil
			},
			OnRelease: func(context.Context, *funcObserver) { over.Store(true) },
		})
		expect.NoError(t, err)
		nc, _ := accepted(t, &table)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = nc.Read(make([]byte, 1)) })
		wg.Go(func() { _, _ = nc.Write(make([]byte, 1)) })
		nc.Close()
		wg.Wait()
	}
}

type funcObserver func(int64, error)

func (f funcObserver) OnRead(n int64, err error)  { f(n, err) }
func (f funcObserver) OnWrite(n int64, err error) { f(n, err) }
