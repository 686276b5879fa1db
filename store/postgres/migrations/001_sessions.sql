-- Each session is one row. The row has the times at which the session ends instead of the time when it was last seen.
-- So every statement can check whether it has ended without a computation, from columns that can't overflow. The
-- eight-byte columns come first, and none is null, so that no byte is used for padding or for a bitmap of nulls.
CREATE TABLE {{sessions}} (
	created    timestamptz NOT NULL,
	lapses     timestamptz NOT NULL,             -- when it ends if it is not used before; last-seen is lapses - idle
	ends       timestamptz NOT NULL,             -- when it ends however much it is used
	due        timestamptz NOT NULL,             -- when the sweeper looks at it next; see sweep.go
	idle       bigint      NOT NULL,             -- microseconds without use until it lapses
	id         uuid        NOT NULL PRIMARY KEY,
	version    integer     NOT NULL,             -- one more after each change; two thousand million are enough
	persistent boolean     NOT NULL,
	token      bytea       NOT NULL,             -- hash (SHA-256) of the raw token
	owner      text        NOT NULL,             -- empty: none
	labels     jsonb       NOT NULL,
	data       jsonb       NOT NULL,             -- name to value; see data.go
	-- A hash index is half as large as a B-tree on 32 random bytes. As an exclusion constraint it is unique.
	CONSTRAINT {{name}}_token EXCLUDE USING hash (token WITH =)
	-- No CHECK: PostgreSQL parses it in each statement that writes, which took a tenth of a commit's time.
) WITH (
	-- Free space on each page, so that a touch can stay on its page and writes to no index (HOT).
	fillfactor = 90,
	-- Rows are often created and removed. By default vacuum would wait until a fifth of the table is dead.
	autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_insert_scale_factor = 0.05,
	autovacuum_analyze_scale_factor = 0.05
);

CREATE INDEX {{name}}_due ON {{sessions}} (due);

CREATE INDEX {{name}}_owner ON {{sessions}} (owner) WHERE owner <> '';

-- Tokens that renewals have replaced, for two minutes.
CREATE TABLE {{retired}} (
	token bytea       NOT NULL PRIMARY KEY,
	until timestamptz NOT NULL
);

CREATE INDEX {{name}}_retired_until ON {{retired}} (until);
