#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh BUILD [TARGET [SECONDS [LIBFUZZER OPTION...]]]: coverage-guided fuzzing; without TARGET
# lists the targets. What ran lies in BUILD-fuzz/corpus-TARGET, what broke in BUILD-fuzz.
set -euo pipefail

build=$1
target=${2:-}
seconds=${3:-300}
shift $(($# < 3 ? $# : 3))
here=$(cd "$(dirname "$0")" && pwd)

# A choice within a target: fuzz-format:vhdx.
choices() {
    [ "$1" = fuzz-format ] || return 0
    sed -n '/^static const Format formats/,/^};/s/^    { "\([^"]*\)".*/\1/p' "$here/$1.c" | uniq
}

if [ -z "$target" ]; then
    for file in $(grep -l LLVMFuzzerTestOneInput "$here"/fuzz-*.c); do
        name=$(basename "$file" .c)
        [ "$name" = fuzz-main ] && continue
        echo "$name"
        for choice in $(choices "$name"); do echo "$name:$choice"; done
    done
    exit 0
fi
name=$target
if [ "$target" != "${target%%:*}" ]; then
    choice=${target#*:}
    target=${target%%:*}
    if ! choices "$target" | grep -qx -e "$choice"; then
        echo "fuzz: $target has no choice $choice; ./dev fuzz lists them" >&2
        exit 1
    fi
    export VITRINE_FUZZ_FORMAT=$choice
fi
if [ ! -f "$here/$target.c" ]; then
    echo "fuzz: there is no target $target; ./dev fuzz lists them" >&2
    exit 1
fi
if ! command -v clang >/dev/null; then
    echo "fuzz: clang is needed for coverage-guided fuzzing; without it run" >&2
    echo "  $build/tests/fuzz/$target --seconds $seconds" >&2
    exit 1
fi

dir=$build-fuzz
compiler=clang
command -v ccache >/dev/null && compiler="ccache clang"
[ -f "$dir/build.ninja" ] || CC=$compiler meson setup "$dir" -Db_sanitize=address,undefined \
    -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link >/dev/null
ninja -C "$dir" "tests/fuzz/$target-library" >/dev/null
corpus=corpus-${name/:/-}
mkdir -p "$dir/$corpus"
seeds=()
[ -d "$here/corpus/${target#fuzz-}" ] && seeds=("$here/corpus/${target#fuzz-}")
cd "$dir"
export LSAN_OPTIONS="suppressions=$here/../sanitize/lsan.supp:print_suppressions=0"
UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 exec "tests/fuzz/$target-library" \
    -max_total_time="$seconds" "$@" "$corpus" "${seeds[@]}"
