# SPDX-License-Identifier: GPL-2.0-or-later
"""The real application on a virtual display: its actions over D-Bus, its widgets' screens as
pictures, keys and clicks through the X server. Private display, session bus and XDG folders."""
import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

PATIENCE = float(os.environ.get("VITRINE_TEST_PATIENCE", "1"))
NAME = "org.vitrine.Vitrine"
PATH = "/org/vitrine/Vitrine"


LIBC = ctypes.CDLL("libc.so.6")
PR_SET_PDEATHSIG = 1


def end_with_us():
    """In a child: a test that is killed or stops half-way leaves no server behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Failure(AssertionError):
    pass


class Desktop:
    """An X server with a session bus."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="vitrine-app-")
        display = self.start_server()
        self.env = dict(os.environ, DISPLAY=display, GDK_BACKEND="x11", NO_AT_BRIDGE="1",
                        XDG_DATA_HOME=self.dir + "/data", XDG_CONFIG_HOME=self.dir + "/config",
                        XDG_CACHE_HOME=self.dir + "/cache", XDG_RUNTIME_DIR=self.dir,
                        GSETTINGS_BACKEND="memory", LC_ALL="C.UTF-8")
        self.env.pop("WAYLAND_DISPLAY", None)
        bus = subprocess.Popen(["dbus-daemon", "--session", "--print-address=1", "--nofork"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.env,
                               text=True, preexec_fn=end_with_us)
        self.bus = bus
        self.env["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()

    def start_server(self):
        """A number of our own: left to choose, a server takes the first that is free, and one that
        is just ending removes the socket of its successor."""
        for attempt in range(20):
            number = 100 + (os.getpid() + attempt * 1009) % 30000
            read, write = os.pipe()
            self.xvfb = subprocess.Popen(
                ["Xvfb", f":{number}", "-displayfd", str(write), "-screen", "0", "1280x1024x24",
                 "-nolisten", "tcp",
                 # or it starts afresh whenever its last client leaves, and drops who comes then
                 "-noreset"], pass_fds=[write], stderr=subprocess.DEVNULL, preexec_fn=end_with_us)
            os.close(write)
            with os.fdopen(read, encoding="ascii") as stream:
                if stream.readline().strip():
                    return f":{number}"
            self.xvfb.wait()
        raise Failure("no X server starts here")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in (self.bus, self.xvfb):
            process.terminate()
            process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def run(self, *command):
        return subprocess.run(command, check=True, env=self.env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True).stdout

    def screenshot(self, path):
        self.run("import", "-window", "root", path)

    def pixel(self, x, y):
        """0xRRGGBB of a point of the screen."""
        text = self.run("import", "-window", "root", "-crop", f"1x1+{x}+{y}", "-depth", "8",
                        "txt:-")
        return int(re.search(r"#([0-9A-Fa-f]{6})", text).group(1), 16)


class Application:
    def __init__(self, desktop, program, *args, env=None):
        self.desktop = desktop
        # complaints that are not ours: no notification server is part of the test's desktop
        self.known = ["org.freedesktop.Notifications"]
        self.log = open(os.path.join(desktop.dir, "app.log"), "a+", encoding="utf-8")
        self.command, self.env = [program, *args], env or {}
        self.start()

    def start(self):
        """Again, where it has ended."""
        self.process = subprocess.Popen(self.command, env={**self.desktop.env, **self.env},
                                        stdout=self.log, stderr=self.log, preexec_fn=end_with_us)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.log.seek(0)
        text = self.log.read()
        self.log.close()
        bad = [line for line in text.splitlines()
               if ("CRITICAL" in line or "WARNING **" in line) and
               not any(word in line for word in self.known)]
        if kind is not None:
            print(text[-3000:])
        elif bad:
            raise Failure("the application complained: " + bad[0])

    def wait(self, what, check, seconds=30):
        end = time.monotonic() + seconds * PATIENCE
        while True:
            try:
                value = check()
            except (subprocess.CalledProcessError, AttributeError, IndexError):
                value = None
            if value:
                return value
            if self.process.poll() is not None:
                raise Failure(f"the application ended ({self.process.returncode}): {what}")
            if time.monotonic() > end:
                raise Failure(f"not within {seconds} s: {what}")
            time.sleep(0.3)

    def call(self, path, method, *args):
        return self.desktop.run("gdbus", "call", "--session", "--dest", NAME, "--object-path", path,
                                "--method", method, *args)

    def action(self, name, target=None, window=None):
        path = f"{PATH}/window/{window}" if window else PATH
        parameter = f"[<'{target}'>]" if target is not None else "[]"
        self.call(path, "org.gtk.Actions.Activate", name, parameter, "{}")

    def enabled(self, name, window):
        text = self.call(f"{PATH}/window/{window}", "org.gtk.Actions.Describe", name)
        return "((true," in text

    def window(self, title):
        """X id of the window with this title."""
        return self.desktop.run("xdotool", "search", "--name", f"^{title}$").split()[-1]

    def raise_window(self, title):
        window = self.window(title)
        self.desktop.run("xdotool", "windowmove", window, "0", "0")
        self.desktop.run("xdotool", "windowraise", window, "windowfocus", window)
        return window
