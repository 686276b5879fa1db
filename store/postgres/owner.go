package postgres

import "github.com/lazysession/session/store"

// A limit and EndOwner concern all sessions of an owner, also those that are created meanwhile. Locks of rows can't
// cover these, so each owner has an advisory lock. A commit under a limit and EndOwner take it in exclusive mode. A
// login without a limit takes it in shared mode (see builder.owner). The empty owner has no lock, since all first
// logins of a farm would wait for it.

// lockOwnersSQL takes the lock of an owner, and the lock of the present owner of the session with a token. It takes
// them in the order of their hashes, so two such statements never wait for each other.
const lockOwnersSQL = `SELECT pg_advisory_xact_lock(hash) FROM (
	SELECT hashtextextended($1 || owner, 0) AS hash FROM (
		SELECT $2::text UNION SELECT s.owner FROM {{sessions}} s WHERE s.token = $3 AND s.owner <> ''
	) AS owners (owner) ORDER BY hash
) AS locks`

// lockOwners returns the statement that takes these locks. It is sent before the statement that needs them, so that one
// sees all that was committed before the locks were taken.
//
// Locks of owners are taken before locks of rows. So a statement that waits for an owner's lock holds no row, and two
// changes can't wait for each other. If a session gets another owner before the locks are taken, a deadlock is still
// possible. PostgreSQL finds it and undoes one of the two, and Commit tries it again.
func (s *Store) lockOwners(owner string, token []byte) *statement {
	return &statement{sql: s.sql.lockOwners, args: []any{s.ownerLock(""), owner, token}}
}

// ownerLock is the name of an owner's lock.
func (s *settings) ownerLock(owner string) string { return s.lockName("owner/" + owner) }

// limited reports whether a change sets an owner with a limit on the number of sessions.
func limited(c *store.Change) bool { return setsOwner(c) && c.MaxPerOwner > 0 }

// setsOwner reports whether a change gives a session an owner other than the empty one.
func setsOwner(c *store.Change) bool { return c.Owner != nil && *c.Owner != "" }
