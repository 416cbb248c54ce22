#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""MIN, MAX, CLAMP and ABS evaluate their arguments twice: nothing that differs from one reading to
the next may stand in them, such as clocks, atomics and increments."""
import pathlib
import re
import sys

MACRO = re.compile(r"\b(?:MIN|MAX|CLAMP|ABS)\s*\(")
CHANGING = re.compile(r"_get_ns\(|_host_ns\(|monotonic_time\(|real_time\(|__atomic_|g_atomic_|"
                      r"\bnow_tick\(|\bclock_ns\(|\bclock_ticks\(|\+\+|--")


def arguments(text, start):
    """What stands between the parenthesis at START and the one that closes it."""
    depth = 0
    for at in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return text[start + 1:at]
    return text[start + 1:]


def main(root):
    bad = []
    for folder in ("engine", "app", "img", "audio", "usb-redirect"):
        for path in sorted((pathlib.Path(root) / folder).rglob("*.[ch]")):
            text = path.read_text(encoding="utf-8")
            for match in MACRO.finditer(text):
                if CHANGING.search(arguments(text, match.end() - 1)):
                    line = text.count("\n", 0, match.start()) + 1
                    bad.append(f"{path}:{line}: read once, outside the macro: "
                               f"{text[match.start():match.end() + 60].splitlines()[0]}")
    print("\n".join(bad))
    return 1 if bad else 0


sys.exit(main(sys.argv[1]))
