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

// hijack commits, and then gives the connection to the handler. The handler writes a response of its own, with its own
// header. The lines that tell the client of its token are added to that header.
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

// linesSince returns the lines that a header has now and had not before, in the form in which they are sent.
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

// A tellingConn is a hijacked connection that adds lines to the header of the first response written to it. It adds
// none that are there already: some handlers send the header of the ResponseWriter themselves.
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

// tell writes the beginning of the response, with the lines after the status line. It refuses bytes that don't begin
// with a status line: without the added lines the client would lose its session.
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
