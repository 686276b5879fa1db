package live_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/stream"
)

// member opens a socket and makes it a member of the channel "news" by its first message.
func (s *site) member(who, seat string) (*client, welcome, *live.Socket) {
	s.t.Helper()
	c, w := s.open(s.login(who), hello)
	c.send(fmt.Sprintf(`[1,{"join":"news","seat":%q}]`, seat))
	wantAll(s.t, c, `{"t":"ack","in":1}`)
	id, _ := live.ParseID(w.ID)
	return c, w, s.hub.Socket(id)
}

// A socket that leaves while its messages are read gets none of them after it was told, and what it was sent is not
// waited for.
func TestLeaveWhileTheChannelIsRead(t *testing.T) {
	site, l := newObeyingHooked(t, nil, &live.Config{MaxDown: 2})
	c, _, socket := site.member("ada", "a")
	c.receive() // join
	c.receive() // joined
	c.send(`{"t":"ack","at":{"news":1}}`)
	news := site.hub.Channel("news", nil)
	mb, err := news.Join(t.Context(), socket, "a")
	if err != nil {
		t.Fatal(err)
	}
	reading, goOn := make(chan struct{}), make(chan struct{})
	var stopped atomic.Bool
	l.hook(func() {
		l.onRead = func(s stream.Name, _ stream.Position) error {
			if s == stream.Of("news") && stopped.CompareAndSwap(false, true) {
				close(reading)
				<-goOn
			}
			return nil
		}
	})
	if err := news.Send(t.Context(), []byte(`"read now"`)); err != nil {
		t.Fatal(err)
	}
	<-reading
	if err := mb.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	c.want(`{"t":"part","s":"news"}`)
	for n := 1; n <= 2; n++ { // as many as may be unacknowledged
		if err := socket.Send(t.Context(), []byte(`"still here"`)); err != nil {
			t.Fatal(err)
		}
		c.want(fmt.Sprintf(`[%d,"still here"]`, n))
	}
}

// A member that was replaced while it could not be told gets nothing of what comes after, whatever became of the
// channel.
func TestReplacedMemberGetsNothingOfTheNextChannel(t *testing.T) {
	rules := &live.Rules{Taken: live.ReplaceOld}
	site := newObeying(t, rules, &live.Config{MaxDown: 2})
	ada, _, socket := site.member("ada", "seat")
	if err := socket.Send(t.Context(), []byte(`"fill"`)); err != nil { // no more may be sent until it acknowledges
		t.Fatal(err)
	}
	wantAll(t, ada, `[1,"fill"]`)
	_, _, second := site.member("bob", "seat")
	news := site.hub.Channel("news", rules)
	mb, err := news.Join(t.Context(), second, "seat")
	if err != nil {
		t.Fatal(err)
	}
	if err := mb.Leave(t.Context()); err != nil { // the last member: the channel is gone
		t.Fatal(err)
	}
	eve, _, _ := site.member("eve", "seat")
	ada.send(fmt.Sprintf(`{"t":"ack","at":{"":1,"news":%d}}`, 1))
	wantPart(t, ada)
	eve.send(`[2,{"say":"secret","to":"news"}]`)
	wantAll(t, eve, `{"t":"ack","in":2}`)
	if err := socket.Send(t.Context(), []byte(`"end"`)); err != nil {
		t.Fatal(err)
	}
	ada.want(`[2,"end"]`)
}

// wantPart receives until the client is told that it is no member.
func wantPart(t *testing.T, c *client) {
	t.Helper()
	for {
		got := c.receive()
		var f struct{ T string }
		if json.Unmarshal([]byte(got), &f); f.T == "part" {
			return
		}
		if f.T != "gap" {
			t.Fatalf("got %s, want a part", got)
		}
	}
}

// A client that comes back can't read what was sent before it joined.
func TestNobodyReadsWhatWasSentBeforeTheJoin(t *testing.T) {
	site := newObeying(t, nil, nil)
	ada, _, _ := site.member("ada", "a")
	ada.send(`[2,{"say":"secret","to":"news"}]`)
	wantAll(t, ada, `{"t":"ack","in":2}`)
	cookie := site.login("eve")
	eve, w := site.open(cookie, hello)
	eve.send(`[1,{"join":"news","seat":"e"}]`)
	eve.want(`{"t":"ack","in":1}`)
	var join struct{ At stream.Position }
	eve.receiveInto(&join)
	eve.cut()
	at, _ := json.Marshal(map[string]any{"t": "hello", "id": w.ID, "at": map[string]any{
		"": w.At[""], "news": stream.Position{Epoch: join.At.Epoch},
	}})
	eve, _ = site.open(cookie, string(at))
	var again struct {
		T  string
		At stream.Position
	}
	eve.receiveInto(&again)
	if again.T != "join" || again.At != join.At {
		t.Errorf("got %+v, want to be told again of the join at %v", again, join.At)
	}
}

