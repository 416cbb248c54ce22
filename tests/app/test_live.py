#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings of a machine that runs: what can change at once does, as the guest sees it through its
ports; the badges say when each change counts; what waits is listed; undo takes it back.
mission: ui.settings"""
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "guest"))
import accessible  # noqa: E402
import app_driver  # noqa: E402
import machine  # noqa: E402
import test_settings  # noqa: E402

CONF = """[vitrine]
format=1

[name]
guest=Box

[m]
size=16M

[accel]
accel=qtest

[cdrom]
value={dir}/small.iso

[netdev:net0]
type=user

[device:card]
driver=e1000
netdev=net0

[qtest]
value=unix:{dir}/qtest,server=on,wait=off

[qtest-log]
value=/dev/null
"""
SMALL, LARGE = 1 << 20, 2 << 20
ADDRESS, DATA = 0xcf8, 0xcfc


class Guest:
    """What the guest's processor would see: the machine's ports."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("r", encoding="ascii")

    def command(self, line):
        self.socket.sendall((line + "\n").encode())
        while True:
            answer = self.file.readline().split()
            if answer and answer[0] in ("OK", "FAIL", "ERR"):
                assert answer[0] == "OK", (line, answer)
                return answer[1:]

    def outb(self, port, value):
        self.command(f"outb {port:#x} {value:#x}")

    def inb(self, port):
        return int(self.command(f"inb {port:#x}")[0], 0)

    def pci_id(self, slot):
        self.command(f"outl {ADDRESS:#x} {0x80000000 | slot << 11:#x}")
        return int(self.command(f"inl {DATA:#x}")[0], 0)

    def status(self):
        for _ in range(1000):
            value = self.inb(0x177)
            if not value & 0x80:
                return value
        raise AssertionError("the drive stays busy")

    def packet(self, *data):
        """An ATAPI command to the CD drive; the status after its first phase."""
        self.outb(0x176, 0xa0)
        for port, value in ((0x171, 0), (0x174, 0xfe), (0x175, 0xff), (0x177, 0xa0)):
            self.outb(port, value)
        self.status()
        data = bytes(data) + bytes(12 - len(data))
        for i in range(0, 12, 2):
            self.command(f"outw 0x170 {data[i] | data[i + 1] << 8:#x}")
        return self.status()

    def cd_bytes(self):
        """Size of the medium in the drive; None without one."""
        for _ in range(5):  # news of a changed medium come first
            status = self.packet(0x25)
            if status & 1 == 0 and status & 8:
                words = [int(self.command("inw 0x170")[0], 0) for _ in range(4)]
                data = b"".join(word.to_bytes(2, "little") for word in words)
                return (int.from_bytes(data[:4], "big") + 1) * int.from_bytes(data[4:], "big")
            self.command("clock_step 2000000000")
        return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Running(test_settings.Session):
    """The settings of a machine that runs."""

    def __init__(self, page):
        super().__init__(page, conf="", env={"VITRINE_PAINTER": "cairo"})
        for name, size in (("small.iso", SMALL), ("large.iso", LARGE)):
            with open(os.path.join(self.desktop.dir, name), "wb") as stream:
                stream.truncate(size)
        with open(self.conf_path, "w", encoding="utf-8") as stream:
            stream.write(CONF.format(dir=self.desktop.dir))

    def __enter__(self):
        super().__enter__()
        self.app.action("select", "Box", 1)
        self.app.action("start", None, 1)
        self.app.wait("running", lambda: self.app.enabled("force-off", 1), 20)
        path = os.path.join(self.desktop.dir, "qtest")
        self.app.wait("the guest's ports", lambda: os.path.exists(path))
        self.guest = Guest(path)
        return self

    def labels(self):
        """Also those that are scrolled away."""
        return [n.get_name() or "" for n in self.tree.walk(self.root(), showing=False)
                if n.get_role_name() == "label" and self.tree.has(n, "VISIBLE")]

    def wait_label(self, text, seconds=10):
        self.app.wait(f"“{text}” is said",
                      lambda: any(text in label for label in self.labels()), seconds)


def at_once():
    """CD, port forward and a second card by the command line; the guest sees each; undone too."""
    with Running("command-line") as s:
        port = free_port()
        assert s.guest.cd_bytes() == SMALL, s.guest.cd_bytes()
        assert s.guest.pci_id(9) == 0xffffffff
        pane = s.tree.wait("Arguments", "text", root=s.root)
        text = s.tree.text(pane)
        text = text.replace("small.iso", "large.iso").replace("16M", "32M")
        text = text.replace("id=net0", f"id=net0,hostfwd=tcp:127.0.0.1:{port}-:22")
        text += "\n-netdev user,id=net1 -device e1000,id=late,netdev=net1,addr=9"
        s.tree.type(pane, text)
        # what Apply changes, and when each counts
        s.app.wait("preview", lambda: s.labels().count("At once") == 4, 10)
        assert s.labels().count("Needs power off") + s.labels().count("At next start") == 1
        test_settings.shot(s.desktop, "live-preview")
        s.tree.press(s.tree.wait("Apply", "push button", root=s.root))
        s.app.wait("the guest has the card", lambda: s.guest.pci_id(9) == 0x100e8086)
        s.app.wait("the guest has the disc", lambda: s.guest.cd_bytes() == LARGE)
        s.app.wait("the port is open", lambda: listens(port))
        s.wait_label("1 change waits until the machine is off")
        test_settings.shot(s.desktop, "live-waiting")
        # back: the card only when the guest lets it go
        s.tree.press(s.tree.wait("Undo", "push button", root=s.root))
        s.app.wait("the guest has its disc again", lambda: s.guest.cd_bytes() == SMALL)
        s.app.wait("the port is closed", lambda: not listens(port))
        s.wait_label("asked to give the device free")
        test_settings.shot(s.desktop, "live-undone")
        s.guest.command("outl 0xae08 0x200")
        s.app.wait("the card is gone", lambda: s.guest.pci_id(9) == 0xffffffff)
        s.app.wait("it is not listed", lambda: not any("give the device free" in label
                                                       for label in s.labels()))


