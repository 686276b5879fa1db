package conn_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/slot"
)

// tcpPair returns both ends of a connection over loopback, the first with slots.
func tcpPair(t testing.TB, table *slot.Table) (*conn.Conn, *net.TCPConn) {
	t.Helper()
	below, err := net.Listen("tcp", "127.0.0.1:0")
	expect.NoError(t, err)
	l := conn.Listen(below, table)
	defer l.Close()
	out, err := net.Dial("tcp", l.Addr().String())
	expect.NoError(t, err)
	in, err := l.Accept()
	expect.NoError(t, err)
	t.Cleanup(func() { in.Close(); out.Close() })
	return in.(*conn.Conn), out.(*net.TCPConn)
}

// A spy is a TCP connection that tells what reaches its ReadFrom: what net decides by whether to use sendfile.
type spy struct {
	*net.TCPConn
	from chan io.Reader
}

func (s spy) ReadFrom(r io.Reader) (int64, error) {
	s.from <- r
	return s.TCPConn.ReadFrom(r)
}

type spyListener struct {
	net.Listener
	from chan io.Reader
}

func (l spyListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return spy{nc.(*net.TCPConn), l.from}, nil
}

// The TCP connection gets the very file from http.FileServer, through an observer too, and no copy of its bytes.
func TestFileServerUsesSendfile(t *testing.T) {
	w := newWitness(t)
	total := new(tally)
	_, err := slot.New(&w.table, "tally", slot.Hooks[tally]{OnOpen: total.observe})
	expect.NoError(t, err)
	dir := t.TempDir()
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	expect.NoError(t, os.WriteFile(filepath.Join(dir, "file"), content, 0o600))

	below, err := net.Listen("tcp", "127.0.0.1:0")
	expect.NoError(t, err)
	from := make(chan io.Reader, 1)
	srv := &http.Server{Handler: http.FileServer(http.Dir(dir)), ConnContext: conn.ConnContext(nil)}
	go srv.Serve(conn.Listen(spyListener{below, from}, &w.table))
	defer srv.Close()
	resp, err := http.Get("http://" + below.Addr().String() + "/file")
	expect.NoError(t, err)
	got, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	expect.NoError(t, err)
	expect.Equal(t, "content", bytes.Equal(got, content), true)

	r := await(t, "ReadFrom of the TCP connection", from)
	if limited, ok := r.(*io.LimitedReader); ok {
		r = limited.R
	}
	if _, ok := r.(*os.File); !ok {
		t.Errorf("ReadFrom of the TCP connection: got %T, want *os.File", r)
	}
	w.wantReleased(1)
	if n := total.written.Load(); n < int64(len(content)) {
		t.Errorf("the observer was told of %d bytes written, want at least %d", n, len(content))
	}
}

