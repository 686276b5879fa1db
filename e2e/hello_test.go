package e2e

import (
	"net"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestHello runs the smallest example as a newcomer does: a browser, plain http, and the page loaded again.
func TestHello(t *testing.T) {
	listen := startHello(t)
	browser := startChromium(t)
	ada, grace := newPerson(t, browser, "http://"+listen), newPerson(t, browser, "http://"+listen)
	for _, p := range []*tab{ada, grace} {
		p.console.await(404) // there is no icon
	}
	for _, want := range []string{"Visit 1", "Visit 2", "Visit 3"} {
		ada.open("/")
		ada.want(want)
	}
	grace.open("/")
	grace.want("Visit 1")
}

// startHello starts the example, and returns the address that it listens on.
func startHello(t *testing.T) (listen string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "hello")
	if err := build("..", binary, "./example/hello"); err != nil {
		t.Fatal(err)
	}
	listen = freeAddress(t)
	cmd := exec.Command(binary, "-listen", listen)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", listen); err == nil {
			conn.Close()
			return listen
		}
	}
	t.Fatal("the example does not listen")
	return ""
}
