package conn

import (
	"context"
	"fmt"
	"net"
	"time"
)

type contextKey struct{}

// FromContext returns the connection of a request, in any handler, and the connection that is opened or released, in a
// hook. It returns nil if the context has none. Slots of a nil Conn return [slot.ErrNoData]. FromContext allocates
// nothing.
//
// While the request is served, its connection's data is not released. Code that needs the data longer calls [Conn.Pin]
// during the request.
func FromContext(ctx context.Context) *Conn {
	c, _ := ctx.Value(contextKey{}).(*Conn)
	return c
}

// From returns the Conn of a net.Conn. It looks at the connection itself, and below connections that have a method
// NetConn, such as *tls.Conn. It returns nil if there is no Conn. It is for code that has a net.Conn: functions for
// http.Server.ConnState, handlers that hijack, clients.
func From(nc net.Conn) *Conn {
	for nc != nil {
		if v, ok := nc.(ours); ok {
			return v.self()
		}
		below, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		nc = below.NetConn()
	}
	return nil
}

// ConnContext returns a function for http.Server.ConnContext, so that requests find their connection. The function
// calls next, the program's own function, with a context in which FromContext finds the connection. A nil next adds
// nothing. Connections of other listeners are left as they are.
//
// It is one of the three parts that [Configure] puts together. Without [Handler], data could be released during a
// request, and no error would show that.
func ConnContext(next func(context.Context, net.Conn) context.Context) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, nc net.Conn) context.Context {
		if c := From(nc); c != nil {
			ctx = c.within(ctx)
		}
		if next != nil {
			ctx = next(ctx, nc)
		}
		return ctx
	}
}

// within returns a context in which FromContext finds c: the Conn itself, to spare an allocation for each connection.
func (c *Conn) within(ctx context.Context) context.Context {
	switch {
	case FromContext(ctx) == c:
		return ctx
	case c.parent != nil: // it is a context already, and must not become its own parent
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

// An ownContext is a Conn as the context of its hooks, where the caller gave none: the background with the connection.
// It has no parent, because a hook may keep it, and the parent of requests is set later.
type ownContext Conn

func (*ownContext) Deadline() (none time.Time, ok bool) { return none, false }

func (*ownContext) Done() <-chan struct{} { return nil }

func (*ownContext) Err() error { return nil }

func (c *ownContext) Value(key any) any {
	if _, ok := key.(contextKey); ok {
		return (*Conn)(c)
	}
	return nil
}

func (*ownContext) String() string { return "conn.WithConn" }
