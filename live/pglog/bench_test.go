package pglog_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/live/pglog"
	"github.com/lazysession/session/live/stream"
)

// durable is a server that waits for the disk, as one in use does; that of the tests does not.
func durable(b *testing.B) *pgxpool.Pool {
	b.Helper()
	c := pgtest.New(b, "fsync = on", "synchronous_commit = on", "full_page_writes = on", "shared_buffers = 1GB",
		"max_wal_size = 4GB")
	return pgtest.Connect(b, c.Database(b)+"?pool_max_conns=20")
}

// sender returns a socket.
func sender(b *testing.B, l *pglog.Log) *stream.Socket {
	b.Helper()
	s, err := l.Take(b.Context(), &stream.Claim{ID: stream.NewID(), New: true, Node: "a"})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkSend compares a durable send with an INSERT of one row, in turns.
func BenchmarkSend(b *testing.B) {
	pool, logs := openDurable(b, 1)
	l := logs[0]
	const table = "CREATE TABLE bare (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, data bytea)"
	if _, err := pool.Exec(b.Context(), table); err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 100)
	insert := func() error {
		_, err := pool.Exec(b.Context(), "INSERT INTO bare (data) VALUES ($1)", data)
		return err
	}
	for _, senders := range []int{1, 16, 64, 256} {
		var sockets []*stream.Socket
		for range senders {
			sockets = append(sockets, sender(b, l))
		}
		send := func(i int) error {
			s := sockets[i]
			s.In++
			_, err := l.Commit(b.Context(), &stream.Batch{Lease: s.Lease(), In: s.In, Ops: []stream.Op{
				{Kind: stream.Send, Stream: stream.Own(s.ID), Data: data},
			}})
			return err
		}
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			var bare, ours []time.Duration
			var bareTime, ourTime time.Duration
			for b.Loop() {
				took, all := timed(b, senders, func(int) error { return insert() })
				bare, bareTime = append(bare, all...), bareTime+took
				took, all = timed(b, senders, send)
				ours, ourTime = append(ours, all...), ourTime+took
			}
			b.ReportMetric(float64(len(bare))/bareTime.Seconds(), "inserts/s")
			b.ReportMetric(float64(len(ours))/ourTime.Seconds(), "sends/s")
			b.ReportMetric(float64(median(bare).Microseconds()), "insert-p50-µs")
			b.ReportMetric(float64(median(ours).Microseconds()), "send-p50-µs")
			b.ReportMetric(float64(median(ours))/float64(median(bare)), "p50-ratio")
			b.ReportMetric(float64(bareTime)/float64(ourTime), "throughput-ratio")
		})
	}
}

// timed has workers do something some times, and returns how long that took, and each of them.
func timed(b *testing.B, workers int, do func(i int) error) (time.Duration, []time.Duration) {
	const each = 50
	all := make([]time.Duration, workers*each)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range workers {
		wg.Go(func() {
			for k := range each {
				began := time.Now()
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
				all[i*each+k] = time.Since(began)
			}
		})
	}
	wg.Wait()
	return time.Since(start), all
}

func median(all []time.Duration) time.Duration {
	all = slices.Clone(all)
	slices.Sort(all)
	return all[len(all)/2]
}

// openDurable returns logs of several servers on one database that waits for the disk.
func openDurable(b *testing.B, servers int) (*pgxpool.Pool, []*pglog.Log) {
	b.Helper()
	pool := durable(b)
	if err := pglog.Migrate(b.Context(), pool, nil); err != nil {
		b.Fatal(err)
	}
	var logs []*pglog.Log
	for range servers {
		l, err := pglog.Open(b.Context(), pool, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { l.Close(context.Background(), false) })
		logs = append(logs, l)
	}
	return pool, logs
}

// BenchmarkHotChannel is many senders to one channel.
func BenchmarkHotChannel(b *testing.B) {
	_, logs := openDurable(b, 1)
	l := logs[0]
	s := sender(b, l)
	_, err := l.Commit(b.Context(), &stream.Batch{Lease: s.Lease(), Ops: []stream.Op{{Kind: stream.Join, Channel: "hot"}}})
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 100)
	const senders = 256
	sent, elapsed := 0, time.Duration(0)
	for b.Loop() {
		took, all := timed(b, senders, func(int) error {
			_, err := l.Commit(b.Context(), &stream.Batch{Ops: []stream.Op{
				{Kind: stream.Send, Stream: stream.Of("hot"), Data: data},
			}})
			return err
		})
		sent, elapsed = sent+len(all), elapsed+took
	}
	b.ReportMetric(float64(sent)/elapsed.Seconds(), "messages/s")
}

// BenchmarkAcrossServers sends on one server, and waits until another one has read it.
func BenchmarkAcrossServers(b *testing.B) {
	_, logs := openDurable(b, 2)
	here, there := logs[0], logs[1]
	s := sender(b, there)
	arrived := make(chan uint64, 100_000)
	defer there.Watch(func(name stream.Name, top stream.Position) {
		if name == stream.Own(s.ID) {
			arrived <- top.Number
		}
	})()
	const rate = 1000 // a second
	times := make([]time.Time, 3*rate+1)
	var waits []time.Duration
	for b.Loop() {
		var reading sync.WaitGroup
		first := s.Out
		reading.Go(func() {
			at := first
			for int(at.Number-first.Number) < len(times)-1 {
				<-arrived
				ms, err := there.Read(b.Context(), stream.Own(s.ID), at, 1000)
				if err != nil {
					b.Error(err)
					return
				}
				for _, m := range ms {
					at.Number = m.Number
					waits = append(waits, time.Since(times[m.Number-first.Number]))
				}
			}
		})
		var sending sync.WaitGroup
		start := time.Now()
		for n := 1; n < len(times); n++ {
			time.Sleep(time.Until(start.Add(time.Duration(n) * time.Second / rate)))
			sending.Go(func() {
				// The number that it gets is not known before, so each message has the time of its place in the row.
				_, err := here.Commit(b.Context(), &stream.Batch{Ops: []stream.Op{
					{Kind: stream.Send, Stream: stream.Own(s.ID), Data: []byte("1")},
				}})
				if err != nil {
					b.Error(err)
				}
			})
			times[n] = time.Now()
		}
		sending.Wait()
		reading.Wait()
		s.Out.Number += uint64(len(times) - 1)
	}
	slices.Sort(waits)
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkResume is the sockets of a dead server that come back to another one.
func BenchmarkResume(b *testing.B) {
	_, logs := openDurable(b, 2)
	dead, alive := logs[0], logs[1]
	const sockets, workers = 3200, 64
	all := make([]*stream.Socket, sockets)
	for i := range all {
		all[i] = sender(b, dead)
		_, err := dead.Commit(b.Context(), &stream.Batch{Lease: all[i].Lease(), Ops: []stream.Op{
			{Kind: stream.Join, Channel: fmt.Sprint("room ", i/2)},
		}})
		if err != nil {
			b.Fatal(err)
		}
	}
	taken, elapsed := 0, time.Duration(0)
	for b.Loop() {
		var next atomic.Int64
		took, done := timed(b, workers, func(int) error {
			s := all[next.Add(1)-1]
			_, err := alive.Take(b.Context(), &stream.Claim{ID: s.ID, Session: s.Session, Node: "b"})
			return err
		})
		taken, elapsed = taken+len(done), elapsed+took
	}
	b.ReportMetric(float64(taken)/elapsed.Seconds(), "sockets/s")
}
