package live

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lazysession/session/live/stream"
)

// A frame is what a client has sent, read by readFrame.
type frame struct {
	kind   frameKind
	number uint64                     // of a message; of an ack of one stream
	data   []byte                     // of a message; of an ack of one stream, its name. Part of the text that was read
	id     stream.ID                  // of a hello; zero for a new socket
	at     map[string]stream.Position // of a hello: how far the client got
	acked  map[string]uint64          // of an ack of several streams
}

type frameKind uint8

const (
	messageFrame frameKind = iota
	helloFrame
	ackFrame
	beatFrame
	endFrame
)

// maxNumber is the greatest number that a double holds exactly, and so every JSON reader.
const maxNumber = 1<<53 - 1

// errFrame says that a text is no frame of the protocol.
var errFrame = errors.New("no frame of the protocol")

// readFrame reads one text of the protocol. Its error is errFrame.
func readFrame(text []byte) (frame, error) {
	f, err := parseFrame(text)
	if err != nil {
		return frame{}, fmt.Errorf("%w: %w", errFrame, err)
	}
	return f, nil
}

func parseFrame(text []byte) (frame, error) {
	if len(text) > 0 && text[0] == '[' {
		return readMessage(text)
	}
	if f, ok := readAck(text); ok {
		return f, nil
	}
	var head struct {
		T  string
		ID *stream.ID
		At json.RawMessage
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return frame{}, err
	}
	switch head.T {
	case "hello":
		return readHello(head.ID, head.At)
	case "ack":
		f := frame{kind: ackFrame}
		err := json.Unmarshal(head.At, &f.acked)
		return f, err
	case "beat":
		return frame{kind: beatFrame}, nil
	case "end":
		return frame{kind: endFrame}, nil
	}
	return frame{}, fmt.Errorf("unknown frame %q", head.T)
}

func readHello(id *stream.ID, at json.RawMessage) (frame, error) {
	f := frame{kind: helloFrame}
	if id != nil {
		f.id = *id
	}
	if at == nil {
		return f, nil
	}
	err := json.Unmarshal(at, &f.at)
	return f, err
}

// readAck reads an acknowledgement of one stream as clients write it; any other JSON of it is not ok. There are many of
// them, so this allocates nothing.
func readAck(text []byte) (f frame, ok bool) {
	rest, isAck := bytes.CutPrefix(text, []byte(`{"t":"ack","at":{"`))
	name, rest, named := bytes.Cut(rest, []byte(`":`))
	digits, closed := bytes.CutSuffix(rest, []byte("}}"))
	if !isAck || !named || !closed || !isPlain(name) {
		return frame{}, false
	}
	n, ok := readNumber(digits)
	return frame{kind: ackFrame, number: n, data: name}, ok
}

