#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that are judged by what they show: firmware, boot loaders, memory test, installer."""
import os
import pty
import select
import subprocess
import tempfile
import time

import assets
import machine

GRUB_CD = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso"
GRUB_FLOPPY = "/usr/lib/grub-rescue/grub-rescue-floppy.img"
MEMTEST = "/boot/memtest86+ia32.bin"


def seabios_log():
    """The firmware's debug port says what it boots from."""
    log = tempfile.NamedTemporaryFile(suffix=".log")
    with machine.Machine("-nodefaults", "-m", "64", "-chardev", f"file,id=log,path={log.name}",
                         "-device", "isa-debugcon,iobase=0x402,chardev=log", qmp=False) as vm:
        def read():
            with open(log.name, encoding="ascii", errors="replace") as stream:
                return stream.read()
        vm._wait(read, "Booting from", 60, "debug port")


def grub_cd_keys():
    """GRUB rescue CD: the menu, and its command line driven by keys."""
    with machine.Machine("-nodefaults", "-m", "128", "-vga", "std", "-cdrom", GRUB_CD) as vm:
        vm.wait_screen(r"GNU GRUB|grub>", 120)
        # on a slow machine the menu's time may have run out
        if "grub>" not in vm.screen():
            vm.key("c")
        vm.wait_screen(r"grub>", 60)
        time.sleep(1)
        vm.key("ctrl-u")  # a 'c' that came after the menu
        vm.type("ls\n")
        vm.wait_screen(r"\(cd\d*\)|\(cd0\)|\(memdisk\)|\(hd\d\)|\(fd0\)", 60)
        vm.type("halt\n")
        vm.wait_exit(60)


def grub_floppy():
    """A boot floppy image made with the distribution's tools."""
    with machine.Machine("-nodefaults", "-m", "64", "-vga", "std", "-fda", GRUB_FLOPPY, "-boot",
                         "a", "-snapshot") as vm:
        vm.wait_screen(r"GNU GRUB|grub>", 180)


def memtest():
    """memtest86+ passes its first test on a small memory."""
    with machine.Machine("-nodefaults", "-m", "16", "-vga", "std", "-kernel", MEMTEST) as vm:
        vm.wait_screen(r"Memtest86\+", 90)
        vm.wait_screen(r"#1 |Test #1|#[1-9]\d*\s", 240)
        text = vm.screen()
        assert "Errors: 0" in text or "Errors:       0" in text or "Pass" in text, text


def ipxe_dhcp():
    """iPXE gets an address from user networking."""
    with machine.Machine("-nodefaults", "-m", "128", "-vga", "std", "-netdev", "user,id=n",
                         "-device", "e1000,netdev=n,romfile=", "-kernel",
                         assets.first_existing("/boot/ipxe.lkrn", "/usr/lib/ipxe/ipxe.lkrn")) as vm:
        vm.wait_screen(r"net0: 10\.0\.2\.15", 120)


def installer():
    """Debian's network installer shows its first dialog in the text console."""
    base = assets.installer_folder()
    with machine.Machine("-nodefaults", "-m", "1024", "-vga", "std", "-cpu", "max", "-kernel",
                         base + "/linux", "-initrd", base + "/initrd.gz", "-append",
                         "vga=normal nomodeset fb=false TERM=linux") as vm:
        vm.wait_screen(r"\[!!\] Select a language|\[!!\] Low memory", 420)


def demo_pixels():
    """The demo guest: its colour bars, pixel by pixel, and a typed key."""
    demo = os.environ["VITRINE_DEMO"]
    with machine.Machine("-nodefaults", "-m", "32", "-vga", "std", "-kernel", demo) as vm:
        vm.wait_serial("demo: ready", 60)
        time.sleep(1)
        path = vm.screendump(os.path.join(vm.dir, "screen.ppm"))
        with open(path, "rb") as stream:
            magic, size, _, pixels = stream.read().split(b"\n", 3)
        assert magic == b"P6" and size == b"800 600", size
        colors = [0xffffff, 0xffff00, 0x00ffff, 0x00ff00, 0xff00ff, 0xff0000, 0x0000ff, 0x000000]
        for row in (0, 20, 39):
            for x in range(800):
                at = (row * 800 + x) * 3
                got = int.from_bytes(pixels[at:at + 3], "big")
                assert got == colors[x // 100], (x, row, hex(got))
        vm.type("q")
        vm.wait_serial("demo: key q", 20)
        vm.key("esc")
        vm.wait_exit(20)


def demo_terminal():
    """-nographic: what is typed is the guest's, not the monitor's; Escape ends the demo."""
    master, slave = pty.openpty()
    program = subprocess.Popen(
        [os.environ["VITRINE_RUN"], "-nographic", "-m", "32", "-nic", "none", "-kernel",
         os.environ["VITRINE_DEMO"]], stdin=slave, stdout=slave, stderr=slave)
    seen = b""
    end = time.monotonic() + 60 * machine.PATIENCE
    keys = [(b"Escape switches the machine off", b"q"), (b"demo: key q", b"\x1b")]
    try:
        while program.poll() is None:
            assert time.monotonic() < end, seen[-400:]
            if select.select([master], [], [], 0.2)[0]:
                seen += os.read(master, 4096)
            if keys and keys[0][0] in seen:
                os.write(master, keys.pop(0)[1])
        assert program.returncode == 0 and not keys, (program.returncode, seen[-400:])
    finally:
        program.kill()
        program.wait()
        os.close(master)
        os.close(slave)


if __name__ == "__main__":
    machine.main([seabios_log, demo_pixels, demo_terminal, grub_cd_keys, grub_floppy, memtest,
                  ipxe_dhcp, installer])
