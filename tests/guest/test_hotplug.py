#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices come and go under a running Linux guest."""
import os
import tempfile
import time

import assets
import machine
from test_io import MEBI, noise


def linux(script, modules, *args):
    kernel, modules_dir = assets.kernel()
    initrd = assets.initrd(script, modules_dir=modules_dir, modules=modules, name="hotplug")
    return machine.Machine("-nodefaults", "-m", "256", "-vga", "none", "-cpu", "max", "-kernel",
                           assets.vmlinux(kernel), "-initrd", initrd, "-append",
                           "console=ttyS0 panic=-1", "-no-reboot", *args)


def wait_event(vm, name, seconds, device=None):
    end = time.monotonic() + seconds * machine.PATIENCE
    while time.monotonic() < end:
        for event in vm.events:
            if event["event"] == name and (device is None or event["data"].get("device") == device):
                return event
        vm.qmp("query-status")  # reads what has come
        time.sleep(0.2)
    raise machine.Failure(f"no event {name} within {seconds} s: {vm.events}")


WAIT = "until {}; do sleep 0.2; done; "


def pci_disk():
    """A virtio disk by QMP and by the human monitor, twice.

    mission: device_add device_del"""
    with tempfile.TemporaryDirectory() as folder:
        disk = os.path.join(folder, "d.raw")
        expected = noise(disk, 2 * MEBI, 21)
        script = ("sleep 1; echo READY; "
                  + WAIT.format("test -b /dev/vda") + "echo SUM $(sha256sum /dev/vda); "
                  + WAIT.format("test ! -b /dev/vda") + "echo GONE-1; "
                  + WAIT.format("test -b /dev/vda") + "echo AGAIN; "
                  + WAIT.format("test ! -b /dev/vda") + "echo GONE-2; sleep 5; ")
        with linux(script, ["virtio_pci", "virtio_blk"], "-drive",
                   f"file={disk},format=raw,if=none,id=d0") as vm:
            vm.wait_serial("READY", 240)
            vm.qmp("device_add", driver="virtio-blk-pci", id="disk", drive="d0")
            vm.wait_serial("SUM " + expected, 60)
            assert "disk" in vm.hmp("info qtree")
            vm.qmp("device_del", id="disk")
            vm.wait_serial("GONE-1", 60)
            wait_event(vm, "DEVICE_DELETED", 30, "disk")
            assert vm.hmp("device_add virtio-blk-pci,drive=d0,id=two,addr=0x9") == ""
            vm.wait_serial("AGAIN", 60)
            assert vm.hmp("device_del two") == ""
            vm.wait_serial("GONE-2", 60)
            wait_event(vm, "DEVICE_DELETED", 30, "two")
            assert "not found" in vm.hmp("device_del two")
            vm.wait_exit(240)


def scsi_disk_and_card():
    """A disk on a SCSI bus goes at once; a network card.

    mission: scsi-hd virtio-net-pci"""
    with tempfile.TemporaryDirectory() as folder:
        disk = os.path.join(folder, "d.raw")
        expected = noise(disk, 2 * MEBI, 22)
        script = ("sleep 1; echo READY; "
                  + WAIT.format("test -b /dev/sda") + "echo SUM $(sha256sum /dev/sda); "
                  + WAIT.format("test ! -b /dev/sda") + "echo GONE-1; "
                  + WAIT.format("test -d /sys/class/net/eth0") + "echo CARD "
                  "$(cat /sys/class/net/eth0/address); "
                  + WAIT.format("test ! -d /sys/class/net/eth0") + "echo GONE-2; sleep 5; ")
        with linux(script, ["virtio_pci", "virtio_scsi", "sd_mod", "virtio_net"], "-drive",
                   f"file={disk},format=raw,if=none,id=d0", "-device", "virtio-scsi-pci,id=s0",
                   "-netdev", "user,id=n0") as vm:
            vm.wait_serial("READY", 240)
            vm.qmp("device_add", driver="scsi-hd", id="unit", drive="d0", bus="s0.0", lun=3)
            vm.wait_serial("SUM " + expected, 60)
            vm.qmp("device_del", id="unit")
            vm.wait_serial("GONE-1", 60)
            wait_event(vm, "DEVICE_DELETED", 30, "unit")
            vm.qmp("device_add", driver="virtio-net-pci", id="card", netdev="n0",
                   mac="52:54:00:aa:bb:cc")
            vm.wait_serial("CARD 52:54:00:aa:bb:cc", 60)
            vm.qmp("device_del", id="card")
            vm.wait_serial("GONE-2", 60)
            wait_event(vm, "DEVICE_DELETED", 30, "card")
            vm.wait_exit(240)


def refusals():
    """What cannot be plugged says why, and nothing is left behind."""
    with machine.Machine("-S", "-m", "32", "-device", "virtio-rng-pci,id=r0") as vm:
        before = vm.hmp("info qtree")
        for line, words in (("device_add nonsense", "no device"),
                            ("device_add ide-hd,drive=none", ""),
                            ("device_add virtio-rng-pci,id=r0", "Duplicate"),
                            ("device_add virtio-rng-pci,colour=red", "colour"),
                            ("device_add isa-debugcon", "hotplug"),
                            ("device_add virtio-rng-pci,addr=0x1", ""),
                            ("device_del nobody", "not found")):
            answer = vm.hmp(line)
            assert answer.startswith("Error") and words in answer, (line, answer)
        assert vm.hmp("info qtree") == before


if __name__ == "__main__":
    machine.main([refusals, pci_disk, scsi_disk_and_card])
