package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/lazysession/session/bench/child"
)

// serve prints its usage for each line of its standard input.
func serve(name string) error {
	at := slices.IndexFunc(contenders, func(c contender) bool { return c.name == name })
	if at < 0 {
		return fmt.Errorf("no such contender: %q", name)
	}
	site, err := contenders[at].site()
	if err != nil {
		return err
	}
	if err := child.Listen(site); err != nil {
		return err
	}
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
type server struct{ *child.Process }

func start(ctx context.Context, name string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := child.Start(exec.CommandContext(ctx, self), name)
	return &server{p}, err
}

func (s *server) stop() { child.Stop(s.Process) }

// usage asks the server what it uses: "now", or when "settled".
func (s *server) usage(when string) (u usage, err error) {
	if _, err := io.WriteString(s.Input, when+"\n"); err != nil {
		return u, err
	}
	line, err := s.Output.ReadBytes('\n')
	if err != nil {
		return u, err
	}
	return u, json.Unmarshal(line, &u)
}
