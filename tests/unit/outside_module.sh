#!/bin/sh
# A module is built outside of the tree against the installed headers, and loaded.
# usage: outside_module.sh BUILD_DIR SOURCE TEST_PROGRAM
set -eu

build=$1
source=$2
program=$(realpath -- "$3")
dir=$(mktemp --directory)
trap 'rm --recursive --force -- "$dir"' EXIT

meson install -C "$build" --no-rebuild --quiet --tags devel --destdir "$dir/root" >/dev/null
pc=$(find "$dir/root" -name millrace-handler.pc)
prefix=$(sed --quiet 's/^prefix=//p' "$pc")
cp -- "$source" "$dir/outside.c"
cd "$dir"
# Quoting words apart is what pkg-config's answer is made for.
# shellcheck disable=SC2046
"${CC:-cc}" -shared -fPIC -Wall -Wextra -Werror -o outside.so outside.c \
    $(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --define-variable=prefix="$dir/root$prefix" \
        --cflags millrace-handler)
MODULE="$dir/outside.so" "$program"
