package conn

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

	"github.com/lazysession/session/slot"
)

// An Observer is told of what a connection reads and writes. It is for layers that count, trace or watch. It counts the
// bytes on the wire: with TLS, those are the encrypted ones.
//
// Of the bytes that sendfile or splice moves, the Observer is told in pieces of 256 KiB and a last one. With a slow
// source it is told when the piece is full or the source ends. The end is reported to the reading side as io.EOF. An
// error is reported to both sides, since the kernel doesn't say on which side it was. Where the kernel would bypass the
// observers, the copy is done without it: io.CopyN from an observed connection to a file, and any copy from one to a
// Unix socket.
//
// The calls come afterwards, in the goroutine that reads or writes, which waits for them. A read and a write may call
// at the same time. Once OnRelease hooks run, there are no more calls. An observer that panics is logged, and the
// others are still called.
type Observer interface {
	// OnRead gets the number of bytes that were read, and the error that Read returned.
	OnRead(n int64, err error)
	// OnWrite gets the number of bytes that were written, and the error that Write returned.
	OnWrite(n int64, err error)
}

var errObserve = errors.New("conn: Observe outside of an OnOpen hook")

// Observe adds an observer. The one added first is nearest to the wire: it is told of reads before the others, and of
// writes after them. Connections without observers are no slower for this.
//
// Only OnOpen hooks may call Observe, in their own goroutine. Elsewhere it returns an error.
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

// observed reports whether there is an observer. A nil Conn has none.
func (c *Conn) observed() bool { return c != nil && len(c.observers) > 0 }

func (c *Conn) tellRead(n int64, err error) {
	// The pin fails after the release, so that observers are then not told.
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

// tell stops a panic of the observer. It would otherwise end the process, since net/http reads in goroutines of its
// own.
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
