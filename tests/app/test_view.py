#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the machine window shows and lets out: sizes and filters of the picture, 4:3, screenshots to the
clipboard, text of the screen, the log, graphs of the load, media used lately.
mission: ui.window display.gtk"""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "guest"))
import accessible  # noqa: E402
import machine  # noqa: E402
import test_app  # noqa: E402
import test_window  # noqa: E402

BACKGROUND = bytes((0x1d, 0x24, 0x33))
CD = """[vitrine]
format=1

[name]
guest=Rescue

[m]
size=128M

[cdrom]
value={path}
"""


class Session(test_window.Session):
    def __init__(self):
        super().__init__(tree=True)

    def screen(self):
        """The screen's widget: left, top, width, height."""
        node = self.tree.wait(self.title, "drawing area", root=lambda: self.tree.window(self.title))
        place = self.tree.atspi.Component.get_extents(node, self.tree.atspi.CoordType.SCREEN)
        return place.x, place.y, place.width, place.height

    def pixels(self):
        """(width, height, bytes of RGB) of the screen's widget."""
        path = os.path.join(self.desktop.dir, "root.png")
        self.desktop.screenshot(path)
        x, y, width, height = self.screen()
        data = subprocess.run(["convert", path, "-crop", f"{width}x{height}+{x}+{y}", "+repage",
                               "-depth", "8", "rgb:-"], check=True, stdout=subprocess.PIPE).stdout
        return width, height, data

    def picture(self):
        """Where the guest's picture lies in the widget: left, top, width, height; black is around."""
        width, height, data = self.pixels()
        rows = [y for y in range(height) if any(data[y * width * 3:(y + 1) * width * 3])]
        middle = (rows[0] + rows[-1]) // 2
        row = data[middle * width * 3:(middle + 1) * width * 3]
        columns = [x for x in range(width) if any(row[x * 3:x * 3 + 3])]
        return columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1

    def show(self, name, width, height):
        self.title = name
        self.open(name)
        self.desktop.run("xdotool", "windowsize", self.app.window(name), str(width), str(height))
        self.desktop.run("xdotool", "mousemove", "1270", "1000")
        time.sleep(1)

    def set(self, name, value):
        self.set_state(name, value, 2)
        time.sleep(0.7)

    def close(self, title):
        self.tree.press(self.tree.wait("Close", "push button",
                                       root=lambda: self.tree.window(title)))
        self.app.wait(f"{title} is gone", lambda: not self.tree.window(title), 10)

    def copied(self, *words):
        """What is in the clipboard."""
        return subprocess.run(["xclip", "-selection", "clipboard", *words, "-o"], check=True,
                              env=self.desktop.env, stdout=subprocess.PIPE).stdout


