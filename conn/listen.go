package conn

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"reflect"

	"github.com/lazysession/session/slot"
)

// NewListener returns a listener whose connections have the slots of a table. A nil table has none.
//
// OnOpen hooks run in Accept. TLS belongs around the listener with slots, as in http.Server.ServeTLS or
// tls.NewListener around conn.NewListener(l, t). A NewListener around a TLS listener, or around another NewListener,
// fails at the first Accept. Another listener may accept some connections with TLS inside, which can't have slots: only
// these are closed, and logged to the table's Logger. The caller keeps the listener below, and can set deadlines there.
func NewListener(l net.Listener, t *slot.Table) net.Listener { return &listener{l, t, nil} }

// ListenContext is [NewListener] with a context for the OnOpen hooks of each connection. With it the caller can hand
// data to a layer (see [slot.Slot.WithValue]). The function gets the connection as it was accepted, and must neither
// read nor wait. If it panics, the connection is closed and the panic goes on.
func ListenContext(l net.Listener, t *slot.Table, open func(net.Conn) context.Context) net.Listener {
	return &listener{l, t, open}
}

type listener struct {
	net.Listener
	table *slot.Table
	own   func(net.Conn) context.Context // nil: the background
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c, err := l.open(nc)
		switch {
		case err == nil:
			return c.View(), nil
		case nc == nil || refusesAll(l.Listener):
			return nil, err
		}
		// One client must not end the server.
		loggerOf(l.table).Error("conn: a connection was refused", slog.Any("error", err))
	}
}

// open opens an accepted connection. It closes the connection after an error, and when the program's own function
// panics.
func (l *listener) open(nc net.Conn) (c *Conn, err error) {
	defer func() {
		if c == nil {
			closeUnlessNil(nc)
		}
	}()
	return l.wrap(nc)
}

// refusesAll reports whether no connection of l can get slots, because l is a listener of package tls, or because it
// gives them slots itself. Some connections of any other listener may get slots.
func refusesAll(l net.Listener) bool {
	_, ours := l.(*listener)
	return ours || reflect.TypeOf(l) == tlsListener
}

var tlsListener = reflect.TypeOf(tls.NewListener(nil, nil))

func (l *listener) wrap(nc net.Conn) (*Conn, error) {
	if l.own != nil {
		return New(l.own(nc), nc, l.table)
	}
	c, err := wrap(nc, l.table)
	if err != nil {
		return nil, err
	}
	return c, c.open((*ownContext)(c))
}

func closeUnlessNil(nc net.Conn) {
	if nc != nil {
		nc.Close()
	}
}
