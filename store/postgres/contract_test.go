package postgres_test

import (
	"testing"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/storetest"
)

func TestContract(t *testing.T) {
	pool := pgtest.Pool(t)
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, pool, silent) })
}

func TestContractThroughPgBouncer(t *testing.T) {
	pool, o := throughBouncer(t, pgtest.Shared(t).Database(t))
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, pool, o) })
}
