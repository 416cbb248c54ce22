#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Time that is counted: runs of a kernel say the same to the byte, with the same times, by the
translator and by the interpreter.
mission: icount icount.shift icount.sleep.off icount.sleep.on icount.align rtc.clock.vm"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guest"))
import assets  # noqa: E402
from machine import Failure, Machine, PROGRAM, main, note  # noqa: E402


def boot(*args, accel="tcg", kernel=None, append=""):
    kernel = kernel or assets.kernel("linux-image-cloud-amd64")[0]
    with Machine("-rtc", "base=2024-01-01,clock=vm", "-cpu", "max,-rdrand,-rdseed", "-m", "128",
                 "-vga", "none", "-nic", "none", "-no-reboot", "-kernel", kernel, "-append",
                 "console=ttyS0 panic=-1 " + append, *args, qmp=False, accel=("-accel", accel)) as machine:
        machine.wait_exit(300)
        return machine.serial()


def repeatable():
    """The kernel ends in a panic, as there is no root: before that it has used every clock."""
    first = boot("-icount", "shift=2,sleep=off")
    if "Unable to mount root" not in first:
        raise Failure("the kernel did not come to its end:\n" + first[-500:])
    for accel in ("tcg", "tcg,x-warm-up=0,x-tlb-entries=64", "tcg,x-interpreter=on"):
        same(first, boot("-icount", "shift=2,sleep=off", accel=accel))


def repeatable_i386():
    """The 686 kernel, without what takes milliards of instructions: ciphers' tests, certificates."""
    how = {"kernel": assets.kernel("linux-image-686", "i386")[0],
           "append": "initcall_blacklist=crypto_algapi_init,load_system_certificate_list"}
    first = boot("-icount", "shift=2,sleep=off", **how)
    if "Unable to mount root" not in first:
        raise Failure("the kernel did not come to its end:\n" + first[-500:])
    same(first, boot("-icount", "shift=2,sleep=off", accel="tcg,x-interpreter=on", **how))


def same(first, second):
    if first != second:
        for left, right in zip(first.splitlines(), second.splitlines()):
            if left != right:
                note(left)
                note(right)
                break
        raise Failure("two runs differ")


def automatic_rate_two_cpus():
    text = boot("-icount", "auto", "-smp", "2")
    if "Total of 2 processors activated" not in text or "Unable to mount root" not in text:
        raise Failure(text[-1000:])


def refused():
    for words, part in ((["-icount", "11"], "0 to 10"), (["-icount", "x"], "0 to 10"),
                        (["-icount", "auto,align=on"], "contradict"),
                        (["-icount", "3,sleep=off,align=on"], "sleep=off"),
                        (["-icount", "3", "-accel", "qtest"], "-accel qtest"),
                        (["-icount", "3", "-accel", "tcg,thread=multi"], "thread=multi"),
                        (["-icount", "3,rr=record,rrfile=/nowhere"], "not available yet")):
        done = subprocess.run([PROGRAM, "-display", "none", *words], capture_output=True, text=True,
                              timeout=60, check=False)
        if done.returncode != 1 or part not in done.stderr:
            raise Failure(f"{words}: {done.returncode} {done.stderr}")


main([refused, repeatable, repeatable_i386, automatic_rate_two_cpus])
