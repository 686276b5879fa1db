package e2e

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A process is a forum that runs.
type process struct {
	url    string // without the slash at its end
	cmd    *exec.Cmd
	log    *transcript
	asked  sync.Once
	exited chan struct{} // closed when it has ended; err is why
	err    error
}

// startForum starts a forum on a free port. When the test ends, the forum has to stop as it should.
func startForum(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{log: new(transcript), exited: make(chan struct{})}
	p.cmd = exec.Command(forumBinary, append([]string{"-listen", "127.0.0.1:0"}, args...)...)
	p.cmd.Stderr = p.log
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stop(t) })

	line, err := bufio.NewReader(stdout).ReadString('\n')
	go p.wait(stdout)
	address, found := strings.CutPrefix(strings.TrimSpace(line), "forum: ")
	if err != nil || !found {
		t.Fatalf("the forum said %q (%v), want its address; its log:\n%s", line, err, p.log)
	}
	p.url = strings.TrimSuffix(address, "/")
	return p
}

// wait reads on until the end, since Cmd.Wait closes the pipe.
func (p *process) wait(stdout io.Reader) {
	_, _ = io.Copy(io.Discard, stdout)
	p.err = p.cmd.Wait()
	close(p.exited)
}

// host is the address that connections are made to.
func (p *process) host() string { return p.url[strings.LastIndex(p.url, "/")+1:] }

// terminate asks the forum to stop, once: a second signal would end it at once.
func (p *process) terminate() {
	p.asked.Do(func() { _ = p.cmd.Process.Signal(syscall.SIGTERM) })
}

// stop stops the forum if it still runs, and checks how it ended and what it logged.
func (p *process) stop(t *testing.T) {
	p.terminate()
	select {
	case <-p.exited:
	case <-time.After(15 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.exited
		t.Error("the forum did not stop within 15 s of SIGTERM")
	}
	if t.Failed() {
		t.Logf("the forum's log:\n%s", p.log)
	}
	if p.err != nil {
		t.Errorf("the forum ended with %v, want exit status 0", p.err)
	}
	for _, unwanted := range []string{"DATA RACE", "panic", " ERROR "} {
		if strings.Contains(p.log.String(), unwanted) {
			t.Errorf("%q in the forum's log:\n%s", unwanted, p.log)
		}
	}
}

// A transcript keeps what a process writes while it is read.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (tr *transcript) Write(p []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.text.Write(p)
}

func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.text.String()
}
