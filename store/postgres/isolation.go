package postgres

// The promises of this package need statements at read committed, PostgreSQL's default, where each statement sees what
// was committed before it began. A server, a database, a role or a pool can set another default. Then each statement is
// sent in a transaction that asks for read committed.
const begin = "BEGIN ISOLATION LEVEL READ COMMITTED"

// noteIsolation notes whether statements need to ask for read committed.
func (d *db) noteIsolation(isolation string) {
	d.otherIsolation.Store(isolation != "read committed")
}

// noteIsolationChange notes a serialization failure. There is none at read committed, so the default has changed since
// Open.
func (d *db) noteIsolationChange(err error) {
	if hasCode(err, serializationFailure) {
		d.otherIsolation.Store(true)
	}
}
