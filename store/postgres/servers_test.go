package postgres_test

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

// atOnce runs fs at the same time and returns their errors.
func atOnce(fs ...func() error) []error {
	errs := make([]error, len(fs))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i, f := range fs {
		wg.Go(func() {
			<-start
			errs[i] = f()
		})
	}
	close(start)
	wg.Wait()
	return errs
}

const races = 100

// A logout on one server ends the session, even while another server commits to it, in any order.
func TestEndAgainstCommit(t *testing.T) {
	a, b := twoServers(t)
	ctx := t.Context()
	won := map[bool]int{}
	for range races {
		r := create(t, a, creation(set("a", "1")))
		errs := atOnce(
			func() error { return a.End(ctx, r.ID, store.LoggedOut) },
			func() error {
				_, err := b.Commit(ctx, r.Token, &store.Change{Touched: true, Edits: []store.Edit{set("a", "2")}})
				return err
			})
		check(t, errs[0])
		if errs[1] != nil && !errors.Is(errs[1], store.ErrNotFound) {
			t.Fatalf("commit: got %v, want none or %v", errs[1], store.ErrNotFound)
		}
		won[errs[1] == nil]++
		for _, s := range []*postgres.Store{a, b} {
			if got, err := s.Load(ctx, r.Token); !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("after End: got %+v, %v, want %v", got, err, store.ErrNotFound)
			}
		}
	}
	t.Logf("the commit came first %d times, the end %d times", won[true], won[false])
}

// Of two logins at once one wins, and the loser's token never opens anything.
func TestRenewOnBothServers(t *testing.T) {
	a, b := twoServers(t)
	ctx := t.Context()
	for range races {
		r := create(t, a, creation(set("a", "1")))
		tokens := []store.Token{newToken(), newToken()}
		renew := func(s *postgres.Store, i int) func() error {
			return func() error {
				_, err := s.Commit(ctx, r.Token, &store.Change{RenewTo: tokens[i], Edits: []store.Edit{set("by", strconv.Itoa(i))}})
				return err
			}
		}
		errs := atOnce(renew(a, 0), renew(b, 1))
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		loser := 1 - winner
		if errs[winner] != nil || !errors.Is(errs[loser], store.ErrRetired) {
			t.Fatalf("got %v, want one of them to win and the other to get %v", errs, store.ErrRetired)
		}
		for _, s := range []*postgres.Store{a, b} {
			if by, _ := load(t, s, tokens[winner]).Values.Get("by"); by != strconv.Itoa(winner) {
				t.Errorf("written by %s, want %d", by, winner)
			}
			if _, err := s.Load(ctx, tokens[loser]); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("the loser's token: got %v, want %v", err, store.ErrNotFound)
			}
			if _, err := s.Load(ctx, r.Token); !errors.Is(err, store.ErrRetired) {
				t.Errorf("the old token: got %v, want %v", err, store.ErrRetired)
			}
		}
	}
}

// A request that came with the old token can't write past a login on another server.
func TestRenewAgainstCommit(t *testing.T) {
	a, b := twoServers(t)
	ctx := t.Context()
	for range races {
		r := create(t, a, creation())
		next := newToken()
		errs := atOnce(
			func() error { _, err := a.Commit(ctx, r.Token, &store.Change{RenewTo: next}); return err },
			func() error {
				_, err := b.Commit(ctx, r.Token, &store.Change{Edits: []store.Edit{set("a", "1")}})
				return err
			})
		check(t, errs[0])
		_, written := load(t, b, next).Values.Get("a")
		if refused := errors.Is(errs[1], store.ErrRetired); written == refused {
			t.Fatalf("the other's commit: got %v, and its value is there: %v", errs[1], written)
		}
	}
}