// A join by a connection that is gone is an error, and leaves nothing behind.
func TestJoinAfterTheConnectionIsGone(t *testing.T) {
	site := newObeying(t, nil, nil)
	c, w := site.open(site.login("ada"), hello)
	id, _ := live.ParseID(w.ID)
	socket := site.hub.Socket(id)
	c.cut()
	eventually(t, "the node has it no more", func() bool { return site.hub.Socket(id) == nil })
	if _, err := site.hub.Channel("news", nil).Join(t.Context(), socket, ""); err == nil {
		t.Error("no error")
	}
	if feeds := site.hub.Feeds(); feeds != 0 {
		t.Errorf("%d channels are followed for nobody", feeds)
	}
}

// The end of a connection while it joins leaves no subscription behind either.
func TestConnectionEndsWhileItJoins(t *testing.T) {
	site, l := newObeyingHooked(t, nil, nil)
	c, w := site.open(site.login("ada"), hello)
	id, _ := live.ParseID(w.ID)
	socket := site.hub.Socket(id)
	joining, goOn := make(chan struct{}), make(chan struct{})
	l.hook(func() {
		l.onCommit = func(b *stream.Batch) error {
			if len(b.Ops) > 0 && b.Ops[0].Kind == stream.Join {
				close(joining)
				<-goOn
			}
			return nil
		}
	})
	joined := make(chan error)
	go func() {
		_, err := site.hub.Channel("news", nil).Join(context.Background(), socket, "")
		joined <- err
	}()
	<-joining
	c.cut()
	eventually(t, "the node has it no more", func() bool { return site.hub.Socket(id) == nil })
	close(goOn)
	if err := <-joined; err == nil {
		t.Error("no error")
	}
	eventually(t, "no channel is followed", func() bool { return site.hub.Feeds() == 0 })
}

// A join tells the truth also where the socket has lost its seat and was not told yet.
func TestJoinAgainAfterBeingReplaced(t *testing.T) {
	rules := &live.Rules{Taken: live.ReplaceOld}
	site := newObeying(t, rules, &live.Config{MaxDown: 1})
	ada, w, socket := site.member("ada", "seat") // its Joined event is all that may be unacknowledged
	site.member("bob", "seat")
	if _, err := site.hub.Channel("news", rules).Join(t.Context(), socket, "seat"); err != nil {
		t.Fatal(err)
	}
	members, err := site.hub.Channel("news", rules).Members(t.Context())
	if err != nil || len(members) != 1 || members[0].Socket.String() != w.ID {
		t.Errorf("members %+v, error %v; want ada alone", members, err)
	}
	ada.send(`{"t":"ack","at":{"news":1}}`)
	wantAll(t, ada, `{"t":"part","s":"news"}`)
	var join struct {
		T  string
		At stream.Position
	}
	ada.receiveInto(&join)
	if join.T != "join" || join.At.Number < 3 {
		t.Errorf("got %+v, want the second join", join)
	}
}

// A commit that is refused for a deadlock runs the handler again.
func TestCommitRefusedForADeadlockRunsAgain(t *testing.T) {
	var runs atomic.Int32
	var s *site
	s, l := newHookedSite(t, live.Endpoint{
		Message: func(ctx context.Context, socket *live.Socket, m live.Message) error {
			runs.Add(1)
			return socket.Send(ctx, []byte(`"once"`))
		},
	}, nil)
	c, _ := s.open(s.login("ada"), hello)
	fails := once()
	l.hook(func() {
		l.onCommit = func(b *stream.Batch) error {
			if b.In != 0 && fails() != nil {
				return stream.ErrDeadlock
			}
			return nil
		}
	})
	c.send(`[1,1]`)
	c.want(`{"t":"ack","in":1}`, `[1,"once"]`)
	if runs.Load() != 2 {
		t.Errorf("the handler ran %d times, want 2", runs.Load())
	}
}

// What happens to the members of a channel does not count as messages of a client.
func TestMemberEventsAreNoMessagesOfTheClient(t *testing.T) {
	goOn := make(chan struct{})
	var s *site
	e := obey(func() *live.Hub { return s.hub }, nil)
	e.Member = func(context.Context, *live.Member, live.MemberEvent) { <-goOn }
	s = newSite(t, e, &live.Config{MaxUp: 3, MaxDown: 5})
	ada, _, socket := s.member("ada", "a")
	for n := range 4 {
		s.member(fmt.Sprintf("visitor%d", n), fmt.Sprint(n))
	}
	for range 6 {
		ada.receive() // join, and five joined
	}
	for n := 2; n <= 4; n++ {
		ada.send(fmt.Sprintf(`[%d,{}]`, n))
	}
	if err := socket.Send(t.Context(), []byte(`"read"`)); err != nil { // comes once the ack was read
		t.Fatal(err)
	}
	ada.send(`{"t":"ack","at":{"news":5}}`)
	ada.want(`[1,"read"]`)
	close(goOn)
	ada.want(`{"t":"ack","in":2}`, `{"t":"ack","in":3}`, `{"t":"ack","in":4}`)
}
