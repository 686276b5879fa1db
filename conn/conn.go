package conn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/lazysession/session/slot"
)

// A Conn is a connection with slots. The listeners of [NewListener], the dial functions of [DialContext], and [New]
// make it.
//
// Close also releases the slots, as soon as no request uses them. Goroutines may share a Conn like any net.Conn.
//
// A Conn has the methods of every connection. Listeners and dials return its [Conn.View], which also has optional
// methods of the connection below. [Conn.NetConn] returns the connection below.
type Conn struct {
	inner  net.Conn
	data   slot.Data
	table  *slot.Table
	parent context.Context // the parent of its requests' context; set once, before there are requests

	opening   atomic.Bool
	observers []Observer // not changed after opening
}

var (
	_ net.Conn    = (*Conn)(nil)
	_ slot.Holder = (*Conn)(nil)
)

// New opens a connection with the slots of a table, for servers and clients that accept or dial in a way of their own.
// The OnOpen hooks run before New returns. Their context is ctx, or the background if that is nil, with the Conn for
// [FromContext]. A nil table has no slots. If a layer refused the connection, the Conn is closed when New returns.
//
// New returns an error for a nil connection, for one that has slots already, and for one that is TLS already: around
// TLS, net/http would find neither HTTP/2 nor Request.TLS. TLS belongs around a Conn, not below it. After an error the
// caller has to close nc.
func New(ctx context.Context, nc net.Conn, t *slot.Table) (*Conn, error) {
	c, err := wrap(nc, t)
	if err != nil {
		return nil, err
	}
	if ctx == nil {
		ctx = context.Background()
	}
	return c, c.open(context.WithValue(ctx, contextKey{}, c))
}

func wrap(nc net.Conn, t *slot.Table) (*Conn, error) {
	if nc == nil {
		return nil, errors.New("conn: nil connection")
	}
	if c := From(nc); c != nil {
		return nil, fmt.Errorf("conn: %T has slots already: layers share one table and one NewListener or DialContext", c)
	}
	if _, ok := nc.(interface{ ConnectionState() tls.ConnectionState }); ok {
		return nil, fmt.Errorf("conn: %T has TLS inside: use tls.NewListener(conn.NewListener(…)), Server.ServeTLS, "+
			"or a Transport's DialContext, so that TLS is around the slots", nc)
	}
	return &Conn{inner: nc, table: t}, nil
}

// open runs the OnOpen hooks. Observers may be added only while they run. The context is not kept for the release,
// since the context of a dial may be that of a request.
func (c *Conn) open(ctx context.Context) error {
	c.opening.Store(true)
	defer c.opening.Store(false)
	c.data.KeepContext((*ownContext)(c))
	return c.data.Open(ctx, c.table)
}

// SlotData makes the connection a holder of slots. A nil Conn has none.
func (c *Conn) SlotData() *slot.Data {
	if c == nil {
		return nil
	}
	return &c.data
}

// Pin keeps the connection's data from being released until [Conn.Unpin], for work that outlives a request. The
// connection itself may be closed meanwhile. If the data is released already or the Conn is nil, Pin reports false and
// pins nothing.
func (c *Conn) Pin() bool { return c != nil && c.data.Pin() }

// Unpin takes back one successful [Conn.Pin].
func (c *Conn) Unpin() {
	if c != nil {
		c.data.Unpin()
	}
}

// Close closes the connection, and releases its data once nothing has it pinned. If no request is being served, that is
// now: the OnRelease hooks run in Close, and so may run under locks of net/http. They run once, however often Close is
// called.
func (c *Conn) Close() error {
	defer c.data.Release()
	return c.inner.Close()
}

// NetConn returns the connection below: the *net.TCPConn, where the listener or dialer uses TCP. It has what a
// [Conn.View] lacks, such as keep-alive settings and writev by net.Buffers. An [Observer] is not told of bytes that are
// read or written through it. Closing it releases no data: close the Conn instead.
func (c *Conn) NetConn() net.Conn { return c.inner }

// Read reads from the connection.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.inner.Read(p)
	c.tellRead(int64(n), err)
	return n, err
}

// Write writes to the connection.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.inner.Write(p)
	c.tellWrite(int64(n), err)
	return n, err
}

// LocalAddr returns the local address.
func (c *Conn) LocalAddr() net.Addr { return c.inner.LocalAddr() }

// RemoteAddr returns the address of the peer.
func (c *Conn) RemoteAddr() net.Addr { return c.inner.RemoteAddr() }

// SetDeadline sets when reads and writes give up.
func (c *Conn) SetDeadline(t time.Time) error { return c.inner.SetDeadline(t) }

// SetReadDeadline sets when reads give up.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.inner.SetReadDeadline(t) }

// SetWriteDeadline sets when writes give up.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.inner.SetWriteDeadline(t) }
