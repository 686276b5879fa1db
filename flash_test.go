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
)

var flashes = session.NewFlash("flashes")

func addFlash(t *testing.T, ctx context.Context, texts ...string) {
	t.Helper()
	for _, text := range texts {
		must(t, flashes.Add(ctx, "info", text))
	}
}

func wantFlashes(t *testing.T, ctx context.Context, want ...string) {
	t.Helper()
	messages, err := flashes.Take(ctx)
	must(t, err)
	var got []string
	for _, m := range messages {
		got = append(got, m.Text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("messages: got %q, want %q", got, want)
	}
}

func TestFlashIsShownOnce(t *testing.T) {
	m, s := newManager(t, nil)
	v := &visitor{t: t, m: m}
	v.visit(func(ctx context.Context) {
		must(t, user.Set(ctx, "ann"))
		must(t, errors.Join(flashes.Add(ctx, "info", "Saved."), flashes.Add(ctx, "warning", "Almost full.")))
	})
	check(t, "store calls of adding", s.take(), calls{commits: 1})
	v.visit(func(ctx context.Context) {
		got, err := flashes.Take(ctx)
		must(t, err)
		want := []session.FlashMessage{{Kind: "info", Text: "Saved."}, {Kind: "warning", Text: "Almost full."}}
		if !slices.Equal(got, want) {
			t.Errorf("messages: got %v, want %v", got, want)
		}
		wantFlashes(t, ctx)
	})
	check(t, "store calls of taking", s.take(), calls{loads: 1, commits: 1})
	v.visit(func(ctx context.Context) {
		wantFlashes(t, ctx)
		wantValue(t, ctx, user, "ann")
	})
	check(t, "store calls of taking none", s.take(), calls{loads: 1})
}

// The time stands still here, as it may between any two messages.
func TestFlashKeepsItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, nil)
		v := &visitor{t: t, m: m}
		var want []string
		for _, page := range []string{"a", "b", "c"} {
			v.visit(func(ctx context.Context) {
				for _, n := range []string{"1", "2", "3"} {
					addFlash(t, ctx, page+n)
					want = append(want, page+n)
				}
			})
		}
		v.visit(func(ctx context.Context) { wantFlashes(t, ctx, want...) })
	})
}

func TestFlashesOfRequestsAtOnceAreAllKept(t *testing.T) {
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	v.clone().visit(func(ctx context.Context) {
		addFlash(t, ctx, "one")
		v.clone().visit(func(ctx context.Context) { addFlash(t, ctx, "two") })
		addFlash(t, ctx, "three")
	})
	v.visit(func(ctx context.Context) { wantFlashes(t, ctx, "one", "two", "three") })
}

func TestFlashOfAVisitorWithoutASession(t *testing.T) {
	m, s := newManager(t, nil)
	v := &visitor{t: t, m: m}
	v.visit(func(ctx context.Context) { wantFlashes(t, ctx) })
	check(t, "store calls of taking", s.take(), calls{})
	must(t, noCookie(v))
	v.visit(func(ctx context.Context) { addFlash(t, ctx, "Hello.") })
	v.visit(func(ctx context.Context) { wantFlashes(t, ctx, "Hello.") })
}

func TestFlashSurvivesRenew(t *testing.T) {
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) { addFlash(t, ctx, "before") })
	v.visit(func(ctx context.Context) {
		must(t, session.FromContext(ctx).Renew())
		addFlash(t, ctx, "after")
	})
	v.visit(func(ctx context.Context) { wantFlashes(t, ctx, "before", "after") })
}

func TestFlashAfterEnd(t *testing.T) {
	m, s := newManager(t, nil)
	v := &visitor{t: t, m: m}
	var was session.ID
	v.visit(func(ctx context.Context) {
		must(t, errors.Join(user.Set(ctx, "ann"), session.FromContext(ctx).SetOwner("ann")))
		addFlash(t, ctx, "of the one that ends")
		was = session.FromContext(ctx).ID()
	})
	old := v.clone()
	s.take()
	res := v.visit(func(ctx context.Context) {
		wantValue(t, ctx, user, "ann")
		must(t, session.FromContext(ctx).End())
		addFlash(t, ctx, "You have", "logged out.")
	})
	check(t, "store calls", s.take(), calls{loads: 1, ends: 1, commits: 1})
	check(t, "cookies", len(res.Cookies()), 1)
	check(t, "the new cookie is the old one", v.cookie != nil && v.cookie.Value == old.cookie.Value, false)
	v.clone().visit(func(ctx context.Context) {
		now := session.FromContext(ctx)
		owner, err := now.Owner()
		must(t, err)
		check(t, "owner", owner, "")
		check(t, "the ID is the old one", now.ID() == was || now.ID() == session.ID{}, false)
		wantValue(t, ctx, user, "")
		wantFlashes(t, ctx, "You have", "logged out.")
		must(t, user.Set(ctx, "bob")) // an ordinary session
	})
	v.visit(func(ctx context.Context) { wantValue(t, ctx, user, "bob") })
	old.visit(func(ctx context.Context) { // what was ended stays ended
		wantFlashes(t, ctx)
		wantValue(t, ctx, user, "")
	})
}

