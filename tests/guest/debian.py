# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian 12 on a disk: the image, made once by debootstrap and kept in the cache, and a console to
log in on. Making it needs root, debootstrap and a mirror that apt knows."""
import glob
import os
import re
import shutil
import socket
import subprocess
import threading
import time

import assets
import machine
from machine import Failure, PATIENCE, note

# Raise it when the recipe changes: the old image is then left alone and a new one made.
RECIPE = 1
SIZE = "6G"
PACKAGES = """systemd-sysv udev dbus login linux-image-amd64 initramfs-tools kmod procps iproute2
apt-utils xz-utils gcc libc6-dev python3 libpython3.11-testsuite perl openssl stress-ng nodejs
openjdk-17-jdk-headless""".split()
FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "debian")
PROMPT = "vitrine-prompt> "
# On a busy host the kernel may lose the CPU between starting the PIT and looking at the TSC; it then
# believes the PIT, its clock runs many times too fast and every timeout comes too early.
# The same when it tries the timer: it waits for four ticks during 1.6 * 10^8 cycles of the TSC, of which it may
# get none, and panics ("IO-APIC + timer doesn't work").
KNOWN_TSC = "tsc_early_khz=1000000 no_timer_check"


def mirror():
    """Where this host gets Debian 12 from."""
    try:
        text = assets.run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Codename: bookworm")
    except (OSError, subprocess.CalledProcessError):
        text = ""
    return (re.findall(r"^https?://\S+", text, re.M) or ["http://deb.debian.org/debian"])[0]


def configure(root):
    def write(name, text):
        with open(os.path.join(root, name), "w", encoding="ascii") as stream:
            stream.write(text)

    write("etc/hostname", "vitrine-guest\n")
    write("etc/fstab", "/dev/disk/by-label/vitrine / ext4 defaults 0 1\n")
    assets.run("chroot", root, "passwd", "-d", "root")
    for path in glob.glob(root + "/var/cache/apt/archives/*.deb") + [root + "/etc/resolv.conf"]:
        os.unlink(path)


def image():
    """(disk, kernel, initrd): read-only, for overlays."""
    folder = os.path.join(assets.CACHE, f"debian-12-{RECIPE}")
    files = [os.path.join(folder, name) for name in ("disk.raw", "vmlinuz", "initrd.img")]
    with assets.Locked():
        if os.path.isdir(folder):
            return files
        part, root = folder + ".part", folder + ".part/root"
        shutil.rmtree(part, ignore_errors=True)
        os.makedirs(part)
        note("making the Debian disk: minutes, and 500 MB from " + mirror())
        log = os.path.join(part, "debootstrap.log")
        with open(log, "wb") as stream:
            done = subprocess.run(["debootstrap", "--variant=minbase",
                                   "--include=" + ",".join(PACKAGES), "bookworm", root, mirror()],
                                  stdout=stream, stderr=stream, check=False)
        if done.returncode != 0:
            with open(log, encoding="utf-8", errors="replace") as stream:
                note("".join(stream.readlines()[-10:]))
            raise Failure("debootstrap failed: it needs root and a mirror of Debian 12")
        configure(root)
        disk = os.path.join(part, "disk.raw")
        assets.run("mke2fs", "-q", "-t", "ext4", "-L", "vitrine", "-d", root, disk, SIZE)
        for name in ("vmlinuz", "initrd.img"):
            shutil.copy(glob.glob(f"{root}/boot/{name}-*")[0], os.path.join(part, name))
        shutil.rmtree(root)
        os.rename(part, folder)
    return files


class Console:
    """A terminal on a serial port that is a UNIX socket."""

    def __init__(self, path, process):
        self.process = process
        self.text = ""
        self.seen = 0
        self.socket = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + 20 * PATIENCE
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if time.monotonic() > end or process.poll() is not None:
                    raise Failure("the serial port's socket does not answer") from None
                time.sleep(0.1)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError:
                return
            if not data:
                return
            self.text += data.decode("latin-1")

    def expect(self, pattern, seconds):
        """Waits for PATTERN behind all that was found before."""
        end = time.monotonic() + seconds * PATIENCE
        while True:
            ended = self.process.poll() is not None
            match = re.compile(pattern).search(self.text, self.seen)
            if match:
                self.seen = match.end()
                return match
            if ended or time.monotonic() > end:
                note("---- console, last lines ----")
                note("\n".join(self.text.splitlines()[-25:]))
                raise Failure("the machine ended before" if ended else f"{seconds} s without" +
                              f" {pattern!r} on the console")
            time.sleep(0.05)

    def send(self, line):
        self.socket.sendall((line + "\n").encode())

    def run(self, command, seconds=120, status=0):
        """The command's output, lines joined by newlines; its exit status is to be STATUS."""
        self.send(command)
        # the echo ends with the line; then the output, then the prompt with the status before it
        self.expect(r"\r?\n", 20)
        start = self.seen
        match = self.expect(r"STATUS=(\d+) " + re.escape(PROMPT), seconds)
        out = self.text[start:match.start()].replace("\r", "")
        if int(match.group(1)) != status:
            note("\n".join(out.splitlines()[-40:]))
            raise Failure(f"exit status {match.group(1)} of {command!r}")
        return out.strip()

    def login(self, seconds):
        self.expect(r"vitrine-guest login: ", seconds)
        self.send("root")
        self.expect(r"# ", 60)
        self.send("stty -echo -onlcr columns 200; export PAGER=cat SYSTEMD_COLORS=0 "
                  "DEBIAN_FRONTEND=noninteractive TERM=dumb LC_ALL=C.UTF-8; "
                  f"bind 'set enable-bracketed-paste off'; PS1='STATUS=$? {PROMPT}'")
        self.expect(r"STATUS=0 " + re.escape(PROMPT), 60)
        self.send("stty echo")
        self.expect(r"STATUS=0 " + re.escape(PROMPT), 60)


