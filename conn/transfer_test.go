package conn_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/slot"
)

// A spy is a TCP connection that records the readers that its ReadFrom gets, by which net decides whether to use
// sendfile or splice. It also counts the bytes that pass through the program's own memory.
type spy struct {
	*net.TCPConn
	from   chan io.Reader
	copied *atomic.Int64
}

func newSpy(nc net.Conn) spy {
	return spy{nc.(*net.TCPConn), make(chan io.Reader, 100), new(atomic.Int64)}
}

func (s spy) ReadFrom(r io.Reader) (int64, error) {
	s.from <- r
	return s.TCPConn.ReadFrom(r)
}

func (s spy) Read(p []byte) (int, error) {
	n, err := s.TCPConn.Read(p)
	s.copied.Add(int64(n))
	return n, err
}

func (s spy) Write(p []byte) (int, error) {
	n, err := s.TCPConn.Write(p)
	s.copied.Add(int64(n))
	return n, err
}

// wants checks that all readers that ReadFrom got are of a kind from which the kernel copies.
func (s spy) wants(t *testing.T, kind func(io.Reader) bool) {
	t.Helper()
	if len(s.from) == 0 {
		t.Error("nothing reached ReadFrom of the TCP connection")
	}
	for len(s.from) > 0 {
		r := <-s.from
		if limited, ok := r.(*io.LimitedReader); ok {
			r = limited.R
		}
		if !kind(r) {
			t.Errorf("ReadFrom of the TCP connection: got %T, which net copies by itself", r)
		}
	}
	expect.Equal(t, "bytes copied by the program", s.copied.Load(), 0)
}

// isFile reports whether net would have the kernel send r.
func isFile(r io.Reader) bool {
	_, ok := r.(interface {
		io.Seeker
		syscall.Conn
	})
	return ok
}

func isTCP(r io.Reader) bool { _, ok := r.(*net.TCPConn); return ok }

// rawPair returns both ends of a TCP connection over loopback.
func rawPair(t testing.TB) (in, out *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	expect.NoError(t, err)
	defer l.Close()
	o, err := net.Dial("tcp", l.Addr().String())
	expect.NoError(t, err)
	i, err := l.Accept()
	expect.NoError(t, err)
	t.Cleanup(func() { i.Close(); o.Close() })
	return i.(*net.TCPConn), o.(*net.TCPConn)
}

// A side is the table with which a test opens connections: with an observer or without.
type side struct {
	table    slot.Table
	total    tally
	observed bool
}

// bothWays runs a test with observed connections, and with unobserved ones.
func bothWays(t *testing.T, test func(*testing.T, *side)) {
	t.Run("observed", func(t *testing.T) {
		s := &side{observed: true}
		_, err := slot.New(&s.table, "tally", slot.Hooks[tally]{OnOpen: s.total.observe})
		expect.NoError(t, err)
		test(t, s)
	})
	t.Run("not observed", func(t *testing.T) { test(t, new(side)) })
}

// open opens a connection and returns its View.
func (s *side) open(t *testing.T, nc net.Conn) net.Conn {
	t.Helper()
	c, err := conn.New(t.Context(), nc, &s.table)
	expect.NoError(t, err)
	return c.View()
}

// told checks the calls of the observers since the last check.
func (s *side) told(t *testing.T, read, written int64) {
	t.Helper()
	if s.observed {
		expect.Equal(t, "told read", s.total.read.Swap(0), read)
		expect.Equal(t, "told written", s.total.written.Swap(0), written)
	}
}

const size = 1 << 20

// fileOf returns a file of so many bytes, open for reading.
func fileOf(t *testing.T, size int64) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	expect.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	expect.NoError(t, f.Truncate(size))
	return f
}

// drain reads until the end, and reports how many bytes it read.
func drain(r io.Reader) <-chan int64 {
	done := make(chan int64, 1)
	go func() { n, _ := io.Copy(io.Discard, r); done <- n }()
	return done
}

// send writes so many bytes, and closes.
func send(nc net.Conn, size int) {
	go func() { _, _ = nc.Write(make([]byte, size)); nc.Close() }()
}

