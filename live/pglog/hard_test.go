package pglog_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/pglog"
	"github.com/lazysession/session/live/stream"
)

// A server stands still, its clients go on elsewhere, and it wakes up: it is fenced, and everything is there once.
func TestServersThatStandStill(t *testing.T) {
	f := startFarm(t, nodePlan{}, nodePlan{}, nodePlan{})
	f.run(6, 40, func() {
		for i := range 2 {
			time.Sleep(500 * time.Millisecond)
			f.nodes[i].signal(t, syscall.SIGSTOP)
			f.avoid(f.nodes[i].address) // as a balancer does whose checks are not answered
			time.Sleep(time.Second)
			f.nodes[i].signal(t, syscall.SIGCONT)
			f.avoid("")
		}
	})
}

// Connections break again and again, also while clients are coming back.
func TestConnectionsThatBreakAgain(t *testing.T) {
	f := startFarm(t, nodePlan{}, nodePlan{})
	f.run(6, 40, func() {
		for range 15 {
			time.Sleep(150 * time.Millisecond)
			f.cut(func(string) bool { return true })
		}
	})
}

// Of sockets on three servers that want one seat at the same time one gets it, in each of a thousand rounds.
func TestSeatRaceOnThreeServers(t *testing.T) {
	const rounds = 1000
	pool := pgtest.Pool(t)
	logs := make([]*pglog.Log, 3)
	sockets := make([]*stream.Socket, len(logs))
	for i := range logs {
		logs[i] = open(t, pool, nil)
		sockets[i] = take(t, logs[i], fmt.Sprint("node ", i))
	}
	for round := range rounds {
		var won atomic.Int32
		var all sync.WaitGroup
		name := fmt.Sprint("room ", round)
		for i := range logs {
			all.Go(func() {
				_, err := logs[i].Commit(t.Context(), &stream.Batch{Lease: sockets[i].Lease(), Ops: []stream.Op{
					{Kind: stream.Join, Channel: name, Seat: "left"},
				}})
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, stream.ErrTaken):
					t.Error(err)
				}
			})
		}
		all.Wait()
		c, err := logs[0].Channel(t.Context(), name)
		if err != nil || won.Load() != 1 || c == nil || len(c.Members) != 1 {
			t.Fatalf("round %d: %d won, and the channel is %+v (%v)", round, won.Load(), c, err)
		}
	}
}

// tables are those that a backup has.
var tables = []string{"live_sockets", "live_channels", "live_messages0", "live_messages1", "live_messages2"}

// The database goes back to an older backup: no client gets a message under a number that it has seen with another one.
func TestOlderBackup(t *testing.T) {
	f := startFarm(t, nodePlan{})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	p, err := openPage(ctx, f.balancer, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.conn.Close()
	exec := func(format string, args ...any) {
		t.Helper()
		if _, err := f.pool.Exec(ctx, fmt.Sprintf(format, args...)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(p.post(ctx, 3), p.receive(ctx, 3)); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		exec("CREATE TABLE backup_%s AS SELECT * FROM %[1]s", table)
	}
	if err := p.conn.Send(ctx, []byte(`{"Client":0,"Number":4}`)); err != nil {
		t.Fatal(err)
	}
	if err := p.receive(ctx, 4); err != nil {
		t.Fatal(err)
	}
	f.nodes[0].kill()
	for _, table := range tables {
		exec("DELETE FROM %s", table)
		exec("INSERT INTO %s SELECT * FROM backup_%[1]s", table)
	}
	f.replace(0)
	for {
		m, err := p.conn.Receive(ctx)
		gap, isGap := errors.AsType[*live.GapError](err)
		switch {
		case isGap && gap.Why == stream.Reset && gap.Stream == "room":
			return
		case isGap: // of the socket's own stream
		case err != nil:
			t.Fatal(err)
		case m.Number <= p.last:
			t.Fatalf("number %d comes a second time, and no gap was told", m.Number)
		}
	}
}
