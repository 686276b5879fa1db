package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lazysession/session/internal/pgtest"
)

func storeRestarted(t *testing.T) result {
	s := startSite(t, nil)
	must(t, "restarting the store", s.cluster.Restart())
	return s.finish(time.Now())
}

func storeCrashed(t *testing.T) result {
	s := startSite(t, nil)
	must(t, "killing the store", s.cluster.Kill())
	time.Sleep(300 * time.Millisecond)
	must(t, "starting the store", s.cluster.Start())
	return s.finish(time.Now())
}

func connectionsCut(t *testing.T) result {
	var proxy *tcpProxy
	s := startSite(t, func(url string) string {
		proxy = startProxy(t, hostOf(t, url))
		return withHosts(t, url, proxy.address())
	})
	for range 20 {
		proxy.cut()
		time.Sleep(50 * time.Millisecond)
	}
	return s.finish(s.answers(t))
}

// hang is how long the store hangs: longer than the servers' own timeout.
const hang = 3 * time.Second

func storeStandsStill(t *testing.T) result {
	s := startSite(t, nil)
	return s.hangs(t, func() { signalAll(t, s.url, syscall.SIGSTOP) }, resumeStopped)
}

func networkSwallows(t *testing.T) result {
	var proxy *tcpProxy
	s := startSite(t, func(url string) string {
		proxy = startProxy(t, hostOf(t, url))
		return withHosts(t, url, proxy.address())
	})
	return s.hangs(t, proxy.stall, proxy.resume)
}

// hangs lets the store hang for a while, and checks what the servers promise for that time.
func (s *site) hangs(t *testing.T, stop, resume func()) result {
	before := s.resources(t)
	plainBefore := s.plainPages(t, 300*time.Millisecond)
	stop()
	began := time.Now()
	plain := s.plainPages(t, hang)
	resume()
	over := time.Now()
	back := s.answers(t)

	if n := s.successes(began.Add(100*time.Millisecond), over); n > 0 {
		t.Errorf("%d requests that use sessions succeeded while the store hung: it did not", n)
	}
	// One timeout for the session, not one for each value; the rest is for a machine that is busy.
	if took, most := s.slowest(began, over), time.Second+700*time.Millisecond; took > most {
		t.Errorf("a request took %v while the store hung, want at most %v", took, most)
	}
	if most := max(2*plainBefore, 50*time.Millisecond); plain > most {
		t.Errorf("pages without a session took %v (99th percentile) while the store hung, %v before", plain, plainBefore)
	}
	s.waitBack(back, s.addresses...)
	time.Sleep(500 * time.Millisecond)
	v := s.stop()
	s.wantResources(t, before)
	return result{s.gap(back, s.addresses...), v}
}

