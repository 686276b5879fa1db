package live_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/slot"
)

// removes reports whether a batch removes a socket.
func removes(b *stream.Batch) bool {
	return slices.ContainsFunc(b.Ops, func(op stream.Op) bool { return op.Kind == stream.End })
}

// notes are texts in the order in which goroutines add them.
type notes struct {
	mu sync.Mutex
	// mu locks the remaining field.
	texts []string
}

func (n *notes) add(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.texts = append(n.texts, text)
}

func (n *notes) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.texts)
}

// newLeaving returns a site whose sockets do what their clients say, and notes for which reasons they leave.
func newLeaving(t *testing.T, cfg *live.Config) (s *site, l *hookedLog, reasons *notes) {
	t.Helper()
	reasons = &notes{}
	e := obey(func() *live.Hub { return s.hub }, nil)
	e.Leave = func(_ context.Context, _ *live.Socket, why live.Reason) { reasons.add(string(why)) }
	s, l = newHookedSite(t, e, cfg)
	return s, l, reasons
}

// sit opens a socket of a session and makes it a member of the channel "news".
func (s *site) sit(cookie string) (*client, welcome, live.ID) {
	s.t.Helper()
	c, w := s.open(cookie, hello)
	c.send(`[1,{"join":"news","seat":"one"}]`)
	wantAll(s.t, c, `{"t":"ack","in":1}`)
	id, err := live.ParseID(w.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return c, w, id
}

func (s *site) members() int {
	members, err := s.hub.Channel("news", nil).Members(context.Background())
	if err != nil {
		s.t.Error(err)
	}
	return len(members)
}

// wayOut is how a socket leaves for good.
type wayOut struct {
	name  string
	cfg   live.Config
	leave func(s *site, cookie string, c *client, id live.ID)
	code  live.StatusCode // 0: the connection is broken
	why   live.Reason
}

var waysOut = []wayOut{
	{"the client leaves", live.Config{}, func(_ *site, _ string, c *client, _ live.ID) {
		c.send(`{"t":"end"}`)
	}, 1000, live.ClientLeft},
	{"the session ends", live.Config{}, func(s *site, cookie string, _ *client, _ live.ID) {
		s.get("/logout", cookie)
	}, live.StatusSessionEnded, live.SessionEnded},
	{"closed with a final code", live.Config{}, func(s *site, _ string, _ *client, id live.ID) {
		if err := s.hub.Disconnect(context.Background(), id, live.StatusRefused, "out"); err != nil {
			s.t.Error(err)
		}
	}, live.StatusRefused, live.Closed},
	{"not back in time", live.Config{Window: time.Millisecond}, func(_ *site, _ string, c *client, _ live.ID) {
		c.cut()
	}, 0, live.NotBack},
}

// A socket that leaves for good while the log fails leaves once the log works again, and the endpoint is told once.
func TestLogFailsWhileASocketLeaves(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for _, way := range waysOut {
			name := way.name
			if lost {
				name += ", and the answer is lost"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				site, l, reasons := newLeaving(t, &way.cfg)
				cookie := site.login("ada")
				c, _, id := site.sit(cookie)
				var failed atomic.Int32
				l.hook(func() {
					l.onCommit = func(b *stream.Batch) error {
						if !removes(b) {
							return nil
						}
						if lost {
							l.Log.Commit(context.Background(), b)
						}
						failed.Add(1)
						return errLog
					}
				})
				way.leave(site, cookie, c, id)
				if way.code != 0 {
					c.wantClose(way.code)
				}
				eventually(t, "the log was asked again", func() bool { return failed.Load() >= 2 })
				if n := site.hub.Partings(); n != 1 {
					t.Errorf("%d partings are kept, want 1", n)
				}
				if got := reasons.all(); len(got) != 0 {
					t.Errorf("left for %q before the log knows", got)
				}
				l.hook(func() { l.onCommit = nil })
				eventually(t, "the parting is over", func() bool { return site.hub.Partings() == 0 })
				eventually(t, "the seat is free", func() bool { return site.members() == 0 })
				if err := site.hub.Close(); err != nil { // waits for Leave
					t.Error(err)
				}
				if got := reasons.all(); !slices.Equal(got, []string{string(way.why)}) {
					t.Errorf("left for %q, want %q once", got, way.why)
				}
			})
		}
	}
}

// A connection that breaks while the log fails is away once the log works again.
func TestLogFailsWhileAConnectionBreaks(t *testing.T) {
	site, l, reasons := newLeaving(t, nil)
	c, _, _ := site.sit(site.login("ada"))
	l.hook(func() { l.onCommit = func(*stream.Batch) error { return errLog } })
	c.cut()
	eventually(t, "a parting is kept", func() bool { return site.hub.Partings() == 1 })
	l.hook(func() { l.onCommit = nil })
	eventually(t, "the socket is away", func() bool {
		members, err := site.hub.Channel("news", nil).Members(t.Context())
		return err == nil && len(members) == 1 && members[0].Away
	})
	eventually(t, "the parting is over", func() bool { return site.hub.Partings() == 0 })
	if got := reasons.all(); len(got) != 0 {
		t.Errorf("left for %q", got)
	}
}