// From a file to a connection, the kernel copies whichever function the program calls, and observers are told.
func TestFromAFile(t *testing.T) {
	const part = size - 1000
	ways := map[string]func(net.Conn, *os.File) (int64, error){
		"io.Copy":      func(nc net.Conn, f *os.File) (int64, error) { return io.Copy(nc, io.LimitReader(f, part)) },
		"io.CopyN":     func(nc net.Conn, f *os.File) (int64, error) { return io.CopyN(nc, f, part) },
		"ReadFrom":     func(nc net.Conn, f *os.File) (int64, error) { return nc.(io.ReaderFrom).ReadFrom(f) },
		"File.WriteTo": func(nc net.Conn, f *os.File) (int64, error) { return f.WriteTo(nc) },
		"io.Copy of the Conn": func(nc net.Conn, f *os.File) (int64, error) {
			return io.Copy(conn.From(nc), f)
		},
	}
	bothWays(t, func(t *testing.T, s *side) {
		for name, copyFile := range ways {
			t.Run(name, func(t *testing.T) {
				below, peer := rawPair(t)
				sp := newSpy(below)
				nc := s.open(t, sp)
				received := drain(peer)
				n, err := copyFile(nc, fileOf(t, size))
				expect.NoError(t, err)
				expect.NoError(t, nc.Close())
				expect.Equal(t, "received", await(t, "the peer", received), n)
				if n != size && n != part {
					t.Errorf("copied: got %d bytes", n)
				}
				s.told(t, 0, n)
				if name == "File.WriteTo" && !s.observed {
					expect.Equal(t, "bytes copied by the program", sp.copied.Load(), 0) // os.File asks for no ReadFrom
				} else {
					sp.wants(t, isFile)
				}
			})
		}
	})
}

// From a connection to a file, io.Copy lets the kernel copy. With io.CopyN observers would not be told, so the program
// copies itself if there are some.
func TestToAFile(t *testing.T) {
	bothWays(t, func(t *testing.T, s *side) {
		for name, way := range map[string]struct {
			copy   func(*os.File, net.Conn) (int64, error)
			kernel bool
		}{
			"io.Copy":             {func(f *os.File, nc net.Conn) (int64, error) { return io.Copy(f, nc) }, true},
			"WriteTo":             {func(f *os.File, nc net.Conn) (int64, error) { return nc.(io.WriterTo).WriteTo(f) }, true},
			"io.CopyN":            {func(f *os.File, nc net.Conn) (int64, error) { return io.CopyN(f, nc, size) }, !s.observed},
			"File.ReadFrom":       {func(f *os.File, nc net.Conn) (int64, error) { return f.ReadFrom(nc) }, !s.observed},
			"io.Copy of the Conn": {func(f *os.File, nc net.Conn) (int64, error) { return io.Copy(f, conn.From(nc)) }, true},
		} {
			t.Run(name, func(t *testing.T) {
				below, peer := rawPair(t)
				sp := newSpy(below)
				nc := s.open(t, sp)
				send(peer, size)
				f := fileOf(t, 0)
				n, err := way.copy(f, nc)
				expect.NoError(t, err)
				expect.Equal(t, "copied", n, size)
				s.told(t, size, 0)
				info, err := f.Stat()
				expect.NoError(t, err)
				expect.Equal(t, "size of the file", info.Size(), size)
				if way.kernel && runtime.GOOS == "linux" {
					expect.Equal(t, "bytes copied by the program", sp.copied.Load(), 0)
				}
			})
		}
	})
}

