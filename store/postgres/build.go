package postgres

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/lazysession/session/store"
)

// A builder writes the statement of a change. Its text depends on what kinds of things the change does, not on their
// names and numbers, so that there are few texts to prepare.
type builder struct {
	set  *settings
	sql  strings.Builder
	args []any
}

const (
	sqlSize  = 1024 // most statements fit, so the text is not copied while it grows
	argsSize = 8
)

func newBuilder(set *settings) *builder {
	b := &builder{set: set, args: make([]any, 1, argsSize)}
	b.args[0] = binaryResults
	b.sql.Grow(sqlSize)
	return b
}

// arg adds an argument and returns its placeholder, such as $1.
func (b *builder) arg(v any) string {
	b.args = append(b.args, v)
	return "$" + strconv.Itoa(len(b.args)-1) // the first argument is an option of pgx
}

func (b *builder) write(parts ...string) {
	for _, part := range parts {
		b.sql.WriteString(part)
	}
}

// commit writes the statement of a change. If the change concerns more than its own row, the changed row gets the name
// "changed", and the other parts of the statement use it.
func (b *builder) commit(token store.Token, c *store.Change) {
	old, alone := b.arg(token[:]), !c.Renews() && !limited(c)
	if !alone {
		b.write("WITH changed AS (")
	}
	if c.Created {
		b.insert(old, c)
	} else {
		b.update(old, c)
	}
	if needsRow(c) {
		b.write(" RETURNING ", factsSQL)
	}
	if alone {
		return
	}
	b.write(")")
	columns, from := "changed.*", "changed"
	if c.Renews() {
		b.retire(old)
		from += ", told"
	}
	if limited(c) {
		b.evict(c)
		columns += ", (SELECT array_agg(evicted.id) FROM evicted)"
	}
	b.write(" SELECT ", columns, " FROM ", from)
}

// insert writes the INSERT of a new session. It returns no row if the token or the ID is taken.
func (b *builder) insert(old string, c *store.Change) {
	token, persistent := old, false
	if c.Persistent != nil {
		persistent = *c.Persistent
	}
	if c.Renews() {
		token = b.arg(c.RenewTo[:])
	}
	idle, lifetime := b.arg(c.IdleTimeout.Microseconds()), b.arg(c.Lifetime.Microseconds())
	b.write("INSERT INTO ", b.set.sessions, " AS s",
		" (created, lapses, ends, due, idle, id, version, persistent, token, owner, labels, data)",
		" SELECT now(), now() + ", idle, "::bigint", microseconds, ", now() + ", lifetime, "::bigint", microseconds,
		", ", dueAt("now() + least("+idle+"::bigint, "+lifetime+"::bigint)"+microseconds), ", ", idle,
		", ", b.arg(uuid(c.ID)), "::uuid, 1, ", b.arg(persistent), "::boolean, ", token, "::bytea, ", b.owner(c),
		", ", b.arg(labelsJSON(c.Labels)), "::jsonb, ")
	b.data("'{}'::jsonb", c)
	if c.Renews() { // the token that is replaced at once must not be in use either
		b.write(" WHERE NOT EXISTS (SELECT FROM ", b.set.sessions, " s WHERE s.token = ", old, "::bytea AND ", live, ")")
	}
	b.write(" ON CONFLICT DO NOTHING")
}

// update writes the UPDATE of a row, under the condition that it is live and as expected.
func (b *builder) update(token string, c *store.Change) {
	b.write("UPDATE ", b.set.sessions, " s SET ")
	b.assign(c)
	b.write(" WHERE s.token = ", token, " AND ", live)
	b.conditions(c)
}

// owner returns the expression of the session's new owner. Without a limit, the expression also takes the owner's lock
// in shared mode: EndOwner waits for logins under way, and later logins wait for EndOwner.
func (b *builder) owner(c *store.Change) string {
	switch {
	case !setsOwner(c):
		return "''"
	case c.MaxPerOwner > 0: // lockOwners has taken the lock in exclusive mode
		return b.arg(*c.Owner) + "::text"
	}
	return "(SELECT " + b.arg(*c.Owner) + "::text FROM pg_advisory_xact_lock_shared(hashtextextended(" +
		b.arg(b.set.ownerLock(*c.Owner)) + ", 0)))"
}

// conditions writes what the change expects of the row. Values are compared as text, since as jsonb 1.0 equals 1.
func (b *builder) conditions(c *store.Change) {
	if c.IfVersion != 0 {
		b.write(" AND s.version = ", b.arg(int64(c.IfVersion)), "::bigint")
	}
	if c.IfValue == nil {
		return
	}
	b.write(" AND (s.data -> ", b.arg(c.IfValue.Name), "::text)")
	if c.IfValue.JSON == "" {
		b.write(" IS NULL")
		return
	}
	b.write("::text = ", b.arg(string(appendData(nil, c.IfValue.JSON))), "::jsonb::text")
}

