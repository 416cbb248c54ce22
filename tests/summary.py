#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints "N passed, N failed, N skipped" from meson's testlog.json."""
import json
import sys

GOOD = {"OK", "EXPECTEDFAIL"}


def main():
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    skipped = []
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            result = json.loads(line)
            if result["result"] in GOOD:
                counts["passed"] += 1
            elif result["result"] == "SKIP":
                counts["skipped"] += 1
                skipped.append(result["name"])
            else:
                counts["failed"] += 1
    for name in skipped:
        print(f"skipped: {name}")
    print(", ".join(f"{number} {what}" for what, number in counts.items()
                    if number or what != "skipped"))


main()
