package live

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// FuzzClientFrames feeds a client two frames from a server. Whatever they are, the client has to go on.
func FuzzClientFrames(f *testing.F) {
	for _, frame := range vectorFrames(f) {
		f.Add(`{"t":"welcome","id":"a0000000000000000000000000000001","resumed":false,"at":{"":["e1",0]},"beat":25}`, frame)
		f.Add(frame, `{"t":"beat"}`)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		c := &Conn{
			random:  func() float64 { return 0.5 },
			first:   make(chan error, 1),
			arrived: make(chan struct{}, 1),
			in:      newClientInbox(),
			out:     clientQueue{bound: 2},
		}
		if _, err := c.out.add([]byte(`1`)); err != nil {
			t.Fatal(err)
		}
		silence := time.AfterFunc(time.Hour, func() {})
		defer silence.Stop()
		l := newClientLink(nil, func() {}, silence)
		defer l.stop()
		c.hello(l)
		for _, frame := range []string{first, second} {
			if c.handle(l, websocket.MessageText, []byte(frame)) != nil {
				break // the connection is closed
			}
			wantFrames(t, c, l)
		}
		for more := true; more; {
			_, more, _ = c.take()
		}
		wantFrames(t, c, l)
	})
}

// wantFrames checks that the client writes JSON only.
func wantFrames(t *testing.T, c *Conn, l *clientLink) {
	t.Helper()
	for frame := c.next(l); frame != nil; frame = c.next(l) {
		if !json.Valid(frame) {
			t.Fatalf("frame: got %s, want JSON", frame)
		}
	}
}

// vectorFrames returns the frames of the server in the shared vectors.
func vectorFrames(f *testing.F) (frames []string) {
	files, err := filepath.Glob("testdata/vectors/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("vectors: got %q, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var vectors []struct {
			Steps []struct {
				Server json.RawMessage
				Raw    string
			}
		}
		if err := json.Unmarshal(text, &vectors); err != nil {
			f.Fatal(err)
		}
		for _, v := range vectors {
			for _, step := range v.Steps {
				if step.Server != nil {
					frames = append(frames, string(step.Server))
				}
				if step.Raw != "" {
					frames = append(frames, step.Raw)
				}
			}
		}
	}
	return frames
}
