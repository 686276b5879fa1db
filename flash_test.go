package session_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
)

var flashes = session.NewFlash("flashes")

func addFlash(t *testing.T, ctx context.Context, texts ...string) {
	t.Helper()
	for _, text := range texts {
		expect.OK(t, flashes.Add(ctx, "info", text))
	}
}

func wantFlashes(t *testing.T, ctx context.Context, want ...string) {
	t.Helper()
	messages, err := flashes.Take(ctx)
	expect.OK(t, err)
	var got []string
	for _, m := range messages {
		got = append(got, m.Text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("messages: got %q, want %q", got, want)
	}
}

func TestFlashIsShownOnce(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) {
		expect.OK(t, fixture.User.Set(ctx, "ann"))
		expect.OK(t, errors.Join(flashes.Add(ctx, "info", "Saved."), flashes.Add(ctx, "warning", "Almost full.")))
	})
	expect.Equal(t, "store calls of adding", s.Take(), fixture.Calls{Commits: 1})
	v.Visit(func(ctx context.Context) {
		got, err := flashes.Take(ctx)
		expect.OK(t, err)
		want := []session.FlashMessage{{Kind: "info", Text: "Saved."}, {Kind: "warning", Text: "Almost full."}}
		if !slices.Equal(got, want) {
			t.Errorf("messages: got %v, want %v", got, want)
		}
		wantFlashes(t, ctx)
	})
	expect.Equal(t, "store calls of taking", s.Take(), fixture.Calls{Loads: 1, Commits: 1})
	v.Visit(func(ctx context.Context) {
		wantFlashes(t, ctx)
		fixture.Holds(t, ctx, fixture.User, "ann")
	})
	expect.Equal(t, "store calls of taking none", s.Take(), fixture.Calls{Loads: 1})
}

// The clock stands still here. Two messages may have the same time.
func TestFlashKeepsItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := fixture.NewManager(t, nil)
		v := fixture.NewVisitor(t, m)
		var want []string
		for _, page := range []string{"a", "b", "c"} {
			v.Visit(func(ctx context.Context) {
				for _, n := range []string{"1", "2", "3"} {
					addFlash(t, ctx, page+n)
					want = append(want, page+n)
				}
			})
		}
		v.Visit(func(ctx context.Context) { wantFlashes(t, ctx, want...) })
	})
}

func TestFlashesOfRequestsAtOnceAreAllKept(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	v.Clone().Visit(func(ctx context.Context) {
		addFlash(t, ctx, "one")
		v.Clone().Visit(func(ctx context.Context) { addFlash(t, ctx, "two") })
		addFlash(t, ctx, "three")
	})
	v.Visit(func(ctx context.Context) { wantFlashes(t, ctx, "one", "two", "three") })
}

func TestFlashOfAVisitorWithoutASession(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { wantFlashes(t, ctx) })
	expect.Equal(t, "store calls of taking", s.Take(), fixture.Calls{})
	expect.OK(t, noCookie(v))
	v.Visit(func(ctx context.Context) { addFlash(t, ctx, "Hello.") })
	v.Visit(func(ctx context.Context) { wantFlashes(t, ctx, "Hello.") })
}

func TestFlashSurvivesRenew(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { addFlash(t, ctx, "before") })
	v.Visit(func(ctx context.Context) {
		expect.OK(t, session.FromContext(ctx).Renew())
		addFlash(t, ctx, "after")
	})
	v.Visit(func(ctx context.Context) { wantFlashes(t, ctx, "before", "after") })
}

func TestFlashAfterEnd(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	v := fixture.NewVisitor(t, m)
	var was session.ID
	v.Visit(func(ctx context.Context) {
		expect.OK(t, errors.Join(fixture.User.Set(ctx, "ann"), session.FromContext(ctx).SetOwner("ann")))
		addFlash(t, ctx, "of the one that ends")
		was = session.FromContext(ctx).ID()
	})
	old := v.Clone()
	s.Take()
	res := v.Visit(func(ctx context.Context) {
		fixture.Holds(t, ctx, fixture.User, "ann")
		expect.OK(t, session.FromContext(ctx).End())
		addFlash(t, ctx, "You have", "logged out.")
	})
	expect.Equal(t, "store calls", s.Take(), fixture.Calls{Loads: 1, Ends: 1, Commits: 1})
	expect.Equal(t, "cookies", len(res.Cookies()), 1)
	expect.Equal(t, "the new cookie is the old one", v.Cookie() != nil && v.Cookie().Value == old.Cookie().Value, false)
	v.Clone().Visit(func(ctx context.Context) {
		now := session.FromContext(ctx)
		owner, err := now.Owner()
		expect.OK(t, err)
		expect.Equal(t, "owner", owner, "")
		expect.Equal(t, "the ID is the old one", now.ID() == was || now.ID() == session.ID{}, false)
		fixture.Holds(t, ctx, fixture.User, "")
		wantFlashes(t, ctx, "You have", "logged out.")
		expect.OK(t, fixture.User.Set(ctx, "bob")) // an ordinary session
	})
	v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "bob") })
	old.Visit(func(ctx context.Context) { // what was ended stays ended
		wantFlashes(t, ctx)
		fixture.Holds(t, ctx, fixture.User, "")
	})
}

