package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/lazysession/session/store"
)

// A login during EndOwner that commits before it is ended by it. One that commits after it stays.
func TestEndOwnerBesideLogin(t *testing.T) {
	for _, limit := range []int{0, 5} {
		for _, kind := range []string{"new session", "renewal", "change of owner"} {
			t.Run(fmt.Sprintf("%s, limit %d", kind, limit), func(t *testing.T) {
				s, pool := newStore(t)
				first := create(t, s, login("ann", limit))
				guest, bob := create(t, s, creation()), create(t, s, login("bob", 0))
				loginAnn := func() (store.Token, error) {
					token, c := newToken(), creation()
					switch kind {
					case "renewal":
						token, c = guest.Token, &store.Change{RenewTo: newToken()}
					case "change of owner":
						token, c = bob.Token, &store.Change{}
					}
					c.Owner, c.MaxPerOwner = new("ann"), limit
					r, err := s.Commit(t.Context(), token, c)
					if err != nil {
						return token, err
					}
					return r.Token, nil
				}

				gate := begin(t, pool, "SELECT FROM session_sessions WHERE id = '"+first.ID.String()+"' FOR UPDATE")
				ended, loggedIn := make(chan error, 1), make(chan error, 1)
				var mine store.Token
				go func() { ended <- errOf(s.EndOwner(t.Context(), "ann", nil, store.Revoked)) }()
				waitForWaiting(t, pool, 1)
				go func() {
					var err error
					mine, err = loginAnn()
					loggedIn <- err
				}()
				// The login commits now if it waits for no lock, or else after EndOwner.
				committed := func() bool {
					select {
					case err := <-loggedIn:
						check(t, err)
						return true
					default:
						return false
					}
				}
				before := false
				eventually(t, patience, "the login has committed or waits", func(ctx context.Context) error {
					var waiting int
					if before = committed(); before {
						return nil
					}
					err := pool.QueryRow(ctx, "SELECT count(*) FROM pg_locks"+
						" WHERE locktype = 'advisory' AND NOT granted").Scan(&waiting)
					if err == nil && waiting == 0 {
						err = errors.New("neither")
					}
					return err
				})
				check(t, gate.Commit(t.Context()))
				check(t, <-ended)
				if !before {
					check(t, <-loggedIn)
				}
				if before {
					wantLoadError(t, s, mine, store.ErrNotFound)
				} else {
					load(t, s, mine)
				}
				wantLoadError(t, s, first.Token, store.ErrNotFound)
			})
		}
	}
}

// EndOwner waits for a login that has begun before it, and ends its session, too.
func TestEndOwnerWaitsForLogins(t *testing.T) {
	s, pool := newStore(t)
	guest := create(t, s, creation())
	gate := begin(t, pool, "SELECT FROM session_sessions FOR UPDATE")
	loggedIn, ended := make(chan error, 1), make(chan error, 1)
	go func() { loggedIn <- errOf(s.Commit(t.Context(), guest.Token, &store.Change{Owner: new("ann")})) }()
	waitForWaiting(t, pool, 1)
	var n int
	go func() {
		var err error
		n, err = s.EndOwner(t.Context(), "ann", nil, store.Revoked)
		ended <- err
	}()
	waitForWaiting(t, pool, 2)
	check(t, gate.Commit(t.Context()))
	check(t, errors.Join(<-loggedIn, <-ended))
	if n != 1 {
		t.Errorf("ended %d sessions, want 1", n)
	}
	wantLoadError(t, s, guest.Token, store.ErrNotFound)
}

// If a server or its network stops in the middle of a login or of an EndOwner, other logins still work.
func TestStoppedServerBlocksNoLogin(t *testing.T) {
	for _, mode := range []string{"cache_statement", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			s, direct, p, pool := proxied(t, "?pool_max_conns=1&default_query_exec_mode="+mode)
			logIn := func(s store.Store, ctx context.Context, owner string) error {
				return errOf(s.Commit(ctx, newToken(), login(owner, 2)))
			}
			stops := map[string]func(ctx context.Context) error{
				"a login": func(ctx context.Context) error { return logIn(s, ctx, "ann") },
				"an EndOwner": func(ctx context.Context) error {
					return errOf(s.EndOwner(ctx, "ann", nil, store.Revoked))
				},
			}
			for name, work := range stops {
				const most = 10 // more answers than any of them gets
				for answers := range most {
					check(t, logIn(s, t.Context(), "carl")) // on a connection that works
					ctx, cancel := context.WithCancel(t.Context())
					stopped := p.stopAfter(answers)
					done := make(chan error, 1)
					go func() { done <- work(ctx) }()
					select {
					case <-stopped:
					case err := <-done:
						check(t, err) // it has ended before the stop
					}
					others, free := context.WithTimeout(t.Context(), patience)
					for _, owner := range []string{"ann", "bob"} {
						if err := logIn(direct, others, owner); err != nil {
							t.Fatalf("%s stopped after %d answers, login of %s: %v", name, answers, owner, err)
						}
					}
					free()
					cancel()
					p.goOn()
					pool.Reset()
					p.cut()
				}
			}
		})
	}
}

// The empty owner has no lock. So first logins of different owners don't wait for each other.
func TestFirstLoginsDoNotWaitForEachOther(t *testing.T) {
	s, pool := newStore(t)
	logIn := func(ctx context.Context, guest *store.Record, owner string) error {
		c := &store.Change{RenewTo: newToken(), Owner: &owner, MaxPerOwner: 2}
		return errOf(s.Commit(ctx, guest.Token, c))
	}
	held, free := create(t, s, creation()), create(t, s, creation())
	gate := begin(t, pool, "SELECT FROM session_sessions WHERE id = '"+held.ID.String()+"' FOR UPDATE")
	done := make(chan error, 1)
	go func() { done <- logIn(t.Context(), held, "ann") }()
	waitForWaiting(t, pool, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	check(t, logIn(ctx, free, "bob"))
	check(t, gate.Commit(t.Context()))
	check(t, <-done)
}
