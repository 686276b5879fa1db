package e2e

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lazysession/session/internal/pgtest"
)

// A fault is something that happens to a farm, and what the farm promises.
type fault struct {
	name    string
	promise string
	within  time.Duration // the longest gap; 0: none is measured
	run     func(t *testing.T) result
}

// A result is what one run of a fault measured.
type result struct {
	gap time.Duration // until every server had its first success
	verdict
}

// faults are the rows of the report, in its order. Backs is the time that the farm has from the store's return.
var faults = []fault{
	{"node killed under load, one each second",
		"acknowledged writes survive, no half-written session, the other nodes go on", backs, nodeKilled},
	{"store restarted", "errors in bounded time, back within 2 s of the store, no node restarted", backs, storeRestarted},
	{"store crashed", "errors in bounded time, back within 2 s of the store, no node restarted", backs, storeCrashed},
	{"connections to the store cut, again and again",
		"a commit of unknown outcome is an error, and never sent twice", backs, connectionsCut},
	{"store hangs: its processes are stopped", hangPromise, backs, storeStandsStill},
	{"store hangs: the network drops everything", hangPromise, backs, networkSwallows},
	{"store read-only", "writes fail before a response says otherwise, reads go on", backs, storeReadOnly},
	{"store full", "writes fail before a response says otherwise, reads and logout go on", backs, storeFull},
	{"failover: the primary is killed", failoverPromise, backs, primaryKilled},
	{"failover: the primary hangs", failoverPromise, backs, primaryHangs},
	{"failover: the primary lives on, read-only", failoverPromise, backs, primaryReadOnly},
	{"clocks of nodes differ by minutes", "nothing changes", 0, clocksDiffer},
	{"client gone, handler panics",
		"a request whose client is gone is committed, a request that panics is not", 0, clientsAndPanics},
	{"parallel requests on many nodes",
		"changes of different names are all kept, counters add up, `Update` never loses one", 0, parallelRequests},
	{"rolling restart with key rotation", "no session ends, no request is lost", 0, rollingRestart},
}

const (
	backs           = 2 * time.Second
	hangPromise     = "503 by its own timeout; pages without a session as fast as ever; goroutines and connections return"
	failoverPromise = "back within 2 s of promotion; nothing acknowledged is lost, ended sessions stay ended"
)

// TestFaults runs each fault once, or FAULTS_RUNS times, and writes what it measured to FAULTS_REPORT, if that is set.
func TestFaults(t *testing.T) {
	runs := 1
	if text := os.Getenv("FAULTS_RUNS"); text != "" {
		var err error
		if runs, err = strconv.Atoi(text); err != nil || runs < 1 {
			t.Fatalf("FAULTS_RUNS is %q, want a number of runs", text)
		}
	}
	results := make([][]result, len(faults))
	for i, f := range faults {
		for run := range runs {
			t.Run(f.name, func(t *testing.T) {
				got := f.run(t)
				f.judge(t, got)
				t.Logf("run %d: gap %v, %d acknowledged, %d failed, %d lost",
					run+1, got.gap.Round(time.Millisecond), got.acknowledged, got.failed, got.lost)
				results[i] = append(results[i], got)
			})
		}
	}
	if file := os.Getenv("FAULTS_REPORT"); file != "" && !t.Failed() {
		if err := os.WriteFile(file, []byte(report(faults, results)), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// judge fails the test where a promise was broken.
func (f fault) judge(t *testing.T, got result) {
	t.Helper()
	for i, wrong := range got.wrong {
		if i == 10 {
			t.Errorf("and %d more", len(got.wrong)-i)
			break
		}
		t.Error(wrong)
	}
	if got.acknowledged == 0 {
		t.Error("nothing was acknowledged, so nothing was tested")
	}
	if f.within > 0 && got.gap > f.within {
		t.Errorf("not every server was back within %v: it took %v", f.within, got.gap)
	}
}

// sql runs statements on a connection of its own, outside any transaction.
func sql(t *testing.T, url string, statements ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// ask returns the one value of a query.
func ask(t *testing.T, url, query string) (value string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, query).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// A site is three servers on a cluster of its own, and traffic on them.
type site struct {
	cluster *pgtest.Cluster
	url     string // of the database, at the server itself
	nodes   []*node
	*traffic
}

// startSite starts all of it. Through, if it isn't nil, changes the way from the nodes to the database.
func startSite(t *testing.T, through func(url string) string, settings ...string) *site {
	t.Helper()
	s := &site{cluster: pgtest.New(t, settings...)}
	s.url = s.cluster.Database(t)
	s.serve(t, through)
	return s
}

func (s *site) serve(t *testing.T, through func(url string) string) {
	t.Helper()
	url := s.url
	if through != nil {
		url = through(url)
	}
	// As many connections as pgx takes on a small machine, so that the figures don't hang on the size of this one.
	s.nodes = startNodes(t, 3, withSettings(url, "pool_max_conns=4"))
	s.traffic = startTraffic(t, addresses(s.nodes)...)
	s.warmUp()
}

// warmUp lets the traffic reach its speed.
func (s *site) warmUp() { time.Sleep(500 * time.Millisecond) }

func addresses(nodes []*node) (list []string) {
	for _, n := range nodes {
		list = append(list, n.address)
	}
	return list
}

// answers returns when the store answers a new connection again. Before, it starts a process for each connection that
// the servers have tried to open, which takes seconds on a slow machine.
func (s *site) answers(t *testing.T) time.Time {
	t.Helper()
	ask(t, s.url, "SELECT current_database()")
	return time.Now()
}

// finish ends a fault that was over at a moment: it waits until every server is back, goes on for a little, and counts.
func (s *site) finish(over time.Time) result {
	s.waitBack(over, s.addresses...)
	time.Sleep(200 * time.Millisecond)
	v := s.stop()
	return result{s.gap(over, s.addresses...), v}
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
