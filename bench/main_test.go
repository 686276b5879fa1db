package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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
	o := options{only: regexp.MustCompile("^none$"), out: t.TempDir()}
	if err := run(t.Context(), o); !errors.Is(err, errNothing) {
		t.Errorf("got %v, want %v", err, errNothing)
	}
}

func TestReportSaysHowToRepeatIt(t *testing.T) {
	for _, test := range []struct {
		short      bool
		only, want string
	}{
		{false, "", "make bench"},
		{true, "", "make bench SHORT=1"},
		{true, "^growth$", "go run . -short -only '^growth$'"},
	} {
		o := options{short: test.short, only: regexp.MustCompile(test.only)}
		if got := o.command(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
