package session_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// An eventLog notes the events that a subscriber gets.
type eventLog struct {
	mu sync.Mutex
	// mu locks the remaining field.
	events []session.Event
}

func (l *eventLog) note(e session.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// take waits until all goroutines of the bubble wait, and returns the events since it was last called.
func (l *eventLog) take() []session.Event {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() { l.events = nil }()
	return l.events
}

// told returns events as one line of text. names has the names of the IDs.
func told(names map[session.ID]string, events []session.Event) string {
	var lines []string
	for _, e := range events {
		line := names[e.ID] + " " + e.Kind.String()
		if e.Owner != "" {
			line += " of " + e.Owner
		}
		if e.Reason != 0 {
			line += ": " + e.Reason.String()
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// ownedBy makes a session of an owner.
func ownedBy(t *testing.T, m *session.Manager, owner string) *session.Session {
	t.Helper()
	s, err := m.Create(t.Context())
	expect.OK(t, err)
	expect.OK(t, s.SetOwner(owner))
	expect.OK(t, s.Commit(t.Context()))
	return s
}

func TestEventsTellWhatHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mem.New(nil)
		m := fixture.NewManagerOn(t, s, &session.Config{MaxPerOwner: 2, IdleTimeout: time.Minute})
		var log eventLog
		m.Subscribe(log.note)
		names := make(map[session.ID]string)
		login := func(name, owner string) *session.Session {
			time.Sleep(time.Millisecond) // the oldest is evicted, so no two may have the same age
			s := ownedBy(t, m, owner)
			names[s.ID()] = name
			return s
		}

		a := login("a", "alice")
		expect.Equal(t, "creating", told(names, log.take()), "a created")
		expect.OK(t, a.Renew())
		expect.Equal(t, "renewing, before the commit", told(names, log.take()), "")
		expect.OK(t, a.Commit(t.Context()))
		expect.Equal(t, "renewing", told(names, log.take()), "a renewed of alice")
		expect.OK(t, a.End())
		expect.Equal(t, "logging out", told(names, log.take()), "a ended of alice: logged out")
		expect.OK(t, a.End())
		expect.OK(t, m.End(t.Context(), a.ID()))
		expect.Equal(t, "ending what has ended", told(names, log.take()), "")

		b := login("b", "bob")
		log.take()
		expect.OK(t, m.End(t.Context(), b.ID()))
		expect.Equal(t, "ending by an operator", told(names, log.take()), "b ended of bob: revoked")

		c, d := login("c", "carol"), login("d", "carol")
		log.take()
		n, err := m.EndOwner(t.Context(), "carol", d.ID())
		expect.OK(t, err)
		expect.Equal(t, "sessions ended", n, 1)
		expect.Equal(t, "logging out everywhere else", told(names, log.take()), "c ended of carol: revoked")
		expect.Is(t, "writing to what was ended", fixture.Who.Set(session.NewContext(t.Context(), c), "x"), nil)
		expect.Is(t, "committing to what was ended", c.Commit(t.Context()), session.ErrEnded)

		login("e", "erin")
		login("f", "erin")
		log.take()
		login("g", "erin")
		expect.Equal(t, "one more than MaxPerOwner", told(names, log.take()), "g created\ne ended of erin: evicted")

		time.Sleep(2 * time.Minute)
		events := log.take()
		slices.SortFunc(events, func(a, b session.Event) int { return strings.Compare(names[a.ID], names[b.ID]) })
		expect.Equal(t, "two minutes later", told(names, events),
			"d ended of carol: expired\nf ended of erin: expired\ng ended of erin: expired")
	})
}

// If the store tells no events, the Manager tells those of its own calls.
func TestEventsOfAStoreThatTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := fixture.NewManager(t, nil)
		var log eventLog
		m.Subscribe(log.note)
		a, b := ownedBy(t, m, "alice"), ownedBy(t, m, "bob")
		names := map[session.ID]string{a.ID(): "a", b.ID(): "b"}
		expect.OK(t, a.Renew())
		expect.OK(t, a.Commit(t.Context()))
		expect.OK(t, a.End())
		expect.OK(t, m.End(t.Context(), b.ID()))
		expect.Equal(t, "events", told(names, log.take()),
			"a created\nb created\na renewed of alice\na ended of alice: logged out\nb ended: revoked")
	})
}

func TestEventsOfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixture.NewManagerOn(t, mem.New(nil), nil)
		var log eventLog
		m.Subscribe(log.note)
		c := fixture.NewVisitor(t, m)
		serve := func(f func(*session.Session)) string {
			c.Meet(func(_ http.ResponseWriter, r *http.Request) { f(session.FromContext(r.Context())) }).Get("/")
			return told(nil, log.take())
		}
		expect.Equal(t, "a request that reads nothing", serve(func(*session.Session) {}), "")
		expect.Equal(t, "a login", serve(func(s *session.Session) { expect.OK(t, s.SetOwner("alice")) }), " created of alice")
		renewal := serve(func(s *session.Session) { expect.OK(t, s.Renew()) })
		expect.Equal(t, "a change of privilege", renewal, " renewed of alice")
		labels := serve(func(s *session.Session) { expect.OK(t, s.SetLabel("device", "phone")) })
		expect.Equal(t, "a change of a value", labels, "")
		expect.Equal(t, "a logout", serve(func(s *session.Session) { expect.OK(t, s.End()) }), " ended of alice: logged out")
	})
}

func TestEventsComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixture.NewManagerOn(t, mem.New(nil), nil)
		var log eventLog
		m.Subscribe(log.note)
		const renewals = 200
		_, s := fixture.Issue(t, m, "alice")
		want := []string{" created"}
		for range renewals {
			expect.OK(t, s.Renew())
			expect.OK(t, s.Commit(t.Context()))
			want = append(want, " renewed")
		}
		expect.OK(t, s.End())
		want = append(want, " ended: logged out")
		expect.Equal(t, "events", told(nil, log.take()), strings.Join(want, "\n"))
	})
}

func TestSubscriberThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out fixture.Logbook
		m := fixture.NewManagerOn(t, mem.New(nil), &session.Config{Logger: out.Logger()})
		var before, after eventLog
		n := 0
		m.Subscribe(before.note)
		m.Subscribe(func(session.Event) { n++; panic(fmt.Sprintf("no. %d", n)) })
		m.Subscribe(after.note)
		_, s := fixture.Issue(t, m, "alice")
		expect.OK(t, s.End())
		expect.Equal(t, "the first subscriber's events", told(nil, before.take()), " created\n ended: logged out")
		expect.Equal(t, "the last subscriber's events", told(nil, after.take()), " created\n ended: logged out")
		expect.Equal(t, "log lines", out.Count("level=ERROR"), 2)
		expect.Equal(t, "log lines of the second panic", out.Count("no. 2"), 1)
		expect.Equal(t, "the session is gone", s.ID().IsZero(), true)
	})
}

// A slow subscriber delays no other. If it misses events, it gets EventMissed.
func TestSubscriberThatIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixture.NewManagerOn(t, mem.New(nil), nil)
		var slow, fast eventLog
		gate := make(chan struct{})
		m.Subscribe(func(e session.Event) { <-gate; slow.note(e) })
		m.Subscribe(fast.note)
		const missed = 10
		create := func(n int) {
			for range n {
				_, err := m.Create(t.Context())
				expect.OK(t, err)
			}
		}
		create(1)
		synctest.Wait() // the slow one has the first event
		start := time.Now()
		for range 2 { // the fast one may not fall behind
			create(session.QueueLen / 2)
			synctest.Wait()
		}
		create(missed)
		expect.Equal(t, "time that the commits took", time.Since(start), 0)
		expect.Equal(t, "events of the fast one", len(fast.take()), 1+session.QueueLen+missed)

		close(gate)
		events := slow.take()
		expect.Equal(t, "events of the slow one", len(events), 1+session.QueueLen+1)
		expect.Equal(t, "kind of its last event", events[len(events)-1].Kind, session.EventMissed)
		expect.Equal(t, "other events that were missed", slices.IndexFunc(events, isMissed), len(events)-1)

		create(1)
		events = slow.take()
		expect.Equal(t, "events after it has caught up", told(nil, events), " created")
	})
}