// Between connections, both with slots or one of them, the kernel splices, and both tell their observers.
func TestBetweenConnections(t *testing.T) {
	const part = size - 1000
	ways := map[string]func(to, from net.Conn) (int64, error){
		"io.Copy":  func(to, from net.Conn) (int64, error) { return io.Copy(to, from) },
		"io.CopyN": func(to, from net.Conn) (int64, error) { return io.CopyN(to, from, part) },
		"io.Copy of Conns": func(to, from net.Conn) (int64, error) {
			return io.Copy(conn.From(to), conn.From(from))
		},
		"io.CopyN of Conns": func(to, from net.Conn) (int64, error) {
			return io.CopyN(conn.From(to), conn.From(from), part)
		},
	}
	bothWays(t, func(t *testing.T, read *side) {
		bothWays(t, func(t *testing.T, written *side) {
			for name, copyConn := range ways {
				t.Run(name, func(t *testing.T) {
					source, in := rawPair(t)
					out, sink := rawPair(t)
					sp := newSpy(out)
					from, to := read.open(t, in), written.open(t, sp)
					send(source, size)
					received := drain(sink)
					n, err := copyConn(to, from)
					expect.NoError(t, err)
					expect.NoError(t, to.Close())
					expect.Equal(t, "received", await(t, "the peer", received), n)
					if n != size && n != part {
						t.Errorf("copied: got %d bytes", n)
					}
					read.told(t, n, 0)
					written.told(t, 0, n)
					sp.wants(t, func(r io.Reader) bool { return isTCP(r) || isWithoutWriteTo(r) })
				})
			}
		})
	})
}

// isWithoutWriteTo reports whether r is the type that net wraps around a *net.TCPConn for io.Copy, and can splice, too.
func isWithoutWriteTo(r io.Reader) bool {
	_, writes := r.(io.WriterTo)
	_, isConn := r.(net.Conn)
	return isConn && !writes
}

// A connection without slots on the other side.
func TestBetweenAConnectionAndABareOne(t *testing.T) {
	bothWays(t, func(t *testing.T, s *side) {
		for name, copyConn := range map[string]func(to, from net.Conn) (int64, error){
			"io.Copy":  func(to, from net.Conn) (int64, error) { return io.Copy(to, from) },
			"io.CopyN": func(to, from net.Conn) (int64, error) { return io.CopyN(to, from, size) },
		} {
			t.Run(name+", to slots", func(t *testing.T) {
				source, in := rawPair(t)
				out, sink := rawPair(t)
				sp := newSpy(out)
				send(source, size)
				received := drain(sink)
				to := s.open(t, sp)
				n, err := copyConn(to, in)
				expect.NoError(t, err)
				expect.NoError(t, to.Close())
				expect.Equal(t, "copied", n, size)
				expect.Equal(t, "received", await(t, "the peer", received), size)
				s.told(t, 0, size)
				sp.wants(t, func(r io.Reader) bool { return isTCP(r) || isWithoutWriteTo(r) })
			})
			t.Run(name+", from slots", func(t *testing.T) {
				source, in := rawPair(t)
				out, sink := rawPair(t)
				send(source, size)
				received := drain(sink)
				n, err := copyConn(out, s.open(t, in))
				expect.NoError(t, err)
				out.Close()
				expect.Equal(t, "copied", n, size)
				expect.Equal(t, "received", await(t, "the peer", received), size)
				s.told(t, size, 0)
			})
		}
	})
}

// Afterwards an io.LimitedReader has the rest of its limit.
func TestLimitIsCounted(t *testing.T) {
	bothWays(t, func(t *testing.T, s *side) {
		source, in := rawPair(t)
		out, sink := rawPair(t)
		send(source, size)
		received := drain(sink)
		limited := &io.LimitedReader{R: s.open(t, in), N: 2 * size}
		to := s.open(t, out)
		n, err := to.(io.ReaderFrom).ReadFrom(limited)
		expect.NoError(t, err)
		expect.Equal(t, "copied", n, size)
		expect.Equal(t, "left", limited.N, size)
		n, err = to.(io.ReaderFrom).ReadFrom(&io.LimitedReader{R: in, N: 0})
		expect.NoError(t, err)
		expect.Equal(t, "copied by a limit of nothing", n, 0)
		expect.NoError(t, to.Close())
		await(t, "the peer", received)
	})
}

