package postgres_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

// The benchmarks compare the store with bare statements of pgx that move the same bytes. Both take turns, so that both
// see the same load of the machine. The results are ratios of medians.

const valuesInJSON = `{"hits": 42, "lang": "en", "user": 12345, "theme": "dark", "basket": "tea"}`

// A benchStore is a Store with some sessions, and its pool.
type benchStore struct {
	*postgres.Store
	pool   *pgxpool.Pool
	tokens []store.Token
	next   atomic.Int64
}

// newBenchStore uses a server whose commits wait for the disk, as in production. Those of the tests don't.
func newBenchStore(b *testing.B, sessions int) *benchStore {
	b.Helper()
	c := pgtest.New(b, "fsync = on", "synchronous_commit = on", "full_page_writes = on", "shared_buffers = 1GB",
		"max_wal_size = 4GB")
	pool := pgtest.Connect(b, c.Database(b)+"?pool_max_conns=20")
	s := &benchStore{Store: open(b, pool, silent), pool: pool, tokens: fill(b, pool, sessions, "now()")}
	exec(b, pool, "VACUUM ANALYZE %s")
	return s
}

// fill inserts sessions of five small values, last seen at a time.
func fill(b testing.TB, pool *pgxpool.Pool, sessions int, seen string) []store.Token {
	b.Helper()
	tokens := make([]store.Token, sessions)
	raw := make([][]byte, sessions)
	for i := range tokens {
		rand.Read(tokens[i][:])
		raw[i] = tokens[i][:]
	}
	const most = 50_000
	for chunk := range slices.Chunk(raw, most) {
		exec(b, pool, `INSERT INTO %s
	(created, lapses, ends, due, idle, id, version, persistent, token, owner, labels, data)
	SELECT seen, seen + interval '30 minutes', seen + interval '24 hours',
		date_trunc('second', seen) + interval '30 minutes', 1800000000, gen_random_uuid(), 1, false, token, '', '{}', $2
	FROM (SELECT unnest($1::bytea[]) AS token, `+seen+` AS seen) AS new`, chunk, valuesInJSON)
	}
	return tokens
}

func (s *benchStore) token() store.Token { return s.tokens[s.next.Add(1)%int64(len(s.tokens))] }

func (s *benchStore) load() error { return errOf(s.Load(context.Background(), s.token())) }

func (s *benchStore) bareLoad() error {
	var now, created, lapses, ends time.Time
	var idle, version int64
	var id [16]byte
	var persistent bool
	var raw []byte
	var owner, labels, data string
	token := s.token()
	return s.pool.QueryRow(context.Background(), `SELECT
	created, lapses, ends, idle, id, version, persistent, owner, labels, data, token, now()
	FROM session_sessions WHERE token = $1`, token[:]).
		Scan(&created, &lapses, &ends, &idle, &id, &version, &persistent, &owner, &labels, &data, &raw, &now)
}

// The commits are those of a response that begins. Only setAndSee needs the record afterwards.

func (s *benchStore) commit(c *store.Change) error {
	return errOf(s.Commit(context.Background(), s.token(), c))
}

func (s *benchStore) add() error {
	return s.commit(&store.Change{NoRecord: true, Edits: []store.Edit{add("hits", 1)}})
}

func (s *benchStore) set() error {
	return s.commit(&store.Change{NoRecord: true, Edits: []store.Edit{set("hits", "43")}})
}

func (s *benchStore) setAndSee() error {
	return s.commit(&store.Change{Edits: []store.Edit{set("hits", "43")}})
}

func (s *benchStore) touch() error { return s.commit(&store.Change{NoRecord: true, Touched: true}) }

func (s *benchStore) bareUpdate() error {
	token := s.token()
	const sql = `UPDATE session_sessions SET version = version + 1, data = $2 WHERE token = $1`
	return errOf(s.pool.Exec(context.Background(), sql, token[:], valuesInJSON))
}

// rounds is how often two functions take turns.
const rounds = 60

// sideBySide reports how long a call of ours takes, and its multiple of a call of bare, with some goroutines. The
// multiple is the median of the rounds' multiples. So a machine that is slow for a while doesn't change it.
func sideBySide(b *testing.B, goroutines int, ours, bare func() error) {
	b.Helper()
	inTurns(b, rounds, goroutines, "×bare", ours, bare)
}

