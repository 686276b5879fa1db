package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/store/mem"
)

// A command is what the sockets of these tests are told to do.
type command struct {
	Join, Seat, Leave, Say, To string
}

// obey returns an endpoint that does what its clients say.
func obey(hub func() *live.Hub, rules *live.Rules) live.Endpoint {
	return live.Endpoint{
		Message: live.On(func(ctx context.Context, s *live.Socket, c command) error {
			switch {
			case c.Join != "":
				_, err := hub().Channel(c.Join, rules).Join(ctx, s, c.Seat)
				return err
			case c.Say != "":
				text, _ := json.Marshal(c.Say)
				return hub().Channel(c.To, rules).Send(ctx, text)
			}
			return nil
		}),
	}
}

func newObeying(t *testing.T, rules *live.Rules, cfg *live.Config) *site {
	var s *site
	s = newSite(t, obey(func() *live.Hub { return s.hub }, rules), cfg)
	return s
}

func TestChannelSurvivesABrokenConnection(t *testing.T) {
	site := newObeying(t, nil, nil)
	cookie := site.login("ada")
	ada, w := site.open(cookie, hello)
	ada.send(`[1,{"join":"news","seat":"a"}]`)
	ada.want(`{"t":"ack","in":1}`)
	var join struct{ At any }
	ada.receiveInto(&join)
	ada.want(fmt.Sprintf(`{"t":"member","s":"news","n":1,"e":"joined","who":%q,"seat":"a"}`, w.ID))
	ada.cut()
	bob, w2 := site.open(site.login("bob"), hello)
	eventually(t, "ada is away", func() bool {
		members, err := site.hub.Channel("news", nil).Members(t.Context())
		return err == nil && len(members) == 1 && members[0].Away && members[0].Owner == "ada"
	})
	bob.send(`[1,{"join":"news","seat":"b"}]`)
	bob.want(`{"t":"ack","in":1}`)
	bob.receive()
	bob.want(fmt.Sprintf(`{"t":"member","s":"news","n":3,"e":"joined","who":%q,"seat":"b"}`, w2.ID))
	bob.send(`[2,{"say":"hi","to":"news"}]`)
	bob.want(`{"t":"ack","in":2}`, `[4,"hi","news"]`)

	at, _ := json.Marshal(map[string]any{"t": "hello", "id": w.ID, "at": map[string]any{"": w.At[""], "news": join.At}})
	ada, again := site.open(cookie, string(at))
	if !again.Resumed || again.At["news"].Number != 0 {
		t.Fatalf("welcome %+v", again)
	}
	ada.want(
		fmt.Sprintf(`{"t":"member","s":"news","n":1,"e":"joined","who":%q,"seat":"a"}`, w.ID),
		fmt.Sprintf(`{"t":"member","s":"news","n":2,"e":"away","who":%q,"seat":"a"}`, w.ID),
		fmt.Sprintf(`{"t":"member","s":"news","n":3,"e":"joined","who":%q,"seat":"b"}`, w2.ID),
		`[4,"hi","news"]`,
		fmt.Sprintf(`{"t":"member","s":"news","n":5,"e":"back","who":%q,"seat":"a"}`, w.ID))
	bob.want(fmt.Sprintf(`{"t":"member","s":"news","n":5,"e":"back","who":%q,"seat":"a"}`, w.ID))
}

