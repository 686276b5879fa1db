package postgres

// What this package promises, it promises for statements that see what was committed until they began: at read
// committed, which is PostgreSQL's default. A server, a database, a role or a pool can set another default. Then each
// statement is sent as a transaction that asks for read committed.
const begin = "BEGIN ISOLATION LEVEL READ COMMITTED"

// noteIsolation notes whether statements need to ask for read committed.
func (d *db) noteIsolation(isolation string) {
	d.otherIsolation.Store(isolation != "read committed")
}

// noteIsolationChange notes that a statement failed as none does at read committed: the default has changed since Open.
func (d *db) noteIsolationChange(err error) {
	if hasCode(err, serializationFailure) {
		d.otherIsolation.Store(true)
	}
}
