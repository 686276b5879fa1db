package e2e

import (
	"syscall"
	"testing"
	"time"
)

// TestCountingFindsWhatIsLost crashes a database that acknowledges what it has not written. A check that finds nothing
// then would find nothing ever.
func TestCountingFindsWhatIsLost(t *testing.T) {
	s := startSite(t, nil, "synchronous_commit = off",
		"wal_writer_delay = 10s", "wal_writer_flush_after = 1GB", "wal_buffers = 16MB")
	// Its writer is woken for each full page, and what it has handed to the system outlives a crash of processes.
	writer := childNamed(t, postmaster(t, s.url), "walwriter")
	must(t, "stopping the writer", syscall.Kill(writer, syscall.SIGSTOP))
	time.Sleep(500 * time.Millisecond)
	must(t, "killing the store", s.cluster.Kill())
	must(t, "killing the writer", syscall.Kill(writer, syscall.SIGKILL))
	must(t, "starting the store", s.cluster.Start())
	s.waitBack(time.Now(), s.addresses...)
	v := s.stop()
	if v.lost == 0 {
		t.Errorf("%d operations were acknowledged, and none is missed", v.acknowledged)
	}
	t.Logf("%d of %d acknowledged operations are missed", v.lost, v.acknowledged)
}
