package conn

import (
	"context"
	"net"

	"github.com/lazysession/session/slot"
)

// Listen returns a listener whose connections have the slots of a table. A nil table has none.
//
// OnOpen hooks run in Accept. With TLS, wrap first: http.Server.ServeTLS(conn.Listen(l, t), …) and
// tls.NewListener(conn.Listen(l, t), …) are right, and a Listen around a TLS listener fails at the first Accept. The
// listener below stays the caller's: its deadlines can be set there.
func Listen(l net.Listener, t *slot.Table) net.Listener { return &listener{l, t, nil} }

// ListenContext is [Listen] with a context for the OnOpen hooks of each connection, in which who accepts can hand data to
// a layer (see [slot.Slot.Hand]). The function is given the connection as it was accepted; it must neither read nor wait.
func ListenContext(l net.Listener, t *slot.Table, open func(net.Conn) context.Context) net.Listener {
	return &listener{l, t, open}
}

type listener struct {
	net.Listener
	table *slot.Table
	open  func(net.Conn) context.Context // nil: the background
}

func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c, err := l.wrap(nc)
	if err != nil {
		closeUnlessNil(nc)
		return nil, err
	}
	return c, nil
}

func (l *listener) wrap(nc net.Conn) (*Conn, error) {
	if l.open != nil {
		return New(l.open(nc), nc, l.table)
	}
	c, err := wrap(nc, l.table)
	if err != nil {
		return nil, err
	}
	return c, c.open((*openContext)(c))
}

func closeUnlessNil(nc net.Conn) {
	if nc != nil {
		nc.Close()
	}
}
