#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys and pointer on Wayland: the compositor's own shortcuts reach the guest while grabbed, and the
window says when the compositor keeps them; the pointer is locked and its motion, fractions included,
is the guest's.
mission: ui.keys display.gtk"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "guest"))
import accessible  # noqa: E402
import machine  # noqa: E402
import test_input  # noqa: E402
import test_window  # noqa: E402
import wayland_driver  # noqa: E402

KEY_LEFTALT, KEY_LEFTCTRL, KEY_TAB = 56, 29, 15


class Session(test_window.Session):
    def __init__(self, tree=False):
        self.compositor = wayland_driver.Compositor()

        def prepare(desktop):
            desktop.env.update(GDK_BACKEND="wayland", WAYLAND_DISPLAY=self.compositor.path)
        super().__init__(tree=tree, machines=1, prepare=prepare)
        folder = os.path.join(self.root, "Box 0.vitrine")
        self.path = os.path.join(folder, "qtest")
        with open(os.path.join(folder, "machine.conf"), "w", encoding="utf-8") as stream:
            stream.write(test_input.CONF.format(folder=folder, more=""))

    def __enter__(self):
        self.app.__enter__()
        try:
            self.app.wait("library window", lambda: "Vitrine" in self.compositor.windows()[0])
            self.app.wait("its actions", lambda: self.app.enabled("search", 1))
        except Exception:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *args):
        try:
            super().__exit__(*args)
        finally:
            self.compositor.close()

    def start(self):
        self.app.action("open-machine", "Box 0")
        self.app.wait("machine window", lambda: "Box 0" in self.compositor.windows()[0])
        self.app.wait("running", lambda: self.app.enabled("power-button", 2), 30)
        self.focus("Box 0")
        self.app.wait("the guest's ports", lambda: os.path.exists(self.path))
        self.guest = test_input.Ps2(self.path)

    def focus(self, title):
        self.compositor.message(f'[title="{title}"] focus')
        self.app.wait(f"{title} has the focus", lambda: self.compositor.focused() == title, 10)
        time.sleep(0.4)

    def click(self):
        self.compositor.seat.move_to(400, 350)
        self.compositor.seat.click()
        time.sleep(0.6)

    def alt_tab(self):
        self.compositor.seat.chord(KEY_LEFTALT, wayland_driver.ALT, KEY_TAB)
        time.sleep(0.4)


def shortcuts():
    """Alt+Tab is the compositor's, the guest's while grabbed, and the compositor's again."""
    with Session(tree=True) as session:
        session.start()
        session.alt_tab()
        assert session.compositor.focused() == "Vitrine", session.compositor.focused()
        session.focus("Box 0")
        session.click()
        assert session.state("grab", 2) == "true"
        session.guest.keys()
        session.alt_tab()
        assert session.compositor.focused() == "Box 0", "the compositor took Alt+Tab"
        codes = session.guest.keys()
        assert codes == test_input.tap(test_input.ALT, test_input.TAB), [hex(c) for c in codes]
        said = [n.get_name() or "" for n in session.tree.walk(session.tree.window("Box 0"))]
        assert any("lets go of keyboard and pointer" in text and "keeps its own" not in text
                   for text in said), said
        session.set_state("grab", "false", 2)
        # the user tells the compositor to keep its shortcuts: the window says so
        session.compositor.message('[title="Box 0"] shortcuts_inhibitor disable')
        session.click()
        session.app.wait("the true state is said", lambda: any(
            "keeps its own shortcuts" in (n.get_name() or "")
            for n in session.tree.walk(session.tree.window("Box 0"))), 10)
        session.set_state("grab", "false", 2)
        time.sleep(0.4)
        session.alt_tab()
        assert session.compositor.focused() == "Vitrine", "Alt+Tab stayed the guest's"


def pointer():
    """Locked: motion past every edge arrives, fractions add up; let go, none does."""
    with Session() as session:
        session.start()
        session.click()
        assert session.state("grab", 2) == "true"
        session.guest.motion()
        for _ in range(60):
            session.compositor.seat.move(40, -25)
            session.guest.read()
        x, y = session.guest.motion()
        assert (x, y) == (2400, -1500), (x, y)
        for _ in range(10):
            session.compositor.seat.move(0.5, 0.25)
        assert session.guest.motion() == (5, 2)
        session.compositor.seat.chord(KEY_LEFTCTRL, wayland_driver.CTRL, KEY_LEFTALT)
        time.sleep(0.4)
        assert session.state("grab", 2) == "false", "Ctrl+Alt did not let go"
        session.guest.motion()
        session.compositor.seat.move(30, 30)
        assert session.guest.motion() == (0, 0)
        # the pointer is where it was locked, not where the motion went
        session.click()
        assert session.state("grab", 2) == "true"


def wheel():
    """Parts of a step add up to whole ones, in both directions; nothing is lost."""
    with Session() as session:
        session.start()
        session.click()
        session.guest.enable_wheel()
        for _ in range(3):
            session.compositor.seat.scroll(0.25)
        assert session.guest.steps() == 0, "three quarters of a step are none"
        session.compositor.seat.scroll(0.25)
        assert session.guest.steps() == 1
        for _ in range(40):
            session.compositor.seat.scroll(0.125)
            session.guest.read()
        assert session.guest.steps() == 5
        for _ in range(16):
            session.compositor.seat.scroll(-0.375)
            session.guest.read()
        assert session.guest.steps() == -6


if __name__ == "__main__":
    if sys.argv[1:]:
        machine.main([shortcuts, pointer, wheel])
    else:
        machine.main([accessible.alone(__file__, test) for test in (shortcuts, pointer, wheel)])
