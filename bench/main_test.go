package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestRunWritesTheReport(t *testing.T) {
	dir := t.TempDir()
	o := options{short: true, out: dir, only: regexp.MustCompile("^parallel$")}
	if err := run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "[On all cores](parallel.md)"; !strings.Contains(string(index), want) {
		t.Errorf("the index lacks %q:\n%s", want, index)
	}
}

func TestPartsThatDontExistAreNoReport(t *testing.T) {
	o := options{only: regexp.MustCompile("^none$")}
	if _, err := measure(t.Context(), o, time.Now()); !errors.Is(err, errNoPart) {
		t.Errorf("got %v, want %v", err, errNoPart)
	}
}
