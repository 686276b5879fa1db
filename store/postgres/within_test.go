package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

var errUndone = errors.New("undone")

// Commits within a transaction are there when it commits, and never where it doesn't.
func TestCommitWithin(t *testing.T) {
	s, pool := newStore(t)
	r := create(t, s, creation())
	in := func(end error) error {
		return pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			began := 0
			ctx := postgres.Within(t.Context(), func(context.Context) (pgx.Tx, error) {
				began++
				return tx, nil
			})
			if _, err := s.Load(ctx, r.Token); err != nil || began != 0 {
				t.Errorf("Load: error %v, and the transaction was asked for %d times", err, began)
			}
			after, err := s.Commit(ctx, r.Token, &store.Change{Edits: []store.Edit{set("x", "1")}})
			if err != nil {
				t.Fatal(err)
			}
			if doc, _ := after.Values.Get("x"); doc != "1" || began != 1 {
				t.Errorf("Commit: got %q, and the transaction was asked for %d times", doc, began)
			}
			quiet := &store.Change{NoRecord: true, Edits: []store.Edit{set("y", "2")}}
			if _, err := s.Commit(ctx, r.Token, quiet); err != nil {
				t.Error(err)
			}
			if doc, ok := load(t, s, r.Token).Values.Get("x"); ok {
				t.Errorf("before the transaction has ended: got %q", doc)
			}
			return end
		})
	}
	if err := in(errUndone); !errors.Is(err, errUndone) {
		t.Fatal(err)
	}
	if doc, ok := load(t, s, r.Token).Values.Get("x"); ok {
		t.Errorf("after a transaction that was undone: got %q", doc)
	}
	if err := in(nil); err != nil {
		t.Fatal(err)
	}
	got := load(t, s, r.Token)
	x, _ := got.Values.Get("x")
	y, _ := got.Values.Get("y")
	if x != "1" || y != "2" {
		t.Errorf("after the transaction: got %q and %q", x, y)
	}
}

// What other servers are told of is no part of the transaction.
func TestCommitBesideATransaction(t *testing.T) {
	s, _ := newStore(t)
	ctx := postgres.Within(t.Context(), func(context.Context) (pgx.Tx, error) { return nil, errUndone })
	c := creation()
	token := newToken()
	if _, err := s.Commit(ctx, token, c); err != nil {
		t.Fatalf("a creation: %v", err)
	}
	next := newToken()
	if _, err := s.Commit(ctx, token, &store.Change{RenewTo: next}); err != nil {
		t.Fatalf("a renewal: %v", err)
	}
	if _, err := s.Commit(ctx, next, &store.Change{Edits: []store.Edit{set("x", "1")}}); !errors.Is(err, errUndone) {
		t.Errorf("a transaction that can't begin: got error %v, want %v", err, errUndone)
	}
}
