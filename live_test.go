package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// checkIDs checks IDs in any order.
func checkIDs(t *testing.T, what string, got []session.ID, want ...session.ID) {
	t.Helper()
	byID := func(a, b session.ID) int { return bytes.Compare(a[:], b[:]) }
	slices.SortFunc(got, byID)
	slices.SortFunc(want, byID)
	expect.Equal(t, what, fmt.Sprint(got), fmt.Sprint(want))
}

func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixture.NewManagerOn(t, mem.New(nil), &session.Config{IdleTimeout: time.Hour})
		_, alice := fixture.Issue(t, m, "alice")
		_, bob := fixture.Issue(t, m, "bob")
		_, carol := fixture.Issue(t, m, "carol")
		ids := []session.ID{alice.ID(), bob.ID(), {1}, carol.ID(), alice.ID()}
		expect.OK(t, bob.End())
		expect.OK(t, carol.Renew())
		expect.OK(t, carol.Commit(t.Context()))
		live, err := m.Live(t.Context(), ids...)
		expect.OK(t, err)
		checkIDs(t, "live", live, alice.ID(), carol.ID())

		time.Sleep(40 * time.Minute)
		expect.OK(t, carol.Commit(t.Context()))
		live, err = m.Live(t.Context(), ids...)
		expect.OK(t, err)
		checkIDs(t, "live after 40 minutes", live, alice.ID(), carol.ID())
		time.Sleep(40 * time.Minute)
		live, err = m.Live(t.Context(), ids...)
		expect.OK(t, err)
		checkIDs(t, "live after 80 minutes, of which the one is used after 40", live, ids[3])
		live, err = m.Live(t.Context())
		expect.OK(t, err)
		checkIDs(t, "live of none", live)
	})
}

// A checking is a store whose CheckLive is a function.
type checking struct {
	store.Store
	check func(ctx context.Context, ids []store.ID) ([]store.ID, error)
}

func (c checking) CheckLive(ctx context.Context, ids []store.ID) ([]store.ID, error) {
	return c.check(ctx, ids)
}

func TestLiveRefusesWhatWasNotAskedFor(t *testing.T) {
	m := fixture.NewManagerOn(t, checking{fixture.NewStore(), func(context.Context, []store.ID) ([]store.ID, error) {
		return []store.ID{{1}, {9}, {1}, {}, {2}}, nil
	}}, nil)
	live, err := m.Live(t.Context(), session.ID{3}, session.ID{2}, session.ID{1}, session.ID{2})
	expect.OK(t, err)
	checkIDs(t, "live", live, session.ID{1}, session.ID{2})
}

func TestLiveWhereTheStoreCannotTell(t *testing.T) {
	for name, s := range map[string]store.Store{
		"a store": bare{fixture.NewStore()}, "a broken store around it": sessiontest.Broken(bare{mem.New(nil)}),
	} {
		live, err := fixture.NewManagerOn(t, s, nil).Live(t.Context(), session.ID{1})
		expect.Is(t, "Live on "+name, err, errors.ErrUnsupported)
		expect.Equal(t, "the error names the store, on "+name, strings.Contains(fmt.Sprint(err), "session_test.bare"), true)
		checkIDs(t, "live on "+name, live)
	}
	m := fixture.NewManagerOn(t, checking{fixture.NewStore(), func(context.Context, []store.ID) ([]store.ID, error) {
		return []store.ID{{1}}, fixture.ErrStore
	}}, nil)
	live, err := m.Live(t.Context(), session.ID{1})
	expect.Is(t, "Live on a store that fails", err, session.ErrUnavailable)
	expect.Is(t, "its cause", err, fixture.ErrStore)
	checkIDs(t, "live beside an error", live)
	live, err = m.Live(t.Context())
	expect.OK(t, err)
	checkIDs(t, "live of none", live)
}

func TestLiveHasAStoresTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sessiontest.Broken(mem.New(nil))
		m := fixture.NewManagerOn(t, s, &session.Config{StoreTimeout: time.Second})
		s.Hang(sessiontest.CheckLive)
		start := time.Now()
		_, err := m.Live(t.Context(), session.ID{1})
		expect.Is(t, "Live", err, session.ErrUnavailable)
		expect.Equal(t, "time", time.Since(start), time.Second)
	})
}
