package pglog_test

import (
	"fmt"
	"slices"
	"sync"
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
	pool := durable(b)
	const table = "CREATE TABLE bare (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, data bytea)"
	if _, err := pool.Exec(b.Context(), table); err != nil {
		b.Fatal(err)
	}
	if err := pglog.Migrate(b.Context(), pool, nil); err != nil {
		b.Fatal(err)
	}
	l, err := pglog.Open(b.Context(), pool, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close(b.Context(), false)
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
