#!/usr/bin/env bash
# ./dev bench [startup|img|disk] [ARGS]: speed of guests beside QEMU, what starting and waiting cost,
# vitrine-img beside qemu-img, or what guests get out of their disks.
# SPDX-License-Identifier: GPL-2.0-or-later
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1
shift
if [ "${1:-}" = startup ]; then
    shift
    exec python3 "$here/startup.py" "$build" "$@"
fi
if [ "${1:-}" = disk ]; then
    shift
    exec python3 "$here/disk.py" "$build" "$@"
fi
if [ "${1:-}" = img ]; then
    shift
    exec python3 "$here/img.py" "$build" "$@"
fi
exec python3 "$here/compare.py" "$build" "$@"
