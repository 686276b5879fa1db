package live_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/stream"
)

// A slowEndpoint notes the member events of others, and does nothing until it may go on.
type slowEndpoint struct {
	began chan struct{} // closed once it is called
	goOn  chan struct{}

	begin sync.Once
	free  sync.Once
	seen  notes
}

func (e *slowEndpoint) member(_ context.Context, mb *live.Member, event live.MemberEvent) {
	e.begin.Do(func() { close(e.began) })
	<-e.goOn
	if mb.Seat() == "own" {
		return
	}
	e.seen.add(fmt.Sprint(event, " ", mb.Seat()))
}

// goesOn lets the endpoint go on.
func (e *slowEndpoint) goesOn() { e.free.Do(func() { close(e.goOn) }) }

// comeAndGo lets a socket join the channel "news" and leave it, n times, each time on another seat.
func (s *site) comeAndGo(n int, keep live.Retention) (events []string) {
	s.t.Helper()
	ctx := s.t.Context()
	socket, err := s.log.Take(ctx, &stream.Claim{ID: stream.NewID(), New: true, Session: session.ID{1}})
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range n {
		seat := fmt.Sprint(i)
		for _, op := range []stream.Op{
			{Kind: stream.Join, Channel: "news", Seat: seat, Keep: keep}, {Kind: stream.Leave, Channel: "news"},
		} {
			if _, err := s.log.Commit(ctx, &stream.Batch{Lease: socket.Lease(), Ops: []stream.Op{op}}); err != nil {
				s.t.Fatal(err)
			}
		}
		events = append(events, "joined "+seat, "left "+seat)
	}
	return events
}

// newSlow returns a site whose endpoint is slow, and a client whose own join the endpoint is being told of.
func newSlow(t *testing.T, keep live.Retention) (e *slowEndpoint, s *site, c *client, id live.ID) {
	t.Helper()
	e = &slowEndpoint{began: make(chan struct{}), goOn: make(chan struct{})}
	endpoint := obey(func() *live.Hub { return s.hub }, &live.Rules{Keep: keep})
	endpoint.Member = e.member
	s = newSite(t, endpoint, &live.Config{MaxDown: 1 << 20, MaxDownBytes: 1 << 30})
	t.Cleanup(e.goesOn) // also where the test fails before
	c, w := s.open(s.login("ada"), hello)
	c.send(`[1,{"join":"news","seat":"own"}]`)
	id, err := live.ParseID(w.ID)
	if err != nil {
		t.Fatal(err)
	}
	<-e.began // of its own join
	return e, s, c, id
}

// readEvents reads until the client was sent the event of a number.
func (c *client) readEvents(to int) {
	c.t.Helper()
	for {
		var f struct{ N int }
		if c.receiveInto(&f); f.N >= to {
			return
		}
	}
}

// An endpoint that takes long for its member events costs no memory, and is told of all of them in order.
func TestSlowEndpointIsToldOfAllMembers(t *testing.T) {
	const n = 3000
	keep := live.Retention{Messages: 1 << 20, Bytes: 1 << 30}
	e, site, c, id := newSlow(t, keep)
	want := site.comeAndGo(n, keep)
	c.readEvents(1 + 2*n)
	if waiting := site.hub.Waiting(id); waiting > 100 {
		t.Errorf("%d events wait for the endpoint in memory", waiting)
	}
	e.goesOn()
	eventually(t, "all was told", func() bool { return len(e.seen.all()) >= len(want) })
	if got := e.seen.all(); !slices.Equal(got, want) {
		t.Errorf("the endpoint was told of %d events, want %d in their order", len(got), len(want))
	}
	want = append(want, site.comeAndGo(1, live.Retention{})...)
	eventually(t, "what comes later was told", func() bool { return slices.Equal(e.seen.all(), want) })
}

// What a channel keeps no more is left out, and the endpoint is told of what follows.
func TestSlowEndpointIsToldOfWhatIsKept(t *testing.T) {
	const n, kept = 50, 100 // events at a time, and in the end
	keep := live.Retention{Messages: kept}
	e, site, c, _ := newSlow(t, keep)
	var want []string
	for len(want) < 20*n {
		want = append(want, site.comeAndGo(n/2, keep)...)
		c.readEvents(1 + len(want)) // so that the client misses nothing
	}
	e.goesOn()
	eventually(t, "the newest was told", func() bool { return len(e.seen.all()) >= live.MaxNotices+kept })
	want = append(want[:live.MaxNotices:live.MaxNotices], want[len(want)-kept:]...)
	if got := e.seen.all(); !slices.Equal(got, want) {
		t.Errorf("the endpoint was told of %d events, %q; want %d, %q", len(got), got, len(want), want)
	}
}
