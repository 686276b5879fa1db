package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/lazysession/session/internal/pgtest"
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
	forumBinary, nodeBinary = filepath.Join(dir, "forum"), filepath.Join(dir, "node")
	err = errors.Join(
		build("..", forumBinary, "./example/forum"), // the forum belongs to the module around this one
		build(".", nodeBinary, "./internal/node"),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return pgtest.Main(m).Run()
}

func build(dir, binary, pkg string, flags ...string) error {
	cmd := exec.Command("go", append(append([]string{"build", "-race", "-o", binary}, flags...), pkg)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return nil
}
