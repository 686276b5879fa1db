package e2e

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFarmWithoutItsDatabase stops the database: pages that use no session go on, and others say why they can't.
func TestFarmWithoutItsDatabase(t *testing.T) {
	farm := startFarm(t)
	visitor := newClient(t, "http://"+farm.listen)
	farm.visit(t, visitor, 1)

	farm.stopDatabase(t)
	// The balancer asks each server four times a second: for these rounds it goes from all servers to those that live.
	for range 100 {
		for _, path := range []string{"/about", "/connection"} {
			if got, err := visitor.get(path); err != nil || got.status != http.StatusOK {
				t.Fatalf("%s, which uses no session: got %d (%v), want 200:\n%s", path, got.status, err, got.body)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	for range farmServers {
		for _, path := range []string{"/", lobby, "/inside", "/sessions"} {
			got, err := visitor.get(path)
			if err != nil || got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "Back in a moment") {
				t.Errorf("%s, which uses a session: got %d (%v), want the forum's own 503:\n%s", path, got.status, err, got.body)
			}
		}
	}
}

// stopDatabase returns when the database has ended (a fast stop, as its manual calls it).
func (f *farm) stopDatabase(t *testing.T) {
	t.Helper()
	file := filepath.Join(f.data, "postmaster.pid")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			return
		}
	}
	t.Fatal("the database does not stop")
}
