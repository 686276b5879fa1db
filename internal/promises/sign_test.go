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
)

// Tokens are signed as gorilla/securecookie would, to the letter: a program that has the key can read and make them with it.
func TestSignsAsSecurecookieDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where time stands still
		for _, name := range []string{fixture.CookieName, "s", "a-name-that-is-longer-than-most-names-of-cookies-are"} {
			m := fixture.NewManagerOn(t, fixture.NewStore(), &session.Config{Keys: [][]byte{fixture.KeyA, fixture.KeyB}, Cookie: session.Cookie{Name: name}})
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
		expect.Equal(t, "token", token, "."+fixture.Sign(t, fixture.KeyA, purpose, fixture.RawOf(t, fixture.KeyA, purpose, token[1:])))
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
