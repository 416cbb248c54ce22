#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux guest reads and writes disks behind each controller; the host compares checksums."""
import os
import subprocess
import tempfile
import time

import assets
import machine
from test_io import MEBI, digest, noise, run

SIZE = 8 * MEBI


def copy_script(disk):
    """Sums the disk, then makes its second half a copy of the first, with a flush."""
    half = SIZE // 2 // 65536
    return (f"sleep 1; echo SUM $(sha256sum /dev/{disk}); "
            f"dd if=/dev/{disk} of=/dev/{disk} bs=64k count={half} seek={half} conv=fsync "
            "2>/dev/null; sync; ")


def check(disk_name, modules, device, script="", drive="", more=(), seconds=300):
    """The disk as DEVICE, judged as copy_script() says; SCRIPT runs after it."""
    with tempfile.TemporaryDirectory() as folder:
        disk = os.path.join(folder, "d.raw")
        expected = noise(disk, SIZE, 11)
        text = run(copy_script(disk_name) + script + "echo IO-DONE", [*modules],
                   "-drive", f"file={disk},format=raw,if=none,id=d0{drive}", *device, *more,
                   seconds=seconds)
        assert f"SUM {expected}" in text, "what the guest read"
        assert digest(disk, 0, SIZE // 2) == digest(disk, SIZE // 2, SIZE // 2), "the copy"
        return text


VIRTIO_BLK = ["virtio_pci", "virtio_blk"]


def virtio_blk():
    """mission: virtio-blk virtio-blk-pci device.drive device.id
    Modern interface, MSI-X, several queues, serial."""
    text = check("vda", VIRTIO_BLK, ["-device", "virtio-blk-pci,drive=d0,serial=abc123,num-queues=2"],
                 "echo SERIAL $(cat /sys/block/vda/serial) CACHE $(cat /sys/block/vda/cache_type); "
                 "echo NQ $(ls /sys/block/vda/mq | wc -w); ", more=["-smp", "2"])
    assert "SERIAL abc123" in text and "CACHE write back" in text and "NQ 2" in text, text


def virtio_blk_legacy():
    """The legacy interface, without MSI-X.

    mission: virtio-blk-pci-transitional"""
    check("vda", VIRTIO_BLK, ["-device", "virtio-blk-pci,drive=d0,disable-modern=on,vectors=0"])


def virtio_blk_packed():
    """Packed rings, sectors of 4096 bytes.

    mission: virtio-blk-pci-non-transitional device.physical_block_size"""
    check("vda", VIRTIO_BLK,
          ["-device", "virtio-blk-pci-non-transitional,drive=d0,packed=on,logical_block_size=4096,"
           "physical_block_size=4096"])


def virtio_blk_iothread():
    """Queues and completions on a thread of their own, two CPUs at its bells.

    mission: iothread device.iothread"""
    check("vda", VIRTIO_BLK, ["-object", "iothread,id=io0", "-device",
                              "virtio-blk-pci,drive=d0,num-queues=2,iothread=io0"],
          more=["-smp", "2"])


def io_uring_stops():
    """CPUs that halt take what io_uring has done themselves, while the machine stops and
    goes on, and a snapshot drains the disk.

    mission: drive.aio.io_uring"""
    with tempfile.TemporaryDirectory() as folder:
        disk = os.path.join(folder, "d.raw")
        expected = noise(disk, SIZE, 30)
        kernel, modules_dir = assets.kernel()
        script = ("sleep 1; echo BUSY; i=0; while [ $i -lt 40 ]; do dd if=/dev/vda of=/dev/null bs=16k "
                  "iflag=direct 2>/dev/null || break; dd if=/dev/vda of=/dev/vda bs=16k count=64 "
                  "iflag=direct oflag=direct conv=notrunc 2>/dev/null || break; i=$((i+1)); done; "
                  "echo LOOPS $i; echo SUM $(sha256sum /dev/vda); echo IO-DONE")
        initrd = assets.initrd(script, modules_dir=modules_dir, modules=VIRTIO_BLK, name="uring")
        with machine.Machine("-nodefaults", "-m", "256", "-vga", "none", "-cpu", "max", "-smp", "2",
                             "-kernel", assets.vmlinux(kernel), "-initrd", initrd, "-append",
                             "console=ttyS0 panic=-1", "-no-reboot", "-drive",
                             f"file={disk},format=raw,if=none,id=d0,cache=none,aio=io_uring",
                             "-device", "virtio-blk-pci,drive=d0") as vm:
            vm.wait_serial("BUSY", 240)
            for n in range(40):
                vm.qmp("stop")
                if n == 20:
                    vm.qmp("blockdev-snapshot-sync", device="d0", format="qcow2",
                           **{"snapshot-file": os.path.join(folder, "over.qcow2")})
                vm.qmp("cont")
            vm.wait_serial("IO-DONE", 240)
            text = vm.serial()
            vm.wait_exit(240)
        assert "LOOPS 40" in text and f"SUM {expected}" in text, text[-1000:]


def iothread_each():
    """Two disks on a thread each, busy at once, while the machine stops and goes on; then one is
    taken out while the other works on.

    mission: iothread device.iothread query-iothreads"""
    with tempfile.TemporaryDirectory() as folder:
        names = [os.path.join(folder, f"d{n}.raw") for n in range(2)]
        sums = [noise(name, SIZE, 20 + n) for n, name in enumerate(names)]
        kernel, modules_dir = assets.kernel()
        loops = "".join(
            f"(i=0; while [ $i -lt 60 ]; do dd if=/dev/{disk} of=/dev/null bs=16k iflag=direct "
            "2>/dev/null || break; i=$((i+1)); done; echo LOOP-{disk} $i) & ".replace("{disk}", disk)
            for disk in ("vda", "vdb"))
        script = ("sleep 1; for d in vda vdb; do echo SUM $d $(sha256sum /dev/$d); done; echo BUSY; "
                  + loops + "wait; echo SUM-LAST $(sha256sum /dev/vdb); echo IO-DONE")
        initrd = assets.initrd(script, modules_dir=modules_dir, modules=[*VIRTIO_BLK, "acpiphp"],
                               name="iothreads")
        devices = []
        for n, name in enumerate(names):
            devices += ["-object", f"iothread,id=io{n}", "-drive",
                        f"file={name},format=raw,if=none,id=d{n},cache=none", "-device",
                        f"virtio-blk-pci,id=v{n},drive=d{n},iothread=io{n}"]
        with machine.Machine("-nodefaults", "-m", "256", "-vga", "none", "-cpu", "max", "-smp", "2",
                             "-kernel", assets.vmlinux(kernel), "-initrd", initrd, "-append",
                             "console=ttyS0 panic=-1", "-no-reboot", *devices) as vm:
            vm.wait_serial("BUSY", 240)
            threads = {thread["id"]: thread["thread-id"] for thread in vm.qmp("query-iothreads")}
            assert set(threads) == {"io0", "io1"} and threads["io0"] != threads["io1"], threads
            for _ in range(20):
                vm.qmp("stop")
                vm.qmp("cont")
            vm.qmp("device_del", id="v0")
            vm.wait_serial("LOOP-vda", 240)
            vm.wait_serial("IO-DONE", 240)
            text = vm.serial()
            vm.wait_exit(240)
        for disk, expected in zip(("vda", "vdb"), sums):
            assert f"SUM {disk} {expected}" in text, disk
        assert "LOOP-vdb 60" in text and f"SUM-LAST {sums[1]}" in text, "the disk that stayed"
        assert "LOOP-vda 60" not in text, "the disk that went had ended before"


VIRTIO_SCSI = ["virtio_pci", "virtio_scsi", "sd_mod", "sr_mod"]


def virtio_scsi():
    """A disk and a CD behind the adapter.

    mission: virtio-scsi virtio-scsi-pci scsi-hd scsi-cd"""
    with tempfile.TemporaryDirectory() as folder:
        cd = os.path.join(folder, "cd.iso")
        expected = noise(cd, 2 * MEBI, 12)
        text = check("sda", VIRTIO_SCSI,
                     ["-device", "virtio-scsi-pci,id=s0,num_queues=2", "-device",
                      "scsi-hd,drive=d0,serial=xyz,bus=s0.0,scsi-id=3,lun=2"],
                     "echo CD $(sha256sum /dev/sr0); "
                     "echo CACHE $(cat /sys/block/sda/queue/write_cache); "
                     "eject /dev/sr0; sleep 1; ",
                     more=["-smp", "2", "-drive", f"file={cd},if=none,id=c0,media=cdrom,format=raw",
                           "-device", "scsi-cd,drive=c0,bus=s0.0"])
        assert f"CD {expected}" in text, "what the guest read from the CD"
        assert "CACHE write back" in text


def pvscsi():
    """A disk and a CD behind VMware's adapter, by messages and by its interrupt pin.

    mission: pvscsi"""
    for option in ("on", "off"):
        with tempfile.TemporaryDirectory() as folder:
            cd = os.path.join(folder, "cd.iso")
            expected = noise(cd, 2 * MEBI, 15)
            text = check("sda", ["vmw_pvscsi", "sd_mod", "sr_mod"],
                         ["-device", f"pvscsi,id=s0,use_msg={option}", "-device",
                          "scsi-hd,drive=d0,bus=s0.0,scsi-id=3"],
                         "echo CD $(sha256sum /dev/sr0); "
                         "echo CACHE $(cat /sys/block/sda/queue/write_cache); ",
                         more=["-drive", f"file={cd},if=none,id=c0,media=cdrom,format=raw",
                               "-device", "scsi-cd,drive=c0,bus=s0.0"])
            assert f"CD {expected}" in text, "what the guest read from the CD"
            assert "CACHE write back" in text, "the mode page"


def parallel():
    """A disk and a CD behind each adapter of a parallel bus: with memory for its scripts, and the
    first of the family, whose driver has other scripts.

    mission: lsi53c895a lsi53c810"""
    for kind in ("lsi53c895a", "lsi53c810"):
        with tempfile.TemporaryDirectory() as folder:
            cd = os.path.join(folder, "cd.iso")
            expected = noise(cd, 2 * MEBI, 16)
            text = check("sda", ["sym53c8xx", "sd_mod", "sr_mod"],
                         ["-device", f"{kind},id=s0", "-device",
                          "scsi-hd,drive=d0,bus=s0.0,scsi-id=3,lun=2"],
                         "echo CD $(sha256sum /dev/sr0); "
                         "echo CACHE $(cat /sys/block/sda/queue/write_cache); ",
                         more=["-drive", f"file={cd},if=none,id=c0,media=cdrom,format=raw",
                               "-device", "scsi-cd,drive=c0,bus=s0.0,scsi-id=5"])
            assert f"CD {expected}" in text, "what the guest read from the CD"
            assert "CACHE write back" in text, "the mode page"


def ahci():
    """A disk with queued commands and a CD on SATA ports.

    mission: ich9-ahci"""
    with tempfile.TemporaryDirectory() as folder:
        cd = os.path.join(folder, "cd.iso")
        expected = noise(cd, 2 * MEBI, 13)
        text = check("sda", ["ahci", "sd_mod", "sr_mod"],
                     ["-device", "ahci,id=a0", "-device", "ide-hd,drive=d0,bus=a0.0"],
                     "echo CD $(sha256sum /dev/sr0); "
                     "echo DEPTH $(cat /sys/block/sda/device/queue_depth); ",
                     more=["-drive", f"file={cd},if=none,id=c0,media=cdrom,format=raw",
                           "-device", "ide-cd,drive=c0,bus=a0.1"])
        assert f"CD {expected}" in text, "what the guest read from the CD"
        assert "DEPTH 32" in text or "DEPTH 31" in text


def nvme():
    """Two namespaces.

    mission: nvme nvme-ns"""
    with tempfile.TemporaryDirectory() as folder:
        second = os.path.join(folder, "second.raw")
        expected = noise(second, 2 * MEBI, 14)
        text = check("nvme0n1", ["nvme"],
                     ["-device", "nvme,id=n0,drive=d0,serial=nv-1"],
                     "echo SECOND $(sha256sum /dev/nvme0n2); "
                     "echo SERIAL $(cat /sys/class/nvme/nvme0/serial); ",
                     more=["-smp", "2", "-drive", f"file={second},if=none,id=d1,format=raw",
                           "-device", "nvme-ns,drive=d1,nsid=2,logical_block_size=4096"])
        assert f"SECOND {expected}" in text, "what the guest read from namespace 2"
        assert "SERIAL nv-1" in text


def boot_disk(path, word):
    """A disk whose boot sector says WORD on the first serial port, then powers off by the test
    device's port."""
    code = bytes([0xfa, 0x31, 0xc0, 0x8e, 0xd8,        # cli; ds = 0
                  0xbe, 0x1d, 0x7c,                    # si = text
                  0xba, 0xf8, 0x03,                    # dx = 3f8h
                  0xac, 0x84, 0xc0, 0x74, 0x03,        # lodsb; until 0
                  0xee, 0xeb, 0xf8,                    # out dx, al
                  0xba, 0x01, 0x05, 0xb0, 0x00, 0xee,  # isa-debug-exit: status 1
                  0xf4, 0xeb, 0xfd])                   # hlt
    sector = code.ljust(0x1d, b"\0") + word.encode() + b"\n\0"
    with open(path, "wb") as stream:
        stream.write(sector.ljust(510, b"\0") + b"\x55\xaa" + bytes(MEBI - 512))


def firmware_boots():
    """SeaBIOS starts the disk that bootindex names, behind each controller.

    mission: device.bootindex"""
    kinds = {
        "virtio-blk": ["-device", "virtio-blk-pci,drive=d0,bootindex=0"],
        "virtio-blk-legacy": ["-device", "virtio-blk-pci,disable-modern=on,drive=d0,bootindex=0"],
        "virtio-blk-modern": ["-device", "virtio-blk-pci,disable-legacy=on,drive=d0,bootindex=0"],
        "virtio-scsi": ["-device", "virtio-scsi-pci", "-device", "scsi-hd,drive=d0,bootindex=0"],
        "pvscsi": ["-device", "pvscsi", "-device", "scsi-hd,drive=d0,bootindex=0"],
        "lsi53c895a": ["-device", "lsi53c895a", "-device", "scsi-hd,drive=d0,bootindex=0"],
        "ahci": ["-device", "ahci,id=a", "-device", "ide-hd,drive=d0,bus=a.2,bootindex=0"],
        "nvme": ["-device", "nvme,drive=d0,serial=1,bootindex=0"],
    }
    with tempfile.TemporaryDirectory() as folder:
        other, disk = (os.path.join(folder, name) for name in ("other.raw", "disk.raw"))
        boot_disk(other, "WRONG-DISK")
        for name, device in kinds.items():
            boot_disk(disk, "BOOTED-" + name)
            # the IDE disk comes first in the firmware's own order
            with machine.Machine("-nodefaults", "-m", "64", "-vga", "none", "-device",
                                 "isa-debug-exit,iobase=0x501,iosize=2", "-drive",
                                 f"file={other},format=raw,if=ide", "-drive",
                                 f"file={disk},format=raw,if=none,id=d0", *device,
                                 qmp=False) as vm:
                vm.wait_serial("BOOTED-" + name, 60)
                assert "WRONG" not in vm.serial()
                vm.wait_exit(60, status=1)


def boots_over_network():
    """The firmware starts a disk that an NBD server has.

    mission: url.nbd.unix url.nbd.legacy-unix"""
    with tempfile.TemporaryDirectory() as folder:
        disk, socket = (os.path.join(folder, name) for name in ("disk.raw", "sock"))
        boot_disk(disk, "BOOTED-nbd")
        with subprocess.Popen(["nbdkit", "-f", "-r", "-U", socket, "file", disk]) as server:
            try:
                while subprocess.run(["nbdinfo", f"nbd+unix:///?socket={socket}"],
                                     capture_output=True, check=False).returncode:
                    time.sleep(0.1)
                for name in (f"nbd+unix:///?socket={socket}", f"nbd:unix:{socket}"):
                    with machine.Machine("-nodefaults", "-m", "64", "-vga", "none", "-device",
                                         "isa-debug-exit,iobase=0x501,iosize=2", "-drive",
                                         f"file={name},format=raw,snapshot=on", qmp=False) as vm:
                        vm.wait_serial("BOOTED-nbd", 60)
                        vm.wait_exit(60, status=1)
            finally:
                server.terminate()


if __name__ == "__main__":
    machine.main([firmware_boots, boots_over_network, virtio_blk, virtio_blk_iothread,
                  iothread_each, io_uring_stops, virtio_blk_legacy, virtio_blk_packed, virtio_scsi, pvscsi, parallel,
                  ahci, nvme])
