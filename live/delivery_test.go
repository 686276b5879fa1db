package live

import (
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/lazysession/session/live/stream"
)

// newTCPSocket returns a socket in a channel, whose client reads everything.
func newTCPSocket(t *testing.T) (*Socket, *subscription) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(io.Discard, client)
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
		client.Close()
	})
	cfg, err := (*Config)(nil).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := &Socket{hub: &Hub{cfg: cfg}, link: &link{conn: newSharedConn(server, nil)}}
	s.outbox.s = s
	sub := &subscription{out: &s.outbox, feed: &feed{name: stream.Of("room")}, at: stream.Position{Epoch: "e"}}
	s.outbox.subs = []*subscription{{out: &s.outbox}, sub}
	return s, sub
}

// A message to thousands allocates nothing for each of them, and neither does what they acknowledge.
func TestDeliveryAllocatesNothing(t *testing.T) {
	if !canReadAtOnce {
		t.Skip("this system's connections take no writes that don't wait")
	}
	const burst = 32
	s, sub := newTCPSocket(t)
	var frame, ack []byte
	n := uint64(0)
	deliver := func() {
		for range burst {
			n++
			frame = appendMessage(frame[:0], n, []byte(`"hello"`), `"room"`)
			sub.offer("e", entry{number: n, size: 7, frame: frame})
		}
		if sub.at.Number != n || len(s.outbox.unacked) != burst {
			t.Fatalf("at %d with %d to be acknowledged, want %d with %d", sub.at.Number, len(s.outbox.unacked), n, burst)
		}
		ack = fmt.Appendf(ack[:0], `{"t":"ack","at":{"room":%d}}`, n)
		f, err := readFrame(ack)
		if err != nil {
			t.Fatal(err)
		}
		s.outbox.acknowledged(f)
		if len(s.outbox.unacked) != 0 || s.outbox.bytes != 0 {
			t.Fatalf("%d messages to be acknowledged after their acknowledgement", len(s.outbox.unacked))
		}
	}
	if got := testing.AllocsPerRun(50, deliver); got > 1 { // the test's own number
		t.Errorf("%d deliveries and their acknowledgement: %v allocations, want none", burst, got)
	}
}

// The rest of a frame of which the kernel took a part goes before anything else.
func TestRestOfAFrameGoesFirst(t *testing.T) {
	here, there := net.Pipe()
	c := newSharedConn(here, nil)
	c.owed = []byte("the rest")
	go func() {
		c.Write([]byte(", a pong"))
		here.Close()
	}()
	got, _ := io.ReadAll(there)
	if string(got) != "the rest, a pong" {
		t.Errorf("got %q", got)
	}
}

func TestReadAck(t *testing.T) {
	for _, test := range []struct {
		text, name string
		n          uint64
		ok         bool
	}{
		{`{"t":"ack","at":{"":45}}`, "", 45, true},
		{`{"t":"ack","at":{"room/7":1020}}`, "room/7", 1020, true},
		{`{"t":"ack","at":{"é":9007199254740991}}`, "é", maxNumber, true},
		{`{"t":"ack","at":{"":9007199254740992}}`, "", 0, false},
		{`{"t":"ack","at":{"":0}}`, "", 0, false}, // and the rest is for the JSON decoder
		{`{"t":"ack","at":{"":1,"b":2}}`, "", 0, false},
		{`{"t":"ack","at":{"a\"b":2}}`, "", 0, false},
		{`{"t":"ack","at":{"a\n":2}}`, "", 0, false},
		{`{"t":"ack","at":{"":01}}`, "", 0, false},
		{`{"t":"ack","at":{"":1}}}`, "", 0, false},
		{`{"t":"ack","at":{"":}}`, "", 0, false},
		{`{"t":"ack","at":{}}`, "", 0, false},
		{`{"t":"beat"}`, "", 0, false},
	} {
		f, ok := readAck([]byte(test.text))
		if ok != test.ok || ok && (string(f.data) != test.name || f.number != test.n || f.kind != ackFrame) {
			t.Errorf("%s: got %q %d, ok %v", test.text, f.data, f.number, ok)
		}
	}
}