// Each of a pair waits for the other; what its client sends meanwhile is still read.
func TestWaitForTheOther(t *testing.T) {
	var s *site
	rules := &live.Rules{Seats: []string{"left", "right"}}
	s = newSite(t, live.Endpoint{
		Message: live.On(func(ctx context.Context, socket *live.Socket, seat string) error {
			mb, err := s.hub.Channel("pair", rules).Join(ctx, socket, seat)
			if err != nil {
				return err
			}
			if err := mb.Wait(ctx); err != nil {
				return err
			}
			return socket.Send(ctx, []byte(`"both are here"`))
		}),
	}, nil)
	cookie := s.login("ada")
	ada, w := s.open(cookie, hello)
	ada.send(`[1,"left"]`)
	ada.receive() // join: what the handler did before it waited is told at once
	ada.want(fmt.Sprintf(`{"t":"member","s":"pair","n":1,"e":"joined","who":%q,"seat":"left"}`, w.ID))
	ada.send(`{"t":"end"}`) // is read although the handler waits
	ada.wantClose(1000)
	eventually(t, "the seat is free", func() bool {
		members, err := s.hub.Channel("pair", nil).Members(t.Context())
		return err == nil && len(members) == 0
	})

	ada, w = s.open(cookie, hello)
	ada.send(`[1,"left"]`)
	ada.receive()
	bob, w2 := s.open(s.login("bob"), hello)
	bob.send(`[1,"right"]`)
	wantAll(t, bob, `{"t":"ack","in":1}`, `[1,"both are here"]`)
	wantAll(t, ada, fmt.Sprintf(`{"t":"member","s":"pair","n":1,"e":"joined","who":%q,"seat":"left"}`, w.ID),
		fmt.Sprintf(`{"t":"member","s":"pair","n":2,"e":"joined","who":%q,"seat":"right"}`, w2.ID),
		fmt.Sprintf(`{"t":"member","s":"pair","n":3,"e":"full","who":%q,"seat":"right"}`, w2.ID),
		`{"t":"ack","in":1}`, `[1,"both are here"]`)
}

// wantAll receives until all of the frames have come, in any order, among others.
func wantAll(t *testing.T, c *client, frames ...string) {
	t.Helper()
	for len(frames) > 0 {
		got := c.receive()
		for i, want := range frames {
			if sameJSON(got, want) {
				frames = append(frames[:i:i], frames[i+1:]...)
				break
			}
		}
	}
}

var (
	total = session.NewCounter("total")
	names = session.NewKey[[]string]("names")
)

