package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store/mem"
)

// A visitor is a client of the protocol that lives through broken connections. It keeps a history of what it was told.
type visitor struct {
	sites  []*site // one log and store
	cookie string
	rng    *rand.Rand

	id       string
	at       map[string]stream.Position
	sent, in uint64
	got      map[string][]string // what has come of each stream, in order
	ws       *websocket.Conn
}

func newVisitor(sites []*site, who string, seed uint64) *visitor {
	return &visitor{
		sites: sites, cookie: sites[0].login(who), rng: rand.New(rand.NewPCG(seed, 1)),
		at: map[string]stream.Position{}, got: map[string][]string{},
	}
}

// connect opens a connection to any of the nodes and says hello.
func (v *visitor) connect(ctx context.Context) error {
	site := v.sites[v.rng.IntN(len(v.sites))]
	ws, _, err := websocket.Dial(ctx, site.url+"/live", &websocket.DialOptions{
		HTTPHeader:   http.Header{"Cookie": {v.cookie}, "Origin": {site.url}},
		Subprotocols: []string{"live.1"},
	})
	if err != nil {
		return err
	}
	v.ws = ws
	ws.SetReadLimit(1 << 20)
	text := []byte(hello)
	if v.id != "" {
		text, _ = json.Marshal(map[string]any{"t": "hello", "id": v.id, "at": v.at})
	}
	if err := ws.Write(ctx, websocket.MessageText, text); err != nil {
		return err
	}
	for {
		kind, err := v.read(ctx)
		if err != nil || kind == "welcome" {
			return err
		}
	}
}

// read reads one frame and notes what it says. An error that is no broken connection is a broken promise.
func (v *visitor) read(ctx context.Context) (kind string, err error) {
	_, text, err := v.ws.Read(ctx)
	if err != nil {
		return "", err
	}
	if text[0] == '[' {
		return "message", v.message(text)
	}
	var f struct {
		T       string
		ID      string
		Resumed bool
		In      uint64
		S       string
		N       uint64
		At      json.RawMessage
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return "", err
	}
	switch f.T {
	case "welcome":
		if v.id != "" && (!f.Resumed || f.ID != v.id) {
			return "", fmt.Errorf("%w: lost: %s", errPromise, text)
		}
		if f.In < v.in {
			return "", fmt.Errorf("%w: %d was acknowledged, and now it is %d", errPromise, v.in, f.In)
		}
		v.id, v.in = f.ID, f.In
		if _, ok := v.at[""]; !ok {
			var at map[string]stream.Position
			json.Unmarshal(f.At, &at)
			v.at[""] = at[""]
		}
	case "ack":
		v.in = max(v.in, f.In)
	case "join":
		var at stream.Position
		json.Unmarshal(f.At, &at)
		v.at[f.S] = at
	case "member":
		return "member", v.next(f.S, f.N, "")
	case "gap", "no", "part":
		return "", fmt.Errorf("%w: unexpected %s", errPromise, text)
	}
	return f.T, nil
}

// quiet keeps no log of connections that break.
var quiet = slog.New(slog.DiscardHandler)

var errPromise = errors.New("a broken promise")

func (v *visitor) message(text []byte) error {
	var parts []json.RawMessage
	var n uint64
	var channel string
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	json.Unmarshal(parts[0], &n)
	if len(parts) > 2 {
		json.Unmarshal(parts[2], &channel)
	}
	return v.next(channel, n, string(parts[1]))
}

// next notes a message, which has to be the next of its stream.
func (v *visitor) next(channel string, n uint64, data string) error {
	at := v.at[channel]
	if n != at.Number+1 {
		return fmt.Errorf("%w: number %d of %q after %d", errPromise, n, channel, at.Number)
	}
	v.at[channel] = stream.Position{Epoch: at.Epoch, Number: n}
	if data != "" {
		v.got[channel] = append(v.got[channel], data)
	}
	return nil
}

// send sends the next message, or an earlier one that is not acknowledged, or one that is.
func (v *visitor) send(ctx context.Context, n uint64) error {
	return v.ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `[%d,%d]`, n, n))
}

// run sends messages until all of them are acknowledged, and goes through cuts, duplicates and other nodes. Done says
// when it has got all.
func (v *visitor) run(ctx context.Context, messages uint64, chaos float64, done func() bool) error {
	for {
		err := v.stay(ctx, messages, chaos, done)
		if v.ws != nil {
			v.ws.CloseNow()
		}
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("not in time: sent %d, acknowledged %d, at %v", v.sent, v.in, v.at)
		case errors.Is(err, errPromise):
			return err
		}
	}
}

var errCut = errors.New("cut")

