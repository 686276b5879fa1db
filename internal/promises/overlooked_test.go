package promises_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
)

// brokenDoc is the key of a value that does not decode.
var brokenDoc = session.NewKey[int]("text")

// operationsOfASession are those that can fail in a session that exists. The store fails at the load.
var operationsOfASession = []struct {
	name string
	do   func(ctx context.Context, s *session.Session) error
}{
	{"ID", func(_ context.Context, s *session.Session) error {
		if s.ID().IsZero() {
			return session.ErrUnavailable // it has no error of its own
		}
		return nil
	}},
	{"Exists", func(_ context.Context, s *session.Session) error { _, err := s.Exists(); return err }},
	{"Info", func(_ context.Context, s *session.Session) error { _, err := s.Info(); return err }},
	{"Names", func(_ context.Context, s *session.Session) error { _, err := s.Names(); return err }},
	{"Values", func(_ context.Context, s *session.Session) error { _, err := s.Values(); return err }},
	{"Owner", func(_ context.Context, s *session.Session) error { _, err := s.Owner(); return err }},
	{"Token", func(_ context.Context, s *session.Session) error { _, err := s.Token(); return err }},
	{"Get", func(ctx context.Context, _ *session.Session) error { _, err := fixture.User.Get(ctx); return err }},
	{"Lookup", func(ctx context.Context, _ *session.Session) error { _, _, err := fixture.User.Lookup(ctx); return err }},
	{"Take", func(ctx context.Context, _ *session.Session) error { _, _, err := fixture.User.Take(ctx); return err }},
	{"Set", func(ctx context.Context, _ *session.Session) error { return fixture.User.Set(ctx, "bob") }},
	{"Delete", func(ctx context.Context, _ *session.Session) error { return fixture.User.Delete(ctx) }},
	{"Update", func(ctx context.Context, _ *session.Session) error {
		_, err := fixture.User.Update(ctx, func(string) (string, error) { return "bob", nil })
		return err
	}},
	{"Add", func(ctx context.Context, _ *session.Session) error { _, err := fixture.Hits.Add(ctx, 1); return err }},
	{"Counter.Get", func(ctx context.Context, _ *session.Session) error { _, err := fixture.Hits.Get(ctx); return err }},
	{"Clear", func(_ context.Context, s *session.Session) error { return s.Clear() }},
	{"Renew", func(_ context.Context, s *session.Session) error { return s.Renew() }},
	{"SetOwner", func(_ context.Context, s *session.Session) error { return s.SetOwner("ann") }},
	{"SetLabel", func(_ context.Context, s *session.Session) error { return s.SetLabel("device", "phone") }},
	{"Persist", func(_ context.Context, s *session.Session) error { return s.Persist(true) }},
	{"SetIdleTimeout", func(_ context.Context, s *session.Session) error { return s.SetIdleTimeout(time.Hour) }},
	{"SetLifetime", func(_ context.Context, s *session.Session) error { return s.SetLifetime(time.Hour) }},
	{"End", func(_ context.Context, s *session.Session) error { return s.End() }},
}

// If an operation fails and the handler overlooks it, the response is no success, unless the same operation succeeds
// later or the handler calls Degrade.
func TestNoOperationFailsUnseen(t *testing.T) {
	for _, op := range operationsOfASession {
		t.Run(op.name, func(t *testing.T) {
			for _, tt := range []struct {
				name   string
				after  func(ctx context.Context, s *session.Session)
				status int
			}{
				{"overlooked", func(context.Context, *session.Session) {}, 503},
				{"store back, not done again", func(ctx context.Context, s *session.Session) { expect.OK(t, s.Reload(ctx)) }, 503},
				{"done again", func(ctx context.Context, s *session.Session) {
					expect.OK(t, s.Reload(ctx))
					expect.OK(t, op.do(ctx, s))
				}, 200},
				{"degraded", func(_ context.Context, s *session.Session) { s.Degrade() }, 200},
			} {
				m, s := fixture.NewManager(t, nil)
				v := fixture.NewVisitor(t, m)
				v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
				s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
				res := v.Visit(func(ctx context.Context) {
					expect.Is(t, tt.name+": "+op.name, op.do(ctx, session.FromContext(ctx)), session.ErrUnavailable)
					s.Broken.Mend()
					tt.after(ctx, session.FromContext(ctx))
				})
				expect.Equal(t, tt.name+": status", res.StatusCode, tt.status)
			}
		})
	}
}

