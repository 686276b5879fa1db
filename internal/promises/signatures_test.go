package promises_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/store/mem"
)

// A token is known only if all of its bytes are those of the token that was seen.
func TestKnownTokenIsKnownWhole(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	c := fixture.NewVisitorWith(t, m, "red")
	expect.Equal(t, "color, which makes the token known", c.Color(), "red")
	signed := c.Cookies("/")[0].Value
	expect.Equal(t, "the token's padding", signed[len(signed)-2:], "==")
	s.Take()
	forgeries := []string{
		signed[:len(signed)-2], signed[:len(signed)-1], signed + "=", signed + "==", "." + signed, signed + "A==",
	}
	for i := range signed {
		b := []byte(signed)
		b[i] ^= 1
		forgeries = append(forgeries, string(b))
	}
	for _, forged := range forgeries {
		if opened, err := m.Open(t.Context(), forged); err == nil {
			t.Errorf("%q opens the session of %q as %v", forged, signed, opened.ID())
		}
	}
	// The last digit before the padding has four bits that mean nothing: base64 lets some of them differ.
	if n := s.Take().Loads; n > 1 {
		t.Errorf("store calls for forged tokens: got %d, want at most 1", n)
	}
}

// A Manager does not know the tokens that another Manager with other keys knows.
func TestKnownTokensAreAManagersOwn(t *testing.T) {
	s := fixture.NewStore()
	m := fixture.NewManagerOn(t, s, nil)
	other := fixture.NewManagerOn(t, s, &session.Config{Keys: [][]byte{[]byte("another key of thirty-two bytes.")}})
	c := fixture.NewVisitorWith(t, m, "red")
	expect.Equal(t, "color", c.Color(), "red")
	expect.Equal(t, "color, with other keys", c.At(other).Color(), "")
}

// A known token does not open its session once that has ended.
func TestKnownTokenOfAnEndedSession(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	sess, err := m.Create(t.Context())
	expect.OK(t, err)
	signed, err := sess.Token()
	expect.OK(t, err)
	_, err = m.Open(t.Context(), signed)
	expect.OK(t, err)
	expect.OK(t, m.End(t.Context(), sess.ID()))
	_, err = m.Open(t.Context(), signed)
	expect.Is(t, "opening", err, session.ErrEnded)
}

// A known token can be signed anew, which needs the token itself.
func TestKnownTokenIsSignedAnew(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	made, err := m.Create(t.Context())
	expect.OK(t, err)
	signed, err := made.Token()
	expect.OK(t, err)
	for range 2 {
		opened, err := m.Open(t.Context(), signed)
		expect.OK(t, err)
		expect.OK(t, opened.SetLifetime(30*24*time.Hour))
		expect.OK(t, opened.Commit(context.Background()))
		signed, err = opened.Token()
		expect.OK(t, err)
		expect.Equal(t, "the mark of a token without an age", signed[:1], ".")
	}
	opened, err := m.Open(t.Context(), signed)
	expect.OK(t, err)
	expect.Equal(t, "ID", opened.ID(), made.ID())
}

// A session may stay open until the signature of its token is too old for a request. Token then returns the session's
// token with a new signature.
func TestTokenOfASessionHeldOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(2 * 365 * 24 * time.Hour) // from the bubble's year 2000, whose signatures are not known again
		m := fixture.NewManagerOn(t, mem.New(nil), nil)
		made, err := m.Create(t.Context())
		expect.OK(t, err)
		old, err := made.Token()
		expect.OK(t, err)
		held, err := m.Open(t.Context(), old)
		expect.OK(t, err)
		expect.OK(t, held.SetLifetime(30*24*time.Hour))
		expect.OK(t, held.SetIdleTimeout(30*24*time.Hour))
		expect.OK(t, held.Commit(t.Context()))
		time.Sleep(25 * time.Hour)
		_, err = m.Open(t.Context(), old)
		expect.Is(t, "opening by the old signature", err, session.ErrEnded)
		signed, err := held.Token()
		expect.OK(t, err)
		opened, err := m.Open(t.Context(), signed)
		expect.OK(t, err)
		expect.Equal(t, "ID", opened.ID(), made.ID())
		expect.OK(t, m.Close())
	})
}

// Tokens are signed exactly as gorilla/securecookie signs. A program that has the key can read and make tokens with it.
func TestSignsAsSecurecookieDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where time stands still
		for _, name := range []string{fixture.CookieName, "s", "a-name-that-is-longer-than-most-names-of-cookies-are"} {
			m := fixture.NewManagerOn(t, fixture.NewStore(),
				&session.Config{Keys: [][]byte{fixture.KeyA, fixture.KeyB}, Cookie: session.Cookie{Name: name}})
			for range 3 { // with a MAC that is new, and one that is used again
				token, _ := fixture.Issue(t, m, "ann")
				expect.Equal(t, "token", token, fixture.Sign(t, fixture.KeyA, name, fixture.RawOf(t, fixture.KeyA, name, token)))
			}
		}
	})
}

func TestSignsAgelessAsSecurecookieDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixture.NewManagerOn(t, fixture.NewStore(), &session.Config{Keys: [][]byte{fixture.KeyA}})
		_, s := fixture.Issue(t, m, "ann")
		expect.OK(t, s.SetLifetime(10*365*24*time.Hour))
		token, err := s.Token()
		expect.OK(t, err)
		const purpose = fixture.CookieName + " ageless"
		expect.Equal(t, "mark", token[:1], ".")
		raw := fixture.RawOf(t, fixture.KeyA, purpose, token[1:])
		expect.Equal(t, "token", token, "."+fixture.Sign(t, fixture.KeyA, purpose, raw))
	})
}

func TestSignsConcurrently(t *testing.T) {
	m := fixture.NewManagerOn(t, fixture.NewStore(), &session.Config{Keys: [][]byte{fixture.KeyA}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				token, s := fixture.Issue(t, m, "ann")
				opened, err := m.Open(context.Background(), token)
				if err != nil || opened.ID() != s.ID() {
					t.Errorf("Open of a signed token: got %v, %v, want %v", opened, err, s.ID())
				}
			}
		})
	}
	wg.Wait()
}
