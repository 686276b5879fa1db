package signed

import (
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/store"
)

// Tokens that share a slot replace each other, and are never mistaken for each other.
func TestKnownTokensOfOneSlot(t *testing.T) {
	var known knownTokens
	tokens := make([]fingerprint, 3)
	for i := range tokens {
		tokens[i][31] = byte(i)
		known.add(tokens[i], store.Token{byte(i)}, 0)
	}
	for i, print := range tokens {
		got, ok := known.find(print, 0)
		expect.Equal(t, "known", ok, i == len(tokens)-1)
		if ok {
			expect.Equal(t, "hash", got, store.Token{byte(i)})
		}
	}
}

func TestKnownTokensConcurrently(t *testing.T) {
	var known knownTokens
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				print := fingerprint{byte(i), byte(g)}
				known.add(print, store.Token{byte(i), byte(g)}, 0)
				if got, ok := known.find(print, 0); ok && got != (store.Token{byte(i), byte(g)}) {
					t.Errorf("%v: got the hash %x of another", print, got[:2])
				}
			}
		})
	}
	wg.Wait()
}

// The signature of a known token and its age are verified again after knownFor.
func TestKnownTokenIsForgotten(t *testing.T) {
	var known knownTokens
	known.add(fingerprint{1}, store.Token{1}, 0)
	last := store.Instant(0).Add(ClockSlack - time.Microsecond)
	_, ok := known.find(fingerprint{1}, last)
	expect.Equal(t, "known at last", ok, true)
	_, ok = known.find(fingerprint{1}, last.Add(time.Microsecond))
	expect.Equal(t, "known after", ok, false)
}
