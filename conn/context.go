package conn

import (
	"context"
	"fmt"
	"net"
	"time"
)

type contextKey struct{}

// FromContext returns the connection of a request, in any handler inside [Handler], and the connection being opened, in
// an OnOpen hook. It allocates nothing.
//
// It returns nil for a context that has none, or whose connection nothing pins: outside of Handler, or in a goroutine
// that outlives its request. The data could be released there at any moment; who needs it longer calls [Conn.Pin] while
// the request lasts. Slots of a nil Conn return [slot.ErrNoData].
func FromContext(ctx context.Context) *Conn {
	c := find(ctx)
	if c == nil || !c.data.Pinned() {
		return nil
	}
	return c
}

func find(ctx context.Context) *Conn {
	c, _ := ctx.Value(contextKey{}).(*Conn)
	return c
}

// From returns the Conn in a connection, itself or below others such as *tls.Conn, by their methods NetConn; nil if there
// is none. It is for whoever holds the connection: http.Server.ConnState, those who hijack, clients.
func From(nc net.Conn) *Conn {
	for nc != nil {
		if c, ok := nc.(*Conn); ok {
			return c
		}
		below, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		nc = below.NetConn()
	}
	return nil
}

// Context returns a function for http.Server.ConnContext, so that requests know their connection. It calls next, the
// program's own, with a context in which FromContext finds the connection; a nil next adds nothing. Connections of other
// listeners are left as they are.
func Context(next func(context.Context, net.Conn) context.Context) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, nc net.Conn) context.Context {
		c := From(nc)
		if c.Pin() { // for next
			defer c.Unpin()
			ctx = c.within(ctx)
		}
		if next != nil {
			ctx = next(ctx, nc)
		}
		return ctx
	}
}

// within returns a context in which find finds c: the Conn itself, to spare an allocation for each connection.
func (c *Conn) within(ctx context.Context) context.Context {
	switch {
	case find(ctx) == c:
		return ctx
	case c.parent != nil: // it serves as one already, so it would become its own parent
		return context.WithValue(ctx, contextKey{}, c)
	}
	c.parent = ctx
	return (*requestContext)(c)
}

// A requestContext is a Conn as the context of its requests.
type requestContext Conn

func (c *requestContext) Deadline() (time.Time, bool) { return c.parent.Deadline() }

func (c *requestContext) Done() <-chan struct{} { return c.parent.Done() }

func (c *requestContext) Err() error { return c.parent.Err() }

func (c *requestContext) Value(key any) any {
	if _, ok := key.(contextKey); ok {
		return (*Conn)(c)
	}
	return c.parent.Value(key)
}

func (c *requestContext) String() string { return fmt.Sprintf("%v.WithConn", c.parent) }

// An openContext is a Conn as the context of its OnOpen hooks: the background, but for the connection. It has no parent,
// because a hook may keep it, and the parent of requests is set later.
type openContext Conn

func (*openContext) Deadline() (none time.Time, ok bool) { return none, false }

func (*openContext) Done() <-chan struct{} { return nil }

func (*openContext) Err() error { return nil }

func (c *openContext) Value(key any) any {
	if _, ok := key.(contextKey); ok {
		return (*Conn)(c)
	}
	return nil
}

func (*openContext) String() string { return "conn.Opening" }
