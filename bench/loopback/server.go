package loopback

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// A server is the process of one contender.
type server struct {
	name  string
	url   string
	cmd   *exec.Cmd
	input io.Closer // its standard input, whose end is its own
}

// startAll starts all contenders at once: one that waits for its turn costs the others nothing. With an error it
// returns those that have started.
func startAll(ctx context.Context) ([]*server, error) {
	var all []*server
	for _, c := range contenders {
		s, err := start(ctx, c.name)
		if err != nil {
			return all, fmt.Errorf("starting the server of %s: %w", c.name, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func start(ctx context.Context, name string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := onCore(ctx, serverCore, self)
	cmd.Env = append(os.Environ(), variable+"="+name)
	cmd.Stderr = os.Stderr
	input, err1 := cmd.StdinPipe()
	output, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		return nil, err
	}
	s := &server{name: name, cmd: cmd, input: input}
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		stopAll([]*server{s})
		return nil, fmt.Errorf("it doesn't say where it listens (is loopback.Main called?): %w", err)
	}
	s.url = "http://" + strings.TrimSpace(address)
	return s, nil
}

// stopAll lets servers end at the same time, which under the race detector takes each a second.
func stopAll(all []*server) {
	for _, s := range all {
		s.input.Close()
	}
	for _, s := range all {
		s.cmd.Wait() // what it has to say stands on standard error
	}
}