// Only the message gets into the session that it makes: what others of the request still write, without knowing that it
// has logged out, does not.
func TestFlashAfterEndLetsNothingElseIn(t *testing.T) {
	m, _ := newManager(t, nil)
	for _, commits := range []bool{false, true} {
		v := &visitor{t: t, m: m}
		v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
		v.visit(func(ctx context.Context) {
			s := session.FromContext(ctx)
			must(t, s.End())
			addFlash(t, ctx, "one")
			if commits {
				must(t, s.Commit(ctx))
			}
			_, addErr := hits.Add(ctx, 1)
			_, updateErr := user.Update(ctx, func(string) (string, error) { return "ann", nil })
			for _, err := range []error{user.Set(ctx, "ann"), addErr, updateErr, s.SetOwner("ann")} {
				checkErr(t, "change after End", err, session.ErrEnded)
			}
			addFlash(t, ctx, "two")
			s.Degrade() // the changes that failed
		})
		v.visit(func(ctx context.Context) {
			names, err := session.FromContext(ctx).Names()
			must(t, err)
			check(t, "values", len(names), 2)
			wantFlashes(t, ctx, "one", "two")
		})
	}
}

func TestFlashAfterEndOfWhatWasNeverStored(t *testing.T) {
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) {
		s := session.FromContext(ctx)
		must(t, errors.Join(user.Set(ctx, "ann"), s.End()))
		addFlash(t, ctx, "one")
		must(t, s.End())
		addFlash(t, ctx, "two")
	})
	v.visit(func(ctx context.Context) { wantFlashes(t, ctx, "two") })
}

func TestEndAfterAFlashAfterEndRemovesTheCookie(t *testing.T) {
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	res := v.visit(func(ctx context.Context) {
		must(t, session.FromContext(ctx).End())
		addFlash(t, ctx, "one")
		must(t, session.FromContext(ctx).End())
	})
	check(t, "cookies removed", len(res.Cookies()) == 1 && res.Cookies()[0].MaxAge < 0, true)
}

func TestFlashIsRefused(t *testing.T) {
	long := strings.Repeat("x", 400)
	for _, tt := range []struct {
		name string
		do   func(ctx context.Context, other *visitor, begin func())
		want error
	}{
		{"where another request has ended the session", func(ctx context.Context, other *visitor, _ func()) {
			wantValue(t, ctx, user, "ann")
			other.visit(func(ctx context.Context) { must(t, session.FromContext(ctx).End()) })
			checkErr(t, "Reload", session.FromContext(ctx).Reload(ctx), session.ErrEnded)
		}, session.ErrEnded},
		{"where another request has renewed the token", func(_ context.Context, other *visitor, _ func()) {
			other.visit(func(ctx context.Context) { must(t, session.FromContext(ctx).Renew()) })
		}, session.ErrEnded},
		{"after End, once the response has begun", func(ctx context.Context, _ *visitor, begin func()) {
			must(t, session.FromContext(ctx).End())
			begin()
		}, session.ErrTooLate},
		{"after End, where it is too large", func(ctx context.Context, _ *visitor, _ func()) {
			must(t, session.FromContext(ctx).End())
			checkErr(t, "Add", flashes.Add(ctx, "info", long+long), session.ErrTooLarge)
			ok, err := session.FromContext(ctx).Exists()
			must(t, err)
			check(t, "there is a session", ok, false)
			addFlash(t, ctx, long)
		}, session.ErrTooLarge},
		{"where it is too large", func(ctx context.Context, _ *visitor, _ func()) { addFlash(t, ctx, long) }, session.ErrTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVisitor(t, &session.Config{MaxBytes: 600})
			v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
			v.stream(func(ctx context.Context, begin func()) {
				tt.do(ctx, v.clone(), begin)
				checkErr(t, "Add", flashes.Add(ctx, "info", long), tt.want)
			})
		})
	}
	checkErr(t, "Add without the middleware", flashes.Add(t.Context(), "", "x"), session.ErrNoMiddleware)
	_, err := flashes.Take(t.Context())
	checkErr(t, "Take without the middleware", err, session.ErrNoMiddleware)
}

func TestFlashThatDoesNotDecode(t *testing.T) {
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) {
		addFlash(t, ctx, "one")
		must(t, session.NewKey[int](flashes.Name()).Sub(strings.Repeat("f", 28)).Set(ctx, 7))
	})
	v.visit(func(ctx context.Context) {
		messages, err := flashes.Take(ctx)
		var value *session.ValueError
		check(t, "Take returns a ValueError", errors.As(err, &value), true)
		check(t, "messages beside it", len(messages), 1)
		wantFlashes(t, ctx)
	})
}

func TestNewFlashRefusesNames(t *testing.T) {
	for _, name := range []string{"", "a\x00b", strings.Repeat("x", 227)} {
		if caught(func() { session.NewFlash(name) }) == nil {
			t.Errorf("NewFlash(%q): did not panic", name)
		}
	}
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) { must(t, session.NewFlash(strings.Repeat("x", 226)).Add(ctx, "", "fits")) })
	v.visit(func(ctx context.Context) {
		var zero session.Flash
		_, err := zero.Take(ctx)
		if err == nil || zero.Add(ctx, "", "x") == nil {
			t.Error("a zero Flash was taken")
		}
	})
}

// A message that is refused after End makes no session, and the one that was ended stays so.
func TestRefusedFlashAfterEnd(t *testing.T) {
	m, s := newManager(t, &session.Config{MaxBytes: 100})
	v := &visitor{t: t, m: m}
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	res := v.visit(func(ctx context.Context) {
		must(t, session.FromContext(ctx).End())
		checkErr(t, "Add", session.NewFlash("notice").Add(ctx, "info", strings.Repeat("x", 200)), session.ErrTooLarge)
		checkErr(t, "Delete", user.Delete(ctx), session.ErrEnded)
		session.FromContext(ctx).Degrade()
	})
	check(t, "status", res.StatusCode, http.StatusOK)
	check(t, "sessions", s.mem.Len(), 0)
	check(t, "the cookie is removed", len(res.Cookies()) == 1 && res.Cookies()[0].MaxAge < 0, true)
}
