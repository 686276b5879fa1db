// Package child runs the servers of contenders in processes of their own, so that what a server takes is its own. Such
// a process is this program itself, started anew. So the program calls [Main] before anything else.
package child

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// variable of the environment names the contender that a process is to serve.
const variable = "SESSION_BENCH_CHILD"

// Main serves, and does not return, in a process that Start has started. In any other it does nothing. serve begins
// with [Listen], and returns when standard input ends: also when the process that has started this one is killed.
func Main(serve func(contender string) error) {
	name := os.Getenv(variable)
	if name == "" {
		return
	}
	if err := serve(name); err != nil {
		fmt.Fprintf(os.Stderr, "server of %q: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Listen serves a site on one core, and prints the address on standard output.
func Listen(site http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	fmt.Println(l.Addr())
	go http.Serve(l, site)
	return nil
}

// A Process serves one contender.
type Process struct {
	Contender string
	Address   string         // host and port
	Input     io.WriteCloser // its standard input, whose end is its own
	Output    *bufio.Reader  // what it prints after the address
	cmd       *exec.Cmd
}

// Start starts cmd, which runs this program, as the server of a contender.
func Start(cmd *exec.Cmd, contender string) (*Process, error) {
	cmd.Env = append(os.Environ(), variable+"="+contender)
	cmd.Stderr = os.Stderr
	input, err1 := cmd.StdinPipe()
	output, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		return nil, err
	}
	p := &Process{Contender: contender, Input: input, Output: bufio.NewReader(output), cmd: cmd}
	address, err := p.Output.ReadString('\n')
	if err != nil {
		Stop(p)
		return nil, fmt.Errorf("the server of %s doesn't say where it listens (is child.Main called?): %w", contender, err)
	}
	p.Address = strings.TrimSpace(address)
	return p, nil
}

// Stop lets processes end at the same time, which under the race detector takes each a second.
func Stop(all ...*Process) {
	for _, p := range all {
		p.Input.Close()
	}
	for _, p := range all {
		p.cmd.Wait() // what it has to say stands on standard error
	}
}
