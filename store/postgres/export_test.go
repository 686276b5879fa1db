package postgres

import (
	"time"

	"github.com/lazysession/session/store"
)

// AppendMember adds a value to the text that is sent for a data column.
func AppendMember(object []byte, name, doc string) []byte {
	return appendMember(object, store.Edit{Name: name, JSON: doc})
}

// ReadData reads a data column as PostgreSQL prints it.
func ReadData(data string) (store.Values, error) { return readData(data) }

// SetSweepTime sets the time limit of a sweep.
func SetSweepTime(s *Store, d time.Duration) { s.sweepTime = d }

// AgeBacklog makes the next search begin at the beginning, as it does after a minute.
func AgeBacklog(s *Store) { s.backlog.since = s.backlog.since.Add(-sweepAgain) }

// A Skew exports skew.
type Skew = skew

// By exports skew.by.
var By = (*skew).by

// The functions that classify errors.
var (
	ConnectionLost = connectionLost
	OutcomeUnknown = outcomeUnknown
)
