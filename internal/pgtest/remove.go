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

// home holds everything that is started here: folders of clusters with the servers' pid files in them.
var home struct {
	sync.Mutex
	dir   string
	guard io.Closer // the guard's standard input
	last  int       // number of the last folder
}

// guard waits for the end of the test binary, which closes its standard input even when it was killed, and then ends the
// servers and removes all. A server's process may linger as nobody's child, so there is a bound to the waiting.
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

// newDir returns the name of a folder to be made, in a home that belongs to the unprivileged user.
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

func openHome() error {
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return err
	}
	if err := giveAway(dir); err != nil {
		return err
	}
	home.dir = dir // unprivileged works there
	cmd := unprivileged("sh", "-c", guard, dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	home.guard = in
	return cmd.Start()
}

// removeAll ends the shared cluster and removes the rest. The guard would do so as well, but only once the binary has
// ended, when its caller may already look for what is left.
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

// writeFile writes a file that the unprivileged user may read, and nobody else.
func writeFile(name, content string) error {
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		return err
	}
	return giveAway(name)
}

// unprivileged returns a command that does not run as root, in the home of all clusters, and in a session of its own: a
// signal from the terminal is for the tests.
func unprivileged(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = home.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC", "HOME="+home.dir)
	dropRights(cmd)
	return cmd
}
