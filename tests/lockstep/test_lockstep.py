#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The translator beside the interpreter over a kernel's boot. usage: test_lockstep.py LOCKSTEP"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guest"))
import assets  # noqa: E402
from machine import Failure, PATIENCE, main, note  # noqa: E402

LOCKSTEP = sys.argv.pop(1)


def run(*args, count=400000000, cpus=1):
    kernel, _ = assets.kernel("linux-image-cloud-amd64")
    done = subprocess.run([LOCKSTEP, "--count", str(count), *args, "--", "-m", "128", "-smp",
                           str(cpus), "-cpu", "max,-rdrand,-rdseed", "-kernel", kernel, "-append",
                           "console=ttyS0 panic=-1"], capture_output=True, text=True,
                          timeout=600 * PATIENCE, check=False)
    note(done.stdout[-6000:])
    if done.returncode != 0:
        raise Failure(f"exit status {done.returncode}: {done.stderr[-500:]}")


def one_cpu():
    run()


def four_cpus():
    run(cpus=4)


main([one_cpu, four_cpus])
