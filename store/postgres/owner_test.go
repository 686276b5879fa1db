package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/lazysession/session/store"
)

// A login that comes while EndOwner waits for a row commits after it and stands; one that was under way is ended too.
func TestEndOwnerBesideLogin(t *testing.T) {
	for _, limit := range []int{0, 5} {
		for _, kind := range []string{"new session", "renewal", "change of owner"} {
			t.Run(fmt.Sprintf("%s, limit %d", kind, limit), func(t *testing.T) {
				s, pool := newStore(t)
				owner := new("ann")
				c := creation()
				c.Owner, c.MaxPerOwner = owner, limit
				first := create(t, s, c)
				guest, bobs := create(t, s, creation()), creation()
				bobs.Owner = new("bob")
				bob := create(t, s, bobs)
				login := func() (store.Token, error) {
					token, c := newToken(), creation()
					switch kind {
					case "renewal":
						token, c = guest.Token, &store.Change{RenewTo: newToken()}
					case "change of owner":
						token, c = bob.Token, &store.Change{}
					}
					c.Owner, c.MaxPerOwner = owner, limit
					r, err := s.Commit(t.Context(), token, c)
					if err != nil {
						return token, err
					}
					return r.Token, nil
				}

				gate := begin(t, pool, "SELECT FROM session_sessions WHERE id = '"+first.ID.String()+"' FOR UPDATE")
				ended, loggedIn := make(chan error, 1), make(chan error, 1)
				var mine store.Token
				go func() {
					_, err := s.EndOwner(t.Context(), *owner, nil, store.Revoked)
					ended <- err
				}()
				waitForWaiting(t, pool, 1)
				go func() {
					var err error
					mine, err = login()
					loggedIn <- err
				}()
				// The login commits now, where it waits for nobody, or after the end.
				commits := func() bool {
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
					if before = commits(); before {
						return nil
					}
					err := pool.QueryRow(ctx, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").Scan(&waiting)
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
				_, err := s.Load(t.Context(), mine)
				if before && !errors.Is(err, store.ErrNotFound) {
					t.Errorf("a login that committed before the end: got %v, want %v", err, store.ErrNotFound)
				}
				if !before && err != nil {
					t.Errorf("a login that committed after the end: got %v", err)
				}
				if _, err := s.Load(t.Context(), first.Token); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("the first session: got %v, want %v", err, store.ErrNotFound)
				}
			})
		}
	}
}

// A login that is under way when EndOwner begins is ended with the rest.
func TestEndOwnerWaitsForLogins(t *testing.T) {
	s, pool := newStore(t)
	guest := create(t, s, creation())
	gate := begin(t, pool, "SELECT FROM session_sessions FOR UPDATE")
	loggedIn, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := s.Commit(t.Context(), guest.Token, &store.Change{Owner: new("ann")})
		loggedIn <- err
	}()
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
	if _, err := s.Load(t.Context(), guest.Token); n != 1 || !errors.Is(err, store.ErrNotFound) {
		t.Errorf("ended %d sessions, and the login's loads with %v, want 1 and %v", n, err, store.ErrNotFound)
	}
}

// If a server or its network stops in the middle of a login or of an EndOwner, other logins still work.
func TestStoppedServerBlocksNobody(t *testing.T) {
	for _, mode := range []string{"cache_statement", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			s, direct, p, pool := proxied(t, "?pool_max_conns=1&default_query_exec_mode="+mode)
			login := func(s store.Store, ctx context.Context, owner string) error {
				c := creation()
				c.Owner, c.MaxPerOwner = &owner, 2
				_, err := s.Commit(ctx, newToken(), c)
				return err
			}
			stops := map[string]func(ctx context.Context) error{
				"a login": func(ctx context.Context) error { return login(s, ctx, "ann") },
				"an end": func(ctx context.Context) error {
					_, err := s.EndOwner(ctx, "ann", nil, store.Revoked)
					return err
				},
			}
			for name, work := range stops {
				const longer = 10 // than what any of them asks and is answered
				for answers := range longer {
					check(t, login(s, t.Context(), "carl")) // a connection that works
					ctx, cancel := context.WithCancel(t.Context())
					stopped := p.stopAfter(answers)
					done := make(chan error, 1)
					go func() { done <- work(ctx) }()
					select {
					case <-stopped:
					case err := <-done:
						check(t, err) // it was never stopped
					}
					others, free := context.WithTimeout(t.Context(), patience)
					for _, owner := range []string{"ann", "bob"} {
						if err := login(direct, others, owner); err != nil {
							t.Fatalf("while %s has stopped after %d answers, %s logs in: %v", name, answers, owner, err)
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
	login := func(ctx context.Context, guest *store.Record, owner string) error {
		_, err := s.Commit(ctx, guest.Token, &store.Change{RenewTo: newToken(), Owner: &owner, MaxPerOwner: 2})
		return err
	}
	held, free := create(t, s, creation()), create(t, s, creation())
	gate := begin(t, pool, "SELECT FROM session_sessions WHERE id = '"+held.ID.String()+"' FOR UPDATE")
	done := make(chan error, 1)
	go func() { done <- login(t.Context(), held, "ann") }()
	waitForWaiting(t, pool, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	check(t, login(ctx, free, "bob"))
	check(t, gate.Commit(t.Context()))
	check(t, <-done)
}
