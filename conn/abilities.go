package conn

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

// These methods hand on what a connection can do beyond net.Conn. What the one below can't do is done the plain way, or
// returns an error that is errors.ErrUnsupported.

// NetConn returns the connection below: the *net.TCPConn, where the listener or dialer was TCP's. What it has and a Conn
// hasn't, keep-alive settings or writev by net.Buffers, is reached this way; bytes that pass by the Conn are told to no
// [Observer]. To close it releases nothing: close the Conn.
func (c *Conn) NetConn() net.Conn { return c.inner }

// ReadFrom writes to the connection what it reads from r: by sendfile or splice, where the connection below has them for
// such an r.
func (c *Conn) ReadFrom(r io.Reader) (n int64, err error) {
	if rf, ok := c.inner.(io.ReaderFrom); ok {
		n, err = rf.ReadFrom(r)
		c.tellWrite(n, err)
		return n, err
	}
	return io.Copy(struct{ io.Writer }{c}, r)
}

// WriteTo writes to w what it reads from the connection: by splice, where the connection below has it for such a w.
func (c *Conn) WriteTo(w io.Writer) (n int64, err error) {
	if wt, ok := c.inner.(io.WriterTo); ok {
		n, err = wt.WriteTo(w)
		c.tellRead(n, err)
		return n, err
	}
	return io.Copy(w, struct{ io.Reader }{c})
}

// CloseWrite shuts down the writing side: the peer reads to the end, and can still write.
func (c *Conn) CloseWrite() error {
	if cw, ok := c.inner.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return c.unsupported("CloseWrite")
}

// CloseRead shuts down the reading side.
func (c *Conn) CloseRead() error {
	if cr, ok := c.inner.(interface{ CloseRead() error }); ok {
		return cr.CloseRead()
	}
	return c.unsupported("CloseRead")
}

// SyscallConn returns the raw network connection.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.inner.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, c.unsupported("SyscallConn")
}

func (c *Conn) unsupported(what string) error {
	return fmt.Errorf("conn: %s of %T: %w", what, c.inner, errors.ErrUnsupported)
}
