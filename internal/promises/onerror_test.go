package promises_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
)

// If OnError panics, the response is the standard answer, even if middleware inside recovers the panic.
func TestOnErrorThatPanics(t *testing.T) {
	for _, recovers := range []bool{true, false} {
		h, _ := refusing(t, &session.Config{OnError: func(w http.ResponseWriter, r *http.Request, err error) {
			w.Header().Set("X-Half", "done")
			fmt.Fprint(w, "half")
			panic("template")
		}}, func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if recovers {
					expect.Equal(t, "panic inside", recover(), any("template"))
					w.WriteHeader(http.StatusInternalServerError)
				}
			}()
			fmt.Fprint(w, "saved")
		})
		w := httptest.NewRecorder()
		want := any("template")
		if recovers {
			want = nil
		}
		expect.Equal(t, "panic", expect.Panic(func() { h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil)) }), want)
		wantRefusal(t, w.Result(), w.Body.String())
	}
}

func TestOnErrorAnswers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		onError func(w http.ResponseWriter)
		status  int
		length  string
	}{
		{"nothing", func(w http.ResponseWriter) {}, 503, "66"},
		{"a body", func(w http.ResponseWriter) { fmt.Fprint(w, "sorry") }, 503, "5"},
		{"a success of its own", func(w http.ResponseWriter) { w.WriteHeader(200); fmt.Fprint(w, "sorry") }, 200, "5"},
		{"a status twice", func(w http.ResponseWriter) { w.WriteHeader(503); w.WriteHeader(500) }, 503, "0"},
		{"an early hint first", func(w http.ResponseWriter) { w.WriteHeader(103); w.WriteHeader(503) }, 503, "0"},
		{"no content", func(w http.ResponseWriter) { w.WriteHeader(204) }, 204, ""},
		{"a wrong length", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "99")
			fmt.Fprint(w, "sorry")
		}, 503, "5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, _ := refusing(t, &session.Config{OnError: func(w http.ResponseWriter, _ *http.Request, _ error) {
				tt.onError(w)
			}},
				func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "saved") })
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			expect.Equal(t, "status", w.Code, tt.status)
			expect.Equal(t, "Content-Length", w.Header().Get("Content-Length"), tt.length)
		})
	}
}

func TestChangesInOnErrorAreKept(t *testing.T) {
	m, s := fixture.NewManager(t, &session.Config{OnError: func(w http.ResponseWriter, r *http.Request, _ error) {
		expect.OK(t, fixture.User.Set(r.Context(), "told"))
		w.WriteHeader(http.StatusInternalServerError)
	}})
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { fixture.Hits.Add(ctx, 1) })
	v.Visit(func(ctx context.Context) {
		fixture.Hits.Add(ctx, 1)
		s.Broken.FailNext(1, &store.EditError{Name: "hits", Err: store.ErrNotInteger}, sessiontest.Commit)
	})
	v.Visit(func(ctx context.Context) {
		fixture.Holds(t, ctx, fixture.User, "told")
		n, _ := fixture.Hits.Get(ctx)
		expect.Equal(t, "hits", n, 1)
	})
}

// recovering is middleware inside a Manager that recovers panics.
func recovering(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		next(w, r)
	}
}

// If OnError writes a status that net/http refuses, it panics. The answer is no success, even if middleware inside
// recovers the panic.
func TestOnErrorWithAnInvalidStatus(t *testing.T) {
	for _, status := range []int{99, 1000, -1, 101} {
		h, _ := refusing(t, &session.Config{OnError: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(status)
		}},
			recovering(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "saved") }))
		srv, browser := fixture.StartServer(t, fixture.HTTP1, h)
		resp, err := browser.Get(srv.URL)
		if err != nil {
			t.Errorf("OnError with status %d: %v", status, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("OnError with status %d: got %d, want no success", status, resp.StatusCode)
		}
	}
}

// If OnError sets a value in a session that was not made, the value is committed, or Set returns an error.
func TestOnErrorSetsInASessionThatWasNotMade(t *testing.T) {
	var err error
	m, s := fixture.NewManager(t, &session.Config{
		MaxBytes: 50,
		OnError: func(w http.ResponseWriter, r *http.Request, _ error) {
			err = fixture.Color.Set(r.Context(), "red")
		},
	})
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) {
		expect.OK(t, fixture.User.Set(ctx, "ann"))
		fixture.Hits.Sub(strings.Repeat("x", 100)).Add(ctx, 1)
	})
	if err == nil && s.Mem.Len() == 0 {
		t.Error("Set in OnError returned nil, and nothing is stored")
	}
}

