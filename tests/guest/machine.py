# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine under test: vitrine-run with its serial port in a file, and QMP on a socket."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

PROGRAM = os.environ.get("VITRINE_RUN", "vitrine-run")
# A slow or busy machine: every wait is longer by this.
PATIENCE = float(os.environ.get("VITRINE_TEST_PATIENCE", "3"))
# What runs the guests where a test does not say: kvm in tests/kvm.
ACCEL = os.environ.get("VITRINE_TEST_ACCEL", "tcg")

KEYS = {" ": "spc", "\n": "ret", "-": "minus", "=": "equal", "/": "slash", ".": "dot",
        ",": "comma", ";": "semicolon", "'": "apostrophe", "[": "bracket_left",
        "]": "bracket_right", "\\": "backslash", "`": "grave_accent"}
SHIFTED = {"_": "minus", "+": "equal", "?": "slash", ">": "dot", "<": "comma", ":": "semicolon",
           '"': "apostrophe", "(": "9", ")": "0", "*": "8", "&": "7", "^": "6", "%": "5",
           "$": "4", "#": "3", "@": "2", "!": "1", "{": "bracket_left", "}": "bracket_right",
           "|": "backslash", "~": "grave_accent"}


def note(text):
    """A TAP comment."""
    print("\n".join("# " + line for line in str(text).splitlines()), flush=True)


def kill_after(process, seconds):
    """A started timer that ends PROCESS; cancel() it."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    return timer


class Failure(AssertionError):
    pass


class Machine:
    def __init__(self, *args, accel=("-accel", ACCEL), qmp=True, pass_fds=()):
        self.dir = tempfile.mkdtemp(prefix="vitrine-guest-")
        self.serial_path = os.path.join(self.dir, "serial.txt")
        self.log_path = os.path.join(self.dir, "stderr.txt")
        command = [PROGRAM, *accel, "-display", "none", *args]
        if "-serial" not in args:
            command += ["-serial", "file:" + self.serial_path]
        self.qmp_path = os.path.join(self.dir, "qmp")
        if qmp:
            command += ["-qmp", f"unix:{self.qmp_path},server=on,wait=off"]
        self.command = command
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, pass_fds=pass_fds)
        self.socket = None
        self.buffer = b""
        self.events = []

    # ---- life ----

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                if kind is None:
                    raise Failure("the machine did not end within 20 s of SIGTERM")
        if kind is None and ACCEL == "kvm" and "KVM" in self.messages():
            # what vitrine-run says when it gives up on KVM and interprets
            raise Failure("not by KVM: " + self.messages()[:500])
        if self.socket:
            self.socket.close()
        self.log.close()
        if kind is not None:
            note("command: " + " ".join(self.command))
            note("---- serial, last lines ----")
            note("\n".join(self.serial().splitlines()[-25:]))
            note("---- messages ----")
            note(self.messages()[-4000:])
        shutil.rmtree(self.dir, ignore_errors=True)

    def messages(self):
        with open(self.log_path, "rb") as stream:
            return stream.read().decode(errors="replace")

    def wait_exit(self, seconds, status=0):
        try:
            got = self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failure(f"still running after {seconds} s") from None
        if got != status:
            raise Failure(f"exit status {got}, not {status}")

    # ---- serial ----

    def serial(self):
        try:
            with open(self.serial_path, "rb") as stream:
                return stream.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def wait_serial(self, pattern, seconds):
        return self._wait(self.serial, pattern, seconds, "serial port")

    def _wait(self, source, pattern, seconds, what):
        end = time.monotonic() + seconds * PATIENCE
        while True:
            ended = self.process.poll() is not None
            match = re.search(pattern, source())
            if match:
                return match
            if ended:
                raise Failure(f"the machine ended before the {what} said {pattern!r}")
            if time.monotonic() > end:
                raise Failure(f"{pattern!r} did not appear on the {what} in {seconds} s")
            time.sleep(0.2)

    # ---- QMP ----

    def _connect(self):
        end = time.monotonic() + 20 * PATIENCE
        self.socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.socket.connect(self.qmp_path)
                break
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise Failure("QMP does not answer") from None
                time.sleep(0.1)
        self.socket.settimeout(60 * PATIENCE)
        greeting = self._read_message()
        if "QMP" not in greeting:
            raise Failure(f"not a QMP greeting: {greeting}")
        self.qmp("qmp_capabilities")

    def _read_message(self):
        while b"\n" not in self.buffer:
            chunk = self.socket.recv(65536)
            if not chunk:
                raise Failure("QMP connection closed")
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line) if line.strip() else self._read_message()

    def qmp(self, command, **arguments):
        if not self.socket:
            self._connect()
        request = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = self._read_message()
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise Failure(f"QMP {command}: {answer['error']}")
            else:
                return answer["return"]

    def hmp(self, line):
        return self.qmp("human-monitor-command", **{"command-line": line})

    # ---- keyboard and screen ----

    def key(self, names):
        self.hmp("sendkey " + names)

    def type(self, text):
        for char in text:
            if char in SHIFTED:
                self.key("shift-" + SHIFTED[char])
            elif char.isupper():
                self.key("shift-" + char.lower())
            else:
                self.key(KEYS.get(char, char))
            time.sleep(0.05)

    def screen(self, columns=80, rows=204):
        """The VGA text memory from B8000h on. Linux scrolls by moving the start of the picture, so
        all 32 KiB are read: what is shown is among it."""
        path = os.path.join(self.dir, "screen.bin")
        self.qmp("pmemsave", val=0xb8000, size=columns * rows * 2, filename=path)
        with open(path, "rb") as stream:
            cells = stream.read()
        chars = [bytes([cell]).decode("cp437") if cell >= 32 else " " for cell in cells[::2]]
        lines = ["".join(chars[row * columns:(row + 1) * columns]).rstrip() for row in range(rows)]
        return "\n".join(line for line in lines if line)

    def wait_screen(self, pattern, seconds):
        try:
            return self._wait(self.screen, pattern, seconds, "screen")
        except Failure:
            note("---- screen ----")
            if self.process.poll() is None:
                note(self.screen())
            raise

    def screendump(self, path):
        self.hmp(f"screendump {path}")
        return path


def main(tests):
    """Runs test functions (all, or those named on the command line), TAP on standard output."""
    import sys
    import traceback
    chosen = [test for test in tests if not sys.argv[1:] or test.__name__ in sys.argv[1:]]
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    for number, test in enumerate(chosen, 1):
        start = time.monotonic()
        result = "not ok"
        try:
            test()
            result = "ok"
        except Exception:  # every failure is reported, then the next test runs
            note(traceback.format_exc())
            traceback.print_exc()  # the only stream meson shows of a test that failed
        failed += result != "ok"
        print(f"{result} {number} - {test.__name__} ({time.monotonic() - start:.0f} s)", flush=True)
    sys.exit(1 if failed else 0)
