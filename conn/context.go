package conn

import (
	"context"
	"fmt"
	"net"
	"time"
)

type contextKey struct{}

// FromContext returns the connection of a request, in any handler, and the connection that is opened or released, in a
// hook; nil if the context has none. Slots of a nil Conn return [slot.ErrNoData]. It allocates nothing.
//
// While the request is served its connection's data is not released. Who needs it longer calls [Conn.Pin] meanwhile.
func FromContext(ctx context.Context) *Conn {
	c, _ := ctx.Value(contextKey{}).(*Conn)
	return c
}

// From returns the Conn in a connection, itself or below others such as *tls.Conn, by their methods NetConn; nil if
// there is none. It is for whoever holds the connection: http.Server.ConnState, those who hijack, clients.
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

// ConnContext returns a function for http.Server.ConnContext, so that requests know their connection. It calls next,
// the program's own, with a context in which FromContext finds the connection; a nil next adds nothing. Connections of
// other listeners are left as they are.
//
// It is one of three parts, which [Configure] puts together. Without [Handler], data could be released under a running
// request, and nobody would notice until it happens.
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

// An ownContext is a Conn as the context of its hooks, where the caller gave none for them: the background, but for the
// connection. It has no parent, because a hook may keep it, and the parent of requests is set later.
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
