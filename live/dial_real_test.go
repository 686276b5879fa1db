package live_test

import (
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"

	"github.com/lazysession/session/live"
)

// Over a real network the client works as in the bubbles, and leaves nothing behind.
func TestDialOverTCP(t *testing.T) {
	defer goleak.VerifyNone(t)
	server := httptest.NewServer(&fragile{random: rand.New(rand.NewPCG(1, 1)), frames: math.MaxInt})
	defer server.Close()
	client := server.Client()
	defer client.CloseIdleConnections()

	c, err := live.Dial(t.Context(), server.URL, &live.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{`"one"`, `"two"`} {
		if err := c.Send(t.Context(), []byte(data)); err != nil {
			t.Fatal(err)
		}
		wantReceived(t, c, data)
	}
	if err := c.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}
