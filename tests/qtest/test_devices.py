# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices of the PC from outside, by the device test protocol."""
import os
import tempfile

import tap
from client import Qtest
from ide import Ide


def ram_and_rom():
    with Qtest("-m", "64") as q:
        q.write(0x10000, bytes(range(256)))
        assert q.read(0x10000, 256) == bytes(range(256))
        q.writel(0x3fffffc, 0xdeadbeef)
        assert q.readl(0x3fffffc) == 0xdeadbeef
        q.writel(0x4000000, 1)  # nothing is there
        assert q.readl(0x4000000) == 0xffffffff
        assert q.read(0xfffffff0, 1) == b"\xea"  # the firmware's far jump
        assert q.read(0xffff0, 1) == b"\xea"


def periodic_timer():
    with Qtest() as q:
        q.command("irq_intercept_in ioapic")
        q.outb(0x43, 0x34)
        q.outb(0x40, 1193 & 255)
        q.outb(0x40, 1193 >> 8)
        q.step(1_000_000_000)
        assert 998 <= q.raised.get(2, 0) <= 1001, q.raised


def clock_second():
    """The CMOS clock's update interrupt, once a second, held until register C is read."""
    def cmos(index):
        q.outb(0x70, index)
        return q.inb(0x71)

    with Qtest("-rtc", "base=2020-02-29T23:59:58") as q:
        q.command("irq_intercept_in ioapic")
        q.outb(0x70, 0x0b)
        q.outb(0x71, 0x12)
        q.step(1_000_000_000)
        assert q.lines[8], q.lines
        assert cmos(0x0c) & 0x90 == 0x90
        assert not q.lines[8]
        q.step(1_000_000_000)
        assert [cmos(i) for i in (0, 2, 4, 7, 8, 9)] == [0, 0, 0, 1, 3, 0x20]


def serial_loopback():
    with Qtest("-serial", "null") as q:
        q.command("irq_intercept_in ioapic")
        q.outb(0x3fc, 0x18)  # loopback and OUT2
        q.outb(0x3f9, 0x01)
        q.outb(0x3f8, 0x5a)
        q.step(1_000_000_000)
        assert q.inb(0x3fd) & 1
        assert q.inb(0x3f8) == 0x5a
        q.outb(0x3fc, 0x08)
        assert not q.inb(0x3fd) & 1


def pci_bus():
    with Qtest() as q:
        found = {device: q.pci_read(device, 0) for device in range(0, 256, 8)
                 if q.pci_read(device, 0) != 0xffffffff}
        assert found[0] == 0x12378086
        assert found[8] == 0x70008086
        assert q.pci_read(9, 0) == 0x70108086
        assert q.pci_read(11, 0) == 0x71138086
        assert 0x11111234 in found.values()  # the card
        assert 0x100e8086 in found.values()  # the network card
        # a base address sizes itself
        card = next(d for d, v in found.items() if v == 0x100e8086)
        q.pci_write(card, 0x10, 0xffffffff)
        assert q.pci_read(card, 0x10) == 0xfffe0000


def ide_sectors():
    """Programmed input and output of a disk, with its interrupt; the host sees the write."""
    with tempfile.NamedTemporaryFile() as image:
        data = os.urandom(1 << 20)
        image.write(data)
        image.flush()
        with Qtest("-drive", f"file={image.name},format=raw,if=ide") as q:
            q.command("irq_intercept_in ioapic")
            ide = Ide(q)
            assert ide.read(100, 2) == data[100 * 512:102 * 512]
            assert q.raised.get(14, 0) >= 1
            written = b"".join((word * 257 & 0xffff).to_bytes(2, "little") for word in range(256))
            ide.write(7, written)
            with open(image.name, "rb") as stream:
                stream.seek(7 * 512)
                assert stream.read(512) == written


def power_off():
    with Qtest() as q:
        q.pci_write(11, 0x40, 0x601)
        q.pci_write(11, 0x80, 0x1)
        q.outw(0x604, 0x2000)  # S5
        assert q.wait_exit() == 0


def mistakes():
    with Qtest() as q:
        for line in ("inb", "outb 1", "fly", "clock_step x",
                     "irq_intercept_in nothing", "read 0 -1"):
            try:
                q.command(line)
            except ValueError as error:
                assert str(error).startswith("FAIL"), error
            else:
                raise AssertionError(f"{line!r} was taken")
        assert q.inb(0x64) is not None


tap.main([ram_and_rom, periodic_timer, clock_second, serial_loopback, pci_bus, ide_sectors,
          power_off, mistakes])
