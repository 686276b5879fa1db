package main

import (
	"context"
	"iter"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lazysession/session/store"
)

// A usage counts the calls that one request makes of the session store.
type usage struct{ loads, commits, others atomic.Int64 }

type usageKey struct{}

// countUsage gives each request a usage. The Manager hands the values of the request's context on to the store.
func countUsage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), usageKey{}, new(usage))
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// usageOf returns the usage of a request. Outside requests it returns one that is thrown away.
func usageOf(ctx context.Context) *usage {
	if u, ok := ctx.Value(usageKey{}).(*usage); ok {
		return u
	}
	return new(usage)
}

// String is "1 load, 0 commits". Calls that end or list sessions are mentioned only if there were any.
func (u *usage) String() string {
	text := count(int(u.loads.Load()), "load") + ", " + count(int(u.commits.Load()), "commit")
	if n := u.others.Load(); n > 0 {
		text += ", " + count(int(n), "other call")
	}
	return text
}

// A countingStore counts each request's calls. The Manager finds a store's abilities by type assertion, so the wrapper
// must have them all. It gets them from the embedded interface.
type countingStore struct{ backend }

var (
	_ store.Volatile = countingStore{}
	_ store.Clock    = countingStore{}
)

func (s countingStore) Load(ctx context.Context, t store.Token) (*store.Record, error) {
	usageOf(ctx).loads.Add(1)
	return s.backend.Load(ctx, t)
}

func (s countingStore) Commit(ctx context.Context, t store.Token, c *store.Change) (*store.Record, error) {
	usageOf(ctx).commits.Add(1)
	return s.backend.Commit(ctx, t, c)
}

func (s countingStore) End(ctx context.Context, id store.ID, why store.Reason) error {
	usageOf(ctx).others.Add(1)
	return s.backend.End(ctx, id, why)
}

func (s countingStore) EndOwner(ctx context.Context, owner string, except []store.ID, why store.Reason) (int, error) {
	usageOf(ctx).others.Add(1)
	return s.backend.EndOwner(ctx, owner, except, why)
}

func (s countingStore) List(ctx context.Context, f store.Filter) iter.Seq2[*store.Record, error] {
	usageOf(ctx).others.Add(1)
	return s.backend.List(ctx, f)
}

// Volatile reports whether the store ends with the process. Stores without the method, such as databases, do not.
func (s countingStore) Volatile() bool {
	v, ok := s.backend.(store.Volatile)
	return ok && v.Volatile()
}

// Now returns the store's time if it has a clock of its own, else the process's.
func (s countingStore) Now() time.Time {
	if c, ok := s.backend.(store.Clock); ok {
		return c.Now()
	}
	return time.Now()
}
