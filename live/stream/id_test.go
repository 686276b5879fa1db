package stream_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/lazysession/session/live/stream"
)

func TestID(t *testing.T) {
	id := stream.NewID()
	if id.IsZero() || id == stream.NewID() || !(stream.ID{}).IsZero() {
		t.Errorf("NewID: got %v, want a random ID each time", id)
	}
	if got, err := stream.ParseID(id.String()); got != id || err != nil {
		t.Errorf("ParseID: got %v and error %v, want %v", got, err, id)
	}
	known := stream.ID{0: 0x01, 15: 0xef}
	if got, want := known.String(), "010000000000000000000000000000ef"; got != want {
		t.Errorf("String: got %s, want %s", got, want)
	}
}

func TestParseIDRefuses(t *testing.T) {
	for _, text := range []string{"", strings.Repeat("a", 31), strings.Repeat("a", 33), strings.Repeat("g", 32)} {
		if got, err := stream.ParseID(text); err == nil || !got.IsZero() {
			t.Errorf("%q: got %v and error %v, want the zero ID and an error", text, got, err)
		}
	}
}

func TestIDInJSON(t *testing.T) {
	id := stream.NewID()
	text, err := json.Marshal(map[stream.ID]stream.ID{id: id})
	if want := `{"` + id.String() + `":"` + id.String() + `"}`; err != nil || string(text) != want {
		t.Fatalf("got %s and error %v, want %s", text, err, want)
	}
	got := id
	if err := json.Unmarshal([]byte(`"too short"`), &got); err == nil || got != id {
		t.Errorf("got %v and error %v, want an error and the ID as it was", got, err)
	}
}