func TestWhatIsAFailure(t *testing.T) {
	big := strings.Repeat("x", 100)
	end := func(v *fixture.Visitor) {
		v.Clone().Visit(func(ctx context.Context) { expect.OK(v.T, session.FromContext(ctx).End()) })
	}
	renew := func(v *fixture.Visitor) {
		v.Clone().Visit(func(ctx context.Context) { expect.OK(v.T, session.FromContext(ctx).Renew()) })
	}
	errOfCaller := errors.New("wrong code")
	for _, tt := range []struct {
		name   string
		before func(v *fixture.Visitor)
		do     func(ctx context.Context)
		status int
	}{
		{"a value too large", nil, func(ctx context.Context) { fixture.User.Set(ctx, big) }, 413},
		{"a counter too large", nil, func(ctx context.Context) { session.NewCounter(big).Add(ctx, 1) }, 413},
		{"a label too large", nil, func(ctx context.Context) { session.FromContext(ctx).SetLabel("device", big) }, 413},
		{"an Update too large", nil, func(ctx context.Context) {
			fixture.User.Update(ctx, func(string) (string, error) { return big, nil })
		}, 413},
		{"too large, then one that fits", nil, func(ctx context.Context) {
			fixture.User.Set(ctx, big)
			fixture.User.Set(ctx, "bob")
		}, 200},
		{"too large, then another name", nil, func(ctx context.Context) {
			fixture.User.Set(ctx, big)
			fixture.Hits.Add(ctx, 1)
		}, 413},
		{"too large, then a read of it", nil, func(ctx context.Context) {
			fixture.User.Set(ctx, big)
			fixture.User.Get(ctx)
		}, 413},
		{"a value that does not decode", nil, func(ctx context.Context) { brokenDoc.Get(ctx) }, 500},
		{"a value that is taken and does not decode", nil, func(ctx context.Context) { brokenDoc.Take(ctx) }, 500},
		{"an Update of what does not decode", nil, func(ctx context.Context) {
			brokenDoc.Update(ctx, func(n int) (int, error) { return n + 1, nil })
		}, 500},
		{"a counter over what is no integer", nil, func(ctx context.Context) { session.NewCounter("text").Get(ctx) }, 500},
		{"an addition to what is no integer", nil, func(ctx context.Context) { session.NewCounter("text").Add(ctx, 1) }, 500},
		{"a value that does not decode, then is set", nil, func(ctx context.Context) {
			brokenDoc.Get(ctx)
			brokenDoc.Set(ctx, 1)
		}, 200},
		{"a value that can't be encoded", nil, func(ctx context.Context) { fixture.User.Set(ctx, "\xff") }, 500},
		{"an Update that can't be encoded", nil, func(ctx context.Context) {
			fixture.User.Update(ctx, func(string) (string, error) { return "\xff", nil })
		}, 500},
		{"an invalid name", nil, func(ctx context.Context) { fixture.User.Sub("").Set(ctx, "x") }, 500},
		{"an invalid name that is read", nil, func(ctx context.Context) { fixture.User.Sub("").Get(ctx) }, 500},
		{"an invalid owner", nil, func(ctx context.Context) { session.FromContext(ctx).SetOwner("\xff") }, 500},
		{"an invalid idle timeout", nil, func(ctx context.Context) { session.FromContext(ctx).SetIdleTimeout(-1) }, 500},
		{"an error of Update's own function", nil, func(ctx context.Context) {
			_, err := fixture.User.Update(ctx, func(string) (string, error) { return "", errOfCaller })
			expect.Is(t, "Update", err, errOfCaller)
		}, 200},
		{"a write to an ended session", nil, func(ctx context.Context) {
			expect.OK(t, session.FromContext(ctx).End())
			fixture.User.Set(ctx, "bob")
		}, 409},
		{"a delete in an ended session", nil, func(ctx context.Context) {
			expect.OK(t, session.FromContext(ctx).End())
			fixture.User.Delete(ctx)
		}, 409},
		{"a write with a renewed token", renew, func(ctx context.Context) { fixture.User.Set(ctx, "bob") }, 409},
		{"a read with a renewed token", renew, func(ctx context.Context) { fixture.User.Get(ctx) }, 200},
		{"a read of an ended session", end, func(ctx context.Context) { fixture.User.Get(ctx) }, 200},
		{"a read with a context that is done", nil, func(ctx context.Context) {
			gone, cancel := context.WithCancel(ctx)
			cancel()
			fixture.User.Get(gone)
		}, 503},
		{"a write with a context that is done", nil, func(ctx context.Context) {
			gone, cancel := context.WithCancel(ctx)
			cancel()
			fixture.User.Set(gone, "bob")
		}, 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := fixture.FirstVisitor(t, &session.Config{MaxBytes: 80})
			v.Visit(func(ctx context.Context) { expect.OK(t, session.NewKey[string]("text").Set(ctx, "no number")) })
			if tt.before != nil {
				tt.before(v)
			}
			res := v.Visit(tt.do)
			expect.Equal(t, "status", res.StatusCode, tt.status)
		})
	}
}

