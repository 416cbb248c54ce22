# SPDX-License-Identifier: GPL-2.0-or-later
"""A Wayland compositor without hardware (sway) and its seat: a virtual pointer and keyboard, spoken
in the protocol itself, so that what they do is exact. sway does not run as root: it is given to
nobody then."""
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time

CONFIG = """
bindsym Mod4+d exec true
bindsym Mod1+Tab focus next
seat * pointer_constraint enable
output HEADLESS-1 resolution 1280x1024
default_border none
for_window [app_id=".*"] floating enable, move position 0 0
"""
KEYMAP = b"""xkb_keymap {
xkb_keycodes { include "evdev" };
xkb_types { include "complete" };
xkb_compat { include "complete" };
xkb_symbols { include "pc+us+inet(evdev)" };
};\0"""
NOBODY = 65534
SHIFT, CTRL, ALT, SUPER = 1, 4, 8, 64


class Seat:
    """zwlr_virtual_pointer_v1 and zwp_virtual_keyboard_v1."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.unused = 2
        self.globals = {}
        self.registry = self.new_id()
        self.send(1, 1, struct.pack("<I", self.registry))
        self.roundtrip()
        pointers = self.bind("zwlr_virtual_pointer_manager_v1")
        keyboards = self.bind("zwp_virtual_keyboard_manager_v1")
        seat = self.bind("wl_seat")
        self.pointer = self.new_id()
        self.send(pointers, 0, struct.pack("<II", seat, self.pointer))
        self.keyboard = self.new_id()
        self.send(keyboards, 0, struct.pack("<II", seat, self.keyboard))
        with tempfile.TemporaryFile() as keymap:
            keymap.write(KEYMAP)
            keymap.flush()
            self.send(self.keyboard, 0, struct.pack("<II", 1, len(KEYMAP)), [keymap.fileno()])
            self.roundtrip()

    def new_id(self):
        self.unused += 1
        return self.unused - 1

    def send(self, target, opcode, data=b"", fds=()):
        head = struct.pack("<II", target, (8 + len(data)) << 16 | opcode)
        socket.send_fds(self.socket, [head + data], fds)

    def bind(self, interface):
        text = interface.encode() + b"\0"
        new = self.new_id()
        self.send(self.registry, 0, struct.pack("<II", self.globals[interface], len(text)) + text +
                  bytes(-len(text) % 4) + struct.pack("<II", 1, new))
        return new

    def roundtrip(self):
        callback = self.new_id()
        self.send(1, 0, struct.pack("<I", callback))
        while True:
            target, word = struct.unpack("<II", self.socket.recv(8, socket.MSG_WAITALL))
            length = (word >> 16) - 8
            body = self.socket.recv(length, socket.MSG_WAITALL) if length else b""
            assert target != 1 or word & 0xffff, f"the compositor complains: {body}"
            if target == self.registry:
                name, length = struct.unpack_from("<II", body)
                self.globals[body[8:7 + length].decode()] = name
            if target == callback:
                return

    def now(self):
        return int(time.monotonic() * 1000) & 0xffffffff

    def frame(self):
        self.send(self.pointer, 4)
        self.roundtrip()

    def move(self, dx, dy):
        self.send(self.pointer, 0, struct.pack("<Iii", self.now(), int(dx * 256), int(dy * 256)))
        self.frame()

    def move_to(self, x, y):
        self.send(self.pointer, 1, struct.pack("<IIIII", self.now(), x, y, 1280, 1024))
        self.frame()

    def scroll(self, steps):
        """Parts of a step as touchpads send them, downwards."""
        self.send(self.pointer, 3, struct.pack("<IIi", self.now(), 0, int(steps * 10 * 256)))
        self.frame()

    def click(self):
        for state in (1, 0):
            self.send(self.pointer, 2, struct.pack("<III", self.now(), 0x110, state))
            self.frame()

    def chord(self, modifier_key, modifiers, key):
        """KEY with a modifier, as Linux codes."""
        for code, state, held in ((modifier_key, 1, modifiers), (key, 1, modifiers),
                                  (key, 0, modifiers), (modifier_key, 0, 0)):
            self.send(self.keyboard, 1, struct.pack("<III", self.now(), code, state))
            self.send(self.keyboard, 2, struct.pack("<IIII", held, 0, 0, 0))
            self.roundtrip()
            time.sleep(0.05)


class Compositor:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="vitrine-sway-")
        with open(os.path.join(self.dir, "config"), "w", encoding="utf-8") as stream:
            stream.write(CONFIG)
        command = ["sway", "-c", os.path.join(self.dir, "config")]
        if os.getuid() == 0:
            for path in (self.dir, os.path.join(self.dir, "config")):
                os.chown(path, NOBODY, NOBODY)
            command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                       *command]
        env = dict(os.environ, XDG_RUNTIME_DIR=self.dir, HOME=self.dir, WLR_BACKENDS="headless",
                   WLR_LIBINPUT_NO_DEVICES="1", WLR_RENDERER="pixman")
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "SWAYSOCK"):
            env.pop(name, None)
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not self.find("wayland-", ".lock") or not self.find("sway-ipc", ".x"):
            assert time.monotonic() < end and self.process.poll() is None, "sway does not start"
            time.sleep(0.2)
        self.path = self.find("wayland-", ".lock")
        self.seat = Seat(self.path)

    def find(self, prefix, but):
        for name in os.listdir(self.dir):
            if name.startswith(prefix) and not name.endswith(but):
                return os.path.join(self.dir, name)
        return None

    def message(self, *words):
        return subprocess.run(["swaymsg", "-s", self.find("sway-ipc", ".x"), *words], check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    def windows(self):
        """Titles, and the title that has the focus."""
        found, focused = [], None

        def walk(node):
            nonlocal focused
            if node.get("app_id"):
                found.append(node["name"])
                focused = node["name"] if node["focused"] else focused
            for child in node["nodes"] + node["floating_nodes"]:
                walk(child)
        walk(json.loads(self.message("-t", "get_tree")))
        return found, focused

    def focused(self):
        return self.windows()[1]

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
