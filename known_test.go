package session_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// A token that was seen before is known by all of its bytes.
func TestKnownTokenIsKnownWhole(t *testing.T) {
	m, s := newManager(t, nil)
	c := newVisitorWith(t, m, "red")
	check(t, "color, which makes the token known", colorOf(t, c, m), "red")
	signed := c.Cookies("/")[0].Value
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
		known.Add(tokens[i], store.Token{byte(i)}, 0)
	}
	for i, print := range tokens {
		got, ok := known.Find(print, 0)
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
				known.Add(print, store.Token{byte(i), byte(g)}, 0)
				if got, ok := known.Find(print, 0); ok && got != (store.Token{byte(i), byte(g)}) {
					t.Errorf("%v: got the hash %x of another", print, got[:2])
				}
			}
		})
	}
	wg.Wait()
}

// The signature of a known token is judged again, its age with it, before it could be older than clocks may differ.
func TestKnownTokenIsForgotten(t *testing.T) {
	var known session.KnownTokens
	known.Add(session.Fingerprint{1}, store.Token{1}, 0)
	last := store.Instant(0).Add(session.ClockSlack - time.Microsecond)
	_, ok := known.Find(session.Fingerprint{1}, last)
	check(t, "known at last", ok, true)
	_, ok = known.Find(session.Fingerprint{1}, last.Add(time.Microsecond))
	check(t, "known after", ok, false)
}

// A session may be held open until its token's signature is too old for a request. The token that it then hands out is
// its own all the same.
func TestTokenOfASessionHeldOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(2 * 365 * 24 * time.Hour) // from the bubble's year 2000, whose signatures are not known again
		m := newManagerOn(t, mem.New(nil), nil)
		made, err := m.Create(t.Context())
		must(t, err)
		old, err := made.Token()
		must(t, err)
		held, err := m.Open(t.Context(), old)
		must(t, err)
		must(t, held.SetLifetime(30*24*time.Hour))
		must(t, held.SetIdleTimeout(30*24*time.Hour))
		must(t, held.Commit(t.Context()))
		time.Sleep(25 * time.Hour)
		_, err = m.Open(t.Context(), old)
		checkErr(t, "opening by the old signature", err, session.ErrEnded)
		signed, err := held.Token()
		must(t, err)
		opened, err := m.Open(t.Context(), signed)
		must(t, err)
		check(t, "ID", opened.ID(), made.ID())
		must(t, m.Close())
	})
}
