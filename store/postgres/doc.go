// Package postgres keeps sessions in PostgreSQL, for one server or a farm of them.
//
//	cfg, err := pgxpool.ParseConfig("postgres://…")
//	postgres.FailFast(cfg)                        // leaves a server that hangs
//	pool, err := pgxpool.NewWithConfig(ctx, cfg)
//	err = postgres.Migrate(ctx, pool, nil)        // or run what Schema prints
//	s, err := postgres.Open(ctx, pool, nil)
//	defer s.Close()
//	manager, err := session.New(s, &session.Config{Keys: keys})
//
// # How to think about it
//
// A session is one row, and its values are one jsonb document. A load reads that row by its token, in one statement and
// one round trip. A commit merges names and adds to counters in one UPDATE. So servers need no locks, no versions and
// no retries to keep each other's changes. Only renewals, owners' limits and ends use more than the row. An operation
// on all sessions of an owner (a limit, EndOwner) takes a lock of that owner, in the same round trip. No lock is held
// while the database waits for one of your servers, so a server that stops blocks no other server.
//
// All decisions about time use the database's clock, never the clocks of the servers. The times in a Record are
// translated to the clock of the server that reads it.
//
// # Promises
//
//   - A commit that was acknowledged is as durable as PostgreSQL's synchronous_commit makes it.
//   - A commit whose reply was lost is reported as store.ErrOutcomeUnknown and never sent again.
//   - NOTIFY reports ends and renewals to every server within a second, in the order of their commits. Other commits
//     don't notify, since a notification takes a lock that the whole database shares. So a creation is reported only on
//     the server that made it, before all other events of that session. A server that lost its connection for events
//     reports that with a Missed event, and with another one when the connection is back. It also reports Missed for a
//     failed commit that may have been applied and has events.
//   - After a failover the pool closes connections to a server that became read-only. After [FailFast] it also closes
//     those to a server that hangs. Name both servers in the connection string, and set
//     target_session_attrs=read-write.
//   - A damaged row is an error only for its own session.
//   - Statements run at read committed, whatever default_transaction_isolation says for the server, the database, the
//     role or the pool. Another default costs each of them a BEGIN and a COMMIT, in the same round trip.
//   - A sweep takes 10 seconds at most, even if the network drops everything silently.
//
// # Behind a pooler
//
// With PgBouncer in transaction mode, add default_query_exec_mode=exec to the pool's connection string, since prepared
// statements stay with a connection. Set Options.Listen to a connection string of the server itself: a pooled
// connection can't listen, and the events of this server come that way, too. The server has to write dates in ISO style
// (DateStyle), as it does by default; otherwise Open returns an error.
package postgres
