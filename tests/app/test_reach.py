#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every page, dialog and popover is walked: each control that takes the focus has a name that can be
spoken, is reached by Tab and the arrow keys alone, lies within its window when it has the focus, and
the focus goes on from it. mission: ui.keys"""
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
CONTROLS = {"push button", "toggle button", "text", "password text", "combo box", "spin button",
            "check box", "toggle switch", "switch", "list item", "entry", "menu item", "menu",
            "radio button", "check menu item", "radio menu item", "slider", "page tab",
            "table cell"}
# reached from their first by the arrow keys, as everywhere in GTK
ARROWS = {"list item": ("Down", "Up"), "radio button": ("Right", "Left"),
          "menu item": ("Down",), "check menu item": ("Down",), "radio menu item": ("Down",)}


# arrow keys among these turn the page
SOURCES = ("Install from ISO", "Disk Image", "Machine Folder", "Arguments")


class Session:
    def __init__(self):
        self.desktop = app_driver.Desktop()
        root = os.path.join(self.desktop.dir, "data", "vitrine", "machines")
        for name in ("Box 0", "Box 1"):
            folder = os.path.join(root, name + ".vitrine")
            os.makedirs(os.path.join(folder, "disks"))
            with open(os.path.join(folder, "disks", "disk.raw"), "wb") as stream:
                stream.write(bytes(65536))
            with open(os.path.join(folder, "machine.conf"), "w", encoding="utf-8") as stream:
                stream.write(CONF.format(name=name, folder=folder))
        self.tree = accessible.Tree(self.desktop)
        self.app = app_driver.Application(
            self.desktop, PROGRAM, env={"VITRINE_PAINTER": "cairo", "VITRINE_DEMO": DEMO})
        self.focus_seen = []
        self.windows = []
        self.problems = []

    def __enter__(self):
        from gi.repository import GLib
        self.context = GLib.MainContext.default()
        self.app.__enter__()
        self.app.wait("library window", lambda: self.app.window("Vitrine"))
        self.app.wait("its actions", lambda: self.app.enabled("search", 1))
        self.app.wait("accessible window", lambda: self.tree.window("Vitrine"))
        self.listener = self.tree.atspi.EventListener.new(self.on_focus)
        self.listener.register("object:state-changed:focused")
        self.focus_newest()
        return self

    def __exit__(self, kind, *args):
        try:
            self.app.__exit__(kind, *args)
        finally:
            self.desktop.__exit__()
        if kind is None:
            assert not self.problems, "\n".join(self.problems)

    # ---- Windows of the X server: there is no window manager that gives the focus

    def visible(self):
        result = subprocess.run(["xdotool", "search", "--onlyvisible", "--class", "vitrine"],
                                env=self.desktop.env, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True, check=False)
        return result.stdout.split()

    def focus_newest(self, wait=True):
        """Gives the focus to the window that was not there before."""
        known = set(self.windows)

        def new():
            return [window for window in self.visible() if window not in known]
        if wait:
            self.app.wait("a new window", new)
            time.sleep(0.5)
        fresh = new()
        self.windows = [window for window in self.windows if window in self.visible()] + fresh
        window = self.windows[-1]
        self.desktop.run("xdotool", "windowmove", window, "0", "0", "windowraise", window,
                         "windowfocus", window)
        self.pump(0.3)

    def back(self):
        """The newest window went away: the one before has the focus."""
        self.app.wait("the window's end", lambda: self.windows[-1] not in self.visible())
        self.windows = [window for window in self.windows if window in self.visible()]
        self.desktop.run("xdotool", "windowraise", self.windows[-1], "windowfocus",
                         self.windows[-1])
        self.pump(0.3)

    # ---- Focus

    def on_focus(self, event):
        if event.detail1:
            self.focus_seen.append(event.source)

    def pump(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            while self.context.iteration(False):
                pass
            time.sleep(0.004)

    def key(self, *keys):
        """What got the focus by these keys; None when it stayed where it was."""
        self.focus_seen.clear()
        self.desktop.run("xdotool", "key", *keys)
        end = time.monotonic() + 1.2 * app_driver.PATIENCE
        while time.monotonic() < end and not self.focus_seen:
            self.pump(0.01)
        self.pump(0.02)
        return self.focus_seen[-1] if self.focus_seen else None

    def names_around(self, node):
        """The focus of a compound control is often in a part without a name of its own."""
        names = []
        for _ in range(3):
            if node is None:
                break
            try:
                names.append((node.get_name() or "").strip())
                node = node.get_parent()
            except Exception:  # went away
                break
        return [name for name in names if name]

    def controls(self, root, but=(), scrolled=False):
        """SCROLLED: also what lies above and below the part in sight."""
        found = []
        for node in self.tree.walk(root, not scrolled):
            try:
                if node.get_role_name() in CONTROLS and node not in but and \
                        all(self.tree.has(node, state)
                            for state in ("VISIBLE", "FOCUSABLE", "SENSITIVE")):
                    found.append(node)
            except Exception:  # went away
                continue
        return found

    def shot(self, name):
        if SHOTS:
            os.makedirs(SHOTS, exist_ok=True)
            self.desktop.screenshot(os.path.join(SHOTS, "reach-" + name + ".png"))

    def check(self, place, root, but=(), keys=True, page=None):
        """All that is asked of one PLACE."""
        self.shot(place.replace(" ", "-").replace("/", "-"))
        wanted = self.controls(root, but) + (self.controls(page, scrolled=True) if page else [])
        nameless = [f"{node.get_role_name()} in {self.names_around(node.get_parent())}"
                    for node in wanted if not (node.get_name() or "").strip()]
        if nameless:
            self.problems.append(f"{place}: without a name: {nameless}")
        if not wanted:
            self.problems.append(f"{place}: no control found")
        if keys:
            self.walk_keys(place, root, wanted)
        print(f"# {place}: {len(wanted)} controls", flush=True)

    def walk_keys(self, place, root, wanted):
        names = {(node.get_name() or "").strip() for node in wanted} - {""}
        bounds = self.tree.atspi.Component.get_extents(root, self.tree.atspi.CoordType.SCREEN)
        reached, outside = set(), set()

        def note(node):
            """The names of what has the focus now."""
            here = self.names_around(node)
            reached.update(here)
            try:
                box = self.tree.atspi.Component.get_extents(node,
                                                            self.tree.atspi.CoordType.SCREEN)
            except Exception:  # went away
                return here
            if box.height > 1 and not \
                    bounds.y <= box.y + box.height // 2 <= bounds.y + bounds.height:
                outside.add(f"{here[:1] or node.get_role_name()} at {box.y}+{box.height} of "
                            f"{bounds.y}+{bounds.height}")
            return here

        def around(with_arrows):
            """Tab until it comes around or all is reached; False: Tab is caught."""
            stuck, first, stops = 0, None, 0
            while stops < 3 * len(wanted) + 12 and not names <= reached:
                node = self.key("Tab")
                stops += 1
                stuck = stuck + 1 if node is None else 0
                if stuck == 3:
                    return len(wanted) == 1
                if node is None:
                    continue
                here = note(node)
                if first is not None and here == first and stops > 2:
                    return True
                first = here if first is None and here else first
                role = node.get_role_name()
                turns = here and here[0] in SOURCES
                for key in ARROWS.get(role, ()) if with_arrows and not turns else ():
                    for _ in range(30):
                        step = self.key(key)
                        if step is None or names <= reached or not set(note(step)) - reached and \
                                step.get_role_name() != role:
                            break
            return True
        if not around(False):
            self.problems.append(f"{place}: Tab is caught; reached {sorted(reached)}")
        if not names <= reached:
            around(True)
        missing = sorted(names - reached)
        if missing:
            self.problems.append(f"{place}: not reached by keys: {missing}")
        if outside:
            self.problems.append(f"{place}: focus out of sight: {sorted(outside)}")


def library():
    """The window in both views, its menus, search, rename, notes, delete, about, shortcuts."""
    with Session() as s:
        app, tree = s.app, s.tree

        def root():
            return tree.window("Vitrine")
        app.action("select", "Box 0", 1)
        s.check("library grid", root())
        app.call(f"{app_driver.PATH}/window/1", "org.gtk.Actions.SetState", "view", "<'list'>",
                 "{}")
        s.pump(0.3)
        s.check("library list", root())
        before = s.controls(root())
        s.key("F10")
        s.pump(0.5)
        s.check("main menu", root(), but=before)
        s.key("Escape")
        app.action("select", "Box 0", 1)
        tree.press(tree.wait("Machine", "toggle button", root=root))
        s.pump(0.5)
        s.check("machine menu", root(), but=before)
        s.key("Escape")
        app.action("find-text", "box", 1)
        s.pump(0.3)
        s.check("library search", root())
        app.action("find-text", "", 1)
        for action, place in (("rename", "Rename"), ("notes", "Notes"), ("delete", "delete")):
            app.action("select", "Box 0", 1)
            app.action(action, None, 1)
            s.focus_newest()
            s.check(place, newest_root(s))
            s.key("Escape")
            s.back()
        app.action("show-help-overlay", None, 1)
        s.focus_newest()
        s.check("shortcuts", newest_root(s))
        s.key("Escape")
        s.back()
        app.action("about")
        s.focus_newest()
        s.check("about", newest_root(s))
        s.key("Escape")
        s.back()


def newest_root(s):
    """The accessible window that is showing and came last."""
    application = s.tree.application()
    return application.get_child_at_index(application.get_child_count() - 1)


def new_machine():
    """The four sources of a new machine."""
    with Session() as s:
        s.app.action("new-machine")
        s.focus_newest()

        def root():
            return s.tree.window("New Machine")
        for title in SOURCES:
            button = s.tree.wait(title, "radio button", root=root)
            s.desktop.run("xdotool", "mousemove", *s.tree.centre(button), "click", "1")
            s.pump(0.4)
            s.check("new machine: " + title, root())
        s.tree.press(s.tree.wait("Review the arguments", "toggle button", root=root))
        s.pump(0.4)
        s.check("new machine: review", root())


def preferences():
    with Session() as s:
        s.app.action("preferences")
        s.focus_newest()

        def root():
            return s.tree.window("Preferences")
        for title in ("Screen", "Keyboard", "Machines"):
            button = s.tree.find(title, "radio button", root())
            assert button, [(n.get_role_name(), n.get_name()) for n in s.tree.walk(root())]
            s.desktop.run("xdotool", "mousemove", *s.tree.centre(button), "click", "1")
            s.pump(0.5)
            s.check("preferences: " + title, root())


def sidebar(s, root):
    """The rows that name the pages."""
    pages = s.tree.find("Pages", "list box", root)
    return [node for node in s.tree.walk(pages) if node.get_role_name() == "list item"]


def go(s, root, page):
    row = s.tree.wait(page, "list item", root=root)
    s.desktop.run("xdotool", "mousemove", *s.tree.centre(row), "click", "1")
    s.pump(0.8)


def settings_pages(pages):
    with Session() as s:
        s.app.action("settings", "Box 0")
        s.focus_newest()

        def root():
            return s.tree.window("Box 0 – Settings")
        for page in pages:
            go(s, root, page)
            s.check("settings: " + page, root(), but=sidebar(s, root()),
                    page=s.tree.find(page, "scroll pane", root()))


def settings_sidebar():
    """Arrow keys go from page to page, and what they name is shown."""
    with Session() as s:
        s.app.action("settings", "Box 0")
        s.focus_newest()

        def root():
            return s.tree.window("Box 0 – Settings")
        rows = sidebar(s, root())
        assert len(rows) == 12, [row.get_name() for row in rows]
        go(s, root, rows[0].get_name())
        for row in rows[1:]:
            s.key("Down")
            s.app.wait("the focus on its row", lambda name=row.get_name(): s.pump(0.05) or (
                s.focus_seen and s.focus_seen[-1].get_name() == name), 10)
            if row is rows[-1]:
                s.tree.wait("Arguments", "text", root=root)
            else:
                s.app.wait("its page", lambda name=row.get_name(): s.tree.find_near(
                    name, "scroll pane", root()), 20)


def settings_machine():
    """System to Display."""
    settings_pages(("System", "Processor", "Memory", "Display"))


def settings_devices():
    """Storage to Input."""
    settings_pages(("Storage", "Network", "Sound", "Ports", "Input"))


def settings_rest():
    """Boot, Advanced, the command line; then the expanders' rows, the popover of what can be added,
    the disk dialogs."""
    settings_pages(("Boot", "Advanced", "Command Line"))


def settings_dialogs():
    """All rows behind an expander, what can be added, images."""
    with Session() as s:
        s.app.action("settings", "Box 0")
        s.focus_newest()

        def root():
            return s.tree.window("Box 0 – Settings")
        go(s, root, "Network")
        before = s.controls(root())
        s.tree.focus(s.tree.wait("Add…", "toggle button", root=root))
        s.key("space")
        s.pump(0.8)
        s.check("what can be added", root(), but=before)
        s.key("Escape")
        go(s, root, "Boot")
        for node in list(s.tree.walk(root())):
            if node.get_role_name() == "toggle button" and "more setting" in node.get_name():
                s.tree.press(node)
        s.pump(1)
        s.check("settings: all of Boot", root(), but=sidebar(s, root()),
                page=s.tree.find("Boot", "scroll pane", root()))
        go(s, root, "Storage")
        s.tree.press(s.tree.wait("New Disk…", "push button", root=root))
        s.focus_newest()
        s.check("new disk", newest_root(s))
        s.key("Escape")
        s.back()
        s.tree.press(s.tree.wait("Image of Image", "push button", root=root))
        s.focus_newest()
        s.check("disk image", newest_root(s))
        s.key("Escape")
        s.back()
        go(s, root, "Command Line")
        pane = s.tree.wait("Arguments", "text", root=root)
        s.tree.type(pane, "-name Box -m 64M -mashine q35")
        s.pump(1.2)
        s.check("command line with a mistake", root(), but=sidebar(s, root()))
        s.key("ctrl+w")
        s.focus_newest()
        s.check("typed and not applied", newest_root(s))
        s.key("Escape")
        s.back()


def running():
    """The window of a running machine has names, and what quitting and closing ask is walked."""
    with Session() as s:
        s.app.action("open-machine", "Box 0")
        s.focus_newest()
        s.app.wait("running", lambda: s.app.enabled("power-button", 2), 30)
        s.check("machine window", s.tree.window("Box 0"), keys=False)
        s.app.action("close", None, 2)
        s.focus_newest()
        s.check("closing", newest_root(s))
        s.key("Escape")
        s.back()
        s.app.action("quit")
        s.focus_newest()
        s.check("quitting", newest_root(s))
        s.key("Escape")
        s.back()


TESTS = [library, new_machine, preferences, settings_sidebar, settings_machine,
         settings_devices, settings_rest, settings_dialogs, running]

if __name__ == "__main__":
    machine.main(TESTS if len(sys.argv) > 1 else
                 [accessible.alone(__file__, test, 240) for test in TESTS])
