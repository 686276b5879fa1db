package memlog_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/live/stream/streamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLog(t *testing.T) {
	streamtest.Run(t, func(*testing.T) stream.Log { return memlog.New(nil) })
}

// TestLogThatKeepsBothWays runs the suite on a log that also keeps what sockets send.
func TestLogThatKeepsBothWays(t *testing.T) {
	streamtest.Run(t, func(*testing.T) stream.Log {
		return memlog.New(&memlog.Options{Received: &stream.Retention{}})
	})
}

func TestArchive(t *testing.T) {
	streamtest.RunArchive(t, func(t *testing.T) (stream.Log, func() stream.Log) {
		path := filepath.Join(t.TempDir(), "archive")
		return open(t, path), func() stream.Log { return open(t, path) }
	})
}

func open(t *testing.T, path string) *memlog.Log {
	t.Helper()
	l, err := memlog.Open(&memlog.Options{Archive: path})
	if err != nil {
		t.Fatal(err)
	}
	return l
}
