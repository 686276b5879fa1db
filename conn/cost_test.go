package conn_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/slot"
)

// A still is a connection on which nothing happens, and a listener that accepts it.
type still struct{ net.Conn }

func (still) Close() error                { return nil }
func (s still) Accept() (net.Conn, error) { return s, nil }
func (still) Addr() net.Addr              { return nil }

// What is measured must escape, as it does in a server.
var sink struct {
	ctx context.Context
	nc  net.Conn
}

// A connection whose slots are not used costs one allocation: the Conn, which is also the context of its requests.
func TestUntouchedConnectionCostsOneAllocation(t *testing.T) {
	var table slot.Table
	kept := new(life)
	for _, name := range []string{"a", "b", "c"} {
		_, err := slot.New(&table, name, slot.Hooks[life]{OnOpen: func(context.Context, *life) *life { return kept }})
		expect.NoError(t, err)
	}
	var below net.Listener = still{}
	bare := testing.AllocsPerRun(1000, func() { sink.nc, _ = below.Accept(); sink.nc.Close() })
	l := conn.NewListener(below, &table)
	own := conn.ConnContext(nil)
	ctx := t.Context()
	got := testing.AllocsPerRun(1000, func() {
		sink.nc, _ = l.Accept()
		sink.ctx = own(ctx, sink.nc)
		sink.nc.Close()
	})
	expect.Equal(t, "allocations, beside the listener's own", got-bare, 1)
}

// request returns a request as the server makes it: its context is several steps from the connection's.
func request(t testing.TB, ctx context.Context) (*http.Request, func()) {
	t.Helper()
	ctx = context.WithValue(ctx, http.LocalAddrContextKey, net.Addr(nil))
	ctx, cancelConnection := context.WithCancel(ctx)
	ctx, cancelRequest := context.WithCancel(ctx)
	return httptest.NewRequestWithContext(ctx, "GET", "/", nil), func() { cancelRequest(); cancelConnection() }
}

func TestLookupAllocatesNothing(t *testing.T) {
	w := newWitness(t)
	c, ctx := accepted(t, &w.table)
	r, cancel := request(t, ctx)
	defer cancel()
	var served *life
	h := conn.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		served, _ = w.lives.Get(conn.FromContext(r.Context()))
	}))
	n := testing.AllocsPerRun(1000, func() { h.ServeHTTP(nil, r) })
	expect.Equal(t, "allocations of Handler and lookup", n, 0)
	kept, err := w.lives.Get(c)
	expect.NoError(t, err)
	expect.Equal(t, "found", served, kept)
}

// The lookup of a slot beside two ways without slots: a value in the context, and a map keyed by sockets.
func BenchmarkLookup(b *testing.B) {
	w := newWitness(b)
	c, ctx := accepted(b, &w.table)
	expect.NoError(b, w.lives.Set(c, new(life)))
	c.Pin()
	defer c.Unpin()

	type key struct{}
	plain, cancelPlain := request(b, context.WithValue(context.Background(), key{}, new(life)))
	defer cancelPlain()
	slots, cancelSlots := request(b, ctx)
	defer cancelSlots()
	var sockets sync.Map
	sockets.Store(net.Conn(c), new(life))
	socket, cancelSocket := request(b, context.WithValue(context.Background(), key{}, net.Conn(c)))
	defer cancelSocket()

	for name, look := range map[string]func() *life{
		"Slot":         func() *life { l, _ := w.lives.Get(conn.FromContext(slots.Context())); return l },
		"ContextValue": func() *life { l, _ := plain.Context().Value(key{}).(*life); return l },
		"SyncMap": func() *life {
			l, _ := sockets.Load(socket.Context().Value(key{}).(net.Conn))
			return l.(*life)
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if look() == nil {
					b.Fatal("nothing found")
				}
			}
		})
	}
}

func BenchmarkHandler(b *testing.B) {
	w := newWitness(b)
	_, ctx := accepted(b, &w.table)
	r, cancel := request(b, ctx)
	defer cancel()
	h := conn.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(nil, r)
	}
}
