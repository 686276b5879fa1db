package sessiontest

import (
	"log/slog"
	"testing"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

// New returns a Manager with an empty store in memory, and the clock of that store. Manager and store are closed at the
// end of the test. A nil cfg means the defaults, but a nil Logger is one that writes to the test's own output.
func New(t testing.TB, cfg *session.Config) (*session.Manager, *Clock) {
	t.Helper()
	clock := new(Clock)
	s := mem.New(&mem.Options{Now: clock.Now})
	t.Cleanup(func() { s.Close() })
	m, err := session.New(s, withLogger(t, cfg))
	if err != nil {
		t.Fatalf("sessiontest: %v", err)
	}
	t.Cleanup(func() { m.Close() })
	return m, clock
}

func withLogger(t testing.TB, cfg *session.Config) *session.Config {
	var logging session.Config
	if cfg != nil {
		logging = *cfg
	}
	if logging.Logger == nil {
		logging.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	return &logging
}
