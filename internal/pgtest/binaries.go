package pgtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// binaries returns the folder of the server's programs. If there is none, it skips the test, or fails it if CI=true.
func binaries(t testing.TB) string {
	t.Helper()
	for _, dir := range folders() {
		if complete(dir) {
			return dir
		}
	}
	missing(t, "the programs of a PostgreSQL server", "postgresql")
	return ""
}

// missing skips the test because a program is missing, or fails it if CI=true.
func missing(t testing.TB, what, debian string) {
	t.Helper()
	fail := t.Skipf
	if os.Getenv("CI") == "true" {
		fail = t.Fatalf
	}
	fail("%s are missing. On Debian: apt-get install %s; or name your own server in %s", what, debian, givenServer)
}

// folders returns the folders in which the programs may be, best first.
func folders() []string {
	var dirs []string
	if dir, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(dir)))
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin",
	} {
		found, _ := filepath.Glob(pattern) // the pattern is constant
		slices.SortFunc(found, newestFirst)
		dirs = append(dirs, found...)
	}
	return append(dirs, "/usr/local/pgsql/bin")
}

func newestFirst(a, b string) int { return version(b) - version(a) }

var number = regexp.MustCompile(`\d+`)

// version returns the first number in a path, 0 if there is none.
func version(path string) int {
	n, _ := strconv.Atoi(number.FindString(path))
	return n
}

// complete reports whether a folder has all programs that this package uses.
func complete(dir string) bool {
	for _, program := range []string{"initdb", "postgres", "pg_basebackup"} {
		if _, err := exec.LookPath(filepath.Join(dir, program)); err != nil {
			return false
		}
	}
	return true
}
