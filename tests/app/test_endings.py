#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""When things end badly or the desktop ends: a machine that cannot start or whose engine fails says
why and leaves the library and the others running; the program killed leaves every folder openable;
what stops unseen is told by a notification; sleep and logout are held off while machines run; a
window and a session close as the preferences say.
mission: ui.window"""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "guest"))
import accessible  # noqa: E402
import app_driver  # noqa: E402
import desktop_services  # noqa: E402
import machine  # noqa: E402
import test_live  # noqa: E402
import test_window  # noqa: E402

LOGOUT, SLEEP = 1, 4
QTEST = """
[qtest]
value=unix:{folder}/qtest,server=on,wait=off

[qtest-log]
value=/dev/null
"""


class Session(test_window.Session):
    """With a desktop that takes notifications and inhibitions; Box 0 listens to qtest."""

    def __init__(self, preferences=None, **keys):
        self.preferences = preferences
        super().__init__(prepare=self.prepare,
                         env={"GSETTINGS_BACKEND": "keyfile"} if preferences else None, **keys)
        folder = os.path.join(self.root, "Box 0.vitrine")
        self.qtest = os.path.join(folder, "qtest")
        with open(os.path.join(folder, "machine.conf"), "a", encoding="utf-8") as stream:
            stream.write(QTEST.format(folder=folder))

    def prepare(self, desktop):
        self.services = desktop_services.Services(desktop)
        if self.preferences:
            path = os.path.join(desktop.dir, "config", "glib-2.0", "settings")
            os.makedirs(path)
            with open(os.path.join(path, "keyfile"), "w", encoding="utf-8") as stream:
                stream.write("[org/vitrine/Vitrine]\n" + self.preferences)

    def __exit__(self, *args):
        try:
            super().__exit__(*args)
        finally:
            self.services.close()

    def start(self, name):
        self.app.action("select", name, 1)
        self.app.action("start", None, 1)
        self.app.wait(f"{name} runs", lambda: self.app.enabled("force-off", 1), 20)

    def runs(self, name):
        self.app.action("select", name, 1)
        time.sleep(0.3)
        return self.app.enabled("force-off", 1)

    def fail_engine(self):
        self.app.wait("the guest's ports", lambda: os.path.exists(self.qtest))
        test_live.Guest(self.qtest).command("x-engine-fault")

    def report(self, window=2):
        path = os.path.join(self.desktop.dir, "report.txt")
        self.app.action("save-report-to", path, window)
        self.app.wait("report", lambda: os.path.exists(path) and os.path.getsize(path))
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        os.unlink(path)
        return text

    def buttons(self, title):
        """Names of the push buttons in sight in the window TITLE."""
        return {node.get_name() for node in self.tree.walk(self.tree.window(title))
                if node.get_role_name() == "push button"}


def cannot_start():
    """A machine whose disk is gone says so over its screen, with the ways on; the others run; mended,
    it starts from there."""
    with Session(tree=True) as session:
        app = session.app
        session.start("Box 1")
        disk = os.path.join(session.root, "Box 2.vitrine", "disks", "disk.raw")
        os.unlink(disk)
        app.action("open-machine", "Box 2")
        app.wait("its window", lambda: app.window("Box 2"))
        app.wait("it failed", lambda: app.enabled("start", 2) and app.enabled("force-off", 2), 20)
        app.raise_window("Box 2")
        time.sleep(0.7)
        session.shot("cannot-start")
        assert {"Start", "Power Off", "Save Report…"} <= session.buttons("Box 2"), \
            session.buttons("Box 2")
        text = session.report()
        for wanted in ("Stopped by an error", "disk.raw", "Arguments:", "Log:"):
            assert wanted in text, (wanted, text)
        assert session.runs("Box 1")
        with open(disk, "wb") as stream:
            stream.truncate(65536)
        app.action("start", None, 2)
        app.wait("Box 2 runs", lambda: app.enabled("power-button", 2), 20)


def engine_fault():
    """An engine that cannot go on: the library knows within two seconds, the last picture stays, the
    others run on; a reset starts the machine anew, and so does switching it off and on."""
    with Session(tree=True) as session:
        app = session.app
        session.start("Box 1")
        app.action("open-machine", "Box 0")
        app.wait("its window", lambda: app.window("Box 0"))
        app.wait("it runs", lambda: app.enabled("power-button", 2), 20)
        app.raise_window("Box 0")
        before = time.monotonic()
        session.fail_engine()
        app.wait("it failed", lambda: not app.enabled("power-button", 2), 10)
        seconds = time.monotonic() - before
        assert seconds < 2 * app_driver.PATIENCE, seconds
        time.sleep(0.7)
        session.shot("engine-fault")
        assert {"Reset", "Power Off", "Save Report…"} <= session.buttons("Box 0"), \
            session.buttons("Box 0")
        text = session.report()
        for wanted in ("Stopped by an error", "a fault was injected", "Arguments:"):
            assert wanted in text, (wanted, text)
        app.raise_window("Vitrine")
        time.sleep(0.5)
        session.shot("engine-fault-library")
        assert session.runs("Box 1")
        app.action("reset", None, 2)
        app.wait("it runs again", lambda: app.enabled("power-button", 2), 20)
        session.fail_engine()
        app.wait("it failed again", lambda: not app.enabled("power-button", 2), 10)
        app.action("force-off", None, 2)
        app.wait("off", lambda: not app.enabled("force-off", 2), 20)
        app.action("start", None, 2)
        app.wait("it runs", lambda: app.enabled("power-button", 2), 20)
        assert session.runs("Box 1")


def killed():
    """kill -9 beside running machines, five times: nothing is lost, and every machine starts again."""
    with Session() as session:
        names = ["Box 0", "Box 1", "Box 2"]
        for moment in range(5):
            copied = names[moment % 3]
            for name in names:
                if name != copied:
                    session.start(name)
            session.app.action("select", copied, 1)
            session.app.action("duplicate", None, 1)
            time.sleep(moment * 0.07)
            session.app.process.send_signal(signal.SIGKILL)
            session.app.process.wait()
            session.app.start()
            session.app.wait("library again", lambda: session.app.window("Vitrine"))
            session.app.wait("its actions", lambda: session.app.enabled("search", 1))
            assert set(names) <= set(session.machines()), session.machines()
        session.app.raise_window("Vitrine")
        time.sleep(1)
        session.shot("after-kill")
        # whatever copies were under way are whole or not there
        assert len(session.machines()) > len(names), "no copy was made in time"
        for name in session.machines():
            session.start(name)


def told():
    """Sleep and logout are held off while a machine runs; its end is notified, unless looked at, and
    the notification leads to it."""
    with Session() as session:
        app = session.app
        assert session.services.inhibited() == 0
        session.start("Box 0")
        app.wait("held off", lambda: session.services.inhibited() == LOGOUT | SLEEP, 10)
        assert "Virtual machines are running" in str(session.services.calls("Inhibit"))
        session.fail_engine()
        app.wait("notified", lambda: any(
            "Box 0" in str(call) and "a fault was injected" in str(call)
            for call in session.services.calls("Notify")), 10)
        app.wait("free again", lambda: session.services.inhibited() == 0, 10)
        session.start("Box 1")
        app.wait("held off", lambda: session.services.inhibited() == LOGOUT | SLEEP, 10)
        app.action("force-off", None, 1)
        app.wait("notified", lambda: "Box 1" in str(session.services.calls("Notify")), 10)
        before = len(session.services.calls("Notify"))
        session.open("Box 2")
        app.action("force-off", None, 2)
        app.wait("off", lambda: app.enabled("start", 2), 20)
        time.sleep(1)
        assert len(session.services.calls("Notify")) == before, session.services.calls("Notify")


def unwanted():
    """Neither notifications nor staying awake where the preferences say so."""
    with Session(preferences="notifications=false\nkeep-awake=false\n") as session:
        app = session.app
        session.start("Box 1")
        app.wait("held off", lambda: session.services.inhibited() == LOGOUT, 10)
        app.action("force-off", None, 1)
        app.wait("free again", lambda: session.services.inhibited() == 0, 10)
        time.sleep(0.7)
        assert session.services.calls("Notify") == []


def closed():
    """What closing a window does, by preference; a machine that is off closes without a word."""
    for policy, state in (("keep-running", "runs"), ("power-button", "asked"), ("force-off", "off")):
        with Session(preferences=f"closing='{policy}'\n") as session:
            app = session.app
            app.action("select", "Box 1", 1)
            session.open("Box 1")
            app.action("close", None, 2)
            if state == "asked":
                # this guest does not hear its power button: the window stays and says so
                time.sleep(1)
                assert test_window.window_there(session, "Box 1") and session.runs("Box 1")
                assert "POWERDOWN" in session.report(), session.report()
                session.shot("closing-by-button")
                app.action("force-off", None, 2)
            app.wait("window gone", lambda: not test_window.window_there(session, "Box 1"), 15)
            app.wait("as chosen", lambda: session.runs("Box 1") == (state == "runs"), 15)


def logout():
    """The session's end: asked, the machines go on; ended, the program ends with its disks written,
    and its folders open the next time. Who closes by the power button has it pressed."""
    with Session() as session:
        app = session.app
        for name in ("Box 0", "Box 1"):
            session.start(name)
        session.open("Box 2")
        session.services.end_session("QueryEndSession")
        app.wait("the answer", lambda: session.services.calls("EndSessionResponse"), 10)
        time.sleep(0.5)
        assert session.runs("Box 0") and session.runs("Box 1")
        assert "POWERDOWN" not in session.report()
        session.services.end_session("EndSession")
        assert app.process.wait(20 * app_driver.PATIENCE) == 0
        app.start()
        app.wait("library again", lambda: app.window("Vitrine"))
        app.wait("its actions", lambda: app.enabled("search", 1))
        session.start("Box 0")
    with Session(preferences="closing='power-button'\n") as session:
        session.open("Box 1")
        session.services.end_session("QueryEndSession")
        session.app.wait("power button", lambda: "POWERDOWN" in session.report(), 10)


if __name__ == "__main__":
    if sys.argv[1:]:
        machine.main([cannot_start, engine_fault])
    else:
        machine.main([accessible.alone(__file__, cannot_start),
                      accessible.alone(__file__, engine_fault), killed, told, unwanted, closed,
                      logout])