// Changes of OnError are committed. If it ends the session, the response removes the cookie.
func TestOnErrorEnds(t *testing.T) {
	m, _ := fixture.NewManager(t, &session.Config{
		MaxBytes: 60,
		OnError: func(w http.ResponseWriter, r *http.Request, err error) {
			expect.OK(t, session.FromContext(r.Context()).End())
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		},
	})
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	res := v.Visit(func(ctx context.Context) { fixture.User.Set(ctx, strings.Repeat("x", 100)) })
	expect.Equal(t, "status", res.StatusCode, 303)
	expect.Equal(t, "cookie removed", len(res.Cookies()) == 1, true)
}

// No shared cache may store a response that sets the cookie, even if OnError sets Cache-Control.
func TestOnErrorCaching(t *testing.T) {
	m, s := fixture.NewManager(t, &session.Config{OnError: func(w http.ResponseWriter, r *http.Request, err error) {
		w.Header().Set("Cache-Control", "public, max-age=600")
		w.WriteHeader(404)
	}})
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	res := v.Visit(func(ctx context.Context) {
		expect.OK(t, session.FromContext(ctx).Renew())
		expect.OK(t, session.FromContext(ctx).Commit(ctx))
		expect.OK(t, fixture.User.Set(ctx, "bob"))
		s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	})
	expect.Equal(t, "cookies", len(res.Cookies()), 1)
	if cc := res.Header.Get("Cache-Control"); strings.Contains(cc, "public") {
		t.Errorf("Cache-Control of a response with a token: %q", cc)
	}
}

// Whatever OnError does, the answer is whole, and no success unless OnError writes one.
func TestOnErrorThatMisbehaves(t *testing.T) {
	var m *session.Manager
	for name, onError := range map[string]func(w http.ResponseWriter, r *http.Request, err error){
		"hijacks": func(w http.ResponseWriter, r *http.Request, err error) {
			if _, _, err := http.NewResponseController(w).Hijack(); err == nil {
				t.Error("hijacked")
			}
		},
		"flushes": func(w http.ResponseWriter, r *http.Request, err error) { http.NewResponseController(w).Flush() },
		"Error":   session.Error,
		"redirects": func(w http.ResponseWriter, r *http.Request, err error) {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		},
		"ends": func(w http.ResponseWriter, r *http.Request, err error) {
			session.FromContext(r.Context()).End()
			session.Error(w, r, err)
		},
		"commits, reloads, degrades": func(w http.ResponseWriter, r *http.Request, err error) {
			s := session.FromContext(r.Context())
			s.Degrade()
			s.Reload(r.Context())
			fixture.Color.Set(r.Context(), "green")
			s.Commit(r.Context())
			s.Renew()
			s.Remember(time.Hour)
			fixture.Color.Update(r.Context(), func(string) (string, error) { return "x", nil })
			fixture.Hits.Next(r.Context())
		},
		"serves an app of the same Manager": func(w http.ResponseWriter, r *http.Request, err error) {
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fixture.Color.Get(r.Context())
				w.WriteHeader(500)
			})).ServeHTTP(w, r)
		},
		"panics with ErrAbortHandler": func(w http.ResponseWriter, r *http.Request, err error) {
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s *fixture.Store
			m, s = fixture.NewManager(t, &session.Config{OnError: onError})
			s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
			h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fixture.Color.Set(r.Context(), "red")
				fmt.Fprint(w, "saved")
			}))
			srv, browser := fixture.StartServer(t, fixture.HTTP1, h)
			browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			resp, err := browser.Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			expect.OK(t, err)
			if resp.StatusCode < 300 || strings.Contains(string(body), "saved\x00") {
				t.Errorf("%d %q", resp.StatusCode, body)
			}
			expect.Equal(t, "length", resp.ContentLength, int64(len(body)))
		})
	}
}

// The OnError of an inner Manager panics, and the outer Manager answers.
func TestNestedOnErrorPanics(t *testing.T) {
	outer, _ := fixture.NewManager(t, nil)
	inner, si := fixture.NewManager(t, &session.Config{
		Cookie:  session.Cookie{Name: "inner"},
		OnError: func(http.ResponseWriter, *http.Request, error) { panic("x") },
	})
	si.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	w := httptest.NewRecorder()
	h := outer.Handler(inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		expect.OK(t, fixture.User.Set(r.Context(), "ann"))
		expect.OK(t, outer.Session(r.Context()).SetOwner("ann"))
		fmt.Fprint(w, "saved")
	})))
	expect.Equal(t, "panic", expect.Panic(func() { h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil)) }), any("x"))
	wantRefusal(t, w.Result(), w.Body.String())
	expect.Equal(t, "cookies", len(w.Result().Cookies()), 1)
}
