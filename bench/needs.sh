# Sourced by scripts/module.sh.
. ../scripts/postgres.sh
need wrk wrk
need_postgres_bin
