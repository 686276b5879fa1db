package conn

import (
	"context"
	"fmt"
	"net"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/lazysession/session/slot"
)

// DialContext returns a dial function whose connections have the slots of a table, for http.Transport.DialContext, the
// DialFunc of pgx, or any other client. It dials by the given one; nil: a zero net.Dialer.
//
// OnOpen hooks get the context of the dial, and so what the caller put into it, by [slot.Slot.WithValue] or otherwise.
// In a pool, such as a Transport's, that is the context of the request that caused the dial, while the connection
// serves others after it. Data is released when the client closes the connection.
//
// A layer refuses a connection by closing it in OnOpen: the dial then fails with an error that is net.ErrClosed.
func DialContext(
	dial func(ctx context.Context, network, address string) (net.Conn, error), t *slot.Table,
) func(ctx context.Context, network, address string) (net.Conn, error) {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c, err := New(ctx, nc, t)
		if err != nil {
			closeUnlessNil(nc)
			return nil, err
		}
		if c.data.Closed() {
			return nil, fmt.Errorf("conn: dial %s: closed by a layer: %w", address, net.ErrClosed)
		}
		return c.View(), nil
	}
}

// Trace returns a context for a client's request, and a function that returns the connection which the response came
// over: of several, after redirects, the last. It returns nil before there is one, and where it isn't a Conn.
//
// The connection may be closed at any time, and then its data is released; who reads it pins it first.
func Trace(ctx context.Context) (context.Context, func() *Conn) {
	var got atomic.Pointer[Conn]
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { got.Store(From(info.Conn)) },
	}), got.Load
}
