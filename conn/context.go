package conn

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
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

// From returns the Conn in a connection, itself or below others such as *tls.Conn, by their methods NetConn; nil if there
// is none. It is for whoever holds the connection: http.Server.ConnState, those who hijack, clients.
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

// ConnContext returns a function for http.Server.ConnContext, so that requests know their connection. It calls next, the
// program's own, with a context in which FromContext finds the connection; a nil next adds nothing. Connections of other
// listeners are left as they are.
//
// When the server's first connection comes, it also puts [Handler] around the server's handler, unless that is there:
// without it, data could be released under a running request, and nobody would notice until it happens. That writes
// http.Server.Handler. A program that reads or replaces the field while the server runs puts Handler around its handlers
// itself; then nothing is written.
func ConnContext(next func(context.Context, net.Conn) context.Context) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, nc net.Conn) context.Context {
		countRequests(ctx)
		if c := From(nc); c != nil {
			ctx = c.within(ctx)
		}
		if next != nil {
			ctx = next(ctx, nc)
		}
		return ctx
	}
}

var counting sync.Mutex

// countRequests puts Handler around the handler of the server that calls its ConnContext. Every connection of a server
// comes here before it serves requests, those of other listeners too, and only the first finds anything to do: so net/http
// never reads the field meanwhile.
func countRequests(ctx context.Context) {
	srv, ok := ctx.Value(http.ServerContextKey).(*http.Server)
	if !ok {
		return
	}
	counting.Lock()
	defer counting.Unlock()
	switch h := srv.Handler.(type) {
	case pinned:
	case nil:
		srv.Handler = Handler(http.DefaultServeMux) // which is what nil stands for
	default:
		srv.Handler = Handler(h)
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
