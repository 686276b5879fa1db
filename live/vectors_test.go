package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/lazysession/session/live"
)

// A vector is a case that all clients of live.1 share. testdata/vectors/README.md says what the steps mean.
type vector struct {
	Name  string
	What  string
	Steps []json.RawMessage
}

// A vectorRun is a vector at work.
type vectorRun struct {
	t      *testing.T
	net    *network
	conn   *live.Conn
	dials  int // how many the test has seen
	random float64

	mu      sync.Mutex // locks the remaining fields
	events  []any
	results []map[string]any // of sends
	closed  *live.CloseError
}

func TestVectors(t *testing.T) {
	files, err := filepath.Glob("testdata/vectors/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("vectors: got %q, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var vectors []vector
		if err := json.Unmarshal(text, &vectors); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, v := range vectors {
			t.Run(filepath.Base(file)+"/"+v.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { runVector(t, v) })
			})
		}
	}
}

func runVector(t *testing.T, v vector) {
	t.Log(v.What)
	r := &vectorRun{t: t, net: newNetwork(t), random: 0.5}
	random := func() float64 { return r.random }
	conn, err := live.DialWith("ws://live.test/", &live.DialOptions{HTTPClient: r.net.client}, random)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	r.conn = conn
	go r.receive()
	synctest.Wait()
	for i, text := range v.Steps {
		if err := r.step(text); err != nil {
			t.Fatalf("step %d %s: %v", i+1, text, err)
		}
	}
	if err := r.quiet(); err != nil {
		t.Fatal(err)
	}
}

// receive notes what the client tells.
func (r *vectorRun) receive() {
	for {
		m, err := r.conn.Receive(context.Background())
		if !r.note(m, err) {
			return
		}
	}
}

func (r *vectorRun) note(m live.Message, err error) (more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if gap, ok := errors.AsType[*live.GapError](err); ok {
		r.events = append(r.events, []any{"gap", map[string]any{"stream": gap.Stream, "why": gap.Why}})
		return true
	}
	if err != nil {
		r.closed, _ = errors.AsType[*live.CloseError](err)
		return false
	}
	event := map[string]any{"stream": m.Stream, "number": m.Number}
	if m.Member != nil {
		event["event"], event["who"], event["seat"] = m.Member.Event, m.Member.Socket, m.Member.Seat
		r.events = append(r.events, []any{"member", event})
		return true
	}
	event["data"] = json.RawMessage(m.Data)
	r.events = append(r.events, []any{"message", event})
	return true
}

func (r *vectorRun) send(data []byte, as string) {
	err := r.conn.Send(context.Background(), data)
	result := map[string]any{"resolved": as}
	if refused, ok := errors.AsType[*live.SendError](err); ok {
		result = map[string]any{"rejected": as, "code": refused.Code, "text": refused.Text}
	} else if _, ok := errors.AsType[*live.CloseError](err); ok {
		result = map[string]any{"rejected": as, "code": "closed"}
	} else if err != nil {
		result = map[string]any{"failed": as, "error": err.Error()}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, result)
}

// step does or checks one step.
func (r *vectorRun) step(text []byte) error {
	var step map[string]json.RawMessage
	if err := json.Unmarshal(text, &step); err != nil {
		return err
	}
	if slices.ContainsFunc(vectorActs, func(act string) bool { return step[act] != nil }) {
		if err := r.quiet(); err != nil {
			return err
		}
		r.act(step)
		synctest.Wait()
		return nil
	}
	if step["random"] != nil {
		read(r.t, step["random"], &r.random)
		return nil
	}
	return r.expect(step)
}

var vectorActs = []string{"open", "refuse", "cut", "server", "raw", "binary", "close", "send", "end", "advance"}

func (r *vectorRun) act(step map[string]json.RawMessage) {
	switch {
	case step["open"] != nil:
		r.net.answer(true)
	case step["refuse"] != nil:
		r.net.answer(false)
	case step["cut"] != nil:
		r.net.cut()
	case step["server"] != nil:
		r.net.say(websocket.MessageText, string(step["server"]))
	case step["raw"] != nil:
		r.net.say(websocket.MessageText, readAs[string](r.t, step["raw"]))
	case step["binary"] != nil:
		r.net.say(websocket.MessageBinary, readAs[string](r.t, step["binary"]))
	case step["close"] != nil:
		r.net.close(readAs[websocket.StatusCode](r.t, step["close"]), readAs[string](r.t, step["reason"]))
	case step["send"] != nil:
		go r.send(step["send"], readAs[string](r.t, step["as"]))
	case step["end"] != nil:
		_ = r.conn.Close()
	case step["advance"] != nil:
		time.Sleep(time.Duration(readAs[float64](r.t, step["advance"]) * float64(time.Millisecond)))
	}
}

