package postgres_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

// How PostgreSQL writes what is sent as text depends on settings, of which a pooler's client can name few.
func TestSettingsOfTexts(t *testing.T) {
	for _, setting := range []string{
		"bytea_output = 'escape'", "DateStyle = 'ISO, DMY'", "TimeZone = 'Asia/Kathmandu'",
		"IntervalStyle = 'iso_8601'", "extra_float_digits = -15",
	} {
		direct := pgtest.Shared(t).Database(t)
		admin := pgtest.Connect(t, direct)
		exec(t, admin, fmt.Sprintf("ALTER DATABASE %s SET %s", admin.Config().ConnConfig.Database, setting))
		for name, address := range map[string]string{
			"directly":          direct,
			"without prepared":  direct + "?default_query_exec_mode=exec",
			"by simple queries": direct + "?default_query_exec_mode=simple_protocol",
			"through PgBouncer": pgtest.Shared(t).Bouncer(t, direct) + "?default_query_exec_mode=exec",
		} {
			t.Run(setting+"/"+name, func(t *testing.T) {
				s := open(t, pgtest.Connect(t, address), &postgres.Options{NoListen: true})
				c := creation(set("a", "1"))
				c.Owner, c.MaxPerOwner = new("ann"), 1
				r := create(t, s, c)
				r = commit(t, s, r.Token, &store.Change{RenewTo: newToken(), Owner: new("ann"), MaxPerOwner: 1, Edits: []store.Edit{add("a", 1)}})
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

// Times that can't be read are found by Open, and not by the first visitor.
func TestOpenRefusesForeignDates(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	check(t, postgres.Migrate(t.Context(), pgtest.Connect(t, address), nil))
	pool := pgtest.Connect(t, address+"?default_query_exec_mode=exec&DateStyle=German")
	if s, err := postgres.Open(t.Context(), pool, silent); err == nil || !strings.Contains(err.Error(), "clock") {
		t.Errorf("got %v, %v, want an error about the clock", s, err)
	}
}

func wantSameTimes(t *testing.T, what string, got, want *store.Record) {
	t.Helper()
	if got.Token != want.Token || got.Created != want.Created || got.LastSeen != want.LastSeen || got.Values != want.Values {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}
