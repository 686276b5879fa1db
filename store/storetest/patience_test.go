package storetest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/storetest"
)

const slowEnv = "STORETEST_SLOW"

// TestTooSlowToTell runs a rule about time on a store whose clock leaps with each commit, so that no try is ever quick
// enough. The rule is then skipped. In CI, where a skip would be overlooked, it fails.
func TestTooSlowToTell(t *testing.T) {
	for ci, want := range map[string]string{"": "--- SKIP", "true": "--- FAIL"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0],
			"-test.run=^TestSlow$/^longer-lifetime$", "-test.count=1", "-test.v", "-test.timeout=5m")
		cmd.Env = append(os.Environ(), slowEnv+"=true", "CI="+ci)
		out, _ := cmd.CombinedOutput()
		if !strings.Contains(string(out), want+": TestSlow/longer-lifetime ") {
			t.Errorf("with CI=%s: want %s, got:\n%s", ci, want, out)
		}
	}
}

// TestSlow is what TestTooSlowToTell runs.
func TestSlow(t *testing.T) {
	if os.Getenv(slowEnv) == "" {
		t.Skip("for TestTooSlowToTell only")
	}
	storetest.Run(t, func(*testing.T) store.Store { return &slow{reference: newReference()} })
}

// A slow store takes a minute by its own clock for each commit, and no time by any other.
type slow struct {
	*reference
	late time.Duration
}

func (s *slow) Now() time.Time { return time.Now().Add(s.late) }

func (s *slow) Commit(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
	s.late += time.Minute
	return s.reference.Commit(ctx, token, c)
}
