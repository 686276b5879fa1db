package session

import (
	"context"
	"time"

	"github.com/lazysession/session/store"
)

// What the tests of the external package need of the inside.

// NewStoreContext returns the context of a store call, how to end it, and how to ask whether its timer was started.
func NewStoreContext(parent context.Context, timeout time.Duration) (ctx context.Context, release func(), timed func() bool) {
	c := &storeContext{parent: parent, timeout: timeout}
	return c, c.release, func() bool { return c.timed.Load() != nil }
}

// SignedWith signs a token and returns what is used again for the next one.
func SignedWith(key []byte, name string, raw [32]byte) any {
	s := newPen(key).idle.New().(*penState)
	s.sign(name, raw, time.Now())
	return s
}

const (
	QueueLen      = queueLen
	MaxCandidates = maxCandidates
	MaxLoads      = maxLoads
	ClockSlack    = clockSlack
)

// A KnownTokens is a knownTokens.
type KnownTokens struct{ knownTokens }

// A Fingerprint is a fingerprint.
type Fingerprint = fingerprint

func (k *KnownTokens) Find(p Fingerprint, now store.Instant) (store.Token, bool) {
	return k.find(p, now)
}

func (k *KnownTokens) Add(p Fingerprint, t store.Token, now store.Instant) { k.add(p, t, now) }
