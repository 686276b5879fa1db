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

// atOnce calls all fs at the same time and returns their errors.
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

// races is how often a test repeats a race.
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
				return errOf(b.Commit(ctx, r.Token, &store.Change{Touched: true, Edits: []store.Edit{set("a", "2")}}))
			})
		check(t, errs[0])
		if errs[1] != nil && !errors.Is(errs[1], store.ErrNotFound) {
			t.Fatalf("commit: got %v, want nil or %v", errs[1], store.ErrNotFound)
		}
		won[errs[1] == nil]++
		for _, s := range []*postgres.Store{a, b} {
			wantLoadError(t, s, r.Token, store.ErrNotFound)
		}
	}
	t.Logf("the commit came first %d times, the end %d times", won[true], won[false])
}

// If two servers renew a session at once, one succeeds. The other gets ErrRetired, and its token opens no session.
func TestRenewOnBothServers(t *testing.T) {
	a, b := twoServers(t)
	ctx := t.Context()
	for range races {
		r := create(t, a, creation(set("a", "1")))
		tokens := []store.Token{newToken(), newToken()}
		renew := func(s *postgres.Store, i int) func() error {
			return func() error {
				c := &store.Change{RenewTo: tokens[i], Edits: []store.Edit{set("by", strconv.Itoa(i))}}
				return errOf(s.Commit(ctx, r.Token, c))
			}
		}
		errs := atOnce(renew(a, 0), renew(b, 1))
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		loser := 1 - winner
		if errs[winner] != nil || !errors.Is(errs[loser], store.ErrRetired) {
			t.Fatalf("got %v, want nil and %v", errs, store.ErrRetired)
		}
		for _, s := range []*postgres.Store{a, b} {
			if by, _ := load(t, s, tokens[winner]).Values.Get("by"); by != strconv.Itoa(winner) {
				t.Errorf("written by %s, want %d", by, winner)
			}
			wantLoadError(t, s, tokens[loser], store.ErrNotFound)
			wantLoadError(t, s, r.Token, store.ErrRetired)
		}
	}
}

// A commit with the old token is refused after a renewal on another server.
func TestRenewAgainstCommit(t *testing.T) {
	a, b := twoServers(t)
	ctx := t.Context()
	for range races {
		r := create(t, a, creation())
		next := newToken()
		errs := atOnce(
			func() error { return errOf(a.Commit(ctx, r.Token, &store.Change{RenewTo: next})) },
			func() error {
				return errOf(b.Commit(ctx, r.Token, &store.Change{Edits: []store.Edit{set("a", "1")}}))
			})
		check(t, errs[0])
		_, written := load(t, b, next).Values.Get("a")
		if refused := errors.Is(errs[1], store.ErrRetired); written == refused {
			t.Fatalf("the commit: got %v, but its value is stored: %v", errs[1], written)
		}
	}
}

// Counters lose no addition, with any number of servers.
func TestCountersAcrossServers(t *testing.T) {
	a, b := twoServers(t)
	testCounters(t, []*postgres.Store{a, b})
}

func testCounters(t *testing.T, servers []*postgres.Store) {
	const goroutines, each = 6, 20
	r := create(t, servers[0], creation())
	want := make(map[string]int)
	var work []func() error
	for i := range goroutines {
		for j, s := range servers {
			name := fmt.Sprintf("own/%d/%d", i, j)
			changes := []store.Change{ // different statements
				{NoRecord: true, Edits: []store.Edit{add("one", 1)}},
				{Touched: true, Edits: []store.Edit{add("one", 1)}},
				{Edits: []store.Edit{add("many", 2), add(name, 1), set("x", "0")}},
			}
			want["one"], want["many"], want[name] = want["one"]+2*each, want["many"]+2*each, each
			work = append(work, func() error {
				for range each {
					for _, c := range changes {
						if err := errOf(s.Commit(t.Context(), r.Token, &c)); err != nil {
							return err
						}
					}
					if err := errOf(s.Load(t.Context(), r.Token)); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	check(t, errors.Join(atOnce(work...)...))
	got := load(t, servers[0], r.Token)
	for name, n := range want {
		if doc, _ := got.Values.Get(name); doc != strconv.Itoa(n) {
			t.Errorf("%s: got %s, want %d", name, doc, n)
		}
	}
	if want := uint32(1 + 3*each*len(work)); got.Version != want {
		t.Errorf("version: got %d, want %d", got.Version, want)
	}
}

// Compare-and-swap loses no update.
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
			c := &store.Change{IfVersion: was.Version, Edits: []store.Edit{set("n", strconv.Itoa(n+1))}}
			_, err = s.Commit(t.Context(), r.Token, c)
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

// A limit holds even if the logins come to several servers at once.
func TestLimitAcrossServers(t *testing.T) {
	a, b := twoServers(t)
	testLimit(t, []*postgres.Store{a, b})
}

func testLimit(t *testing.T, servers []*postgres.Store) {
	const limit = 3
	var work []func() error
	for range 10 {
		for _, s := range servers {
			work = append(work, func() error {
				return errOf(s.Commit(t.Context(), newToken(), login("ann", limit)))
			})
		}
	}
	check(t, errors.Join(atOnce(work...)...))
	if n := listed(t, servers[0], store.Filter{Owner: "ann"}); n != limit {
		t.Errorf("got %d sessions, want %d", n, limit)
	}
}

// If one server logs an owner in while another ends the owner's sessions, the login is ended as a whole or stays.
func TestEndOwnerAgainstLogin(t *testing.T) {
	a, b := twoServers(t)
	for i := range races {
		owner := strconv.Itoa(i)
		r := create(t, a, creation())
		next := newToken()
		errs := atOnce(
			func() error { return errOf(a.EndOwner(t.Context(), owner, nil, store.Revoked)) },
			func() error {
				c := &store.Change{RenewTo: next, Owner: &owner, MaxPerOwner: 1}
				return errOf(b.Commit(t.Context(), r.Token, c))
			})
		check(t, errors.Join(errs...))
		_, err := b.Load(t.Context(), next)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		wantLoadError(t, b, r.Token, store.ErrRetired)
	}
}
