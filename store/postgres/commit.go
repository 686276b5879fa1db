package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/lazysession/session/store"
)

// Commit applies a change in one statement: the row's own lock makes it atomic, and what it says is relative to what the
// row then holds. Only a change of owner under a limit takes a transaction, for it concerns other rows.
func (s *Store) Commit(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
	if c.Created && (c.IdleTimeout <= 0 || c.Lifetime <= 0) {
		return nil, errors.New("postgres: a new record needs an idle timeout and a lifetime")
	}
	if c.IsZero() {
		return s.unchanged(ctx, token, c.IfVersion)
	}
	r, err := s.commit(ctx, token, c)
	if s.mayTryAgain(ctx, err, token, c) {
		r, err = s.commit(ctx, token, c)
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, s.refusal(ctx, token, c)
	case hasCode(err, uniqueViolation, exclusionViolation):
		return nil, store.ErrConflict
	case hasCode(err, numericOutOfRange, invalidText):
		return nil, s.wrongAddition(ctx, token, c, err)
	case err != nil:
		s.noted(err)
		return nil, commitError(err)
	}
	s.tellOf(r, c)
	return s.record(r)
}

// unchanged is a commit of nothing, which writes nothing.
func (s *Store) unchanged(ctx context.Context, token store.Token, version uint32) (*store.Record, error) {
	r, err := s.Load(ctx, token)
	if err == nil && version != 0 && r.Version != version {
		return nil, store.ErrConflict
	}
	return r, err
}

// mayTryAgain reports whether a commit that failed for sure would do better now: PostgreSQL has undone it to resolve a
// deadlock, or what stood in the way of a new session was only the remains of one that has expired.
func (s *Store) mayTryAgain(ctx context.Context, err error, token store.Token, c *store.Change) bool {
	switch {
	case !patient(ctx):
		return false
	case c.Created && errors.Is(err, pgx.ErrNoRows):
		lapsed, err := s.pool.Exec(ctx, s.sql.lapse, token[:], uuid(c.ID))
		return err == nil && lapsed.RowsAffected() > 0
	}
	return hasCode(err, deadlockDetected)
}

func (s *Store) commit(ctx context.Context, token store.Token, c *store.Change) (*row, error) {
	if c.Owner != nil && *c.Owner != "" && c.MaxPerOwner > 0 {
		return s.commitLimited(ctx, token, c)
	}
	// Acquired by itself, so that a time-out of waiting for a connection is not taken for one of waiting for an answer.
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, unsent{err}
	}
	defer conn.Release()
	return s.commitOne(ctx, conn, token, c)
}

// commitOne sends the one statement of a change.
func (s *Store) commitOne(ctx context.Context, q sender, token store.Token, c *store.Change) (*row, error) {
	b := builder{set: s.settings, origin: s.origin}
	if c.Created {
		b.insert(token, c)
	} else {
		b.update(token, c)
	}
	return queryRow(ctx, q, b.sql.String(), b.args...)
}

// refusal returns why no row was changed.
func (s *Store) refusal(ctx context.Context, token store.Token, c *store.Change) error {
	if c.Created {
		return store.ErrConflict
	}
	_, err := s.Load(ctx, token)
	switch {
	case err != nil:
		return err
	case c.IfVersion != 0:
		return store.ErrConflict
	}
	return store.ErrNotFound // it ended in between
}

// wrongAddition says which addition failed. The database only says that one did.
func (s *Store) wrongAddition(ctx context.Context, token store.Token, c *store.Change, cause error) error {
	rec, err := s.Load(ctx, token)
	if err != nil {
		return err
	}
	var edit *store.EditError
	if _, err := c.Apply(rec, rec.LastSeen); errors.As(err, &edit) {
		return edit
	}
	return fmt.Errorf("postgres: commit: %w", cause)
}