// A handler that answers with an error has not overlooked the failure.
func TestFailureThatTheHandlerAnswers(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	c := fixture.NewVisitorWith(t, m, "red")
	s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
	for _, status := range []int{400, 404, 500, 503} {
		w := c.Meet(func(w http.ResponseWriter, r *http.Request) {
			fixture.Color.Get(r.Context())
			http.Error(w, "sorry", status)
		}).Get("/")
		expect.Equal(t, "status", w.Code, status)
		expect.Equal(t, "body", w.Body.String(), "sorry\n")
	}
	for _, status := range []int{200, 204, 302, 304} {
		w := c.Meet(func(w http.ResponseWriter, r *http.Request) {
			fixture.Color.Get(r.Context())
			w.WriteHeader(status)
		}).Get("/")
		expect.Equal(t, "status", w.Code, 503)
	}
}

// If an operation has failed, the other changes of the request are not committed alone.
func TestRefusedForAFailureCommitsNothing(t *testing.T) {
	m, s := fixture.NewManager(t, &session.Config{MaxBytes: 40})
	c := fixture.NewVisitorWith(t, m, "red")
	s.Take()
	w := c.Meet(func(w http.ResponseWriter, r *http.Request) {
		expect.OK(t, fixture.Color.Set(r.Context(), "blue"))
		expect.OK(t, session.FromContext(r.Context()).Renew())
		fixture.User.Set(r.Context(), strings.Repeat("x", 100))
		fmt.Fprint(w, "saved")
	}).Get("/")
	expect.Equal(t, "status", w.Code, http.StatusRequestEntityTooLarge)
	expect.Equal(t, "store calls", s.Take(), fixture.Calls{Loads: 1})
	expect.Equal(t, "cookies", len(w.Result().Cookies()), 0)
	expect.Equal(t, "color", c.Color(), "red")
}

// A later commit that sends the same changes makes a failed one good.
func TestLaterCommitMakesGood(t *testing.T) {
	for _, tt := range []struct {
		name   string
		again  func(ctx context.Context)
		status int
	}{
		{"none", func(context.Context) {}, 409},
		{"Commit", func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).Commit(ctx)) }, 200},
		{"Update", func(ctx context.Context) {
			_, err := fixture.Color.Update(ctx, func(string) (string, error) { return "blue", nil })
			expect.OK(t, err)
		}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, s := fixture.NewManager(t, nil)
			v := fixture.NewVisitor(t, m)
			v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
			res := v.Visit(func(ctx context.Context) {
				expect.OK(t, fixture.User.Set(ctx, "bob"))
				s.Broken.Fail(store.ErrConflict, sessiontest.Commit)
				expect.Is(t, "Commit", session.FromContext(ctx).Commit(ctx), session.ErrConflict)
				s.Broken.Mend()
				tt.again(ctx)
			})
			expect.Equal(t, "status", res.StatusCode, tt.status)
			v.Visit(func(ctx context.Context) {
				fixture.Holds(t, ctx, fixture.User, map[int]string{200: "bob", 409: "ann"}[tt.status])
			})
		})
	}
}

