# SPDX-License-Identifier: GPL-2.0-or-later
"""Test functions as a TAP program."""
import sys
import traceback


class Skip(Exception):
    """Raised by a test that this host cannot run, with the reason."""


def main(tests, finish=lambda: None):
    """Runs TESTS, or those named on the command line."""
    chosen = [test for test in tests if not sys.argv[1:] or test.__name__ in sys.argv[1:]]
    failed = 0
    print(f"1..{len(chosen)}")
    for number, test in enumerate(chosen, 1):
        try:
            test()
            print(f"ok {number} - {test.__name__}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {test.__name__} # SKIP {reason}", flush=True)
        except Exception:
            failed += 1
            print("\n".join("# " + line for line in traceback.format_exc().splitlines()))
            print(f"not ok {number} - {test.__name__}", flush=True)
    finish()
    sys.exit(1 if failed else 0)
