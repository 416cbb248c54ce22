# SPDX-License-Identifier: GPL-2.0-or-later
"""An IDE channel by programmed input and output, over the device test protocol."""
import time

SECTOR = 512


class Ide:
    """The first channel (BASE 0x1f0) or the second (0x170)."""

    def __init__(self, q, base=0x1f0):
        self.q, self.base = q, base
        self.status = base + 0x206

    def _ready(self, bits):
        end = time.monotonic() + 60  # the host's disk may be slow
        while time.monotonic() < end:
            status = self.q.inb(self.status)
            if not status & 0x80:
                assert status & 0x01 == 0 and status & bits == bits, hex(status)
                return
            self.q.step(1000)
        raise AssertionError(f"busy: {status:#x}")

    def _issue(self, command, lba, count):
        for port, value in ((6, 0xe0 | lba >> 24), (2, count), (3, lba & 255),
                            (4, lba >> 8 & 255), (5, lba >> 16 & 255), (7, command)):
            self.q.outb(self.base + port, value)

    def _words(self, count):
        return b"".join(self.q.inw(self.base).to_bytes(2, "little") for _ in range(count))

    def read(self, lba, count):
        self._issue(0x20, lba, count)
        data = b""
        for _ in range(count):
            self._ready(0x08)
            data += self._words(SECTOR // 2)
        return data

    def write(self, lba, data):
        self._issue(0x30, lba, len(data) // SECTOR)
        for at in range(0, len(data), 2):
            if at % SECTOR == 0:
                self._ready(0x08)
            self.q.outw(self.base, int.from_bytes(data[at:at + 2], "little"))
        self._ready(0)
        self._issue(0xe7, 0, 0)  # FLUSH CACHE
        self._ready(0)

    def read_disc(self, lba):
        """A sector of 2048 bytes of the optical drive that is the channel's first device; commands
        that report a change of medium are repeated."""
        for _ in range(5):
            for port, value in ((6, 0xa0), (1, 0), (4, 2048 & 255), (5, 2048 >> 8), (7, 0xa0)):
                self.q.outb(self.base + port, value)
            self._ready(0x08)
            packet = bytes([0x28, 0]) + lba.to_bytes(4, "big") + bytes([0, 0, 1, 0, 0, 0])
            for at in range(0, 12, 2):
                self.q.outw(self.base, int.from_bytes(packet[at:at + 2], "little"))
            try:
                self._ready(0x08)
            except AssertionError:
                continue
            return self._words(1024)
        raise AssertionError("the disc cannot be read")
