package main

import (
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/lazysession/session"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store/mem"
)

// TestNeedsOneModule keeps the first try of a newcomer short: go run downloads gorilla/securecookie and nothing else.
func TestNeedsOneModule(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{"github.com/lazysession/session": true, "github.com/gorilla/securecookie": true}
	for _, module := range strings.Fields(string(out)) {
		if !seen[module] {
			t.Errorf("it needs the module %s", module)
			seen[module] = true
		}
	}
}

// TestTellsNothingInternal has the store fail with an error that names a user and a host, as a database does.
func TestTellsNothingInternal(t *testing.T) {
	db := sessiontest.Broken(mem.New(nil))
	m, err := session.New(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	visitor := sessiontest.NewClient(m.Handler(http.HandlerFunc(count)))
	if got := visitor.Get("/").Body.String(); got != "Visit 1\n" {
		t.Errorf("got %q, want the first visit", got)
	}
	db.Fail(errors.New("no route to app@db.internal"))
	w := visitor.Get("/")
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "db.internal") {
		t.Errorf("with a broken store: got %d and %q, want 503 and no word about the database", w.Code, w.Body)
	}
}