// stay is one connection.
func (v *visitor) stay(ctx context.Context, messages uint64, chaos float64, done func() bool) error {
	if err := v.connect(ctx); err != nil {
		return err
	}
	for n := v.in + 1; n <= v.sent; n++ { // again what may have been lost
		if err := v.send(ctx, n); err != nil {
			return err
		}
	}
	for v.in < messages || !done() {
		if v.rng.Float64() < chaos {
			return errCut
		}
		if v.sent < messages && v.sent < v.in+8 {
			v.sent++
			if err := v.send(ctx, v.sent); err != nil {
				return err
			}
			if v.rng.Float64() < chaos { // a duplicate of any
				if err := v.send(ctx, 1+v.rng.Uint64N(v.sent)); err != nil {
					return err
				}
			}
			if v.in+4 > v.sent {
				continue
			}
		}
		if _, err := v.read(ctx); err != nil {
			return err
		}
		if v.rng.IntN(8) == 0 {
			numbers := map[string]uint64{}
			for s, at := range v.at {
				numbers[s] = at.Number
			}
			text, _ := json.Marshal(map[string]any{"t": "ack", "at": numbers})
			if err := v.ws.Write(ctx, websocket.MessageText, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// Two nodes, and clients whose connections break and whose messages come twice: each stream comes whole, in order and
// once, and all members see one order.
func TestHistoriesUnderDropsAndDuplicates(t *testing.T) {
	visitors, messages := 8, uint64(60)
	if testing.Short() {
		visitors, messages = 4, 20
	}
	s, l := mem.New(nil), memlog.New(nil)
	t.Cleanup(func() { s.Close(); l.Close(context.Background(), false) })
	var sites []*site
	for n := range 2 {
		var hub *live.Hub
		site := newNode(t, s, l, live.Endpoint{
			Open: func(ctx context.Context, s *live.Socket) error {
				_, err := hub.Channel("room", nil).Join(ctx, s, "")
				return err
			},
			Message: func(ctx context.Context, s *live.Socket, m live.Message) error {
				if err := s.Send(ctx, m.Data); err != nil {
					return err
				}
				return hub.Channel("room", nil).Send(ctx, fmt.Appendf(nil, `"%s %s"`, s.ID(), m.Data))
			},
		}, &live.Config{Node: fmt.Sprint(n), Logger: quiet})
		hub = site.hub
		sites = append(sites, site)
	}
	var all []*visitor
	for n := range visitors {
		all = append(all, newVisitor(sites, fmt.Sprint("visitor", n), uint64(n)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, v := range all { // all are in the room before anybody speaks
		joined := func() bool { return v.at["room"].Number > 0 }
		if err := v.run(ctx, 0, 0, joined); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for _, v := range all {
		wg.Go(func() {
			done := func() bool {
				return len(v.got[""]) == int(messages) && len(v.got["room"]) == visitors*int(messages)
			}
			if err := v.run(ctx, messages, 0.03, done); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, v := range all {
		for n, data := range v.got[""] {
			if data != fmt.Sprint(n+1) {
				t.Fatalf("its own message %d is %s", n+1, data)
			}
		}
		if !slices.Equal(v.got["room"], all[0].got["room"]) {
			t.Fatal("two members saw different histories of the room")
		}
		next := 1
		for _, data := range v.got["room"] {
			if data == fmt.Sprintf(`"%s %d"`, v.id, next) {
				next++
			}
		}
		if next != int(messages)+1 {
			t.Errorf("the room has %d messages of a visitor, in order and once; want %d", next-1, messages)
		}
	}
}

// Many sockets are opened, used, cut and resumed in batches: every message comes once, and no goroutine stays. Ten
// thousand take about a minute:
//
//	make soak
func TestManySockets(t *testing.T) {
	batches, size := 10, 100
	if n, err := strconv.Atoi(os.Getenv("SESSION_LIVE_SOCKETS")); err == nil {
		size = max(1, n/batches)
	} else if testing.Short() {
		batches, size = 3, 60
	}
	node := newSite(t, live.Endpoint{Message: func(ctx context.Context, s *live.Socket, m live.Message) error {
		return s.Send(ctx, m.Data)
	}}, &live.Config{Logger: quiet, Window: time.Hour, MaxPerSession: batches * size})
	cookie := node.login("ada")
	before := runtime.NumGoroutine()
	for range batches {
		openUseCutResume(t, node, cookie, size)
		eventually(t, "the hub has no sockets, and there are no more goroutines than before", func() bool {
			return node.hub.Count() == 0 && runtime.NumGoroutine() <= before
		})
	}
}

// openUseCutResume opens a number of sockets, all at the same time, and cuts them before any of them comes back.
func openUseCutResume(t *testing.T, node *site, cookie string, size int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var opening, all sync.WaitGroup
	opening.Add(size)
	cut := make(chan struct{})
	for n := range size {
		all.Go(func() {
			opened := sync.OnceFunc(opening.Done)
			defer opened()
			v := &visitor{
				sites: []*site{node}, cookie: cookie, rng: rand.New(rand.NewPCG(uint64(n), 2)),
				at: map[string]stream.Position{}, got: map[string][]string{},
			}
			got := func(messages int) bool { return len(v.got[""]) == messages }
			err := v.run(ctx, 2, 0, func() bool {
				if !got(2) {
					return false
				}
				opened()
				<-cut
				return true
			})
			id, _ := live.ParseID(v.id)
			if err == nil {
				err = node.hub.Send(ctx, id, []byte(`"away"`))
			}
			if err == nil {
				err = v.run(ctx, 4, 0, func() bool { return got(5) })
			}
			if err != nil || !slices.Equal(v.got[""], []string{"1", "2", `"away"`, "3", "4"}) {
				t.Errorf("got %v, error %v", v.got[""], err)
			}
		})
	}
	opening.Wait()
	if got := node.hub.Count(); got != size {
		t.Errorf("%d sockets are open, want %d", got, size)
	}
	close(cut)
	all.Wait()
}

// A seat that sockets on two nodes race for has one winner, each time.
func TestSeatRacedForOnTwoNodes(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	sockets, _ := twoNodesWithSockets(t, 4)
	rules := &live.Rules{Seats: []string{"left"}}
	for round := range rounds {
		var wg sync.WaitGroup
		won := make([]*live.Member, len(sockets))
		for i, s := range sockets {
			wg.Go(func() {
				mb, err := s.hub.Channel("seat", rules).Join(t.Context(), s.socket, "left")
				if err == nil {
					won[i] = mb
				}
			})
		}
		wg.Wait()
		winners := slices.DeleteFunc(slices.Clone(won), func(mb *live.Member) bool { return mb == nil })
		if len(winners) != 1 {
			t.Fatalf("round %d: %d winners", round, len(winners))
		}
		if err := winners[0].Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// Two leave while a third joins: it finds the whole state or none.
func TestBothLeaveWhileOneJoins(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	sockets, _ := twoNodesWithSockets(t, 3)
	for round := range rounds {
		channel := func(i int) *live.Channel { return sockets[i].hub.Channel("pair", nil) }
		var members [2]*live.Member
		for i := range members {
			mb, err := channel(i).Join(t.Context(), sockets[i].socket, fmt.Sprint(i))
			if err != nil {
				t.Fatal(err)
			}
			members[i] = mb
		}
		for range 2 {
			if err := channel(0).Do(t.Context(), func(ctx context.Context) error {
				_, err := total.Add(ctx, 1)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		var third *live.Member
		for _, mb := range members {
			wg.Go(func() {
				if err := mb.Leave(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Go(func() {
			mb, err := channel(2).Join(t.Context(), sockets[2].socket, "third")
			if err != nil {
				t.Error(err)
			}
			third = mb
		})
		wg.Wait()
		var n int64
		err := channel(2).Do(t.Context(), func(ctx context.Context) (err error) {
			n, err = total.Get(ctx)
			return err
		})
		if err != nil || n != 0 && n != 2 {
			t.Fatalf("round %d: the state is %d, error %v; want all of it or nothing", round, n, err)
		}
		if list, err := channel(0).Members(t.Context()); err != nil || len(list) != 1 || list[0].Seat != "third" {
			t.Fatalf("round %d: members %+v, error %v", round, list, err)
		}
		if err := third.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

type onNode struct {
	hub    *live.Hub
	socket *live.Socket
}

// twoNodesWithSockets returns sockets that are open on two nodes in turn. Their clients read all that comes.
func twoNodesWithSockets(t *testing.T, n int) (all []onNode, sites []*site) {
	t.Helper()
	s, l := mem.New(nil), memlog.New(nil)
	t.Cleanup(func() { s.Close(); l.Close(context.Background(), false) })
	cfg := &live.Config{Logger: quiet, MaxDown: 1 << 20}
	sites = []*site{newNode(t, s, l, live.Endpoint{}, cfg), newNode(t, s, l, live.Endpoint{}, cfg)}
	for i := range n {
		site := sites[i%2]
		c, w := site.open(site.login(fmt.Sprint("visitor", i)), hello)
		go func() {
			for {
				if _, _, err := c.ws.Read(context.Background()); err != nil {
					return
				}
			}
		}()
		id, _ := live.ParseID(w.ID)
		all = append(all, onNode{site.hub, site.hub.Socket(id)})
	}
	return all, sites
}
