package session_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
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
