// Package postgres keeps sessions in PostgreSQL, for one server or a farm of them.
//
//	cfg, err := pgxpool.ParseConfig("postgres://…")
//	postgres.Harden(cfg)                          // leaves a server that hangs
//	pool, err := pgxpool.NewWithConfig(ctx, cfg)
//	err = postgres.Migrate(ctx, pool, nil)        // or run what Schema prints
//	s, err := postgres.Open(ctx, pool, nil)
//	defer s.Close()
//	manager, err := session.New(s, &session.Config{Keys: keys})
//
// # How to think about it
//
// A session is one row, its values one jsonb document. A load reads that row by its token, in one statement and one
// round trip; a commit merges names and adds to counters in one UPDATE, so that servers need no locks, no versions and
// no second try to keep each other's work. Only a renewal, an owner's limit and an end touch more than the row. What
// depends on all sessions of an owner (a limit, the end of all) takes a lock of that owner, in the same round trip: no
// lock is held while a server of yours has to say what comes next, so one that stops blocks no other.
//
// Time is the database's: the servers' clocks decide nothing. The times in a Record are translated to the clock of the
// server that reads it.
//
// # Promises
//
//   - What a commit acknowledged is there, with the durability that PostgreSQL is set to (synchronous_commit).
//   - A commit whose reply was lost is reported as store.ErrOutcomeUnknown and never sent again.
//   - Ends and renewals are told to every server within a second by NOTIFY, in the order of their commits. No other commit
//     notifies, for a notification takes a lock that the whole database shares: so of a creation its own server tells
//     alone, before anything else of that session. A listener that lost its connection says so with a Missed event, and
//     with another when it is back; and so does a commit with events that may have been applied though it failed.
//   - After a failover the pool lets go of connections to a server that became read-only; after [Harden], of those to one
//     that hangs as well. Name both servers in the connection string, and target_session_attrs=read-write.
//   - A damaged row is an error for its own session, and nobody else's.
//   - Statements run at read committed, whatever default_transaction_isolation says for the server, the database, the
//     role or the pool. Another default costs each of them a BEGIN and a COMMIT, in the same round trip.
//   - A sweep takes 10 seconds at most, also where the way to the server broke without a word.
//
// # Behind a pooler
//
// With PgBouncer in transaction mode, add default_query_exec_mode=exec to the pool's connection string, since prepared
// statements stay with a connection, and give Options.Listen a connection string that goes to the server itself: a
// pooled connection can't listen, and events of this server's own come that way too. The server has to write dates in ISO
// style (DateStyle), as it does by default; Open says so otherwise.
package postgres
