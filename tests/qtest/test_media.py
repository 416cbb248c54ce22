#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a disk holds in the end, by a guest that is this program: snapshots that are committed,
devices of the host."""
import contextlib
import os
import shutil
import subprocess
import tempfile
import time

import tap
from client import Qtest
from ide import Ide

IMG = os.path.join(os.path.dirname(os.environ.get("VITRINE_RUN", "")), "..", "img", "vitrine-img")
DIR = tempfile.mkdtemp(prefix="vitrine-media-")
OLD, NEW = b"old " * 128, b"new " * 128


def disk_of(name, data):
    path = os.path.join(DIR, name)
    with open(path, "wb") as stream:
        stream.write(data)
    return path


@contextlib.contextmanager
def loop_device(path, *args):
    """The file PATH as a block device of the host."""
    losetup = shutil.which("losetup", path=os.environ.get("PATH", "") + ":/sbin:/usr/sbin")
    if os.geteuid() != 0 or not losetup:
        raise tap.Skip("block devices are made by root, with losetup")
    done = subprocess.run([losetup, "--find", "--show", *args, path], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        raise tap.Skip(f"this host has no loop devices: {done.stderr.strip()}")
    device = done.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run([losetup, "-d", device], check=True)


def sector(path, number):
    with open(path, "rb") as stream:
        stream.seek(number * 512)
        return stream.read(512)


def commit_key():
    """mission: mux.save
    With -snapshot the image stays as it was, until Ctrl-a s on the console commits."""
    disk = disk_of("snap.img", OLD * 2048)
    with Qtest("-snapshot", "-drive", f"file={disk},format=raw,if=ide", "-serial", "mon:stdio",
               stdin=subprocess.PIPE) as q:
        ide = Ide(q)
        ide.write(5, NEW)
        assert ide.read(5, 1) == NEW
        assert sector(disk, 5) == OLD
        q.process.stdin.write(b"\x01s")
        q.process.stdin.flush()
        end = time.monotonic() + 30
        while sector(disk, 5) != NEW:
            assert time.monotonic() < end, "nothing was committed"
            time.sleep(0.02)
        ide.write(6, NEW)  # and it goes on above what is committed
    assert sector(disk, 5) == NEW and sector(disk, 6) == OLD


def host_device():
    """mission: x.drive.host-device
    A block device of the host as a disk; its size is the device's."""
    disk = disk_of("device.img", OLD * 2048)
    with loop_device(disk) as device:
        with Qtest("-drive", f"file={device},format=raw,if=ide,cache=none") as q:
            ide = Ide(q)
            assert ide.read(2047, 1) == OLD
            ide.write(2047, NEW)
        assert sector(device, 2047) == NEW
        shown = subprocess.run([IMG, "info", device], capture_output=True, text=True, check=True)
        assert "1048576 bytes" in shown.stdout, shown.stdout
        subprocess.run([IMG, "convert", "-n", "-O", "raw", disk_of("in.img", NEW * 2048), device],
                       check=True)
    assert sector(disk, 0) == NEW and sector(disk, 2047) == NEW


def host_drive():
    """mission: cdrom.host-drive
    -cdrom with a device of the host that can only be read. A drive with a tray is not there."""
    disc = disk_of("disc.iso", b"".join(bytes([i]) * 2048 for i in range(64)))
    with loop_device(disc, "--read-only") as device:
        link = os.path.join(DIR, "cdrom")
        os.symlink(device, link)
        with Qtest("-cdrom", link) as q:
            assert Ide(q, 0x170).read_disc(17) == bytes([17]) * 2048
    done = subprocess.run([os.environ.get("VITRINE_RUN", "vitrine-run"), "-display", "none", "-S",
                           "-cdrom", "/dev/sr99"], capture_output=True, text=True, check=False,
                          timeout=60)
    assert done.returncode == 1 and "/dev/sr99" in done.stderr, done.stderr


tap.main([commit_key, host_device, host_drive], lambda: shutil.rmtree(DIR, ignore_errors=True))