def sizes():
    """800x600 in a window of another shape: as large as fits, stretched, one to one, whole multiples;
    the filters differ where they should."""
    with Session() as session:
        session.show("Demo", 1100, 800)
        folder = session.desktop.dir
        test_app.wait_bars(session.app, folder)
        _, _, width, height = session.screen()
        session.set("filter", "'nearest'")
        expected = {"fit": (min(width, height * 4 // 3), min(height, width * 3 // 4)),
                    "stretch": (width, height), "one": (800, 600), "integer": (800, 600)}
        for mode, size in expected.items():
            session.set("scale-mode", f"'{mode}'")
            left, top, *seen = session.picture()
            # the top bars end in black, and so do the edges of a filter
            assert abs(seen[0] - size[0]) <= 2 and abs(seen[1] - size[1]) <= 2, (mode, seen, size)
            assert abs(left - (width - size[0]) // 2) <= 2, (mode, left)
            assert abs(top - (height - size[1]) // 2) <= 2, (mode, top)
            session.shot("view-" + mode)
        session.set("scale-mode", "'fit'")
        colors = {}
        for name in ("nearest", "sharp", "linear"):
            session.set("filter", f"'{name}'")
            _, _, data = session.pixels()
            colors[name] = len({data[i:i + 3] for i in range(0, len(data), 3)})
            session.shot("view-" + name)
        assert colors["nearest"] < colors["sharp"] <= colors["linear"], colors


def text_mode():
    """A screen of text: 4:3 as its tube was, its text taken out, the log."""
    if not os.path.exists(test_app.GRUB_CD):
        print("# no GRUB image here")
        return
    with Session() as session:
        with open(os.path.join(session.root, "Box 0.vitrine", "machine.conf"), "w",
                  encoding="utf-8") as stream:
            stream.write(CD.format(path=test_app.GRUB_CD))
        session.app.process.terminate()
        session.app.process.wait()
        session.app.start()
        session.app.wait("library window", lambda: session.app.window("Vitrine"))
        session.app.wait("its actions", lambda: session.app.enabled("search", 1))
        session.show("Rescue", 1100, 800)

        def text():
            if not session.tree.window("Text of the Screen"):
                session.app.action("show-text", None, 2)
            view = session.tree.wait("Text of the Screen", "text", 5)
            words = session.tree.text(view)
            if "GNU GRUB" not in words or "Memtest86+" not in words:
                session.close("Text of the Screen")
                time.sleep(2)
                return None
            return words
        words = session.app.wait("GRUB's menu", text, 90)
        assert "*GNU/Linux" in words or "GNU/Linux" in words, words
        session.app.raise_window("Text of the Screen")
        time.sleep(0.5)
        session.shot("screen-text")
        session.key("ctrl+a", "ctrl+c")
        assert "GNU GRUB" in session.copied().decode()
        session.close("Text of the Screen")
        session.app.raise_window("Rescue")
        session.set("scale-mode", "'fit'")
        for correct in ("false", "true"):
            session.set("correct-aspect", correct)
            session.app.action("zoom-reset", None, 2)
            time.sleep(1)
            _, _, width, height = session.screen()
            session.shot("aspect-" + correct)
            assert (width, height) == (720, 540 if correct == "true" else 400), (width, height)
        session.app.action("show-log", None, 2)
        log = session.tree.wait("Log of Rescue", "text")
        assert "Running" in session.tree.text(log), session.tree.text(log)
        time.sleep(0.7)
        session.shot("log")


def let_out():
    """The picture in the clipboard is the guest's; graphs; the CD used lately goes in by one press."""
    with Session() as session:
        session.show("Demo", 900, 700)
        folder = session.desktop.dir
        test_app.wait_bars(session.app, folder)
        session.app.action("screenshot-copy", None, 2)
        time.sleep(1)
        path = os.path.join(folder, "copied.png")
        with open(path, "wb") as stream:
            stream.write(session.copied("-t", "image/png"))
        width, height, data = test_app.png_pixels(path)
        assert (width, height) == (800, 600), (width, height)
        assert data[:len(data) // 100] == test_app.png_pixels(test_app.guest_screenshot(
            session.app, 2, folder))[2][:len(data) // 100]
        root = lambda: session.tree.window("Demo")  # noqa: E731
        speed = next(node for node in session.tree.walk(root()) if "fps" in (node.get_name() or ""))
        session.tree.press(speed)
        for name in ("CPU", "Disks", "Network"):
            session.app.wait(name, lambda: any(
                (node.get_name() or "").startswith(name) for node in session.tree.walk(root())
                if node.get_role_name() == "drawing area"), 10)
        time.sleep(2)
        session.shot("graphs")
        session.tree.press(speed)
        iso = os.path.join(folder, "lately.iso")
        with open(iso, "wb") as stream:
            stream.write(bytes(65536))
        session.insert("ide1-cd0", iso)
        drive = session.tree.wait("CD: lately.iso", root=root)
        session.app.action("media-eject", "ide1-cd0", 2)
        drive = session.tree.wait("CD: empty", root=root)
        session.tree.press(drive)
        item = session.tree.wait("lately.iso", root=root)
        time.sleep(0.7)
        session.shot("recent-media")
        session.tree.press(item)
        session.tree.wait("CD: lately.iso", root=root)


if __name__ == "__main__":
    if sys.argv[1:]:
        machine.main([test for test in (sizes, text_mode, let_out)
                      if test.__name__ == sys.argv[1]])
    else:
        machine.main([accessible.alone(__file__, sizes, 120),
                      accessible.alone(__file__, text_mode, 200),
                      accessible.alone(__file__, let_out, 120)])
