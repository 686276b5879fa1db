-- Each live socket is one row, and so is each channel that has members. Both hold a stream: its messages are in the
-- tables of messages, under sid, a random number that no other stream has ever had.
-- Names, seats and owners are bytea, since they may be any bytes.
CREATE TABLE {{sockets}} (
	id            uuid        NOT NULL PRIMARY KEY,
	incarnation   bigint      NOT NULL,
	session       uuid        NOT NULL,
	created       timestamptz NOT NULL,
	away          timestamptz,                  -- how long it may stay away; null while it is connected
	received      bigint      NOT NULL,         -- the number of the last upward message
	sid           bigint      NOT NULL,
	top           bigint      NOT NULL,         -- the number of the newest message
	keep_age      bigint      NOT NULL,         -- microseconds
	keep_messages bigint      NOT NULL,
	keep_bytes    bigint      NOT NULL,
	welcomed      boolean     NOT NULL,
	epoch         text        NOT NULL,
	node          text        NOT NULL,
	endpoint      bytea       NOT NULL,
	owner         bytea       NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02); -- free space, so that an update changes no index

CREATE INDEX {{name}}_sockets_session ON {{sockets}} (session);
CREATE INDEX {{name}}_sockets_owner ON {{sockets}} (owner) WHERE owner <> '';
CREATE INDEX {{name}}_sockets_away ON {{sockets}} (away) WHERE away IS NOT NULL;
CREATE INDEX {{name}}_sockets_node ON {{sockets}} (node) WHERE away IS NULL;

