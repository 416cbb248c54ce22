#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings and command line of a machine in the real application, through its accessibility tree:
a change in either place is in the other and in machine.conf; mistakes are told where they are;
every control has a name and is reached by the keyboard."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "guest"))
import accessible  # noqa: E402
import app_driver  # noqa: E402
import machine  # noqa: E402

PROGRAM = os.environ["VITRINE"]
SHOTS = os.environ.get("VITRINE_SCREENSHOTS")
GRUB_CD = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso"
CONF = """[vitrine]
format=1

[name]
guest=Box

[m]
size=256M
"""
TITLE = "Box – Settings"
CONTROLS = {"push button", "toggle button", "text", "password text", "combo box", "spin button",
            "check box", "toggle switch", "switch", "list item", "entry", "menu item"}


def shot(desktop, name):
    if SHOTS:
        os.makedirs(SHOTS, exist_ok=True)
        desktop.screenshot(os.path.join(SHOTS, name + ".png"))


class Session:
    """The application with one machine and its settings open."""

    def __init__(self, page=None, conf=CONF, env=None):
        self.desktop = app_driver.Desktop()
        self.desktop.__enter__()
        self.folder = os.path.join(self.desktop.dir, "data", "vitrine", "machines", "Box.vitrine")
        os.makedirs(self.folder)
        self.conf_path = os.path.join(self.folder, "machine.conf")
        with open(self.conf_path, "w", encoding="utf-8") as stream:
            stream.write(conf)
        self.tree = accessible.Tree(self.desktop)
        self.app = app_driver.Application(self.desktop, PROGRAM, env=env)
        self.page = page

    def __enter__(self):
        self.app.__enter__()
        self.app.wait("library window", lambda: self.app.window("Vitrine"))
        if self.page == "command-line":
            self.app.action("command-line", "Box")
        else:
            self.app.action("settings", "Box")
        self.app.wait("settings window", lambda: self.app.window(TITLE))
        self.app.wait("accessible window", lambda: self.tree.window(TITLE))
        self.app.raise_window(TITLE)
        time.sleep(0.5)
        return self

    def __exit__(self, *args):
        self.app.__exit__(*args)
        self.desktop.__exit__()

    def root(self):
        return self.tree.window(TITLE)

    def conf(self):
        with open(self.conf_path, encoding="utf-8") as stream:
            return stream.read()

    def wait_conf(self, text):
        self.app.wait(f"machine.conf has {text}", lambda: text in self.conf(), 10)

    def go(self, page):
        row = self.tree.wait(page, "list item", root=self.root)
        self.desktop.run("xdotool", "mousemove", *self.tree.centre(row), "click", "1")
        time.sleep(0.8)

    def key(self, *keys):
        self.desktop.run("xdotool", "key", *keys)
        time.sleep(0.2)

    def pane_text(self):
        return self.tree.text(self.tree.wait("Arguments", "text", root=self.root))


def both_places():
    """Memory changed in the row is in the text; changed in the text it is in the row."""
    with Session() as s:
        s.go("Memory")
        entry = s.tree.wait("Memory size", "text", root=s.root)
        assert s.tree.text(entry) == "256", s.tree.text(entry)
        s.tree.type(entry, "512")
        s.wait_conf("size=512M")
        shot(s.desktop, "settings-memory")
        # wrong values are refused with the engine's words and change nothing
        s.tree.type(entry, "5x")
        s.app.wait("refusal", lambda: any("5x" in (n.get_name() or "")
                                          for n in s.tree.walk(s.root())
                                          if n.get_role_name() == "label"))
        shot(s.desktop, "settings-refused")
        assert "size=512M" in s.conf()
        s.tree.type(entry, "640")
        s.wait_conf("size=640M")
        s.go("Command Line")
        pane = s.tree.wait("Arguments", "text", root=s.root)
        s.app.wait("text follows", lambda: "640M" in s.tree.text(pane))
        # what could stand there is offered, and Enter takes it
        s.tree.type(pane, "-name Box -snaps")
        s.tree.atspi.Text.set_caret_offset(pane, len("-name Box -snaps"))
        s.tree.focus(pane)
        s.key("ctrl+space")
        s.app.wait("completions", lambda: [n for n in s.tree.walk(s.root())
                                           if (n.get_name() or "").startswith("-snapshot,")])
        shot(s.desktop, "command-line-completion")
        s.key("Return")
        s.app.wait("completed", lambda: s.tree.text(pane) == "-name Box -snapshot")
        s.tree.type(pane, "-name Box -m 768M -smp 2 -mashine q35 -frob -no-reboot")
        s.app.wait("errors counted", lambda: any("2 errors" in (n.get_name() or "")
                                                 for n in s.tree.walk(s.root())
                                                 if n.get_role_name() == "label"))
        time.sleep(0.5)
        shot(s.desktop, "command-line-errors")
        s.tree.focus(pane)
        s.key("F8")
        s.app.wait("first problem", lambda: any("no option -mashine" in (n.get_name() or "")
                                                for n in s.tree.walk(s.root())
                                                if n.get_role_name() == "label"))
        shot(s.desktop, "command-line-problem")
        s.tree.press(s.tree.wait("Use “-machine”", "push button", root=s.root))
        s.app.wait("mended", lambda: "-machine q35" in s.tree.text(pane))
        s.tree.press(s.tree.wait("Apply", "push button", root=s.root))
        s.wait_conf("768M")
        assert "frob" in s.conf()
        s.go("Memory")
        entry = s.tree.wait("Memory size", "text", root=s.root)
        s.app.wait("row follows", lambda: s.tree.text(entry) == "768")
        # one step back
        s.tree.press(s.tree.wait("Undo", "push button", root=s.root))
        s.app.wait("undone", lambda: s.tree.text(entry) == "640")
        s.wait_conf("size=640M")


