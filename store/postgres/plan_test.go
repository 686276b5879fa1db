package postgres_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
)

// The index on owners leaves out nobody's sessions. A plan for any owner can use it only where the statement says that
// it leaves them out too, and PostgreSQL makes such a plan once a connection has used a statement a few times.
func TestGenericPlansUseTheIndexOnOwners(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	s, tr := tracedStoreOn(t, address)
	pool := pgtest.Connect(t, address+"?pool_max_conns=1&default_query_exec_mode=simple_protocol&plan_cache_mode=force_generic_plan&enable_seqscan=off")
	login := creation()
	login.Owner, login.MaxPerOwner = new("ann"), 2
	for name, do := range map[string]func() error{
		"a login under a limit": func() error { _, err := s.Commit(t.Context(), newToken(), login); return err },
		"the end of an owner":   func() error { _, err := s.EndOwner(t.Context(), "ann", nil, store.Revoked); return err },
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
				t.Errorf("%s does without the index on owners:\n%s\n%s", name, sql, plan)
			}
		}
	}
}

// explain returns the plan of a statement for any arguments.
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
