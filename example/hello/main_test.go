package main

import (
	"os/exec"
	"strings"
	"testing"
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
