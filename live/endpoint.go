package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/lazysession/session/live/stream"
)

// An Endpoint is what a program does with the sockets of one path. Each function may be nil. All of them are called for
// one socket one after the other, and for different sockets at the same time. FromContext gives the socket, and keys
// and counters work on the context: they are of the session that the socket belongs to, read anew for each call.
//
// What a function must remember is in the session, in the state of a channel, or in a database: what is in variables
// ends with the server, and the client goes on with another one.
//
// A panic in a function is logged, and the socket stays; after one in Open the connection is closed with 1011, and the
// client comes back.
type Endpoint struct {
	// Open is called each time a node takes the socket: the first time, and when the client has come back.
	// Socket.Resumed tells them apart. An error closes the connection: a Refuse with StatusRefused, which is final, any
	// other with 1011.
	Open func(ctx context.Context, s *Socket) error

	// Message is called for each message of the client, in order. What it sends with Socket.Send, Channel.Send and
	// Hub.Send, and what it changes in Channel.Do and in the session, is committed when it returns nil, and only then is
	// the message acknowledged. With an error nothing of it is, and the client's promise rejects: with code and text of
	// Refuse, or with "internal".
	//
	// A call that meets a deadlock in Channel.Do runs again, with nothing of the first try left.
	//
	// The session's changes are stored just before the rest, in a step of their own, so that none is lost. Where the
	// server dies between the two, or the log refuses the rest for a deadlock, the message is handled again, and the
	// handler finds in the session what it has stored there. So these changes are made at least once. Those that must
	// not be made twice belong into the state of a channel, or are stored together with the Socket.ID and the Number of
	// the message, by which a second run knows them.
	//
	// What takes effect at once elsewhere does so here, too: Channel.Join, Member.Leave, Session.End and Counter.Next.
	Message func(ctx context.Context, s *Socket, m Message) error

	// Member is called when something happened to a member mb of a channel that the socket is in, itself included. While
	// the socket is away it is not called; after the client has come back, it is called for what the client missed, and
	// perhaps again for the last events before. Where it takes so long that the channel keeps the next events no more,
	// they are left out.
	Member func(ctx context.Context, mb *Member, e MemberEvent)

	// Leave is called once the log knows that the socket has left for good, on one node; not at all where that node dies
	// or closes its hub before. Where the log's answer is lost and another node ends the socket as well, both call it.
	// With NotBack, keys and counters return an error: the client is gone, and with it the token of the session.
	Leave func(ctx context.Context, s *Socket, why Reason)
}

// A MemberEvent is what happened to a member of a channel.
type MemberEvent = stream.Event

// What happens to members.
const (
	Joined MemberEvent = stream.Joined // it is a member now
	Full   MemberEvent = stream.Full   // with it, every seat is taken, or the capacity reached
	Away   MemberEvent = stream.Gone   // its connection broke; it keeps its seat for Config.Window
	Back   MemberEvent = stream.Back   // it has come back
	Left   MemberEvent = stream.Left   // it is a member no more
)

// A Reason is why a socket has left for good.
type Reason string

// The reasons for which sockets leave.
const (
	ClientLeft     Reason = "left"     // the client said so
	SessionEnded   Reason = "ended"    // its session ended, by a logout, say
	SessionExpired Reason = "expired"  // its session expired
	NotBack        Reason = "not back" // its connection broke, and it did not come back within Config.Window
	Closed         Reason = "closed"   // by Socket.Close or Hub.Disconnect with a final code, or for a broken rule
)

// On returns an Endpoint.Message that takes the data as a T. Data that isn't a T is refused with the code "type".
func On[T any](f func(context.Context, *Socket, T) error) func(context.Context, *Socket, Message) error {
	return func(ctx context.Context, s *Socket, m Message) error {
		var v T
		if err := json.Unmarshal(m.Data, &v); err != nil {
			return Refuse("type", err.Error())
		}
		return f(ctx, s, v)
	}
}

// A refused is the error of a handler that tells the client why.
type refused struct{ code, text string }

func (r *refused) Error() string { return fmt.Sprintf("live: refused (%s): %s", r.code, r.text) }

// Refuse returns an error for Endpoint.Message and Endpoint.Open that the client gets to see: a code for programs, and
// a text. The number of the message is used up, and nothing of its effects is committed.
func Refuse(code, text string) error { return &refused{code: code, text: text} }

// asRefusal returns what the client is told of a handler's error.
func asRefusal(err error) (code, text string, told bool) {
	if r, ok := errors.AsType[*refused](err); ok {
		return r.code, r.text, true
	}
	return "internal", "", false
}
