package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// forumBinary is the path of the forum, built once for all tests.
var forumBinary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "forum")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	forumBinary = filepath.Join(dir, "forum")
	build := exec.Command("go", "build", "-race", "-o", forumBinary, "./example/forum")
	build.Dir = ".." // the forum belongs to the module around this one
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the forum: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
