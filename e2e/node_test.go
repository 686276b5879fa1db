package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nodeBinary is the path of the server for fault tests.
var nodeBinary string

// A node is a server that runs, at an address that it keeps when it is started again.
type node struct {
	binary  string
	address string
	args    []string
	cmd     *exec.Cmd
	log     *transcript
}

// startNodes starts servers on a database, with one key.
func startNodes(t *testing.T, count int, url string, args ...string) []*node {
	t.Helper()
	nodes := make([]*node, count)
	for i := range nodes {
		nodes[i] = newNode(t, nodeBinary, append([]string{"-store", url, "-keys", testKey('a')}, args...)...)
	}
	return nodes
}

// testKey is a key in hex.
func testKey(letter byte) string { return strings.Repeat(fmt.Sprintf("%02x", letter), 32) }

func newNode(t *testing.T, binary string, args ...string) *node {
	t.Helper()
	n := &node{binary: binary, address: "127.0.0.1:0", args: args, log: new(transcript)}
	t.Cleanup(func() {
		n.kill()
		if strings.Contains(n.log.String(), "DATA RACE") || strings.Contains(n.log.String(), "panic: ") {
			t.Errorf("a node's log:\n%s", n.log)
		}
	})
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	return n
}

// start starts the server, again where it has run before, and returns when it listens.
func (n *node) start() error {
	n.cmd = exec.Command(n.binary, append(n.args, "-listen", n.address)...)
	n.cmd.Stderr = n.log
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		n.kill()
		return fmt.Errorf("a node does not start: %w\n%s", err, n.log)
	}
	n.address = strings.TrimSpace(line)
	return nil
}

// kill ends the server without a word.
func (n *node) kill() {
	if n.cmd == nil || n.cmd.Process == nil {
		return
	}
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait()
}

// stop ends the server as an operator does.
func (n *node) stop() error {
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	limit := time.AfterFunc(15*time.Second, func() { _ = n.cmd.Process.Kill() })
	defer limit.Stop()
	return n.cmd.Wait()
}

// stats are what a node uses.
type stats struct{ Goroutines, Acquired, Files int }

func (n *node) stats(t *testing.T) (s stats) {
	t.Helper()
	got, err := newClient(t, "http://"+n.address).get("/stats")
	if err == nil {
		err = json.Unmarshal([]byte(got.body), &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}