// Only the message gets into the session that it makes. Other goroutines of the request may still write values, but
// these are not stored.
func TestFlashAfterEndLetsNothingElseIn(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	for _, commits := range []bool{false, true} {
		v := fixture.NewVisitor(t, m)
		v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
		v.Visit(func(ctx context.Context) {
			s := session.FromContext(ctx)
			expect.OK(t, s.End())
			addFlash(t, ctx, "one")
			if commits {
				expect.OK(t, s.Commit(ctx))
			}
			_, addErr := fixture.Hits.Add(ctx, 1)
			_, updateErr := fixture.User.Update(ctx, func(string) (string, error) { return "ann", nil })
			for _, err := range []error{fixture.User.Set(ctx, "ann"), addErr, updateErr, s.SetOwner("ann")} {
				expect.Is(t, "change after End", err, session.ErrEnded)
			}
			addFlash(t, ctx, "two")
			s.Degrade() // the changes that failed
		})
		v.Visit(func(ctx context.Context) {
			names, err := session.FromContext(ctx).Names()
			expect.OK(t, err)
			expect.Equal(t, "values", len(names), 2)
			wantFlashes(t, ctx, "one", "two")
		})
	}
}

func TestFlashAfterEndOfWhatWasNeverStored(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) {
		s := session.FromContext(ctx)
		expect.OK(t, errors.Join(fixture.User.Set(ctx, "ann"), s.End()))
		addFlash(t, ctx, "one")
		expect.OK(t, s.End())
		addFlash(t, ctx, "two")
	})
	v.Visit(func(ctx context.Context) { wantFlashes(t, ctx, "two") })
}

func TestEndAfterAFlashAfterEndRemovesTheCookie(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	res := v.Visit(func(ctx context.Context) {
		expect.OK(t, session.FromContext(ctx).End())
		addFlash(t, ctx, "one")
		expect.OK(t, session.FromContext(ctx).End())
	})
	expect.Equal(t, "cookies removed", len(res.Cookies()) == 1 && res.Cookies()[0].MaxAge < 0, true)
}

func TestFlashIsRefused(t *testing.T) {
	long := strings.Repeat("x", 400)
	for _, tt := range []struct {
		name string
		do   func(ctx context.Context, other *fixture.Visitor, begin func())
		want error
	}{
		{"where another request has ended the session", func(ctx context.Context, other *fixture.Visitor, _ func()) {
			fixture.Holds(t, ctx, fixture.User, "ann")
			other.Visit(func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).End()) })
			expect.Is(t, "Reload", session.FromContext(ctx).Reload(ctx), session.ErrEnded)
		}, session.ErrEnded},
		{"where another request has renewed the token", func(_ context.Context, other *fixture.Visitor, _ func()) {
			other.Visit(func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).Renew()) })
		}, session.ErrEnded},
		{"after End, once the response has begun", func(ctx context.Context, _ *fixture.Visitor, begin func()) {
			expect.OK(t, session.FromContext(ctx).End())
			begin()
		}, session.ErrTooLate},
		{"after End, where it is too large", func(ctx context.Context, _ *fixture.Visitor, _ func()) {
			expect.OK(t, session.FromContext(ctx).End())
			expect.Is(t, "Add", flashes.Add(ctx, "info", long+long), session.ErrTooLarge)
			ok, err := session.FromContext(ctx).Exists()
			expect.OK(t, err)
			expect.Equal(t, "there is a session", ok, false)
			addFlash(t, ctx, long)
		}, session.ErrTooLarge},
		{"where it is too large", func(ctx context.Context, _ *fixture.Visitor, _ func()) {
			addFlash(t, ctx, long)
		}, session.ErrTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := fixture.FirstVisitor(t, &session.Config{MaxBytes: 600})
			v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
			v.Stream(func(ctx context.Context, begin func()) {
				tt.do(ctx, v.Clone(), begin)
				expect.Is(t, "Add", flashes.Add(ctx, "info", long), tt.want)
			})
		})
	}
	expect.Is(t, "Add without the middleware", flashes.Add(t.Context(), "", "x"), session.ErrNoMiddleware)
	_, err := flashes.Take(t.Context())
	expect.Is(t, "Take without the middleware", err, session.ErrNoMiddleware)
}

