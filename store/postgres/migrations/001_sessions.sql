-- One row a session. The times at which it ends are kept rather than the time it was last seen, so that every statement
-- can ask whether it has without computing anything, from columns that can't overflow. The eight-byte columns come first,
-- and nothing is null, so that no byte goes to padding or to a bitmap of nulls.
CREATE TABLE {{sessions}} (
	created    timestamptz NOT NULL,
	lapses     timestamptz NOT NULL,             -- when it ends if it is not used before; last seen is lapses - idle
	ends       timestamptz NOT NULL,             -- when it ends however much it is used
	due        timestamptz NOT NULL,             -- when the sweeper looks at it next; see sweep.go
	idle       bigint      NOT NULL,             -- microseconds without use until it lapses
	id         uuid        NOT NULL PRIMARY KEY,
	version    integer     NOT NULL,             -- one more with each change; nobody makes two thousand million
	persistent boolean     NOT NULL,
	token      bytea       NOT NULL,             -- SHA-256 of the visitor's token
	owner      text        NOT NULL,             -- empty: nobody's
	labels     jsonb       NOT NULL,
	data       jsonb       NOT NULL,             -- name to value; see data.go
	-- A hash index takes half the room of a B-tree on 32 random bytes, and as an exclusion constraint is unique.
	CONSTRAINT {{name}}_token EXCLUDE USING hash (token WITH =)
	-- No CHECK: PostgreSQL parses one anew in each statement that writes, which took a tenth of a commit's time.
) WITH (
	-- Room on each page, so that a touch finds some there and need not go through the indexes (HOT).
	fillfactor = 90,
	-- Sessions come and go: a tenth of the table is too long to wait for.
	autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_insert_scale_factor = 0.05,
	autovacuum_analyze_scale_factor = 0.05
);

CREATE INDEX {{name}}_due ON {{sessions}} (due);

CREATE INDEX {{name}}_owner ON {{sessions}} (owner) WHERE owner <> '';

-- Tokens that a renewal has replaced, for two minutes.
CREATE TABLE {{retired}} (
	token bytea       NOT NULL PRIMARY KEY,
	until timestamptz NOT NULL
);

CREATE INDEX {{name}}_retired_until ON {{retired}} (until);
