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
	if c.Renews() {
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
	renews := c.Renews()
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
	if c.Renews() {
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
