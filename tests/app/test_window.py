#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Library and machine windows as a person uses them: terminals, media, grabs and release keys, what
stays on focus loss, screenshots, reports, closing; rename, duplicate, trash with undo, search.
mission: ui.window display.gtk ui.keys"""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "guest"))
import accessible  # noqa: E402
import app_driver  # noqa: E402
import machine  # noqa: E402

PROGRAM = os.environ["VITRINE"]
DEMO = os.environ["VITRINE_DEMO"]
SHOTS = os.environ.get("VITRINE_SCREENSHOTS")
CONF = """[vitrine]
format=1

[name]
guest={name}

[m]
size=16M

[accel]
accel=qtest

[drive:disk0]
file={folder}/disks/disk.raw
format=raw
"""
CONTROLS = {"push button", "toggle button", "text", "combo box", "spin button", "check box",
            "toggle switch", "switch", "entry", "menu"}


class Session:
    """A desktop, three machines that need no firmware, the application."""

    def __init__(self, tree=False, env=None, machines=3, prepare=None):
        self.desktop = app_driver.Desktop()
        if prepare:
            prepare(self.desktop)
        self.root = os.path.join(self.desktop.dir, "data", "vitrine", "machines")
        for number in range(machines):
            folder = os.path.join(self.root, f"Box {number}.vitrine")
            os.makedirs(os.path.join(folder, "disks"))
            with open(os.path.join(folder, "disks", "disk.raw"), "wb") as stream:
                stream.write(bytes(65536))
            with open(os.path.join(folder, "machine.conf"), "w", encoding="utf-8") as stream:
                stream.write(CONF.format(name=f"Box {number}", folder=folder))
        self.tree = accessible.Tree(self.desktop) if tree else None
        self.app = app_driver.Application(
            self.desktop, PROGRAM,
            env={"VITRINE_PAINTER": "cairo", "VITRINE_DEMO": DEMO, **(env or {})})

    def __enter__(self):
        self.app.__enter__()
        self.app.wait("library window", lambda: self.app.window("Vitrine"))
        self.app.wait("its actions", lambda: self.app.enabled("search", 1))
        return self

    def __exit__(self, *args):
        try:
            self.app.__exit__(*args)
        finally:
            self.desktop.__exit__()

    def key(self, *keys):
        self.desktop.run("xdotool", "key", *keys)
        time.sleep(0.3)

    def state(self, name, window):
        text = self.app.call(f"{app_driver.PATH}/window/{window}", "org.gtk.Actions.Describe", name)
        match = re.search(r"\[<(.*?)>\]", text)
        return match[1] if match else None

    def set_state(self, name, value, window):
        self.app.call(f"{app_driver.PATH}/window/{window}", "org.gtk.Actions.SetState", name,
                      f"<{value}>", "{}")

    def insert(self, drive, path):
        self.app.call(f"{app_driver.PATH}/window/2", "org.gtk.Actions.Activate",
                      "media-insert-file", f"[<('{drive}', '{path}')>]", "{}")

    def open(self, name):
        """Opens a machine, the second window; returns a point of its screen."""
        self.app.action("open-machine", name)
        self.app.wait("machine window", lambda: self.app.window(name))
        self.app.wait("running", lambda: self.app.enabled("power-button", 2), 30)
        self.app.raise_window(name)
        time.sleep(1)
        return "400", "400"

    def monitor(self, line):
        """What the monitor's page shows after LINE."""
        path = os.path.join(self.desktop.dir, "monitor.log")
        self.set_state("console", "'compat_monitor0'", 2)
        time.sleep(0.5)
        self.desktop.run("xdotool", "type", "--delay", "20", line)
        self.key("Return")
        time.sleep(0.7)
        self.app.action("terminal-save-to", path, 2)
        self.app.wait("saved terminal", lambda: os.path.exists(path))
        time.sleep(0.2)
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        os.unlink(path)
        return text

    def machines(self):
        return sorted(name[:-len(".vitrine")] for name in os.listdir(self.root)
                      if name.endswith(".vitrine") and not name.startswith("."))

    def shot(self, name):
        if SHOTS:
            os.makedirs(SHOTS, exist_ok=True)
            self.desktop.screenshot(os.path.join(SHOTS, name + ".png"))


