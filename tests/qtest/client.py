# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine whose CPUs stand still, driven through -qtest over a socket."""
import os
import shutil
import socket
import subprocess
import tempfile
import time

PROGRAM = os.environ.get("VITRINE_RUN", "vitrine-run")


class Qtest:
    def __init__(self, *args, stdin=subprocess.DEVNULL):
        self.dir = tempfile.mkdtemp(prefix="vitrine-qtest-")
        path = os.path.join(self.dir, "socket")
        self.log = os.path.join(self.dir, "log")
        self.lines = {}  # level of each line that is listened to
        self.raised = {}  # how often each rose
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(60)
        self.process = subprocess.Popen(
            [PROGRAM, "-accel", "qtest", "-display", "none", "-qtest", f"unix:{path}",
             "-qtest-log", self.log, *args],
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.socket = listener.accept()[0]
        self.socket.settimeout(60)
        self.stream = self.socket.makefile("r", encoding="ascii", newline="\n")
        listener.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.socket.close()
        self.process.terminate()
        self.output = self.process.communicate(timeout=60)[0].decode()
        shutil.rmtree(self.dir, ignore_errors=True)

    def command(self, line):
        """The words of the answer behind OK; raises what FAIL says."""
        self.socket.sendall(line.encode() + b"\n")
        while True:
            words = self.stream.readline().split()
            if not words:
                raise ConnectionError(f"no answer to {line!r}")
            if words[0] == "IRQ":
                number = int(words[2])
                self.lines[number] = words[1] == "raise"
                if words[1] == "raise":
                    self.raised[number] = self.raised.get(number, 0) + 1
            elif words[0] == "OK":
                return words[1:]
            else:
                raise ValueError(" ".join(words))

    def inb(self, port):
        return int(self.command(f"inb {port:#x}")[0], 0)

    def inw(self, port):
        return int(self.command(f"inw {port:#x}")[0], 0)

    def inl(self, port):
        return int(self.command(f"inl {port:#x}")[0], 0)

    def outb(self, port, value):
        self.command(f"outb {port:#x} {value:#x}")

    def outw(self, port, value):
        self.command(f"outw {port:#x} {value:#x}")

    def outl(self, port, value):
        self.command(f"outl {port:#x} {value:#x}")

    def readl(self, address):
        return int(self.command(f"readl {address:#x}")[0], 0)

    def writel(self, address, value):
        self.command(f"writel {address:#x} {value:#x}")

    def read(self, address, size):
        return bytes.fromhex(self.command(f"read {address:#x} {size}")[0][2:])

    def write(self, address, data):
        self.command(f"write {address:#x} {len(data)} 0x{data.hex()}")

    def step(self, ns):
        return int(self.command(f"clock_step {ns}")[0])

    def pci_read(self, device, offset):
        self.outl(0xcf8, 0x80000000 | device << 8 | offset)
        return self.inl(0xcfc)

    def pci_write(self, device, offset, value):
        self.outl(0xcf8, 0x80000000 | device << 8 | offset)
        self.outl(0xcfc, value)

    def wait_exit(self, seconds=60):
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        return self.process.poll()
