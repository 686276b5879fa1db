package streamtest_test

import (
	"path/filepath"
	"testing"

	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/live/stream/streamtest"
)

// In a log's own package this is the body of TestLog.
func ExampleRun() {
	TestLog := func(t *testing.T) {
		streamtest.Run(t, func(*testing.T) stream.Log {
			return memlog.New(nil) // here opens your log
		})
	}
	_ = TestLog
}

// In a log's own package this is the body of TestArchive.
func ExampleRunArchive() {
	TestArchive := func(t *testing.T) {
		streamtest.RunArchive(t, func(t *testing.T) (stream.Log, func() stream.Log) {
			path := filepath.Join(t.TempDir(), "archive")
			open := func() stream.Log {
				l, err := memlog.Open(&memlog.Options{Archive: path})
				if err != nil {
					t.Fatal(err)
				}
				return l
			}
			return open(), open
		})
	}
	_ = TestArchive
}
