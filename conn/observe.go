package conn

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

	"github.com/lazysession/session/slot"
)

// An Observer is told of what a connection reads and writes: the filter of a layer that counts, traces or watches.
// Bytes are those on the wire, so with TLS they are the encrypted ones.
//
// What sendfile or splice moves is told as it goes, in pieces of 256 KiB and a last one; a source that gives less for a
// long time is told of when its piece is full or it ends. The end is told to the reading side as io.EOF, and an error
// to both, since the kernel doesn't say whose it is. Where a copy would tell nobody, it is done without the kernel's
// help: io.CopyN from an observed connection to a file, and any copy from it to a Unix socket.
//
// It is told after the fact, in the goroutine that reads or writes, which waits for it. Reads and writes may go on at
// once. Once OnRelease hooks run it is told nothing more. An observer that panics is logged and stops no other.
type Observer interface {
	// OnRead is told that n bytes were read, and the error that Read returned.
	OnRead(n int64, err error)
	// OnWrite is told that n bytes were written, and the error that Write returned.
	OnWrite(n int64, err error)
}

var errObserve = errors.New("conn: Observe outside of an OnOpen hook")

// Observe adds an observer. Reads are told to the first added first, since it is nearest to the wire, and writes to it
// last. Connections without observers pay nothing for there being any.
//
// Only OnOpen hooks may call it, in their own goroutine; for others it returns an error.
func (c *Conn) Observe(o Observer) error {
	switch {
	case c == nil || !c.opening.Load():
		return errObserve
	case o == nil:
		return errors.New("conn: nil observer")
	}
	c.observers = append(c.observers, o)
	return nil
}

// observed reports whether there is anybody to tell. A nil Conn is not observed.
func (c *Conn) observed() bool { return c != nil && len(c.observers) > 0 }

func (c *Conn) tellRead(n int64, err error) {
	// The pin is what keeps observers from being told of more after the release.
	if !c.observed() || !c.data.Pin() {
		return
	}
	defer c.data.Unpin()
	for _, o := range c.observers {
		c.tell(o, n, err, Observer.OnRead)
	}
}

func (c *Conn) tellWrite(n int64, err error) {
	if !c.observed() || !c.data.Pin() {
		return
	}
	defer c.data.Unpin()
	for _, o := range slices.Backward(c.observers) {
		c.tell(o, n, err, Observer.OnWrite)
	}
}

// tell stops a panic of the observer, which would else end the process: net/http reads in goroutines of its own.
func (c *Conn) tell(o Observer, n int64, err error, what func(Observer, int64, error)) {
	defer func() {
		if v := recover(); v != nil {
			loggerOf(c.table).Error("conn: an observer panicked", slog.String("observer", fmt.Sprintf("%T", o)),
				slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
		}
	}()
	what(o, n, err)
}

func loggerOf(t *slot.Table) *slog.Logger {
	if t != nil && t.Logger != nil {
		return t.Logger
	}
	return slog.Default()
}
