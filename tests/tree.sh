#!/bin/sh
# Holds the arrows between the rooms: who may include whom. Prints each line that breaks a rule; exits 1 if there is one.
# Usage: tests/tree.sh
set -eu
cd "$(dirname "$0")/.."

broken=0

# check ROOM PATTERN: a file of ROOM includes, of our own headers, only those that match PATTERN (an extended regular expression).
check() {
    room=$1 allowed=$2
    found=$(find "$room" \( -name '*.c' -o -name '*.h' \) -exec grep -nHE '^#include "' {} + |
        grep -vE "#include \"($allowed)" || true)
    if [ -n "$found" ]; then
        printf '%s may include only %s:\n%s\n' "$room" "$allowed" "$found"
        broken=1
    fi
}

check proto/base 'proto/base/'
check proto 'proto/|scripts_embedded\.h'
check worker 'worker/|proto/'
check dispatcher 'dispatcher/|proto/'
# workerctl migrates and examines the database and the storage that jobs use: it comes in by the same door as they do.
check ops/workerctl 'ops/workerctl/|proto/|jobs/services/(mysql_(connect|compat|lag)|storage)\.h'
check tests 'tests/|proto/|worker/|dispatcher/|ops/workerctl/|jobs/'

# A kind of job sees the handler interface, proto, itself and the shared services.
for kind in jobs/*/; do
    kind=${kind%/}
    case $kind in
    jobs/services) check "$kind" 'jobs/services/|worker/handler\.h|proto/' ;;
    *) check "$kind" "$kind/|jobs/services/|worker/handler\\.h|proto/" ;;
    esac
done

# The bottom shelf stands on libc and jansson alone; libmillrace knows no libuv.
for library in uv hiredis yaml curl microhttpd; do
    if grep -rnE "^#include <$library" proto/base; then
        echo "proto/base must not include <$library...>"
        broken=1
    fi
done
if grep -nE '^#include <uv' proto/client.c proto/millrace.h proto/compose.c proto/compose.h; then
    echo 'libmillrace must not include <uv.h>'
    broken=1
fi

# Nothing else stands at the top.
extra=$(git ls-files | sed 's|/.*||' | sort -u |
    grep -vE '^(\..*|README\.md|LICENSE|meson\.build|meson_options\.txt|proto|dispatcher|worker|jobs|ops|tests)$' || true)
if [ -n "$extra" ]; then
    printf 'at the top of the tree, beside the rooms:\n%s\n' "$extra"
    broken=1
fi
exit "$broken"
