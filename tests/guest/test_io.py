#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux guest moves data through each device; the host verifies checksums."""
import hashlib
import http.server
import os
import random
import tempfile
import threading

import assets
import machine

MEBI = 1 << 20


def noise(path, size, seed):
    data = random.Random(seed).randbytes(size)
    with open(path, "wb") as stream:
        stream.write(data)
    return hashlib.sha256(data).hexdigest()


def digest(path, offset=0, size=None):
    with open(path, "rb") as stream:
        stream.seek(offset)
        return hashlib.sha256(stream.read(size)).hexdigest()


def run(script, modules, *args, seconds=240, pass_fds=()):
    kernel, modules_dir = assets.kernel()
    initrd = assets.initrd(script, modules_dir=modules_dir, modules=modules, name="io")
    # the ELF file: also the test of the PVH start
    with machine.Machine("-nodefaults", "-m", "256", "-vga", "none", "-cpu", "max", "-kernel",
                         assets.vmlinux(kernel), "-initrd", initrd, "-append", "console=ttyS0 panic=-1",
                         "-no-reboot", *args, qmp=False, pass_fds=pass_fds) as vm:
        vm.wait_serial("IO-DONE", seconds)
        vm.wait_exit(240)
        return vm.serial()


def disks():
    """IDE disk by DMA and CD: read and written, checksums compared."""
    with tempfile.TemporaryDirectory() as folder:
        disk, cd = (os.path.join(folder, name) for name in ("d.raw", "cd.iso"))
        sums = {"sda": noise(disk, 16 * MEBI, 1), "sr0": noise(cd, 4 * MEBI, 2)}
        text = run(
            "sleep 1; for d in sda sr0; do echo SUM $d $(sha256sum /dev/$d); done; "
            # the second half of the disk becomes a copy of the first
            "dd if=/dev/sda of=/dev/sda bs=64k count=128 seek=128 conv=fsync 2>/dev/null; "
            "sync; echo IO-DONE", ["ata_piix", "sd_mod", "sr_mod"],
            "-drive", f"file={disk},format=raw,if=ide,index=0",
            "-drive", f"file={cd},format=raw,if=ide,index=2,media=cdrom", seconds=400)
        for name, expected in sums.items():
            assert f"SUM {name} {expected}" in text, name
        assert digest(disk, 0, 8 * MEBI) == digest(disk, 8 * MEBI, 8 * MEBI), "disk copy"


def floppy():
    """A floppy read whole and written: checksums compared."""
    with tempfile.TemporaryDirectory() as folder:
        image = os.path.join(folder, "f.img")
        expected = noise(image, 1440 * 1024, 3)
        text = run(
            "sleep 1; echo SUM fd0 $(sha256sum /dev/fd0); "
            "dd if=/dev/fd0 of=/dev/fd0 bs=18k count=8 seek=40 conv=fsync 2>/dev/null; "
            "sync; echo IO-DONE", ["floppy"], "-drive", f"file={image},format=raw,if=floppy")
        assert f"SUM fd0 {expected}" in text
        assert digest(image, 0, 144 * 1024) == digest(image, 40 * 18 * 1024, 144 * 1024), "copy"


def network():
    """A file over e1000 and user networking, from a server on the host's loopback."""
    with tempfile.TemporaryDirectory() as folder:
        expected = noise(os.path.join(folder, "file"), 2 * MEBI, 4)

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args, **options):
                super().__init__(*args, directory=folder, **options)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        text = run(
            "ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; "
            "ip route add default via 10.0.2.2; sleep 1; "
            f"echo SUM $(wget -q -O - http://10.0.2.2:{server.server_port}/file | sha256sum); "
            "echo IO-DONE", ["e1000"], "-nic", "user,model=e1000")
        server.shutdown()
        assert f"SUM {expected}" in text


if __name__ == "__main__":
    machine.main([disks, network, floppy])