// inTurns works like sideBySide, with any number of rounds and any name for the multiple.
func inTurns(b *testing.B, rounds, goroutines int, multiple string, ours, bare func() error) {
	b.Helper()
	var times, ratios []float64
	for b.Loop() {
		for range rounds { // in both orders, so that neither always comes first
			mine, theirs := timed(b, goroutines, ours), timed(b, goroutines, bare)
			theirs += timed(b, goroutines, bare)
			mine += timed(b, goroutines, ours)
			times, ratios = append(times, mine/2), append(ratios, mine/theirs)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(times), "µs/each")
	b.ReportMetric(median(ratios), multiple)
}

// timed returns the wall time of a call in microseconds: the time of all calls of all goroutines, divided by their
// number.
func timed(b *testing.B, goroutines int, work func() error) float64 {
	b.Helper()
	const each = 100
	start := time.Now()
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				if err := work(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(time.Since(start).Nanoseconds()) / 1000 / float64(each*goroutines)
}

func median(figures []float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	return sorted[len(sorted)/2]
}

func BenchmarkBesideBare(b *testing.B) {
	s := newBenchStore(b, 10_000)
	for _, work := range []struct {
		name       string
		ours, bare func() error
	}{
		{"load", s.load, s.bareLoad},
		{"add", s.add, s.bareUpdate},
		{"set", s.set, s.bareUpdate},
		{"set and see", s.setAndSee, s.bareUpdate},
		{"touch", s.touch, s.bareUpdate},
	} {
		for _, goroutines := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/%d", work.name, goroutines), func(b *testing.B) {
				sideBySide(b, goroutines, work.ours, work.bare)
			})
		}
	}
}

// Logins under a limit, as multiples of logins without one. A first login creates a session for a new owner. A later
// one renews a session of its owner.
func BenchmarkLogins(b *testing.B) {
	const goroutines, rounds = 16, 10
	s := newBenchStore(b, 10_000)
	first := func(limit int) func() error {
		return func() error {
			return errOf(s.Commit(context.Background(), newToken(), login(rand.Text(), limit)))
		}
	}
	again := func(limit int) func() error {
		return func() error {
			i := s.next.Add(1) % int64(len(s.tokens))
			c := &store.Change{RenewTo: newToken(), Owner: new(fmt.Sprint(i)), MaxPerOwner: limit}
			_, err := s.Commit(context.Background(), s.tokens[i], c)
			s.tokens[i] = c.RenewTo
			return err
		}
	}
	b.Run("first", func(b *testing.B) { inTurns(b, rounds, goroutines, "×unlimited", first(2), first(0)) })
	b.Run("again", func(b *testing.B) { inTurns(b, rounds, goroutines, "×unlimited", again(2), again(0)) })
}

// 16 goroutines increase a counter in one session, by additions, and by loads and compare-and-swap.
func BenchmarkHotSession(b *testing.B) {
	const goroutines = 16
	s := newBenchStore(b, 1)
	var counted atomic.Int64
	addOne := func() error {
		counted.Add(1)
		return s.add()
	}
	swap := func() error {
		for {
			rec, err := s.Load(context.Background(), s.tokens[0])
			if err != nil {
				return err
			}
			c := &store.Change{IfVersion: rec.Version, Edits: []store.Edit{add("hits", 1)}}
			if errOf(s.Commit(context.Background(), s.tokens[0], c)) == nil {
				counted.Add(1)
				return nil
			}
		}
	}
	var adds, swaps []float64
	for b.Loop() {
		for range 5 {
			adds = append(adds, timed(b, goroutines, addOne))
			swaps = append(swaps, timed(b, goroutines, swap))
		}
	}
	rec, err := s.Load(context.Background(), s.tokens[0])
	check(b, err)
	if got, _ := rec.Values.Get("hits"); got != fmt.Sprint(42+counted.Load()) {
		b.Errorf("hits: got %s, want %d", got, 42+counted.Load())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(adds), "µs/each")
	b.ReportMetric(median(swaps)/median(adds), "×faster-than-swap")
}

