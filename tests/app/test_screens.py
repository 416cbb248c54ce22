#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine with two screens: a page for each, a window of its own, the manual's numbers, pictures of
each; and what -display gtk and sdl, -no-quit, -alt-grab and -ctrl-grab ask of the window.
mission: ui.window display.gtk ui.keys"""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "guest"))
import app_driver  # noqa: E402
import machine  # noqa: E402
import test_live  # noqa: E402
import test_window  # noqa: E402

CONF = """[vitrine]
format=1

[name]
guest={name}

[m]
size=16M

[accel]
accel=qtest

[device:second]
driver=secondary-vga
addr=9

[qtest]
value=unix:{folder}/qtest,server=on,wait=off

[qtest-log]
value=/dev/null
{more}"""
FRAME, REGISTERS = 0xc0000000, 0xc2000000
DISPI = REGISTERS + 0x500
WIDTH, HEIGHT, GREEN = 640, 480, 0x00c040


class Session(test_window.Session):
    """One machine of two screens, the second showing green."""

    def __init__(self, more="", tree=False, env=None):
        super().__init__(tree=tree, machines=1, env=env)
        folder = os.path.join(self.root, "Box 0.vitrine")
        self.path = os.path.join(folder, "qtest")
        with open(os.path.join(folder, "machine.conf"), "w", encoding="utf-8") as stream:
            stream.write(CONF.format(name="Box 0", folder=folder, more=more))

    def start(self):
        self.open("Box 0")
        self.app.wait("the guest's ports", lambda: os.path.exists(self.path))
        self.guest = test_live.Guest(self.path)
        self.set_up_second()

    def set_up_second(self):
        guest = self.guest
        assert guest.pci_id(9) == 0x11111234, hex(guest.pci_id(9))
        for offset, value in ((0x10, FRAME), (0x18, REGISTERS), (0x04, 2)):
            guest.command(f"outl 0xcf8 {0x80000000 | 9 << 11 | offset:#x}")
            guest.command(f"outl 0xcfc {value:#x}")
        guest.command(f"writeb {REGISTERS + 0x400:#x} 0x20")
        for index, value in ((4, 0), (1, WIDTH), (2, HEIGHT), (3, 32), (4, 0x41)):
            guest.command(f"writew {DISPI + 2 * index:#x} {value:#x}")
        row = "".join(f"{byte:02x}" for byte in GREEN.to_bytes(4, "little")) * WIDTH
        for y in range(HEIGHT):
            guest.command(f"write {FRAME + y * WIDTH * 4:#x} {WIDTH * 4} 0x{row}")

    def picture(self, name):
        """Size and first pixel of a screenshot of the screen that is shown."""
        path = os.path.join(self.desktop.dir, name + ".png")
        self.app.action("screenshot-to", path, 2)
        self.app.wait("screenshot", lambda: os.path.exists(path))
        time.sleep(0.3)
        size = subprocess.run(["identify", "-format", "%wx%h", path], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        pixel = subprocess.run(["convert", path, "-crop", "1x1+9+9", "txt:-"], check=True,
                               stdout=subprocess.PIPE, text=True).stdout
        return size, int(re.search(r"#([0-9A-F]{6})", pixel)[1], 16)

    def centre(self, title):
        """Pixel in the middle of a window."""
        text = self.desktop.run("xdotool", "getwindowgeometry", self.app.window(title))
        x, y = re.search(r"Position: (\d+),(\d+)", text).groups()
        width, height = re.search(r"Geometry: (\d+)x(\d+)", text).groups()
        return self.desktop.pixel(int(x) + int(width) // 2, int(y) + int(height) // 2)


def two_screens():
    """Numbers, pages, pictures; a window of its own and back."""
    with Session() as session:
        app = session.app
        session.start()
        session.key("ctrl+alt+2")
        assert session.state("console", 2) == "'screen2'", session.state("console", 2)
        app.wait("green", lambda: session.centre("Box 0") == GREEN, 10)
        assert session.picture("second") == (f"{WIDTH}x{HEIGHT}", GREEN)
        session.set_state("show-consoles", "true", 2)
        time.sleep(0.5)
        session.shot("screens-tabs")
        session.key("ctrl+alt+1")
        assert session.state("console", 2) == "'screen'"
        assert session.picture("first")[1] != GREEN
        # monitors and ports follow the screens
        session.key("ctrl+alt+3")
        assert session.state("console", 2) == "'compat_monitor0'", session.state("console", 2)
        dump = os.path.join(session.desktop.dir, "dump.png")
        session.monitor(f"screendump {dump} second 0")
        assert session.desktop.run("identify", "-format", "%m %wx%h", dump) == "PNG 640x480"
        assert "has no head 1" in session.monitor(f"screendump {dump} second 1")
        # a window of its own
        session.set_state("console", "'screen2'", 2)
        app.action("detach-screen", None, 2)
        title = "Box 0 – Screen 2"
        app.wait("its own window", lambda: app.window(title))
        session.desktop.run("xdotool", "windowmove", app.window(title), "600", "450",
                            "windowsize", app.window(title), "660", "500")
        time.sleep(0.7)
        app.wait("green there", lambda: session.centre(title) == GREEN, 10)
        assert session.centre("Box 0") != GREEN
        session.shot("screens-detached")
        session.desktop.run("xdotool", "windowfocus", app.window(title))
        time.sleep(0.5)
        assert session.picture("detached")[1] == GREEN, "actions are not about the focused screen"
        session.key("ctrl+alt+1")
        assert session.state("console", 2) == "'screen'"
        session.set_state("console", "'screen2'", 2)
        app.action("detach-screen", None, 2)
        app.wait("back", lambda: not test_window.window_there(session, title), 10)
        app.wait("green again", lambda: session.centre("Box 0") == GREEN, 10)
        app.action("force-off", None, 2)
        app.wait("off", lambda: app.enabled("start", 2), 20)
        app.action("start", None, 2)
        app.wait("runs again", lambda: app.enabled("power-button", 2), 20)


def options():
    """-display gtk of a machine of the library, at its start and while it runs."""
    more = ("\n[display]\ntype=gtk\nshow-tabs=on\nzoom-to-fit=off\nwindow-close=off\n"
            "grab-on-hover=on\nshow-menubar=off\n\n[ctrl-grab]\n")
    with Session(more, tree=True) as session:
        app = session.app
        session.start()
        assert session.state("show-consoles", 2) == "true"
        assert session.state("scale-mode", 2) == "'one'"
        session.shot("options")
        # the pointer over the screen takes the keyboard, and gives it back
        session.desktop.run("xdotool", "mousemove", "1270", "1000")
        time.sleep(0.5)
        assert session.state("grab", 2) == "false"
        session.desktop.run("xdotool", "mousemove", "200", "300")
        app.wait("grabbed by hovering", lambda: session.state("grab", 2) == "true", 5)
        session.desktop.run("xdotool", "mousemove", "1270", "1000")
        app.wait("let go", lambda: session.state("grab", 2) == "false", 5)
        # -ctrl-grab: Right Ctrl instead of Ctrl+Alt
        session.key("ctrl+alt+2")
        assert session.state("console", 2) == "'screen'", "Ctrl+Alt is the guest's"
        session.desktop.run("xdotool", "keydown", "Control_R", "key", "2", "keyup", "Control_R")
        app.wait("Right Ctrl+2", lambda: session.state("console", 2) == "'screen2'", 5)
        # the close button does nothing
        app.action("close", None, 2)
        time.sleep(0.7)
        assert test_window.window_there(session, "Box 0"), "the window closed"
        session.shot("options-stays")
        # changed while it runs
        app.action("command-line", "Box 0")
        title = "Box 0 – Settings"
        app.wait("settings", lambda: session.tree.window(title))
        pane = session.tree.wait("Arguments", "text", root=lambda: session.tree.window(title))
        text = session.tree.text(pane)
        text = text.replace("zoom-to-fit=off", "zoom-to-fit=on").replace("tabs=on", "tabs=off")
        session.tree.type(pane, text.replace("window-close=off,", ""))
        time.sleep(0.5)
        session.tree.press(session.tree.wait("Apply", "push button",
                                             root=lambda: session.tree.window(title)))
        app.wait("fits", lambda: session.state("scale-mode", 2) == "'fit'", 10)
        app.wait("no tabs", lambda: session.state("show-consoles", 2) == "false", 10)
        app.action("close", None, 2)
        session.tree.wait("Keep Running", "push button", 10)
        session.shot("options-asks")


def single():
    """vitrine-run -display sdl,grab-mod=…: our window, with the grab keys asked for."""
    with app_driver.Desktop() as desktop:
        with app_driver.Application(desktop, os.environ["VITRINE_RUN"], "-display",
                                    "sdl,grab-mod=lshift-lctrl-lalt", "-accel", "qtest", "-m", "16",
                                    "-name", "Single", env={"VITRINE_PAINTER": "cairo"}) as app:
            app.wait("window", lambda: app.window("Single|Vitrine"))
            time.sleep(1.5)
            if test_window.SHOTS:
                desktop.screenshot(os.path.join(test_window.SHOTS, "sdl.png"))
            desktop.run("xdotool", "mousemove", "300", "300", "click", "1")
            with open(os.path.join(desktop.dir, "app.log"), encoding="utf-8") as stream:
                assert "-display sdl is shown in the same window" in stream.read()
            app.process.terminate()
            assert app.process.wait(20) == 0


if __name__ == "__main__":
    machine.main([two_screens, options, single])
