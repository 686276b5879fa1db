package session_test

import (
	"context"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store"
)

// A token that was seen before is known by all of its bytes.
func TestKnownTokenIsKnownWhole(t *testing.T) {
	m, s := newManager(t, nil)
	c := newVisitorWith(t, m, "red")
	check(t, "color, which makes the token known", colorOf(t, c, m), "red")
	signed := c.jar.Cookies(httptest.NewRequest("GET", "https://example.com/", nil).URL)[0].Value
	check(t, "the token's padding", signed[len(signed)-2:], "==")
	s.take()
	forgeries := []string{signed[:len(signed)-2], signed[:len(signed)-1], signed + "=", signed + "==", "." + signed, signed + "A=="}
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
	if n := s.take().loads; n > 1 {
		t.Errorf("store calls for forged tokens: got %d, want at most 1", n)
	}
}

// What one Manager knows, another with other keys does not.
func TestKnownTokensAreAManagersOwn(t *testing.T) {
	s := newSpy()
	m := newManagerOn(t, s, nil)
	other := newManagerOn(t, s, &session.Config{Keys: [][]byte{[]byte("another key of thirty-two bytes.")}})
	c := newVisitorWith(t, m, "red")
	check(t, "color", colorOf(t, c, m), "red")
	check(t, "color, with other keys", colorOf(t, c, other), "")
}

// A session that has ended is not found again because its token is known.
func TestKnownTokenOfAnEndedSession(t *testing.T) {
	m, _ := newManager(t, nil)
	sess, err := m.Create(t.Context())
	must(t, err)
	signed, err := sess.Token()
	must(t, err)
	_, err = m.Open(t.Context(), signed)
	must(t, err)
	must(t, m.End(t.Context(), sess.ID()))
	_, err = m.Open(t.Context(), signed)
	checkErr(t, "opening", err, session.ErrEnded)
}

// A known token can be signed anew, which needs the token itself.
func TestKnownTokenIsSignedAnew(t *testing.T) {
	m, _ := newManager(t, nil)
	made, err := m.Create(t.Context())
	must(t, err)
	signed, err := made.Token()
	must(t, err)
	for range 2 {
		opened, err := m.Open(t.Context(), signed)
		must(t, err)
		must(t, opened.SetLifetime(30*24*time.Hour))
		must(t, opened.Commit(context.Background()))
		signed, err = opened.Token()
		must(t, err)
		check(t, "the mark of a token without an age", signed[:1], ".")
	}
	opened, err := m.Open(t.Context(), signed)
	must(t, err)
	check(t, "ID", opened.ID(), made.ID())
}

// Tokens that share a slot push each other out, and are never taken for each other.
func TestKnownTokensOfOneSlot(t *testing.T) {
	var known session.KnownTokens
	tokens := make([]session.Fingerprint, 3)
	for i := range tokens {
		tokens[i][31] = byte(i)
		known.Add(tokens[i], store.Token{byte(i)})
	}
	for i, print := range tokens {
		got, ok := known.Find(print)
		check(t, "known", ok, i == len(tokens)-1)
		if ok {
			check(t, "hash", got, store.Token{byte(i)})
		}
	}
}

func TestKnownTokensConcurrently(t *testing.T) {
	var known session.KnownTokens
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				print := session.Fingerprint{byte(i), byte(g)}
				known.Add(print, store.Token{byte(i), byte(g)})
				if got, ok := known.Find(print); ok && got != (store.Token{byte(i), byte(g)}) {
					t.Errorf("%v: got the hash %x of another", print, got[:2])
				}
			}
		})
	}
	wg.Wait()
}