func isMissed(e session.Event) bool { return e.Kind == session.EventMissed }

func TestCancelEndsASubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixture.NewManagerOn(t, mem.New(nil), nil)
		var log, other eventLog
		cancel := m.Subscribe(log.note)
		m.Subscribe(other.note)
		fixture.Issue(t, m, "alice")
		expect.Equal(t, "events before", len(log.take()), 1)
		cancel()
		cancel()
		fixture.Issue(t, m, "bob")
		expect.Equal(t, "events after", len(log.take()), 0)
		expect.Equal(t, "events of another subscriber", len(other.take()), 2)
	})
}

// A subscriber may cancel itself, and is not called again, even for what is in its queue.
func TestSubscriberMayCancelItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixture.NewManagerOn(t, mem.New(nil), nil)
		var log eventLog
		var cancel func()
		gate := make(chan struct{})
		cancel = m.Subscribe(func(e session.Event) { <-gate; log.note(e); cancel() })
		for range 10 {
			fixture.Issue(t, m, "alice")
		}
		close(gate)
		expect.Equal(t, "events", len(log.take()), 1)
	})
}

func TestNoEventsAfterClose(t *testing.T) {
	stores := map[string]store.Store{"a store that tells": mem.New(nil), "one that tells nothing": fixture.NewStore()}
	for name, s := range stores {
		synctest.Test(t, func(t *testing.T) {
			m := fixture.NewManagerOn(t, s, nil)
			var log, late eventLog
			cancel := m.Subscribe(log.note)
			expect.OK(t, m.Close())
			expect.OK(t, m.Close())
			m.Subscribe(late.note)()
			m.Subscribe(late.note)
			fixture.Issue(t, m, "alice") // requests under way are still served
			cancel()
			expect.Equal(t, "events of a subscriber from before, with "+name, len(log.take()), 0)
			expect.Equal(t, "events of a subscriber from after, with "+name, len(late.take()), 0)
		})
	}
}

// Close waits for the goroutines of subscribers, except those whose function still runs: that function may wait for
// Close.
func TestCloseWaitsForSubscribers(t *testing.T) {
	const subscribers, returning = 100, 10 // some may still be ending, although Close has waited for them
	m := fixture.NewManagerOn(t, mem.New(nil), nil)
	before := runtime.NumGoroutine()
	for range subscribers {
		m.Subscribe(func(session.Event) {})
	}
	expect.OK(t, m.Close())
	if n := runtime.NumGoroutine(); n > before+returning {
		t.Errorf("goroutines after Close: got %d, want %d", n, before)
	}

	synctest.Test(t, func(t *testing.T) {
		m := fixture.NewManagerOn(t, mem.New(nil), nil)
		closed := false
		m.Subscribe(func(session.Event) { expect.OK(t, m.Close()); closed = true })
		fixture.Issue(t, m, "alice")
		synctest.Wait()
		expect.Equal(t, "a subscriber that calls Close returns", closed, true)
	})
}

// sweeps is a store whose Sweep is a function.
type sweeps struct {
	store.Store
	sweep func(context.Context) (time.Duration, error)
}

func (s sweeps) Sweep(ctx context.Context) (time.Duration, error) { return s.sweep(ctx) }

func TestSweeping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out fixture.Logbook
		start := time.Now()
		var at []time.Duration
		returned := false
		answers := []struct {
			next time.Duration
			err  error
		}{{0, nil}, {0, nil}, {3 * time.Second, nil}, {time.Nanosecond, fixture.ErrStore}, {time.Minute, nil}}
		m := fixture.NewManagerOn(t, sweeps{fixture.NewStore(), func(ctx context.Context) (time.Duration, error) {
			at = append(at, time.Since(start))
			if len(at) <= len(answers) {
				return answers[len(at)-1].next, answers[len(at)-1].err
			}
			<-ctx.Done() // a store that hangs is interrupted by Close
			time.Sleep(time.Second)
			returned = true
			return 0, ctx.Err()
		}}, &session.Config{Logger: out.Logger()})

		time.Sleep(time.Hour)
		expect.OK(t, m.Close())
		expect.Equal(t, "Close has waited for Sweep", returned, true)
		time.Sleep(time.Hour)
		want := []time.Duration{0, 0, 0, 3 * time.Second, 13 * time.Second, 73 * time.Second}
		if !slices.Equal(at, want) {
			t.Errorf("Sweep was called at %v, want %v: at once while more is waiting, and 10 s after an error", at, want)
		}
		expect.Equal(t, "errors in the log", out.Count(fixture.ErrStore.Error()), 1)
		expect.Equal(t, "log lines", out.Count(""), 1)
	})
}

func TestExpiryIsSweptWithoutARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mem.New(nil)
		m := fixture.NewManagerOn(t, s, &session.Config{IdleTimeout: time.Minute})
		for range 100 {
			fixture.Issue(t, m, "alice")
		}
		expect.Equal(t, "sessions", s.Len(), 100)
		time.Sleep(time.Minute + 2*time.Second)
		expect.Equal(t, "sessions a minute later", s.Len(), 0)
	})
}

// A write through HTTP to a session that has ended causes no event.
func TestRefusedChangesAreNoEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixture.NewManagerOn(t, mem.New(nil), nil)
		token, s := fixture.Issue(t, m, "alice")
		expect.OK(t, s.End())
		var log eventLog
		m.Subscribe(log.note)
		r := httptest.NewRequest("GET", "https://example.com/", nil)
		r.Header.Set("Cookie", fixture.CookieName+"="+token)
		fixture.ReadRequest(m, r)
		_, err := m.Open(t.Context(), token)
		expect.Is(t, "Open", err, session.ErrEnded)
		expect.Equal(t, "events", told(nil, log.take()), "")
	})
}

// A watchedStore counts its watchers.
type watchedStore struct {
	*fixture.Store
	store.Watchers
	watching int
}

func (s *watchedStore) Watch(f func(store.Event)) (cancel func()) {
	s.watching++
	cancelled := s.Watchers.Watch(f)
	return func() {
		s.watching--
		cancelled()
	}
}

func TestCloseLeavesTheWatcher(t *testing.T) {
	s := &watchedStore{Store: fixture.NewStore()}
	m := fixture.NewManagerOn(t, s, nil)
	expect.Equal(t, "watchers", s.watching, 1)
	expect.OK(t, m.Close())
	expect.Equal(t, "watchers after Close", s.watching, 0)
	expect.OK(t, m.Close())
}

// If the answer to a commit or an end is lost, the call may have worked. Subscribers get EventMissed.
func TestEventsMayBeMissedWithAnAnswer(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(m *session.Manager, s *fixture.Store)
		want string
	}{
		{"creation", func(m *session.Manager, s *fixture.Store) {
			s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
			m.Create(t.Context())
		}, " missed"},
		{"end", func(m *session.Manager, s *fixture.Store) {
			s.Broken.Fail(fixture.ErrStore, sessiontest.End)
			m.End(t.Context(), session.ID{1})
		}, " missed"},
		{"creation that is refused", func(m *session.Manager, s *fixture.Store) {
			s.Broken.Fail(store.ErrConflict, sessiontest.Commit)
			m.Create(t.Context())
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fixture.NewStore()
				m := fixture.NewManagerOn(t, unwatched{s}, nil)
				var log eventLog
				m.Subscribe(log.note)
				tt.do(m, s)
				expect.Equal(t, "events", told(nil, log.take()), tt.want)
				m.Close()
			})
		})
	}
}

// An unwatched store has the three methods of store.Store and no optional one.
type unwatched struct{ store.Store }

// Subscribers come and go, and the Manager closes, while commits run.
func TestSubscribeBesideCommits(t *testing.T) {
	m := fixture.NewManagerOn(t, unwatched{fixture.NewStore()}, nil)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			<-start
			for range 50 {
				if s, err := m.Create(t.Context()); err == nil {
					m.End(t.Context(), s.ID())
				}
			}
		})
		wg.Go(func() {
			<-start
			for range 50 {
				m.Subscribe(func(session.Event) {})()
			}
		})
	}
	wg.Go(func() { <-start; m.Close() })
	close(start)
	wg.Wait()
}
