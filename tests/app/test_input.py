#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys and pointer from the desktop to the guest, under a window manager on X11: what the guest's
keyboard and mouse send is read from their ports. Keys of the window manager reach the guest while
grabbed, host keys and the release key do not; nothing stays down; locks follow; motion is not lost at
the edges; the bar of full screen.
mission: ui.keys display.gtk ui.window"""
import os
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
guest=Box 0

[m]
size=16M

[accel]
accel=qtest

[qtest]
value=unix:{folder}/qtest,server=on,wait=off

[qtest-log]
value=/dev/null
{more}"""
PREFERENCES = """[org/vitrine/Vitrine]
release-key='scroll-lock'
host-keys=['<Primary><Shift>F9']
"""
ALT, TAB, SUPER, CAPS, NUM = 0x38, 0x0f, 0x5b, 0x3a, 0x45


class Ps2(test_live.Guest):
    """The keyboard controller, with nobody else reading it."""

    def __init__(self, path):
        super().__init__(path)
        self.outb(0x64, 0x60)
        self.outb(0x60, 0x40)  # scan codes of set 1, no interrupts
        self.mouse, self.codes = [], []
        self.outb(0x64, 0xd4)
        self.outb(0x60, 0xf4)  # the mouse reports
        self.read()
        self.mouse, self.codes = [], []

    def read(self):
        """Takes what waits."""
        while True:
            status = self.inb(0x64)
            if not status & 1:
                return
            (self.mouse if status & 0x20 else self.codes).append(self.inb(0x60))
            self.command("clock_step 5000000")

    def settle(self, seconds=0.6):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read()
            time.sleep(0.02)

    def keys(self):
        """Scan codes since the last question, without their E0."""
        self.settle()
        codes, self.codes = [code for code in self.codes if code != 0xe0], []
        return codes

    def motion(self):
        """Sum of the mouse's motion since the last question."""
        self.settle()
        data, self.mouse = self.mouse, []
        x = y = 0
        for flags, dx, dy in zip(data[0::3], data[1::3], data[2::3]):
            x += dx - (0x100 if flags & 0x10 else 0)
            y -= dy - (0x100 if flags & 0x20 else 0)
        return x, y

    def mouse_command(self, *data):
        for byte in data:
            self.outb(0x64, 0xd4)
            self.outb(0x60, byte)
            self.read()

    def enable_wheel(self):
        self.mouse_command(0xf3, 200, 0xf3, 100, 0xf3, 80)
        self.mouse = []

    def steps(self):
        """Of the wheel since the last question, once it is enabled."""
        self.settle()
        data, self.mouse = self.mouse, []
        return sum(step - (0x100 if step & 0x80 else 0) for step in data[3::4])

    def set_leds(self, bits):
        for byte in (0xed, bits):
            self.outb(0x60, byte)
            self.settle(0.2)
        self.codes = []


def tap(*codes):
    """Down in order, up in reverse."""
    return list(codes) + [code | 0x80 for code in reversed(codes)]


def chord(*codes):
    """As xdotool presses several: up in the order they went down."""
    return list(codes) + [code | 0x80 for code in codes]


class Session(test_window.Session):
    def __init__(self, more="", env=None, prepare=None):
        super().__init__(machines=1, env=env, prepare=prepare)
        folder = os.path.join(self.root, "Box 0.vitrine")
        self.path = os.path.join(folder, "qtest")
        with open(os.path.join(folder, "machine.conf"), "w", encoding="utf-8") as stream:
            stream.write(CONF.format(folder=folder, more=more))
        self.manager = subprocess.Popen(["openbox", "--sm-disable"], env=self.desktop.env,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.7)

    def __exit__(self, *args):
        try:
            super().__exit__(*args)
        finally:
            self.manager.terminate()
            self.manager.wait()

    def start(self):
        self.app.action("open-machine", "Box 0")
        self.app.wait("machine window", lambda: self.app.window("Box 0"))
        self.app.wait("running", lambda: self.app.enabled("power-button", 2), 30)
        self.focus("Box 0")
        self.app.wait("the guest's ports", lambda: os.path.exists(self.path))
        self.guest = Ps2(self.path)

    def focus(self, title):
        window = test_window.visible(self, title)
        self.desktop.run("xdotool", "windowactivate", "--sync", window)
        time.sleep(0.5)
        return window

    def active(self):
        return self.desktop.run("xdotool", "getactivewindow", "getwindowname").strip()

    def click(self):
        """Into the middle of the screen."""
        window = test_window.visible(self, "Box 0")
        self.desktop.run("xdotool", "mousemove", "--window", window, "400", "350", "click", "1")
        time.sleep(0.5)