// needsRow reports whether a commit has to return its row, for the caller or for the eviction of other sessions. To
// return it takes a tenth of the commit's time.
func needsRow(c *store.Change) bool { return c.WantsRecord() || limited(c) }

// retire writes the rest of a renewal: it keeps the old token as retired, and notifies other servers.
func (b *builder) retire(old string) {
	channel, head := b.arg(b.set.channel()), b.arg(head(store.Renewed, 0))
	b.write(", old AS (INSERT INTO ", b.set.retired, " (token, until) SELECT ", old,
		"::bytea, now() + interval '", strconv.Itoa(int(store.RetiredFor.Seconds())), " seconds' FROM changed",
		" ON CONFLICT DO NOTHING)",
		", told AS (SELECT ", notify("renewed", channel, head),
		" FROM (SELECT s.id, ", toldOwner, " FROM changed s) AS renewed)")
}

// evict writes the rest of a change under a limit: it ends the owner's oldest other sessions until the limit holds. If
// no row was changed, the changed id is null. A comparison with null is never true, so no session is evicted.
func (b *builder) evict(c *store.Change) {
	owner, channel, head := b.arg(*c.Owner), b.arg(b.set.channel()), b.arg(head(store.Ended, store.Evicted))
	b.write(", theirs AS (SELECT s.id FROM ", b.set.sessions, " s WHERE s.owner = ", owner, " AND s.owner <> ''",
		" AND s.id <> (SELECT id FROM changed) AND ", live,
		" ORDER BY s.created DESC, s.id OFFSET ", b.arg(c.MaxPerOwner-1), " FOR UPDATE)",
		", gone AS (DELETE FROM ", b.set.sessions, " s USING theirs WHERE s.id = theirs.id RETURNING s.id, ", toldOwner, ")",
		", evicted AS (SELECT gone.id, ", notify("gone", channel, head), " FROM gone)")
}

// assign writes the assignments of an update. The version comes first and always, so a comma precedes all others.
func (b *builder) assign(c *store.Change) {
	if c.Mutates() {
		b.write("version = s.version + 1")
	} else {
		b.write("version = s.version")
	}
	if c.Renews() {
		b.write(", token = ", b.arg(c.RenewTo[:]))
	}
	if c.Owner != nil {
		b.write(", owner = ", b.owner(c))
	}
	if c.Persistent != nil {
		b.write(", persistent = ", b.arg(*c.Persistent))
	}
	if len(c.Labels) > 0 {
		set, removed := splitLabels(c.Labels)
		b.write(", labels = (s.labels || ", b.arg(labelsJSON(set)), "::jsonb) - ", b.arg(removed), "::text[]")
	}
	b.assignTimes(c)
	switch {
	case c.Cleared:
		b.write(", data = ")
		b.data("'{}'::jsonb", c)
	case len(c.Edits) > 0:
		b.write(", data = ")
		b.data("s.data", c)
	}
}

// microseconds turns the number before it into an interval.
const microseconds = " * interval '1 microsecond'"

// assignTimes writes when the session ends. If a timeout changes, the session may end sooner, so the row also gets a
// new due. A new idle timeout counts from now, since otherwise a shorter one could end a session that is in use.
func (b *builder) assignTimes(c *store.Change) {
	idle, lapses, ends := "s.idle", "s.lapses", "s.ends"
	if c.IdleTimeout != 0 {
		idle = b.arg(c.IdleTimeout.Microseconds()) + "::bigint"
		lapses = "s.lapses + (" + idle + " - s.idle)" + microseconds
		b.write(", idle = ", idle)
	}
	if c.Touched || c.IdleTimeout != 0 { // last seen moves forward only
		lapses = "greatest(" + lapses + ", now() + " + idle + microseconds + ")"
	}
	if lapses != "s.lapses" {
		b.write(", lapses = ", lapses)
	}
	if c.Lifetime != 0 {
		ends = "s.created + " + b.arg(c.Lifetime.Microseconds()) + "::bigint" + microseconds
		b.write(", ends = ", ends)
	}
	if c.IdleTimeout != 0 || c.Lifetime != 0 {
		b.write(", due = ", dueAt("least("+lapses+", "+ends+")"))
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

// additions writes the object of sums that is merged into data. A single addition, such as a hit counter's, has a
// cheaper text. All larger numbers share one text.
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

// sum returns the expression of an integer in data plus a delta. The cast of the value's text to bigint fails for
// everything but integers (22P02). A sum beyond 64 bits fails too (22003).
func sum(data, name, delta string) string {
	return "coalesce((" + data + " -> " + name + ")::text, '0')::bigint + " + delta
}

// labelsJSON returns labels as a JSON object.
func labelsJSON(labels map[string]string) string {
	set, _ := splitLabels(labels)
	doc, _ := json.Marshal(set) // strings can always be encoded
	return string(doc)
}

// splitLabels separates the labels to set from those to remove, which have an empty text.
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
