package pglog_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/live/pglog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/live/stream/streamtest"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(nodeVariable); url != "" {
		if err := serveNode(url); err != nil {
			fmt.Fprintln(os.Stderr, "node:", err)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(pgtest.Main(m))
}

func open(t testing.TB, pool *pgxpool.Pool, o *pglog.Options) *pglog.Log {
	t.Helper()
	if err := pglog.Migrate(t.Context(), pool, o); err != nil {
		t.Fatal(err)
	}
	l, err := pglog.Open(t.Context(), pool, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(t.Context(), false) })
	return l
}

func TestLog(t *testing.T) {
	pool := pgtest.Pool(t)
	streamtest.Run(t, func(t *testing.T) stream.Log { return open(t, pool, nil) })
}
