package e2e

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const farmServers = 3

// TestFarm starts the whole farm as its users do, visits it through the balancer, kills a server, and stops it.
func TestFarm(t *testing.T) {
	farm := startFarm(t)
	visitor := newClient(t, "http://"+farm.listen)

	// 1. No server has a visitor to itself, and every visit counts.
	const visits = 30
	servers := make(map[string]int)
	for want := 1; want <= visits; want++ {
		servers[farm.visit(t, visitor, want)]++
	}
	if len(servers) != farmServers {
		t.Errorf("visits went to %v, want %d servers", servers, farmServers)
	}
	// 2. No visitor notices that a server is gone.
	if err := syscall.Kill(farm.forums[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // a killed process takes a moment to stop listening
	for want := visits + 1; want <= visits+10; want++ {
		farm.visit(t, visitor, want)
	}
	// 3. Ctrl-C leaves nothing.
	farm.stop(t)
	if left, err := filepath.Glob(filepath.Join(farm.temp, "farm.*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q (%v)", left, err)
	}
	for _, pid := range farm.forums {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d of a forum: got %v, want it gone", pid, err)
		}
	}
	if conn, err := net.Dial("tcp", farm.listen); err == nil {
		conn.Close()
		t.Error("somebody still listens at the balancer's address")
	}
}

// A farm is what "make farm" starts.
type farm struct {
	listen string
	temp   string
	forums []int  // process ids
	data   string // the database's folder
	cmd    *exec.Cmd
	log    *transcript
}

var forumProcess = regexp.MustCompile(`forum\d is process (\d+) `)

func startFarm(t *testing.T) *farm {
	t.Helper()
	needPrograms(t, "haproxy")
	f := &farm{listen: freeAddress(t), temp: publicDir(t), log: new(transcript)}
	f.cmd = exec.Command("../scripts/farm.sh")
	f.cmd.Env = append(os.Environ(), "FARM_LISTEN="+f.listen, "TMPDIR="+f.temp)
	f.cmd.Stderr = f.log
	stdout, err := f.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if f.cmd.ProcessState == nil {
			f.stop(t)
		}
	})
	limit := time.AfterFunc(2*time.Minute, func() { _ = f.cmd.Process.Signal(syscall.SIGTERM) })
	defer limit.Stop()
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if m := forumProcess.FindStringSubmatch(lines.Text()); m != nil {
			pid, _ := strconv.Atoi(m[1])
			f.forums = append(f.forums, pid)
		}
		if data, found := strings.CutPrefix(lines.Text(), "farm: the database's folder is "); found {
			f.data = data
		}
		if strings.HasPrefix(lines.Text(), "farm: http://"+f.listen+"/") {
			go func() {
				for lines.Scan() {
				}
			}()
			if len(f.forums) != farmServers {
				t.Fatalf("%d forums were started, want %d", len(f.forums), farmServers)
			}
			return f
		}
	}
	t.Fatalf("the farm does not start:\n%s", f.log)
	return nil
}

// visit makes a visit that has to be the given one, and returns which server answered.
func (f *farm) visit(t *testing.T, visitor *client, want int) (server string) {
	t.Helper()
	resp, err := visitor.http.Get(visitor.site + lobby)
	if err == nil {
		server = resp.Header.Get("X-Served-By")
	}
	got, err := whole(resp, err)
	if err != nil || got.status != http.StatusOK || visitsIn(got.body) != want ||
		!strings.Contains(got.body, "Served by <strong>"+server+"</strong>") {
		t.Fatalf("visit %d: got status %d and visit %d from server %q (%v)",
			want, got.status, visitsIn(got.body), server, err)
	}
	return server
}

// stop is Ctrl-C.
func (f *farm) stop(t *testing.T) {
	_ = f.cmd.Process.Signal(syscall.SIGINT)
	limit := time.AfterFunc(20*time.Second, func() { _ = f.cmd.Process.Kill() })
	defer limit.Stop()
	if err := f.cmd.Wait(); err != nil {
		t.Errorf("the farm ended with %v, want exit status 0:\n%s", err, f.log)
	}
}

// needPrograms skips the test where a program is missing, unless that is a mistake.
func needPrograms(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("no %s, and CI=true", name)
		}
		t.Skipf("no %s: install it to run this test (apt-get install %s)", name, name)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// publicDir is a folder that others may pass through: the database runs as another user where we are root. Its name is
// short, for there is a socket in it.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}
