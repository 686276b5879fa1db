# Sourced by scripts/module.sh.
. ../scripts/postgres.sh
need chromium chromium
need haproxy haproxy
need_postgres_bin
