package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lazysession/session/internal/suite"
	"github.com/lazysession/session/store"
)

// A probe is the test of a rule and the store under test. Its methods end the test when the store breaks the contract,
// so they are for the test's own goroutine.
type probe struct {
	*testing.T
	store store.Store
	ctx   context.Context
}

// need returns the store as an optional interface, or skips the rule.
func need[T any](p *probe) T {
	p.Helper()
	able, ok := p.store.(T)
	if !ok {
		p.Skipf("this store is no %v, so the rule does not apply: %T", reflect.TypeFor[T](), p.store)
	}
	return able
}

// Timeouts that no test outlasts.
const (
	idleTimeout = time.Hour
	lifetime    = 24 * time.Hour
)

// creation returns a Change that makes a new record.
func creation(edits ...store.Edit) *store.Change {
	c := change(edits...)
	c.Created, c.ID, c.IdleTimeout, c.Lifetime = true, newID(), idleTimeout, lifetime
	return c
}

// creationFor is a creation with an owner.
func creationFor(owner string, edits ...store.Edit) *store.Change {
	c := creation(edits...)
	c.Owner = &owner
	return c
}

// change returns a Change with edits.
func change(edits ...store.Edit) *store.Change {
	slices.SortFunc(edits, func(a, b store.Edit) int { return strings.Compare(a.Name, b.Name) })
	return &store.Change{Edits: edits}
}

func renewal(to store.Token, edits ...store.Edit) *store.Change {
	c := change(edits...)
	c.RenewTo = to
	return c
}

func set(name, json string) store.Edit { return store.Edit{Name: name, Op: store.Set, JSON: json} }
func add(name string, delta int64) store.Edit {
	return store.Edit{Name: name, Op: store.Add, Delta: delta}
}
func remove(name string) store.Edit { return store.Edit{Name: name, Op: store.Delete} }

func newToken() (t store.Token) { rand.Read(t[:]); return t }
func newID() (id store.ID)      { rand.Read(id[:]); return id }
func newOwner() string          { return "storetest " + rand.Text() }

// create makes a session under a new token, and ends it with the test.
func (p *probe) create(c *store.Change) *store.Record {
	p.Helper()
	r, err := p.tryCreate(c)
	if err != nil {
		p.Fatalf("Commit with Created: %v", err)
	}
	return r
}

// tryCreate is create for any goroutine.
func (p *probe) tryCreate(c *store.Change) (*store.Record, error) {
	p.endLater(c.ID)
	return checked(p.store.Commit(p.ctx, newToken(), c))
}

// endLater ends a session at the end of the test.
func (p *probe) endLater(id store.ID) {
	p.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = p.store.End(ctx, id, store.LoggedOut)
	})
}

// load returns the record of a token that has to be live.
func (p *probe) load(token store.Token) *store.Record {
	p.Helper()
	r, err := checked(p.store.Load(p.ctx, token))
	if err != nil {
		p.Fatalf("Load: %v", err)
	}
	return r
}

// commit applies a change that has to succeed.
func (p *probe) commit(token store.Token, c *store.Change) *store.Record {
	p.Helper()
	r, err := checked(p.store.Commit(p.ctx, token, c))
	if err != nil {
		p.Fatalf("Commit: %v", err)
	}
	return r
}

// checked turns a missing record into an error, so that no rule panics because of it.
func checked(r *store.Record, err error) (*store.Record, error) {
	if r == nil && err == nil {
		return nil, errors.New("no record and no error")
	}
	return r, err
}

func (p *probe) end(id store.ID, why store.Reason) {
	p.Helper()
	if err := p.store.End(p.ctx, id, why); err != nil {
		p.Fatalf("End: %v", err)
	}
}

// wantLoad tests what Load of a token returns as its error.
func (p *probe) wantLoad(token store.Token, want error) {
	p.Helper()
	_, err := p.store.Load(p.ctx, token)
	p.wantError("Load", err, want)
}