func TestDoSharesAState(t *testing.T) {
	var s *site
	s = newSite(t, live.Endpoint{
		Open: func(ctx context.Context, socket *live.Socket) error {
			_, err := s.hub.Channel("game", nil).Join(ctx, socket, "")
			return err
		},
		Message: live.On(func(ctx context.Context, socket *live.Socket, add int64) error {
			return s.hub.Channel("game", nil).Do(ctx, func(ctx context.Context) error {
				sum, err := total.Add(ctx, add)
				if err != nil {
					return err
				}
				if add < 0 {
					return live.Refuse("negative", "")
				}
				return s.hub.Channel("game", nil).Send(ctx, fmt.Append(nil, sum))
			})
		}),
	}, nil)
	const clients, each = 8, 25
	var all sync.WaitGroup
	for i := range clients {
		c, _ := s.open(s.login(fmt.Sprint("client", i)), hello)
		all.Go(func() {
			for n := range each {
				c.ws.Write(t.Context(), 1, fmt.Appendf(nil, `[%d,1]`, 2*n+1))
				c.ws.Write(t.Context(), 1, fmt.Appendf(nil, `[%d,-1]`, 2*n+2))
				for acked := 0; acked < 2; {
					_, text, err := c.ws.Read(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					if text[0] == '{' && (string(text[:9]) == `{"t":"ack` || string(text[:8]) == `{"t":"no`) {
						acked++
					}
				}
			}
		})
	}
	all.Wait()
	var sum int64
	err := s.hub.Channel("game", nil).Do(t.Context(), func(ctx context.Context) (err error) {
		sum, err = total.Get(ctx)
		return err
	})
	if err != nil || sum != clients*each {
		t.Errorf("sum %d (%v), want %d", sum, err, clients*each)
	}
}

// Two messages that hold the same two channels, each in another order, both go through.
func TestDeadlockRunsAgain(t *testing.T) {
	var s *site
	meet := make(chan struct{}, 2)
	first := make(map[string]bool)
	var mu sync.Mutex
	s = newSite(t, live.Endpoint{
		Open: func(ctx context.Context, socket *live.Socket) error {
			for _, c := range []string{"a", "b"} {
				if _, err := s.hub.Channel(c, nil).Join(ctx, socket, ""); err != nil {
					return err
				}
			}
			return nil
		},
		Message: live.On(func(ctx context.Context, socket *live.Socket, order [2]string) error {
			return s.hub.Channel(order[0], nil).Do(ctx, func(ctx context.Context) error {
				mu.Lock()
				again := first[order[0]]
				first[order[0]] = true
				mu.Unlock()
				if !again { // both hold their first channel now
					meet <- struct{}{}
					for len(meet) < 2 {
						time.Sleep(time.Millisecond)
					}
				}
				if _, err := total.Add(ctx, 1); err != nil {
					return err
				}
				return s.hub.Channel(order[1], nil).Do(ctx, func(ctx context.Context) error {
					_, err := total.Add(ctx, 1)
					return err
				})
			})
		}),
	}, nil)
	ada, _ := s.open(s.login("ada"), hello)
	bob, _ := s.open(s.login("bob"), hello)
	ada.send(`[1,["a","b"]]`)
	bob.send(`[1,["b","a"]]`)
	wantAll(t, ada, `{"t":"ack","in":1}`)
	wantAll(t, bob, `{"t":"ack","in":1}`)
	for _, c := range []string{"a", "b"} {
		err := s.hub.Channel(c, nil).Do(t.Context(), func(ctx context.Context) error {
			if n, err := total.Get(ctx); n != 2 || err != nil {
				return fmt.Errorf("channel %q has %d (%v), want 2", c, n, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestStateEndsWithTheLastMember(t *testing.T) {
	site := newObeying(t, nil, nil)
	game := site.hub.Channel("game", nil)
	c, _ := site.open(site.login("ada"), hello)
	c.send(`[1,{"join":"game"}]`)
	wantAll(t, c, `{"t":"ack","in":1}`)
	set := func(ctx context.Context) error { return names.Set(ctx, []string{"ada"}) }
	if err := game.Do(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	look := func(want int) {
		t.Helper()
		err := game.Do(t.Context(), func(ctx context.Context) error {
			if got, err := names.Get(ctx); len(got) != want || err != nil {
				return fmt.Errorf("%q, %v", got, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	look(1)
	c.send(`{"t":"end"}`)
	c.wantClose(1000)
	eventually(t, "nobody is left", func() bool {
		members, err := game.Members(t.Context())
		return err == nil && len(members) == 0
	})
	look(0)
}

func TestReplaceOld(t *testing.T) {
	site := newObeying(t, &live.Rules{Taken: live.ReplaceOld}, nil)
	ada, w := site.open(site.login("ada"), hello)
	ada.send(`[1,{"join":"desk","seat":"one"}]`)
	ada.receive() // ack
	ada.receive() // join
	ada.want(fmt.Sprintf(`{"t":"member","s":"desk","n":1,"e":"joined","who":%q,"seat":"one"}`, w.ID))
	bob, _ := site.open(site.login("bob"), hello)
	bob.send(`[1,{"join":"desk","seat":"one"}]`)
	ada.want(
		fmt.Sprintf(`{"t":"member","s":"desk","n":2,"e":"left","who":%q,"seat":"one"}`, w.ID),
		`{"t":"part","s":"desk"}`)
	bob.send(`[2,{"say":"mine","to":"desk"}]`)
	wantAll(t, bob, `[4,"mine","desk"]`)
	ada.send(`[2,{"say":"and mine?","to":"desk"}]`)
	ada.want(`{"t":"ack","in":2}`) // and not the message, for it is no member
}

func TestMaxChannels(t *testing.T) {
	site := newObeying(t, nil, &live.Config{MaxChannels: 2})
	c, _ := site.open(site.login("ada"), hello)
	c.send(`[1,{"join":"a"}]`)
	c.send(`[2,{"join":"b"}]`)
	c.send(`[3,{"join":"b"}]`) // a member already
	c.send(`[4,{"join":"c"}]`)
	wantAll(t, c, `{"t":"ack","in":1}`, `{"t":"ack","in":2}`, `{"t":"ack","in":3}`,
		`{"t":"no","n":4,"code":"internal","text":""}`)
}

func TestChannelNames(t *testing.T) {
	s, l := mem.New(nil), memlog.New(nil)
	defer s.Close()
	defer l.Close(context.Background(), false)
	var errs []error
	var node *site
	done := make(chan struct{})
	node = newNode(t, s, l, live.Endpoint{Open: func(ctx context.Context, socket *live.Socket) error {
		defer close(done)
		for _, name := range []string{"", "a\x00b", "\xff", string(make([]byte, 256))} {
			_, err := node.hub.Channel(name, nil).Join(ctx, socket, "")
			errs = append(errs, err)
		}
		return nil
	}}, nil)
	node.open(node.login("ada"), hello)
	<-done
	for i, err := range errs {
		if err == nil {
			t.Errorf("name %d was taken", i)
		}
	}
}

func TestMemberEventsReachTheEndpoint(t *testing.T) {
	var s *site
	events := make(chan string, 20)
	s = newSite(t, live.Endpoint{
		Open: func(ctx context.Context, socket *live.Socket) error {
			_, err := s.hub.Channel("hall", nil).Join(ctx, socket, "")
			return err
		},
		Member: func(ctx context.Context, mb *live.Member, e live.MemberEvent) {
			who, err := name.Get(ctx)
			if err != nil || live.FromContext(ctx) == nil {
				t.Error(err)
			}
			events <- fmt.Sprint(who, " sees ", mb.Channel().Name(), " ", e, " ", mb.Socket() == live.FromContext(ctx).ID())
		},
	}, nil)
	s.open(s.login("ada"), hello)
	if got := <-events; got != "ada sees hall joined true" {
		t.Error(got)
	}
	bob, _ := s.open(s.login("bob"), hello)
	want := map[string]bool{"ada sees hall joined false": true, "bob sees hall joined true": true}
	for range 2 {
		if got := <-events; !want[got] {
			t.Error(got)
		}
	}
	bob.send(`{"t":"end"}`)
	if got := <-events; got != "ada sees hall left false" {
		t.Error(got)
	}
}

func TestSeatsAreRefused(t *testing.T) {
	s, l := mem.New(nil), memlog.New(nil)
	defer s.Close()
	defer l.Close(context.Background(), false)
	var node *site
	results := make(chan error, 10)
	rules := &live.Rules{Seats: []string{"one"}, Capacity: 2}
	joins := live.On(func(ctx context.Context, socket *live.Socket, seat string) error {
		_, err := node.hub.Channel("c", rules).Join(ctx, socket, seat)
		results <- err
		return nil
	})
	node = newNode(t, s, l, live.Endpoint{Message: joins}, nil)
	join := func(seat string) error {
		c, _ := node.open(node.login("x"), hello)
		c.send(fmt.Sprintf(`[1,%q]`, seat))
		return <-results
	}
	if err := join("one"); err != nil {
		t.Error(err)
	}
	if err := join("one"); !errors.Is(err, live.ErrTaken) {
		t.Errorf("a seat twice: %v", err)
	}
	if err := join("two"); err == nil || errors.Is(err, live.ErrTaken) || errors.Is(err, live.ErrFull) {
		t.Errorf("a seat that isn't there: %v", err)
	}
	if err := join(""); err != nil {
		t.Error(err)
	}
	if err := join(""); !errors.Is(err, live.ErrFull) {
		t.Errorf("one more than Capacity: %v", err)
	}
}
