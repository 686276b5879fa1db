package postgres_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
)

// The index on owners doesn't contain the sessions of the empty owner. PostgreSQL makes a generic plan, for any owner,
// after a connection has used a statement a few times. That plan can use the index only if the statement excludes the
// empty owner.
func TestGenericPlansUseTheIndexOnOwners(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	s, tr := tracedStoreOn(t, address)
	pool := genericPlans(t, address)
	for name, do := range map[string]func() error{
		"a login under a limit": func() error { return errOf(s.Commit(t.Context(), newToken(), login("ann", 2))) },
		"EndOwner":              func() error { return errOf(s.EndOwner(t.Context(), "ann", nil, store.Revoked)) },
		"a list of an owner": func() error {
			for _, err := range s.List(t.Context(), store.Filter{Owner: "ann"}) {
				return err
			}
			return nil
		},
	} {
		tr.take()
		check(t, do())
		for sql := range strings.SplitSeq(tr.take()[0], ";\n") {
			if !strings.Contains(sql, "s.owner = ") {
				continue
			}
			plan := explain(t, pool, sql)
			if !strings.Contains(plan, `"Index Name": "session_owner"`) || strings.Contains(plan, `"Seq Scan"`) {
				t.Errorf("%s doesn't use the index on owners:\n%s\n%s", name, sql, plan)
			}
		}
	}
}

// genericPlans returns a pool whose plans don't depend on the arguments, and use an index if there is one.
func genericPlans(t *testing.T, address string) *pgxpool.Pool {
	t.Helper()
	return pgtest.Connect(t, address+"?pool_max_conns=1&default_query_exec_mode=simple_protocol"+
		"&plan_cache_mode=force_generic_plan&enable_seqscan=off")
}

// explain returns the generic plan of a statement.
func explain(t *testing.T, pool *pgxpool.Pool, sql string) (plan string) {
	t.Helper()
	args := 0
	for strings.Contains(sql, "$"+strconv.Itoa(args+1)) {
		args++
	}
	exec(t, pool, "PREPARE plan AS "+sql)
	defer exec(t, pool, "DEALLOCATE plan")
	nulls := strings.TrimSuffix(strings.Repeat("NULL, ", args), ", ")
	return value[string](t, pool, "EXPLAIN (FORMAT JSON) EXECUTE plan("+nulls+")")
}