func TestDeadlines(t *testing.T) {
	c, _ := tcpPair(t, nil)
	past := time.Now().Add(-time.Second)
	for name, f := range map[string]struct {
		set func(time.Time) error
		use func([]byte) (int, error)
	}{
		"SetDeadline, Read":       {c.SetDeadline, c.Read},
		"SetDeadline, Write":      {c.SetDeadline, c.Write},
		"SetReadDeadline, Read":   {c.SetReadDeadline, c.Read},
		"SetWriteDeadline, Write": {c.SetWriteDeadline, c.Write},
	} {
		expect.NoError(t, f.set(past))
		if _, err := f.use([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: got %v, want os.ErrDeadlineExceeded", name, err)
		}
		expect.NoError(t, f.set(time.Time{}))
	}
}

func TestSyscallConn(t *testing.T) {
	c, _ := tcpPair(t, nil)
	raw, err := c.SyscallConn()
	expect.NoError(t, err)
	called := false
	expect.NoError(t, raw.Control(func(uintptr) { called = true }))
	expect.Equal(t, "called", called, true)
}

func TestCloseWriteAndCloseRead(t *testing.T) {
	c, peer := tcpPair(t, nil)
	expect.NoError(t, c.CloseWrite())
	rest, err := io.ReadAll(peer)
	expect.NoError(t, err)
	expect.Equal(t, "bytes before the end", len(rest), 0)
	_, err = io.WriteString(peer, "still open")
	expect.NoError(t, err)
	buf := make([]byte, 10)
	_, err = io.ReadFull(c, buf)
	expect.NoError(t, err)
	expect.Equal(t, "read after CloseWrite", string(buf), "still open")
	expect.NoError(t, c.CloseRead())
	_, err = c.Read(buf)
	expect.Equal(t, "read after CloseRead", err, io.EOF)
}

func TestTCPConnBelow(t *testing.T) {
	c, peer := tcpPair(t, nil)
	tcp, ok := c.NetConn().(*net.TCPConn)
	expect.Equal(t, "NetConn is a *net.TCPConn", ok, true)
	expect.NoError(t, tcp.SetNoDelay(true))
	expect.Equal(t, "RemoteAddr", c.RemoteAddr().String(), peer.LocalAddr().String())
	expect.Equal(t, "LocalAddr", c.LocalAddr().String(), peer.RemoteAddr().String())
	expect.Equal(t, "From below TLS", conn.From(tls.Server(c, &tls.Config{})), c)
}

// Protocols of the program's own, negotiated by TLS, get the connection as ever.
func TestTLSNextProto(t *testing.T) {
	w := newWitness(t)
	s := startSite(t, w, ways[1], http.NotFoundHandler(), func(srv *http.Server) {
		srv.TLSConfig.NextProtos = []string{"shout"}
		srv.Protocols = nil
		srv.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
			"shout": func(_ *http.Server, tc *tls.Conn, _ http.Handler) {
				_, err := w.lives.Get(conn.From(tc))
				expect.NoError(t, err)
				text, err := io.ReadAll(tc)
				expect.NoError(t, err)
				_, err = tc.Write(bytes.ToUpper(text))
				expect.NoError(t, err)
			},
		}
	})
	_, pool := certificate()
	tc, err := tls.Dial("tcp", s.url[len("https://"):], &tls.Config{RootCAs: pool, NextProtos: []string{"shout"}})
	expect.NoError(t, err)
	defer tc.Close()
	_, err = io.WriteString(tc, "hello")
	expect.NoError(t, err)
	expect.NoError(t, tc.CloseWrite())
	text, err := io.ReadAll(tc)
	expect.NoError(t, err)
	expect.Equal(t, "answer", string(text), "HELLO")
	s.wantReleased(1)
}

// What the connection below can't do is done the plain way, or is an error that says so.
func TestConnectionsOfFewAbilities(t *testing.T) {
	w := newWitness(t)
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c, err := conn.New(t.Context(), ours, &w.table)
	expect.NoError(t, err)
	for name, use := range map[string]func() error{
		"CloseWrite":  c.CloseWrite,
		"CloseRead":   c.CloseRead,
		"SyscallConn": func() error { _, err := c.SyscallConn(); return err },
	} {
		expect.Error(t, use(), errors.ErrUnsupported, name, "*net.pipe")
	}
	go func() { _, _ = io.Copy(theirs, theirs) }() // echoes
	n, err := c.ReadFrom(bytes.NewReader([]byte("hello")))
	expect.NoError(t, err)
	expect.Equal(t, "written by ReadFrom", n, 5)
	var text bytes.Buffer
	expect.NoError(t, c.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	n, err = c.WriteTo(&text)
	expect.Error(t, err, os.ErrDeadlineExceeded)
	expect.Equal(t, "read by WriteTo", n, 5)
	expect.Equal(t, "text", text.String(), "hello")
	expect.NoError(t, c.Close())
	w.wantReleased(1)
}

// Between two connections with slots, bytes are spliced, and both tell their observers.
func TestCopyBetweenConnections(t *testing.T) {
	var table slot.Table
	total := new(tally)
	_, err := slot.New(&table, "tally", slot.Hooks[tally]{OnOpen: total.observe})
	expect.NoError(t, err)
	from, source := tcpPair(t, &table)
	to, sink := tcpPair(t, &table)
	go func() { _, _ = source.Write(make([]byte, 1<<20)); source.CloseWrite() }()
	copied := make(chan int64, 1)
	go func() { n, _ := io.Copy(to, from); to.CloseWrite(); copied <- n }()
	n, err := io.Copy(io.Discard, sink)
	expect.NoError(t, err)
	expect.Equal(t, "received", n, 1<<20)
	expect.Equal(t, "copied", await(t, "the copy", copied), 1<<20)
	expect.Equal(t, "told read", total.read.Load(), 1<<20)
	expect.Equal(t, "told written", total.written.Load(), 1<<20)
}
