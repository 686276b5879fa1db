// Package pglog keeps live sockets in PostgreSQL, for a farm of servers: when one of them dies, its sockets go on on
// another one.
//
//	pool, err := pgxpool.New(ctx, url)
//	…
//	err = pglog.Migrate(ctx, pool, nil)
//	…
//	log, err := pglog.Open(ctx, pool, nil)
//	…
//	hub, err := live.New(m, log, nil)
//
// # How to think about it
//
// Each socket is a row, and so is each channel. What a message causes is one transaction, and the messages of many
// sockets that come at the same time share one: it locks the rows of its sockets, and then those of its channels, each
// in one order for all servers. A row has the newest number of its stream, so numbers have no holes.
//
// After a transaction, other servers are told by NOTIFY which streams have grown. It is not within the transaction,
// since PostgreSQL would then commit one after the other. A server that missed it finds it by polling.
//
// Messages are in three tables that take turns. When the oldest one's turn comes again, it is truncated as a whole, so
// no message is deleted by itself, and no space is left behind.
package pglog
