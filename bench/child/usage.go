package child

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// A Usage is what a process has used since it began, or uses.
type Usage struct {
	CPU       time.Duration
	Allocated uint64 // bytes, ever
	RSS       int64  // bytes of memory that the system has given it; 0 where that can't be read
	Heap      uint64 // bytes of live objects
	Stacks    uint64 // bytes
}

// What a process is asked for.
const (
	settled = "settled"
	now     = "now"
)

// Settled returns what the process uses after it has given back all memory that is free.
func (p *Process) Settled() (Usage, error) { return p.ask(settled) }

// Spent returns the processor time and the allocations of the process while f runs.
func (p *Process) Spent(f func() error) (Usage, error) {
	before, err := p.Settled()
	if err == nil {
		err = f()
	}
	after, err2 := p.ask(now)
	return Usage{CPU: after.CPU - before.CPU, Allocated: after.Allocated - before.Allocated}, errors.Join(err, err2)
}

func (p *Process) ask(when string) (u Usage, err error) {
	if _, err := io.WriteString(p.input, when+"\n"); err != nil {
		return u, err
	}
	line, err := p.output.ReadBytes('\n')
	if err != nil {
		return u, err
	}
	return u, json.Unmarshal(line, &u)
}

func currentUsage(settled bool) Usage {
	if settled {
		runtime.GC()
		runtime.GC() // also what pools have kept
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Usage{CPU: cpuTime(), Allocated: m.TotalAlloc, RSS: residentBytes(), Heap: m.HeapAlloc, Stacks: m.StackInuse}
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
