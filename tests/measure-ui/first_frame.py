# SPDX-License-Identifier: GPL-2.0-or-later
"""When a window is on the screen and when it is first painted, told by the X server itself: a
program that looks every so often measures its own interval (xdotool search --sync: half a second)."""
import ctypes
import time

SUBSTRUCTURE_NOTIFY = 1 << 19
CREATE_NOTIFY, MAP_NOTIFY = 16, 19
DAMAGE_NON_EMPTY = 3


class Watch:
    def __init__(self, display):
        self.x = ctypes.CDLL("libX11.so.6")
        self.damage = ctypes.CDLL("libXdamage.so.1")
        self.x.XOpenDisplay.restype = ctypes.c_void_p
        self.x.XDefaultRootWindow.restype = ctypes.c_ulong
        self.damage.XDamageCreate.restype = ctypes.c_ulong
        self.display = ctypes.c_void_p(self.x.XOpenDisplay(display.encode()))
        # a window that is gone before it was asked about is no fault
        handler = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        self.ignore = handler(lambda display, event: 0)
        self.x.XSetErrorHandler(self.ignore)
        first, error = ctypes.c_int(), ctypes.c_int()
        self.damage.XDamageQueryExtension(self.display, ctypes.byref(first), ctypes.byref(error))
        self.damaged = first.value
        self.x.XSelectInput(self.display, ctypes.c_ulong(self.x.XDefaultRootWindow(self.display)),
                            ctypes.c_long(SUBSTRUCTURE_NOTIFY))
        self.x.XSync(self.display, 0)

    def title(self, window):
        name = ctypes.c_char_p()
        self.x.XFetchName(self.display, ctypes.c_ulong(window), ctypes.byref(name))
        return (name.value or b"").decode("utf-8", "replace")

    def clear(self):
        self.x.XSync(self.display, 1)

    def wait(self, title, seconds=30):
        """Monotonic times at which the window TITLE was mapped and first painted."""
        event = (ctypes.c_long * 24)()
        kind = ctypes.cast(event, ctypes.POINTER(ctypes.c_int))
        mapped, wanted, end = None, None, time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.x.XPending(self.display):
                time.sleep(0.001)
                continue
            self.x.XNextEvent(self.display, event)
            now = time.monotonic()
            window = event[5 if kind[0] in (CREATE_NOTIFY, MAP_NOTIFY) else 4]
            if kind[0] == CREATE_NOTIFY:
                self.damage.XDamageCreate(self.display, ctypes.c_ulong(window), DAMAGE_NON_EMPTY)
            elif kind[0] == MAP_NOTIFY and not mapped and self.title(window) == title:
                mapped, wanted = now, window
            elif kind[0] == self.damaged and window == wanted:
                return mapped, now
        raise AssertionError(f"no window “{title}” within {seconds} s")
