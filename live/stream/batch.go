package stream

import (
	"strconv"
	"time"

	"github.com/lazysession/session/store"
)

// A Batch is what is committed in one atomic step: the effects of one upward message, of a job, or of the hub itself.
type Batch struct {
	// Lease is of the socket that the batch is for. The zero Lease is for none: then In is 0, and the only operations are
	// Send, and Edit of channels that the transaction holds.
	Lease Lease

	// In, unless 0, is the number of the upward message that the batch handles. It has to be Socket.In + 1.
	In uint64

	// Received is the message itself, for logs that keep messages both ways. See the function Received.
	Received []byte

	// Ops are applied in this order.
	Ops []Op
}

// An Op is one operation of a Batch.
type Op struct {
	Kind    OpKind
	Stream  Name          // Send: where to
	Data    []byte        // Send: the message
	Keep    Retention     // Send, Join: of the stream, from now on
	Channel string        // Join, Leave, Edit
	Seat    string        // Join
	Rules   Rules         // Join
	Change  *store.Change // Edit: its Cleared and Edits count
	Window  time.Duration // Away: how long the socket may stay away
	Out     uint64        // Renumber: the number of the last message of the socket's own stream
	In      uint64        // Renumber: the number of the last upward message
}

// An OpKind is what an Op does.
type OpKind uint8

const (
	// Send appends a message to a stream. What is sent to a socket or a channel that isn't there is dropped.
	Send OpKind = iota
	// Join makes the socket a member of a channel. A socket that already has this seat keeps it.
	Join
	// Leave ends the membership. Where there is none, nothing happens.
	Leave
	// Edit changes the state of a channel that the socket is a member of, or that the transaction holds. Where another
	// transaction holds the channel, the Commit waits for it. The state of a channel that still has no members at the end
	// of the batch is not kept.
	Edit
	// Welcome says that the client knows the socket's ID.
	Welcome
	// Away says that the connection of the socket broke. It keeps its seats for the Window.
	Away
	// End removes the socket for good: from its channels, and with its own stream. Of it only Sends may follow.
	End
	// Renumber sets the numbers of both directions, for operators and tests. Messages above Out are removed. Where there
	// were such numbers, the socket's own stream gets another epoch, since they come a second time.
	Renumber
)

// String names the operation.
func (k OpKind) String() string {
	names := [...]string{"send", "join", "leave", "edit", "welcome", "away", "end", "renumber"}
	if int(k) < len(names) {
		return names[k]
	}
	return "OpKind(" + strconv.Itoa(int(k)) + ")"
}
