#!/usr/bin/env bash
# Every tracked C file is as clang-format prints it. What comes out is the list of lines that are not.
cd "$1" || exit 1
if ! command -v clang-format >/dev/null; then
    echo "clang-format is not installed: install the package clang-format"
    exit 1
fi
faults=$(git ls-files -z '*.c' '*.h' |
    xargs -0 -n 50 -P "$(nproc)" clang-format --dry-run --Werror 2>&1 |
    grep -E 'error' | cut -c1-160 | sort | uniq | head -n 40)
if [ -n "$faults" ]; then
    echo "$faults"
    echo "Run ./dev format --all."
    exit 1
fi
[ "$(git ls-files '*.c' | wc -l)" -gt 0 ] || { echo "git names no C file here"; exit 1; }
