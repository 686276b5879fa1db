package postgres

import "github.com/lazysession/session/store"

// A limit, and the end of all sessions of an owner, concern rows that are not known before. So an owner has a lock.
// What depends on all of the owner's sessions takes it alone, and a login without a limit takes a share in it (see
// builder.owner). The empty owner has none, or all first logins of a farm would wait for each other.

// lockOwnersSQL waits for the lock of an owner, and for that of the owner before of the session with a token. Locks are
// taken in one order, so that two statements which take two never wait for each other.
const lockOwnersSQL = `SELECT pg_advisory_xact_lock(hash) FROM (
	SELECT hashtextextended($1 || owner, 0) AS hash FROM (
		SELECT $2::text UNION SELECT s.owner FROM {{sessions}} s WHERE s.token = $3 AND s.owner <> ''
	) AS owners (owner) ORDER BY hash
) AS locks`

// lockOwners returns the statement that takes these locks. It goes before one that needs them, which then sees what was
// committed until it had them.
//
// Locks of owners come before any row's lock. So a statement that waits for one holds no row, and two changes that come
// together from opposite sides can't wait for each other. Should a session move to another owner before the locks are
// taken, PostgreSQL still finds a deadlock and undoes one of the two, and Commit tries it again.
func (s *Store) lockOwners(owner string, token []byte) *statement {
	return &statement{sql: s.sql.lockOwners, args: []any{s.ownerLock(""), owner, token}}
}

// ownerLock is the name of an owner's lock.
func (s *settings) ownerLock(owner string) string { return s.lockName("owner/" + owner) }

// limited reports whether a change sets an owner who may have only so many sessions.
func limited(c *store.Change) bool { return setsOwner(c) && c.MaxPerOwner > 0 }

// setsOwner reports whether a change makes a session somebody's.
func setsOwner(c *store.Change) bool { return c.Owner != nil && *c.Owner != "" }
