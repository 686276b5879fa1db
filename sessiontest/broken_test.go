package sessiontest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
	"github.com/lazysession/session/store/storetest"
)

func TestBrokenIsTheStoreUntilToldOtherwise(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return sessiontest.Broken(mem.New(nil)) })
}

// ways are all the calls of a BrokenStore.
var ways = map[sessiontest.Call]func(ctx context.Context, b *sessiontest.BrokenStore) error{
	sessiontest.Load: func(ctx context.Context, b *sessiontest.BrokenStore) error {
		_, err := b.Load(ctx, store.Token{1})
		return err
	},
	sessiontest.Commit: func(ctx context.Context, b *sessiontest.BrokenStore) error {
		_, err := b.Commit(ctx, store.Token{1}, &store.Change{Touched: true})
		return err
	},
	sessiontest.End: func(ctx context.Context, b *sessiontest.BrokenStore) error {
		return b.End(ctx, store.ID{1}, store.Revoked)
	},
	sessiontest.List: func(ctx context.Context, b *sessiontest.BrokenStore) error {
		for _, err := range b.List(ctx, store.Filter{All: true}) {
			return err
		}
		return nil
	},
	sessiontest.EndOwner: func(ctx context.Context, b *sessiontest.BrokenStore) error {
		_, err := b.EndOwner(ctx, "ann", nil, store.Revoked)
		return err
	},
	sessiontest.CheckLive: func(ctx context.Context, b *sessiontest.BrokenStore) error {
		_, err := b.CheckLive(ctx, []store.ID{{1}})
		return err
	},
	sessiontest.Sweep: func(ctx context.Context, b *sessiontest.BrokenStore) error {
		_, err := b.Sweep(ctx)
		return err
	},
	sessiontest.Ping: func(ctx context.Context, b *sessiontest.BrokenStore) error { return b.Ping(ctx) },
}

// newBroken returns a store with one record, whose token and ID are 1.
func newBroken(t *testing.T, s store.Store) *sessiontest.BrokenStore {
	t.Helper()
	change := &store.Change{Created: true, ID: store.ID{1}, IdleTimeout: time.Hour, Lifetime: time.Hour}
	if _, err := s.Commit(t.Context(), store.Token{1}, change); err != nil {
		t.Fatal(err)
	}
	return sessiontest.Broken(s)
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func TestBrokenFails(t *testing.T) {
	burning := errors.New("disk on fire")
	for call, do := range ways {
		t.Run(string(call), func(t *testing.T) {
			b := newBroken(t, mem.New(nil))
			b.Fail(nil)
			wantErr(t, "the broken store", do(t.Context(), b), sessiontest.ErrBroken)
			b.Fail(burning, call)
			wantErr(t, "the first call", do(t.Context(), b), burning)
			wantErr(t, "the second call", do(t.Context(), b), burning)
			for other, do := range ways {
				if other != call && other != sessiontest.End && other != sessiontest.EndOwner {
					wantErr(t, string(other), do(t.Context(), b), nil)
				}
			}
			b.Mend()
			wantErr(t, "the mended store", do(t.Context(), b), nil)
			b.FailNext(2, burning, call, "another")
			wantErr(t, "the first of two", do(t.Context(), b), burning)
			wantErr(t, "the second of two", do(t.Context(), b), burning)
			if err := do(t.Context(), b); errors.Is(err, burning) {
				t.Error("the third call failed as well")
			}
		})
	}
}

func TestBrokenHangs(t *testing.T) {
	burning := errors.New("disk on fire")
	for call, do := range ways {
		t.Run(string(call), func(t *testing.T) {
			for _, tt := range []struct {
				name string
				free func(b *sessiontest.BrokenStore, cancel context.CancelCauseFunc)
				want error
			}{
				{"until it is mended", func(b *sessiontest.BrokenStore, _ context.CancelCauseFunc) { b.Mend() }, nil},
				{"until it fails", func(b *sessiontest.BrokenStore, _ context.CancelCauseFunc) { b.Fail(burning) }, burning},
				{"until the context is done", func(_ *sessiontest.BrokenStore, cancel context.CancelCauseFunc) {
					cancel(burning)
				}, burning},
			} {
				synctest.Test(t, func(t *testing.T) {
					b := newBroken(t, mem.New(nil))
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					b.Hang(call)
					done := make(chan error, 1)
					go func() { done <- do(ctx, b) }()
					wantErr(t, "AwaitHang", b.AwaitHang(t.Context()), nil)
					synctest.Wait()
					select {
					case err := <-done:
						t.Fatalf("%s: the call returned %v at once", tt.name, err)
					default:
					}
					tt.free(b, cancel)
					wantErr(t, tt.name, <-done, tt.want)
					wantErr(t, "AwaitHang", b.AwaitHang(ctxDone()), context.Canceled)
				})
			}
		})
	}
}

func ctxDone() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestBrokenLosesReplies(t *testing.T) {
	b := newBroken(t, mem.New(nil))
	b.LoseReplies(1)
	set := func(doc string) error {
		_, err := b.Commit(t.Context(), store.Token{1}, &store.Change{Edits: []store.Edit{{Name: "a", JSON: doc}}})
		return err
	}
	wantErr(t, "the commit whose reply is lost", set("1"), store.ErrOutcomeUnknown)
	rec, err := b.Load(t.Context(), store.Token{1})
	wantErr(t, "Load", err, nil)
	if doc, _ := rec.Values.Get("a"); doc != "1" {
		t.Errorf("value: got %q, want what the commit has set", doc)
	}
	wantErr(t, "the next commit", set("2"), nil)
}

// A bare store has no optional ability.
type bare struct{ store.Store }

func TestBrokenAddsNoAbility(t *testing.T) {
	b := newBroken(t, bare{mem.New(nil)})
	for _, call := range []sessiontest.Call{
		sessiontest.List, sessiontest.EndOwner, sessiontest.CheckLive, sessiontest.Ping,
	} {
		wantErr(t, string(call), ways[call](t.Context(), b), errors.ErrUnsupported)
	}
	wantErr(t, "Sweep", ways[sessiontest.Sweep](t.Context(), b), nil)
	if b.Volatile() {
		t.Error("Volatile: got true, want false")
	}
	if d := time.Since(b.Now()); d < 0 || d > time.Hour {
		t.Errorf("Now: got %v ago, want now", d)
	}
}

// A Manager gets events whether the wrapped store is a Watcher or not.
func TestBrokenTellsOfEvents(t *testing.T) {
	for name, below := range map[string]store.Store{"mem": mem.New(nil), "a bare store": bare{mem.New(nil)}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := sessiontest.Broken(below)
				var kinds []store.Kind
				defer b.Watch(func(e store.Event) { kinds = append(kinds, e.Kind) })()
				change := &store.Change{Created: true, ID: store.ID{1}, IdleTimeout: time.Hour, Lifetime: time.Hour}
				_, err := b.Commit(t.Context(), store.Token{1}, change)
				_, err2 := b.Commit(t.Context(), store.Token{1}, &store.Change{RenewTo: store.Token{2}})
				wantErr(t, "calls", errors.Join(err, err2, b.End(t.Context(), store.ID{1}, store.Revoked)), nil)
				if want := []store.Kind{store.Created, store.Renewed, store.Ended}; !slices.Equal(kinds, want) {
					t.Errorf("events: got %v, want %v", kinds, want)
				}
			})
		})
	}
}
