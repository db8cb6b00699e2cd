#!/bin/sh
# One backup with pgBackRest, and what there is then in the table `backups`. From cron, on the machine that runs docker compose:
#   15 2 * * 0    /path/to/deploy/back-up.sh full
#   15 2 * * 1-6  /path/to/deploy/back-up.sh diff
set -eu
cd "$(dirname "$0")/.."
case "${1:-}" in full | diff | incr) ;; *) echo "usage: $0 full|diff|incr" >&2 && exit 2 ;; esac

pgbackrest() { docker compose exec -T --user postgres postgres pgbackrest --stanza=tradegraph "$@"; }
# The first time; later it only looks.
pgbackrest stanza-create
pgbackrest check
status=0
pgbackrest --type="$1" backup || status=$?
pgbackrest info --output=json | docker compose run --rm --no-deps -T migrate backup --record
exit "$status"
