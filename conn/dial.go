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
// DialFunc of pgx, or any other client. It dials with the given function, or with a zero net.Dialer if that is nil.
//
// OnOpen hooks get the context of the dial, with the values that the caller put into it by [slot.Slot.WithValue] or
// otherwise. In a pool, such as a Transport's, that is the context of the request that caused the dial, while the
// connection serves other requests after it. Data is released when the client closes the connection.
//
// A layer refuses a connection by closing it in OnOpen: the dial then fails with an error that wraps net.ErrClosed.
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

// Trace returns a context for a client's request, and a function that returns the connection that the response came
// over. After redirects that is the last of several. The function returns nil before there is a connection, and where
// it isn't a Conn.
//
// The connection may be closed at any time, and its data is then released. Pin it before reading its data.
func Trace(ctx context.Context) (context.Context, func() *Conn) {
	var got atomic.Pointer[Conn]
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { got.Store(From(info.Conn)) },
	}), got.Load
}
