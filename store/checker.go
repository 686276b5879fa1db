package store

import "context"

// A Checker says which records are live, for code that may have missed their ends: after a Missed event, say.
type Checker interface {
	// CheckLive returns those of ids whose records are live, in any order, each one once. It leaves out unknown IDs and
	// those of records that have ended or expired. The number of ids is not limited: a store divides them into batches
	// itself. Where it can't tell of one of them, it returns an error, and no IDs.
	// CheckLive only borrows ids, and is no use of the records.
	CheckLive(ctx context.Context, ids []ID) ([]ID, error)
}
