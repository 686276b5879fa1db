package postgres

// What this package promises, it promises for statements that see what was committed until they began: at read
// committed, which is PostgreSQL's default. A server, a database, a role or a pool can set another default. Then each
// statement is sent as a transaction that asks for read committed.
const begin = "BEGIN ISOLATION LEVEL READ COMMITTED"

// sender returns what single statements are sent with.
func (s *Store) sender() sender {
	if s.otherIsolation.Load() {
		return transaction{pool: s.pool}
	}
	return s.pool
}

// noteIsolation notes whether statements need to ask for read committed.
func (s *Store) noteIsolation(isolation string) {
	s.otherIsolation.Store(isolation != "read committed")
}

// isolationChanged notes, and reports, that a statement failed as none does at read committed: the default has changed
// since Open. It was undone for sure.
func (s *Store) isolationChanged(err error) bool {
	if !hasCode(err, serializationFailure) {
		return false
	}
	s.otherIsolation.Store(true)
	return true
}
