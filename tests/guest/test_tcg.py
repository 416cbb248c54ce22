#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What -accel tcg takes: how many threads run the CPUs, and the memory for translated code.
mission: accel.tcg accel.thread"""
import ctypes
import os
import subprocess
import tempfile

import assets
import machine
from machine import Failure

PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1


def threads(vm):
    folder = f"/proc/{vm.process.pid}/task"
    names = []
    for task in os.listdir(folder):
        with open(f"{folder}/{task}/comm", encoding="utf-8") as stream:
            names.append(stream.read().strip())
    return names


def boot(accel, smp, check):
    """The kernel to a shell that has counted its CPUs and made each of them busy for a while."""
    script = ("for i in 1 2 3 4; do (n=0; while [ $n -lt 3000 ]; do n=$((n+1)); done) & done; wait; "
              "echo SHELL-CPUS=$(grep -c ^processor /proc/cpuinfo); sleep 1000")
    kernel = assets.kernel("linux-image-cloud-amd64")[0]
    with machine.Machine("-nodefaults", "-m", "256", "-smp", str(smp), "-vga", "none", "-cpu", "max",
                         "-kernel", kernel, "-initrd", assets.initrd(script, name="tcg"), "-append",
                         "console=ttyS0 panic=-1", "-no-reboot", accel=("-accel", accel)) as vm:
        match = vm.wait_serial(r"SHELL-CPUS=(\d+)", 200)
        assert int(match.group(1)) == smp, match.group(0)
        check(vm)
        text = vm.serial()
    for bad in ("BUG: unable", "Oops", "Kernel panic", "invalid opcode", "rcu: INFO: rcu"):
        assert bad not in text, bad


def single():
    """All CPUs in turn, by one thread, which query-cpus-fast names for each. mission:
    accel.thread.single"""
    def check(vm):
        names = threads(vm)
        assert "CPUs" in names and not [name for name in names if name.startswith("CPU ")], names
        ids = {cpu["thread-id"] for cpu in vm.qmp("query-cpus-fast")}
        assert len(ids) == 1 and os.path.exists(f"/proc/{vm.process.pid}/task/{ids.pop()}")
        vm.qmp("stop")
        vm.qmp("cont")

    boot("tcg,thread=single", 4, check)
    boot("tcg,thread=single,x-interpreter=on", 2, check)


def multi():
    """A thread for each. mission: accel.thread.multi"""
    def check(vm):
        names = threads(vm)
        assert {"CPU 0", "CPU 1", "CPU 2"} <= set(names), names
        assert len({cpu["thread-id"] for cpu in vm.qmp("query-cpus-fast")}) == 3

    boot("tcg,thread=multi", 3, check)


def sizes():
    """The least and the most memory for code: with 1 MiB all is dropped again and again. mission:
    accel.tb-size"""
    def dropped(vm):
        text = vm.hmp("info jit")
        assert " of 1024 KiB" in text, text
        times = int(text.split("all code ")[1].split()[0])
        assert times > 10, text

    def kept(vm):
        text = vm.hmp("info jit")
        assert int(text.split("all code ")[1].split()[0]) < 10, text

    boot("tcg,tb-size=1", 2, dropped)
    boot("tcg,tb-size=65536", 1, kept)
    for size in ("0", "65537", "-1", "x"):
        done = subprocess.run([machine.PROGRAM, "-display", "none", "-accel", f"tcg,tb-size={size}"],
                              capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 1 or "tb-size" not in done.stderr:
            raise Failure(f"{size}: {done.returncode} {done.stderr}")


def mappings(vm):
    """Of the process: those that are writable and executable, and those of the memory for code."""
    with open(f"/proc/{vm.process.pid}/maps", encoding="utf-8") as stream:
        lines = stream.read().splitlines()
    return ([line for line in lines if " rwx" in line],
            [line for line in lines if "vitrine-code" in line])


def host_code():
    """-d out_asm over the firmware: host code with the guest's addresses, of -dfilter's range alone;
    items that cannot be had say why. mission: x.d.items dfilter D"""
    def firmware(wanted, *args):
        with machine.Machine("-m", "32", "-nic", "none", "-d", "out_asm", *args) as vm:
            path = os.path.join(vm.dir, "asm.txt")

            def text():
                if not os.path.exists(path):
                    return ""
                with open(path, encoding="utf-8") as stream:
                    return stream.read()

            vm.hmp("logfile " + path)
            vm.qmp("system_reset")
            vm._wait(lambda: vm.hmp("info jit"), r"blocks +[1-9]\d\d", 30, "translator")
            vm._wait(text, wanted, 30, "host code")
            vm.qmp("stop")
            return text()

    assert "OUT: [size=" in firmware("  -- guest addr 0x000000000")
    assert firmware("", "-dfilter", "0xffffffffff000000+1") == ""
    for item, why in (("op", "intermediate form"), ("op_opt", "intermediate form"),
                      ("op_ind", "intermediate form"), ("plugin", "not available yet"),
                      ("strace", "without a machine"), ("page", "without a machine")):
        done = subprocess.run([machine.PROGRAM, "-display", "none", "-d", item],
                              capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 1 or why not in done.stderr:
            raise Failure(f"{item}: {done.returncode} {done.stderr}")


def traces():
    """-d trace: over the firmware, to a file named by the process: the windows that match and no other.
    mission: x.d.items d D"""
    with tempfile.TemporaryDirectory(prefix="vitrine-trace-") as folder:
        with machine.Machine("-m", "32", "-nic", "none", "-d", "trace:rtc_*,trace:*8042-data_read", "-D",
                             os.path.join(folder, "%d.txt")) as vm:
            vm._wait(lambda: vm.hmp("info jit"), r"blocks +[1-9]\d\d", 30, "translator")
            vm.hmp("log trace:nothing_of_the_kind")
            with open(os.path.join(folder, f"{vm.process.pid}.txt"), encoding="ascii") as stream:
                lines = stream.read().splitlines()
    names = {line.split()[0] for line in lines}
    assert {"rtc_read", "rtc_write"} <= names <= {"rtc_read", "rtc_write", "i8042-data_read"}, names
    assert "rtc_write cpu 0 at 0x70 offset 0x0 size 1 value 0x8f" in lines, lines[:9]
    done = subprocess.run([machine.PROGRAM, "-display", "none", "-d", "trace:"], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 1 and "trace:rtc*" in done.stderr, done.stderr


def split_wx():
    """Two mappings of the memory for code, neither of which has both rights; they are used as well
    where the host refuses one with both. mission: accel.split-wx"""
    def split(vm):
        both, code = mappings(vm)
        assert not both, both
        assert {line.split()[1] for line in code} == {"rw-s", "r-xs"}, code

    def whole(vm):
        assert not mappings(vm)[1]

    boot("tcg,split-wx=on", 2, split)
    boot("tcg,split-wx=off", 1, whole)
    # for this process and those it starts from now on: the last test
    if ctypes.CDLL(None).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0:
        boot("tcg", 2, split)
    else:
        machine.note("the host cannot refuse such mappings: not tried")


machine.main([single, multi, sizes, host_code, traces, split_wx])