def devices_and_search():
    """A device is added, set and removed; the search finds a row by its argument."""
    with Session() as s:
        s.go("Network")
        s.tree.press(s.tree.wait("Add…", "toggle button", root=s.root))
        time.sleep(0.5)
        shot(s.desktop, "settings-add")
        search = s.tree.wait("Search what can be added", "text", root=s.root)
        s.tree.type(search, "-e1000")
        s.tree.type(search, "e1000")
        time.sleep(0.6)
        rows = [n for n in s.tree.walk(s.root()) if n.get_role_name() == "list item" and
                "-device e1000" in (n.get_name() or "")]
        assert rows, "e1000 cannot be added"
        s.desktop.run("xdotool", "mousemove", *s.tree.centre(rows[0]), "click", "1")
        s.wait_conf("e1000")
        remove = s.app.wait("device group", lambda: [
            n for n in s.tree.walk(s.root()) if n.get_role_name() == "push button" and
            (n.get_name() or "").startswith("Remove") and "e1000" in n.get_name()])
        shot(s.desktop, "settings-device")
        s.tree.press(remove[0])
        s.app.wait("device removed", lambda: "e1000" not in s.conf())
        found = s.tree.wait("Search settings", "text", root=s.root)
        s.tree.type(found, "-m size")
        s.tree.wait("Memory size", "text", root=s.root)
        shot(s.desktop, "settings-search")
        s.tree.type(found, "")


def names_and_keyboard():
    """On each page every control has a name, and Tab reaches all that take the focus."""
    with Session() as s:
        for page in ("System", "Processor", "Memory", "Display", "Storage", "Network", "Sound",
                     "Ports", "Input", "Boot", "Advanced", "Command Line"):
            s.go(page)
            nameless = [n for n in s.tree.walk(s.root())
                        if n.get_role_name() in CONTROLS and not n.get_name() and
                        s.tree.has(n, "FOCUSABLE")]
            assert not nameless, (page, [(n.get_role_name(), n.get_description())
                                         for n in nameless])
        s.go("Memory")
        wanted = {n.get_name() for n in s.tree.walk(s.root())
                  if s.tree.has(n, "FOCUSABLE") and s.tree.has(n, "SENSITIVE") and
                  n.get_role_name() in CONTROLS - {"list item"}}
        reached = set()
        for _ in range(60):
            s.key("Tab")
            node = s.tree.focused(s.root())
            if node:
                reached.add(node.get_name())
            if wanted <= reached:
                break
        assert wanted <= reached, sorted(wanted - reached)


