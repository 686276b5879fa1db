package usage_test

import (
	"testing"
	"time"

	"github.com/lazysession/session/internal/usage"
)

func TestPause(t *testing.T) {
	if got := usage.Pause(10 * time.Minute); got != time.Minute {
		t.Errorf("got %v for an idle timeout of 10 minutes, want 1", got)
	}
}
