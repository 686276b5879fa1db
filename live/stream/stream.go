// Package stream is the contract between live sockets and the log that keeps them.
//
// A [Log] keeps sockets, channels and streams. A stream is messages numbered 1, 2, 3… without holes. Each socket has a
// stream of its own, for what is sent to it alone, and each channel has one, for what is sent to all its members.
// Package streamtest holds every rule below as a test; a log that passes it can serve a live.Hub. Package memlog is the
// reference.
//
// # How to think about it
//
// Everything that one upward message causes is one [Batch]: the number of the message, what its handler sends, whom it
// lets join and leave, and what it changes in the state of channels. [Log.Commit] applies a Batch in one atomic step,
// or nothing of it. So what a client was told is recorded, and what is recorded was done once.
//
// A socket belongs to one node at a time. [Log.Take] gives it to a node under a [Lease] with a new incarnation number,
// and from then on every Batch under an older lease is refused with [ErrFenced]. So a node that was thought dead and
// comes back can change nothing.
//
// A channel exists while it has members. The last one to leave removes its messages and its state: a channel that has
// no members at the end of a Batch is removed with it. When it comes to be again, it is another channel: its stream has
// another epoch.
//
// # Positions and gaps
//
// A [Position] is a place in a stream: an epoch and the number of the last message before it. [Log.Read] returns what
// follows. A log keeps as much of a stream as its [Retention] says; where what follows a position is gone,
// or was never there, Read returns a [GapError], which says where reading can go on. A log never leaves a gap out
// silently.
//
// A position of another epoch, or above the stream's top, is in none of the stream: the log went back to an older
// state, or the channel is another one. Read returns a GapError with Reset, which leads to the top. Where the number is
// above the top, the stream also gets another epoch, since other readers may hold such positions, too, and the numbers
// would reach them.
//
// # For those who write a log
//
// What a change of members means is written once, in [Channel.Join], [Channel.Leave], [Channel.Away] and
// [Channel.Back]. A log keeps the Channel, calls them within its atomic step, and appends the events that they return.
package stream

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Errors that a [Log] returns, as they are or wrapped. Any other error means that the log could not do its work. It is
// then unknown whether a Commit was applied.
var (
	// ErrNotFound says that there is no such socket: there never was one, or it has left for good.
	ErrNotFound = errors.New("stream: no such socket")
	// ErrFenced says that a Lease is no longer valid: another node has taken the socket since, or it has left for good.
	ErrFenced = errors.New("stream: the lease has ended")
	// ErrOrder says that a Batch was refused because its In is not the number after the last one handled.
	ErrOrder = errors.New("stream: not the next number")
	// ErrGap says that what follows a position is not there. A log returns it in a GapError.
	ErrGap = errors.New("stream: gap")
	// ErrTaken says that another socket has the seat, or the ID of a new socket.
	ErrTaken = errors.New("stream: taken")
	// ErrFull says that the channel has as many members as its Rules allow.
	ErrFull = errors.New("stream: the channel is full")
	// ErrNotMember says that the socket of a Batch is not in the channel that it wants to change.
	ErrNotMember = errors.New("stream: not a member of the channel")
	// ErrDeadlock says that a transaction would have waited for a channel while another one waited for one of its own, or
	// that the state which it has read is gone. Nothing of it was applied; it may run again, in a new transaction.
	ErrDeadlock = errors.New("stream: deadlock")
	// ErrClosed says that the log is closed.
	ErrClosed = errors.New("stream: log is closed")
)

