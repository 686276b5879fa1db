package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/store"
)

// A Store keeps sessions in PostgreSQL. Its methods may be called by many goroutines at once.
type Store struct {
	*settings
	store.Watchers
	births births
	db     db
	skew   skew
	sql    texts

	backlog   backlog
	sweepTime time.Duration // the constant sweepTime; tests set another

	stop    context.CancelFunc
	closing sync.Once
	running sync.WaitGroup
}

// Each ability of the store is one line here. Its method has a file of its own, unless it is short. A statement with a
// fixed text is a field of texts.
var (
	_ store.Store      = (*Store)(nil)
	_ store.Lister     = (*Store)(nil)
	_ store.OwnerEnder = (*Store)(nil)
	_ store.Watcher    = (*Store)(nil)
	_ store.Sweeper    = (*Store)(nil)
	_ store.Pinger     = (*Store)(nil)
)

var errNoPool = errors.New("postgres: no pool")

// Open returns a Store on the tables that Migrate created. A nil o means the defaults. The caller owns the pool, and
// closes it after the Store.
//
// It returns ErrNoSchema or ErrOldSchema if Migrate has to run, and ErrNewSchema if this program is too old. It also
// returns an error if the encoding of the database isn't UTF-8, if a right is missing, or if PostgreSQL can't be
// reached. Unless Options.NoListen is set, the Store has one more connection, on which it listens for other servers'
// events.
func Open(ctx context.Context, pool *pgxpool.Pool, o *Options) (*Store, error) {
	set, err := o.settings()
	if err != nil {
		return nil, err
	}
	if pool == nil {
		return nil, errNoPool
	}
	if err := set.checkTables(ctx, pool); err != nil {
		return nil, err
	}
	s := &Store{settings: set, db: db{pool: pool}, sql: newTexts(set), sweepTime: sweepTime}
	s.births.watchers, s.db.tellMissed = &s.Watchers, s.tellMissed
	if err := s.readSettings(ctx); err != nil {
		return nil, err
	}
	if err := s.listen(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// readSettings finds how far the database's clock differs from this server's, since the first commit may come before
// the first load. It also finds the isolation level of statements that don't set one.
func (s *Store) readSettings(ctx context.Context) error {
	asked := time.Now()
	var now time.Time
	var isolation string
	err := s.db.pool.QueryRow(ctx, "SELECT now(), current_setting('transaction_isolation')").Scan(&now, &isolation)
	if err != nil {
		return fmt.Errorf("postgres: reading the database's clock and isolation (DateStyle has to be ISO): %w", err)
	}
	s.db.noteIsolation(isolation)
	s.skew.by(store.InstantOf(now), store.InstantOf(asked), store.InstantOf(time.Now()))
	return nil
}

// Close stops listening and waits until that is done. It does not close the pool.
func (s *Store) Close() error {
	s.closing.Do(s.stop)
	s.running.Wait()
	return nil
}

// Ping returns an error if the database doesn't answer.
func (s *Store) Ping(ctx context.Context) error { return s.db.ping(ctx) }

// texts are the SQL of statements that are the same for all changes. pgx prepares each of them once per connection.
type texts struct {
	load, retired                  string
	end, endOwner, list, listOwner string
	due, sweep, check              string
	lapse, forget, lockOwners      string
}

// end is when a row ends if it is not used before.
const end = `least(s.lapses, s.ends)`

// live is the condition that a row has not ended. A load doesn't use it: it reads the row by its token alone, and
// checks the times afterwards.
const live = end + ` > now()`

// toldOwner is an owner in an event. PostgreSQL refuses a notification of 8000 bytes, and with it the statement. So a
// name of 7000 bytes or more is left out.
const toldOwner = `CASE WHEN octet_length(s.owner) < 7000 THEN s.owner ELSE '' END AS owner`

func newTexts(set *settings) texts {
	return texts{
		load:    set.fill(`SELECT ` + namesOf(loaded) + ` FROM {{sessions}} s WHERE s.token = $1`),
		retired: set.fill(`SELECT EXISTS (SELECT FROM {{retired}} WHERE token = $1 AND until > now())`),
		end: set.fill(`WITH gone AS (DELETE FROM {{sessions}} s WHERE s.id = $1 AND ` + live +
			` RETURNING s.id, ` + toldOwner + `)
SELECT gone.id, gone.owner, ` + notify("gone", "$2", "$3") + ` FROM gone`),
		endOwner: set.fill(`WITH theirs AS (
	SELECT s.id FROM {{sessions}} s
	WHERE s.owner = $1 AND s.owner <> '' AND s.id <> ALL ($4::uuid[]) AND ` + live + ` ORDER BY s.id FOR UPDATE
), gone AS (DELETE FROM {{sessions}} s USING theirs WHERE s.id = theirs.id RETURNING s.id, ` + toldOwner + `)
SELECT gone.id, gone.owner, ` + notify("gone", "$2", "$3") + ` FROM gone`),
		list:       set.fill(listSQL),
		listOwner:  set.fill(listOwnerSQL),
		lockOwners: set.fill(lockOwnersSQL),
		due:        set.fill(dueSQL),
		sweep:      set.fill(sweepSQL),
		check:      set.fill(checkSQL),
		lapse: set.fill(`DELETE FROM {{sessions}} s WHERE (s.token = ANY ($1::bytea[]) OR s.id = $2)` +
			` AND NOT (` + live + `)`),
		forget: set.fill(`DELETE FROM {{retired}} WHERE token IN (
	SELECT token FROM {{retired}} WHERE until < now() LIMIT 1000 FOR UPDATE SKIP LOCKED)`),
	}
}

// Load returns the live record of a token. If the connection breaks, it reads once more: a second read changes nothing.
func (s *Store) Load(ctx context.Context, token store.Token) (*store.Record, error) {
	sent := store.InstantOf(time.Now())
	r, err := s.read(ctx, token)
	if connectionLost(err) && patient(ctx) {
		r, err = s.read(ctx, token)
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, s.absence(ctx, token)
	case err != nil:
		return nil, fmt.Errorf("postgres: load: %w", err)
	case r.expired():
		return nil, store.ErrNotFound
	}
	return s.record(r, sent)
}

func (s *Store) read(ctx context.Context, token store.Token) (*row, error) {
	r, err := s.db.row(ctx, statement{sql: s.sql.load, args: []any{binaryResults, token[:]}})
	if err != nil {
		return nil, err
	}
	r.token = token[:]
	return r, nil
}

// record returns a row that was asked for at a time, by this server's clock.
func (s *Store) record(r *row, asked store.Instant) (*store.Record, error) {
	return r.record(s.skew.by(r.now, asked, store.InstantOf(time.Now())))
}

// absence returns why there is no row with a token. This second statement is sent only for a token without a row: a
// retired one, or a valid one of a session that has ended.
func (s *Store) absence(ctx context.Context, token store.Token) error {
	retired := false
	err := s.db.query(ctx, statement{sql: s.sql.retired, args: []any{token[:]}}, func(rows pgx.Rows) (err error) {
		retired, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[bool])
		return err
	})
	if err != nil {
		return fmt.Errorf("postgres: looking for a retired token: %w", err)
	}
	if retired {
		return store.ErrRetired
	}
	return store.ErrNotFound
}

// End removes a record for good.
func (s *Store) End(ctx context.Context, id store.ID, why store.Reason) error {
	gone, err := s.remove(ctx, nil, s.sql.end, why, uuid(id))
	s.tell(gone)
	return err
}

// EndOwner ends the sessions of an owner, except those listed. It takes the owner's lock, so no login comes in between.
func (s *Store) EndOwner(ctx context.Context, owner string, except []store.ID, why store.Reason) (n int, err error) {
	if owner == "" {
		return 0, nil
	}
	kept := make([]pgtype.UUID, len(except))
	for i, id := range except {
		kept[i] = uuid(id)
	}
	gone, err := s.remove(ctx, s.lockOwners(owner, nil), s.sql.endOwner, why, owner, kept)
	if err != nil {
		return 0, fmt.Errorf("postgres: ending the sessions of an owner: %w", err)
	}
	s.tell(gone)
	return len(gone), nil
}

// remove sends a statement that deletes sessions and notifies other servers, and returns the events of these sessions.
// Its arguments are which, the channel, the notification's head, and the rest. A nil lock means none.
func (s *Store) remove(
	ctx context.Context, lock *statement, sql string, why store.Reason, which any, rest ...any,
) ([]store.Event, error) {
	args := append([]any{which, s.channel(), head(store.Ended, why)}, rest...)
	st := statement{sql: sql, args: args, first: lock, events: true}
	gone, err := collect(ctx, &s.db, st, func(row pgx.CollectableRow) (store.Event, error) {
		e := store.Event{Kind: store.Ended, Reason: why}
		var id [16]byte
		err := row.Scan(&id, &e.Owner, nil)
		e.ID = id
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: end: %w", err)
	}
	return gone, nil
}
