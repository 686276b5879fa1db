package live

import (
	"bytes"
	"io"
	"net"
	"testing"
)

// What the kernel did not take of a frame is written before anything else, such as the pong or the close frame of
// another goroutine.
func TestTheRestOfAFrameComesFirst(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn := newSharedConn(server, nil)
	frame := bytes.Repeat([]byte("f"), 64<<20)
	if begun, debt := conn.tryWrite(frame); !begun || !debt {
		t.Skipf("the kernel took all of %d bytes, or none", len(frame))
	}
	go func() {
		defer server.Close()
		if _, err := conn.Write([]byte("close")); err != nil {
			t.Error(err)
		}
	}()
	got, err := io.ReadAll(client)
	if err != nil {
		t.Fatal(err)
	}
	if want := append(frame, "close"...); !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, want %d: the frame and what follows it", len(got), len(want))
	}
}