// A Log keeps sockets, channels and streams. It belongs to the program, which closes it after the hubs that use it.
//
// All methods may be called by many goroutines at once, also for one lease. The hub commits one upward message of a
// socket at a time, but a join, a leave or an empty batch of the same lease may come while it does. A log applies each
// batch in one step, and those that come at once in any order.
//
// A log borrows what it is given: it copies what it keeps. It lies on the way of every message, so it has to be fast.
// When it returns an error, the hub breaks the connection of that socket, and the client comes back.
type Log interface {
	// Take gives a socket to the caller, and fences the node that had it. See Claim.
	// It returns ErrNotFound where the claim is for a socket that isn't there, belongs to another session, or is not
	// overdue where the claim says so; and ErrTaken where a new socket is there already. Then nothing has changed.
	Take(ctx context.Context, c *Claim) (*Socket, error)

	// Commit applies a batch in one atomic step. It returns for each Op the position of the message that the Op has
	// appended: of what was sent, of the Joined event of a Join, of the Left event of a Leave; or the zero Position.
	// It returns ErrFenced, ErrOrder, ErrTaken, ErrFull, ErrNotMember, ErrDeadlock, and an error of Channel.Join or
	// Channel.Edit; then nothing was applied.
	Commit(ctx context.Context, b *Batch) ([]Position, error)

	// Begin starts a transaction: a Batch that has to read the state of channels before it changes it. It costs nothing
	// until the first use of the Tx. The caller calls Rollback in the end, whatever happened.
	Begin(ctx context.Context) (Tx, error)

	// Read returns up to max messages of a stream after a position, oldest first; none where there is nothing new. max is
	// at least 1. It returns a *GapError where the messages after the position are gone. The messages are shared: the
	// caller must not change them. A stream that isn't there has no messages: Read returns none after the zero Position,
	// and after any other one a GapError with Reset, which leads to the zero Position.
	Read(ctx context.Context, s Name, after Position, max int) ([]Message, error)

	// Channel returns a channel as it is, or nil where it has no members. The channel is shared: the caller must not
	// change it.
	Channel(ctx context.Context, name string) (*Channel, error)

	// Sockets yields the sockets that match the filter, in no particular order, each one once.
	Sockets(ctx context.Context, f Filter) iter.Seq2[*Socket, error]

	// Overdue returns up to max sockets that did not come back in time: their AwayUntil has passed, or their node is dead.
	// Nothing is changed; the caller takes them with Claim.Overdue.
	Overdue(ctx context.Context, max int) ([]*Socket, error)

	// Watch calls f with each stream that has grown, and how far, until cancel is called. Hints may come late or in
	// another order, and several may come as one, but after the last growth of a stream a hint comes in the end. Take is
	// told as a hint of the socket's own stream, so that the node that had it can ask for its lease, by an empty batch.
	// After cancel has returned, f may still be called for what was committed before. f must return soon and must not
	// call the log.
	Watch(f func(s Name, top Position)) (cancel func())

	// Warm prepares the log for messages of up to size bytes, so that the first one is not slower than others.
	Warm(ctx context.Context, size int) error

	// Flush returns when all that was committed before is as durable as the log can make it.
	Flush(ctx context.Context) error

	// Close ends the log's work and waits for it. With backup it keeps an archive where its options say, which can be
	// opened and read again. Every method returns ErrClosed after it. A second call does nothing.
	Close(ctx context.Context, backup bool) error
}

// A Clock is a log whose time is not time.Now, such as a database's. It is optional.
type Clock interface {
	Now() time.Time
}

// A Tx is a transaction on channels, of one goroutine. After an error of Hold or Commit it can only be rolled back.
type Tx interface {
	// Hold returns a channel as it is, also one without members, and keeps every other transaction from holding it until
	// this one ends. It waits until ctx is done, and returns ErrDeadlock rather than wait for a transaction that waits for
	// this one.
	//
	// Until this transaction ends nobody else edits the state: the Edit of another batch waits. Messages, joins and leaves
	// may come in between. Where the channel is removed with its last member, either that waits, or Commit returns
	// ErrDeadlock, so that nothing of the old state comes to a channel that is new.
	Hold(ctx context.Context, channel string) (*Channel, error)

	// Commit is Log.Commit as the end of this transaction.
	Commit(ctx context.Context, b *Batch) ([]Position, error)

	// Rollback ends the transaction. After Commit it does nothing.
	Rollback()
}
