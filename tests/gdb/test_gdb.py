#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The real gdb on real machines. usage: test_gdb.py GUEST.elf SYMBOLS.elf [TEST...]
mission: gdb s S"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guest"))
from machine import Failure, Machine, PATIENCE, main, note  # noqa: E402

GUEST, SYMBOLS = sys.argv[1:3]
del sys.argv[1:3]


class Debugged(Machine):
    """A machine that waits at its first instruction for gdb on a socket."""

    def __init__(self, *args, **options):
        self.folder = tempfile.mkdtemp(prefix="vitrine-gdb-")
        self.socket_path = os.path.join(self.folder, "gdb")
        super().__init__("-nodefaults", "-kernel", GUEST, "-m", "64", "-S", "-gdb",
                         f"unix:{self.socket_path},server=on,wait=off", *args, **options)

    def __exit__(self, *args):
        super().__exit__(*args)
        shutil.rmtree(self.folder, ignore_errors=True)

    def gdb(self, *commands, symbols=SYMBOLS, target=None):
        self.qmp("query-status")  # the socket is there
        words = ["gdb", "-batch", "-nx", "-ex", "set pagination off", "-ex", "set confirm off"]
        if symbols:
            words += ["-ex", f"file {symbols}"]
        words += ["-ex", f"target remote {target or self.socket_path}"]
        for command in commands:
            words += ["-ex", command]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60 * PATIENCE, check=False)
        return done.stdout + done.stderr


def expect(text, *patterns):
    for pattern in patterns:
        if not re.search(pattern, text):
            raise Failure(f"{pattern!r} is not in what gdb said:\n{text}")


def registers():
    with Debugged("-cpu", "max") as machine:
        text = machine.gdb("info registers rip", "hbreak count64", "continue", "p/x $r12", "p $st0",
                           "p/x $xmm3.uint128", "p $cr0", "p $efer", "p/x $cs", "p/x $cr3",
                           "set $rbx = 0x123456789", "p/x $rbx", "p/x *(long*)0xffffffff80100000",
                           "p/x *(long*)0x100000", "info registers ymm3", "set $xmm5.v4_int32[1]=7",
                           "p $xmm5.v4_int32[1]", "set $rip = 0x100010", "p/x $rip")
        expect(text, r"rip +0xfff0", r"Breakpoint 1, count64", r"0x1122334455667788",
               r"3\.14159265358979", r"0xfedcba98765432100123456789abcdef", r"\[.*PE.*PG.*\]",
               r"\[.*LME.*LMA.*\]", r"= 0x8\b", r"= 0x200000\b", r"= 0x123456789\b",
               r"= 0x1badb002\b", r"ymm3", r"= 7\b", r"= 0x100010\b")
        if len(re.findall(r"= 0x1badb002\b", text)) != 2:
            raise Failure("virtual memory differs:\n" + text)


def registers_i386():
    with Debugged("-cpu", "qemu32") as machine:
        text = machine.gdb("hbreak tick32", "continue", "p/x $eip == &tick32", "continue 3",
                           "p counter", "show architecture", "p/x $cr0", "info registers eflags",
                           symbols=GUEST)
        expect(text, r"Breakpoint 1, .*tick32", r"= 0x1\b", r"i386", r"eflags")


def breakpoints_and_steps():
    with Debugged("-cpu", "max") as machine:
        text = machine.gdb("break tick64", "continue", "p $pc == &tick64", "stepi",
                           "p $pc == &after_load", "ignore 1 9", "continue", "p (long)counter",
                           "delete", "watch *(long*)&copy", "continue", "continue", "p $pc",
                           "delete", "rwatch *(long*)&counter", "continue", "stepi", "stepi",
                           "delete", "awatch *(long*)&copy", "continue")
        expect(text, r"Breakpoint 1, .*tick64", r"\$1 = 1", r"\$2 = 1", r"= 11\b",
               r"ardware watchpoint 2.*\n(.*\n)*Old value = ", r"ardware read watchpoint 3",
               r"ardware access")
        if "SIGSEGV" in text or "Cannot" in text:
            raise Failure(text)


def threads():
    with Debugged("-cpu", "max", "-smp", "2") as machine:
        text = machine.gdb("info threads", "thread 2", "p/x $cs", "thread 1", "hbreak tick64",
                           "continue", "set scheduler-locking on", "stepi", "p $_thread",
                           "info threads")
        expect(text, r"2 +Thread.*CPU#1", r"Breakpoint 1, .*tick64", r"= 1\b", r"after_load")