def disks():
    """A new disk is made and attached, grown, compacted, converted, checked and repaired."""
    with Session() as s:
        s.go("Storage")
        s.tree.press(s.tree.wait("New Disk…", "push button", root=s.root))

        def root():
            return s.tree.window("New Disk") or s.tree.window("Disk Image")
        name = s.tree.wait("Name of the image", "text", root=root)
        s.tree.type(name, "data")
        size = s.tree.wait("Size in GiB", "spin button", root=root)
        s.tree.atspi.Value.set_current_value(size, 0.5)
        shot(s.desktop, "disk-new")
        s.tree.press(s.tree.wait("Create", "push button", root=root))
        made = os.path.join(s.folder, "disks", "data.raw")
        s.wait_conf("data.raw")
        assert os.path.getsize(made) == 512 << 20, os.path.getsize(made)
        s.tree.press(s.tree.wait("Image of Image", "push button", root=s.root))
        size = s.tree.wait("Size in GiB", "spin button", root=root)
        assert abs(s.tree.atspi.Value.get_current_value(size) - 0.5) < 0.001
        nameless = [n.get_role_name() for n in s.tree.walk(root())
                    if n.get_role_name() in CONTROLS and not n.get_name() and
                    s.tree.has(n, "FOCUSABLE")]
        assert not nameless, nameless
        s.tree.atspi.Value.set_current_value(size, 0.75)
        s.tree.press(s.tree.wait("Grow", "push button", root=root))
        s.app.wait("grown", lambda: os.path.getsize(made) == 768 << 20)
        s.tree.wait("The image is larger now", "label", root=root)
        # zeroes that are stored are given back
        with open(made, "r+b") as stream:
            stream.write(bytes(8 << 20))
            os.fsync(stream.fileno())
        assert os.stat(made).st_blocks * 512 >= 8 << 20
        s.tree.press(s.tree.wait("Compact", "push button", root=root))
        s.tree.wait("The image is as small as it can be now", "label", root=root)
        assert os.stat(made).st_blocks * 512 < 1 << 20
        shot(s.desktop, "disk-compacted")
        s.tree.press(s.tree.wait("Convert", "push button", root=root))
        s.wait_conf("data.qcow2")
        assert "format=qcow2" in s.conf()
        s.tree.press(s.tree.wait("Check", "push button", root=root))
        s.tree.wait("No errors were found", "label", root=root)
        shot(s.desktop, "disk-checked")
        # leaks, which a check finds and a repair takes away
        image = os.path.join(s.folder, "disks", "data.qcow2")
        with open(image, "r+b") as stream:
            stream.seek(48)
            stream.seek(int.from_bytes(stream.read(8), "big"))
            block = int.from_bytes(stream.read(8), "big")
            end = -(-os.path.getsize(image) // 65536)
            stream.seek(block + 2 * end)
            stream.write(b"\0\1" * 2)
            stream.truncate((end + 2) * 65536)
        s.tree.press(s.tree.wait("Check", "push button", root=root))
        s.tree.wait("Errors: 0, mended 0; lost space: 2, regained 0", "label", root=root)
        s.tree.press(s.tree.wait("Repair", "push button", root=root))
        s.tree.wait("Errors: 0, mended 0; lost space: 2, regained 2", "label", root=root)
        shot(s.desktop, "disk-repaired")


def new_machine():
    """From an ISO that is recognised, reviewed, created and running; a script; names of controls."""
    with app_driver.Desktop() as desktop:
        tree = accessible.Tree(desktop)
        script = os.path.join(desktop.dir, "run.sh")
        with open(script, "w", encoding="utf-8") as stream:
            stream.write("#!/bin/sh\nRAM=96\nexec qemu-system-x86_64 \\\n  -m $RAM -nic none\n")
        with app_driver.Application(desktop, PROGRAM, GRUB_CD,
                                    env={"VITRINE_PAINTER": "cairo"}) as app:
            app.wait("dialog", lambda: app.window("New Machine"))

            def root():
                return tree.window("New Machine")
            app.wait("accessible dialog", root)
            tree.wait("Name", "text", root=root)
            said = app.wait("recognised", lambda: [
                n.get_name() for n in tree.walk(root()) if n.get_role_name() == "label" and
                "Recognised" in (n.get_name() or "")])
            assert "ISOIMAGE" in said[0], said
            nameless = [n.get_role_name() for n in tree.walk(root())
                        if n.get_role_name() in CONTROLS and not n.get_name() and
                        tree.has(n, "FOCUSABLE")]
            assert not nameless, nameless
            tree.press(tree.wait("Review the arguments", "toggle button", root=root))
            review = tree.wait("Resulting arguments", "text", root=root)
            app.wait("review", lambda: GRUB_CD in tree.text(review))
            shot(desktop, "new-machine-review")
            name = tree.text(tree.wait("Name", "text", root=root))
            tree.press(tree.wait("Create", "push button", root=root))
            app.wait("machine window", lambda: app.window(name))
            app.wait("running", lambda: app.enabled("power-button", 2), 30)
            app.action("force-off", None, 2)
            # a script gives up its command
            app.action("new-machine-from", script)
            app.wait("second dialog", root)
            text = tree.wait("Arguments", "text", root=root)
            app.wait("command", lambda: "-m 96" in tree.text(text))
            shot(desktop, "new-machine-script")
            entry = tree.wait("Name", "text", root=root)
            tree.focus(entry)
            tree.type(entry, "Scripted")
            tree.press(tree.wait("Create", "push button", root=root))
            conf = os.path.join(desktop.dir, "data", "vitrine", "machines", "Scripted.vitrine",
                                "machine.conf")
            app.wait("machine.conf", lambda: os.path.exists(conf))
            with open(conf, encoding="utf-8") as stream:
                assert "size=96" in stream.read()
            app.wait("second machine", lambda: app.window("Scripted"))


def look(name, env):
    with Session(env=env) as s:
        s.go("Memory")
        shot(s.desktop, f"settings-{name}")
        s.go("Command Line")
        pane = s.tree.wait("Arguments", "text", root=s.root)
        s.tree.type(pane, "-name Box -m 2G -smp 999 -drive file=/nowhere.img,if=ide")
        time.sleep(1.5)
        shot(s.desktop, f"command-line-{name}")
        s.tree.press(s.tree.wait("Revert", "push button", root=s.root))


def dark():
    """A picture to be looked at."""
    look("dark", {"GTK_THEME": "Adwaita:dark"})


def large_text():
    """Another."""
    look("large", {"GDK_DPI_SCALE": "1.5"})


TESTS = [both_places, devices_and_search, disks, new_machine, names_and_keyboard, dark, large_text]


if __name__ == "__main__":
    machine.main(TESTS if len(sys.argv) > 1 else
                 [accessible.alone(__file__, test) for test in TESTS])
