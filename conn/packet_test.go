package conn_test

import (
	"context"
	"net"
	"testing"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/internal/expect"
)

// serveNames answers every DNS query for an address over UDP with 192.0.2.7.
func serveNames(t *testing.T) (address string) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	expect.NoError(t, err)
	t.Cleanup(func() { pc.Close() })
	go func() {
		buf := make([]byte, 2000)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = pc.WriteTo(answerTo(buf[:n]), from)
		}
	}()
	return pc.LocalAddr().String()
}

// answerTo answers a query of one question (RFC 1035, section 4).
func answerTo(query []byte) []byte {
	end := 12
	for end < len(query) && query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // the root, the type and the class
	if end > len(query) {
		return nil
	}
	isA := query[end-3] == 1
	a := append([]byte(nil), query[:end]...)
	a[2], a[3] = a[2]|0x80, 0x80 // a response, recursion available
	copy(a[6:12], make([]byte, 6))
	if isA {
		a[7] = 1
		a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7)
	}
	return a
}

// Programs distinguish packets from streams by type: over UDP they must find a net.PacketConn.
func TestResolverOverUDP(t *testing.T) {
	bothWays(t, func(t *testing.T, s *side) {
		server := serveNames(t)
		dial := conn.DialContext(nil, &s.table)
		r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dial(ctx, network, server)
		}}
		ips, err := r.LookupNetIP(t.Context(), "ip4", "example.com.")
		expect.NoError(t, err)
		expect.Equal(t, "address", ips[0].String(), "192.0.2.7")
		if s.observed && (s.total.read.Load() == 0 || s.total.written.Load() == 0) {
			t.Error("observers were told of nothing")
		}
	})
}

// Observers are told of packets to and from any address, too.
func TestPackets(t *testing.T) {
	bothWays(t, func(t *testing.T, s *side) {
		below, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		expect.NoError(t, err)
		c := s.open(t, below)
		defer c.Close()
		pc := c.(net.PacketConn)
		n, err := pc.WriteTo([]byte("hello"), below.LocalAddr())
		expect.NoError(t, err)
		expect.Equal(t, "written", n, 5)
		n, from, err := pc.ReadFrom(make([]byte, 10))
		expect.NoError(t, err)
		expect.Equal(t, "read", n, 5)
		expect.Equal(t, "from", from.String(), below.LocalAddr().String())
		s.told(t, 5, 5)
	})
}