func (r *vectorRun) expect(step map[string]json.RawMessage) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case step["dials"] != nil:
		r.dials++
		return r.dialled()
	case step["client"] != nil:
		return same("frame", r.net.next(), step["client"])
	case step["event"] != nil:
		if len(r.events) == 0 {
			return errors.New("no event")
		}
		event := r.events[0]
		r.events = r.events[1:]
		return same("event", event, step["event"])
	case step["resolved"] != nil:
		return r.result(readAs[string](r.t, step["resolved"]), step, "resolved")
	case step["rejected"] != nil:
		return r.result(readAs[string](r.t, step["rejected"]), step, "rejected")
	case step["closes"] != nil:
		return r.closes(step["closes"])
	case step["id"] != nil:
		return same("id", r.conn.ID(), step["id"])
	case step["state"] != nil:
		return r.state(step)
	}
	return errors.New("unknown step")
}

// result checks how a send has ended, among all that have: they end in goroutines of their own.
func (r *vectorRun) result(as string, step map[string]json.RawMessage, kind string) error {
	i := slices.IndexFunc(r.results, func(result map[string]any) bool { return result[kind] == as })
	if i < 0 {
		return fmt.Errorf("results: got %v", r.results)
	}
	got := r.results[i]
	r.results = slices.Delete(r.results, i, i+1)
	for key, want := range step {
		if err := same(key, got[key], want); err != nil {
			return err
		}
	}
	return nil
}

func (r *vectorRun) closes(want json.RawMessage) error {
	r.net.mu.Lock()
	defer r.net.mu.Unlock()
	if len(r.net.closes) == 0 {
		return errors.New("the client did not close")
	}
	got := r.net.closes[0]
	r.net.closes = r.net.closes[1:]
	if string(want) == "true" {
		return nil
	}
	return same("code", got, want)
}

func (r *vectorRun) state(step map[string]json.RawMessage) error {
	r.net.mu.Lock()
	connecting := r.net.pending != nil || r.net.conn != nil
	r.net.mu.Unlock()
	state := "offline"
	switch {
	case r.closed != nil:
		state = "closed"
	case r.conn.Open():
		state = "open"
	case connecting:
		state = "connecting"
	}
	if err := same("state", state, step["state"]); err != nil || step["code"] == nil {
		return err
	}
	return errors.Join(same("code", r.closed.Code, step["code"]), same("reason", r.closed.Reason, step["reason"]))
}

func (r *vectorRun) dialled() error {
	r.net.mu.Lock()
	defer r.net.mu.Unlock()
	if r.net.tries != r.dials {
		return fmt.Errorf("connections: got %d, want %d", r.net.tries, r.dials)
	}
	return nil
}

// quiet is an error where the client did what no step expects.
func (r *vectorRun) quiet() error {
	if err := r.dialled(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.net.mu.Lock()
	defer r.net.mu.Unlock()
	if len(r.net.frames)+len(r.net.closes)+len(r.events)+len(r.results) > 0 {
		return fmt.Errorf("not expected: frames %v, closes %v, events %v, results %v",
			r.net.frames, r.net.closes, r.events, r.results)
	}
	return nil
}

// same is an error where a value is another one in JSON.
func same(what string, got any, want json.RawMessage) error {
	text, err := json.Marshal(got)
	if err != nil {
		return err
	}
	var a, b any
	if err := errors.Join(json.Unmarshal(text, &a), json.Unmarshal(want, &b)); err != nil {
		return err
	}
	if !reflect.DeepEqual(a, b) {
		return fmt.Errorf("%s: got %s, want %s", what, text, want)
	}
	return nil
}

func read(t *testing.T, text json.RawMessage, v any) {
	t.Helper()
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func readAs[T any](t *testing.T, text json.RawMessage) (v T) {
	t.Helper()
	read(t, text, &v)
	return v
}
