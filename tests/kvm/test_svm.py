#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The translator's SVM judged by Linux's kvm_amd: a Debian guest of -accel tcg runs guests of its
own with vitrine-run -accel kvm. mission: max

The outer guest gets an initrd with vitrine-run, its libraries, firmware and the inner guests; each
check is a shell script in it whose output comes over the outer serial port."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guest"))
import assets  # noqa: E402
import machine  # noqa: E402

MODULES = ("irqbypass", "ccp", "kvm", "kvm-amd")
FIRMWARE = "/usr/share/seabios"


def libraries(program):
    """Host path of every shared object PROGRAM needs, the loader among them."""
    text = subprocess.run(["ldd", program], check=True, stdout=subprocess.PIPE, text=True).stdout
    return sorted(set(re.findall(r"(/\S+)", text)))


def add_file(cpio, made, inside, path, mode=0o100755):
    folder = os.path.dirname(inside)
    parts = folder.split("/")
    for i in range(1, len(parts) + 1):
        part = "/".join(parts[:i])
        if part and part not in made:
            made.add(part)
            cpio.add(part, 0o40755)
    if inside not in made:
        made.add(inside)
        with open(path, "rb") as stream:
            cpio.add(inside, mode, stream.read())


def outer_initrd(script, files):
    kernel, modules_dir = assets.kernel()
    made = {"bin", "dev", "proc", "sys", "tmp", "mnt", "etc", "modules"}
    cpio = assets.Cpio()
    for folder in sorted(made):
        cpio.add(folder, 0o40755)
    busybox = assets.unpacked("busybox-static") + "/bin/busybox"
    add_file(cpio, made, "bin/busybox", busybox)
    for applet in assets.APPLETS + ["kill", "time", "timeout"]:
        cpio.add("bin/" + applet, 0o120777, b"busybox")
    cpio.add("dev/console", 0o20600, rdev=(5, 1))
    program = machine.PROGRAM
    add_file(cpio, made, "bin/vitrine-run", program)
    for library in libraries(program):
        add_file(cpio, made, library.lstrip("/"), os.path.realpath(library))
    for name in sorted(os.listdir(FIRMWARE)):
        path = os.path.join(FIRMWARE, name)
        if os.path.isfile(path):
            add_file(cpio, made, path.lstrip("/"), path)
    for inside, path in files.items():
        add_file(cpio, made, inside, path)
    loads = []
    for path in assets.module_order(modules_dir, MODULES):
        add_file(cpio, made, "modules/" + os.path.basename(path), path)
        loads.append("insmod /modules/" + os.path.basename(path))
    cpio.add("init", 0o100755, "\n".join(
        ["#!/bin/sh", "mount -t devtmpfs none /dev", "mount -t proc none /proc",
         "mount -t sysfs none /sys", "mount -t tmpfs none /tmp", *loads, "ls -l /dev/kvm",
         script, "poweroff -f", ""]).encode())
    out = os.path.join(tempfile.gettempdir(), f"vitrine-nested-{os.getpid()}.gz")
    with open(out, "wb") as stream:
        stream.write(cpio.finish())
    return kernel, out


def run(script, files, seconds):
    """The outer guest's serial text."""
    kernel, initrd = outer_initrd(script, files)
    with tempfile.NamedTemporaryFile() as serial:
        command = [machine.PROGRAM, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1536",
                   "-display", "none", "-nodefaults", "-no-reboot", "-serial",
                   f"file:{serial.name}", "-kernel", kernel, "-initrd", initrd, "-append",
                   "console=ttyS0 panic=-1 quiet"]
        try:
            subprocess.run(command, check=True, timeout=seconds * machine.PATIENCE)
        finally:
            text = serial.read().decode(errors="replace")
            os.unlink(initrd)
            if os.environ.get("VITRINE_NESTED_LOG"):
                with open(os.environ["VITRINE_NESTED_LOG"], "w", encoding="utf-8") as stream:
                    stream.write(text)
    return text


def inner(name, arguments, seconds=300):
    return (f"echo BEGIN-{name}; timeout {seconds} vitrine-run -accel kvm -display none "
            f"{arguments}; echo END-{name}=$?\n")


def part(text, name):
    match = re.search(rf"BEGIN-{name}\r?\n(.*)END-{name}=(\d+)", text, re.S)
    if not match:
        raise machine.Failure(f"{name} did not end:\n{text[-3000:]}")
    return match.group(1), int(match.group(2))


def guests_of_a_guest():
    """One outer boot for all inner guests: the boot is what takes time."""
    kernel, _ = assets.kernel("linux-image-cloud-amd64")
    shell = assets.initrd("echo SHELL-READY; echo SHELL-CPUS=$(grep -c ^processor /proc/cpuinfo)",
                          name="nested-inner")
    linux = "-nodefaults -vga none -m 256 -no-reboot -kernel /guest/vmlinuz -initrd /guest/initrd " \
            "-append 'console=ttyS0 panic=-1' -serial stdio"
    script = inner("linux1", f"-smp 1 {linux}") + inner("linux2", f"-smp 2 {linux}")
    text = run(script, {"guest/vmlinuz": kernel, "guest/initrd": shell}, 600)
    os.unlink(shell)
    for cpus in (1, 2):
        output, status = part(text, f"linux{cpus}")
        assert "SHELL-READY" in output and f"SHELL-CPUS={cpus}" in output, output[-2000:]
        assert status == 0, status
        # what vitrine-run says when it does not use KVM, or gives up on it
        assert "vitrine-run:" not in output, output[:1000]


if __name__ == "__main__":
    machine.main([guests_of_a_guest])
