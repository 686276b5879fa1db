package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestStopAnswersWhatIsUnderWay stops the forum while a form has arrived by half.
func TestStopAnswersWhatIsUnderWay(t *testing.T) {
	forum := startForum(t)
	const form = "name=Ada"
	conn := beginLogin(t, forum, len(form))

	forum.terminate()
	waitUntilRefused(t, forum)
	if _, err := io.WriteString(conn, form); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the request under way got no answer: %v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) != 1 {
		t.Errorf("the request under way got %s with %d cookies, want 303 with the session's",
			resp.Status, len(resp.Cookies()))
	}
}

// beginLogin sends a login up to its form, and returns when the handler waits for that.
func beginLogin(t *testing.T, forum *process, length int) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", forum.host())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "POST /login HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", forum.host(), length)
	// RFC 9110, section 10.1.1: the server says 100 when the handler begins to read.
	const goOn = "HTTP/1.1 100 Continue\r\n\r\n"
	got := make([]byte, len(goOn))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != goOn {
		t.Fatalf("got %q (%v), want 100 Continue", got, err)
	}
	return conn
}

func waitUntilRefused(t *testing.T, forum *process) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", forum.host())
		if err != nil {
			return
		}
		conn.Close()
	}
	t.Fatal("5 s after SIGTERM the forum still accepts connections")
}

// TestStopUnderLoad stops the forum while visitors click: each gets a whole answer or none.
func TestStopUnderLoad(t *testing.T) {
	forum := startForum(t)
	visitor := newClient(t, forum.url)
	path := visitor.firstForum(t)
	if _, err := visitor.logIn("Ada"); err != nil {
		t.Fatal(err)
	}

	var answered atomic.Int64
	var visitors sync.WaitGroup
	for range 8 {
		visitors.Go(func() { clickUntilGone(t, visitor, path, &answered) })
	}
	for answered.Load() < 100 {
		time.Sleep(time.Millisecond)
	}
	forum.terminate()
	visitors.Wait()
}

func clickUntilGone(t *testing.T, visitor *client, path string, answered *atomic.Int64) {
	for {
		got, err := visitor.get(path)
		if err != nil {
			if !isGone(err) {
				t.Errorf("a visit while the forum stopped: %v", err)
			}
			return
		}
		answered.Add(1)
		if got.status != http.StatusOK || !strings.Contains(got.body, "</html>") {
			t.Errorf("a visit while the forum stopped: got %d and\n%s", got.status, got.body)
			return
		}
	}
}

// isGone reports whether err says that no server took the request: connections that the forum never accepted are reset.
func isGone(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET)
}
