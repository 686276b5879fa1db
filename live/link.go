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
	in, out := s.conn.bufferSizes()
	return s.conn, bufio.NewReadWriter(bufio.NewReaderSize(s.conn, in), bufio.NewWriterSize(s.conn, out)), nil
}

// A sharedConn is a connection to which several goroutines write whole frames.
type sharedConn struct {
	net.Conn
	raw syscall.RawConn // nil where it isn't a plain TCP connection

	writingSince atomic.Int64 // in nanoseconds since 1970; 0 while nothing is written

	reading sync.Mutex
	// reading locks these fields, and is held while somebody reads.
	framing framing
	input   []byte                // what was read from the connection, and not by coder/websocket yet
	inbuf   *[inputSize]byte      // where input is, if it is in a shared buffer
	fetch   func(fd uintptr) bool // reads input, or reports that there is nothing yet

	mu sync.Mutex
	// mu locks the remaining fields, and is held while frames are written.
	attempt func(fd uintptr) bool // writes rest at once, and notes in wrote how much the kernel took
	rest    []byte
	wrote   int
	owed    []byte // the rest of a frame that has begun: it goes before anything else
}

func newSharedConn(conn net.Conn, early []byte) *sharedConn {
	c := &sharedConn{Conn: conn, input: slices.Clone(early)}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return c
	}
	if raw, err := tcp.SyscallConn(); canReadAtOnce && err == nil {
		c.raw = raw
		c.fetch = c.fetchLocked
		c.attempt = func(fd uintptr) bool {
			c.wrote = writeAtOnce(fd, c.rest)
			return true // don't wait
		}
	}
	return c
}

// headSize is the least buffer that a bufio.Reader has.
const headSize = 16

// bufferSizes returns the sizes of the buffers that coder/websocket needs. Where await reads ahead, it needs none to
// read from; what it writes are control frames (RFC 6455, section 5.5).
func (c *sharedConn) bufferSizes() (in, out int) {
	const control = 2 + 125
	if c.raw == nil {
		return 512, control
	}
	return headSize, control
}

// inputSize is how much await reads at a time.
const inputSize = 4 << 10

var inputs = sync.Pool{New: func() any { return new([inputSize]byte) }}

// await waits until there is something to read, in a goroutine whose stack is shallow then, and without a buffer. So an
// idle connection needs little memory.
func (c *sharedConn) await() error {
	if c.raw == nil {
		return nil
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	if len(c.input) > 0 {
		return nil
	}
	return c.raw.Read(c.fetch)
}

// fetchLocked reads what there is, and reports false where there is nothing yet. Of an end or an error of the
// connection the next Read tells.
func (c *sharedConn) fetchLocked(fd uintptr) bool {
	buf := inputs.Get().(*[inputSize]byte)
	n, ready := readAtOnce(fd, buf[:])
	if n > 0 {
		c.inbuf, c.input = buf, buf[:n]
	} else {
		inputs.Put(buf)
	}
	return ready
}

// tryWrite writes a frame if the kernel takes some of it at once. It waits for nothing, and allocates nothing where the
// kernel takes all. Otherwise the connection is in debt, and the caller sees to it that flush is called.
func (c *sharedConn) tryWrite(frame []byte) (begun, debt bool) {
	if c.raw == nil || !c.mu.TryLock() {
		return false, false
	}
	defer c.mu.Unlock()
	if len(c.owed) > 0 {
		return false, false
	}
	c.rest, c.wrote = frame, 0
	err := c.raw.Write(c.attempt)
	c.rest = nil
	if err != nil || c.wrote == 0 {
		return false, false
	}
	c.owed = append(c.owed, frame[c.wrote:]...)
	return true, len(c.owed) > 0
}

// flush writes what the connection owes.
func (c *sharedConn) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flushLocked()
}

func (c *sharedConn) flushLocked() error {
	if len(c.owed) == 0 {
		return nil
	}
	_, err := c.writeLocked(c.owed)
	c.owed = nil
	return err
}

// Read reads what await has read, and then from the connection. What is shorter than headSize goes byte by byte: so
// nothing that await should know of is left in the buffer of coder/websocket.
func (c *sharedConn) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if c.raw != nil && len(p) <= headSize {
		p = p[:min(len(p), 1)]
	}
	n, err := c.readLocked(p)
	if broken := c.framing.follow(p[:n]); broken != nil {
		return 0, broken
	}
	return n, err
}

func (c *sharedConn) readLocked(p []byte) (int, error) {
	if len(c.input) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.input)
	c.input = c.input[n:]
	if len(c.input) == 0 && c.inbuf != nil {
		inputs.Put(c.inbuf)
		c.inbuf, c.input = nil, nil
	}
	return n, nil
}

// Write writes frames. It is called with whole ones only: coder/websocket flushes a control frame at once, and writes
// no other.
func (c *sharedConn) Write(frames []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.flushLocked(); err != nil {
		return 0, err
	}
	return c.writeLocked(frames)
}

func (c *sharedConn) writeLocked(p []byte) (int, error) {
	c.writingSince.Store(time.Now().UnixNano())
	defer c.writingSince.Store(0)
	return c.Conn.Write(p)
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
