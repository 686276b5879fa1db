package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lazysession/session/internal/pgtest"
)

// nodeKilled kills each server once, a second apart. The gap is the longest of those that went on.
func nodeKilled(t *testing.T) result {
	s := startSite(t, nil)
	var worst time.Duration
	for _, n := range s.nodes {
		n.kill()
		killed := time.Now()
		time.Sleep(500 * time.Millisecond)
		others := slices.DeleteFunc(addresses(s.nodes), func(a string) bool { return a == n.address })
		worst = max(worst, s.gap(killed, others...))
		must(t, "starting a node again", n.start())
		time.Sleep(500 * time.Millisecond)
	}
	r := s.finish(time.Now())
	r.gap = worst
	return r
}

// clocksDiffer runs servers whose clocks are minutes apart, on sessions that idle out sooner than that.
// timeoutFlag is the flag of servers in whose tests nothing is to fail: a busy machine is no fault.
const timeoutFlag = "-store-timeout"

func clocksDiffer(t *testing.T) result {
	binary := buildSkewed(t)
	s := &site{cluster: pgtest.Shared(t)}
	s.url = s.cluster.Database(t)
	for _, ahead := range []string{"-7m", "0s", "7m"} {
		t.Setenv("NODE_CLOCK_AHEAD", ahead)
		n := newNode(t, binary, "-store", withSettings(s.url, "pool_max_conns=4"),
			"-keys", testKey('a'), "-idle", "1m", timeoutFlag, "10s")
		s.nodes = append(s.nodes, n)
	}
	s.traffic = startTraffic(t, addresses(s.nodes)...)
	shortlived := newVisitor(s.http)
	must(t, "a visit", shortlived.do(s.addresses[0], s.op()))
	_, err := shortlived.send("POST", s.addresses[2], "/idle", url.Values{"d": {"1s"}})
	must(t, "setting the idle timeout", err)
	time.Sleep(2500 * time.Millisecond)
	for _, address := range s.addresses {
		if got, err := look(s.http, address, shortlived.token()); err != nil || got.Exists {
			t.Errorf("a session that was idle for longer than it may: got it (%v) on %s", err, address)
		}
	}
	v := s.stop()
	wantNoFailures(t, v)
	return result{verdict: v}
}

// buildSkewed builds the server, with its libraries, so that its clock is ahead by NODE_CLOCK_AHEAD. The libraries read
// the clock themselves, so a test can't replace it in another way.
func buildSkewed(t *testing.T) (binary string) {
	t.Helper()
	dir := filepath.Dir(nodeBinary)
	binary = filepath.Join(dir, "skewed")
	if _, err := os.Stat(binary); err == nil {
		return binary // from a run before
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	must(t, "go env", err)
	source := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	text, err := os.ReadFile(filepath.Join(source, "time.go"))
	must(t, "reading package time", err)
	const now = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if !strings.Contains(string(text), now) {
		t.Skip("this Go version's time.Now is not known here")
	}
	files := map[string]string{
		"time.go": strings.Replace(string(text), now, now+"\tsec += clockAhead\n", 1),
		"ahead.go": `package time

import "syscall"

var clockAhead = func() int64 {
	text, _ := syscall.Getenv("NODE_CLOCK_AHEAD")
	d, _ := ParseDuration(text)
	return int64(d / Second)
}()
`,
	}
	var replacements []string
	for name, content := range files {
		file := filepath.Join(dir, name)
		must(t, "writing package time", os.WriteFile(file, []byte(content), 0o600))
		replacements = append(replacements, fmt.Sprintf("%q: %q", filepath.Join(source, name), file))
	}
	overlay := filepath.Join(dir, "overlay.json")
	replace := `{"Replace": {` + strings.Join(replacements, ", ") + "}}"
	must(t, "writing the overlay", os.WriteFile(overlay, []byte(replace), 0o600))
	must(t, "building with another clock", build(".", binary, "./internal/node", "-race=false", "-overlay", overlay))
	return binary
}

func wantNoFailures(t *testing.T, v verdict) {
	t.Helper()
	if v.failed > 0 {
		t.Errorf("%d operations failed, want none", v.failed)
	}
}

// startShared starts servers on the cluster that tests share, for faults that leave it alone.
func startShared(t *testing.T) *site {
	t.Helper()
	s := &site{cluster: pgtest.Shared(t)}
	s.url = s.cluster.Database(t)
	s.serve(t, nil)
	return s
}

func clientsAndPanics(t *testing.T) result {
	s := startShared(t)
	v := s.visitor(1)
	var gone []int
	for range 20 {
		panics, waits := s.op(), s.op()
		if err := v.operate(s.server(), "/panic", panics, ops{}); err == nil {
			t.Error("a handler that panics got an answer through")
		}
		must(t, "leaving", v.leave(s.server(), waits))
		v.mu.Lock()
		v.never = append(v.never, panics)
		v.mu.Unlock()
		gone = append(gone, waits)
	}
	time.Sleep(500 * time.Millisecond) // such a commit is not reported
	v.mu.Lock()
	for _, op := range gone {
		v.added[op] = acknowledged // is promised all the same
	}
	v.mu.Unlock()
	found := s.stop()
	wantNoFailures(t, found)
	return result{verdict: found}
}

// leave sends an operation that waits, and goes away when its handler has done it.
func (v *visitor) leave(address string, op int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var done atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(int, textproto.MIMEHeader) error {
			done.Store(true)
			cancel()
			return nil
		},
	})
	form := url.Values{"op": {strconv.Itoa(op)}}
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+address+"/wait", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.AddCookie(&http.Cookie{Name: "session", Value: v.token()})
	resp, err := v.http.Do(req)
	if err == nil {
		resp.Body.Close()
		return fmt.Errorf("got status %d, want no answer", resp.StatusCode)
	}
	if !done.Load() {
		return fmt.Errorf("no word from the handler: %w", err)
	}
	return nil
}