// Observers are told of a long copy while it runs. This one can't end, since the other side does not read.
func TestLongCopyIsToldAsItGoes(t *testing.T) {
	for name, open := range map[string]func(*testing.T) (io.Reader, func()){
		"file": func(t *testing.T) (io.Reader, func()) { return fileOf(t, 64<<20), func() {} },
		"connection": func(t *testing.T) (io.Reader, func()) {
			source, in := rawPair(t)
			send(source, 64<<20)
			return in, func() { in.Close() }
		},
		"memory": func(*testing.T) (io.Reader, func()) {
			return struct{ io.Reader }{bytes.NewReader(make([]byte, 64<<20))}, func() {}
		},
		"trickle": func(*testing.T) (io.Reader, func()) {
			r, w := io.Pipe()
			go func() { _, _ = w.Write(make([]byte, 10)) }()
			return r, func() { w.Close() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			var table slot.Table
			written := make(chan int64, 1000)
			_, err := slot.New(&table, "told", slot.Hooks[tally]{OnOpen: func(ctx context.Context, _ *tally) *tally {
				expect.NoError(t, conn.FromContext(ctx).Observe(funcObserver(func(n int64, _ error) {
					select {
					case written <- n:
					default:
					}
				})))
				return nil
			}})
			expect.NoError(t, err)
			c, peer := tcpPair(t, &table)
			src, stop := open(t)
			copied := make(chan int64, 1)
			go func() { n, _ := io.Copy(c, src); copied <- n }()
			n := await(t, "being told", written)
			if n <= 0 || n > 256<<10 {
				t.Errorf("told of %d bytes, want at most 256 KiB at once", n)
			}
			expect.Equal(t, "copies that have ended", len(copied), 0)
			peer.Close()
			stop()
			await(t, "the copy", copied)
		})
	}
}

// A noted is one call of an observer.
type noted struct {
	n   int64
	err error
}

// noting opens a connection whose observer notes reads and writes.
func noting(t *testing.T, nc net.Conn) (c net.Conn, reads, writes *[]noted) {
	t.Helper()
	var table slot.Table
	reads, writes = new([]noted), new([]noted)
	_, err := slot.New(&table, "notes", slot.Hooks[tally]{OnOpen: func(ctx context.Context, _ *tally) *tally {
		expect.NoError(t, conn.FromContext(ctx).Observe(notes{reads, writes}))
		return nil
	}})
	expect.NoError(t, err)
	opened, err := conn.New(t.Context(), nc, &table)
	expect.NoError(t, err)
	return opened.View(), reads, writes
}

type notes struct{ reads, writes *[]noted }

func (o notes) OnRead(n int64, err error)  { *o.reads = append(*o.reads, noted{n, err}) }
func (o notes) OnWrite(n int64, err error) { *o.writes = append(*o.writes, noted{n, err}) }

// The end of the source is reported to the reading side as io.EOF, as Read does. The writing side is not told of it.
func TestEndOfACopyIsTold(t *testing.T) {
	source, in := rawPair(t)
	out, sink := rawPair(t)
	from, reads, _ := noting(t, in)
	to, _, writes := noting(t, out)
	const all = 2 * 256 << 10 // so that the last piece is empty
	send(source, all)
	received := drain(sink)
	_, err := io.Copy(to, from)
	expect.NoError(t, err)
	expect.NoError(t, to.Close())
	expect.Equal(t, "received", await(t, "the peer", received), all)
	if n := len(*reads); n < 2 || (*reads)[n-1].err != io.EOF || (*reads)[0].err != nil {
		t.Errorf("told of reads: got %v, want pieces, and io.EOF with the last", *reads)
	}
	for _, w := range *writes {
		if w.err != nil || w.n == 0 {
			t.Errorf("told of writes: got %v, want bytes only", *writes)
		}
	}
}

// An error is returned and reported to observers, whichever way the bytes are copied.
func TestFailedCopy(t *testing.T) {
	for name, src := range map[string]func(*testing.T) io.Reader{
		"file":   func(t *testing.T) io.Reader { return fileOf(t, size) },
		"memory": func(*testing.T) io.Reader { return bytes.NewReader(make([]byte, size)) },
	} {
		t.Run(name, func(t *testing.T) {
			below, _ := rawPair(t)
			c, _, writes := noting(t, below)
			expect.NoError(t, below.CloseWrite())
			_, err := c.(io.ReaderFrom).ReadFrom(src(t))
			expect.Error(t, err, syscall.EPIPE)
			if n := len(*writes); n != 1 || !errors.Is((*writes)[0].err, syscall.EPIPE) {
				t.Errorf("told: got %v, want the error, once", *writes)
			}
		})
	}
	t.Run("not observed", func(t *testing.T) {
		below, _ := rawPair(t)
		expect.NoError(t, below.CloseWrite())
		_, err := new(side).open(t, below).(io.ReaderFrom).ReadFrom(fileOf(t, size))
		expect.Error(t, err, syscall.EPIPE)
	})
}