// A socket that has left for good does not come back, although the log was not told of that yet.
func TestNobodyComesBackFromAPartingThatIsKept(t *testing.T) {
	site, l, reasons := newLeaving(t, nil)
	cookie := site.login("ada")
	c, w, id := site.sit(cookie)
	l.hook(func() {
		l.onCommit = func(b *stream.Batch) error {
			if removes(b) {
				return errLog
			}
			return nil
		}
	})
	if err := site.hub.Disconnect(t.Context(), id, live.StatusRefused, "out"); err != nil {
		t.Fatal(err)
	}
	c.wantClose(live.StatusRefused)
	eventually(t, "a parting is kept", func() bool { return site.hub.Partings() == 1 })
	site.dialAndHello(cookie, w.again()).wantClose(1013)
	l.hook(func() { l.onCommit = nil })
	if _, again := site.open(cookie, w.again()); again.Resumed || again.ID == w.ID {
		t.Errorf("welcome %+v, want another socket", again)
	}
	want := []string{string(live.Closed)}
	eventually(t, "the endpoint was told", func() bool { return slices.Equal(reasons.all(), want) })
}

// A socket that is away, and is to leave for good while the log fails, does so once the log works again.
func TestLogFailsWhileASocketIsDismissed(t *testing.T) {
	site, l, reasons := newLeaving(t, nil)
	c, _, id := site.sit(site.login("ada"))
	c.cut()
	eventually(t, "the socket is away", func() bool {
		for info := range site.hub.Sockets(t.Context(), live.Filter{}) {
			return info.Away
		}
		return false
	})
	fails := once()
	l.hook(func() {
		l.onCommit = func(b *stream.Batch) error {
			if removes(b) {
				return fails()
			}
			return nil
		}
	})
	if err := site.hub.Disconnect(t.Context(), id, live.StatusRefused, "out"); err == nil {
		t.Error("no error of a log that fails")
	}
	eventually(t, "the seat is free", func() bool { return site.members() == 0 })
	want := []string{string(live.Closed)}
	eventually(t, "the endpoint was told", func() bool { return slices.Equal(reasons.all(), want) })
}

// A socket that another node has taken while the log failed is that node's.
func TestAnotherNodeTakesASocketWhoseClosingWasNotLogged(t *testing.T) {
	site, l, reasons := newLeaving(t, nil)
	c, _, id := site.sit(site.login("ada"))
	l.hook(func() { l.onCommit = func(*stream.Batch) error { return errLog } })
	if err := site.hub.Disconnect(t.Context(), id, live.StatusRefused, "out"); err != nil {
		t.Fatal(err)
	}
	c.wantClose(live.StatusRefused)
	eventually(t, "a parting is kept", func() bool { return site.hub.Partings() == 1 })
	for s := range l.Sockets(t.Context(), stream.Filter{ID: id}) {
		claim := &stream.Claim{ID: id, Session: s.Session, Endpoint: s.Endpoint, Node: "another"}
		if _, err := l.Log.Take(t.Context(), claim); err != nil {
			t.Fatal(err)
		}
	}
	l.hook(func() { l.onCommit = nil })
	eventually(t, "the parting is over", func() bool { return site.hub.Partings() == 0 })
	if got, n := reasons.all(), site.members(); len(got) != 0 || n != 1 {
		t.Errorf("left for %q, and %d members are left; want the other node's socket as it was", got, n)
	}
}

// Close tries a last time, and does not wait for a log that fails.
func TestCloseEndsPartingsThatAreKept(t *testing.T) {
	site, l, reasons := newLeaving(t, nil)
	c, _, _ := site.sit(site.login("ada"))
	l.hook(func() { l.onCommit = func(*stream.Batch) error { return errLog } })
	c.send(`{"t":"end"}`)
	c.wantClose(1000)
	eventually(t, "a parting is kept", func() bool { return site.hub.Partings() == 1 })
	ends(t, "Close", func() { site.hub.Close() })
	if got, n := reasons.all(), site.hub.Partings(); len(got) != 0 || n != 0 {
		t.Errorf("left for %q, and %d partings are kept", got, n)
	}
}

// The slots of a socket are there until the endpoint was told, however late, and are released once.
func TestSlotsOfAPartingThatIsKept(t *testing.T) {
	for name, works := range map[string]bool{"the log works again": true, "the hub closes before": false} {
		t.Run(name, func(t *testing.T) {
			var steps notes
			var table slot.Table
			note, err := slot.New(&table, "note", slot.Hooks[string]{
				OnRelease: func(_ context.Context, text *string) { steps.add("released " + *text) },
			})
			if err != nil {
				t.Fatal(err)
			}
			site, l := newHookedSite(t, live.Endpoint{
				Open: func(_ context.Context, s *live.Socket) error { return note.Set(s, new("it")) },
				Leave: func(_ context.Context, s *live.Socket, _ live.Reason) {
					text, err := note.Get(s)
					if err != nil {
						t.Error(err)
						return
					}
					steps.add("left with " + *text)
				},
			}, &live.Config{Slots: &table})
			c, _ := site.open(site.login("ada"), hello)
			l.hook(func() { l.onCommit = func(*stream.Batch) error { return errLog } })
			c.send(`{"t":"end"}`)
			c.wantClose(1000)
			eventually(t, "a parting is kept", func() bool { return site.hub.Partings() == 1 })
			if got := steps.all(); len(got) != 0 {
				t.Errorf("got %q before the log knows", got)
			}
			want := []string{"released it"}
			if works {
				l.hook(func() { l.onCommit = nil })
				want = []string{"left with it", "released it"}
			}
			if err := site.hub.Close(); err != nil { // tries a last time
				t.Error(err)
			}
			if got := steps.all(); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
