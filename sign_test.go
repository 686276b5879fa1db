package session_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
)

// Tokens are signed as gorilla/securecookie would, to the letter: a program that has the key can read and make them with it.
func TestSignsAsSecurecookieDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where time stands still
		for _, name := range []string{cookieName, "s", "a-name-that-is-longer-than-most-names-of-cookies-are"} {
			m := newManagerOn(t, newSpy(), &session.Config{Keys: [][]byte{keyA, keyB}, Cookie: session.Cookie{Name: name}})
			for range 3 { // with a MAC that is new, and one that is used again
				token, _ := issue(t, m, "ann")
				check(t, "token", token, sign(t, keyA, name, rawOf(t, keyA, name, token)))
			}
		}
	})
}

func TestSignsAgelessAsSecurecookieDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManagerOn(t, newSpy(), &session.Config{Keys: [][]byte{keyA}})
		_, s := issue(t, m, "ann")
		must(t, s.SetLifetime(10*365*24*time.Hour))
		token, err := s.Token()
		must(t, err)
		const purpose = cookieName + " ageless"
		check(t, "mark", token[:1], ".")
		check(t, "token", token, "."+sign(t, keyA, purpose, rawOf(t, keyA, purpose, token[1:])))
	})
}

func TestSignsConcurrently(t *testing.T) {
	m := newManagerOn(t, newSpy(), &session.Config{Keys: [][]byte{keyA}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				token, s := issue(t, m, "ann")
				opened, err := m.Open(context.Background(), token)
				if err != nil || opened.ID() != s.ID() {
					t.Errorf("Open of a signed token: got %v, %v, want %v", opened, err, s.ID())
				}
			}
		})
	}
	wg.Wait()
}
