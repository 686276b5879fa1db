package store_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/storetest"
)

// TestFileStore runs the rules on the store of the package's example.
func TestFileStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return openedFiles(t, t.TempDir()) })
}

func openedFiles(t *testing.T, dir string) *fileStore {
	t.Helper()
	s, err := openFiles(dir)
	if err != nil {
		t.Fatalf("openFiles: %v", err)
	}
	return s
}

func TestFileStoreSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	s := openedFiles(t, dir)
	token, renewed := store.HashToken([]byte("old")), store.HashToken([]byte("new"))
	commit := func(token store.Token, c *store.Change) *store.Record {
		t.Helper()
		r, err := s.Commit(t.Context(), token, c)
		if err != nil {
			t.Fatalf("Commit: %v", err)
		}
		return r
	}
	commit(token, &store.Change{Created: true, ID: store.ID{1}, IdleTimeout: time.Hour, Lifetime: 2 * time.Hour})
	want := commit(token, &store.Change{
		RenewTo: renewed, Owner: new("alice"), Persistent: new(true), Labels: map[string]string{"device": "laptop"},
		Edits: []store.Edit{{Name: "html", JSON: ` "<\ud800>" `}},
	})
	commit(store.HashToken([]byte("ended")), &store.Change{
		Created: true, ID: store.ID{2}, IdleTimeout: time.Hour, Lifetime: time.Hour,
	})
	if err := s.End(t.Context(), store.ID{2}, store.LoggedOut); err != nil {
		t.Fatalf("End: %v", err)
	}

	s = openedFiles(t, dir)
	if got, err := s.Load(t.Context(), renewed); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Load after a restart: got %+v, %v, want %+v", got, err, want)
	}
	if len(s.records) != 1 {
		t.Errorf("after a restart: got %d records, want the one that has not ended", len(s.records))
	}
}

func TestFileStoreRefusesDamagedFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "1.json"), []byte(`{"format":1,`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openFiles(dir); err == nil {
		t.Error("openFiles with half a record: got no error")
	}
}

// TestFileStoreIsShort holds the promise that a whole store, with every ability, is a short program.
func TestFileStoreIsShort(t *testing.T) {
	const most = 240
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	whole := strings.Split(string(source), "\n// A whole store:")[0]
	if n := strings.Count(whole, "\n"); n > most {
		t.Errorf("the store has %d lines, want at most %d", n, most)
	}
}
