#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux guest whose disks' host fails: the host's file system is full, the server goes away and
comes back. The machine stops or waits, goes on when told, and nothing is lost."""
import hashlib
import os
import subprocess
import tempfile
import time

import machine
from test_hotplug import linux, wait_event
from test_io import MEBI, digest, noise

IMG = os.environ.get("VITRINE_IMG", "vitrine-img")
SIZE = 8 * MEBI
MODULES = ["virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod"]


class SmallFolder:
    """A file system of its own with little room, in memory or ext4; needs the right to mount."""

    def __init__(self, size, kind="tmpfs"):
        self.size, self.kind = size, kind

    def mount(self, *words):
        return subprocess.run(["mount", *words, self.path], capture_output=True,
                              check=False).returncode == 0

    def mount_ext4(self):
        subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", "-m", "0", self.image, self.size], check=True)
        if self.mount("-o", "loop", self.image):
            return True
        machine.note("no loop device: in memory instead of on ext4")
        return False

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="vitrine-small-")
        self.image = self.path + ".ext4"
        self.mounted = (self.kind == "ext4" and self.mount_ext4()) or \
            self.mount("-t", "tmpfs", "-o", f"size={self.size}", "none")
        return self

    def __exit__(self, *_):
        if self.mounted:
            subprocess.run(["umount", "-l", self.path], check=False)
        os.rmdir(self.path)
        if self.kind == "ext4":
            os.unlink(self.image)

    def fill(self, leave):
        """All but LEAVE bytes are taken."""
        stat = os.statvfs(self.path)
        with open(os.path.join(self.path, "ballast"), "wb") as stream:
            stream.write(bytes(stat.f_bavail * stat.f_frsize - leave))

    def free(self):
        os.unlink(os.path.join(self.path, "ballast"))


def copy(disk, word, block="64k"):
    """The script part that copies the source to DISK past the cache, in order, and reads it back."""
    return (f"echo START-{word}; dd if=/dev/vda of=/dev/{disk} bs={block} oflag=direct 2>/dev/null; "
            f"echo STATUS-{word} $?; sync; echo 3 > /proc/sys/vm/drop_caches; "
            f"echo SUM-{word} $(head -c {SIZE} /dev/{disk} | sha256sum); ")


def wait_stopped(vm, seconds=120):
    end = time.monotonic() + seconds * machine.PATIENCE
    while vm.qmp("query-status")["status"] != "io-error":
        if time.monotonic() > end:
            raise machine.Failure(f"the machine did not stop: {vm.events}")
        time.sleep(0.2)


def disk_full():
    """Guest writes to images on a full file system; space is made, the guest goes on.

    mission: drive.werror drive.error.enospc drive.error.stop iothread object.iothread device.iothread"""
    with SmallFolder("32m") as small, SmallFolder("32m", "ext4") as disk_folder, \
            tempfile.TemporaryDirectory() as folder:
        if not small.mounted or not disk_folder.mounted:
            machine.note("skipped: no file system can be mounted here")
            return
        source = os.path.join(folder, "source.raw")
        expected = noise(source, SIZE, 31)
        images = {"vdb": ("qcow2", os.path.join(small.path, "a.qcow2")),
                  "sda": ("raw", os.path.join(small.path, "b.raw")),
                  "vdc": ("raw", os.path.join(disk_folder.path, "e.raw"))}
        for form, path in images.values():
            subprocess.run([IMG, "create", "-q", "-f", form, path, str(SIZE)], check=True)
        # the last by short writes to the page cache, which a CPU's thread makes itself
        script = ("sleep 1; " + copy("vdb", "vdb") + "sleep 3; " + copy("sda", "sda") + "sleep 3; "
                  + copy("vdc", "vdc", "4k") + "echo IO-DONE")
        with linux(script, MODULES, "-object", "iothread,id=io0",
                   "-drive", f"file={source},format=raw,if=none,id=s,readonly=on",
                   "-device", "virtio-blk-pci,drive=s",
                   "-drive", f"file={images['vdb'][1]},format=qcow2,if=none,id=a,cache=none",
                   "-device", "virtio-blk-pci,drive=a,iothread=io0",
                   "-drive", f"file={images['sda'][1]},format=raw,if=none,id=b,werror=stop",
                   "-device", "virtio-scsi-pci,id=c,iothread=io0",
                   "-device", "scsi-hd,drive=b,bus=c.0",
                   "-drive", f"file={images['vdc'][1]},format=raw,if=none,id=e",
                   "-device", "virtio-blk-pci,drive=e") as vm:
            vm.qmp("query-status")  # events are heard from here on
            for disk, name, full in (("vdb", "a", small), ("sda", "b", small),
                                     ("vdc", "e", disk_folder)):
                full.fill(3 * MEBI)
                vm.wait_serial(f"START-{disk}", 240)
                wait_stopped(vm)
                event = wait_event(vm, "BLOCK_IO_ERROR", 30, name)["data"]
                assert event["nospace"] and event["action"] == "stop", event
                row = next(d for d in vm.qmp("query-block") if d["device"] == name)
                assert row["io-status"] == "nospace", row
                # going on with nothing changed stops again
                vm.qmp("cont")
                wait_stopped(vm)
                assert f"STATUS-{disk}" not in vm.serial()
                full.free()
                vm.qmp("cont")
                vm.wait_serial(f"SUM-{disk} {expected}", 240)
                assert f"STATUS-{disk} 0" in vm.serial()
            vm.wait_serial("IO-DONE", 60)
            vm.wait_exit(240)
        for form, path in images.values():
            plain = os.path.join(folder, "plain.raw")
            subprocess.run([IMG, "convert", "-f", form, "-O", "raw", path, plain], check=True)
            assert digest(plain) == expected, path
        subprocess.run([IMG, "check", "-q", images["vdb"][1]], check=True)


class Server:
    """nbdkit on a file, slow enough to be killed amid the work."""

    def __init__(self, path, socket, *delays):
        self.command = ["nbdkit", "-f", "-U", socket, "--filter=delay", "file", path, *delays]
        self.socket = socket
        self.start()

    def start(self):
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL)
        while not os.path.exists(self.socket):
            assert self.process.poll() is None, "nbdkit ended"
            time.sleep(0.05)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def server_gone():
    """The NBD server of a disk is killed while the guest writes: the machine stops, or the client
    connects again by itself.

    mission: drive.rerror drive.error.stop url.nbd.unix nbd"""
    for stops in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            source, disk, socket = (os.path.join(folder, n) for n in ("s.raw", "d.raw", "sock"))
            expected = noise(source, SIZE, 32)
            with open(disk, "wb") as stream:
                stream.truncate(SIZE)
            keys = "werror=stop,rerror=stop" if stops else "file.reconnect-delay=120"
            with Server(disk, socket, "wdelay=40ms") as server, \
                    linux("sleep 1; " + copy("vdb", "vdb") + "echo IO-DONE", MODULES,
                          "-drive", f"file={source},format=raw,if=none,id=s,readonly=on",
                          "-device", "virtio-blk-pci,drive=s",
                          "-drive", "file.driver=nbd,file.server.type=unix,"
                          f"file.server.path={socket},format=raw,if=none,id=n,{keys}",
                          "-device", "virtio-blk-pci,drive=n") as vm:
                vm.qmp("query-status")  # events are heard from here on
                vm.wait_serial("START-vdb", 240)
                time.sleep(1)
                assert "STATUS-vdb" not in vm.serial(), "killed too late to show anything"
                server.kill()
                if stops:
                    wait_stopped(vm)
                    assert wait_event(vm, "BLOCK_IO_ERROR", 30, "n")["data"]["action"] == "stop"
                else:
                    time.sleep(2)
                    assert vm.qmp("query-status")["status"] == "running"
                server.start()
                if stops:
                    vm.qmp("cont")
                vm.wait_serial(f"SUM-vdb {expected}", 240)
                assert "STATUS-vdb 0" in vm.serial()
                vm.wait_exit(240)
            assert digest(disk) == expected


def server_gone_in_job():
    """The target of a mirror goes away and comes back: the job stops and is resumed, the copy is
    complete; the guest writes on meanwhile.

    mission: blockdev-mirror block-job-resume block-job-complete"""
    with tempfile.TemporaryDirectory() as folder:
        disk, copy_path, socket = (os.path.join(folder, n) for n in ("d.raw", "c.raw", "sock"))
        noise(disk, SIZE, 33)
        with open(copy_path, "wb") as stream:
            stream.truncate(SIZE)
        script = ("sleep 1; echo READY; for i in 1 2 3 4 5 6 7 8; do "
                  "dd if=/dev/urandom of=/dev/vda bs=64k count=1 seek=$((i * 9)) conv=notrunc "
                  "oflag=direct 2>/dev/null; echo ROUND $i $?; sleep 1; done; sync; echo WRITTEN; "
                  "sleep 30; echo IO-DONE")
        with Server(copy_path, socket, "wdelay=100ms") as server, \
                linux(script, MODULES, "-drive", f"file={disk},format=raw,if=none,id=d",
                      "-device", "virtio-blk-pci,drive=d") as vm:
            vm.wait_serial("READY", 240)
            vm.qmp("blockdev-add", **{"driver": "raw", "node-name": "t", "file": {
                "driver": "nbd", "server": {"type": "unix", "path": socket}}})
            vm.qmp("blockdev-mirror", **{"job-id": "j", "device": "d", "target": "t",
                                         "sync": "full", "on-target-error": "stop"})
            time.sleep(0.5)
            server.kill()
            end = time.monotonic() + 60 * machine.PATIENCE
            while True:
                job = vm.qmp("query-block-jobs")[0]
                if job["io-status"] != "ok":
                    break
                assert time.monotonic() < end, job
                time.sleep(0.2)
            assert job["paused"] or job["io-status"] == "failed", job
            vm.wait_serial("ROUND 2 0", 120)  # the guest does not mind
            server.start()
            vm.qmp("block-job-resume", device="j")
            vm.wait_serial("WRITTEN", 120)
            wait_event(vm, "BLOCK_JOB_READY", 120, "j")
            vm.qmp("block-job-complete", device="j")
            done = wait_event(vm, "BLOCK_JOB_COMPLETED", 120, "j")
            assert "error" not in done["data"], done
        with open(disk, "rb") as one, open(copy_path, "rb") as two:
            assert hashlib.sha256(one.read()).digest() == hashlib.sha256(two.read()).digest()


if __name__ == "__main__":
    machine.main([disk_full, server_gone, server_gone_in_job])
