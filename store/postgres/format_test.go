package postgres_test

import (
	"strings"
	"testing"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

// Settings decide how PostgreSQL writes results in text format. The store reads them with any of these settings.
func TestSettingsOfTextFormat(t *testing.T) {
	for _, setting := range []string{
		"bytea_output = 'escape'", "DateStyle = 'ISO, DMY'", "TimeZone = 'Asia/Kathmandu'",
		"IntervalStyle = 'iso_8601'", "extra_float_digits = -15",
	} {
		direct := pgtest.Shared(t).Database(t)
		admin := pgtest.Connect(t, direct)
		alterDatabase(t, admin, "SET "+setting)
		for name, address := range map[string]string{
			"directly":            direct,
			"without preparation": direct + "?default_query_exec_mode=exec",
			"simple protocol":     direct + "?default_query_exec_mode=simple_protocol",
			"through PgBouncer":   pgtest.Shared(t).Bouncer(t, direct) + "?default_query_exec_mode=exec",
		} {
			t.Run(setting+"/"+name, func(t *testing.T) {
				s := open(t, pgtest.Connect(t, address), noListen)
				r := create(t, s, login("ann", 1, set("a", "1")))
				r = commit(t, s, r.Token, &store.Change{
					RenewTo: newToken(), Owner: new("ann"), MaxPerOwner: 1, Edits: []store.Edit{add("a", 1)},
				})
				got := load(t, s, r.Token)
				wantSameTimes(t, "Load", got, r)
				for listed, err := range s.List(t.Context(), store.Filter{Owner: "ann"}) {
					check(t, err)
					wantSameTimes(t, "List", listed, r)
				}
				sweepAll(t, s)
				check(t, s.End(t.Context(), r.ID, store.LoggedOut))
			})
		}
	}
}

// Open finds out that dates are in another style, before the first request.
func TestOpenRefusesForeignDates(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	check(t, postgres.Migrate(t.Context(), pgtest.Connect(t, address), nil))
	pool := pgtest.Connect(t, address+"?default_query_exec_mode=exec&DateStyle=German")
	if s, err := postgres.Open(t.Context(), pool, silent); err == nil || !strings.Contains(err.Error(), "clock") {
		t.Errorf("got %v, %v, want an error about the clock", s, err)
	}
}

// wantSameTimes tests that two records have the same token, times and values.
func wantSameTimes(t *testing.T, what string, got, want *store.Record) {
	t.Helper()
	same := got.Token == want.Token && got.Created == want.Created && got.LastSeen == want.LastSeen
	if !same || got.Values != want.Values {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}
