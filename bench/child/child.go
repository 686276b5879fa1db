// Package child runs the servers of contenders in processes of their own, so that what a server takes is its own. Such
// a process is this program itself, started anew. So the program calls [Main] before anything else.
package child

import (
	"bufio"
	"context"
	"encoding/json"
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

// variable of the environment names the site that a process is to serve.
const variable = "SESSION_BENCH_CHILD"

// A Site makes the handler of a server.
type Site func() (http.Handler, error)

// Main serves one of the sites, and does not return, in a process that Start has started. In any other it does nothing.
func Main(sites map[string]Site) {
	name := os.Getenv(variable)
	if name == "" {
		return
	}
	if err := serve(sites, name); err != nil {
		fmt.Fprintf(os.Stderr, "server of %q: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve serves on one core, prints the address, and then its usage for each line of standard input. It returns when
// standard input ends: also when the process that has started this one is killed.
func serve(sites map[string]Site, name string) error {
	site := sites[name]
	if site == nil {
		return errors.New("no such site")
	}
	handler, err := site()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	go http.Serve(l, handler)
	fmt.Println(l.Addr())
	out := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := out.Encode(currentUsage(lines.Text() == settled)); err != nil {
			return err
		}
	}
	return nil
}

// A Process serves one site.
type Process struct {
	Address string // host and port
	cmd     *exec.Cmd
	input   io.WriteCloser
	output  *bufio.Reader
}

// Start starts this program as the server of a site.
func Start(ctx context.Context, site string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := onCore(ctx, serverCore, self)
	cmd.Env = append(os.Environ(), variable+"="+site)
	cmd.Stderr = os.Stderr
	input, err1 := cmd.StdinPipe()
	output, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, input: input, output: bufio.NewReader(output)}
	address, err := p.output.ReadString('\n')
	if err != nil {
		p.Stop()
		return nil, fmt.Errorf("the server of %s doesn't say where it listens (is child.Main called?): %w", site, err)
	}
	p.Address = strings.TrimSpace(address)
	return p, nil
}

// Stop returns when the process has ended.
func (p *Process) Stop() {
	p.input.Close()
	p.cmd.Wait() // what it has to say stands on standard error
}
