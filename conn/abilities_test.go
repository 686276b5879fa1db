package conn_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"syscall"
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
	l := conn.NewListener(below, table)
	defer l.Close()
	out, err := net.Dial("tcp", l.Addr().String())
	expect.NoError(t, err)
	in, err := l.Accept()
	expect.NoError(t, err)
	t.Cleanup(func() { in.Close(); out.Close() })
	return conn.From(in), out.(*net.TCPConn)
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

func TestTCPConnBelow(t *testing.T) {
	c, peer := tcpPair(t, nil)
	tcp, ok := c.NetConn().(*net.TCPConn)
	expect.Equal(t, "NetConn is a *net.TCPConn", ok, true)
	expect.NoError(t, tcp.SetNoDelay(true))
	expect.Equal(t, "RemoteAddr", c.RemoteAddr().String(), peer.LocalAddr().String())
	expect.Equal(t, "LocalAddr", c.LocalAddr().String(), peer.RemoteAddr().String())
	expect.Equal(t, "From below TLS", conn.From(tls.Server(c, &tls.Config{})), c)
}

// A protocol of the program's own, negotiated by TLS, gets the connection as it does without slots.
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

// Few is a connection with the abilities that a test gives it.
type few struct{ net.Conn }

type (
	syscaller interface {
		SyscallConn() (syscall.RawConn, error)
	}
	writeCloser interface{ CloseWrite() error }
	readCloser  interface{ CloseRead() error }
)

// abilitiesOf names the abilities of a connection that a type assertion finds.
func abilitiesOf(nc net.Conn) (names []string) {
	if _, ok := nc.(syscall.Conn); ok {
		names = append(names, "SyscallConn")
	}
	if _, ok := nc.(writeCloser); ok {
		names = append(names, "CloseWrite")
	}
	if _, ok := nc.(readCloser); ok {
		names = append(names, "CloseRead")
	}
	if _, ok := nc.(net.PacketConn); ok {
		names = append(names, "packets")
	}
	return names
}

// A connection with slots has the optional methods of the one below, and no others.
func TestAbilitiesAreThoseOfTheConnectionBelow(t *testing.T) {
	tcp, _ := rawPair(t)
	pipe, _ := net.Pipe()
	packets, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	expect.NoError(t, err)
	defer packets.Close()
	type (
		s interface{ syscaller }
		w interface{ writeCloser }
		r interface{ readCloser }
		p interface {
			ReadFrom([]byte) (int, net.Addr, error)
			WriteTo([]byte, net.Addr) (int, error)
		}
	)
	for _, below := range []net.Conn{
		pipe, tcp, packets,
		struct {
			few
			s
		}{few{pipe}, tcp}, struct {
			few
			w
		}{few{pipe}, tcp}, struct {
			few
			r
		}{few{pipe}, tcp},
		struct {
			few
			s
			w
		}{few{pipe}, tcp, tcp}, struct {
			few
			s
			r
		}{few{pipe}, tcp, tcp}, struct {
			few
			w
			r
		}{few{pipe}, tcp, tcp},
		struct {
			few
			s
			w
			r
		}{few{pipe}, tcp, tcp, tcp},
		struct {
			few
			p
		}{few{pipe}, packets}, struct {
			few
			p
			s
		}{few{pipe}, packets, tcp},
		struct {
			few
			p
			w
		}{few{pipe}, packets, tcp}, struct {
			few
			p
			r
		}{few{pipe}, packets, tcp},
		struct {
			few
			p
			s
			w
		}{few{pipe}, packets, tcp, tcp}, struct {
			few
			p
			s
			r
		}{few{pipe}, packets, tcp, tcp},
		struct {
			few
			p
			w
			r
		}{few{pipe}, packets, tcp, tcp}, struct {
			few
			p
			s
			w
			r
		}{few{pipe}, packets, tcp, tcp, tcp},
	} {
		c, err := conn.New(t.Context(), below, nil)
		expect.NoError(t, err)
		view, want := c.View(), abilitiesOf(below)
		if got := abilitiesOf(view); !slices.Equal(got, want) {
			t.Errorf("abilities over %T: got %q, want %q", below, got, want)
		}
		expect.Equal(t, "From", conn.From(view), c)
		if n := testing.AllocsPerRun(10, func() { sink.nc = c.View() }); n != 0 {
			t.Errorf("View over %T allocates %v times", below, n)
		}
	}
}

// Calls of optional methods reach the connection below, and its errors come back.
func TestAbilitiesAreUsed(t *testing.T) {
	bothWays(t, func(t *testing.T, s *side) {
		below, peer := rawPair(t)
		c := s.open(t, below)
		raw, err := c.(syscall.Conn).SyscallConn()
		expect.NoError(t, err)
		called := false
		expect.NoError(t, raw.Control(func(uintptr) { called = true }))
		expect.Equal(t, "called", called, true)

		expect.NoError(t, c.(writeCloser).CloseWrite())
		rest, err := io.ReadAll(peer)
		expect.NoError(t, err)
		expect.Equal(t, "bytes before the end", len(rest), 0)
		_, err = io.WriteString(peer, "still open")
		expect.NoError(t, err)
		buf := make([]byte, 10)
		_, err = io.ReadFull(c, buf)
		expect.NoError(t, err)
		expect.Equal(t, "read after CloseWrite", string(buf), "still open")
		expect.NoError(t, c.(readCloser).CloseRead())
		_, err = c.Read(buf)
		expect.Equal(t, "read after CloseRead", err, io.EOF)

		expect.NoError(t, c.Close())
		expect.Error(t, c.(writeCloser).CloseWrite(), net.ErrClosed)
		expect.Error(t, c.(readCloser).CloseRead(), net.ErrClosed)
		if raw, err = c.(syscall.Conn).SyscallConn(); err == nil { // net reports it only at the first use
			err = raw.Control(func(uintptr) {})
		}
		expect.Error(t, err, net.ErrClosed)
		for name, set := range map[string]func(time.Time) error{
			"SetDeadline": c.SetDeadline, "SetReadDeadline": c.SetReadDeadline, "SetWriteDeadline": c.SetWriteDeadline,
		} {
			if err := set(time.Now()); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s of a closed connection: got %v, want net.ErrClosed", name, err)
			}
		}
	})
}

// Listeners and dials return connections with the optional methods.
func TestListenersAndDialsGiveViews(t *testing.T) {
	below, err := net.Listen("tcp", "127.0.0.1:0")
	expect.NoError(t, err)
	l := conn.NewListener(below, nil)
	defer l.Close()
	out, err := conn.DialContext(nil, nil)(t.Context(), "tcp", l.Addr().String())
	expect.NoError(t, err)
	defer out.Close()
	in, err := l.Accept()
	expect.NoError(t, err)
	defer in.Close()
	all := []string{"SyscallConn", "CloseWrite", "CloseRead"}
	if got := abilitiesOf(in); !slices.Equal(got, all) {
		t.Errorf("accepted: got %q, want %q", got, all)
	}
	if got := abilitiesOf(out); !slices.Equal(got, all) {
		t.Errorf("dialled: got %q, want %q", got, all)
	}
	piped, err := conn.DialContext(func(context.Context, string, string) (net.Conn, error) {
		ours, _ := net.Pipe()
		return ours, nil
	}, nil)(t.Context(), "pipe", "")
	expect.NoError(t, err)
	defer piped.Close()
	if got := abilitiesOf(piped); len(got) != 0 {
		t.Errorf("dialled over net.Pipe: got %q, want nothing", got)
	}
}
