#!/bin/sh
# Options or a configuration file alone are meant for redis-server, which does not run as root.
set -e

case "${1:-}" in
-* | *.conf) set -- redis-server "$@" ;;
esac

if [ "${1:-}" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis '{}' +
    exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
fi

if [ "${1:-}" = redis-server ]; then
    # Who reaches the container at all is decided by its network. Whoever says something about it is heard.
    says_it=""
    for argument in "$@"; do
        case "$argument" in
        --protected-mode* | -v | --version | -h | --help) says_it=1 ;;
        *.conf) if [ -r "$argument" ] && grep -qi '^[[:space:]]*protected-mode' "$argument"; then says_it=1; fi ;;
        esac
    done
    [ -n "$says_it" ] || set -- "$@" --protected-mode no
    if [ "$(umask)" = 0022 ]; then umask 0077; fi
fi

exec "$@"
