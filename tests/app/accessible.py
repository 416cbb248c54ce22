# SPDX-License-Identifier: GPL-2.0-or-later
"""The application as assistive technology sees it: find controls by role and name, press, read and
write them. Made after an app_driver.Desktop, whose bus it uses."""
import faulthandler
import os
import subprocess
import sys
import time

if __name__ != "__main__":
    try:
        import gi
    except ImportError:  # another interpreter is first in the path
        if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
            os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv)
        raise

ENVIRONMENT = ("DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_DATA_HOME",
               "XDG_CONFIG_HOME", "XDG_CACHE_HOME")


def alone(path, test, seconds=60):
    """Runs TEST of the file PATH in a process of its own: a process is connected to one
    accessibility bus for good."""
    def run():
        limit = seconds * float(os.environ.get("VITRINE_TEST_PATIENCE", "1"))
        result = subprocess.run([sys.executable, path, test.__name__], timeout=limit + 20,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env=dict(os.environ, VITRINE_TEST_LIMIT=str(limit)), check=False)
        print("".join(line + "\n" for line in result.stdout.splitlines() if line[:2] == "# "),
              end="", flush=True)
        assert result.returncode == 0, result.stdout[-3000:]
    run.__name__ = test.__name__
    return run


if "VITRINE_TEST_LIMIT" in os.environ:
    # what takes too long says where it stands
    faulthandler.dump_traceback_later(float(os.environ["VITRINE_TEST_LIMIT"]), exit=True)


class Tree:
    def __init__(self, desktop):
        for name in ENVIRONMENT:
            os.environ[name] = desktop.env[name]
        os.environ.pop("NO_AT_BRIDGE", None)
        desktop.env.pop("NO_AT_BRIDGE", None)
        gi.require_version("Atspi", "2.0")
        from gi.repository import Atspi
        self.atspi = Atspi
        Atspi.init()

    def application(self, name="vitrine"):
        desktop = self.atspi.get_desktop(0)
        for i in range(desktop.get_child_count()):
            child = desktop.get_child_at_index(i)
            if child and name in (child.get_name() or "").lower():
                return child
        return None

    def walk(self, node, showing=True):
        """All accessibles below NODE that are on the screen, unless SHOWING is false."""
        try:
            count = node.get_child_count()
        except Exception:  # it went away meanwhile
            return
        for i in range(count):
            try:
                child = node.get_child_at_index(i)
                if child is None:
                    continue
                if showing and not self.has(child, "SHOWING"):
                    continue
            except Exception:
                continue
            yield child
            yield from self.walk(child, showing)

    def has(self, node, state):
        return node.get_state_set().contains(getattr(self.atspi.StateType, state))

    def find(self, name, role=None, root=None, showing=True):
        root = root or self.application()
        for node in self.walk(root, showing) if root else ():
            if node.get_name() == name and (role is None or node.get_role_name() == role):
                return node
        return None

    def find_near(self, name, role, root):
        """Level by level: for containers, whose contents take many questions to walk through."""
        level = [root]
        while level:
            below = []
            for node in level:
                try:
                    children = [node.get_child_at_index(i) for i in range(node.get_child_count())]
                    shown = [child for child in children if child and self.has(child, "SHOWING")]
                    for child in shown:
                        if child.get_role_name() == role and child.get_name() == name:
                            return child
                except Exception:  # it went away meanwhile
                    continue
                below += shown
            level = below
        return None

    def window(self, title):
        application = self.application()
        for i in range(application.get_child_count() if application else 0):
            child = application.get_child_at_index(i)
            if child and child.get_name() == title:
                return child
        return None

    def wait(self, name, role=None, seconds=20, root=None):
        end = time.monotonic() + seconds * float(os.environ.get("VITRINE_TEST_PATIENCE", "1"))
        while time.monotonic() < end:
            node = self.find(name, role, root() if callable(root) else root)
            if node:
                return node
            time.sleep(0.2)
        raise AssertionError(f"no {role or 'control'} called “{name}”")

    def press(self, node):
        assert self.atspi.Action.get_n_actions(node), f"“{node.get_name()}” cannot be pressed"
        self.atspi.Action.do_action(node, 0)

    def centre(self, node):
        """Middle of NODE on the screen, as words for xdotool."""
        place = self.atspi.Component.get_extents(node, self.atspi.CoordType.SCREEN)
        return str(place.x + place.width // 2), str(place.y + place.height // 2)

    def focus(self, node):
        self.atspi.Component.grab_focus(node)

    def text(self, node):
        return self.atspi.Text.get_text(node, 0, -1)

    def type(self, node, text):
        self.atspi.EditableText.set_text_contents(node, text)

    def focused(self, root):
        for node in self.walk(root):
            if self.has(node, "FOCUSED"):
                return node
        return None
