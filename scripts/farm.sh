#!/usr/bin/env bash
# Starts a whole site on this machine: a throw-away database, three forums on it, and a balancer that sends each request
# to the next one. Prints the address, and stops and removes everything on Ctrl-C. The balancer listens at FARM_LISTEN.
set -euo pipefail
set -m # each job has its own process group, so Ctrl-C reaches only this script, which stops the jobs in order
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/need.sh
. scripts/postgres.sh

listen=${FARM_LISTEN:-127.0.0.1:8080}
servers=3

need haproxy haproxy
need_postgres_bin

dir=$(mktemp -d "${TMPDIR:-/tmp}/farm.XXXXXX")
jobs_started=()
addresses=()
database_started=

# as_owner runs a program of the database, which refuses to run as root.
as_owner() {
	if [ "$(id -u)" -eq 0 ]; then (cd "$dir" && runuser -u postgres -- "$@"); else (cd "$dir" && "$@"); fi
}

stop_all() {
	trap '' INT TERM
	printf '\nfarm: stopping\n'
	for pid in "${jobs_started[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
	for pid in "${jobs_started[@]}"; do wait "$pid" 2>/dev/null || true; done
	[ -z "$database_started" ] || as_owner "$postgres_bin/pg_ctl" -D "$dir/db/data" -s -m fast stop || true
	rm -rf "$dir"
}
trap stop_all EXIT
trap "exit 0" INT TERM

# The database listens on a socket in a private folder, so it needs neither a port nor a password.
start_database() {
	chmod 711 "$dir"
	mkdir -m 700 "$dir/db"
	if [ "$(id -u)" -eq 0 ]; then chown postgres: "$dir/db"; fi
	as_owner "$postgres_bin/initdb" -D "$dir/db/data" -U forum -A trust -E UTF8 --locale=C --no-sync >/dev/null
	database_started=yes
	as_owner "$postgres_bin/pg_ctl" -D "$dir/db/data" -l "$dir/db/log" -s -w start \
		-o "-c listen_addresses='' -c unix_socket_directories='$dir/db'"
	as_owner "$postgres_bin/createdb" -h "$dir/db" -U forum forum
}

# start_forum NUMBER starts a forum on a free port, and adds it to addresses.
start_forum() {
	local out=$dir/forum$1 address=
	"$dir/forum" -name "forum$1" -listen 127.0.0.1:0 -trusted-proxies 127.0.0.1 \
		-store "postgres://forum@/forum?host=$dir/db" >"$out" 2>"$out.log" &
	local pid=$!
	jobs_started+=("$pid")
	for _ in $(seq 200); do
		address=$(sed -n 's|^forum: http://\(.*\)/$|\1|p' "$out")
		[ -z "$address" ] || break
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	[ -n "$address" ] || { cat "$out.log" >&2; exit 1; }
	addresses+=("$address")
	echo "farm: forum$1 is process $pid at http://$address/"
}

# start_balancer checks each server in two ways. Visitors go to servers that are ready, where all pages work. If none is
# ready, as when the database is down, they go to servers that are live, where pages without a session work. A request
# whose connection is refused goes to another server. A request that a server may have begun is not sent again, since a
# visit would count twice. Connections to servers are not kept, since a server could close one at that moment.
start_balancer() {
	balancer_config >"$dir/haproxy.cfg"
	haproxy -q -c -f "$dir/haproxy.cfg"
	haproxy -db -f "$dir/haproxy.cfg" 2>"$dir/haproxy.log" &
	jobs_started+=($!)
}

balancer_config() {
	cat <<-END
		defaults
			mode http
			timeout connect 1s
			timeout check 2s
			timeout client 60s
			timeout server 60s
			option http-server-close
			option redispatch 1
			retries 3
			retry-on conn-failure
			default-server inter 250ms fall 1 rise 1
		frontend site
			bind $listen
			http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
			http-response set-header X-Served-By %s
			use_backend ready if { nbsrv(ready) gt 0 }
			default_backend live
	END
	backend ready /readyz
	backend live /livez
}

# backend NAME PATH is a group of all servers that answer 200 at PATH.
backend() {
	cat <<-END
		backend $1
			balance roundrobin
			option httpchk GET $2
	END
	local i
	for i in "${!addresses[@]}"; do echo "	server forum$((i + 1)) ${addresses[i]} check"; done
}

go build -o "$dir/forum" ./example/forum
start_database
FORUM_KEYS=$(head -c 32 /dev/urandom | base64)
export FORUM_KEYS
for number in $(seq "$servers"); do start_forum "$number"; done
start_balancer
balancer=${jobs_started[-1]}
for _ in $(seq 100); do
	(exec 3<>"/dev/tcp/${listen%:*}/${listen##*:}") 2>/dev/null && break
	kill -0 "$balancer" 2>/dev/null || { cat "$dir/haproxy.log" >&2; exit 1; }
	sleep 0.05
done
echo "farm: the database's folder is $dir/db/data"
echo "farm: http://$listen/ (Ctrl-C stops it; kill a forum, and the site still works)"
wait "$balancer"