def terminals_and_media():
    """The monitor in its tab, with completion; a CD put in and taken out; the manual's keys."""
    with Session() as session:
        app = session.app
        iso = os.path.join(session.desktop.dir, "medium.iso")
        with open(iso, "wb") as stream:
            stream.write(bytes(65536))
        session.open("Box 0")
        text = session.monitor("info statu\t")
        assert "VM status: running" in text, text
        assert session.state("show-consoles", 2) == "true"
        session.shot("monitor")
        session.insert("ide1-cd0", iso)
        app.wait("medium is in", lambda: "medium.iso" in session.monitor("info block"), 10)
        app.action("media-eject", "ide1-cd0", 2)
        time.sleep(0.5)
        assert "ide1-cd0: [not inserted]" in session.monitor("info block")[-900:]
        # Ctrl+Alt+1 is the screen, 2 the monitor, 3 the serial port
        session.key("ctrl+alt+1")
        assert session.state("console", 2) == "'screen'", session.state("console", 2)
        session.key("ctrl+alt+3")
        assert session.state("console", 2) == "'serial0'", session.state("console", 2)
        session.key("ctrl+alt+2")
        assert session.state("console", 2) == "'compat_monitor0'", session.state("console", 2)
        # what does not work is said, and the old medium stays
        session.insert("ide1-cd0", "/no/such.iso")
        time.sleep(0.7)
        session.shot("media-error")
        app.action("force-off", None, 2)
        app.wait("off", lambda: app.enabled("start", 2), 20)


def grabs():
    """A click grabs, Ctrl+Alt lets go; losing the focus lets go of all; commands of the window."""
    with Session() as session:
        app = session.app
        point = session.open("Demo")
        time.sleep(5)
        session.desktop.run("xdotool", "mousemove", *point, "click", "1")
        time.sleep(0.5)
        assert session.state("grab", 2) == "true", "the click did not grab"
        session.key("ctrl+alt")
        assert session.state("grab", 2) == "false", "Ctrl+Alt did not let go"
        session.key("ctrl+alt+g")
        assert session.state("grab", 2) == "true", "Ctrl+Alt+G did not grab"
        session.key("ctrl+alt")
        # a key is down in the guest when the focus goes: it must come up, or it would repeat
        session.desktop.run("xdotool", "keydown", "a")
        session.desktop.run("xdotool", "windowfocus", visible(session, "Vitrine"))
        time.sleep(0.7)
        first = typed(session)
        time.sleep(1.2)
        assert typed(session) == first, "the key is still down in the guest"
        session.desktop.run("xdotool", "keyup", "a")
        app.raise_window("Demo")
        # 800x600 at zoom 1, then a quarter more
        session.set_state("scale-mode", "'fit'", 2)
        app.action("zoom-reset", None, 2)
        time.sleep(0.7)
        before = window_size(session, "Demo")
        session.desktop.run("xdotool", "mousemove", *point)
        session.key("ctrl+alt+equal")
        time.sleep(0.5)
        after = window_size(session, "Demo")
        assert after[0] - before[0] == 200 and after[1] - before[1] == 150, (before, after)
        session.key("ctrl+alt+u")
        time.sleep(0.5)
        assert window_size(session, "Demo") == before
        session.key("ctrl+alt+f")
        time.sleep(0.7)
        assert session.state("fullscreen", 2) == "true"
        session.shot("fullscreen")
        session.key("ctrl+alt+f")
        # paused: the overlay and its button
        session.set_state("pause", "true", 2)
        app.wait("paused", lambda: app.enabled("resume", 2), 10)
        session.shot("paused")
        app.action("resume", None, 2)
        app.wait("running", lambda: app.enabled("power-button", 2), 10)
        report = os.path.join(session.desktop.dir, "report.txt")
        app.action("save-report-to", report, 2)
        app.wait("report", lambda: os.path.exists(report))
        with open(report, encoding="utf-8") as stream:
            text = stream.read()
        assert "Arguments:" in text and "demo.elf" in text and "Log:" in text, text
        app.action("force-off", None, 2)
        app.wait("off", lambda: app.enabled("start", 2), 20)


def visible(session, title):
    return session.desktop.run("xdotool", "search", "--onlyvisible", "--name",
                               f"^{title}$").split()[-1]


