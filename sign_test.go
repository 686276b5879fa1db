package session_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
)

// Tokens are signed as gorilla/securecookie would, to the letter: whoever has the key can read and make them with it.
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

// The MACs and their room are used again, by requests of others.
func TestPenKeepsNothingOfAToken(t *testing.T) {
	for _, name := range []string{"s", "session", cookieName, cookieName + " ageless"} {
		raw := [32]byte([]byte("the secret that opens a session!"))
		state := session.SignedWith(keyA, name, raw)
		kept := bytesIn(reflect.ValueOf(state))
		text := base64.URLEncoding.EncodeToString(raw[:])
		for at := range len(text) - 4 {
			if part := text[at : at+4]; bytes.Contains(kept, []byte(part)) {
				t.Fatalf("name %q: %q of the token is still there", name, part)
			}
		}
	}
}

// bytesIn returns all bytes that can be reached from v, one slice or array after the other.
func bytesIn(v reflect.Value) []byte {
	var found []byte
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			found = bytesIn(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			found = append(found, bytesIn(v.Field(i))...)
		}
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice {
			v = v.Slice(0, v.Cap())
		}
		for i := range v.Len() {
			if v.Index(i).Kind() == reflect.Uint8 {
				found = append(found, byte(v.Index(i).Uint()))
			}
		}
	}
	return append(found, 0)
}
