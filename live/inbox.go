package live

import (
	"sync"
	"time"
)

// An inbox runs a socket's tasks, the calls of the endpoint's functions, one after the other. A message is handled by
// the goroutine that has read it, so that an idle socket needs one goroutine and a busy one no more. Where a task takes
// long, another goroutine takes the reading over, so that acknowledgements and signs of life are still read.
type inbox struct {
	mu sync.Mutex
	// mu locks the remaining fields.
	queue   []func()
	working bool
	closed  bool      // the last task was queued
	reader  bool      // the goroutine that works is the one that reads
	since   time.Time // when the task at work began
}

// run runs a task in the goroutine that reads, with those that come meanwhile, or queues it where another goroutine
// works. It reports whether this goroutine still is the one that reads.
func (in *inbox) run(task func()) (reads bool) {
	if !in.begin(task, true) {
		return true
	}
	return in.work(task)
}

// push runs a task in another goroutine.
func (in *inbox) push(task func()) {
	if in.begin(task, false) {
		go in.work(task)
	}
}

// pushLast pushes the last task. Those that come after it are dropped.
func (in *inbox) pushLast(task func()) {
	in.mu.Lock()
	work := in.beginLocked(task, false)
	in.closed = true
	in.mu.Unlock()
	if work {
		go in.work(task)
	}
}

// begin makes the caller the worker, or queues the task for the one that there is.
func (in *inbox) begin(task func(), reader bool) (work bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.beginLocked(task, reader)
}

func (in *inbox) beginLocked(task func(), reader bool) (work bool) {
	if in.closed {
		return false
	}
	if in.working {
		in.queue = append(in.queue, task)
		return false
	}
	in.working, in.reader, in.since = true, reader, time.Now()
	return true
}

func (in *inbox) work(task func()) (reads bool) {
	for task != nil {
		task()
		task, reads = in.next()
	}
	return reads
}

// next returns the next task; nil where there is none, and then whether the worker still reads.
func (in *inbox) next() (task func(), reads bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.queue) == 0 {
		in.queue, in.working = nil, false
		return nil, in.reader
	}
	task, in.queue = in.queue[0], in.queue[1:]
	in.since = time.Now()
	return task, in.reader
}

// takeOver reports whether the goroutine that reads is at a task since before a time. The caller then starts another
// one that reads.
func (in *inbox) takeOver(before time.Time) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.working || !in.reader || in.since.After(before) {
		return false
	}
	in.reader = false
	return true
}
