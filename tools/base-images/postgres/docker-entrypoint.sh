#!/bin/bash
# Makes the cluster in $PGDATA at the first start, by the POSTGRES_ variables, then runs the server as `postgres`.
set -Eeo pipefail

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# NAME, or the contents of the file that NAME_FILE names, or a default.
read_setting() {
    local name="$1" default="${2:-}" file_name="${1}_FILE"
    if [ -n "${!name:-}" ] && [ -n "${!file_name:-}" ]; then fail "both $name and $file_name are set"; fi
    local value="$default"
    if [ -n "${!name:-}" ]; then
        value="${!name}"
    elif [ -n "${!file_name:-}" ]; then
        value="$(<"${!file_name}")"
    fi
    export "$name"="$value"
    unset "$file_name"
}

make_directories() {
    mkdir -p "$PGDATA"
    chmod 00700 "$PGDATA" 2>/dev/null || :
    mkdir -p /var/run/postgresql
    chmod 03775 /var/run/postgresql 2>/dev/null || :
    if [ "$(id -u)" = 0 ]; then
        find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
        find /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
    fi
}

check_settings() {
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
        fail "Database is uninitialized and superuser password is not specified.
       Set POSTGRES_PASSWORD to a text that is not empty (docker run -e POSTGRES_PASSWORD=...),
       or POSTGRES_HOST_AUTH_METHOD=trust to let everybody in who reaches the port."
    fi
    if [ "$POSTGRES_HOST_AUTH_METHOD" = trust ]; then
        echo 'warning: POSTGRES_HOST_AUTH_METHOD is "trust": whoever reaches the port needs no password' >&2
    fi
}

make_cluster() {
    local arguments=()
    if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then arguments+=(--waldir "$POSTGRES_INITDB_WALDIR"); fi
    # Options with quotes are read as a shell would.
    eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") "${arguments[@]}" '"$POSTGRES_INITDB_ARGS"' "$@"'
    local method="${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption "$@")}"
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

# Only on the socket: nobody connects before everything is set up.
start_for_setup() {
    PGUSER="$POSTGRES_USER" pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p 5432" -w start
}

run_sql() {
    local database=(--dbname "$POSTGRES_DB")
    if [ "${1:-}" = --no-database ]; then
        database=(--dbname postgres)
        shift
    fi
    PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc "${database[@]}" "$@"
}

make_database() {
    [ "$POSTGRES_DB" != postgres ] || return 0
    run_sql --no-database --set name="$POSTGRES_DB" <<<'CREATE DATABASE :"name" ;'
}

run_setup_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case "$file" in
        *.sh)
            if [ -x "$file" ]; then
                echo "$0: running $file"
                "$file"
            else
                echo "$0: reading $file"
                . "$file"
            fi
            ;;
        *.sql) echo "$0: running $file"; run_sql -f "$file" ;;
        *.sql.gz) echo "$0: running $file"; gunzip -c "$file" | run_sql ;;
        *.sql.xz) echo "$0: running $file"; xzcat "$file" | run_sql ;;
        *.sql.zst) echo "$0: running $file"; zstd -dc "$file" | run_sql ;;
        '/docker-entrypoint-initdb.d/*') ;;
        *) echo "$0: passing over $file" ;;
        esac
    done
}

# Options that only make it say something.
wants_no_server() {
    local argument
    for argument; do
        case "$argument" in -'?' | --help | --describe-config | -V | --version) return 0 ;; esac
    done
    return 1
}

if [ "${1:0:1}" = - ]; then set -- postgres "$@"; fi

if [ "$1" = postgres ] && ! wants_no_server "$@"; then
    make_directories
    if [ "$(id -u)" = 0 ]; then exec setpriv --reuid=postgres --regid=postgres --init-groups env HOME=/var/lib/postgresql "$BASH_SOURCE" "$@"; fi
    if [ -s "$PGDATA/PG_VERSION" ]; then
        echo "$0: there is a cluster in $PGDATA already; nothing is set up"
    else
        read_setting POSTGRES_PASSWORD
        read_setting POSTGRES_USER postgres
        read_setting POSTGRES_DB "$POSTGRES_USER"
        read_setting POSTGRES_INITDB_ARGS
        : "${POSTGRES_HOST_AUTH_METHOD:=}"
        check_settings
        make_cluster
        export PGPASSWORD="$POSTGRES_PASSWORD"
        start_for_setup
        make_database
        run_setup_files
        pg_ctl -D "$PGDATA" -m fast -w stop
        unset PGPASSWORD
        echo "$0: the cluster is set up"
    fi
fi

exec "$@"
