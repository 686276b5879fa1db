package pglog

// texts are the SQL of statements. pgx prepares each of them once for each connection.
type texts struct {
	lockSockets, lockChannels, memberships, members, clock    string
	takeNew, updateSockets, deleteSockets                     string
	putChannel, deleteChannels                                string
	addMember, deleteMembers, markMember                      string
	readSocket, readChannel, newSocketEpoch, newChannelEpoch  string
	channel, sockets, overdue, orphans, topsOfSockets, topsOf string
	beat, turnDue, turn, forgetNodes, removeDoubtful          string
	commit, addMessages, cutMessages, answer                  string
}

func newTexts(s *settings) texts {
	const socketChannels = `ARRAY(SELECT m.channel FROM {{members}} m WHERE m.socket = s.id ORDER BY m.joined)`
	const messages = `LEFT JOIN LATERAL (
	SELECT a.n, a.time, a.member, a.data FROM {{messages}} a WHERE a.sid = q.sid AND a.n > $2 ORDER BY a.n LIMIT $3
) m ON true`
	const lines = `q.epoch, q.top, q.keep_messages`
	const noted = `m.n, m.time, m.member, m.data`
	return texts{
		answer: s.fill(answerSQL),
		commit: s.fill(`SELECT no, send, why, number
FROM {{commit}}($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`),
		lockSockets: s.fill(`SELECT ` + socketColumns + ` FROM {{sockets}} s WHERE s.id = ANY ($1::uuid[])` +
			` ORDER BY s.id FOR UPDATE`),
		lockChannels: s.fill(`SELECT ` + channelColumns + ` FROM {{channels}} c WHERE c.name = ANY ($1::bytea[])` +
			` ORDER BY c.name FOR UPDATE`),
		memberships: s.fill(`SELECT m.socket, m.channel FROM {{members}} m WHERE m.socket = ANY ($1::uuid[])` +
			` ORDER BY m.joined`),
		members: s.fill(`SELECT ` + memberColumns + ` FROM {{members}} m WHERE m.channel = ANY ($1::bytea[])` +
			` ORDER BY m.channel, m.since`),
		clock: s.fill(`SELECT clock_timestamp(), turn FROM {{turns}}`),

		takeNew: s.fill(`INSERT INTO {{sockets}} AS s (id, incarnation, session, created, received, sid, top, keep_age,
	keep_messages, keep_bytes, welcomed, epoch, node, endpoint, owner)
VALUES ($1, 1, $2, clock_timestamp(), 0, $3, 0, $4, $5, $6, false, $7, $8, $9, $10)
ON CONFLICT DO NOTHING RETURNING ` + socketColumns),
		updateSockets: s.fill(`UPDATE {{sockets}} s SET incarnation = u.incarnation, received = u.received, sid = u.sid,
	top = u.top, keep_age = u.keep_age, keep_messages = u.keep_messages, keep_bytes = u.keep_bytes, away = u.away,
	welcomed = u.welcomed, epoch = u.epoch, node = u.node, owner = u.owner
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
	$8::bigint[],
	$9::timestamptz[], $10::boolean[], $11::text[], $12::text[], $13::bytea[])
	AS u (id, incarnation, received, sid, top, keep_age, keep_messages, keep_bytes, away, welcomed, epoch, node, owner)
WHERE s.id = u.id`),
		deleteSockets: s.fill(`DELETE FROM {{sockets}} WHERE id = ANY ($1::uuid[])`),
		putChannel: s.fill(`INSERT INTO {{channels}} (name, sid, top, keep_age, keep_messages, keep_bytes, epoch,
	value_names, value_docs) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (name) DO UPDATE SET sid = $2, top = $3, keep_age = $4, keep_messages = $5, keep_bytes = $6, epoch = $7,
	value_names = $8, value_docs = $9`),
		deleteChannels: s.fill(`DELETE FROM {{channels}} WHERE name = ANY ($1::bytea[])`),
		addMember: s.fill(`INSERT INTO {{members}} (channel, socket, session, since, away, seat, owner)
VALUES ($1, $2, $3, $4, $5, $6, $7)`),
		deleteMembers: s.fill(`DELETE FROM {{members}} WHERE channel = $1 AND socket = ANY ($2::uuid[])`),
		markMember:    s.fill(`UPDATE {{members}} SET away = $3 WHERE channel = $1 AND socket = $2`),

		addMessages: s.fill(`INSERT INTO {{messages}} (slot, sid, n, time, member, data)
SELECT $6, u.sid, u.n, $5, u.member, u.data
FROM unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::bytea[]) AS u (sid, n, member, data)`),
		cutMessages: s.fill(`DELETE FROM {{messages}} WHERE sid = $1 AND n > $2`),

		readSocket: s.fill(`SELECT ` + lines + `, ` + noted + ` FROM {{sockets}} q ` + messages +
			` WHERE q.id = $1 ORDER BY m.n`),
		readChannel: s.fill(`SELECT ` + lines + `, ` + noted + ` FROM {{channels}} q ` + messages +
			` WHERE q.name = $1 ORDER BY m.n`),
		newSocketEpoch: s.fill(`UPDATE {{sockets}} SET epoch = $4 WHERE id = $1 AND epoch = $2 AND top < $3
RETURNING top`),
		newChannelEpoch: s.fill(`UPDATE {{channels}} SET epoch = $4 WHERE name = $1 AND epoch = $2 AND top < $3
RETURNING top`),

		channel: s.fill(`SELECT ` + channelColumns + `, m.socket, m.session, m.owner, m.seat, m.away, m.since
FROM {{channels}} c LEFT JOIN {{members}} m ON m.channel = c.name WHERE c.name = $1 ORDER BY m.since`),
		sockets: s.fill(`SELECT ` + socketColumns + `, ` + socketChannels + ` FROM {{sockets}} s
WHERE s.id > $1 AND ($2::uuid IS NULL OR s.id = $2) AND ($3::uuid IS NULL OR s.session = $3)
	AND ($4::bytea IS NULL OR s.owner = $4)
	AND ($5::bytea IS NULL OR EXISTS (SELECT FROM {{members}} m WHERE m.channel = $5 AND m.socket = s.id))
ORDER BY s.id LIMIT $6`),
		overdue: s.fill(`SELECT ` + socketColumns + `, ` + socketChannels + ` FROM {{sockets}} s
WHERE s.away <= now() ORDER BY s.away LIMIT $1`),
		orphans: s.fill(`SELECT s.id, s.incarnation FROM {{sockets}} s JOIN {{nodes}} n USING (node)
WHERE s.away IS NULL AND n.seen < now() - $1::interval LIMIT $2`),
		topsOfSockets: s.fill(`SELECT id, incarnation, epoch, top FROM {{sockets}} WHERE id = ANY ($1::uuid[])`),
		topsOf:        s.fill(`SELECT name, epoch, top FROM {{channels}} WHERE name = ANY ($1::bytea[])`),

		beat: s.fill(`INSERT INTO {{nodes}} AS n (node, seen) SELECT node, now() FROM unnest($1::text[]) AS node ORDER BY node
ON CONFLICT (node) DO UPDATE SET seen = now()`),
		turnDue: s.fill(`SELECT turn FROM {{turns}} WHERE since < now() - $1::interval FOR UPDATE SKIP LOCKED`),
		forgetNodes: s.fill(`DELETE FROM {{nodes}} n WHERE n.seen < now() - interval '1 hour'
	AND NOT EXISTS (SELECT FROM {{sockets}} s WHERE s.node = n.node AND s.away IS NULL)`),
		removeDoubtful: s.fill(`DELETE FROM {{sockets}} WHERE id = ANY ($1::uuid[]) AND incarnation = 1`),
		turn:           s.fill(`UPDATE {{turns}} SET turn = turn + 1, since = now()`),
	}
}
