package postgres

import (
	"time"

	"github.com/lazysession/session/store"
)

// AppendMember adds a value to the text of a data column as it is sent.
func AppendMember(object []byte, name, doc string) []byte {
	return appendMember(object, store.Edit{Name: name, JSON: doc})
}

// ReadData reads a data column as PostgreSQL prints it.
func ReadData(data string) (store.Values, error) { return readData(data) }

// SetSweepTime sets how long a sweep may take.
func SetSweepTime(s *Store, d time.Duration) { s.sweepTime = d }

// AgeBacklog makes the next search for what is due begin at the beginning, as it does after a minute.
func AgeBacklog(s *Store) { s.backlog.since = s.backlog.since.Add(-sweepAgain) }

// A Skew exports skew.
type Skew = skew

// By exports skew.by.
var By = (*skew).by

// What errors mean.
var (
	ConnectionLost = connectionLost
	OutcomeUnknown = outcomeUnknown
)