// After Degrade, reads may fail, since the handler shows a page without them. Changes may not.
func TestDegradeHoldsForReads(t *testing.T) {
	for _, tt := range []struct {
		name   string
		late   func(ctx context.Context)
		status int
	}{
		{"a read", func(ctx context.Context) { fixture.Color.Get(ctx); session.FromContext(ctx).Info() }, 200},
		{"a change", func(ctx context.Context) { fixture.Color.Set(ctx, "blue") }, 503},
		{"an end", func(ctx context.Context) { session.FromContext(ctx).End() }, 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, s := fixture.NewManager(t, nil)
			c := fixture.NewVisitorWith(t, m, "red")
			s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
			w := c.Meet(func(_ http.ResponseWriter, r *http.Request) {
				fixture.User.Get(r.Context())
				session.FromContext(r.Context()).Degrade()
				tt.late(r.Context())
			}).Get("/")
			expect.Equal(t, "status", w.Code, tt.status)
		})
	}
	session.FromContext(t.Context()).Degrade() // without the middleware it does nothing
}

func TestFailedReloadOfUpdateIsNotOverlooked(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	res := v.Visit(func(ctx context.Context) {
		fixture.User.Update(ctx, func(name string) (string, error) {
			s.Broken.Mend()
			v.Clone().Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "bob")) })
			s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
			return name + "!", nil
		})
	})
	expect.Equal(t, "status", res.StatusCode, http.StatusServiceUnavailable)
}

// If the first write of a visitor fails, there is no session.
func TestFailedWriteMakesNoSession(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(ctx context.Context) error
	}{
		{"an Update whose function errs", func(ctx context.Context) error {
			_, err := fixture.User.Update(ctx, func(string) (string, error) { return "", errors.New("wrong code") })
			return err
		}},
		{"an Update that can't be encoded", func(ctx context.Context) error {
			_, err := fixture.User.Update(ctx, func(string) (string, error) { return "\xff", nil })
			return err
		}},
		{"an Update that is too large", func(ctx context.Context) error {
			_, err := fixture.User.Update(ctx, func(string) (string, error) { return strings.Repeat("x", 100), nil })
			return err
		}},
		{"a Set that can't be encoded", func(ctx context.Context) error { return fixture.User.Set(ctx, "\xff") }},
		{"a Set that is too large", func(ctx context.Context) error {
			return fixture.User.Set(ctx, strings.Repeat("x", 100))
		}},
		{"a Set of an invalid name", func(ctx context.Context) error { return fixture.User.Sub("").Set(ctx, "x") }},
		{"a counter that is too large", func(ctx context.Context) error {
			_, err := session.NewCounter(strings.Repeat("x", 100)).Add(ctx, 1)
			return err
		}},
		{"an invalid owner", func(ctx context.Context) error { return session.FromContext(ctx).SetOwner("\xff") }},
		{"an invalid label", func(ctx context.Context) error { return session.FromContext(ctx).SetLabel("", "x") }},
		{"an invalid lifetime", func(ctx context.Context) error { return session.FromContext(ctx).SetLifetime(-1) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, s := fixture.NewManager(t, &session.Config{MaxBytes: 80})
			w := sessiontest.NewClient(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tt.do(r.Context()) == nil {
					t.Error("got no error")
				}
				exists, err := session.FromContext(r.Context()).Exists()
				expect.Equal(t, "exists", exists, false)
				expect.OK(t, err)
				w.WriteHeader(http.StatusUnauthorized)
			}))).Get("/")
			expect.Equal(t, "store calls", s.Take(), fixture.Calls{})
			expect.Equal(t, "cookies", len(w.Result().Cookies()), 0)
			expect.Equal(t, "sessions", s.Mem.Len(), 0)
		})
	}
	t.Run("then one succeeds", func(t *testing.T) {
		v := fixture.FirstVisitor(t, &session.Config{MaxBytes: 80})
		v.Visit(func(ctx context.Context) {
			fixture.User.Set(ctx, strings.Repeat("x", 100))
			expect.OK(t, fixture.User.Set(ctx, "ann"))
		})
		v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
	})
}

