package main

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
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// variable of the environment names the contender that a process of its own is to serve.
const variable = "SESSION_BENCH_LIVE"

// serveIfChild serves, and does not return, in a process that start has started. In any other it does nothing.
func serveIfChild() {
	name := os.Getenv(variable)
	if name == "" {
		return
	}
	if err := serve(name); err != nil {
		fmt.Fprintln(os.Stderr, "live:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve prints the address that it listens on, and its usage for each line of its standard input. It ends with that.
func serve(name string) error {
	at := slices.IndexFunc(contenders, func(c contender) bool { return c.name == name })
	if at < 0 {
		return fmt.Errorf("%s=%q: no such contender", variable, name)
	}
	handler, err := contenders[at].site()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	fmt.Println(l.Addr())
	go http.Serve(l, handler)
	out := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := out.Encode(currentUsage(lines.Text() == "settled")); err != nil {
			return err
		}
	}
	return nil
}

// A usage is what a server has used since it began, or uses.
type usage struct {
	CPU       time.Duration
	Allocated uint64 // bytes, ever
	RSS       int64  // bytes of memory that the system has given it; 0 where that can't be read
	Heap      uint64 // bytes of live objects
	Stacks    uint64 // bytes
}

// currentUsage first gives back all memory that is free, if settled is wanted.
func currentUsage(settled bool) usage {
	if settled {
		runtime.GC()
		runtime.GC() // also what pools have kept
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{CPU: cpuTime(), Allocated: m.TotalAlloc, RSS: residentBytes(), Heap: m.HeapAlloc, Stacks: m.StackInuse}
}

// residentBytes reads the second figure of /proc/self/statm, which is in pages.
func residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	fmt.Sscan(string(text), &size, &resident)
	return resident * int64(os.Getpagesize())
}

// A server is the process of one contender.
type server struct {
	name    string
	address string
	cmd     *exec.Cmd
	input   io.WriteCloser // its standard input, whose end is its own
	output  *bufio.Reader
}

func start(ctx context.Context, name string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), variable+"="+name)
	cmd.Stderr = os.Stderr
	input, err1 := cmd.StdinPipe()
	output, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		return nil, err
	}
	s := &server{name: name, cmd: cmd, input: input, output: bufio.NewReader(output)}
	address, err := s.output.ReadString('\n')
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("%s doesn't say where it listens: %w", name, err)
	}
	s.address = strings.TrimSpace(address)
	return s, nil
}

func (s *server) stop() {
	s.input.Close()
	s.cmd.Wait() // what it has to say stands on standard error
}

// usage asks the server what it uses: "now", or when "settled".
func (s *server) usage(when string) (u usage, err error) {
	if _, err := io.WriteString(s.input, when+"\n"); err != nil {
		return u, err
	}
	line, err := s.output.ReadBytes('\n')
	if err != nil {
		return u, err
	}
	return u, json.Unmarshal(line, &u)
}
