package pglog

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lazysession/session/live/stream"
)

// store writes a change and commits, in one round trip.
func (l *Log) store(ctx context.Context, conn *pgx.Conn, st *state, c *change) error {
	var b pgx.Batch
	l.queueSockets(&b, c)
	l.queueChannelRows(&b, c)
	for _, one := range c.cuts {
		b.Queue(l.sql.cutMessages, one.sid, int64(one.above))
	}
	l.queueMessages(&b, st, c)
	b.Queue("COMMIT")
	return conn.SendBatch(ctx, &b).Close()
}

func (l *Log) queueSockets(b *pgx.Batch, c *change) {
	var gone []stream.ID
	var ids []pgtype.UUID
	var incarnations, received, sids, tops, keepAges, keepMessages, keepBytes []int64
	var aways []*time.Time
	var welcomed []bool
	var epochs, nodes []string
	var owners [][]byte
	for id, s := range c.sockets {
		if s.gone {
			gone = append(gone, id)
			continue
		}
		ids, incarnations = append(ids, uuid(id)), append(incarnations, int64(s.info.Incarnation))
		received, welcomed = append(received, int64(s.info.In)), append(welcomed, s.info.Welcomed)
		sids, tops, epochs = append(sids, s.sid), append(tops, int64(s.top)), append(epochs, s.epoch)
		nodes, owners = append(nodes, s.info.Node), append(owners, []byte(s.info.Owner))
		keepAges = append(keepAges, s.keep.Age.Microseconds())
		keepMessages, keepBytes = append(keepMessages, int64(s.keep.Messages)), append(keepBytes, int64(s.keep.Bytes))
		var away *time.Time
		if !s.info.AwayUntil.IsZero() {
			away = &s.info.AwayUntil
		}
		aways = append(aways, away)
	}
	if len(ids) > 0 {
		b.Queue(l.sql.updateSockets, ids, incarnations, received, sids, tops, keepAges, keepMessages, keepBytes, aways,
			welcomed, epochs, nodes, owners)
	}
	if len(gone) > 0 {
		b.Queue(l.sql.deleteSockets, uuids(gone))
	}
}

func (l *Log) queueChannelRows(b *pgx.Batch, c *change) {
	var gone []string
	for _, name := range named(c.channels) {
		ch := c.channels[name]
		l.queueMembers(b, ch)
		switch {
		case !ch.empty():
			var names, docs [][]byte
			for name, doc := range ch.is.State.All() {
				names, docs = append(names, []byte(name)), append(docs, []byte(doc))
			}
			b.Queue(l.sql.putChannel, []byte(name), ch.sid, int64(ch.top), ch.keep.Age.Microseconds(), ch.keep.Messages,
				ch.keep.Bytes, ch.epoch, notNull(names), notNull(docs))
		case ch.stored:
			gone = append(gone, name)
		}
	}
	if len(gone) > 0 {
		b.Queue(l.sql.deleteChannels, byteas(gone))
	}
}

func notNull(all [][]byte) [][]byte {
	if all == nil {
		return [][]byte{}
	}
	return all
}

// queueMembers writes the members that differ from those that are stored.
func (l *Log) queueMembers(b *pgx.Batch, c *channel) {
	if !c.loaded {
		return
	}
	name := []byte(c.is.Name)
	var left []stream.ID
	for _, m := range c.was {
		if !slices.ContainsFunc(c.is.Members, func(now stream.Member) bool {
			return now.Socket == m.Socket && now.Since == m.Since
		}) {
			left = append(left, m.Socket)
		}
	}
	if len(left) > 0 {
		b.Queue(l.sql.deleteMembers, name, uuids(left))
	}
	for _, m := range c.is.Members {
		at := slices.IndexFunc(c.was, func(was stream.Member) bool {
			return was.Socket == m.Socket && was.Since == m.Since
		})
		switch {
		case at < 0:
			b.Queue(l.sql.addMember, name, uuid(m.Socket), uuid(m.Session), int64(m.Since), m.Away, []byte(m.Seat),
				[]byte(m.Owner))
		case c.was[at].Away != m.Away:
			b.Queue(l.sql.markMember, name, uuid(m.Socket), m.Away)
		}
	}
}

func (l *Log) queueMessages(b *pgx.Batch, st *state, c *change) {
	if len(c.messages) == 0 {
		return
	}
	n := len(c.messages)
	sids, numbers, members, data := make([]int64, n), make([]int64, n), make([]bool, n), make([][]byte, n)
	for i, m := range c.messages {
		sids[i], numbers[i], members[i], data[i] = m.sid, int64(m.number), m.member, notNil(m.data)
	}
	b.Queue(l.sql.addMessages, sids, numbers, members, data, st.now, int16(st.turn%3))
}