func TestError(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
	}{
		{session.ErrUnavailable, 503},
		{fmt.Errorf("%w: %w", session.ErrUnavailable, session.ErrOutcomeUnknown), 503},
		{context.DeadlineExceeded, 503},
		{context.Canceled, 503},
		{session.ErrEnded, 409},
		{session.ErrConflict, 409},
		{session.ErrTooLarge, 413},
		{session.ErrTooLate, 500},
		{session.ErrNoMiddleware, 500},
		{&session.ValueError{Name: "color", Err: fixture.ErrStore}, 500},
		{fixture.ErrStore, 500},
	} {
		t.Run(fmt.Sprint(tt.err), func(t *testing.T) {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "/", nil)
			m, _ := fixture.NewManager(t, nil)
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				session.Error(w, r, fmt.Errorf("user=app host=db.internal: %w", tt.err))
			})).ServeHTTP(w, r)
			expect.Equal(t, "status", w.Code, tt.status)
			expect.Equal(t, "Retry-After", w.Header().Get("Retry-After") != "", tt.status == 503)
			body := w.Body.String()
			if body == "" || strings.Contains(body, "db.internal") || strings.Contains(body, tt.err.Error()) {
				t.Errorf("body: got %q, want a sentence that says nothing of the inside", body)
			}
		})
	}
}

// The additions of one request to a counter are sent as one. If their sum leaves int64, the additions of other requests
// must not be lost.
func TestAdditionsThatLeaveInt64Together(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) {
		expect.OK(t, session.NewKey[int64]("hits").Set(ctx, -10))
	})
	v.Visit(func(ctx context.Context) {
		_, err := fixture.Hits.Add(ctx, 1<<63-1)
		expect.OK(t, err)
		v.Clone().Visit(func(ctx context.Context) { fixture.Hits.Add(ctx, -100) })
		var value *session.ValueError
		if _, err := fixture.Hits.Add(ctx, 5); !errors.As(err, &value) || !errors.Is(err, store.ErrNotInteger) {
			t.Errorf("an addition that leaves int64 with the one before: got error %v, want a ValueError", err)
		}
		session.FromContext(ctx).Degrade()
	})
	v.Visit(func(ctx context.Context) {
		n, err := fixture.Hits.Get(ctx)
		expect.OK(t, err)
		expect.Equal(t, "hits", n, 1<<63-1-110)
	})
}

// If the client has gone, the log has no line at level ERROR.
func TestClientThatHasGoneIsNoErrorInTheLog(t *testing.T) {
	var logs fixture.Logbook
	m, _ := fixture.NewManager(t, &session.Config{Logger: logs.Logger()})
	c := fixture.NewVisitorWith(t, m, "red")
	ctx, leave := context.WithCancel(t.Context())
	leave()
	c.Meet(func(w http.ResponseWriter, r *http.Request) {
		fixture.Color.Get(r.Context())
		io.WriteString(w, "hello")
	}).Do(c.Request("GET", "/", nil).WithContext(ctx))
	expect.Equal(t, "lines at ERROR", logs.Count("level=ERROR"), 0)
	expect.Equal(t, "lines of the refusal", logs.Count("response refused"), 1)
}