// The disk space of each of a million sessions, with its indexes, after three touches of a fiftieth of them at a time.
func BenchmarkDiskSpace(b *testing.B) {
	const sessions, part, touches = 1_000_000, 50, 3
	ctx := context.Background()
	s := newBenchStore(b, sessions)
	for b.Loop() {
		for i := range touches * part {
			exec(b, s.pool, "UPDATE %s SET lapses = now() + idle * interval '1 microsecond'"+
				" WHERE get_byte(token, 0) % $1 = $2", part, i%part)
		}
	}
	bytes := value[int64](b, s.pool, "SELECT pg_total_relation_size('%s')")
	exec(b, s.pool, "SELECT pg_stat_force_next_flush()")
	var updates, hot int64
	check(b, s.pool.QueryRow(ctx, "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables"+
		" WHERE relname = 'session_sessions'").Scan(&updates, &hot))
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(bytes)/sessions, "bytes/session")
	b.ReportMetric(100*float64(hot)/float64(updates), "%hot")
}

// A tenth of a million sessions has expired. The benchmark measures loads before and during their removal, and a sweep
// that finds nothing.
func BenchmarkSweep(b *testing.B) {
	const live, expired = 900_000, 100_000
	s := newBenchStore(b, live)
	for b.Loop() {
		fill(b, s.pool, expired, "now() - interval '40 minutes'")
		before := s.waits(b, time.Second, nil)
		during := s.waits(b, 0, func() {
			for {
				next, err := s.Sweep(context.Background())
				check(b, err)
				if next > 0 {
					return
				}
			}
		})
		start := time.Now()
		const passes = 100
		for range passes {
			check(b, errOf(s.Sweep(context.Background())))
		}
		b.ReportMetric(float64(time.Since(start).Microseconds())/passes, "µs/idle-pass")
		b.ReportMetric(percentile(before, 99), "µs-p99-before")
		b.ReportMetric(percentile(during, 99), "µs-p99-during")
		b.ReportMetric(percentile(during, 100), "µs-longest-during")
	}
	b.ReportMetric(0, "ns/op")
}

// A transaction stays open while sessions expire, so PostgreSQL can't vacuum the removed rows. The benchmark measures
// the last batches, after many removals, as a multiple of the first ones.
func BenchmarkSweepBesideLongTransaction(b *testing.B) {
	const expired, batches, part = 200_000, 200, 20
	ctx := context.Background()
	for _, spread := range []string{"at one time", "over time"} {
		b.Run("expired "+spread, func(b *testing.B) {
			for b.Loop() {
				s := newBenchStore(b, 0)
				fill(b, s.pool, expired, "now() - interval '40 minutes'")
				if spread == "over time" {
					exec(b, s.pool, "UPDATE %s SET due = due - get_byte(token, 0) * interval '1 second'")
				}
				exec(b, s.pool, "VACUUM ANALYZE %s")
				tx, err := s.pool.Begin(ctx)
				check(b, err)
				_, err = tx.Exec(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1")
				check(b, err)
				var took []float64
				for range batches {
					start := time.Now()
					check(b, errOf(s.Sweep(ctx)))
					took = append(took, float64(time.Since(start).Microseconds())/1000)
				}
				check(b, tx.Rollback(ctx))
				wantRows(b, s.pool, 0)
				b.ReportMetric(median(took[:part]), "ms/first-batches")
				b.ReportMetric(median(took[batches-part:])/median(took[:part]), "×last-batches")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// waits returns the microseconds of each load of two goroutines, which load during work and then for a time. A nil work
// means none.
func (s *benchStore) waits(b *testing.B, d time.Duration, work func()) []float64 {
	b.Helper()
	done := make(chan struct{})
	var mu sync.Mutex
	var all []float64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			var mine []float64
			for {
				select {
				case <-done:
					mu.Lock()
					defer mu.Unlock()
					all = append(all, mine...)
					return
				default:
				}
				start := time.Now()
				check(b, s.load())
				mine = append(mine, float64(time.Since(start).Nanoseconds())/1000)
			}
		})
	}
	if work != nil {
		work()
	}
	time.Sleep(d)
	close(done)
	wg.Wait()
	return all
}

func percentile(figures []float64, p int) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}

// The store's decoding of a row's values, and encoding/json's of the same document.
func BenchmarkDecode(b *testing.B) {
	b.Run("session", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if v, err := postgres.ReadData(valuesInJSON); err != nil || v.Len() != 5 {
				b.Fatal(v, err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v map[string]json.RawMessage
			if err := json.Unmarshal([]byte(valuesInJSON), &v); err != nil || len(v) != 5 {
				b.Fatal(v, err)
			}
		}
	})
}
