#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The library and the making of machines, by the widgets a person uses: jobs and their cancel button,
what is dropped on the window, notes, both views, the four sources of a machine, eras and advice,
preferences, starting by D-Bus, high contrast. mission: ui.window"""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "guest"))
import accessible  # noqa: E402
import app_driver  # noqa: E402
import machine  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.environ["VITRINE"]
DEMO = os.environ["VITRINE_DEMO"]
SLOW = os.environ.get("VITRINE_SLOW_DISK")
SHOTS = os.environ.get("VITRINE_SCREENSHOTS")
GRUB_CD = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso"
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


class Session:
    def __init__(self, machines=2, env=None):
        self.desktop = app_driver.Desktop()
        self.root = os.path.join(self.desktop.dir, "data", "vitrine", "machines")
        os.makedirs(self.root)
        for number in range(machines):
            self.make(self.root, f"Box {number}")
        self.make_file_manager()
        self.tree = accessible.Tree(self.desktop)
        self.app = app_driver.Application(
            self.desktop, PROGRAM,
            env={"VITRINE_PAINTER": "cairo", "VITRINE_DEMO": DEMO, **(env or {})})

    @staticmethod
    def make(root, name, disk_bytes=65536):
        folder = os.path.join(root, f"{name}.vitrine")
        os.makedirs(os.path.join(folder, "disks"))
        with open(os.path.join(folder, "disks", "disk.raw"), "wb") as stream:
            stream.write(b"\1" * disk_bytes)
        with open(os.path.join(folder, "machine.conf"), "w", encoding="utf-8") as stream:
            stream.write(CONF.format(name=name, folder=folder))
        return folder

    def __enter__(self):
        self.app.__enter__()
        self.app.wait("library window", lambda: self.app.window("Vitrine"))
        self.app.wait("its actions", lambda: self.app.enabled("search", 1))
        self.app.wait("accessible window", lambda: self.tree.window("Vitrine"))
        self.app.raise_window("Vitrine")
        time.sleep(0.5)
        return self

    def __exit__(self, *args):
        try:
            self.app.__exit__(*args)
        finally:
            self.desktop.__exit__()

    def bring(self, title):
        """The window in sight with this title to the front, with the focus."""
        window = self.desktop.run("xdotool", "search", "--onlyvisible", "--name",
                                  f"^{title}$").split()[-1]
        self.desktop.run("xdotool", "windowmove", window, "0", "0", "windowraise", window,
                         "windowfocus", window)
        time.sleep(0.3)

    def make_file_manager(self):
        """A program for folders that writes down which one it was given."""
        applications = os.path.join(self.desktop.dir, "data", "applications")
        config = os.path.join(self.desktop.dir, "config")
        os.makedirs(applications)
        os.makedirs(config, exist_ok=True)
        script = os.path.join(self.desktop.dir, "files.sh")
        with open(script, "w", encoding="utf-8") as stream:
            stream.write(f'#!/bin/sh\necho "$1" > {self.desktop.dir}/shown-folder\n')
        os.chmod(script, 0o755)
        with open(os.path.join(applications, "files.desktop"), "w", encoding="utf-8") as stream:
            stream.write(f"[Desktop Entry]\nType=Application\nName=Files\nExec={script} %u\n"
                         "MimeType=inode/directory;\n")
        with open(os.path.join(config, "mimeapps.list"), "w", encoding="utf-8") as stream:
            stream.write("[Default Applications]\ninode/directory=files.desktop\n")

    def shot(self, name):
        time.sleep(0.3)
        if SHOTS:
            os.makedirs(SHOTS, exist_ok=True)
            self.desktop.screenshot(os.path.join(SHOTS, name + ".png"))

    def main(self):
        return self.tree.window("Vitrine")

    def dialog(self):
        return self.tree.window("New Machine")

    def labels(self, root):
        return [node.get_name() or "" for node in self.tree.walk(root)
                if node.get_role_name() == "label"]

    def wait_label(self, root, words):
        return self.app.wait(f"the words “{words}”", lambda: [
            text for text in self.labels(root()) if words in text], 15)[0]

    def machines(self):
        return sorted(name[:-len(".vitrine")] for name in os.listdir(self.root)
                      if name.endswith(".vitrine") and not name.startswith("."))

    def conf(self, name):
        with open(os.path.join(self.root, name + ".vitrine", "machine.conf"),
                  encoding="utf-8") as stream:
            return stream.read()

    def page(self, title):
        button = self.tree.wait(title, "radio button", root=self.dialog)
        self.desktop.run("xdotool", "mousemove", *self.tree.centre(button), "click", "1")
        time.sleep(0.5)

    def create(self, name):
        entry = self.tree.wait("Name", "text", root=self.dialog)
        self.tree.focus(entry)
        self.tree.type(entry, name)
        self.tree.press(self.tree.wait("Create", "push button", root=self.dialog))
        self.app.wait("the machine", lambda: name in self.machines(), 20)
        self.app.wait("its window", lambda: self.app.window(name))

    def drop(self, kind, value):
        """VALUE is dragged from another program's window onto the library's."""
        with subprocess.Popen([sys.executable, os.path.join(HERE, "drag_source.py"), kind, value],
                              env={**self.desktop.env, "NO_AT_BRIDGE": "1"}) as source:
            try:
                self.app.wait("the drag source", lambda: self.desktop.run(
                    "xdotool", "search", "--onlyvisible", "--name", "^Drag source$"))
                time.sleep(0.7)
                run = self.desktop.run
                run("xdotool", "mousemove", "1160", "940", "mousedown", "1")
                for x, y in ((1150, 930), (1120, 900), (800, 600), (500, 400), (480, 390)):
                    run("xdotool", "mousemove", str(x), str(y))
                    time.sleep(0.15)
                run("xdotool", "mouseup", "1")
                time.sleep(0.7)
            finally:
                source.terminate()


def jobs():
    """A copy that takes long is in the jobs list; Cancel ends it and leaves nothing behind."""
    if not SLOW:
        machine.note("no VITRINE_SLOW_DISK: left out")
        return
    with Session(machines=1, env={"LD_PRELOAD": SLOW}) as s:
        with open(os.path.join(s.root, "Box 0.vitrine", "disks", "disk.raw"), "wb") as stream:
            stream.write(b"\1" * (48 << 20))
        s.app.action("select", "Box 0", 1)
        s.app.action("duplicate", None, 1)
        button = s.tree.wait("1 job under way", "toggle button", root=s.main)
        s.tree.press(button)
        cancel = s.app.wait("cancel button", lambda: [
            node for node in s.tree.walk(s.main()) if node.get_role_name() == "push button" and
            (node.get_name() or "").startswith("Cancel")])[0]
        s.shot("jobs")
        s.tree.press(cancel)
        s.app.wait("no job left", lambda: not s.tree.find("1 job under way", None, s.main()), 15)
        time.sleep(0.5)
        assert os.listdir(s.root) == ["Box 0.vitrine"], os.listdir(s.root)


def drops():
    """An ISO, a disk, a machine's folder and the text of a command, each dropped on the window."""
    with Session(machines=0) as s:
        folder = Session.make(s.desktop.dir, "Brought along")
        disk = os.path.join(s.desktop.dir, "old.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "64M"], check=True)
        s.shot("first-machine")
        for kind, value, page in (("uri", "file://" + GRUB_CD, "Install from ISO"),
                                  ("uri", "file://" + disk, "Disk Image"),
                                  ("text", "qemu-system-x86_64 -m 96 -nic none", "Arguments")):
            s.app.raise_window("Vitrine")
            s.drop(kind, value)
            s.app.wait("dialog", s.dialog)
            chosen = s.app.wait("page", lambda: [
                node.get_name() for node in s.tree.walk(s.dialog())
                if node.get_role_name() == "radio button" and s.tree.has(node, "CHECKED")])
            assert page in chosen, (page, chosen)
            if kind == "uri":
                s.app.wait("its name", lambda: any(
                    os.path.basename(value) in (node.get_name() or "")
                    for node in s.tree.walk(s.dialog())))
            else:
                text = s.tree.text(s.tree.wait("Arguments", "text", root=s.dialog))
                assert text == value, text
            s.shot("drop-" + page.split()[0].lower())
            s.tree.press(s.tree.wait("Cancel", "push button", root=s.dialog))
            s.app.wait("dialog gone", lambda: not s.dialog())
        s.app.raise_window("Vitrine")
        s.drop("uri", "file://" + folder.replace(" ", "%20"))
        s.app.wait("the folder's card", lambda: [
            node for node in s.tree.walk(s.main())
            if (node.get_name() or "").startswith("Brought along, ")])
        s.shot("drop-folder")


def views_and_notes():
    """Grid and list; notes are written, found and kept; nothing found says so."""
    with Session() as s:
        app, tree = s.app, s.tree
        app.action("select", "Box 1", 1)
        app.action("notes", None, 1)
        field = tree.wait("Notes", "text", root=lambda: tree.window("Notes"))
        tree.type(field, "Router of the test network\nroot / secret")
        s.shot("notes")
        tree.press(tree.wait("Save", "push button", root=lambda: tree.window("Notes")))
        app.wait("saved", lambda: "Router of the test network" in s.conf("Box 1"))
        app.action("find-text", "router", 1)
        app.wait("only one", lambda: [node.get_name() for node in tree.walk(s.main())
                                      if (node.get_name() or "").startswith("Box ")] ==
                 ["Box 1, Off, 16.0\u00a0MiB"] or [
                     node.get_name() for node in tree.walk(s.main())
                     if node.get_role_name() == "list item"])
        s.shot("notes-found")
        app.action("find-text", "nothing like that", 1)
        s.wait_label(s.main, "No machine has these words")
        s.shot("nothing-found")
        app.action("find-text", "", 1)
        app.call(f"{app_driver.PATH}/window/1", "org.gtk.Actions.SetState", "view", "<'list'>",
                 "{}")
        app.wait("rows", lambda: [node for node in tree.walk(s.main())
                                  if (node.get_name() or "").startswith("Box 1, ")])
        s.shot("view-list")


def sources():
    """A live ISO without a disk; a disk image copied, moved and used in place; a machine's folder
    copied; sizes by era; advice against the host; the arguments before anything is made."""
    with Session(machines=0) as s:
        app, tree = s.app, s.tree
        # live, without a disk
        app.action("new-machine-from", GRUB_CD)
        app.wait("dialog", s.dialog)
        check = tree.wait("New disk, GiB", "check box", root=s.dialog)
        if tree.has(check, "CHECKED"):
            tree.press(check)
        preset = tree.wait("System", "combo box", root=s.dialog)
        ram = tree.wait("Memory in MiB", "spin button", root=s.dialog)
        seen = []
        for number in range(preset.get_child_at_index(0).get_child_count()):
            tree.atspi.Selection.select_child(preset, number)
            time.sleep(0.3)
            seen.append(int(tree.atspi.Value.get_current_value(ram)))
        assert len(seen) == 7 and min(seen) <= 64 and len(set(seen)) >= 4, seen
        s.shot("presets")
        tree.atspi.Value.set_current_value(ram, 1000000)
        s.wait_label(s.dialog, "This computer has only")
        s.shot("advice")
        tree.atspi.Value.set_current_value(ram, 32)
        tree.press(tree.wait("Review the arguments", "toggle button", root=s.dialog))
        review = tree.wait("Resulting arguments", "text", root=s.dialog)
        app.wait("review", lambda: "-m 32M" in tree.text(review) and GRUB_CD in tree.text(review))
        assert "disk.raw" not in tree.text(review), tree.text(review)
        s.shot("review")
        s.create("Live")
        assert os.listdir(os.path.join(s.root, "Live.vitrine", "disks")) == [] and \
            "disk.raw" not in s.conf("Live")
        # a disk three ways
        for use, name in (("Copy it", "Copied"), ("Move it", "Moved"),
                          ("Use it where it is", "In place")):
            disk = os.path.join(s.desktop.dir, f"{name}.img")
            with open(disk, "wb") as stream:
                stream.write(b"\2" * 65536)
            app.action("new-machine-from", disk)
            app.wait("dialog", s.dialog)
            tree.press(tree.wait(use, "radio button", root=s.dialog))
            s.shot("disk-" + name.split()[0].lower())
            s.create(name)
            inside = os.path.join(s.root, name + ".vitrine", "disks", f"{name}.img")
            assert os.path.exists(inside) == (name != "In place"), name
            assert os.path.exists(disk) == (name != "Moved"), name
            assert (inside if name != "In place" else disk) in s.conf(name)
        # a machine of another place
        folder = Session.make(s.desktop.dir, "Elsewhere")
        app.action("new-machine")
        app.wait("dialog", s.dialog)
        s.page("Machine Folder")
        s.tree.press(s.tree.wait("Create", "push button", root=s.dialog))
        s.wait_label(s.dialog, "Choose a machine’s folder first")
        s.shot("folder-missing")
        tree.press(tree.wait("Cancel", "push button", root=s.dialog))
        assert os.path.exists(folder)


def preferences():
    """What is set in the preferences is so in the next window."""
    with Session() as s:
        s.app.action("preferences")

        def root():
            return s.tree.window("Preferences")
        combo = s.tree.wait("Size of the picture", "combo box", root=root)
        s.tree.atspi.Selection.select_child(combo, 2)
        time.sleep(0.4)
        s.shot("preferences-set")
        s.app.action("open-machine", "Box 0")
        s.app.wait("machine window", lambda: s.app.window("Box 0"))
        window = s.app.wait("its number", lambda: [
            n for n in range(2, 6) if "'integer'" in describe(s, n)])
        assert window


def describe(s, number):
    try:
        return s.app.call(f"{app_driver.PATH}/window/{number}", "org.gtk.Actions.Describe",
                          "scale-mode")
    except subprocess.CalledProcessError:
        return ""


def activation():
    """The session bus starts the program by its name, and a second start speaks to the first."""
    with app_driver.Desktop() as desktop:
        services = os.path.join(desktop.dir, "data", "dbus-1", "services")
        os.makedirs(services)
        template = os.path.join(HERE, "..", "..", "data", "org.vitrine.Vitrine.service.in")
        with open(template, encoding="utf-8") as stream:
            text = stream.read().replace("@BINDIR@", os.path.dirname(PROGRAM))
        with open(os.path.join(services, "org.vitrine.Vitrine.service"), "w",
                  encoding="utf-8") as stream:
            stream.write(text)
        env = dict(desktop.env, VITRINE_DEMO=DEMO, VITRINE_PAINTER="cairo")
        # the bus was started before the service file was there
        pairs = ",".join(f"'{key}': '{value}'" for key, value in env.items()
                         if key in ("DISPLAY", "VITRINE_DEMO", "VITRINE_PAINTER", "GDK_BACKEND",
                                    "NO_AT_BRIDGE", "XDG_DATA_HOME", "XDG_CONFIG_HOME",
                                    "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "GSETTINGS_BACKEND"))
        call = ["gdbus", "call", "--session", "--dest", "org.freedesktop.DBus", "--object-path",
                "/org/freedesktop/DBus", "--method"]
        desktop.run(*call, "org.freedesktop.DBus.ReloadConfig")
        desktop.run(*call, "org.freedesktop.DBus.UpdateActivationEnvironment", "{" + pairs + "}")
        desktop.run("gdbus", "call", "--session", "--dest", app_driver.NAME, "--object-path",
                    app_driver.PATH, "--method", "org.freedesktop.Application.Activate", "{}")
        end = time.monotonic() + 30 * app_driver.PATIENCE
        windows = ""
        while time.monotonic() < end and not windows:
            time.sleep(0.3)
            windows = subprocess.run(["xdotool", "search", "--onlyvisible", "--name", "^Vitrine$"],
                                     env=desktop.env, stdout=subprocess.PIPE, text=True,
                                     check=False).stdout
        assert windows, "the bus did not start the program"
        second = subprocess.run([PROGRAM, GRUB_CD], env=env, timeout=30 * app_driver.PATIENCE,
                                check=False)
        assert second.returncode == 0
        subprocess.run(["xdotool", "search", "--sync", "--onlyvisible", "--name", "^New Machine$"],
                       env=desktop.env, timeout=20 * app_driver.PATIENCE, check=True,
                       stdout=subprocess.DEVNULL)
        if SHOTS:
            os.makedirs(SHOTS, exist_ok=True)
            desktop.screenshot(os.path.join(SHOTS, "activation.png"))
        desktop.run("gdbus", "call", "--session", "--dest", app_driver.NAME, "--object-path",
                    app_driver.PATH, "--method", "org.gtk.Actions.Activate", "quit", "[]", "{}")


def looks():
    """Pictures to be looked at: dark, high contrast, twice the size, large text."""
    for name, env in (("dark", {"GTK_THEME": "Adwaita:dark"}),
                      ("contrast", {"GTK_THEME": "HighContrast"}),
                      ("twice", {"GDK_SCALE": "2"}), ("large", {"GDK_DPI_SCALE": "1.5"})):
        with app_driver.Desktop() as desktop:
            root = os.path.join(desktop.dir, "data", "vitrine", "machines")
            Session.make(root, "Box 0")
            Session.make(root, "Box 1")
            with app_driver.Application(desktop, PROGRAM, env={
                    "VITRINE_PAINTER": "cairo", "VITRINE_DEMO": DEMO, **env}) as app:
                app.wait("library", lambda: app.window("Vitrine"))
                app.wait("its actions", lambda: app.enabled("search", 1))
                app.raise_window("Vitrine")
                time.sleep(1)
                if SHOTS:
                    os.makedirs(SHOTS, exist_ok=True)
                    desktop.screenshot(os.path.join(SHOTS, f"library-{name}.png"))
                app.action("new-machine")
                app.wait("dialog", lambda: app.window("New Machine"))
                time.sleep(1)
                if SHOTS:
                    desktop.screenshot(os.path.join(SHOTS, f"new-{name}.png"))


def first_day():
    """What a person wants on the first day, by pressing what is in sight and nothing else: a machine
    from an ISO in at most four steps, one from pasted arguments, more memory in either place, the
    file of the disk. mission: ui.window"""
    with Session(machines=0) as s:
        app, tree, run = s.app, s.tree, s.desktop.run
        # from an ISO: New Machine, Choose, Open, Create
        tree.press(tree.wait("New Machine", "push button", root=s.main))
        app.wait("dialog", s.dialog)
        steps = 1
        tree.press(tree.wait("Choose an ISO image…", "push button", root=s.dialog))
        steps += 1
        chooser = app.wait("file dialog", lambda: app.window("Choose an ISO image…"))
        time.sleep(0.7)
        run("xdotool", "windowfocus", chooser)
        time.sleep(0.3)
        app.known.append("WIDGET_REALIZED_FOR_EVENT")  # GTK's own dialog, of this key
        run("xdotool", "key", "ctrl+l")
        place = app.wait("the place to type", lambda: [
            node for node in tree.walk(tree.window("Choose an ISO image…"))
            if node.get_role_name() == "text" and tree.has(node, "EDITABLE")])[0]
        tree.type(place, GRUB_CD)
        s.shot("day-iso-chosen")
        tree.press(tree.wait("Open", "push button",
                             root=lambda: tree.window("Choose an ISO image…")))
        steps += 1
        name = app.wait("recognised", lambda: tree.text(tree.find("Name", "text", s.dialog())))
        s.shot("day-iso")
        tree.press(tree.wait("Create", "push button", root=s.dialog))
        steps += 1
        app.wait("running", lambda: app.enabled("power-button", 2), 60)
        assert steps <= 4, steps
        s.shot("day-running")
        app.action("force-off", None, 2)
        app.wait("off", lambda: app.enabled("start", 2), 30)
        app.action("close", None, 2)
        # pasted arguments
        s.bring("Vitrine")
        tree.press(tree.wait("New Machine", "push button", root=s.main))
        app.wait("dialog", s.dialog)
        s.page("Arguments")
        tree.type(tree.wait("Arguments", "text", root=s.dialog),
                  "qemu-system-x86_64 -m 96 -accel qtest -nic none")
        s.shot("day-arguments")
        s.create("Pasted")
        # its memory, in the settings from the card's menu
        s.bring("Vitrine")
        app.action("select", "Pasted", 1)
        app.action("force-off", None, 1)
        app.wait("off", lambda: app.enabled("start", 1), 20)
        tree.press(tree.wait("Machine", "toggle button", root=s.main))
        item = app.wait("menu", lambda: [node for node in tree.walk(s.main())
                                         if node.get_name() == "Settings"])[0]
        s.shot("day-menu")
        tree.press(item)
        app.wait("settings", lambda: tree.window("Pasted – Settings"))
        s.bring("Pasted – Settings")

        def settings():
            return tree.window("Pasted – Settings")
        row = tree.wait("Memory", "list item", root=settings)
        run("xdotool", "mousemove", *tree.centre(row), "click", "1")
        entry = tree.wait("Memory size", "text", root=settings)
        tree.type(entry, "160")
        app.wait("saved", lambda: "size=160M" in s.conf("Pasted"))
        s.shot("day-memory")
        row = tree.wait("Command Line", "list item", root=settings)
        run("xdotool", "mousemove", *tree.centre(row), "click", "1")
        pane = tree.wait("Arguments", "text", root=settings)
        app.wait("text", lambda: "-m 160M" in tree.text(pane))
        tree.type(pane, tree.text(pane).replace("160M", "192M"))
        apply = tree.wait("Apply", "push button", root=settings)
        app.wait("Apply", lambda: tree.has(apply, "SENSITIVE"))
        s.shot("day-command-line")
        tree.press(apply)
        app.wait("saved", lambda: "192M" in s.conf("Pasted"))
        # where the disk is: the first machine's folder, named where no file manager is
        s.bring("Vitrine")
        app.action("select", name, 1)
        tree.press(tree.wait("Machine", "toggle button", root=s.main))
        item = app.wait("menu", lambda: [node for node in tree.walk(s.main())
                                         if node.get_name() == "Show Files"])[0]
        tree.press(item)
        seen = os.path.join(s.desktop.dir, "shown-folder")
        app.wait("the file manager", lambda: os.path.exists(seen) and os.path.getsize(seen))
        with open(seen, encoding="utf-8") as stream:
            folder = stream.read().strip().replace("file://", "").replace("%20", " ")
        assert os.path.exists(os.path.join(folder, "disks", "disk.raw")), folder
        s.shot("day-files")
        app.wait("the card's memory", lambda: s.wait_label(s.main, "192.0\u00a0MiB"))


TESTS = [first_day, jobs, drops, views_and_notes, sources, preferences, activation, looks]

if __name__ == "__main__":
    machine.main(TESTS if len(sys.argv) > 1 else
                 [accessible.alone(__file__, test, 120) for test in TESTS])
