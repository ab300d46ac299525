#!/bin/sh
# Runs what is in /docker-entrypoint.d before nginx starts: *.envsh are read into this shell, executable *.sh are run.
set -e

say() {
    [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "$0: $*"
}

case "$1" in
nginx | nginx-debug)
    for file in $(find /docker-entrypoint.d/ -follow -type f 2>/dev/null | sort -V); do
        case "$file" in
        *.envsh)
            if [ -x "$file" ]; then
                say "reading $file"
                . "$file"
            else
                say "passing over $file, which is not executable"
            fi
            ;;
        *.sh)
            if [ -x "$file" ]; then
                say "running $file"
                "$file"
            else
                say "passing over $file, which is not executable"
            fi
            ;;
        *) say "passing over $file" ;;
        esac
    done
    say "ready to start"
    ;;
esac

exec "$@"
