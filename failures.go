package session

import (
	"slices"

	"github.com/lazysession/session/store"
)

// A response must not say that all went well when something did not. So a Session remembers each operation of its
// request that has failed until the same one succeeds, or until Degrade says that the handler knows. A response that
// would be a success is then refused. Handlers need not look at every error for their answer to be true.

// An operation is what a method of a key or a Session does, by name where there are many of a kind.
type operation struct {
	kind  kind
	name  string // of the value or label
	delta int64  // that is added
	text  string // of a message
}

// A kind is a kind of operation.
type kind uint8

const (
	readValue kind = iota
	changeValue
	addToValue
	addMessage
	inspect // anything else that only reads: Exists, Info, Names
	renew
	end
	setOwner
	setLabel
	setTimes // idle timeout, lifetime or persistence, by name; all three without one
	clearValues
	commit
	reload
)

func reading(name string) operation { return operation{kind: readValue, name: name} }

func changing(name string) operation { return operation{kind: changeValue, name: name} }

func adding(name string, delta int64) operation {
	return operation{kind: addToValue, name: name, delta: delta}
}

func inspecting(what string) operation { return operation{kind: inspect, name: what} }

// makesGood reports whether the success of op makes up for the failure of an earlier operation: of the same, of reading
// a value that is changed now, or of adding to a value that is set now. An addition makes up for no other addition.
func (op operation) makesGood(failed operation) bool {
	switch op.kind {
	case changeValue:
		return failed.name == op.name && (failed.kind == changeValue || failed.kind == readValue || failed.kind == addToValue)
	case setTimes:
		return failed == op || failed.kind == setTimes && op.name == ""
	case addToValue:
		return failed == op || failed == reading(op.name)
	default:
		return failed == op
	}
}

// changes reports whether the operation was to change something.
func (op operation) changes() bool {
	return op.kind != readValue && op.kind != inspect && op.kind != reload
}

// A trouble is what a Session knows of failures.
type trouble struct {
	unavailable error     // why the session is failed
	lost        error     // unavailable, when a commit had no answer
	failures    []failure // operations that have failed and were not made good
	degraded    bool      // Degrade was called
}

// A failure is an operation that has failed, and why.
type failure struct {
	operation
	err error
}

// settle notes how something went outside the lock that belongs to an operation, and returns its error as it is.
func (s *Session) settle(op operation, err error) error {
	if s.m != nil && (err != nil || s.in(failing)) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.visitLocked().settle(op, err)
	}
	return err
}

// settle notes how an operation went. Sessions outside HTTP have no response to refuse, and a response that was decided
// on can't be refused any more.
func (v *visit) settle(op operation, err error) {
	switch {
	case v.s.x == nil, v.decided, v.s.in(closed):
	case err != nil:
		v.noteFailure(op, err)
	default:
		v.madeGood(op)
	}
}

// noteFailure notes that an operation has failed.
func (v *visit) noteFailure(op operation, err error) {
	t := v.troubles()
	if t.degraded && !op.changes() {
		return
	}
	t.failures = append(slices.DeleteFunc(t.failures, func(f failure) bool { return f.operation == op }), failure{op, err})
	v.s.phase.Or(failing | used) // used, so that the response looks
}

// lose notes that what the change was to do is lost.
func (v *visit) lose(err error) {
	c := &v.change
	for _, e := range c.Edits {
		if e.Op == store.Add {
			v.settle(adding(e.Name, e.Delta), err)
		} else {
			v.settle(changing(e.Name), err)
		}
	}
	for name := range c.Labels {
		v.settle(operation{kind: setLabel, name: name}, err)
	}
	if c.Renews() {
		v.settle(operation{kind: renew}, err)
	}
	if c.Owner != nil {
		v.settle(operation{kind: setOwner}, err)
	}
	if c.Cleared {
		v.settle(operation{kind: clearValues}, err)
	}
	if !c.Created && (c.IdleTimeout != 0 || c.Lifetime != 0 || c.Persistent != nil) {
		v.settle(operation{kind: setTimes}, err)
	}
}

// foundMade forgets the failures of a commit without an answer: it was made after all, and in one step.
func (v *visit) foundMade() {
	v.forgive(func(f failure) bool { return f.err == v.lost })
}

// madeGood forgets the failures that the success of an operation makes good.
func (v *visit) madeGood(op operation) {
	if !v.s.in(failing) {
		return
	}
	v.forgive(func(f failure) bool { return op.makesGood(f.operation) })
}

func (v *visit) forgive(which func(failure) bool) {
	v.failures = slices.DeleteFunc(v.failures, which)
	if len(v.failures) == 0 {
		v.s.phase.And(^failing)
	}
}

// overlooked returns the error of the last operation that has failed and was not made good, which knows most of the
// session; nil where there is none.
func (v *visit) overlooked() error {
	if !v.s.in(failing) {
		return nil
	}
	return v.failures[len(v.failures)-1].err
}

// Degrade says that the handler knows of the operations that have failed in this request, and goes on without what they
// were to do: a page in default colors, say, where the store can't be reached. Without it, a response that would be a
// success (a status below 400) is refused after a failure, and Config.OnError answers in its place; an operation is
// also made good when it succeeds later in the same request. After Degrade, reads that fail refuse nothing for the rest
// of the request, while changes that fail later still do.
func (s *Session) Degrade() {
	if s.x == nil || s.in(closed) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.visitLocked().troubles()
	t.degraded, t.failures = true, nil
	s.phase.And(^failing)
}

func (v *visit) troubles() *trouble {
	if v.trouble == nil {
		v.trouble = new(trouble)
	}
	return v.trouble
}
