package pglog

import (
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lazysession/session/live/stream"
)

// SQLSTATEs that this package acts on (PostgreSQL manual, appendix A).
const (
	deadlockDetected     = "40P01"
	serializationFailure = "40001"
	undefinedTable       = "42P01"
	invalidSchemaName    = "3F000"
)

// hasCode reports whether PostgreSQL answered with one of these SQLSTATEs.
func hasCode(err error, codes ...string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && slices.Contains(codes, pg.Code)
}

// deadlocked reports whether PostgreSQL ended the transaction so that another one can go on. Nothing of it was applied.
func deadlocked(err error) bool { return hasCode(err, deadlockDetected, serializationFailure) }

// txError returns the error of a transaction as the contract has it.
func txError(err error) error {
	if deadlocked(err) {
		return errors.Join(stream.ErrDeadlock, err)
	}
	return err
}

// refused reports whether PostgreSQL has refused what was sent, so that nothing of it was applied.
func refused(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && !deadlocked(err)
}