func TestFlashThatDoesNotDecode(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) {
		addFlash(t, ctx, "one")
		expect.OK(t, session.NewKey[int](flashes.Name()).Sub(strings.Repeat("f", 28)).Set(ctx, 7))
	})
	v.Visit(func(ctx context.Context) {
		messages, err := flashes.Take(ctx)
		var value *session.ValueError
		expect.Equal(t, "Take returns a ValueError", errors.As(err, &value), true)
		expect.Equal(t, "messages beside it", len(messages), 1)
		wantFlashes(t, ctx)
	})
}

func TestNewFlashRefusesNames(t *testing.T) {
	for _, name := range []string{"", "a\x00b", strings.Repeat("x", 227)} {
		if expect.Panic(func() { session.NewFlash(name) }) == nil {
			t.Errorf("NewFlash(%q): did not panic", name)
		}
	}
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) {
		expect.OK(t, session.NewFlash(strings.Repeat("x", 226)).Add(ctx, "", "fits"))
	})
	v.Visit(func(ctx context.Context) {
		var zero session.Flash
		_, err := zero.Take(ctx)
		if err == nil || zero.Add(ctx, "", "x") == nil {
			t.Error("a zero Flash was taken")
		}
	})
}

// A message that is refused after End makes no session. The session that was ended stays ended.
func TestRefusedFlashAfterEnd(t *testing.T) {
	m, s := fixture.NewManager(t, &session.Config{MaxBytes: 100})
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	res := v.Visit(func(ctx context.Context) {
		expect.OK(t, session.FromContext(ctx).End())
		expect.Is(t, "Add", session.NewFlash("notice").Add(ctx, "info", strings.Repeat("x", 200)), session.ErrTooLarge)
		expect.Is(t, "Delete", fixture.User.Delete(ctx), session.ErrEnded)
		session.FromContext(ctx).Degrade()
	})
	expect.Equal(t, "status", res.StatusCode, http.StatusOK)
	expect.Equal(t, "sessions", s.Mem.Len(), 0)
	expect.Equal(t, "the cookie is removed", len(res.Cookies()) == 1 && res.Cookies()[0].MaxAge < 0, true)
}

// Once End has returned nil, the response removes the cookie, even if a message after it can't be stored.
func TestEndThenFlashThenCommitFails(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	res := v.Visit(func(ctx context.Context) {
		expect.OK(t, session.FromContext(ctx).End())
		addFlash(t, ctx, "bye")
		s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	})
	expect.Equal(t, "status", res.StatusCode, 503)
	expect.Equal(t, "cookie removed", len(res.Cookies()) == 1 && res.Cookies()[0].MaxAge < 0, true)
}

// After End and Flash.Add, all other changes return ErrEnded.
func TestChangesAfterEndAndFlash(t *testing.T) {
	for name, change := range map[string]func(ctx context.Context) error{
		"Delete": func(ctx context.Context) error { return fixture.User.Delete(ctx) },
		"Clear":  func(ctx context.Context) error { return session.FromContext(ctx).Clear() },
		"Renew":  func(ctx context.Context) error { return session.FromContext(ctx).Renew() },
	} {
		v := fixture.FirstVisitor(t, nil)
		v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
		v.Visit(func(ctx context.Context) {
			expect.OK(t, session.FromContext(ctx).End())
			addFlash(t, ctx, "bye")
			expect.Is(t, name, change(ctx), session.ErrEnded)
			session.FromContext(ctx).Degrade()
		})
	}
}

// Flash.Take does not touch values that are no messages.
func TestFlashTakesMessagesOnly(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	cart := session.NewKey[int](flashes.Name()).Sub("42")
	v.Visit(func(ctx context.Context) {
		expect.OK(t, cart.Set(ctx, 7))
		expect.OK(t, session.NewFlash(flashes.Name()+"/sub").Add(ctx, "info", "for another page"))
	})
	v.Visit(func(ctx context.Context) {
		messages, _ := flashes.Take(ctx)
		expect.Equal(t, "messages", len(messages), 0)
		session.FromContext(ctx).Degrade()
	})
	v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, cart, 7) })
}