def typed(session):
    """The demo's line of typed text, as pixels."""
    path = os.path.join(session.desktop.dir, "typed.png")
    if os.path.exists(path):
        os.unlink(path)
    session.app.action("screenshot-to", path, 2)
    session.app.wait("screenshot", lambda: os.path.exists(path))
    time.sleep(0.3)
    return subprocess.run(["convert", path, "-crop", "600x16+200+256", "rgb:-"], check=True,
                          stdout=subprocess.PIPE).stdout


def window_size(session, title):
    text = session.desktop.run("xdotool", "getwindowgeometry", session.app.window(title))
    return tuple(int(value) for value in re.search(r"Geometry: (\d+)x(\d+)", text).groups())


def library():
    """Another name, a copy, the trash and back, with the disks following."""
    with Session() as session:
        app = session.app
        app.action("select", "Box 1", 1)
        app.action("rename-to", "Other", 1)
        app.wait("renamed", lambda: "Other" in session.machines(), 10)
        app.action("duplicate", None, 1)
        app.wait("copy", lambda: "Other 2" in session.machines(), 20)
        with open(os.path.join(session.root, "Other 2.vitrine", "machine.conf"),
                  encoding="utf-8") as stream:
            text = stream.read()
        assert os.path.join(session.root, "Other 2.vitrine", "disks", "disk.raw") in text, text
        assert "guest=Other 2" in text, text
        app.action("select", "Box 0", 1)
        app.action("delete", None, 1)
        time.sleep(1)
        session.shot("delete")
        session.key("Escape")
        assert "Box 0" in session.machines(), "Escape deleted"
        app.action("delete-now", None, 1)
        app.wait("in the trash", lambda: "Box 0" not in session.machines(), 10)
        time.sleep(0.7)
        session.shot("trashed")
        app.action("undo-delete", None, 1)
        app.wait("back", lambda: "Box 0" in session.machines(), 10)
        # a copy that starts: its disk is its own
        app.action("select", "Other 2", 1)
        app.action("start", None, 1)
        app.wait("running", lambda: app.enabled("force-off", 1), 20)
        # type to search, Return opens the only one left
        session.desktop.run("xdotool", "windowfocus", visible(session, "Vitrine"))
        time.sleep(0.5)
        session.desktop.run("xdotool", "type", "--delay", "40", "box 2")
        time.sleep(0.7)
        assert session.state("search", 1) == "true"
        session.shot("search")
        session.key("Return")
        app.wait("found machine", lambda: app.window("Box 2"), 10)
        app.action("find-text", "", 1)
        session.set_state("view", "'list'", 1)
        session.desktop.run("xdotool", "windowraise", visible(session, "Vitrine"))
        time.sleep(0.5)
        session.shot("list")
        app.action("quit")
        time.sleep(1)
        session.shot("quit")


def window_there(session, title):
    return subprocess.run(["xdotool", "search", "--onlyvisible", "--name", f"^{title}$"],
                          env=session.desktop.env, stdout=subprocess.PIPE,
                          check=False).returncode == 0


def check_names(session, titles):
    """Every control in sight has a name that can be spoken."""
    seen = 0
    bad = []
    for title in titles:
        root = session.tree.window(title)
        for node in session.tree.walk(root):
            if node.get_role_name() not in CONTROLS:
                continue
            seen += 1
            if not (node.get_name() or "").strip():
                bad.append(f"{title}: {node.get_role_name()}")
    assert seen > 15, seen
    assert not bad, bad


def names_and_closing():
    """Controls have names; a window that is closed asks and keeps the machine; a signal presses
    power buttons, then ends the program with its disks flushed."""
    with Session(tree=True) as session:
        app = session.app
        app.action("select", "Box 0", 1)
        session.open("Box 0")
        app.action("preferences")
        app.wait("preferences", lambda: session.tree.window("Preferences"), 10)
        time.sleep(1)
        session.shot("preferences")
        check_names(session, ("Vitrine", "Box 0", "Preferences"))
        app.action("close", None, 2)
        keep = session.tree.wait("Keep Running", "push button", 10)
        session.shot("closing")
        session.tree.press(keep)
        app.wait("window gone", lambda: not window_there(session, "Box 0"), 10)
        app.wait("still running", lambda: app.enabled("force-off", 1), 10)
        # the guest does not hear the button: after the grace of 5 s the plug is pulled
        app.process.terminate()
        assert app.process.wait(20) == 0


if __name__ == "__main__":
    machine.main([terminals_and_media, grabs, library, names_and_closing])
