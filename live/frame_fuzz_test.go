package live

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// FuzzFrame reads what clients send. Nothing makes it panic, and what it takes is of the protocol.
func FuzzFrame(f *testing.F) {
	for _, text := range []string{
		`{"t":"hello"}`, `{"t":"hello","id":"00112233445566778899aabbccddeeff","at":{"":["e",1],"room":["f",2]}}`,
		`[1,"a"]`, `[18446744073709551616,1]`, `[1,`, `[`, `[1]`, `[01,1]`, `[1,1],2]`, `{"t":"ack","at":{"":45}}`,
		`{"t":"ack"}`, `{"t":"beat"}`, `{"t":"end"}`, `{"t":7}`, `null`, ``, `{"t":"hello","at":{"":["e",-1]}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := readFrame(text)
		if err != nil {
			return
		}
		if !json.Valid(text) {
			t.Errorf("%q is taken, and is no JSON", text)
		}
		if got.kind == messageFrame && (got.number < 1 || got.number > maxNumber || !json.Valid(got.data)) {
			t.Errorf("%q is taken as message %d, %q", text, got.number, got.data)
		}
		if got.kind == messageFrame && utf8.Valid(text) { // what goes out again is a frame with the same data
			again, err := readFrame(appendMessage(nil, got.number, got.data, "")[headerSize(got.data, got.number):])
			if err != nil || string(again.data) != string(got.data) {
				t.Errorf("%q came back as %q, error %v", text, again.data, err)
			}
		}
	})
}

// headerSize returns the size of the WebSocket header before a message.
func headerSize(data []byte, n uint64) int {
	switch size := len(data) + len(jsonNumber(n)) + len("[,]"); {
	case size < 126:
		return 2
	case size < 1<<16:
		return 4
	}
	return 10
}

func jsonNumber(n uint64) string {
	text, _ := json.Marshal(n)
	return string(text)
}

// FuzzFraming follows the bytes of a client: in whatever pieces they come, the verdict is the same.
func FuzzFraming(f *testing.F) {
	f.Add([]byte("\x81\x81\x00\x00\x00\x00a"), 1)
	f.Add([]byte("\x81\xfe\x00\x7e\x00\x00\x00\x00"), 3)
	f.Add([]byte("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00abc"), 5)
	f.Add([]byte("\x81\x01a"), 2)
	f.Fuzz(func(t *testing.T, text []byte, at int) {
		var whole, pieces framing
		want := whole.follow(text)
		at = max(0, min(at, len(text)))
		pieces.follow(text[:at])
		if got := pieces.follow(text[at:]); got != want {
			t.Errorf("%x cut at %d: got %v, want %v", text, at, got, want)
		}
	})
}