// The error of the reader is returned by ReadFrom. It is no error of the connection, which wrote all bytes before it.
func TestFailedReader(t *testing.T) {
	failure := errors.New("no more cheese")
	bothWays(t, func(t *testing.T, s *side) {
		below, _ := rawPair(t)
		n, err := s.open(t, below).(io.ReaderFrom).ReadFrom(io.MultiReader(bytes.NewReader(make([]byte, 10)), broke{failure}))
		expect.Error(t, err, failure)
		expect.Equal(t, "copied", n, 10)
		s.told(t, 0, 10)
	})
}

type broke struct{ err error }

func (b broke) Read([]byte) (int, error) { return 0, b.err }

// Connections without any ability copy with Read and Write.
func TestPlainCopies(t *testing.T) {
	bothWays(t, func(t *testing.T, s *side) {
		ours, theirs := net.Pipe()
		c := s.open(t, ours)
		received := drain(theirs)
		n, err := io.Copy(c, bytes.NewReader(make([]byte, size)))
		expect.NoError(t, err)
		expect.Equal(t, "copied", n, size)
		expect.NoError(t, c.Close())
		expect.Equal(t, "received", await(t, "the peer", received), size)
		s.told(t, 0, size)

		ours, theirs = net.Pipe()
		c = s.open(t, ours)
		send(theirs, size)
		n, err = io.Copy(fileOf(t, 0), c)
		expect.NoError(t, err)
		expect.Equal(t, "copied to a file", n, size)
		s.told(t, size, 0)

		in, out := net.Pipe()
		ours, theirs = net.Pipe()
		send(out, size)
		received = drain(theirs)
		c = s.open(t, ours)
		n, err = io.Copy(c, s.open(t, in))
		expect.NoError(t, err)
		expect.Equal(t, "copied between two", n, size)
		expect.NoError(t, c.Close())
		expect.Equal(t, "received of the other", await(t, "the peer", received), size)
		s.told(t, size, size)
	})
}

// From http.FileServer the TCP connection gets the file itself, not a copy of its bytes, also with an observer.
func TestFileServerUsesSendfile(t *testing.T) {
	bothWays(t, func(t *testing.T, s *side) {
		dir := t.TempDir()
		content := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		expect.NoError(t, os.WriteFile(filepath.Join(dir, "file"), content, 0o600))
		below, err := net.Listen("tcp", "127.0.0.1:0")
		expect.NoError(t, err)
		spies := make(chan spy, 1)
		srv := &http.Server{Handler: http.FileServer(http.Dir(dir))}
		withSlots := conn.Configure(srv, &s.table)
		go srv.Serve(withSlots(spyListener{below, spies}))
		defer srv.Close()
		client := &http.Client{Transport: &http.Transport{}}
		resp, err := client.Get("http://" + below.Addr().String() + "/file")
		expect.NoError(t, err)
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		client.CloseIdleConnections()
		expect.NoError(t, err)
		expect.Equal(t, "content", bytes.Equal(got, content), true)
		expect.NoError(t, srv.Shutdown(t.Context()))

		sp := await(t, "a connection", spies)
		sp.copied.Store(0) // the headers
		sp.wants(t, isFile)
		if n := s.total.written.Load(); s.observed && n < int64(len(content)) {
			t.Errorf("the observer was told of %d bytes written, want at least %d", n, len(content))
		}
	})
}

type spyListener struct {
	net.Listener
	spies chan spy
}

func (l spyListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := newSpy(nc)
	l.spies <- s
	return s, nil
}
