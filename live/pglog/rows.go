package pglog

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
)

func uuid(id [16]byte) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

func uuids(ids []stream.ID) []pgtype.UUID {
	all := make([]pgtype.UUID, len(ids))
	for i, id := range ids {
		all[i] = uuid(id)
	}
	return all
}

func byteas(names []string) [][]byte {
	all := make([][]byte, len(names))
	for i, name := range names {
		all[i] = []byte(name)
	}
	return all
}

const socketColumns = `s.id, s.incarnation, s.session, s.owner, s.node, s.endpoint, s.created, s.welcomed, s.received,
	s.away, s.sid, s.epoch, s.top, s.keep_messages, s.keep_bytes, s.keep_age`

// scanSocket reads socketColumns, and more behind them.
func scanSocket(row pgx.Row, more ...any) (*socket, error) {
	var s socket
	var id, session pgtype.UUID
	var owner, endpoint []byte
	var away *time.Time
	var keep int64
	into := []any{
		&id, &s.info.Incarnation, &session, &owner, &s.info.Node, &endpoint, &s.info.Created, &s.info.Welcomed,
		&s.info.In, &away, &s.sid, &s.epoch, &s.top, &s.keep.Messages, &s.keep.Bytes, &keep,
	}
	if err := row.Scan(append(into, more...)...); err != nil {
		return nil, err
	}
	s.info.ID, s.info.Session = id.Bytes, session.Bytes
	s.info.Owner, s.info.Endpoint = string(owner), string(endpoint)
	if away != nil {
		s.info.AwayUntil = *away
	}
	s.keep.Age = time.Duration(keep) * time.Microsecond
	return &s, nil
}

const channelColumns = `c.name, c.sid, c.epoch, c.top, c.keep_messages, c.keep_bytes, c.keep_age,
	c.value_names, c.value_docs`

// scanChannel reads channelColumns, and more behind them.
func scanChannel(row pgx.Row, more ...any) (*channel, error) {
	c := channel{stored: true}
	var name []byte
	var keep int64
	var names, docs [][]byte
	into := []any{&name, &c.sid, &c.epoch, &c.top, &c.keep.Messages, &c.keep.Bytes, &keep, &names, &docs}
	if err := row.Scan(append(into, more...)...); err != nil {
		return nil, err
	}
	c.keep.Age = time.Duration(keep) * time.Microsecond
	values := make([]store.Value, min(len(names), len(docs)))
	for i := range values {
		values[i] = store.Value{Name: string(names[i]), JSON: string(docs[i])}
	}
	c.is = stream.Channel{Name: string(name), Top: c.position(), State: store.MakeValues(values)}
	return &c, nil
}

const memberColumns = `m.channel, m.socket, m.session, m.owner, m.seat, m.away, m.since`

func scanMember(row pgx.Row) (channel string, m stream.Member, err error) {
	var socket, session pgtype.UUID
	var name, owner, seat []byte
	err = row.Scan(&name, &socket, &session, &owner, &seat, &m.Away, &m.Since)
	m.Socket, m.Session, m.Owner, m.Seat = socket.Bytes, session.Bytes, string(owner), string(seat)
	return string(name), m, err
}

// each calls f with each row of the next result.
func each(r pgx.BatchResults, f func(pgx.Rows) error) error {
	rows, err := r.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	rows.Close()
	return rows.Err()
}

// Needs are what has to be locked and read for requests.
type needs struct {
	sockets   []stream.ID // in order
	of        []stream.ID // whose channels are needed, with their members
	channels  []string    // in order
	exclusive []string    // those of them whose members are needed
}

// load locks and reads what is needed, in one round trip, or in two where channels are known only by their members.
// Sockets are locked before channels, and each of them in one order for all, so that no two transactions wait for each
// other.
func (l *Log) load(ctx context.Context, conn *pgx.Conn, begin bool, n *needs) (*state, error) {
	st := &state{sockets: map[stream.ID]*socket{}, channels: map[string]*channel{}, in: map[stream.ID][]string{}}
	var b pgx.Batch
	begins := 0 // statements
	if begin {
		begins = 2
		b.Queue("BEGIN ISOLATION LEVEL READ COMMITTED")
		b.Queue(limitIdle)
	}
	b.Queue(l.sql.lockSockets, uuids(n.sockets))
	if len(n.of) > 0 {
		b.Queue(l.sql.memberships, uuids(n.of))
	} else {
		l.queueChannels(&b, n)
	}
	r := conn.SendBatch(ctx, &b)
	defer r.Close()
	for range begins {
		if _, err := r.Exec(); err != nil {
			return nil, err
		}
	}
	err := each(r, func(rows pgx.Rows) error {
		s, err := scanSocket(rows)
		if err == nil {
			st.sockets[s.info.ID] = s
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(n.of) == 0 {
		err = st.readChannels(r, n)
	} else {
		err = l.loadOf(ctx, conn, r, st, n)
	}
	if err != nil {
		return nil, err
	}
	return st, r.Close()
}

// loadOf reads which channels sockets are in, and then locks and reads them.
func (l *Log) loadOf(ctx context.Context, conn *pgx.Conn, r pgx.BatchResults, st *state, n *needs) error {
	err := each(r, func(rows pgx.Rows) error {
		var id pgtype.UUID
		var name []byte
		if err := rows.Scan(&id, &name); err != nil {
			return err
		}
		st.in[id.Bytes] = append(st.in[id.Bytes], string(name))
		n.channels, n.exclusive = append(n.channels, string(name)), append(n.exclusive, string(name))
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.Close(); err != nil {
		return err
	}
	var b pgx.Batch
	l.queueChannels(&b, n)
	again := conn.SendBatch(ctx, &b)
	defer again.Close()
	if err := st.readChannels(again, n); err != nil {
		return err
	}
	return again.Close()
}

// queueChannels adds the statements that lock and read channels. A change of members takes a lock of its own, since
// there is no row to lock where the channel comes to be.
func (l *Log) queueChannels(b *pgx.Batch, n *needs) {
	n.channels, n.exclusive = distinct(n.channels), distinct(n.exclusive)
	if len(n.exclusive) > 0 {
		b.Queue("SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k", l.locks("members", n.exclusive))
	}
	if len(n.channels) > 0 {
		b.Queue(l.sql.lockChannels, byteas(n.channels))
	}
	if len(n.exclusive) > 0 {
		b.Queue(l.sql.members, byteas(n.exclusive))
	}
	b.Queue(l.sql.clock)
}

func (st *state) readChannels(r pgx.BatchResults, n *needs) error {
	if len(n.exclusive) > 0 {
		if _, err := r.Exec(); err != nil {
			return err
		}
	}
	if len(n.channels) > 0 {
		err := each(r, func(rows pgx.Rows) error {
			c, err := scanChannel(rows)
			if err == nil {
				st.channels[c.is.Name] = c
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if len(n.exclusive) > 0 {
		for _, name := range n.exclusive {
			if c := st.channels[name]; c != nil {
				c.loaded = true
			}
		}
		err := each(r, func(rows pgx.Rows) error {
			name, m, err := scanMember(rows)
			if c := st.channels[name]; err == nil && c != nil {
				c.is.Members = append(c.is.Members, m)
				c.was = c.is.Members
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return r.QueryRow().Scan(&st.now, &st.turn)
}
