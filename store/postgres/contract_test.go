package postgres_test

import (
	"testing"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
	"github.com/lazysession/session/store/storetest"
)

func TestContract(t *testing.T) {
	pool := pgtest.Pool(t)
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, pool, silent) })
}

// The settings are those that the package's documentation names for PgBouncer in transaction mode.
func TestContractThroughPgBouncer(t *testing.T) {
	direct := pgtest.Shared(t).Database(t)
	pool := pgtest.Connect(t, pgtest.Shared(t).Bouncer(t, direct)+"?default_query_exec_mode=exec")
	o := &postgres.Options{Listen: direct, Logger: silent.Logger}
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, pool, o) })
}