// tellOf tells the watchers here of a commit that others are to know of.
func (s *Store) tellOf(r *row, c *store.Change) {
	e := store.Event{ID: r.id, Owner: r.owner}
	if c.Created {
		e.Kind = store.Created
		s.Tell(e)
	}
	if c.RenewTo != (store.Token{}) {
		e.Kind = store.Renewed
		s.Tell(e)
	}
}

// A builder writes the statement of a change. Its text depends on what kinds of things the change does, not on their
// names and numbers, so that there are few texts to prepare.
type builder struct {
	set    *settings
	origin string
	sql    strings.Builder
	args   []any
}

// arg adds an argument and returns its place.
func (b *builder) arg(v any) string {
	b.args = append(b.args, v)
	return "$" + strconv.Itoa(len(b.args))
}

func (b *builder) write(parts ...string) {
	for _, part := range parts {
		b.sql.WriteString(part)
	}
}

// insert writes the statement that creates. A token or an id that is taken yields no row.
func (b *builder) insert(token store.Token, c *store.Change) {
	owner, persistent := "", false
	if c.Owner != nil {
		owner = *c.Owner
	}
	if c.Persistent != nil {
		persistent = *c.Persistent
	}
	if c.RenewTo != (store.Token{}) {
		token = c.RenewTo
	}
	idle, lifetime := b.arg(c.IdleTimeout.Microseconds()), b.arg(c.Lifetime.Microseconds())
	b.write("INSERT INTO ", b.set.sessions, " AS s",
		" (created, seen, due, idle, lifetime, id, version, persistent, token, owner, labels, data)",
		" VALUES (now(), now(), ", dueAt("now() + least("+idle+"::bigint, "+lifetime+"::bigint) * interval '1 microsecond'"),
		", ", idle, ", ", lifetime,
		", ", b.arg(uuid(c.ID)), ", 1, ", b.arg(persistent), ", ", b.arg(token[:]), ", ", b.arg(owner),
		", ", b.arg(labelsJSON(c.Labels)), "::jsonb, ")
	b.data("'{}'::jsonb", c)
	b.write(") ON CONFLICT DO NOTHING RETURNING ", columns)
}

// update writes the statement that changes a row, if it is live and at the version.
func (b *builder) update(token store.Token, c *store.Change) {
	renews := c.RenewTo != store.Token{}
	old := b.arg(token[:])
	if renews {
		b.write("WITH changed AS (")
	}
	b.write("UPDATE ", b.set.sessions, " s SET ")
	b.assign(c)
	b.write(" WHERE s.token = ", old, " AND ", live)
	if c.IfVersion != 0 {
		b.write(" AND s.version = ", b.arg(int64(c.IfVersion)), "::bigint")
	}
	b.write(" RETURNING ", columns)
	if renews {
		b.retire(old)
	}
}

// retire finishes the statement of a renewal: the old token is remembered, and other servers are told, in the same step.
func (b *builder) retire(old string) {
	b.write("), old AS (INSERT INTO ", b.set.retired, " (token, until) SELECT ", old,
		", now() + interval '", strconv.Itoa(int(store.RetiredFor.Seconds())), " seconds' FROM changed ON CONFLICT DO NOTHING)",
		", told AS (SELECT ", notify("changed", b.arg(b.set.channel()), b.arg(head(b.origin, store.Renewed, 0))), " FROM changed)",
		" SELECT changed.* FROM changed, told")
}

// assign writes the assignments of an update.
func (b *builder) assign(c *store.Change) {
	var parts []string
	add := func(column, value string) { parts = append(parts, column+" = "+value) }
	if c.Touched {
		add("seen", "greatest(s.seen, now())")
	}
	if !c.OnlyTouches() {
		add("version", "s.version + 1")
	}
	if c.RenewTo != (store.Token{}) {
		add("token", b.arg(c.RenewTo[:]))
	}
	if c.Owner != nil {
		add("owner", b.arg(*c.Owner))
	}
	if c.Persistent != nil {
		add("persistent", b.arg(*c.Persistent))
	}
	if len(c.Labels) > 0 {
		set, removed := splitLabels(c.Labels)
		add("labels", "(s.labels || "+b.arg(labelsJSON(set))+"::jsonb) - "+b.arg(removed)+"::text[]")
	}
	b.assignTimeouts(c, add)
	b.write(strings.Join(parts, ", "))
	if c.Cleared || len(c.Edits) > 0 {
		if len(parts) > 0 {
			b.write(", ")
		}
		b.write("data = ")
		old := "s.data"
		if c.Cleared {
			old = "'{}'::jsonb"
		}
		b.data(old, c)
	}
}

