package promises_test

import (
	"testing"

	"github.com/lazysession/session"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var flashes = session.NewFlash("flashes")
