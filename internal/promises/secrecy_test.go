package promises_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
)

// A secretWatch looks for tokens in everything that leaves the package.
type secretWatch struct {
	t     *testing.T
	forms map[string]string
}

// guard notes a signed token, its secret and the secret's hash, in each form in which they might be printed.
func (s *secretWatch) guard(signed, name string) {
	raw := fixture.RawOf(s.t, fixture.KeyA, name, signed)
	hash := store.HashToken(raw)
	s.forms[signed[20:60]] = "a signed token"
	for what, secret := range map[string][]byte{"a raw token": raw, "a token's hash": hash[:]} {
		s.forms[hex.EncodeToString(secret[4:12])] = what + " in hex"
		s.forms[strings.ToUpper(hex.EncodeToString(secret[4:12]))] = what + " in HEX"
		s.forms[base64.StdEncoding.EncodeToString(secret)[:12]] = what + " in base64"
		s.forms[base64.RawURLEncoding.EncodeToString(secret)[:12]] = what + " in base64 for URLs"
		s.forms[strings.Trim(fmt.Sprintf("%d", secret[4:12]), "[]")] = what + " in decimal"
		s.forms[strings.Trim(fmt.Sprintf("%#v", secret[4:8]), "[]byte{}")] = what + " as Go writes it"
		s.forms[string(secret[4:12])] = what + " as it is"
	}
}

func (s *secretWatch) look(where, text string) {
	s.t.Helper()
	for form, what := range s.forms {
		if strings.Contains(text, form) {
			s.t.Errorf("%s shows %s: %.400q", where, what, text)
		}
	}
}

func (s *secretWatch) print(where string, v any) {
	s.t.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		s.look(where+" with "+verb, fmt.Sprintf(verb, v))
	}
	doc, _ := json.Marshal(v)
	s.look(where+" as JSON", string(doc))
	var text, structured bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("x", slog.Any("v", v))
	slog.New(slog.NewJSONHandler(&structured, nil)).Info("x", slog.Any("v", v))
	s.look(where+" in a log", text.String())
	s.look(where+" in a log of JSON", structured.String())
}

// A tattler is a store whose errors have the token in them.
type tattler struct{ *fixture.Store }

func (s tattler) tell(token store.Token, err error) error {
	if err != nil {
		err = fmt.Errorf("%w: asked for %v, %s, %x, %d, %#v", err, token, token, token, token, token)
	}
	return err
}

func (s tattler) Load(ctx context.Context, token store.Token) (*store.Record, error) {
	rec, err := s.Store.Load(ctx, token)
	return rec, s.tell(token, err)
}

func (s tattler) Commit(ctx context.Context, token store.Token, change *store.Change) (*store.Record, error) {
	rec, err := s.Store.Commit(ctx, token, change)
	if err != nil {
		err = fmt.Errorf("%w: %+v", err, *change)
	}
	return rec, s.tell(token, err)
}

func TestTokensShowNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log fixture.Logbook
		s := tattler{fixture.NewStore()}
		m := fixture.NewManagerOn(t, s, &session.Config{
			Keys:         [][]byte{fixture.KeyA},
			Logger:       log.Logger(),
			StoreTimeout: time.Second,
		})
		watch := &secretWatch{t: t, forms: map[string]string{
			string(fixture.KeyA): "a key", hex.EncodeToString(fixture.KeyA): "a key in hex",
			"65 65 65 65 65 65": "a key in decimal",
		}}
		token, alice := fixture.Issue(t, m, "alice")
		other, bob := fixture.Issue(t, m, "bob")
		ended, carol := fixture.Issue(t, m, "carol")
		expect.OK(t, alice.SetOwner("alice"))
		expect.OK(t, alice.Commit(t.Context()))
		for _, signed := range []string{token, other, ended} {
			watch.guard(signed, fixture.CookieName)
		}
		m.Subscribe(func(e session.Event) { watch.print("an Event", e); panic(e) })
		expect.OK(t, carol.End())

		serve := func(line string, do func(w http.ResponseWriter, r *http.Request) error) {
			r := httptest.NewRequest("GET", "https://example.com/", nil)
			r.Header.Set("Cookie", line)
			w := httptest.NewRecorder()
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := do(w, r); err != nil {
					watch.print("an error", err)
				}
				watch.print("the Session in its request", session.FromContext(r.Context()))
				watch.look("the request's context", fmt.Sprintf("%v %+v %#v", r.Context(), r.Context(), r.Context()))
				type key struct{}
				ctx := context.WithValue(r.Context(), key{}, 1)
				watch.look("a context made from it", fmt.Sprintf("%v", ctx))
				watch.look("the response writer", fmt.Sprintf("%v %+v %#v", w, w, w))
			})).ServeHTTP(w, r)
			watch.look("the body of a response", w.Body.String())
		}
		gets := func(_ http.ResponseWriter, r *http.Request) error { _, err := fixture.Who.Get(r.Context()); return err }
		sets := func(_ http.ResponseWriter, r *http.Request) error {
			return errors.Join(fixture.Who.Set(r.Context(), "x"), session.FromContext(r.Context()).Commit(r.Context()))
		}
		renews := func(_ http.ResponseWriter, r *http.Request) error { return session.FromContext(r.Context()).Renew() }
		late := func(w http.ResponseWriter, r *http.Request) error {
			w.WriteHeader(http.StatusOK)
			return errors.Join(fixture.Who.Set(r.Context(), "x"), session.FromContext(r.Context()).Renew())
		}
		ends := func(_ http.ResponseWriter, r *http.Request) error { return session.FromContext(r.Context()).End() }
		every := map[string]func(http.ResponseWriter, *http.Request) error{
			"get": gets, "set": sets, "renew": renews, "late": late, "end": ends,
		}
		lines := []string{
			fixture.CookieName + "=" + token, fixture.CookieName + "=" + token[1:], fixture.CookieName + "=" + ended,
			fixture.CookieName + "=" + token + "; " + fixture.CookieName + "=" + other, fixture.CookieName + "=." + token,
		}
		for _, broken := range []func(){
			func() { s.Broken.Fail(fixture.ErrStore) },
			func() { s.Broken.Fail(fixture.ErrStore, sessiontest.Commit, sessiontest.End) },
			func() { s.Broken.Fail(store.ErrRetired, sessiontest.Load) },
			func() { s.Broken.Fail(store.ErrConflict, sessiontest.Commit) },
			func() { s.Broken.Fail(store.ErrNotFound, sessiontest.Commit) },
			s.Broken.Mend,
		} {
			broken()
			for _, line := range lines {
				for _, do := range every {
					serve(line, do)
				}
				_, err := m.Open(t.Context(), strings.TrimPrefix(line, fixture.CookieName+"="))
				if err != nil {
					watch.print("an error of Open", err)
				}
			}
		}

		watch.print("a Session", bob)
		watch.print("a pointer to a Session in a struct", struct{ S *session.Session }{bob})
		watch.print("the Manager", m)
		watch.print("a Key", fixture.Who)
		info, err := bob.Info()
		expect.OK(t, err)
		watch.print("Info", info)
		watch.print("an ID", bob.ID())
		for info, err := range m.Sessions(t.Context(), session.Filter{All: true}) {
			expect.OK(t, err)
			watch.print("a listed Info", info)
		}
		values, err := bob.Values()
		expect.OK(t, err)
		watch.print("the values", values)
		watch.print("a context with a Session", session.NewContext(context.Background(), bob))

		synctest.Wait()
		watch.look("the log", log.String())
		for _, line := range []string{"token refused", "store unavailable", "response refused", "a subscriber panicked"} {
			if log.Count(line) == 0 {
				t.Errorf("the log has no line %q: this test drives less than it says", line)
			}
		}
	})
}

// Programs print contexts and writers into logs, with any verb.
func TestNothingPrintsAToken(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	c := fixture.NewVisitorWith(t, m, "red")
	below := struct{ http.ResponseWriter }{httptest.NewRecorder()}
	h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fixture.Color.Get(r.Context())
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if got := fmt.Sprintf(verb, r.Context()); !strings.HasPrefix(got, "session.Handler(") {
				t.Errorf("context as %s: got %.200q, want its name and its parent", verb, got)
			}
			if got := fmt.Sprintf(verb, w); got != "session.ResponseWriter" {
				t.Errorf("writer as %s: got %.200q, want its name", verb, got)
			}
		}
	}))
	h.ServeHTTP(below, c.Request("GET", "/", nil))
}

func TestNothingPrintsASession(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	v.Visit(func(ctx context.Context) {
		fixture.Holds(t, ctx, fixture.User, "ann")
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if strings.Contains(fmt.Sprintf(verb, session.FromContext(ctx)), v.Cookie().Value) {
				t.Errorf("%s of a Session prints its token", verb)
			}
		}
	})
}

func TestStoreKnowsTheTokensHashOnly(t *testing.T) {
	m, s := fixture.NewManager(t, &session.Config{Keys: [][]byte{fixture.KeyA}})
	token, _ := fixture.Issue(t, m, "alice")
	raw := fixture.RawOf(t, fixture.KeyA, fixture.CookieName, token)
	rec, err := s.Mem.Load(t.Context(), store.HashToken(raw))
	expect.OK(t, err)
	if rec != nil && strings.Contains(string(rec.Token[:]), string(raw[:8])) {
		t.Error("the store's token holds the raw one")
	}
}
