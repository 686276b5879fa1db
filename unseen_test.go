package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store"
)

// A tightLipped store brings back no record that it need not.
type tightLipped struct{ *spy }

func (s tightLipped) Commit(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
	rec, err := s.spy.Commit(ctx, token, c)
	if !c.WantsRecord() {
		rec = nil
	}
	return rec, err
}

// newTightLipped returns a visitor with a session, and the spy on the store.
func newTightLipped(t *testing.T) (*visitor, *spy) {
	s := newSpy()
	v := &visitor{t: t, m: newManagerOn(t, tightLipped{s}, nil)}
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	return v, s
}

// stream is visit with a handler that begins its response when it likes.
func (v *visitor) stream(do func(ctx context.Context, begin func())) {
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(v.cookie)
	v.m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		do(r.Context(), func() { must(v.t, http.NewResponseController(w).Flush()) })
	})).ServeHTTP(httptest.NewRecorder(), r)
}

func TestStreamSeesWhatItCommitted(t *testing.T) {
	v, s := newTightLipped(t)
	s.take()
	v.stream(func(ctx context.Context, begin func()) {
		must(t, user.Set(ctx, "bob"))
		_, err := hits.Add(ctx, 2)
		must(t, err)
		begin()
		wantValue(t, ctx, user, "bob")
		sum, err := hits.Add(ctx, 3)
		must(t, err)
		check(t, "hits", sum, 5)
	})
	check(t, "store calls", s.take(), calls{loads: 1, commits: 2})
	v.visit(func(ctx context.Context) {
		wantValue(t, ctx, user, "bob")
		n, err := hits.Get(ctx)
		must(t, err)
		check(t, "hits", n, 5)
	})
}

// What other requests commit at the same time is in no record that the stream has, and yet it overwrites none of it.
func TestStreamUpdatesWhatOthersChanged(t *testing.T) {
	v, _ := newTightLipped(t)
	v.stream(func(ctx context.Context, begin func()) {
		_, err := hits.Add(ctx, 1)
		must(t, err)
		v.clone().visit(func(ctx context.Context) { must(t, user.Set(ctx, "bob")) })
		begin()
		_, err = user.Update(ctx, func(name string) (string, error) { return name + " and ann", nil })
		must(t, err)
	})
	v.visit(func(ctx context.Context) { wantValue(t, ctx, user, "bob and ann") })
}

// The cookie tells of the session as other requests have left it.
func TestCookieSaysWhatTheSessionIs(t *testing.T) {
	const month = 30 * 24 * time.Hour
	for _, tt := range []struct {
		name      string
		do, other func(s *session.Session) error
	}{
		{"persisted here", func(s *session.Session) error { return s.Persist(true) }, func(s *session.Session) error { return s.SetLifetime(month) }},
		{"persisted there", func(s *session.Session) error { return s.SetLifetime(month) }, func(s *session.Session) error { return s.Persist(true) }},
		{"committed before", func(s *session.Session) error {
			return errors.Join(s.Persist(true), s.Commit(context.Background()), user.Set(session.NewContext(context.Background(), s), "bob"))
		}, func(s *session.Session) error { return s.SetLifetime(month) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, _ := newTightLipped(t)
			other := v.clone()
			cookies := v.visit(func(ctx context.Context) {
				must(t, tt.do(session.FromContext(ctx)))
				other.visit(func(ctx context.Context) { must(t, tt.other(session.FromContext(ctx))) })
			}).Cookies()
			if len(cookies) != 1 || cookies[0].MaxAge < int(month.Seconds())-60 {
				t.Errorf("cookies: got %v, want one that lasts a month", cookies)
			}
		})
	}
}

func TestStreamSetsAnOwnerThatAnotherRequestTookAway(t *testing.T) {
	v, _ := newTightLipped(t)
	v.visit(func(ctx context.Context) { must(t, session.FromContext(ctx).SetOwner("ann")) })
	v.stream(func(ctx context.Context, begin func()) {
		s := session.FromContext(ctx)
		must(t, errors.Join(user.Set(ctx, "bob"), s.SetLabel("device", "phone"), s.SetIdleTimeout(time.Minute)))
		begin()
		v.clone().visit(func(ctx context.Context) {
			s := session.FromContext(ctx)
			must(t, errors.Join(s.SetOwner(""), s.SetLabel("device", ""), s.SetIdleTimeout(time.Hour)))
		})
		must(t, errors.Join(s.SetOwner("ann"), s.SetLabel("device", "phone"), s.SetIdleTimeout(time.Minute), s.Commit(ctx)))
	})
	v.visit(func(ctx context.Context) {
		info, err := session.FromContext(ctx).Info()
		must(t, err)
		check(t, "owner", info.Owner, "ann")
		check(t, "label", info.Labels["device"], "phone")
		check(t, "idle timeout", info.IdleTimeout, time.Minute)
	})
}

// The addition is to a text as far as the request knows, and to an integer in the store.
func TestStreamWhoseViewIsStale(t *testing.T) {
	v, _ := newTightLipped(t)
	name := session.NewKey[string](hits.Name())
	v.stream(func(ctx context.Context, begin func()) {
		_, err := hits.Add(ctx, 1)
		must(t, errors.Join(err, user.Set(ctx, "bob")))
		v.clone().visit(func(ctx context.Context) { must(t, name.Set(ctx, "many")) })
		must(t, session.FromContext(ctx).Reload(ctx))
		v.clone().visit(func(ctx context.Context) { must(t, name.Delete(ctx)) })
		begin()
		wantValue(t, ctx, name, "many")
		wantValue(t, ctx, user, "bob")
	})
	v.visit(func(ctx context.Context) {
		n, err := hits.Get(ctx)
		must(t, err)
		check(t, "hits", n, 1)
	})
}

func TestWhoLooksAtTheRecordGetsIt(t *testing.T) {
	v, s := newTightLipped(t)
	commits := map[string]bool{"the response begins": true, "the request ends": true, "Commit": false, "Update": false}
	seen := func(when string) { check(t, "NoRecord when "+when, s.lastChange().NoRecord, commits[when]) }
	v.stream(func(ctx context.Context, begin func()) {
		wantValue(t, ctx, user, "ann")
		begin()
		must(t, user.Set(ctx, "bob"))
		must(t, session.FromContext(ctx).Commit(ctx))
		seen("Commit")
	})
	v.stream(func(ctx context.Context, begin func()) {
		must(t, user.Set(ctx, "bob"))
		begin()
		seen("the response begins")
		must(t, user.Set(ctx, "carl"))
		must(t, session.FromContext(ctx).Commit(ctx))
		seen("Commit")
		_, err := user.Update(ctx, func(string) (string, error) { return "dora", nil })
		must(t, err)
		seen("Update")
		must(t, user.Set(ctx, "eve"))
	})
	seen("the request ends")
}
