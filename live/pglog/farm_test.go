package pglog_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/live/pglog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
)

// patience is the time limit for what only a busy machine can make slow.
const patience = time.Minute

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); time.Since(began) < patience; time.Sleep(10 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("%s: not after %v", what, patience)
}

// take makes a socket.
func take(t testing.TB, l *pglog.Log, node string) *stream.Socket {
	t.Helper()
	s, err := l.Take(t.Context(), &stream.Claim{ID: stream.NewID(), New: true, Session: store.ID{1}, Node: node})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func send(t testing.TB, l *pglog.Log, s *stream.Socket, texts ...string) {
	t.Helper()
	for _, text := range texts {
		s.In++
		_, err := l.Commit(t.Context(), &stream.Batch{Lease: s.Lease(), In: s.In, Ops: []stream.Op{
			{Kind: stream.Send, Stream: stream.Own(s.ID), Data: []byte(text)},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// told returns a function that says how far a stream has grown, as a watcher of a log was told.
func told(t *testing.T, l *pglog.Log) func(stream.Name) uint64 {
	var mu sync.Mutex
	tops := map[stream.Name]uint64{}
	t.Cleanup(l.Watch(func(s stream.Name, top stream.Position) {
		mu.Lock()
		defer mu.Unlock()
		tops[s] = max(tops[s], top.Number)
	}))
	return func(s stream.Name) uint64 {
		mu.Lock()
		defer mu.Unlock()
		return tops[s]
	}
}

// What one server commits, the other one is told of: at once by a notification, or where that is off, by polling.
func TestServersTellEachOther(t *testing.T) {
	for name, o := range map[string]*pglog.Options{
		"listening": {Poll: time.Hour},
		"polling":   {NoListen: true, Poll: 20 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			pool := pgtest.Pool(t)
			here, there := open(t, pool, o), open(t, pool, o)
			s := take(t, here, "a")
			top := told(t, here)
			_, err := there.Commit(t.Context(), &stream.Batch{Ops: []stream.Op{
				{Kind: stream.Send, Stream: stream.Own(s.ID), Data: []byte("x")},
			}})
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "the hint", func() bool { return top(stream.Own(s.ID)) == 1 })
		})
	}
}

// A server whose connection for hints was cut is told of what was committed meanwhile.
func TestHintsAreMissedForAWhileOnly(t *testing.T) {
	pool := pgtest.Pool(t)
	o := &pglog.Options{Poll: time.Hour}
	here, there := open(t, pool, o), open(t, pool, o)
	s := take(t, here, "a")
	top := told(t, here)
	for n := uint64(1); n <= 3; n++ {
		_, err := pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE query LIKE 'LISTEN %' AND pid <> pg_backend_pid()`)
		if err != nil {
			t.Fatal(err)
		}
		_, err = there.Commit(t.Context(), &stream.Batch{Ops: []stream.Op{
			{Kind: stream.Send, Stream: stream.Own(s.ID), Data: []byte("x")},
		}})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the hint", func() bool { return top(stream.Own(s.ID)) == n })
	}
}

// The sockets of a server that has died are away, for as long as Return says, and that server is fenced.
func TestSocketsOfADeadServer(t *testing.T) {
	pool := pgtest.Pool(t)
	dead := open(t, pool, nil)
	alive := open(t, pool, &pglog.Options{Return: time.Second})
	s := take(t, dead, "dead")
	other := take(t, alive, "alive")
	_, err := dead.Commit(t.Context(), &stream.Batch{Lease: s.Lease(), Ops: []stream.Op{
		{Kind: stream.Join, Channel: "room", Seat: "left"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var in int
	eventually(t, "both servers have said that they live", func() bool {
		return pool.QueryRow(t.Context(), "SELECT count(*) FROM live_nodes").Scan(&in) == nil && in == 2
	})
	dead.Close(t.Context(), false)
	// It died a while ago.
	const silent = "UPDATE live_nodes SET seen = now() - interval '1 minute' WHERE node = 'dead'"
	if _, err := pool.Exec(t.Context(), silent); err != nil {
		t.Fatal(err)
	}
	late, err := alive.Overdue(t.Context(), 10)
	if err != nil || len(late) != 0 {
		t.Fatalf("overdue at once: got %d, error %v, want none", len(late), err)
	}
	c, err := alive.Channel(t.Context(), "room")
	if err != nil || c == nil || !c.Members[0].Away {
		t.Fatalf("the channel: got %+v, error %v, want a member that is away", c, err)
	}
	if _, err := alive.Commit(t.Context(), &stream.Batch{Lease: s.Lease()}); !errors.Is(err, stream.ErrFenced) {
		t.Errorf("the lease of the dead server: got error %v, want %v", err, stream.ErrFenced)
	}
	if _, err := alive.Commit(t.Context(), &stream.Batch{Lease: other.Lease()}); err != nil {
		t.Errorf("the lease of the other server: %v", err)
	}
	eventually(t, "the socket is overdue", func() bool {
		late, err := alive.Overdue(t.Context(), 10)
		return err == nil && len(late) == 1 && late[0].ID == s.ID
	})
}

// A server that dies right after it took its first socket is missed, too.
func TestServersAreKnownBeforeTheirSockets(t *testing.T) {
	pool := pgtest.Pool(t)
	l := open(t, pool, nil)
	take(t, l, "new")
	var known bool
	const sql = "SELECT EXISTS (SELECT FROM live_nodes WHERE node = 'new')"
	if err := pool.QueryRow(t.Context(), sql).Scan(&known); err != nil || !known {
		t.Errorf("the node is known: %v, error %v", known, err)
	}
}

// A new socket whose making fails leaves nothing, whether the database has made it or not.
func TestSocketsInDoubt(t *testing.T) {
	url := pgtest.Shared(t).Database(t)
	pool := pgtest.Connect(t, url)
	l := open(t, pool, nil)
	take(t, l, "a") // so that the node is known
	const block = `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN IF NEW.node = ''b'' THEN PERFORM pg_sleep(0.5); END IF; RETURN NEW; END'`
	const trigger = "CREATE TRIGGER slow BEFORE INSERT ON live_sockets FOR EACH ROW EXECUTE FUNCTION slow()"
	for _, sql := range []string{block, trigger, "INSERT INTO live_nodes VALUES ('b', now())"} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	id := stream.NewID()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := l.Take(ctx, &stream.Claim{ID: id, New: true, Node: "b"}); err == nil {
		t.Fatal("no error of a Take that takes too long")
	}
	// The row may come to be after the answer was given up.
	_, err := pool.Exec(t.Context(), `INSERT INTO live_sockets
	SELECT $1, 1, session, created, away, received, sid, top, keep_age, keep_messages, keep_bytes, welcomed, epoch, 'a',
		endpoint, owner
	FROM live_sockets LIMIT 1 ON CONFLICT DO NOTHING`, pgtype.UUID{Bytes: id, Valid: true})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the socket is gone", func() bool {
		for range l.Sockets(t.Context(), stream.Filter{ID: id}) {
			return false
		}
		return true
	})
}

// size returns the bytes of all messages in the database, with their indexes.
func size(t *testing.T, pool *pgxpool.Pool) (bytes int64) {
	t.Helper()
	const sql = `SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname LIKE 'live_messages_'`
	if err := pool.QueryRow(t.Context(), sql).Scan(&bytes); err != nil {
		t.Fatal(err)
	}
	return bytes
}

// Messages are gone with their table, and the tables do not grow with what goes through them.
func TestTablesTakeTurns(t *testing.T) {
	pool := pgtest.Pool(t)
	l := open(t, pool, &pglog.Options{Keep: time.Second})
	s := take(t, l, "a")
	first := s.Out
	text := strings.Repeat("x", 1000)
	largest := int64(0)
	for range 4 {
		for range 100 {
			send(t, l, s, text)
		}
		time.Sleep(1100 * time.Millisecond) // a turn of the tables
		largest = max(largest, size(t, pool))
	}
	eventually(t, "the first messages are gone", func() bool {
		_, err := l.Read(t.Context(), stream.Own(s.ID), first, 1)
		gap, ok := errors.AsType[*stream.GapError](err)
		return ok && gap.Why == stream.Old && gap.At.Number >= 100
	})
	eventually(t, "the tables are empty", func() bool { return size(t, pool) < largest/2 })
	send(t, l, s, "on")
	ms, err := l.Read(t.Context(), stream.Own(s.ID), stream.Position{Epoch: first.Epoch, Number: 400}, 10)
	if err != nil || len(ms) != 1 || string(ms[0].Data) != "on" {
		t.Errorf("after the turns: got %v, error %v", ms, err)
	}
}

func TestServersMigrateAtOnce(t *testing.T) {
	pool := pgtest.Pool(t)
	if _, err := pglog.Open(t.Context(), pool, nil); !errors.Is(err, pglog.ErrNoSchema) {
		t.Errorf("without tables: got error %v, want %v", err, pglog.ErrNoSchema)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := pglog.Migrate(t.Context(), pool, nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	open(t, pool, &pglog.Options{Prefix: "other"})
	if _, err := pool.Exec(t.Context(), "INSERT INTO live_migrations (version) VALUES (99)"); err != nil {
		t.Fatal(err)
	}
	if _, err := pglog.Open(t.Context(), pool, nil); !errors.Is(err, pglog.ErrNewSchema) {
		t.Errorf("tables of the future: got error %v, want %v", err, pglog.ErrNewSchema)
	}
	if err := pglog.Migrate(t.Context(), pool, nil); !errors.Is(err, pglog.ErrNewSchema) {
		t.Errorf("migrating them: got error %v, want %v", err, pglog.ErrNewSchema)
	}
}

func TestWrongOptions(t *testing.T) {
	for _, o := range []*pglog.Options{
		{Prefix: "Live"}, {Prefix: strings.Repeat("p", 31)}, {Schema: strings.Repeat("s", 64)}, {Poll: -1}, {Keep: -1},
		{Return: -1},
	} {
		if _, err := pglog.Open(t.Context(), nil, o); err == nil || !strings.HasPrefix(err.Error(), "pglog: ") {
			t.Errorf("%+v: got error %v, want one that names the option", o, err)
		}
	}
	if _, err := pglog.Open(t.Context(), nil, nil); err == nil {
		t.Error("no pool: no error")
	}
}

// What PostgreSQL can't keep is refused before it is asked, and harms no other batch.
func TestLongNames(t *testing.T) {
	l := open(t, pgtest.Pool(t), nil)
	s := take(t, l, "a")
	join := func(n int) error {
		_, err := l.Commit(t.Context(), &stream.Batch{Lease: s.Lease(), Ops: []stream.Op{
			{Kind: stream.Join, Channel: strings.Repeat("ü", n/2)},
		}})
		return err
	}
	if err := join(1000); err != nil {
		t.Errorf("1,000 bytes: %v", err)
	}
	if err := join(1002); err == nil || !strings.Contains(err.Error(), "at most 1000 bytes") {
		t.Errorf("1,002 bytes: got error %v", err)
	}
}