// A failed operation may lose other changes that it sent. A retry of that operation alone does not make them good.
func TestLostChangesAreNotMadeGoodByARetry(t *testing.T) {
	for _, tt := range []struct {
		name string
		op   func(ctx context.Context) error
	}{
		{"Commit", func(ctx context.Context) error { return session.FromContext(ctx).Commit(ctx) }},
		{"Next", func(ctx context.Context) error { _, err := fixture.Hits.Next(ctx); return err }},
		{"Update", func(ctx context.Context) error {
			_, err := fixture.Color.Update(ctx, func(string) (string, error) { return "blue", nil })
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, s := fixture.NewManager(t, nil)
			v := fixture.NewVisitor(t, m)
			v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
			res := v.Visit(func(ctx context.Context) {
				expect.OK(t, fixture.User.Set(ctx, "bob"))
				s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
				expect.Is(t, tt.name, tt.op(ctx), session.ErrUnavailable)
				s.Broken.Mend()
				expect.OK(t, session.FromContext(ctx).Reload(ctx))
				expect.OK(t, tt.op(ctx))
			})
			var stored string
			v.Visit(func(ctx context.Context) { stored, _ = fixture.User.Get(ctx) })
			if res.StatusCode < 400 && stored != "bob" {
				t.Errorf("status %d, %s returned nil at last, and user is %q: want bob or no success",
					res.StatusCode, tt.name, stored)
			}
		})
	}
}

// A later addition does not make a failed one good, nor does a later message.
func TestOtherAdditionsMakeNothingGood(t *testing.T) {
	v := fixture.FirstVisitor(t, &session.Config{MaxBytes: 200})
	res := v.Visit(func(ctx context.Context) {
		if flashes.Add(ctx, "error", "your money is gone: "+strings.Repeat("x", 300)) == nil {
			t.Fatal("was taken")
		}
		expect.OK(t, flashes.Add(ctx, "info", "ok"))
	})
	if res.StatusCode < 400 {
		t.Errorf("Flash: status %d, one message of two lost", res.StatusCode)
	}
	res = v.Visit(func(ctx context.Context) {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := fixture.Hits.Add(gone, 5); err == nil {
			t.Fatal("was added")
		}
		_, err := fixture.Hits.Add(ctx, 1)
		expect.OK(t, err)
	})
	if res.StatusCode < 400 {
		t.Errorf("Counter: status %d, an addition of 5 lost", res.StatusCode)
	}
}

// waitForStack waits until a goroutine is in a function.
func waitForStack(part string) {
	buf := make([]byte, 1<<20)
	for !strings.Contains(string(buf[:runtime.Stack(buf, true)]), part) {
		time.Sleep(time.Millisecond)
	}
}

// If an operation is running when the response begins, the response waits. If the operation fails, it is no success.
func TestFailureWhileTheResponseWaits(t *testing.T) {
	for name, op := range map[string]func(ctx context.Context) error{
		"Get": func(ctx context.Context) error { _, err := fixture.Color.Get(ctx); return err },
		"Set": func(ctx context.Context) error { return fixture.Color.Set(ctx, "blue") },
	} {
		m, s := fixture.NewManager(t, nil)
		c := fixture.NewVisitorWith(t, m, "red")
		loading := make(chan bool)
		s.OnLoad = func() error {
			close(loading)
			waitForStack("commitBeforeResponse")
			return fixture.ErrStore
		}
		w := c.Meet(func(w http.ResponseWriter, r *http.Request) {
			var wg sync.WaitGroup
			wg.Go(func() {
				if op(r.Context()) == nil {
					t.Error("no error")
				}
			})
			<-loading
			fmt.Fprint(w, "saved")
			wg.Wait()
		}).Get("/")
		expect.Equal(t, name+": status", w.Code, 503)
	}
}

