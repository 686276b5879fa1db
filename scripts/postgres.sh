# Sourced, after need.sh, by scripts that start a PostgreSQL server.

# need_postgres_bin makes sure that a server's programs are there, and sets postgres_bin to their folder.
need_postgres_bin() {
	find_postgres_bin && return
	install_packages "a PostgreSQL server" postgresql
	find_postgres_bin || missing "a PostgreSQL server" postgresql
}

# In Debian they are not on the path, since there can be several versions. Take the newest.
find_postgres_bin() {
	local dir
	for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin | sort -rV) \
		"$(dirname "$(command -v initdb || echo /nowhere/initdb)")"; do
		[ -x "$dir/initdb" ] && [ -x "$dir/pg_ctl" ] || continue
		postgres_bin=$dir
		return
	done
	return 1
}