def manager_keys():
    """Alt+Tab and Super+D are the window manager's until the guest has the keyboard."""
    with Session() as session:
        session.start()
        assert session.active() == "Box 0"
        session.key("alt+Tab")
        session.app.wait("Alt+Tab to the library", lambda: session.active() == "Vitrine")
        session.focus("Box 0")
        session.guest.keys()
        session.click()
        assert session.state("grab", 2) == "true"
        session.guest.keys()
        session.key("alt+Tab")
        assert session.active() == "Box 0", "the window manager took Alt+Tab"
        codes = session.guest.keys()
        assert codes == chord(ALT, TAB), [hex(code) for code in codes]
        session.key("super+d")
        codes = session.guest.keys()
        assert codes == chord(SUPER, 0x20), [hex(code) for code in codes]
        session.shot("input-grabbed")
        session.key("ctrl+alt")
        assert session.state("grab", 2) == "false"
        session.guest.keys()
        session.key("alt+Tab")
        session.app.wait("Alt+Tab is the manager's again", lambda: session.active() == "Vitrine")
        # nothing is down in the guest now: as many up as down
        codes = session.guest.keys()
        down = [code for code in codes if code < 0x80]
        assert sorted(down) == sorted(code & 0x7f for code in codes if code >= 0x80), codes


def nothing_sticks():
    """Keys that are down when the focus or the grab goes come up in the guest; their release, which
    nobody sees there, is not sent twice."""
    with Session() as session:
        session.start()
        session.guest.keys()
        session.desktop.run("xdotool", "keydown", "Shift_L", "keydown", "a")
        codes = session.guest.keys()
        assert codes[:2] == [0x2a, 0x1e], codes
        session.focus("Vitrine")
        codes = session.guest.keys()
        assert {0xaa, 0x9e} <= set(codes), [hex(code) for code in codes]
        session.desktop.run("xdotool", "keyup", "a", "keyup", "Shift_L")
        assert session.guest.keys() == []
        session.focus("Box 0")
        session.click()
        session.guest.keys()
        session.desktop.run("xdotool", "keydown", "b")
        assert session.guest.keys()[:1] == [0x30]
        session.set_state("grab", "false", 2)
        assert 0xb0 in session.guest.keys()
        # it goes on repeating for the focus; at the end it is up
        session.desktop.run("xdotool", "keyup", "b")
        assert session.guest.keys()[-1:] in ([], [0xb0])


def locks():
    """Caps Lock and Num Lock changed elsewhere are made the same when the focus comes."""
    with Session() as session:
        session.start()
        session.focus("Box 0")
        session.guest.set_leds(0)
        session.focus("Vitrine")
        session.guest.keys()
        session.key("Caps_Lock")
        session.focus("Box 0")
        codes = session.guest.keys()
        assert codes == tap(CAPS), [hex(code) for code in codes]
        session.guest.set_leds(4)  # as a guest answers
        session.focus("Vitrine")
        session.focus("Box 0")
        assert session.guest.keys() == [], "the locks agreed"
        session.focus("Vitrine")
        session.key("Num_Lock")
        session.focus("Box 0")
        codes = session.guest.keys()
        assert codes == tap(NUM), [hex(code) for code in codes]
        session.key("Caps_Lock")


def typing():
    """Text becomes the keys of the layout -k names: the clipboard's, with AltGr and Shift."""
    with Session(more="\n[k]\nvalue=de\n") as session:
        session.start()
        session.guest.keys()
        copy = subprocess.Popen(["xclip", "-selection", "clipboard", "-loops", "0"],
                                stdin=subprocess.PIPE, env=session.desktop.env)
        copy.communicate("zÄ@".encode())
        session.app.action("type-clipboard", None, 2)
        time.sleep(0.5)
        codes = session.guest.keys()
        wanted = tap(0x15) + tap(0x2a, 0x28) + tap(0x38, 0x10)
        assert codes == wanted, [hex(code) for code in codes]
        # what no key types is said, and nothing is typed
        session.app.action("type-text", "字", 2)
        assert session.guest.keys() == []
        session.shot("input-cannot-type")


def place(session):
    """The pointer's, on the screen."""
    return session.desktop.run("xdotool", "getmouselocation").split()[:2]


def pointer():
    """Relative motion goes on past the edges of the screen, and all of it arrives; let go, the pointer
    is where it was."""
    with Session() as session:
        session.start()
        session.click()
        assert session.state("grab", 2) == "true"
        home = place(session)
        session.guest.motion()
        total = 0
        for _ in range(60):
            session.desktop.run("xdotool", "mousemove_relative", "--", "40", "-25")
            total += 1
            session.guest.read()
        time.sleep(0.3)
        x, y = session.guest.motion()
        assert (x, y) == (40 * total, -25 * total), (x, y, total)
        session.key("ctrl+alt")
        assert place(session) == home, (place(session), home)
        session.guest.motion()
        session.desktop.run("xdotool", "mousemove_relative", "--", "-30", "10")
        assert session.guest.motion() == (0, 0), "the guest got motion without the grab"


