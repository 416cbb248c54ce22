#!/usr/bin/env bash
# Every tracked C file is as clang-format prints it.
cd "$1" || exit 1
if ! command -v clang-format >/dev/null; then
    echo "clang-format is not installed"
    exit 1
fi
mapfile -t files < <(git ls-files '*.c' '*.h')
clang-format --dry-run --Werror "${files[@]}" 2>&1 | grep -E 'error:' | cut -c1-160 | head -n 40
exit "${PIPESTATUS[0]}"