class Debian:
    """A running Debian on an overlay of the image; FILES of FOLDER come in as a tar on a second disk and
    are unpacked in /root/work. Ends by poweroff; then the file system is checked by the host."""

    def __init__(self, cpus, *args, files=(), folder=FILES, memory="1024",
                 accel=("-accel", machine.ACCEL)):
        disk, kernel, initrd = image()
        self.folder = assets.run("mktemp", "-d", "-t", "vitrine-debian-XXXXXX").strip()
        self.disk = os.path.join(self.folder, "disk.qcow2")
        assets.run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", disk, self.disk)
        tar = os.path.join(self.folder, "files.tar")
        assets.run("tar", "-C", folder, "-cf", tar, "--", *(files or ["."]))
        os.truncate(tar, (os.path.getsize(tar) + 65535) // 65536 * 65536)
        port = os.path.join(self.folder, "console")
        self.started = time.monotonic()
        self.vm = machine.Machine(
            "-nodefaults", "-m", memory, "-smp", str(cpus), "-vga", "none", "-cpu", "max",
            "-kernel", kernel, "-initrd", initrd, "-append",
            "root=/dev/vda rw console=ttyS0 panic=-1 quiet " + KNOWN_TSC, "-no-reboot", "-drive",
            f"file={self.disk},format=qcow2,if=virtio", "-drive",
            f"file={tar},format=raw,if=virtio,readonly=on", "-serial",
            f"unix:{port},server=on,wait=off", *args, accel=accel)
        self.vm.__enter__()
        try:
            self.console = Console(port, self.vm.process)
            self.console.login(300)
        except BaseException as fault:
            self.__exit__(type(fault), fault, None)
            raise
        self.login_s = time.monotonic() - self.started
        self.run = self.console.run
        self.run("mkdir -p work; cd work && tar xf /dev/vdb && ls")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        try:
            self.vm.__exit__(kind, value, traceback)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def check_kernel(self):
        """Nothing that should not be in the kernel's log."""
        log = self.run("dmesg")
        for bad in ("BUG:", "Oops", "general protection", "traps:", "segfault", "invalid opcode",
                    "WARNING:", "EXT4-fs error", "I/O error"):
            if bad in log:
                note("\n".join(line for line in log.splitlines() if bad in line))
                raise Failure(f"the kernel says {bad!r}")

    def power_off(self):
        """Off by systemd; the image is then clean in the eyes of e2fsck and qemu-img."""
        self.console.send("systemctl poweroff")
        self.vm.wait_exit(180)
        assets.run("qemu-img", "check", "-q", self.disk)
        raw = os.path.join(self.folder, "disk.raw")
        assets.run("qemu-img", "convert", "-O", "raw", self.disk, raw)
        state = assets.run("dumpe2fs", "-h", raw)
        if not re.search(r"Filesystem state:\s+clean\n", state) or "needs_recovery" in state:
            raise Failure("not unmounted: " + state)
        note(assets.run("e2fsck", "-fn", raw).splitlines()[-1])
