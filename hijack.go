package session

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
)

// hijack commits, and then lets the connection go. What the client must be told of its token goes with the response
// that the hijacker writes: it makes its own header, and knows nothing of ours.
func (x *exchange) hijack() (net.Conn, *bufio.ReadWriter, error) {
	begun, before := x.begun, x.w.Header().Clone()
	if err := x.begin(http.StatusSwitchingProtocols); err != nil {
		return nil, nil, err
	}
	c, rw, err := x.controller().Hijack()
	if err != nil || begun || !x.session.tells() {
		return c, rw, err
	}
	telling := &tellingConn{Conn: c, lines: linesSince(before, x.w.Header())}
	return telling, bufio.NewReadWriter(rw.Reader, bufio.NewWriterSize(telling, rw.Writer.Size())), nil
}

// linesSince returns the lines of a header, as they are sent, that it had not before.
func linesSince(before, now http.Header) [][]byte {
	var lines [][]byte
	for name, values := range now {
		for _, value := range values {
			if slices.Contains(before[name], value) {
				continue
			}
			var line bytes.Buffer
			http.Header{name: {value}}.Write(&line) // a Buffer takes all
			lines = append(lines, line.Bytes())
		}
	}
	return lines
}

// A tellingConn is a hijacked connection that adds lines to the header of the response which is written to it first,
// unless they are there: some hijackers send the header of the ResponseWriter themselves.
type tellingConn struct {
	net.Conn

	mu    sync.Mutex // held while the lines are written
	told  atomic.Bool
	lines [][]byte
}

// NetConn returns the connection below.
func (c *tellingConn) NetConn() net.Conn { return c.Conn }

func (c *tellingConn) Write(b []byte) (int, error) {
	if c.told.Load() {
		return c.Conn.Write(b)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told.Load() || len(b) == 0 {
		return c.Conn.Write(b)
	}
	return c.tell(b)
}

// tell writes the beginning of the response, with the lines after its first. What begins otherwise is refused: without
// the lines the client would lose its session.
func (c *tellingConn) tell(b []byte) (int, error) {
	at := bytes.Index(b, []byte("\r\n")) + 2
	if at < 2 || !bytes.HasPrefix(b, []byte("HTTP/1.")) {
		return 0, fmt.Errorf("%w: what is written to this hijacked connection is no response that could tell the client of"+
			" its session's token: make, renew or end the session in a request before the upgrade", ErrTooLate)
	}
	var added []byte
	for _, line := range c.lines {
		if !bytes.Contains(b, line) {
			added = append(added, line...)
		}
	}
	n, err := c.Conn.Write(slices.Concat(b[:at], added, b[at:]))
	c.told.Store(true)
	return min(n, max(at, n-len(added))), err
}
