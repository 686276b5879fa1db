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
CREATE TABLE {{messages0}} (
	sid    bigint      NOT NULL,
	n      bigint      NOT NULL,
	time   timestamptz NOT NULL,
	member boolean     NOT NULL,
	data   bytea       NOT NULL,
	PRIMARY KEY (sid, n)
);
CREATE TABLE {{messages1}} (LIKE {{messages0}} INCLUDING ALL);
CREATE TABLE {{messages2}} (LIKE {{messages0}} INCLUDING ALL);

CREATE TABLE {{turns}} (
	turn  bigint      NOT NULL,                 -- modulo three, which table gets new messages
	since timestamptz NOT NULL
);
INSERT INTO {{turns}} VALUES (0, now());

-- The servers that have taken sockets, and when each was last alive.
CREATE TABLE {{nodes}} (
	node text        NOT NULL PRIMARY KEY,
	seen timestamptz NOT NULL
);