def rows():
    """The badge of each row, before and after; a medium that is not there is told at the row."""
    with Running("settings") as s:
        s.go("Memory")
        entry = s.tree.wait("Memory size", "text", root=s.root)
        s.app.wait("when it counts", lambda: "Needs power off" in s.labels() or
                   "At next start" in s.labels())
        s.tree.type(entry, "64")
        s.wait_label("Waits for next start")
        s.wait_label("1 change waits until the machine is off")
        test_settings.shot(s.desktop, "live-row-waits")
        undo = s.tree.wait("Undo", "push button", root=s.root)
        s.tree.press(undo)  # the field was emptied, then written
        s.tree.press(undo)
        s.app.wait("nothing waits", lambda: "Waits for next start" not in s.labels())
        s.go("Storage")
        s.wait_label("At once")
        entry = [n for n in s.tree.walk(s.root()) if n.get_role_name() == "text" and
                 "small.iso" in s.tree.text(n)]
        assert entry, "no row of the CD"
        s.tree.type(entry[0], os.path.join(s.desktop.dir, "large.iso"))
        s.app.wait("the guest has the disc", lambda: s.guest.cd_bytes() == LARGE)
        test_settings.shot(s.desktop, "live-row-cd")
        s.tree.type(entry[0], os.path.join(s.desktop.dir, "none.iso"))
        s.wait_label("none.iso")
        s.wait_label("Waits for next start")
        time.sleep(0.5)
        test_settings.shot(s.desktop, "live-row-failed")
        assert s.guest.cd_bytes() == LARGE, "the old medium did not stay"
        # off: what waited is how it starts next
        s.app.action("force-off", None, 1)
        s.app.wait("off", lambda: s.app.enabled("start", 1))
        s.app.wait("nothing waits", lambda: not any("waits until" in label
                                                    for label in s.labels()))


def cable():
    """The network cable pulled and plugged in from the status bar; the guest's card sees it."""
    with Running("settings") as s:
        s.app.action("open-machine", "Box")
        s.app.wait("its window", lambda: s.tree.window("Box"))
        window = s.app.desktop.run("gdbus", "introspect", "--session", "--dest", app_driver.NAME,
                                   "--object-path", app_driver.PATH + "/window", "-r")
        number = max(int(n) for n in re.findall(r"window/(\d+) ", window))
        # the e1000's registers: memory on, STATUS.LU (bit 1 of register 8)
        base = 0xfe000000
        slot = next(slot for slot in range(1, 32) if s.guest.pci_id(slot) == 0x100e8086)
        for register, value in ((0x10, base), (4, 6)):
            s.guest.command(f"outl {ADDRESS:#x} {0x80000000 | slot << 11 | register:#x}")
            s.guest.command(f"outl {DATA:#x} {value:#x}")

        def up():
            s.guest.command("clock_step 1000000000")  # negotiates
            return int(s.guest.command(f"readl {base + 8:#x}")[0], 0) & 2 != 0

        assert up()
        button = s.tree.wait("Network", "toggle button", root=lambda: s.tree.window("Box"))
        s.app.raise_window("Box")
        time.sleep(0.5)
        s.tree.press(button)
        item = s.tree.wait("Network Cable", root=lambda: s.tree.window("Box"))
        time.sleep(0.5)
        test_settings.shot(s.desktop, "cable")
        s.tree.press(item)
        s.app.wait("pulled", lambda: not up(), 10)
        s.tree.wait("Network, unplugged", "toggle button", root=lambda: s.tree.window("Box"))
        time.sleep(0.5)
        test_settings.shot(s.desktop, "cable-pulled")
        # by its action, as from the window's menu
        s.app.call(f"{app_driver.PATH}/window/{number}", "org.gtk.Actions.SetState", "cable-0",
                   "<true>", "{}")
        s.app.wait("plugged in", up, 10)
        s.tree.wait("Network", "toggle button", root=lambda: s.tree.window("Box"))


TESTS = [at_once, rows, cable]

if __name__ == "__main__":
    if len(sys.argv) > 1:
        machine.main([test for test in TESTS if test.__name__ == sys.argv[1]])
    else:
        machine.main([accessible.alone(__file__, test) for test in TESTS])
