#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux guest reads and writes disks behind each controller; the host compares checksums."""
import os
import tempfile

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
    """mission: virtio-blk virtio-blk-pci. Modern interface, MSI-X, several queues, serial."""
    text = check("vda", VIRTIO_BLK, ["-device", "virtio-blk-pci,drive=d0,serial=abc123,num-queues=2"],
                 "echo SERIAL $(cat /sys/block/vda/serial) CACHE $(cat /sys/block/vda/cache_type); "
                 "echo NQ $(ls /sys/block/vda/mq | wc -w); ", more=["-smp", "2"])
    assert "SERIAL abc123" in text and "CACHE write back" in text and "NQ 2" in text, text


def virtio_blk_legacy():
    """mission: virtio-blk-pci-transitional. The legacy interface, without MSI-X."""
    check("vda", VIRTIO_BLK, ["-device", "virtio-blk-pci,drive=d0,disable-modern=on,vectors=0"])


def virtio_blk_packed():
    """mission: virtio-blk-pci-non-transitional. Packed rings, sectors of 4096 bytes."""
    check("vda", VIRTIO_BLK,
          ["-device", "virtio-blk-pci-non-transitional,drive=d0,packed=on,logical_block_size=4096,"
           "physical_block_size=4096"])


VIRTIO_SCSI = ["virtio_pci", "virtio_scsi", "sd_mod", "sr_mod"]


def virtio_scsi():
    """mission: virtio-scsi virtio-scsi-pci scsi-hd scsi-cd. A disk and a CD behind the adapter."""
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


if __name__ == "__main__":
    machine.main([virtio_blk, virtio_blk_legacy, virtio_blk_packed, virtio_scsi])