// wantCommit tests what Commit returns as its error.
func (p *probe) wantCommit(token store.Token, c *store.Change, want error) {
	p.Helper()
	_, err := p.store.Commit(p.ctx, token, c)
	p.wantError("Commit", err, want)
}

func (p *probe) wantError(call string, got, want error) {
	p.Helper()
	if !errors.Is(got, want) {
		p.Errorf("%s: got error %v, want %v", call, got, want)
	}
}

// wantUnchanged tests that the store still has the same record.
func (p *probe) wantUnchanged(was *store.Record) {
	p.Helper()
	p.wantSame(p.load(was.Token), was)
}

func (p *probe) wantSame(got, want *store.Record) {
	p.Helper()
	if diff := diff(got, want); diff != "" {
		p.Errorf("the record is not what it should be:\n%s", diff)
	}
}

// wantValues tests all values of a record: name, document, name, document…, in the order of store.CompareNames.
func (p *probe) wantValues(r *store.Record, want ...string) {
	p.Helper()
	var got []string
	for name, doc := range r.Values.All() {
		got = append(got, name, doc)
	}
	if !slices.Equal(got, want) {
		p.Errorf("values: got %q, want %q", got, want)
	}
}

// diff says in which fields records differ, one a line. It compares durations and instants exactly. It compares tokens,
// too, but doesn't show them.
func diff(got, want *store.Record) string {
	var b strings.Builder
	field := func(name string, same bool, got, want any) {
		if !same {
			fmt.Fprintf(&b, "\t%s: got %v, want %v\n", name, brief(got), brief(want))
		}
	}
	field("Token", got.Token == want.Token, "another token", "its token")
	field("ID", got.ID == want.ID, got.ID, want.ID)
	field("Version", got.Version == want.Version, got.Version, want.Version)
	field("Persistent", got.Persistent == want.Persistent, got.Persistent, want.Persistent)
	field("Created", got.Created == want.Created, got.Created, want.Created)
	field("LastSeen", got.LastSeen == want.LastSeen, got.LastSeen, want.LastSeen)
	field("IdleTimeout", got.IdleTimeout == want.IdleTimeout, got.IdleTimeout, want.IdleTimeout)
	field("Lifetime", got.Lifetime == want.Lifetime, got.Lifetime, want.Lifetime)
	field("Owner", got.Owner == want.Owner, got.Owner, want.Owner)
	field("Labels", maps.Equal(got.Labels, want.Labels), got.Labels, want.Labels)
	field("Values", got.Values == want.Values, got.Values, want.Values)
	return b.String()
}

// brief cuts long texts, so that they don't fill the screen.
func brief(v any) string {
	const most = 200
	s := fmt.Sprintf("%+q", fmt.Sprint(v))
	if len(s) > most {
		s = s[:most] + "…"
	}
	return s
}

// together runs f in n goroutines that start at once, waits for all, and ends the test if one returns an error.
func (p *probe) together(n int, f func(i int) error) {
	p.Helper()
	if err := suite.Together(n, f); err != nil {
		p.Fatal(err)
	}
}

// whileDoing calls do once. Meanwhile two goroutines call look again and again, and once more afterwards.
func (p *probe) whileDoing(do, look func() error) {
	p.Helper()
	var done atomic.Bool
	p.together(3, func(i int) error {
		if i == 0 {
			defer done.Store(true)
			return do()
		}
		for last := false; !last; {
			last = done.Load()
			if err := look(); err != nil {
				return err
			}
		}
		return nil
	})
}

// live returns how many of the tokens load. It ends the test on any error that doesn't say that a token is dead.
func (p *probe) live(tokens []store.Token) int {
	p.Helper()
	n := 0
	for _, token := range tokens {
		switch _, err := p.store.Load(p.ctx, token); {
		case err == nil:
			n++
		case !errors.Is(err, store.ErrNotFound):
			p.Fatalf("Load: %v", err)
		}
	}
	return n
}
