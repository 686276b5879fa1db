package pgtest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// home is the folder of all clusters that this package has started. Their folders contain the servers' pid files.
var home struct {
	sync.Mutex
	dir   string
	guard io.Closer // the guard's standard input
	last  int       // number of the last folder
}

// guard waits for the end of the test binary, which closes the guard's standard input even when it is killed. Then
// guard ends the servers and removes the home. It waits only for a limited time, since a server's process may not end.
const guard = `
trap '' INT TERM HUP
cat
for try in 1 2 3 4 5 6 7 8 9 10; do
	alive=
	for file in "$0"/*/*.pid; do
		[ -f "$file" ] && kill -QUIT "$(head -n 1 "$file")" 2>/dev/null && alive=yes
	done
	[ -n "$alive" ] || break
	sleep 0.2
done
rm -rf "$0"
`

// newDir returns the name of a new folder, in a home that belongs to the unprivileged user. It doesn't create the
// folder.
func newDir() (string, error) {
	home.Lock()
	defer home.Unlock()
	if home.dir == "" {
		if err := openHome(); err != nil {
			return "", fmt.Errorf("pgtest: %w", err)
		}
	}
	home.last++
	return filepath.Join(home.dir, fmt.Sprintf("%d", home.last)), nil
}

// openHome creates the home and starts the guard.
func openHome() error {
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return err
	}
	if err := giveAway(dir); err != nil {
		return err
	}
	home.dir = dir // the next line needs it
	cmd := unprivileged("sh", "-c", guard, dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	home.guard = in
	return cmd.Start()
}

// removeAll ends the shared cluster and removes the home. The guard would do the same, but only after the binary has
// ended. Then the caller of the binary may already look for leftovers.
func removeAll() {
	shared.Lock()
	defer shared.Unlock()
	if c := shared.cluster; c != nil && c.given == "" {
		if err := c.remove(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	shared.cluster = nil
	home.Lock()
	defer home.Unlock()
	if home.dir != "" {
		_ = removeDir(home.dir) // the guard tries again
	}
}

// removeDir removes a folder into which a dying process may still be writing.
func removeDir(dir string) error {
	var err error
	for range 50 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

// writeFile writes a file that only the unprivileged user may read.
func writeFile(name, content string) error {
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		return err
	}
	return giveAway(name)
}

// unprivileged returns a command that does not run as root. It runs in the home of all clusters, and in a session of
// its own, so that signals from the terminal reach only the tests.
func unprivileged(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = home.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC", "HOME="+home.dir)
	dropRights(cmd)
	return cmd
}