// Counters lose no addition, with any number of servers.
func TestCountersAcrossServers(t *testing.T) {
	a, b := twoServers(t)
	const goroutines, each = 8, 25
	r := create(t, a, creation())
	var work []func() error
	for i := range goroutines {
		for j, s := range []*postgres.Store{a, b} {
			name := fmt.Sprintf("own/%d/%d", i, j)
			work = append(work, func() error {
				for range each {
					// A single addition and several are different statements.
					for _, c := range []*store.Change{{Edits: []store.Edit{add("one", 1)}}, {Edits: []store.Edit{add("many", 2), add(name, 1), set("x", "0")}}} {
						if _, err := s.Commit(t.Context(), r.Token, c); err != nil {
							return err
						}
					}
				}
				return nil
			})
		}
	}
	check(t, errors.Join(atOnce(work...)...))
	got := load(t, b, r.Token)
	want := map[string]int{"one": 2 * goroutines * each, "many": 4 * goroutines * each}
	for i := range goroutines {
		want[fmt.Sprintf("own/%d/0", i)], want[fmt.Sprintf("own/%d/1", i)] = each, each
	}
	for name, n := range want {
		if doc, _ := got.Values.Get(name); doc != strconv.Itoa(n) {
			t.Errorf("%s: got %s, want %d", name, doc, n)
		}
	}
	if want := uint32(1 + 4*goroutines*each); got.Version != want {
		t.Errorf("version: got %d, want %d", got.Version, want)
	}
}

// A compare-and-swap loses no update either.
func TestCompareAndSwapAcrossServers(t *testing.T) {
	a, b := twoServers(t)
	const goroutines, each = 4, 10
	r := create(t, a, creation(set("n", "0")))
	increment := func(s *postgres.Store) error {
		for {
			was, err := s.Load(t.Context(), r.Token)
			if err != nil {
				return err
			}
			doc, _ := was.Values.Get("n")
			n, err := strconv.Atoi(doc)
			if err != nil {
				return err
			}
			_, err = s.Commit(t.Context(), r.Token, &store.Change{IfVersion: was.Version, Edits: []store.Edit{set("n", strconv.Itoa(n+1))}})
			if !errors.Is(err, store.ErrConflict) {
				return err
			}
		}
	}
	var work []func() error
	for range goroutines {
		for _, s := range []*postgres.Store{a, b} {
			work = append(work, func() error {
				for range each {
					if err := increment(s); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	check(t, errors.Join(atOnce(work...)...))
	if doc, _ := load(t, a, r.Token).Values.Get("n"); doc != strconv.Itoa(2*goroutines*each) {
		t.Errorf("got %s, want %d", doc, 2*goroutines*each)
	}
}

// A limit holds though the logins come to both servers at once.
func TestLimitAcrossServers(t *testing.T) {
	a, b := twoServers(t)
	owner := "ann"
	const limit = 3
	login := func(s *postgres.Store) func() error {
		return func() error {
			c := creation()
			c.Owner, c.MaxPerOwner = &owner, limit
			_, err := s.Commit(t.Context(), newToken(), c)
			return err
		}
	}
	var work []func() error
	for range 10 {
		work = append(work, login(a), login(b))
	}
	check(t, errors.Join(atOnce(work...)...))
	n := 0
	for _, err := range a.List(t.Context(), store.Filter{Owner: owner}) {
		check(t, err)
		n++
	}
	if n != limit {
		t.Errorf("got %d sessions, want %d", n, limit)
	}
}

// A login that comes to one server while another logs its owner out everywhere is ended whole or stands whole.
func TestEndOwnerAgainstLogin(t *testing.T) {
	a, b := twoServers(t)
	for i := range races {
		owner := strconv.Itoa(i)
		r := create(t, a, creation())
		next := newToken()
		errs := atOnce(
			func() error { _, err := a.EndOwner(t.Context(), owner, nil, store.Revoked); return err },
			func() error {
				_, err := b.Commit(t.Context(), r.Token, &store.Change{RenewTo: next, Owner: &owner, MaxPerOwner: 1})
				return err
			})
		check(t, errors.Join(errs...))
		_, err := b.Load(t.Context(), next)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		if _, err := b.Load(t.Context(), r.Token); !errors.Is(err, store.ErrRetired) {
			t.Fatalf("the old token: got %v, want %v", err, store.ErrRetired)
		}
	}
}
