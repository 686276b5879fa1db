package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// A fragile is a server that keeps what it has to, and breaks its connections after a random number of frames. It sends
// back each message that it handles.
type fragile struct {
	mu      sync.Mutex // locks the remaining fields
	random  *rand.Rand
	frames  int      // how many a connection lives for, at most
	handled []string // messages from the client, in order; the answers have the same numbers
}

var errBreaks = errors.New("breaks")

func (f *fragile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"live.1"}})
	if err != nil {
		return
	}
	defer ws.CloseNow()
	_ = f.serve(r.Context(), ws)
}

func (f *fragile) serve(ctx context.Context, ws *websocket.Conn) error {
	f.mu.Lock()
	life := f.random.IntN(f.frames)
	f.mu.Unlock()
	sent := 0
	for {
		_, text, err := ws.Read(ctx)
		if err != nil {
			return err
		}
		if life--; life < 0 {
			return errBreaks
		}
		for _, frame := range f.answer(text, &sent) {
			if life--; life < 0 {
				return errBreaks
			}
			if err := ws.Write(ctx, websocket.MessageText, []byte(frame)); err != nil {
				return err
			}
		}
	}
}

// answer returns what to send after a frame. sent is how far this connection has sent.
func (f *fragile) answer(text []byte, sent *int) (frames []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if text[0] == '[' {
		return f.handle(text, sent)
	}
	var hello struct {
		T  string
		ID string
		At map[string]json.RawMessage
	}
	if json.Unmarshal(text, &hello) != nil || hello.T != "hello" {
		return nil
	}
	resumed := hello.ID != ""
	if resumed {
		var epoch string
		_ = json.Unmarshal(hello.At[""], &[]any{&epoch, sent})
	}
	frames = append(frames, welcomeText(clientID, resumed, len(f.handled), `{"":["e1",0]}`))
	return append(frames, f.rest(sent)...)
}

func (f *fragile) handle(text []byte, sent *int) []string {
	var number int
	var data string
	if err := json.Unmarshal(text, &[]any{&number, &data}); err != nil {
		panic(err)
	}
	if number > len(f.handled)+1 {
		panic(fmt.Sprintf("number %d after %d", number, len(f.handled)))
	}
	if number == len(f.handled)+1 {
		f.handled = append(f.handled, data)
	}
	return append(f.rest(sent), fmt.Sprintf(`{"t":"ack","in":%d}`, len(f.handled)))
}

// rest returns the answers after what was sent. The one before it is sent twice, as a client has to bear.
func (f *fragile) rest(sent *int) (frames []string) {
	for i := max(0, *sent-1); i < len(f.handled); i++ {
		frames = append(frames, fmt.Sprintf(`[%d,%q]`, i+1, f.handled[i]))
	}
	*sent = len(f.handled)
	return frames
}

// Whatever breaks, each message is handled once and each answer received once, both in order.
func TestNothingIsLostOrDoubled(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) { storm(t, n, seed) })
		})
	}
}

func storm(t *testing.T, n *network, seed uint64) {
	const senders, each = 4, 50
	f := &fragile{random: rand.New(rand.NewPCG(seed, 0)), frames: 60}
	n.auto = true
	n.handler = f.ServeHTTP
	c := n.dialling()

	var sending sync.WaitGroup
	for sender := range senders {
		sending.Go(func() {
			for i := range each {
				if err := c.Send(context.Background(), fmt.Appendf(nil, `"%d %d"`, sender, i)); err != nil {
					t.Errorf("send: %v", err)
					return
				}
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	next := make(map[int]int)
	for number := uint64(1); number <= senders*each; number++ {
		m, err := c.Receive(ctx)
		if err != nil {
			t.Fatalf("receive: %v", err)
		}
		if m.Number != number {
			t.Fatalf("received number %d, want %d", m.Number, number)
		}
		var sender, i int
		if _, err := fmt.Sscanf(string(m.Data), `"%d %d"`, &sender, &i); err != nil {
			t.Fatal(err)
		}
		if i != next[sender] {
			t.Fatalf("message %d of sender %d, want %d", i, sender, next[sender])
		}
		next[sender]++
	}
	sending.Wait()
	if n.tries < 3 {
		t.Errorf("connections: got %d, want some", n.tries)
	}
}