// parallelRequests sends as many requests of one session as it can.
func parallelRequests(t *testing.T) result {
	s := startShared(t)
	hot := s.visitor(2)
	var busy sync.WaitGroup
	for worker := range 12 {
		busy.Go(func() {
			for range 40 {
				f := hot.do
				if worker%4 == 0 {
					f = hot.appendOne
				}
				if err := s.timed(s.server(), func(a string) error { return f(a, s.op()) }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	busy.Wait()
	v := s.stop()
	wantNoFailures(t, v)
	return result{verdict: v}
}

// rollingRestart restarts servers one after the other behind a balancer, twice: first all learn the new key, and then
// they begin to sign with it.
func rollingRestart(t *testing.T) result {
	needPrograms(t, "haproxy")
	s := &site{cluster: pgtest.Shared(t)}
	s.url = s.cluster.Database(t)
	s.nodes = startNodes(t, 3, withSettings(s.url, "pool_max_conns=4"), "-drain", "400ms", timeoutFlag, "10s")
	balancer := startBalancer(t, addresses(s.nodes))
	s.traffic = startTraffic(t, balancer)
	s.warmUp()
	older, newer := testKey('a'), testKey('b')
	for _, keys := range []string{older + "," + newer, newer + "," + older} {
		for _, n := range s.nodes {
			must(t, "stopping a node", n.stop())
			n.args[slices.Index(n.args, "-keys")+1] = keys
			must(t, "starting a node", n.start())
			waitHealthy(t, n.address)
			time.Sleep(250 * time.Millisecond) // the balancer notices within 100 ms
		}
	}
	v := s.stop()
	wantNoFailures(t, v)
	return result{verdict: v}
}

func waitHealthy(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if got, err := newClient(t, "http://"+address).get("/healthz"); err == nil && got.status == http.StatusOK {
			return
		}
	}
	t.Error("a node is not healthy 10 s after its start")
}

// startBalancer starts a balancer as the farm's.
func startBalancer(t *testing.T, servers []string) (address string) {
	t.Helper()
	address = freeAddress(t)
	config := `defaults
	mode http
	timeout connect 1s
	timeout client 60s
	timeout server 60s
	option http-server-close
	option redispatch 1
	retries 3
	retry-on conn-failure
frontend site
	bind ` + address + `
	default_backend nodes
backend nodes
	balance roundrobin
	option httpchk GET /healthz
	default-server inter 100ms fall 1 rise 1
`
	for i, server := range servers {
		config += fmt.Sprintf("\tserver node%d %s check\n", i, server)
	}
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	must(t, "configuring haproxy", os.WriteFile(file, []byte(config), 0o600))
	cmd := exec.Command("haproxy", "-db", "-f", file)
	must(t, "starting haproxy", cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	waitHealthy(t, address)
	return address
}
