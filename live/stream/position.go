package stream

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A Name is the name of a stream.
type Name string

// Own returns the name of a socket's own stream.
func Own(id ID) Name { return Name("s" + string(id[:])) }

// Of returns the name of a channel's stream.
func Of(channel string) Name { return Name("c" + channel) }

// Received returns the name of the stream of what a socket has sent upward: the Batch.Received of each upward message,
// under its number, in the epoch of the socket's own stream. A log need not keep it, and then Read returns a GapError
// with Old, as it does for any message that is no longer kept. Nothing can be sent to it, and there are no hints of it.
func Received(id ID) Name { return Name("r" + string(id[:])) }

// Channel returns the name of the channel that the stream belongs to. It is not ok for a socket's own stream.
func (n Name) Channel() (name string, ok bool) {
	if n == "" || n[0] != 'c' {
		return "", false
	}
	return string(n[1:]), true
}

// Socket returns the socket whose own stream it is. It is not ok for any other stream.
func (n Name) Socket() (id ID, ok bool) { return n.id('s') }

// Receiver returns the socket whose upward messages are in the stream. It is not ok for any other stream.
func (n Name) Receiver() (id ID, ok bool) { return n.id('r') }

// id returns the ID behind the letter that says what kind of stream it is.
func (n Name) id(kind byte) (id ID, ok bool) {
	if len(n) != 1+len(id) || n[0] != kind {
		return ID{}, false
	}
	copy(id[:], n[1:])
	return id, true
}

// A Position is a place in a stream: behind the message of this number. Number 0 is before the first message.
//
// Numbers are comparable within one epoch only. A stream gets another epoch when it comes to be again, and when its log
// went back to an older state. The zero Position is in no stream's epoch.
type Position struct {
	Epoch  string
	Number uint64
}

// MarshalJSON returns the position as the protocol has it: ["epoch",number].
func (p Position) MarshalJSON() ([]byte, error) { return json.Marshal([2]any{p.Epoch, p.Number}) }

// UnmarshalJSON reads a position from ["epoch",number].
func (p *Position) UnmarshalJSON(text []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	if len(parts) != 2 {
		return errors.New("stream: a position is an epoch and a number")
	}
	var q Position
	if err := json.Unmarshal(parts[0], &q.Epoch); err != nil {
		return fmt.Errorf("stream: epoch: %w", err)
	}
	if err := json.Unmarshal(parts[1], &q.Number); err != nil {
		return fmt.Errorf("stream: number: %w", err)
	}
	*p = q
	return nil
}

// A Message is one entry of a stream. It is immutable.
type Message struct {
	Number uint64
	Time   time.Time // when it was committed, by the log's clock
	Member bool      // whether Data is a MemberEvent in JSON, and not a message that was sent
	Data   []byte
}

// A Retention is how much of a stream is kept for those who come back: the newest messages within all three limits. A
// log drops older ones in its own time, and keeps a newest message that is larger than Bytes. A field that is 0 or less
// has its default.
type Retention struct {
	Messages int           // the newest ones; 1,000
	Bytes    int           // of the newest messages together; 1 MiB
	Age      time.Duration // 5 minutes
}

// WithDefaults returns the retention with the defaults filled in.
func (r Retention) WithDefaults() Retention {
	if r.Messages <= 0 {
		r.Messages = 1000
	}
	if r.Bytes <= 0 {
		r.Bytes = 1 << 20
	}
	if r.Age <= 0 {
		r.Age = 5 * time.Minute
	}
	return r
}

// A GapError says that the messages after a position are not there, and where reading can go on.
type GapError struct {
	Stream Name
	Why    Gap
	At     Position // what follows it can be read
}

// A Gap is why there is a gap.
type Gap string

const (
	Old   Gap = "old"   // the messages are older than the log keeps
	Reset Gap = "reset" // the stream is another one, or went back to an older state: the position is in none of it
)

func (e *GapError) Error() string {
	return fmt.Sprintf("stream: gap in %q (%s): reading goes on after %d", string(e.Stream), e.Why, e.At.Number)
}

// Is reports whether target is ErrGap.
func (e *GapError) Is(target error) bool { return target == ErrGap }