def interrupt_monitor_detach():
    with Debugged("-cpu", "max") as machine:
        text = machine.gdb("monitor info status", "hbreak count64", "continue",
                           "maint packet qqemu.PhyMemMode",
                           "maint packet Qqemu.PhyMemMode:1", "x/gx 0x100000",
                           "x/gx 0xffffffff80100000", "maint packet Qqemu.PhyMemMode:0",
                           "maint packet Qqemu.sstep=0x1", "detach")
        expect(text, r"VM status: paused", r"0x100000.*1badb002", r"Cannot access memory")
        if machine.qmp("query-status")["status"] != "running":
            raise Failure("the machine does not run after detach")
        # a debugger that connects stops the guest, where it is
        text = machine.gdb("p $pc >= &count64", "p (long)counter > 0", "kill")
        expect(text, r"\$1 = 1", r"\$2 = 1")
        machine.wait_exit(20)


def ctrl_c():
    """What gdb sends at Ctrl-C, while another client looks."""
    with Debugged("-cpu", "max") as machine:
        machine.qmp("query-status")
        process = subprocess.Popen(["gdb", "-batch", "-nx", "-ex", f"file {SYMBOLS}", "-ex",
                                    f"target remote {machine.socket_path}", "-ex", "continue",
                                    "-ex", "p (long)counter > 0", "-ex", "detach"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        end = time.monotonic() + 30 * PATIENCE
        while machine.qmp("query-status")["status"] != "running" and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(0.5)
        process.send_signal(2)
        text = process.communicate(timeout=60 * PATIENCE)[0]
        expect(text, r"SIGINT", r"\$1 = 1")


def gdbserver_command():
    with Machine("-nodefaults", "-kernel", GUEST, "-m", "64", "-cpu", "max") as machine:
        folder = tempfile.mkdtemp(prefix="vitrine-gdb-")
        path = os.path.join(folder, "late")
        said = machine.hmp(f"gdbserver unix:{path},server=on,wait=off")
        expect(said, "Waiting for gdb connection")
        text = Debugged.gdb(machine, "p $pc > 0", "detach", target=path)
        expect(text, r"\$1 = 1")
        expect(machine.hmp("gdbserver none"), "Disabled gdbserver")
        shutil.rmtree(folder)


def faults_stop_steps():
    """A step over an instruction that faults ends at the handler or, with none, at the reset."""
    with Debugged("-cpu", "max", "-no-reboot") as machine:
        text = machine.gdb("hbreak count64", "continue", "set $rip = refuse", "stepi", "p $rcx",
                           "delete", "continue")
        expect(text, r"\$1 = 0", r"exited|killed|Remote connection closed")


def under_kvm():
    """Breakpoint, watchpoint and step where the kernel runs the CPU, if it can here."""
    with Debugged("-cpu", "max", accel=("-accel", "kvm")) as machine:
        try:
            machine.qmp("query-status")
        except Failure:
            if "KVM" in machine.messages():
                note("no KVM that works here: " + machine.messages().splitlines()[0])
                return
            raise
        text = machine.gdb("hbreak count64", "continue", "stepi", "p $pc > &count64", "delete",
                           "watch *(long*)&copy", "continue", "continue", "delete", "detach")
        expect(text, r"Breakpoint 1, count64", r"\$1 = 1", r"ardware watchpoint 2.*\n(.*\n)*Old value")
        if machine.qmp("query-status")["status"] != "running":
            raise Failure("the machine does not run after detach")


def logs():
    """-d, -D with the process number, -dfilter, the monitor's log and x/i. mission: d D dfilter"""
    folder = tempfile.mkdtemp(prefix="vitrine-log-")
    path = os.path.join(folder, "log-%d.txt")
    with Machine("-nodefaults", "-kernel", GUEST, "-m", "64", "-cpu", "max", "-d",
                 "in_asm,exec,cpu_reset,int,pcall", "-D", path, "-dfilter", "0x100000..0x1fffff",
                 "-singlestep") as machine:
        time.sleep(1 * PATIENCE)
        machine.hmp("stop")
        expect(machine.hmp("info jit"), r"blocks +\d+")
        said = machine.hmp("x/2i 0x100010")
        machine.hmp("log none")
        machine.hmp(f"logfile {folder}/second")
        expect(said, r"0x00100010:  [0-9a-f ]+ +\w+")
        name = path.replace("%d", str(machine.process.pid))
        with open(name, encoding="ascii") as stream:
            text = stream.read()
        expect(text, r"CPU Reset \(CPU 0\)\n", r"IN: \n0x001000", r"Trace 0: \[", r"ljmp 0008:")
        if "0x000fe05b" in text:
            raise Failure("an address outside the filter was logged")
    shutil.rmtree(folder)


main([registers, registers_i386, breakpoints_and_steps, threads, interrupt_monitor_detach, ctrl_c,
      gdbserver_command, faults_stop_steps, logs, under_kvm])