// assignTimeouts also lets the sweeper look at the row again, for it may now end sooner.
func (b *builder) assignTimeouts(c *store.Change, add func(column, value string)) {
	idle, lifetime := "s.idle", "s.lifetime"
	if c.IdleTimeout != 0 {
		idle = b.arg(c.IdleTimeout.Microseconds()) + "::bigint"
		add("idle", idle)
	}
	if c.Lifetime != 0 {
		lifetime = b.arg(c.Lifetime.Microseconds()) + "::bigint"
		add("lifetime", lifetime)
	}
	if c.IdleTimeout != 0 || c.Lifetime != 0 {
		add("due", dueAt("least(s.seen + "+idle+" * interval '1 microsecond', s.created + "+lifetime+" * interval '1 microsecond')"))
	}
}

// data writes the new data column, made from the old one.
func (b *builder) data(old string, c *store.Change) {
	var (
		sets    []byte
		deletes []string
		adds    []store.Edit
	)
	for _, e := range c.Edits {
		switch e.Op {
		case store.Set:
			sets = appendMember(sets, e)
		case store.Delete:
			deletes = append(deletes, e.Name)
		case store.Add:
			adds = append(adds, e)
		}
	}
	b.write(old)
	if len(deletes) > 0 {
		b.write(" - ", b.arg(deletes), "::text[]")
	}
	if len(sets) > 0 {
		b.write(" || ", b.arg(string(append(sets, '}'))), "::jsonb")
	}
	b.additions(old, adds)
}

func appendMember(object []byte, e store.Edit) []byte {
	opener := byte(',')
	if len(object) == 0 {
		opener = '{'
	}
	object = append(object, opener)
	object = appendQuoted(object, e.Name)
	object = append(object, ':')
	return appendData(object, e.JSON)
}

// additions writes what is merged into data for additions: one name by itself, which is what a hit counter does, or any
// number by one text.
func (b *builder) additions(old string, adds []store.Edit) {
	if len(adds) == 0 {
		return
	}
	if len(adds) == 1 {
		name, delta := b.arg(adds[0].Name)+"::text", b.arg(adds[0].Delta)+"::bigint"
		b.write(" || jsonb_build_object(", name, ", ", sum(old, name, delta), ")")
		return
	}
	names, deltas := make([]string, len(adds)), make([]int64, len(adds))
	for i, e := range adds {
		names[i], deltas[i] = e.Name, e.Delta
	}
	b.write(" || (SELECT jsonb_object_agg(name, ", sum(old, "name", "delta"), ")",
		" FROM unnest(", b.arg(names), "::text[], ", b.arg(deltas), "::bigint[]) AS additions (name, delta))")
}

// sum is the expression of an integer in data plus a delta. As text only an integer is one that bigint takes: others
// fail (22P02), and so does (22003) a sum beyond 64 bits.
func sum(data, name, delta string) string {
	return "coalesce((" + data + " -> " + name + ")::text, '0')::bigint + " + delta
}

// labelsJSON returns labels as a JSON object.
func labelsJSON(labels map[string]string) string {
	set, _ := splitLabels(labels)
	doc, _ := json.Marshal(set) // strings can always be encoded
	return string(doc)
}

// splitLabels tells labels that are set from those that are removed.
func splitLabels(labels map[string]string) (set map[string]string, removed []string) {
	set, removed = make(map[string]string), []string{}
	for name, text := range labels {
		if text == "" {
			removed = append(removed, name)
			continue
		}
		set[name] = text
	}
	return set, removed
}
