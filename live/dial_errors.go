package live

import (
	"fmt"
	"net"

	"github.com/lazysession/session/live/stream"
)

// A CloseError says why a Conn has ended for good. It is net.ErrClosed to errors.Is.
type CloseError struct {
	Code   StatusCode // 1000: the program has called Close
	Reason string
}

func (e *CloseError) Error() string {
	return fmt.Sprintf("live: closed with code %d: %q", e.Code, e.Reason)
}

// Is reports whether target is net.ErrClosed.
func (e *CloseError) Is(target error) bool { return target == net.ErrClosed }

// A SendError says why a message that a Conn was to send was not handled.
type SendError struct {
	// Code is what the server's handler gave to Refuse, or one of these: "full", too many messages wait; "large", the
	// message is larger than the server takes; "unknown", the message was sent, and its answer is lost: it was handled or
	// it was not.
	Code string
	Text string
}

func (e *SendError) Error() string {
	return fmt.Sprintf("live: message refused (%s): %s", e.Code, e.Text)
}

// A GapError says that messages of a stream will not arrive. What the program knows of the stream may be out of date.
// It is stream.ErrGap to errors.Is.
type GapError struct {
	// Stream is the channel, or empty: the socket's own stream.
	Stream string

	// Why is stream.Old, stream.Reset, or "behind": the program was too slow. A Reset of the socket's own stream means
	// that this is a new socket with another ID. It is in no channel.
	Why stream.Gap
}

func (e *GapError) Error() string {
	return fmt.Sprintf("live: messages of stream %q are missing (%s)", e.Stream, e.Why)
}

// Is reports whether target is stream.ErrGap.
func (e *GapError) Is(target error) bool { return target == stream.ErrGap }