CREATE TABLE {{channels}} (
	name          bytea   NOT NULL PRIMARY KEY,
	sid           bigint  NOT NULL,
	top           bigint  NOT NULL,
	keep_age      bigint  NOT NULL,
	keep_messages bigint  NOT NULL,
	keep_bytes    bigint  NOT NULL,
	epoch         text    NOT NULL,
	value_names   bytea[] NOT NULL,             -- the state: names in order, and a JSON document for each
	value_docs    bytea[] NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

CREATE TABLE {{members}} (
	channel bytea   NOT NULL,
	socket  uuid    NOT NULL,
	session uuid    NOT NULL,
	since   bigint  NOT NULL,                   -- the number of its joined event
	joined  bigint  NOT NULL GENERATED ALWAYS AS IDENTITY, -- tells the order of a socket's channels
	away    boolean NOT NULL,
	seat    bytea   NOT NULL,
	owner   bytea   NOT NULL,
	PRIMARY KEY (channel, socket)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX {{name}}_members_socket ON {{members}} (socket);

-- Three tables of messages take turns. One gets what is new, the one before is still read, and the third one is
-- truncated as a whole before its turn comes again. So no message is ever deleted by itself.
CREATE TABLE {{messages}} (
	slot   smallint    NOT NULL,
	sid    bigint      NOT NULL,
	n      bigint      NOT NULL,
	time   timestamptz NOT NULL,
	member boolean     NOT NULL,
	data   bytea       NOT NULL
) PARTITION BY LIST (slot);
CREATE TABLE {{messages0}} PARTITION OF {{messages}} (PRIMARY KEY (sid, n)) FOR VALUES IN (0);
CREATE TABLE {{messages1}} PARTITION OF {{messages}} (PRIMARY KEY (sid, n)) FOR VALUES IN (1);
CREATE TABLE {{messages2}} PARTITION OF {{messages}} (PRIMARY KEY (sid, n)) FOR VALUES IN (2);

CREATE TABLE {{turns}} (
	turn  bigint      NOT NULL,                 -- modulo three, the slot of new messages
	since timestamptz NOT NULL
);
INSERT INTO {{turns}} VALUES (0, now());

-- The servers that have taken sockets, and when each was last alive.
CREATE TABLE {{nodes}} (
	node text        NOT NULL PRIMARY KEY,
	seen timestamptz NOT NULL
);

-- commit commits a group of plain batches: those that only move the numbers of sockets and send. Batches have numbers
-- from 1, and sends are in their order. Sockets are locked before channels, and each of them in one order, as everywhere.
-- A row of the result tells of a batch that is refused (send is 0), or of a send, in which case why is the epoch.
--
-- It is a function, since PostgreSQL would plan the statement anew each time, which takes longer than to run it.
CREATE FUNCTION {{commit}} (
	uuid[], bigint[], bigint[], boolean[],                                -- of batches: socket, incarnation, number, welcome
	bigint[], uuid[], bytea[], bytea[], bigint[], bigint[], bigint[],     -- of sends: batch, socket or channel, data, retention
	uuid[], bytea[]                                                       -- sockets and channels
) RETURNS TABLE (no bigint, send bigint, why text, number bigint)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
RETURN QUERY WITH batch AS MATERIALIZED (
	SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::boolean[])
		WITH ORDINALITY AS b (socket, incarnation, received, welcomed, no)
), send AS MATERIALIZED (
	SELECT * FROM unnest($5::bigint[], $6::uuid[], $7::bytea[], $8::bytea[], $9::bigint[], $10::bigint[], $11::bigint[])
		WITH ORDINALITY AS x (no, socket, channel, data, keep_messages, keep_bytes, keep_age, send)
), sockets AS MATERIALIZED (
	SELECT s.id, s.incarnation, s.received FROM {{sockets}} s WHERE s.id = ANY ($12::uuid[]) ORDER BY s.id FOR UPDATE
), channels AS MATERIALIZED (
	SELECT c.name FROM {{channels}} c WHERE c.name = ANY ($13::bytea[]) AND (SELECT count(*) FROM sockets) >= 0
	ORDER BY c.name FOR UPDATE
), judged AS MATERIALIZED (
	SELECT b.no, b.socket, b.received, b.welcomed, CASE
		WHEN b.socket IS NULL THEN ''
		WHEN s.id IS NULL OR s.incarnation <> b.incarnation THEN 'fenced'
		WHEN b.received > 0 AND b.received <> s.received + 1 THEN 'order'
		ELSE '' END AS refusal, s.received AS was
	FROM batch b LEFT JOIN sockets s ON s.id = b.socket
), sent AS MATERIALIZED (
	SELECT x.*, row_number() OVER (PARTITION BY x.socket, x.channel ORDER BY x.send) AS nth,
		count(*) OVER (PARTITION BY x.socket, x.channel) AS n
	FROM send x JOIN judged j USING (no)
	WHERE j.refusal = '' AND (x.socket IN (SELECT id FROM sockets) OR x.channel IN (SELECT name FROM channels))
), moved AS (
	UPDATE {{sockets}} s SET top = s.top + u.n,
		received = CASE WHEN u.received > 0 THEN u.received ELSE s.received END, welcomed = s.welcomed OR u.welcomed,
		keep_messages = coalesce(u.keep_messages, s.keep_messages), keep_bytes = coalesce(u.keep_bytes, s.keep_bytes),
		keep_age = coalesce(u.keep_age, s.keep_age)
	FROM (
		SELECT coalesce(x.socket, j.socket) AS id, coalesce(x.n, 0) AS n, coalesce(j.received, 0) AS received,
			coalesce(j.welcomed, false) AS welcomed, x.keep_messages, x.keep_bytes, x.keep_age
		FROM (SELECT * FROM sent WHERE socket IS NOT NULL AND nth = n) x
		FULL JOIN (SELECT * FROM judged WHERE socket IS NOT NULL AND refusal = '') j ON j.socket = x.socket
	) u
	WHERE s.id = u.id RETURNING s.id, s.sid, s.epoch, s.top - u.n AS base
), grown AS (
	UPDATE {{channels}} c SET top = c.top + u.n, keep_messages = u.keep_messages, keep_bytes = u.keep_bytes,
		keep_age = u.keep_age
	FROM (SELECT * FROM sent WHERE channel IS NOT NULL AND nth = n) u
	WHERE c.name = u.channel RETURNING c.name, c.sid, c.epoch, c.top - u.n AS base
), placed AS MATERIALIZED (
	SELECT x.no, x.send, x.data, coalesce(m.sid, g.sid) AS sid, coalesce(m.epoch, g.epoch) AS epoch,
		coalesce(m.base, g.base) + x.nth AS number
	FROM sent x LEFT JOIN moved m ON m.id = x.socket LEFT JOIN grown g ON g.name = x.channel
), stored AS (
	INSERT INTO {{messages}} (slot, sid, n, time, member, data)
	SELECT (SELECT turn % 3 FROM {{turns}}), sid, number, now(), false, data FROM placed
)
SELECT no, 0 AS send, refusal, coalesce(was, 0) AS number FROM judged WHERE refusal <> ''
UNION ALL SELECT no, send, epoch, number FROM placed;
END
$$;
