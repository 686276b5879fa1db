package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// traffic is what visitors do while something happens to the servers or their database.
type traffic struct {
	t         *testing.T
	addresses []string
	http      *http.Client
	next      atomic.Int64 // operation, and server
	stopping  atomic.Bool
	running   sync.WaitGroup

	mu sync.Mutex
	// mu locks the remaining fields.
	visitors []*visitor
	events   []event
}

// An event is a request that ended.
type event struct {
	address    string
	began, end time.Time
	err        error
}

const (
	steadyVisitors = 6 // for the whole test; each third of them with several requests at once
	busyWorkers    = 3
	pace           = 4 * time.Millisecond // of one worker
)

// startTraffic begins with logins, and goes on until stop.
func startTraffic(t *testing.T, addresses ...string) *traffic {
	t.Helper()
	tr := &traffic{t: t, addresses: addresses, http: newHTTPClient(t)}
	for i := range steadyVisitors {
		v := tr.newVisitor()
		address := addresses[i%len(addresses)]
		err := errors.Join(
			v.do(address, tr.op()),
			v.logIn(address, fmt.Sprint("owner", i)),
			v.appendOne(address, tr.op()),
		)
		if err != nil {
			t.Fatal(err)
		}
		workers := 1
		if i%3 == 0 {
			workers = busyWorkers
		}
		for range workers {
			tr.running.Go(func() { tr.work(v) })
		}
	}
	tr.running.Go(tr.comeAndGo)
	return tr
}

func newHTTPClient(t *testing.T) *http.Client {
	transport := &http.Transport{
		MaxIdleConnsPerHost: 64,
		DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 15 * time.Second}
}

func (tr *traffic) newVisitor() *visitor {
	v := newVisitor(tr.http)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.visitors = append(tr.visitors, v)
	return v
}

// visitor returns one of the steady visitors.
func (tr *traffic) visitor(i int) *visitor {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.visitors[i]
}

func (tr *traffic) op() int { return int(tr.next.Add(1)) }

// server returns the servers in turn.
func (tr *traffic) server() string { return tr.addresses[tr.op()%len(tr.addresses)] }

// timed runs a request and keeps when it was.
func (tr *traffic) timed(address string, f func(address string) error) error {
	e := event{address: address, began: time.Now()}
	e.err = f(address)
	e.end = time.Now()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.events = append(tr.events, e)
	return e.err
}

func (tr *traffic) work(v *visitor) {
	for !tr.stopping.Load() {
		op := tr.op()
		f := func(address string) error { return v.do(address, op) }
		if rand.IntN(10) == 0 {
			f = func(address string) error { return v.appendOne(address, op) }
		}
		err := tr.timed(tr.server(), f)
		if status := new(httpError); errors.As(err, &status) && !temporary(status.status) {
			tr.t.Errorf("operation %d: %v, want none but 502 or 503", op, err)
			return
		}
		time.Sleep(pace)
	}
}

// temporary reports whether a status stands for a fault that passes: 503 from a server, or any of them from a balancer.
func temporary(status int) bool { return status == 502 || status == 503 || status == 504 }

// comeAndGo logs visitors in on one server and out on another. They must stay out.
func (tr *traffic) comeAndGo() {
	for !tr.stopping.Load() {
		v := tr.newVisitor()
		steps := []func(address string) error{
			func(address string) error { return v.do(address, tr.op()) },
			func(address string) error { return v.logIn(address, "guest") },
			v.logOut,
		}
		for _, step := range steps {
			if tr.timed(tr.server(), step) != nil {
				break
			}
		}
		v.mu.Lock()
		if v.ended == notTried { // an error came before, and may have left less than this visitor knows of
			v.ended = unknown
		}
		v.mu.Unlock()
		time.Sleep(10 * pace)
	}
}

// stop ends the traffic, and compares what was acknowledged with what is there.
func (tr *traffic) stop() verdict {
	tr.stopping.Store(true)
	tr.running.Wait()
	return audit(tr.http, tr.visitors, tr.addresses)
}

// gap returns how long after a moment every one of the servers had a success; more than any limit where one had none.
func (tr *traffic) gap(since time.Time, addresses ...string) time.Duration {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	var worst time.Duration
	for _, address := range addresses {
		best := time.Hour
		for _, e := range tr.events {
			if e.address == address && e.err == nil && !e.end.Before(since) {
				best = min(best, e.end.Sub(since))
			}
		}
		worst = max(worst, best)
	}
	return worst
}

// slowest returns the longest request that began in a span of time.
func (tr *traffic) slowest(from, to time.Time) (d time.Duration) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, e := range tr.events {
		if !e.began.Before(from) && e.began.Before(to) {
			d = max(d, e.end.Sub(e.began))
		}
	}
	return d
}

// successes returns how many requests that began in a span of time succeeded.
func (tr *traffic) successes(from, to time.Time) (n int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, e := range tr.events {
		if e.err == nil && !e.began.Before(from) && e.end.Before(to) {
			n++
		}
	}
	return n
}

// waitBack waits until every server has had a success after a moment.
func (tr *traffic) waitBack(since time.Time, addresses ...string) {
	for deadline := time.Now().Add(25 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if tr.gap(since, addresses...) < time.Hour {
			return
		}
	}
	tr.t.Fatalf("not every server is back 25 s after the fault")
}
