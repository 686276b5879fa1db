package mem_test

import (
	"math"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

const million = 1_000_000

// visitor is a Change that makes the n-th session with the values of a small shop.
func visitor(n int) *store.Change {
	c := creation(n)
	c.Edits = []store.Edit{
		{Name: "hits", JSON: "42"},
		{Name: "theme", JSON: `"dark"`},
		{Name: "user", JSON: strconv.Itoa(n%90_000 + 10_000)},
	}
	return c
}

func populate(tb testing.TB, s *mem.Store, sessions int) []store.Token {
	tb.Helper()
	tokens := make([]store.Token, sessions)
	for n := range tokens {
		tokens[n] = token(n)
		commit(tb, s, tokens[n], visitor(n))
	}
	return tokens
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkMillion reports the bytes of heap for each of a million sessions with three small values.
func BenchmarkMillion(b *testing.B) {
	for b.Loop() {
		before := heap()
		s := mem.New(&mem.Options{MaxSessions: math.MaxInt})
		for n := range million {
			commit(b, s, token(n), visitor(n))
		}
		b.ReportMetric(float64(heap()-before)/million, "bytes/session")
		runtime.KeepAlive(s)
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, sessions := range []int{1000, million} {
		b.Run(strconv.Itoa(sessions), func(b *testing.B) {
			s := mem.New(nil)
			tokens := populate(b, s, sessions)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				mustLoad(b, s, tokens[i*7919%sessions])
			}
		})
	}
}

func BenchmarkLoadParallel(b *testing.B) {
	s := mem.New(nil)
	tokens := populate(b, s, 100_000)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			mustLoad(b, s, tokens[i*7919%len(tokens)])
		}
	})
}

func BenchmarkLoadUnknown(b *testing.B) {
	s := mem.New(nil)
	populate(b, s, 100_000)
	unknown := token(-1)
	for b.Loop() {
		if _, err := s.Load(b.Context(), unknown); err != store.ErrNotFound {
			b.Fatal(err)
		}
	}
}

func mustLoad(b *testing.B, s *mem.Store, t store.Token) {
	if _, err := s.Load(b.Context(), t); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkCommitAdd(b *testing.B) {
	s := mem.New(nil)
	tokens := populate(b, s, 100_000)
	add := &store.Change{Edits: []store.Edit{{Name: "hits", Op: store.Add, Delta: 1}}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		commit(b, s, tokens[i*7919%len(tokens)], add)
	}
}

// BenchmarkCreateFull makes sessions in a full store. Each of them ends another.
func BenchmarkCreateFull(b *testing.B) {
	s := mem.New(&mem.Options{MaxSessions: 100_000})
	populate(b, s, 100_000)
	b.ReportAllocs()
	for n := 100_000; b.Loop(); n++ {
		commit(b, s, token(n), visitor(n))
	}
}

// BenchmarkExpiryWait reports how long Loads took at worst while half of a million sessions were swept: the longest,
// and the 99.99th percentile. It reports the same for Loads just before, which shows how much of it the machine causes.
func BenchmarkExpiryWait(b *testing.B) {
	for b.Loop() {
		clock := newClock()
		s := mem.New(&mem.Options{MaxSessions: math.MaxInt, Now: clock.now})
		live := make([]store.Token, 0, million/2)
		for n := range million {
			c := visitor(n)
			if n%2 == 0 {
				c.IdleTimeout = time.Minute
			} else {
				live = append(live, token(n))
			}
			commit(b, s, token(n), c)
		}
		runtime.GC()
		loadWhile(b, s, live, func() { loadAll(b, s, live) }).report(b, "before")
		clock.move(time.Minute)
		loadWhile(b, s, live, func() { sweepAll(b, s) }).report(b, "sweeping")
		if s.Len() != len(live) {
			b.Fatalf("Len() = %d after the sweep, want %d", s.Len(), len(live))
		}
	}
}

func loadAll(b *testing.B, s *mem.Store, tokens []store.Token) {
	for _, t := range tokens {
		mustLoad(b, s, t)
	}
}

// loadWhile loads one session after the other while work is done, and returns how long each load took.
func loadWhile(b *testing.B, s *mem.Store, tokens []store.Token, work func()) waits {
	var working sync.WaitGroup
	done := make(chan struct{})
	working.Go(func() {
		defer close(done)
		work()
	})
	defer working.Wait()
	took := make(waits, 0, 4*million)
	for i := 0; ; i++ {
		select {
		case <-done:
			return took
		default:
		}
		start := time.Now()
		mustLoad(b, s, tokens[i*7919%len(tokens)])
		took = append(took, time.Since(start))
	}
}

// waits are how long loads took.
type waits []time.Duration

func (w waits) report(b *testing.B, when string) {
	slices.Sort(w)
	b.ReportMetric(float64(w[len(w)-1].Microseconds()), "µs-longest-"+when)
	b.ReportMetric(float64(w[len(w)-1-len(w)/10_000].Microseconds()), "µs-p99.99-"+when)
}