func TestOverlookedFailures(t *testing.T) {
	renewed := func(v *fixture.Visitor) {
		v.Clone().Visit(func(ctx context.Context) { expect.OK(v.T, session.FromContext(ctx).Renew()) })
	}
	tests := []struct {
		name   string
		before func(v *fixture.Visitor)
		do     func(ctx context.Context, s *fixture.Store)
		status int
	}{
		{"Set while the store is down", nil, func(ctx context.Context, s *fixture.Store) {
			s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
			fixture.User.Set(ctx, "bob")
		}, 503},
		{"End while the store is down", nil, func(ctx context.Context, s *fixture.Store) {
			s.Broken.Fail(fixture.ErrStore, sessiontest.End)
			session.FromContext(ctx).End()
		}, 503},
		{"Commit while the store is down", nil, func(ctx context.Context, s *fixture.Store) {
			s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
			fixture.User.Set(ctx, "bob")
			session.FromContext(ctx).Commit(ctx)
		}, 503},
		{"End with a token that was renewed", renewed, func(ctx context.Context, _ *fixture.Store) {
			session.FromContext(ctx).End()
		}, 409},
		{"Get while the store is down", nil, func(ctx context.Context, s *fixture.Store) {
			s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
			fixture.User.Get(ctx)
		}, 503},
		{"Set with a cancelled context, and again", nil, func(ctx context.Context, s *fixture.Store) {
			gone, cancel := context.WithCancel(ctx)
			cancel()
			s.Broken.Fail(context.Canceled, sessiontest.Load)
			fixture.User.Set(gone, "bob")
			s.Broken.Mend()
			fixture.User.Set(ctx, "bob")
		}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, s := fixture.NewManager(t, nil)
			v := fixture.NewVisitor(t, m)
			v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
			if tt.before != nil {
				tt.before(v)
			}
			res := v.Visit(func(ctx context.Context) { tt.do(ctx, s) })
			expect.Equal(t, "status", res.StatusCode, tt.status)
		})
	}
}

// Every method is tested with a retired, an ended and an absent session.
func TestEveryMethodInEveryState(t *testing.T) {
	want := map[string][4]string{ // retired, ended elsewhere, ended here, absent
		"ID": {"", "", "", ""}, "Exists": {"", "", "", ""}, "Info": {"", "", "", ""}, "Names": {"", "", "", ""},
		"Values": {"", "", "", ""}, "Owner": {"", "", "", ""}, "Token": {"", "", "", ""}, "Get": {"", "", "", ""},
		"Lookup": {"", "", "", ""}, "Take": {"", "", "", ""},
		"Counter.Get": {"", "", "", ""}, "Flash.Take": {"", "", "", ""}, "Commit": {"", "", "", ""},
		"Delete": {"E", "", "E", ""}, "Clear": {"E", "", "E", ""}, "Renew": {"E", "", "E", ""}, "End": {"E", "", "", ""},
		"Reload": {"E", "", "E", ""}, "Flash.Add": {"E", "", "", ""},
	}
	ops := operationsOfASession
	ops = append(ops[:len(ops):len(ops)], []struct {
		name string
		do   func(ctx context.Context, s *session.Session) error
	}{
		{"Flash.Add", func(ctx context.Context, _ *session.Session) error { return flashes.Add(ctx, "i", "x") }},
		{"Flash.Take", func(ctx context.Context, _ *session.Session) error { _, err := flashes.Take(ctx); return err }},
		{"Next", func(ctx context.Context, _ *session.Session) error { _, err := fixture.Hits.Next(ctx); return err }},
		{"Remember", func(_ context.Context, s *session.Session) error { return s.Remember(time.Hour) }},
		{"Commit", func(ctx context.Context, s *session.Session) error { return s.Commit(ctx) }},
		{"Reload", func(ctx context.Context, s *session.Session) error { return s.Reload(ctx) }},
	}...)
	for _, op := range ops {
		for i, state := range []string{"retired", "ended elsewhere", "ended here", "absent"} {
			v := fixture.FirstVisitor(t, nil)
			if state != "absent" {
				v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
			}
			tab := v.Clone()
			switch state {
			case "retired":
				v.Visit(func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).Renew()) })
			case "ended elsewhere":
				v.Visit(func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).End()) })
			}
			cookies := len(tab.Visit(func(ctx context.Context) {
				s := session.FromContext(ctx)
				s.Exists() // the state is known
				if state == "ended here" {
					expect.OK(t, s.End())
				}
				err := op.do(ctx, s)
				if op.name == "ID" {
					err = nil
				}
				w, ok := want[op.name]
				if !ok {
					w = [4]string{"E", "", "E", ""}
				}
				var wantErr error
				if w[i] == "E" {
					wantErr = session.ErrEnded
				}
				expect.Is(t, state+": "+op.name, err, wantErr)
			}).Cookies())
			if state == "retired" && cookies > 0 {
				t.Errorf("%s: %s sets a cookie", state, op.name)
			}
		}
	}
}
