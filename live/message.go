package live

import (
	"github.com/coder/websocket"

	"github.com/lazysession/session/live/stream"
)

// An ID is the identity of a socket: 16 random bytes. It is public: it may be logged and listed, and opens nothing by
// itself.
type ID = stream.ID

// ParseID reads an ID from the 32 hexadecimal digits of ID.String.
func ParseID(s string) (ID, error) { return stream.ParseID(s) }

// A Message is one numbered message: for an Endpoint one that the client has sent, for a Conn one that it has received.
type Message struct {
	Stream string // the channel's name; empty for the socket's own stream, and for what a client has sent
	Number uint64 // 1, 2, 3… in its stream
	Data   []byte // one JSON document

	// Member is for a Conn only: what happened to a member of the channel, in its place among the channel's messages. Data
	// is nil then.
	Member *stream.MemberEvent
}

// A StatusCode is the code of a WebSocket's close frame (RFC 6455, section 7.4).
type StatusCode = websocket.StatusCode

// The close codes of the protocol live.1. With one of the first six the socket has left for good. After all others,
// those of RFC 6455 too, a client comes back.
const (
	StatusProtocol     StatusCode = 4400 // the client has broken the protocol
	StatusSessionEnded StatusCode = 4401 // there is no session, or it has ended
	StatusRefused      StatusCode = 4403 // the origin, or the program, refuses the client
	StatusTakenOver    StatusCode = 4408 // another connection has taken the socket
	StatusSeatTaken    StatusCode = 4409 // another socket has the seat, or the channel is full
	StatusTooMuch      StatusCode = 4429 // more than Config allows
	StatusRenewed      StatusCode = 4501 // the session has a new token: come back with it
)

// isFinal reports whether a client that got this code stays away.
func isFinal(code StatusCode) bool {
	switch code {
	case StatusProtocol, StatusSessionEnded, StatusRefused, StatusTakenOver, StatusSeatTaken, StatusTooMuch:
		return true
	}
	return false
}