// plainPages asks for pages that use no session for a while, with the cookie of a session, and returns the 99th
// percentile of how long they take.
func (s *site) plainPages(t *testing.T, d time.Duration) time.Duration {
	cookie := s.visitor(0).token()
	var took []time.Duration
	for until := time.Now().Add(d); time.Now().Before(until); time.Sleep(2 * time.Millisecond) {
		began := time.Now()
		if _, _, err := request(s.http, "GET", s.server(), "/plain", nil, cookie); err != nil {
			t.Errorf("a page that uses no session: %v", err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

func (s *site) resources(t *testing.T) (all []stats) {
	for _, n := range s.nodes {
		all = append(all, n.stats(t))
	}
	return all
}

// wantResources waits until every server has no more goroutines and open files than before, under the same traffic.
func (s *site) wantResources(t *testing.T, before []stats) {
	t.Helper()
	const slack = 10 // idle connections of clients come and go
	for i, n := range s.nodes {
		var now stats
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			now = n.stats(t)
			if now.Goroutines <= before[i].Goroutines+slack && now.Files <= before[i].Files+slack && now.Acquired == 0 {
				break
			}
		}
		if now.Goroutines > before[i].Goroutines+slack || now.Files > before[i].Files+slack || now.Acquired > 0 {
			t.Errorf("node %d after the fault: %+v, before: %+v", i, now, before[i])
		}
	}
}

func storeReadOnly(t *testing.T) result {
	s := startSite(t, nil)
	sql(t, s.url, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
	time.Sleep(300 * time.Millisecond)
	s.wantReadsOnly(t)
	sql(t, s.url, "SET default_transaction_read_only = off",
		"ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
	return s.finish(time.Now())
}

// wantReadsOnly checks that sessions can be read, and that a write is refused and says so.
func (s *site) wantReadsOnly(t *testing.T) {
	t.Helper()
	v := s.visitor(1)
	for _, address := range s.addresses {
		if err := s.readSoon(address, v.token()); err != nil {
			t.Error(err)
		}
		if err := v.do(address, s.op()); err == nil {
			t.Error("a write was acknowledged that could not be made")
		}
	}
}

// readSoon reads a session. Each write that is refused makes a server connect anew, which takes a busy machine longer
// than the servers' one second for a read, so a read that came too late is tried again.
func (s *site) readSoon(address, token string) (err error) {
	for began := time.Now(); time.Since(began) < 10*time.Second; {
		var body string
		body, _, err = request(s.http, "GET", address, "/session", nil, token)
		if err == nil && strings.Contains(body, `"Exists":true`) {
			return nil
		}
		err = fmt.Errorf("reading a session: got %q (%v), want the session", body, err)
	}
	return err
}

// storeFull gives the database a file system of its own that is filled, which only root can.
func storeFull(t *testing.T) result {
	cluster := pgtest.New(t)
	admin := cluster.URL("postgres")
	dir := mountSmall(t, ask(t, admin, "SHOW data_directory"))
	t.Cleanup(func() { must(t, "killing the store", cluster.Kill()) }) // before its disk goes
	s := &site{cluster: cluster}
	sql(t, admin, "CREATE TABLESPACE small LOCATION '"+dir+"'")
	s.url = s.cluster.Database(t, "TABLESPACE small")
	s.serve(t, nil)
	leaver := s.newVisitor()
	must(t, "a visit", leaver.do(s.addresses[0], s.op()))

	// A row for each page, so that no page has room.
	sql(t, s.url, "CREATE TABLE filler (junk text)", "ALTER TABLE filler ALTER junk SET STORAGE PLAIN", `DO $$ BEGIN
	LOOP INSERT INTO filler SELECT repeat('x', 7000) FROM generate_series(1, 10); END LOOP;
EXCEPTION WHEN disk_full THEN NULL; END $$`)
	fill(t, filepath.Join(dir, "rest"))
	s.waitForFailures(t)
	body, _, err := request(s.http, "GET", s.addresses[1], "/session", nil, leaver.token())
	if err != nil || !strings.Contains(body, `"Exists":true`) {
		t.Errorf("reading a session: got %q (%v), want the session", body, err)
	}
	if err := leaver.logOut(s.addresses[2]); err != nil {
		t.Errorf("logging out while the disk is full: %v", err)
	}
	must(t, "removing the filler", os.Remove(filepath.Join(dir, "rest")))
	sql(t, s.url, "DROP TABLE filler")
	return s.finish(time.Now())
}

// waitForFailures waits until operations fail.
func (s *site) waitForFailures(t *testing.T) {
	t.Helper()
	from := time.Now()
	for ; time.Since(from) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		failed := slices.ContainsFunc(s.events, func(e event) bool { return e.err != nil && e.began.After(from) })
		s.mu.Unlock()
		if failed {
			return
		}
	}
	t.Error("no operation failed")
}

// fill takes what room there is.
func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	must(t, "filling the disk", err)
	defer f.Close()
	for {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return
		}
	}
}

// stopped are processes that a test has stopped.
var stopped []int

// postmaster returns the first process of a database server.
func postmaster(t *testing.T, url string) (pid int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(ask(t, url, "SHOW data_directory"), "postmaster.pid"))
	must(t, "postmaster.pid", err)
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err = strconv.Atoi(line)
	must(t, "postmaster.pid", err)
	return pid
}

// childNamed returns the process that another has started and that calls itself by a name.
func childNamed(t *testing.T, parent int, name string) (pid int) {
	t.Helper()
	for _, pid := range childrenOf(t, parent) {
		title, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && strings.Contains(string(title), name) {
			return pid
		}
	}
	t.Fatalf("no process %q", name)
	return 0
}

// signalAll signals the first process of a database server, and then those that it has started.
func signalAll(t *testing.T, url string, s syscall.Signal) {
	t.Helper()
	first := postmaster(t, url)
	must(t, "stopping the store", syscall.Kill(first, s))
	stopped = append([]int{first}, childrenOf(t, first)...)
	for _, pid := range stopped[1:] {
		_ = syscall.Kill(pid, s) // it may have ended
	}
	t.Cleanup(resumeStopped)
}

func resumeStopped() {
	for _, pid := range stopped {
		_ = syscall.Kill(pid, syscall.SIGCONT) // it may have ended
	}
	stopped = nil
}

func childrenOf(t *testing.T, parent int) (pids []int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	must(t, "processes", err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state parent …, where the name may have anything in it: proc(5)
		_, rest, _ := strings.Cut(string(text)[strings.LastIndex(string(text), ")"):], " ")
		fields := strings.Fields(rest)
		if len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, pid)
		}
	}
	return pids
}

func hostOf(t *testing.T, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	must(t, "the database's URL", err)
	return u.Host
}

// withSettings adds settings to a connection string.
func withSettings(database string, settings ...string) string {
	separator := "?"
	if strings.Contains(database, "?") {
		separator = "&"
	}
	return database + separator + strings.Join(settings, "&")
}

// withHosts puts other hosts into a connection string.
func withHosts(t *testing.T, database, hosts string) string {
	t.Helper()
	u, err := url.Parse(database)
	must(t, "the database's URL", err)
	u.Host = "" // url.URL knows no lists of hosts
	plain := u.String()
	user := fmt.Sprintf("%s@", u.User)
	return strings.Replace(plain, user, user+hosts, 1)
}