// isPlain reports whether a JSON string means itself.
func isPlain(s []byte) bool {
	for _, c := range s {
		if c < ' ' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// readNumber reads digits that are 1 to maxNumber, as JSON has them.
func readNumber(digits []byte) (n uint64, ok bool) {
	const most = 16
	if len(digits) == 0 || len(digits) > most || digits[0] == '0' {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + uint64(c-'0')
	}
	return n, n <= maxNumber
}

var errMessage = errors.New("a message is [number,data]")

// readMessage reads [number,data].
func readMessage(text []byte) (frame, error) {
	digits := 1
	for digits < len(text) && '0' <= text[digits] && text[digits] <= '9' {
		digits++
	}
	n, ok := readNumber(text[1:digits])
	last := len(text) - 1
	if !ok || digits >= last || text[digits] != ',' || text[last] != ']' {
		return frame{}, errMessage
	}
	data := text[digits+1 : last]
	if !json.Valid(data) {
		return frame{}, errMessage
	}
	return frame{kind: messageFrame, number: n, data: data}, nil
}

// appendFrame appends a text frame (RFC 6455, section 5.2) around the payload that write appends.
func appendFrame(buf []byte, write func([]byte) []byte) []byte {
	start := len(buf)
	buf = write(append(buf, 0x81, 0, 0, 0)) // FIN and text; with the length of most frames
	return closeFrame(buf, start)
}

// closeFrame completes the header of a frame for which four bytes were left free at start.
func closeFrame(buf []byte, start int) []byte {
	const free = 4
	payload := buf[start+free:]
	switch n := len(payload); {
	case n < 126:
		buf[start+1] = byte(n)
		copy(buf[start+2:], payload)
		return buf[:len(buf)-2]
	case n < 1<<16:
		buf[start+1] = 126
		binary.BigEndian.PutUint16(buf[start+2:], uint16(n))
		return buf
	default:
		buf = append(buf, 0, 0, 0, 0, 0, 0)
		copy(buf[start+10:], buf[start+free:start+free+n])
		buf[start+1] = 127
		binary.BigEndian.PutUint64(buf[start+2:], uint64(n))
		return buf
	}
}

// appendMessage appends the frame of a message: [number,data] of the socket's own stream, [number,data,"channel"] of a
// channel's. channel is its name in JSON, or empty.
func appendMessage(buf []byte, n uint64, data []byte, channel string) []byte {
	start := len(buf)
	buf = append(buf, 0x81, 0, 0, 0, '[')
	buf = strconv.AppendUint(buf, n, 10)
	buf = append(append(buf, ','), data...)
	if channel != "" {
		buf = append(append(buf, ','), channel...)
	}
	return closeFrame(append(buf, ']'), start)
}

// appendMember appends the frame of a member event: the JSON of the event with the stream and the number before it.
func appendMember(buf []byte, n uint64, event []byte, channel string) []byte {
	return appendFrame(buf, func(b []byte) []byte {
		b = append(append(b, `{"t":"member","s":`...), channel...)
		b = strconv.AppendUint(append(b, `,"n":`...), n, 10)
		return append(append(b, ','), event[1:]...)
	})
}

// appendJSON appends a frame of the JSON of v, which is one of the structs below.
func appendJSON(buf []byte, v any) []byte {
	return appendFrame(buf, func(b []byte) []byte {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err) // nothing in them can fail
		}
		return append(b, text...)
	})
}

// The frames that a hub sends beside messages, members and acknowledgements.
type (
	welcome struct {
		T       string                     `json:"t"`
		ID      stream.ID                  `json:"id"`
		Resumed bool                       `json:"resumed"`
		In      uint64                     `json:"in"`
		At      map[string]stream.Position `json:"at"`
		Win     int                        `json:"win"`
		Max     int                        `json:"max"`
		Beat    int                        `json:"beat"` // in seconds
	}
	refusal struct {
		T    string `json:"t"`
		N    uint64 `json:"n"`
		Code string `json:"code"`
		Text string `json:"text"`
	}
	place struct {
		T    string           `json:"t"` // join, part or gap
		S    string           `json:"s"`
		At   *stream.Position `json:"at,omitempty"`
		Seat *string          `json:"seat,omitempty"`
		Why  string           `json:"why,omitempty"`
	}
	bye struct {
		T     string   `json:"t"`
		After [2]int64 `json:"after"` // in milliseconds
	}
)

func appendAck(buf []byte, in uint64) []byte {
	start := len(buf)
	buf = append(buf, 0x81, 0, 0, 0)
	buf = strconv.AppendUint(append(buf, `{"t":"ack","in":`...), in, 10)
	return closeFrame(append(buf, '}'), start)
}

func appendBeat(buf []byte) []byte {
	start := len(buf)
	return closeFrame(append(buf, "\x81\x00\x00\x00{\"t\":\"beat\"}"...), start)
}

// shorten cuts a text to what a close frame's reason may have (RFC 6455, section 5.5).
func shorten(text string) string {
	const most = 123
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}
