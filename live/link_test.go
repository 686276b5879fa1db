package live

import (
	"bytes"
	"io"
	"net"
	"testing"
)

// A control frame of coder/websocket never comes into the middle of a frame that was written in part.
func TestRestOfAFrameComesFirst(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := newSharedConn(conn, nil)
	defer c.Close()
	frame := bytes.Repeat([]byte("f"), 16<<20) // more than the kernel takes at once
	written := c.tryWrite(frame)
	if written == 0 || written == len(frame) {
		t.Fatalf("%d bytes of %d were written at once", written, len(frame))
	}
	if n := c.tryWrite([]byte("next")); n != 0 {
		t.Errorf("%d bytes came into the middle of a frame", n)
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.Write([]byte("pong"))
		done <- err
	}()
	got := make([]byte, len(frame)+4)
	if _, err := io.ReadFull(peer, got); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if want := append(frame, "pong"...); !bytes.Equal(got, want) {
		t.Error("the frames were mixed")
	}
}
