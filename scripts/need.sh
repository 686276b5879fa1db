# Sourced by scripts that need programs of the system. Installs missing programs from Debian where that is possible.
# Elsewhere the script ends with a sentence that says what to install.

# need COMMAND PACKAGE... makes sure that COMMAND can be run.
need() {
	local command=$1
	shift
	command -v "$command" >/dev/null && return
	install_packages "$command" "$@"
	command -v "$command" >/dev/null || missing "$command" "$@"
}

# need_go makes sure that there is Go.
need_go() {
	command -v go >/dev/null || { echo "Go is missing: install the version that go.mod names, or newer" >&2; exit 1; }
}

# need_compiler makes sure that C compiles, since the race detector links with C. A compiler without the headers of the
# C library, which Debian installs without recommended packages, is not enough.
need_compiler() {
	compiles && return
	install_packages "a C compiler" gcc libc6-dev
	compiles || missing "a C compiler" gcc libc6-dev
}

compiles() {
	echo '#include <stdlib.h>' | "${CC:-gcc}" -x c -fsyntax-only - 2>/dev/null
}

# need_modules makes sure that the tests' modules are there. Cached ones need no network. To download others, Go needs
# the root certificates, which a minimal Debian lacks.
need_modules() {
	certificates_there && return
	go list -deps -test ./... >/dev/null 2>&1 && return
	need_certificates
}

# need_certificates makes sure that programs can check whom they download from.
need_certificates() {
	certificates_there || install_packages "root certificates" ca-certificates
}

certificates_there() { [ -s /etc/ssl/certs/ca-certificates.crt ]; }

# need_postgres makes sure that tests can start PostgreSQL and PgBouncer, unless they use the user's own server.
need_postgres() {
	PATH=$PATH:/usr/sbin # where Debian keeps pgbouncer
	[ -z "${SESSION_TEST_POSTGRES:-}" ] || return 0
	postgres_there || install_stopped "a PostgreSQL server" postgresql
	postgres_there || missing "a PostgreSQL server" postgresql
	command -v pgbouncer >/dev/null || install_stopped pgbouncer pgbouncer
}

postgres_there() {
	command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

# install_stopped is install_packages for servers. Debian starts them at once, unless policy-rc.d forbids it.
install_stopped() (
	policy=/usr/sbin/policy-rc.d
	if [ "$(id -u)" -eq 0 ] && [ ! -e "$policy" ]; then
		trap 'rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod +x "$policy"
	fi
	install_packages "$@"
)

# install_packages WHAT PACKAGE... installs as root or with sudo, and never asks for a password.
install_packages() {
	local what=$1 sudo=
	shift
	command -v apt-get >/dev/null || missing "$what" "$@"
	if [ "$(id -u)" -ne 0 ]; then
		sudo -n true 2>/dev/null || missing "$what" "$@"
		sudo="sudo -n"
	fi
	echo "installing $what: $*"
	$sudo apt-get update -q >/dev/null
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" </dev/null >/dev/null
}

missing() {
	local what=$1
	shift
	echo "$what is missing and can't be installed from here. On Debian: apt-get install $*" >&2
	exit 1
}
