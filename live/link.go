package live

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// A link is one WebSocket connection. Reading, control frames and the handshakes are those of coder/websocket; text
// frames are written as they are, so that a frame which goes to many is built once.
type link struct {
	ws   *websocket.Conn
	conn *sharedConn
}

// accept upgrades the request. Both buffers of the connection are small, since thousands of them lie idle.
func accept(w http.ResponseWriter, r *http.Request, maxMessage int) (*link, error) {
	hijacker := &smallBuffers{ResponseWriter: w}
	ws, err := websocket.Accept(hijacker, r, &websocket.AcceptOptions{
		Subprotocols:       []string{protocol},
		InsecureSkipVerify: true, // the hub checks the origin, and tells a browser by a close code
	})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(int64(maxMessage) + envelope)
	return &link{ws: ws, conn: hijacker.conn}, nil
}

// envelope is how many bytes a frame of the protocol may have around a message: the number, and a hello's positions in
// as many channels as a socket may be in.
const envelope = 16 << 10

// smallBuffers gives coder/websocket a connection with small buffers that several may write to.
type smallBuffers struct {
	http.ResponseWriter
	conn *sharedConn
}

func (s *smallBuffers) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	const size = 512
	conn, buffered, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, err := buffered.Reader.Peek(buffered.Reader.Buffered())
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	s.conn = newSharedConn(conn, early)
	return s.conn, bufio.NewReadWriter(bufio.NewReaderSize(s.conn, size), bufio.NewWriterSize(s.conn, size)), nil
}

// A sharedConn is a connection to which several goroutines write whole frames.
type sharedConn struct {
	net.Conn
	early []byte // what the HTTP server has read beyond the request

	framing framing // of the goroutine that reads

	writingSince atomic.Int64 // in nanoseconds since 1970; 0 while nothing is written

	mu sync.Mutex
	// mu locks the remaining fields, and is held while frames are written.
	raw     syscall.RawConn       // nil where it isn't a plain TCP connection
	attempt func(fd uintptr) bool // writes rest at once, and notes in wrote how much the kernel took
	rest    []byte
	wrote   int
	cut     []byte // what of a frame comes before anything else; shared
}

func newSharedConn(conn net.Conn, early []byte) *sharedConn {
	c := &sharedConn{Conn: conn, early: slices.Clone(early)}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return c
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		c.raw = raw
		c.attempt = func(fd uintptr) bool {
			c.wrote = writeAtOnce(fd, c.rest)
			return true // don't wait
		}
	}
	return c
}

// tryWrite writes what the kernel takes at once, and returns how much that is. It waits for nothing and allocates
// nothing. The rest of a frame is kept, which must not change: the next Write or flush begins with it.
func (c *sharedConn) tryWrite(frame []byte) int {
	if c.raw == nil || !c.mu.TryLock() {
		return 0
	}
	defer c.mu.Unlock()
	if len(c.cut) > 0 {
		return 0
	}
	c.rest, c.wrote = frame, 0
	if err := c.raw.Write(c.attempt); err != nil {
		return 0
	}
	c.rest = nil
	if c.wrote > 0 {
		c.cut = frame[c.wrote:]
	}
	return c.wrote
}

func (c *sharedConn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		if err := c.framing.follow(p[:n]); err != nil {
			return 0, err
		}
		return n, nil
	}
	n, err := c.Conn.Read(p)
	if broken := c.framing.follow(p[:n]); broken != nil {
		return 0, broken
	}
	return n, err
}

// Write writes frames. It is called with whole ones only: coder/websocket flushes a control frame at once, and writes
// no other.
func (c *sharedConn) Write(frames []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writingSince.Store(time.Now().UnixNano())
	defer c.writingSince.Store(0)
	if len(c.cut) > 0 {
		if _, err := c.Conn.Write(c.cut); err != nil {
			return 0, err
		}
		c.cut = nil
	}
	if len(frames) == 0 {
		return 0, nil
	}
	return c.Conn.Write(frames)
}

// flush writes the rest of a frame that tryWrite has begun.
func (c *sharedConn) flush() error {
	c.mu.Lock()
	whole := len(c.cut) == 0
	c.mu.Unlock()
	if whole {
		return nil
	}
	_, err := c.Write(nil)
	return err
}

// stalled reports whether a write has made no progress since a time.
func (c *sharedConn) stalled(since time.Time) bool {
	at := c.writingSince.Load()
	return at != 0 && at < since.UnixNano()
}

var (
	errBinary = errors.New("binary message")
	errUTF8   = errors.New("text is not UTF-8")
)

// read reads one text into buf, which grows as needed.
func (l *link) read(buf []byte) ([]byte, error) {
	kind, r, err := l.ws.Reader(context.Background())
	if err != nil {
		return buf, err
	}
	if kind != websocket.MessageText {
		return buf, errBinary
	}
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return buf, err
		}
	}
	if !utf8.Valid(buf) {
		return buf, errUTF8 // RFC 6455, section 8.1
	}
	return buf, nil
}

// close closes the connection in the background. The peer gets some seconds for its own close frame. done is called in
// the end.
func (l *link) close(d departure, done func()) {
	go func() {
		defer done()
		code := d.code
		if code == 0 {
			code = websocket.StatusProtocolError // only a peer with invalid frames still reads it (RFC 6455, section 5.1)
		}
		l.ws.Close(code, d.reason)
		l.ws.CloseNow()
	}()
}

// isLinkError reports whether reading failed for the connection, and not for what was read.
func isLinkError(err error) bool {
	return !errors.Is(err, errBinary) && !errors.Is(err, errUTF8) && !errors.Is(err, errFrame)
}
