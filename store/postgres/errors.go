package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lazysession/session/store"
)

// SQLSTATEs that this package acts on (PostgreSQL manual, appendix A).
const (
	readOnlyTransaction = "25006"
	adminShutdown       = "57P01"
	crashShutdown       = "57P02"
	cannotConnectNow    = "57P03"
	connectionException = "08" // a class: three more characters follow

	serializationFailure = "40001"

	deadlockDetected   = "40P01"
	uniqueViolation    = "23505"
	exclusionViolation = "23P01"

	numericOutOfRange = "22003"
	invalidText       = "22P02"

	undefinedTable    = "42P01"
	invalidSchemaName = "3F000"
)

// hasCode reports whether PostgreSQL answered with one of these SQLSTATEs.
func hasCode(err error, codes ...string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && slices.Contains(codes, pg.Code)
}

// connectionLost reports whether a statement failed because the network did, or because the server shuts down.
func connectionLost(err error) bool {
	var pg *pgconn.PgError
	switch {
	case err == nil, errors.Is(err, pgx.ErrNoRows), errors.Is(err, errDamaged):
		return false
	case errors.As(err, &pg):
		return hasCode(err, adminShutdown, crashShutdown, cannotConnectNow) || strings.HasPrefix(pg.Code, connectionException)
	}
	return true
}

// outcomeUnknown reports whether a commit that returned err may have been applied all the same. That is so if it was
// sent and no answer came, or the server answered that it shuts down, which it can also do after the commit.
func outcomeUnknown(err error) bool {
	var connect *pgconn.ConnectError
	var never unsent
	switch {
	case !connectionLost(err), errors.As(err, &connect), errors.As(err, &never), hasCode(err, cannotConnectNow):
		return false
	case errors.Is(err, pgconn.ErrConnClosed):
		// If the answer to a simple query, such as COMMIT, is lost, pgx 5.12 returns an error as if the connection had been
		// closed before, and says that it is safe to try again. So a closed connection means an unknown outcome.
		return true
	}
	return !pgconn.SafeToRetry(err)
}

// An unsent error is one of a statement that was not sent.
type unsent struct{ error }

func (e unsent) Unwrap() error { return e.error }

// timedOut reports whether a statement waited too long, for its answer or for a connection of the pool. To reset the
// pool would then also close the connections that are just being made.
func timedOut(err error) bool { return pgconn.Timeout(err) || errors.Is(err, context.DeadlineExceeded) }

// commitError returns the error of a failed commit. It is ErrOutcomeUnknown if the commit may have been applied.
func commitError(err error) error {
	if !outcomeUnknown(err) {
		return fmt.Errorf("postgres: commit: %w", err)
	}
	return fmt.Errorf("postgres: %w: %w", store.ErrOutcomeUnknown, err)
}

// patient reports whether there is time for another try.
func patient(ctx context.Context) bool { return ctx.Err() == nil }