def wheel():
    """Each step of the wheel is one of the guest's."""
    with Session() as session:
        session.start()
        session.click()
        session.guest.enable_wheel()
        for _ in range(7):
            session.desktop.run("xdotool", "click", "5")
            session.guest.read()
        assert session.guest.steps() == 7
        for _ in range(3):
            session.desktop.run("xdotool", "click", "4")
            session.guest.read()
        assert session.guest.steps() == -3


def stolen():
    """Another program takes the focus in spite of the grab: it has the keyboard, nothing stays down
    in the guest, and the window says that it has let go."""
    with Session() as session:
        session.start()
        other = subprocess.Popen(["xev", "-name", "Other", "-event", "keyboard"],
                                 env=session.desktop.env, stdout=subprocess.PIPE, text=True,
                                 preexec_fn=app_driver.end_with_us)
        session.app.wait("the other window", lambda: session.app.window("Other"))
        session.focus("Box 0")
        session.click()
        assert session.state("grab", 2) == "true"
        session.guest.keys()
        session.desktop.run("xdotool", "keydown", "a")
        assert session.guest.keys()[:1] == [0x1e]
        session.desktop.run("xdotool", "windowfocus", test_window.visible(session, "Other"))
        session.app.wait("let go", lambda: session.state("grab", 2) == "false", 10)
        session.desktop.run("xdotool", "keyup", "a")
        assert 0x9e in session.guest.keys(), "the key stays down in the guest"
        home = place(session)
        session.desktop.run("xdotool", "mousemove_relative", "--", "30", "10", "key", "b")
        assert session.guest.keys() == [] and session.guest.motion() == (0, 0)
        assert place(session) != home
        other.terminate()
        text = other.communicate()[0]
        assert "keysym 0x62, b" in text, text[-500:]
        # and back
        session.focus("Box 0")
        session.click()
        assert session.state("grab", 2) == "true"


def full_screen():
    """The bar comes at the upper edge and goes again; all of the screen is the guest's."""
    with Session() as session:
        session.start()
        session.focus("Box 0")
        session.key("ctrl+alt+f")
        session.app.wait("full screen", lambda: test_window.window_size(session, "Box 0") ==
                         (1280, 1024), 10)
        session.desktop.run("xdotool", "mousemove", "640", "600")
        time.sleep(1.5)
        black = session.desktop.pixel(640, 12)
        session.shot("full-screen-guest")
        assert black == 0, hex(black)
        session.desktop.run("xdotool", "mousemove", "640", "300", "mousemove", "641", "1",
                            "mousemove", "640", "0")
        session.app.wait("the bar", lambda: session.desktop.pixel(640, 12) != 0, 5)
        time.sleep(0.5)
        session.shot("full-screen-bar")
        session.desktop.run("xdotool", "mousemove", "640", "500", "mousemove", "640", "501")
        session.app.wait("no bar", lambda: session.desktop.pixel(640, 12) == 0, 5)
        session.key("ctrl+alt+f")
        session.app.wait("a window again", lambda: test_window.window_size(session, "Box 0") !=
                         (1280, 1024), 10)


def chosen_keys():
    """Another release key; an accelerator that always stays with the host."""
    with Session(env={"GSETTINGS_BACKEND": "keyfile"}, prepare=write_preferences) as session:
        session.start()
        session.click()
        assert session.state("grab", 2) == "true"
        session.guest.keys()
        session.key("ctrl+alt")
        assert session.state("grab", 2) == "true", "Ctrl+Alt is not the release key"
        codes = session.guest.keys()
        assert codes == chord(0x1d, 0x38), [hex(code) for code in codes]
        session.key("ctrl+shift+F9")
        codes = session.guest.keys()
        assert 0x43 not in codes, "the host's key went to the guest"
        session.app.action("send-keys", "ctrl-alt-f2", 2)
        codes = session.guest.keys()
        assert codes == tap(0x1d, 0x38, 0x3c), [hex(code) for code in codes]
        session.key("Scroll_Lock")
        assert session.state("grab", 2) == "false", "Scroll Lock did not release"


def write_preferences(desktop):
    path = os.path.join(desktop.dir, "config", "glib-2.0", "settings")
    os.makedirs(path)
    with open(os.path.join(path, "keyfile"), "w", encoding="utf-8") as stream:
        stream.write(PREFERENCES)


if __name__ == "__main__":
    machine.main([manager_keys, nothing_sticks, locks, typing, pointer, wheel, stolen,
                  full_screen, chosen_keys])
