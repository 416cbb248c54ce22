#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's stock kernels, booted directly, to a busybox shell on ttyS0 and to power-off."""
import time

import assets
import machine

# QEMU's translator, on which tests/kvm has its KVM, ends itself ("invalid tss type") at the first
# fault after a 32-bit guest's task register was set as the architecture has it, busy: an SMI, which
# our interpreter takes, does that.
I386_MACHINE = ("-M", "pc,smm=off") if machine.ACCEL == "kvm" else ()
QUIET = "console=ttyS0 panic=-1 "


def boot(kernel, script, smp, seconds, cpu="max", arch="amd64", memory="256", extra=()):
    initrd = assets.initrd(f"echo SHELL-READY; {script}", arch, name=f"linux-{arch}-{smp}")
    with machine.Machine("-nodefaults", "-m", memory, "-smp", str(smp), "-vga", "none", "-cpu", cpu,
                         "-kernel", kernel, "-initrd", initrd, "-append", QUIET, "-no-reboot",
                         *extra) as vm:
        vm.wait_serial("SHELL-READY", seconds)
        match = vm.wait_serial(r"SHELL-CPUS=(\d+)", 60)
        assert int(match.group(1)) == smp, match.group(0)
        vm.wait_exit(240)
        text = vm.serial()
    # not the watchdogs' complaints: they measure how busy the host is
    for bad in ("BUG: unable", "Oops", "Kernel panic", "invalid opcode"):
        assert bad not in text, bad
    return text


COUNT = "echo SHELL-CPUS=$(grep -c ^processor /proc/cpuinfo)"


def amd64_one_cpu():
    """Debian 12's stock kernel: XZ, 64-bit."""
    boot(assets.kernel()[0], COUNT, 1, 240)


def amd64_two_cpus():
    boot(assets.kernel("linux-image-cloud-amd64")[0], COUNT, 2, 120)


def amd64_qemu64():
    """The default CPU model, without AVX and its state."""
    boot(assets.kernel("linux-image-cloud-amd64")[0], COUNT, 1, 120, cpu="qemu64")


def i386_one_cpu():
    """The non-PAE 686 kernel: two-level paging."""
    boot(assets.kernel("linux-image-686", "i386")[0], COUNT, 1, 240, cpu="qemu32", arch="i386",
         extra=I386_MACHINE)


def i386_pae_two_cpus():
    boot(assets.kernel("linux-image-686-pae", "i386")[0], COUNT, 2, 240, cpu="max", arch="i386",
         extra=I386_MACHINE)


def no_smm():
    """Without SMM the machine is in ACPI mode from the start. mission: x.machine.smm"""
    text = boot(assets.kernel("linux-image-cloud-amd64")[0],
                "cat /proc/interrupts | grep acpi; " + COUNT, 1, 120, extra=("-M", "pc,smm=off"))
    assert "acpi" in text.split("SHELL-READY")[1], text[-1000:]


def pause():
    """stop and cont: a paused guest says nothing, and then goes on where it was."""
    initrd = assets.initrd("i=0; while [ $i -lt 400 ]; do echo TICK-$i; i=$((i+1)); sleep 0.1; done",
                           name="pause")
    with machine.Machine("-nodefaults", "-m", "256", "-smp", "2", "-vga", "none", "-cpu", "max",
                         "-kernel", assets.kernel("linux-image-cloud-amd64")[0], "-initrd", initrd,
                         "-append", QUIET, "-no-reboot") as vm:
        vm.wait_serial("TICK-5\\b", 120)
        vm.qmp("stop")
        assert vm.qmp("query-status")["status"] == "paused"
        paused = vm.serial()
        time.sleep(3)
        assert vm.serial() == paused, "a paused guest wrote on"
        ticks = [int(line[5:]) for line in paused.split() if line.startswith("TICK-")]
        vm.qmp("cont")
        vm.wait_serial(f"TICK-{ticks[-1] + 5}\\b", 60)
        written = [line for line in vm.serial().split() if line.startswith("TICK-")]
        assert written[:ticks[-1] + 5] == [f"TICK-{i}" for i in range(ticks[-1] + 5)], written


if __name__ == "__main__":
    machine.main([amd64_two_cpus, amd64_qemu64, amd64_one_cpu, i386_one_cpu, i386_pae_two_cpus,
                  pause, no_smm])
