#!/bin/sh
# A producer is built outside of the tree against the installed libmillrace, and run where no Redis is.
# usage: outside_producer.sh BUILD_DIR SOURCE
set -eu

build=$1
source=$2
dir=$(mktemp --directory)
trap 'rm --recursive --force -- "$dir"' EXIT

if nm --dynamic "$build/proto/libmillrace.so" | grep --quiet __asan_init; then
    echo "a program that is not sanitized itself cannot load a sanitized library"
    exit 77
fi
meson install -C "$build" --no-rebuild --quiet --tags devel,runtime --destdir "$dir/root" >/dev/null
pc=$(find "$dir/root" -name millrace.pc)
prefix=$(sed --quiet 's/^prefix=//p' "$pc")
lib=$(dirname "$(find "$dir/root" -name libmillrace.so)")
cp -- "$source" "$dir/producer.c"
cd "$dir"
# Quoting words apart is what pkg-config's answer is made for.
# shellcheck disable=SC2046
"${CC:-cc}" -std=c99 -pedantic -Wall -Wextra -Werror -o producer producer.c \
    $(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --define-variable=prefix="$dir/root$prefix" \
        --cflags --libs millrace)
LD_LIBRARY_PATH=$lib ./producer "redis+unix://$dir/nobody.sock"
