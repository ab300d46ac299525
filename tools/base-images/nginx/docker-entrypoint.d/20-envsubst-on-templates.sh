#!/bin/sh
# Writes /etc/nginx/conf.d/NAME for each /etc/nginx/templates/NAME.template, with ${VARIABLES} of the environment put in.
set -e

templates="${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}"
suffix="${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}"
output="${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}"
filter="${NGINX_ENVSUBST_FILTER:-}"

[ -d "$templates" ] || exit 0
if [ ! -w "$output" ]; then
    echo "$0: $output cannot be written" >&2
    exit 0
fi
# Only what is in the environment: nginx has variables of its own.
defined=$(awk 'BEGIN { for (name in ENVIRON) if (name ~ /'"$filter"'/) printf "${%s} ", name }' </dev/null)
find "$templates" -follow -type f -name "*$suffix" | while read -r template; do
    name="${template#"$templates/"}"
    target="$output/${name%"$suffix"}"
    mkdir -p "$(dirname "$target")"
    envsubst "$defined" <"$template" >"$target"
done
