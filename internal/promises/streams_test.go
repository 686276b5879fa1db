package promises_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/store"
)

// A tightLipped store returns a record only if the change asks for it.
type tightLipped struct{ *fixture.Store }

func (s tightLipped) Commit(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
	rec, err := s.Store.Commit(ctx, token, c)
	if !c.WantsRecord() {
		rec = nil
	}
	return rec, err
}

// newTightLipped returns a visitor with a session in a tightLipped store, and the store below it.
func newTightLipped(t *testing.T) (*fixture.Visitor, *fixture.Store) {
	s := fixture.NewStore()
	v := fixture.NewVisitor(t, fixture.NewManagerOn(t, tightLipped{s}, nil))
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	return v, s
}

func TestStreamSeesWhatItCommitted(t *testing.T) {
	v, s := newTightLipped(t)
	s.Take()
	v.Stream(func(ctx context.Context, begin func()) {
		expect.OK(t, fixture.User.Set(ctx, "bob"))
		_, err := fixture.Hits.Add(ctx, 2)
		expect.OK(t, err)
		begin()
		fixture.Holds(t, ctx, fixture.User, "bob")
		sum, err := fixture.Hits.Add(ctx, 3)
		expect.OK(t, err)
		expect.Equal(t, "hits", sum, 5)
	})
	expect.Equal(t, "store calls", s.Take(), fixture.Calls{Loads: 1, Commits: 2})
	v.Visit(func(ctx context.Context) {
		fixture.Holds(t, ctx, fixture.User, "bob")
		n, err := fixture.Hits.Get(ctx)
		expect.OK(t, err)
		expect.Equal(t, "hits", n, 5)
	})
}

// The stream does not get the changes of other requests, but it must not overwrite them.
func TestStreamUpdatesWhatOthersChanged(t *testing.T) {
	v, _ := newTightLipped(t)
	v.Stream(func(ctx context.Context, begin func()) {
		_, err := fixture.Hits.Add(ctx, 1)
		expect.OK(t, err)
		v.Clone().Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "bob")) })
		begin()
		_, err = fixture.User.Update(ctx, func(name string) (string, error) { return name + " and ann", nil })
		expect.OK(t, err)
	})
	v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "bob and ann") })
}

// The cookie says what the session is after the changes of other requests.
func TestCookieSaysWhatTheSessionIs(t *testing.T) {
	const month = 30 * 24 * time.Hour
	persist := func(s *session.Session) error { return s.Persist(true) }
	lengthen := func(s *session.Session) error { return s.SetLifetime(month) }
	for _, tt := range []struct {
		name      string
		do, other func(s *session.Session) error
	}{
		{"persisted here", persist, lengthen},
		{"persisted there", lengthen, persist},
		{"committed before", func(s *session.Session) error {
			return errors.Join(s.Persist(true), s.Commit(context.Background()),
				fixture.User.Set(session.NewContext(context.Background(), s), "bob"))
		}, func(s *session.Session) error { return s.SetLifetime(month) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, _ := newTightLipped(t)
			other := v.Clone()
			cookies := v.Visit(func(ctx context.Context) {
				expect.OK(t, tt.do(session.FromContext(ctx)))
				other.Visit(func(ctx context.Context) { expect.OK(t, tt.other(session.FromContext(ctx))) })
			}).Cookies()
			if len(cookies) != 1 || cookies[0].MaxAge < int(month.Seconds())-60 {
				t.Errorf("cookies: got %v, want one that lasts a month", cookies)
			}
		})
	}
}

func TestStreamSetsAnOwnerThatAnotherRequestTookAway(t *testing.T) {
	v, _ := newTightLipped(t)
	v.Visit(func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).SetOwner("ann")) })
	v.Stream(func(ctx context.Context, begin func()) {
		s := session.FromContext(ctx)
		expect.OK(t, errors.Join(fixture.User.Set(ctx, "bob"), s.SetLabel("device", "phone"), s.SetIdleTimeout(time.Minute)))
		begin()
		v.Clone().Visit(func(ctx context.Context) {
			s := session.FromContext(ctx)
			expect.OK(t, errors.Join(s.SetOwner(""), s.SetLabel("device", ""), s.SetIdleTimeout(time.Hour)))
		})
		expect.OK(t, errors.Join(s.SetOwner("ann"), s.SetLabel("device", "phone"), s.SetIdleTimeout(time.Minute),
			s.Commit(ctx)))
	})
	v.Visit(func(ctx context.Context) {
		info, err := session.FromContext(ctx).Info()
		expect.OK(t, err)
		expect.Equal(t, "owner", info.Owner, "ann")
		expect.Equal(t, "label", info.Labels["device"], "phone")
		expect.Equal(t, "idle timeout", info.IdleTimeout, time.Minute)
	})
}

// The request knows the value as a text, but in the store it is an integer by then.
func TestStreamWhoseViewIsStale(t *testing.T) {
	v, _ := newTightLipped(t)
	name := session.NewKey[string](fixture.Hits.Name())
	v.Stream(func(ctx context.Context, begin func()) {
		_, err := fixture.Hits.Add(ctx, 1)
		expect.OK(t, errors.Join(err, fixture.User.Set(ctx, "bob")))
		v.Clone().Visit(func(ctx context.Context) { expect.OK(t, name.Set(ctx, "many")) })
		expect.OK(t, session.FromContext(ctx).Reload(ctx))
		v.Clone().Visit(func(ctx context.Context) { expect.OK(t, name.Delete(ctx)) })
		begin()
		fixture.Holds(t, ctx, name, "many")
		fixture.Holds(t, ctx, fixture.User, "bob")
	})
	v.Visit(func(ctx context.Context) {
		n, err := fixture.Hits.Get(ctx)
		expect.OK(t, err)
		expect.Equal(t, "hits", n, 1)
	})
}

func TestRecordIsAskedForWhereItIsNeeded(t *testing.T) {
	v, s := newTightLipped(t)
	commits := map[string]bool{"the response begins": true, "the request ends": true, "Commit": false, "Update": false}
	seen := func(when string) { expect.Equal(t, "NoRecord when "+when, s.LastChange().NoRecord, commits[when]) }
	v.Stream(func(ctx context.Context, begin func()) {
		fixture.Holds(t, ctx, fixture.User, "ann")
		begin()
		expect.OK(t, fixture.User.Set(ctx, "bob"))
		expect.OK(t, session.FromContext(ctx).Commit(ctx))
		seen("Commit")
	})
	v.Stream(func(ctx context.Context, begin func()) {
		expect.OK(t, fixture.User.Set(ctx, "bob"))
		begin()
		seen("the response begins")
		expect.OK(t, fixture.User.Set(ctx, "carl"))
		expect.OK(t, session.FromContext(ctx).Commit(ctx))
		seen("Commit")
		_, err := fixture.User.Update(ctx, func(string) (string, error) { return "dora", nil })
		expect.OK(t, err)
		seen("Update")
		expect.OK(t, fixture.User.Set(ctx, "eve"))
	})
	seen("the request ends")
}
