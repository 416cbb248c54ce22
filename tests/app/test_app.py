#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The application as a person uses it: library, demo machine, a machine from an ISO, an error, keys
and clicks, screenshots; and that cairo and GL show the same pixels."""
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "guest"))
import app_driver  # noqa: E402
import machine  # noqa: E402

PROGRAM = os.environ["VITRINE"]
DEMO = os.environ["VITRINE_DEMO"]
GRUB_CD = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso"
BARS = [0xffffff, 0xffff00, 0x00ffff, 0x00ff00, 0xff00ff, 0xff0000, 0x0000ff, 0x000000]
SHOTS = os.environ.get("VITRINE_SCREENSHOTS")


def shot(desktop, name):
    if SHOTS:
        os.makedirs(SHOTS, exist_ok=True)
        desktop.screenshot(os.path.join(SHOTS, name + ".png"))


def png_pixels(path):
    """(width, height, bytes of RGB)"""
    size = subprocess.run(["identify", "-format", "%w %h", path], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.split()
    data = subprocess.run(["convert", path, "-depth", "8", "rgb:-"], check=True,
                          stdout=subprocess.PIPE).stdout
    return int(size[0]), int(size[1]), data


def guest_screenshot(app, window, folder, name="guest.png"):
    path = os.path.join(folder, name)
    app.action("screenshot-to", path, window)
    app.wait("screenshot file", lambda: os.path.exists(path) and os.path.getsize(path) > 0)
    time.sleep(0.3)
    return path


def wait_picture(app, folder, what, check, seconds=20):
    """Until CHECK, which is given a function of x and y, likes the guest's own picture."""
    count = [0]

    def look():
        count[0] += 1
        path = guest_screenshot(app, 2, folder, f"wait{count[0]}.png")
        width, height, data = png_pixels(path)
        os.unlink(path)

        def pixel(x, y):
            at = (y * width + x) * 3
            return int.from_bytes(data[at:at + 3], "big") if x < width and y < height else None
        return check(pixel)
    app.wait(what, look, seconds)


def wait_bars(app, folder):
    wait_picture(app, folder, "colour bars", lambda pixel: pixel(50, 20) == BARS[0], 60)


def demo_painted_by(painter):
    with app_driver.Desktop() as desktop, tempfile.TemporaryDirectory() as folder:
        env = {"VITRINE_PAINTER": painter, "VITRINE_DEMO": DEMO}
        with app_driver.Application(desktop, PROGRAM, env=env) as app:
            app.wait("library window", lambda: app.window("Vitrine"))
            shot(desktop, f"library-{painter}")
            app.action("open-machine", "Demo")
            app.wait("machine window", lambda: app.window("Demo"))
            app.wait("running", lambda: app.enabled("power-button", 2))
            wait_bars(app, folder)
            # one guest pixel per device pixel: the window's pixels are the guest's
            app.call(f"{app_driver.PATH}/window/2", "org.gtk.Actions.SetState", "scale-mode",
                     "<'one'>", "{}")
            app.raise_window("Demo")
            desktop.run("xdotool", "windowsize", app.window("Demo"), "900", "800")
            offset, guest = app.wait("the guest's picture on the screen, pixel by pixel",
                                     lambda: look_for_guest(app, desktop, folder), 20)
            shot(desktop, f"demo-{painter}")
            # typed keys reach the guest
            desktop.run("xdotool", "mousemove", str(offset[0] + 300), str(offset[1] + 500), "click",
                        "1")
            time.sleep(0.5)
            desktop.run("xdotool", "type", "--delay", "100", "hello")
            wait_picture(app, folder, "typed text", lambda pixel: any(
                pixel(x, 256 + 8) == 0xf0f0f0 for x in range(200, 240)))
            # a click turns the button's square red
            desktop.run("xdotool", "mousedown", "1")
            wait_picture(app, folder, "a red square", lambda pixel: pixel(765, 565) == 0xf66151)
            desktop.run("xdotool", "mouseup", "1")
            shot(desktop, f"demo-used-{painter}")
            # Ctrl+Alt lets go, then Escape's meaning is still the guest's: it powers off
            desktop.run("xdotool", "key", "ctrl+alt")
            app.action("send-keys", "esc", 2)
            app.wait("off", lambda: app.enabled("start", 2), 30)
            return guest


def look_for_guest(app, desktop, folder):
    """Where the guest's picture lies on the screen, and the picture; None."""
    whole = os.path.join(folder, "root.png")
    desktop.screenshot(whole)
    path = guest_screenshot(app, 2, folder)
    guest = png_pixels(path)
    os.unlink(path)
    offset = find_picture(png_pixels(whole), guest)
    return offset and (offset, guest)


def find_picture(root, guest):
    """Where GUEST lies in ROOT, by its colour bars and text rows; None."""
    root_width, root_height, root_data = root
    width, height, data = guest
    first = data[:width * 3]
    for y in range(root_height - height):
        start = y * root_width * 3
        x3 = root_data.find(first, start, start + root_width * 3)
        if x3 < 0 or (x3 - start) % 3:
            continue
        x = (x3 - start) // 3
        # clock and pointer lines may differ between two pictures; all others must not
        rows = [r for r in range(height) if not 160 <= r < 210 and not 295 <= r < 320]
        if all(root_data[((y + r) * root_width + x) * 3:((y + r) * root_width + x + width) * 3] ==
               data[r * width * 3:(r + 1) * width * 3] for r in rows):
            return x, y
    return None


def demo_cairo():
    demo_painted_by("cairo")


def demo_gl():
    demo_painted_by("gl")


def iso_and_error():
    """A new machine from an ISO through the dialog; GRUB in its window; an error shown."""
    with app_driver.Desktop() as desktop, tempfile.TemporaryDirectory() as folder:
        with app_driver.Application(desktop, PROGRAM, GRUB_CD,
                                    env={"VITRINE_PAINTER": "cairo", "VITRINE_DEMO": DEMO}) as app:
            app.wait("dialog", lambda: app.window("New Machine"))
            time.sleep(2)
            shot(desktop, "new-machine")
            window = app.window("New Machine")
            desktop.run("xdotool", "windowfocus", window)
            desktop.run("xdotool", "key", "--window", window, "alt+r")
            folders = os.path.join(desktop.dir, "data", "vitrine", "machines")
            app.wait("machine folder", lambda: [name for name in os.listdir(folders)
                                                if name.endswith(".vitrine")])
            made = [name for name in os.listdir(folders) if name.endswith(".vitrine")][0]
            with open(os.path.join(folders, made, "machine.conf"), encoding="utf-8") as stream:
                assert GRUB_CD in stream.read()
            title = made[:-len(".vitrine")]
            app.wait("machine window", lambda: app.window(title))
            app.wait("running", lambda: app.enabled("power-button", 2), 30)
            time.sleep(15 * app_driver.PATIENCE)
            path = guest_screenshot(app, 2, folder)
            width, height, data = png_pixels(path)
            assert (width, height) in ((720, 400), (640, 480), (640, 400)), (width, height)
            assert len(set(data[i:i + 3] for i in range(0, len(data), 2))) > 1, "blank screen"
            shot(desktop, "grub")
            app.action("force-off", None, 2)
            app.wait("off", lambda: app.enabled("start", 2), 30)
            # its disk goes away: starting it says so in the window
            os.unlink(os.path.join(folders, made, "disks", "disk.raw"))
            app.action("start", None, 2)
            app.wait("failed", lambda: app.enabled("force-off", 2) and app.enabled("start", 2), 30)
            shot(desktop, "error")


if __name__ == "__main__":
    machine.main([demo_cairo, demo_gl, iso_and_error])
