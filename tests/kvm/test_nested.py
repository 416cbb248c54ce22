#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guests of tests/guest under -accel kvm, on a true KVM: inside a guest of QEMU's (outer.py).

Each inner test is a line of this one's TAP output. The tests named on the command line run, else
all: SCRIPT or SCRIPT:TEST, such as screen:memtest."""
import re
import sys
import time

import outer
import machine

SCRIPTS = ("screen", "linux", "io")
# an inner guest on a host that is itself translated
PATIENCE = 12


def main(chosen):
    names = {}
    for word in chosen or SCRIPTS:
        script, _, test = word.partition(":")
        names.setdefault(script, []).append(test)
    commands = [f"python3 /tests/test_{script}.py {' '.join(filter(None, tests))}; echo END-{script}"
                for script, tests in names.items()]
    counts = {"ok": 0, "not ok": 0}
    start = time.monotonic()

    def each_line(line):
        match = re.match(r"(ok|not ok) \d+ - (.*)", line)
        if match:
            counts[match.group(1)] += 1
            print(f"{match.group(1)} {sum(counts.values())} - {match.group(2)}", flush=True)
        elif "END-" in line or line.startswith("#") or "kvm" in line.lower():
            machine.note(f"{time.monotonic() - start:.0f} s: {line}")

    text = outer.run(f"export VITRINE_TEST_ACCEL=kvm VITRINE_TEST_PATIENCE={PATIENCE}; " +
                     "; ".join(commands), 1500, each_line)
    ended = all(f"END-{script}" in text for script in names)
    if not ended or not counts["ok"]:
        machine.note(text[-3000:])
        counts["not ok"] += 1
        print(f"not ok {sum(counts.values())} - the outer guest ran every script to its end")
    print(f"1..{sum(counts.values())}")
    return 1 if counts["not ok"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
