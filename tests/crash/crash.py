#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writers of images that end at any moment.

crash.py [--points N] [--seconds S] [--mode MODE] [--seed N] [--tally FILE] [SCENARIO...]

Each scenario is run once whole, under a library that counts what it does to its files; then, for
every point, again from the same start, and
  kill   it is ended by SIGKILL at a random operation, a third of the time in the middle of a write;
  power  its files are put together as a power failure at a random operation could leave them: what
         was flushed is whole, of what came since anything may be missing or torn at a sector;
  fail   a random operation on its files fails, or all from it on: a full disk or an I/O error. A
         command must say so, end with 1 and leave no new file; nothing may die.
Then every image must check clean but for leaks (ours always, qemu-img every fifth time), and what
it shows must be what it had to keep: every flushed write of the guest, the content of a chain that
a job or command works on, the other snapshots. --tally adds the points to a table in FILE.
mission: intro.tool.image-create blockdev.qcow2.backing"""
import argparse
import errno
import json
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

IMG = os.environ["VITRINE_IMG"]
WRITER = os.environ["CRASH_WRITER"]
SHIM = os.environ["CRASH_SHIM"]
QEMU_IMG = shutil.which("qemu-img")
SECTOR = 512
DISK = 1 << 20
SECRET = "secret,id=s0,data=open sesame"  # crash-writer's
CLUSTER = "cluster_size=CLUSTER"  # and CLUSTER is another one for every start


class Fault(Exception):
    pass


def run(*words, status=0, cwd=None):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          timeout=120, cwd=cwd)
    if status is not None and done.returncode != status:
        raise Fault(f"{' '.join(map(str, words))}: {done.returncode}: {done.stdout}{done.stderr}")
    return done


def img(*words, status=0):
    return run(IMG, *words, status=status)


def tags(data):
    """The number that every sector holds; a sector that holds several is torn."""
    out = []
    for at in range(0, len(data), SECTOR):
        word = data[at:at + 8]
        if data[at:at + SECTOR] != word * (SECTOR // 8):
            raise Fault(f"sector {at // SECTOR} is torn")
        out.append(struct.unpack("<Q", word)[0])
    return out


def raw_disk(seed, length=DISK):
    source = random.Random(seed)
    data = bytearray(length)
    for _ in range(30):
        first = source.randrange(length // SECTOR)
        count = min(source.randrange(1, 80), length // SECTOR - first)
        word = struct.pack("<Q", 1 << 40 | seed << 20 | source.randrange(1 << 20))
        data[first * SECTOR:(first + count) * SECTOR] = word * (count * SECTOR // 8)
    return bytes(data)


# ---- judging ----

def judge(folder, images, ask_qemu, form="qcow2", mend=()):
    """Checks IMAGES and gives what the first shows."""
    out = folder / "shown.raw"
    out.unlink(missing_ok=True)
    done = run(WRITER, "judge", form, out, *images)
    if form == "vdi" and not done.stdout.startswith("0 "):
        # How many blocks there are stands in another sector than their map, so a power failure may
        # keep one of the two. It is all that a repair mends: what else is wrong still is, then.
        run(IMG, "check", "-q", "-r", "all", "-f", form, images[0], status=None)
        done = run(WRITER, "judge", form, out, *images)
    lines = done.stdout.splitlines()
    leaks = 0
    for image, line in zip(images, lines):
        if line.startswith("failed") or not line.startswith("0 "):
            raise Fault(f"{image.name}: check says {line}")
        leaks += int(line.split()[1])
    if len(lines) > len(images):
        raise Fault(lines[-1])
    if ask_qemu and QEMU_IMG:
        for image in images:
            done = run(QEMU_IMG, "check", *(mend or ["-U"]), "-f", form, image, status=None,
                       cwd=folder)  # where it looks for a data file
            if done.returncode not in (0, 3):
                raise Fault(f"{image.name}: qemu-img check: {done.stdout}{done.stderr}")
    return out.read_bytes()


def content(image, *words):
    out = image.parent / "content.raw"
    img("convert", *words, "-O", "raw", image, out)
    return out.read_bytes()


# ---- what the shim writes down ----

def read_log(path):
    data = path.read_bytes() if path.exists() else b""
    at = 0
    while at + 25 <= len(data):
        letter, inode, offset, length = struct.unpack_from("<cQQQ", data, at)
        at += 25
        body = b""
        if letter in b"wm":
            body = data[at:at + length]
            at += length
        yield letter.decode(), inode, offset, length, body


def marks_of(log):
    return [record[4].decode() for record in log if record[0] == "m"]


def put(file, offset, data):
    if len(file) < offset + len(data):
        file.extend(bytes(offset + len(data) - len(file)))
    file[offset:offset + len(data)] = data


def apply(file, record, keep):
    letter, _, offset, length, body = record
    if letter == "w":
        at = 0
        while at < length:
            step = min(SECTOR - (offset + at) % SECTOR, length - at)
            if keep():
                put(file, offset + at, body[at:at + step])
            at += step
    elif letter == "p" and keep():
        put(file, offset, bytes(length))
    elif letter == "t" and keep():
        del file[offset:]
        file.extend(bytes(offset - len(file)))


def after_power_loss(start, log, end, source):
    """START: the files by inode. What a failure after END records could leave of them."""
    files = {inode: bytearray(data) for inode, data in start.items()}
    flushed = {record[1]: index for index, record in enumerate(log[:end]) if record[0] == "s"}
    for index, record in enumerate(log[:end]):
        if record[0] in "wpt" and record[1] in files:
            if index < flushed.get(record[1], -1):
                keep = lambda: True
            else:
                fate = source.randrange(3)
                keep = [lambda: False, lambda: True, lambda: source.random() < 0.5][fate]
            apply(files[record[1]], record, keep)
    return files


# ---- what a guest was promised ----

class Guest:
    """What a guest's marks say."""

    def __init__(self, start, marks):
        self.start, self.versions = start, [[] for _ in start]
        self.flushed, self.active, self.begun, self.done = 0, None, None, False
        self.failed = set()
        for mark in marks:
            words = mark.split()
            if words[0] in "wz":
                number, first, count = map(int, words[1:])
                for sector in range(first, first + count):
                    self.versions[sector].append((number, 0 if words[0] == "z" else number))
            elif words[0] == "f":
                self.flushed = int(words[1])
            elif words[0] == "x":
                self.failed.add(int(words[1]))
            elif words[0] == "p":
                self.active = words[1]
            elif words[0] == "b":
                self.begun = int(words[1])
            elif words[0] == "c":
                self.done = True

    def judge(self, name, shown):
        """Every sector of SHOWN is what the last flush kept, or something later."""
        for sector, value in enumerate(shown):
            allowed = set()
            for number, content_tag in reversed(self.versions[sector]):
                allowed.add(content_tag)
                if number <= self.flushed and number not in self.failed:
                    break
            else:
                allowed.add(self.start[sector])
            if value not in allowed:
                raise Fault(f"{name}: sector {sector} holds {value}, not one of {allowed}; "
                            f"flushed up to {self.flushed}")


# ---- scenarios ----

class Scenario:
    """prepare() makes the files; command() is what is ended; verify() looks at what is left. SOURCE
    is drawn from for all that need not be the same each time."""
    modes = ("kill", "power", "fail")
    clusters = ("512", "1k", "4k", "16k", "64k")

    def begin(self, folder, seed):
        self.source = random.Random(seed)
        self.cluster = self.source.choice(self.clusters)
        self.prepare(folder)

    def filled(self, options):
        return options.replace("CLUSTER", self.cluster)

    def fill(self, image, form="qcow2"):
        """Writes what no guest writes."""
        run(WRITER, "fill", image, self.source.randrange(2000, 12000), form)

    def make(self, image, *words, length=DISK):
        """An image with something in it."""
        raw = image.with_suffix(".made")
        raw.write_bytes(raw_disk(self.source.randrange(1 << 20), length))
        img("convert", "-f", "raw", "-O", "qcow2", *words, raw, image)
        raw.unlink()

    def make_chain(self, folder):
        options = ["-o", self.filled(CLUSTER)]
        self.make(folder / "base.qcow2", *options)
        for name, below in (("mid", "base"), ("top", "mid")):
            img("create", "-q", "-f", "qcow2", *options, "-F", "qcow2", "-b", below + ".qcow2",
                folder / (name + ".qcow2"))
            self.fill(folder / (name + ".qcow2"))

    def prepare(self, folder):
        pass

    def command(self, folder, seed):
        raise NotImplementedError

    def verify(self, folder, marks, ask_qemu):
        raise NotImplementedError

    def verify_failure(self, folder, done):
        """Of one that was made to fail."""


class Job(Scenario):
    def __init__(self, job, options=CLUSTER):
        self.job, self.options = job, options

    def prepare(self, folder):
        self.make_chain(folder)
        if self.job in ("mirror", "backup"):
            img("create", "-q", "-f", "qcow2", "-o", self.filled(self.options),
                folder / "target.qcow2", str(DISK))
        self.start = tags(content(folder / "top.qcow2"))
        (folder / "content.raw").unlink()

    def command(self, folder, seed):
        return [WRITER, self.job, folder, str(seed)]

    def verify(self, folder, marks, ask_qemu):
        guest = Guest(self.start, marks)
        active = guest.active or "top.qcow2"
        images = [folder / active]
        for name in ("top", "mid", "base", "target"):
            image = folder / (name + ".qcow2")
            if image.exists() and image != images[0]:
                images.append(image)
        guest.judge(active, tags(judge(folder, images, ask_qemu)))
        if self.job == "backup" and guest.done and not guest.failed:
            shown = tags(judge(folder, [folder / "target.qcow2"], False))
            for sector, value in enumerate(shown):
                wanted = self.start[sector]
                for number, content_tag in guest.versions[sector]:
                    wanted = content_tag if number <= guest.begun else wanted
                if value != wanted:
                    raise Fault(f"backup: sector {sector} holds {value}, not {wanted}")


class Format(Scenario):
    """A guest alone, on an image of a format."""

    def __init__(self, form, options="", size=DISK, checks=True, mend=()):
        self.form, self.size, self.checks, self.mend = form, size, checks, mend
        self.options = options

    def prepare(self, folder):
        image = folder / f"disk.{self.form}"
        secret = ["--object", SECRET] if self.form == "luks" else []
        options = ["-o", self.filled(self.options)] if self.options else []
        img("create", "-q", *secret, "-f", self.form, *options, image, str(self.size))
        self.fill(image, self.form)
        out = folder / "start.raw"
        run(WRITER, "judge", self.form, out, image)
        self.start = self.lenient(out.read_bytes())
        out.unlink()

    def lenient(self, data):
        """Tags; of a disk that shows noise where nothing was written, None there."""
        out = []
        for at in range(0, len(data), SECTOR):
            word = data[at:at + 8]
            whole = data[at:at + SECTOR] == word * (SECTOR // 8)
            out.append(struct.unpack("<Q", word)[0] if whole else data[at:at + SECTOR])
        return out

    def command(self, folder, seed):
        return [WRITER, "write", folder, str(seed), self.form]

    def verify(self, folder, marks, ask_qemu):
        image = folder / f"disk.{self.form}"
        shown = judge(folder, [image], ask_qemu and self.checks, self.form, self.mend)
        Guest(self.start, marks).judge(image.name, self.lenient(shown))


class Serve(Format):
    """vitrine-img serve, which a guest writes to. It is the server that is ended."""

    def command(self, folder, seed):
        socket = folder / "socket"
        guest = f"'{WRITER}' remote '{socket}' {seed}"
        wait = f"for i in $(seq 100); do [ -S '{socket}' ] && break; sleep .02; done"
        return ["sh", "-c", f"(unset CRASH_AT CRASH_FAIL CRASH_COUNT; {wait}; {guest}) & "
                f"exec '{IMG}' serve -f {self.form} -k '{socket}' '{folder}/disk.{self.form}'"]


class FormatCommand(Format):
    """A command that works on disk.FORMAT and may not change what it shows, but for its length."""

    def __init__(self, form, *words, low=0, high=0, **more):
        super().__init__(form, **more)
        self.words, self.low, self.high = words, low, high

    def command(self, folder, seed):
        self.source = random.Random(seed)
        length = self.source.randrange(self.low // SECTOR, self.high // SECTOR + 1) * SECTOR
        words = [word.replace("DIR", str(folder)) for word in self.words]
        return [IMG] + words + ([str(length)] if self.high else [])

    def verify(self, folder, marks, ask_qemu):
        image = folder / f"disk.{self.form}"
        shown = self.lenient(judge(folder, [image], ask_qemu and self.checks, self.form,
                                   self.mend))
        common = min(len(shown), len(self.start))
        if shown[:common] != self.start[:common] or \
                (self.form != "luks" and any(shown[common:])):
            raise Fault(f"{image.name} shows something else")


class Command(Scenario):
    """A command that works on disk.qcow2 and may not change what CHAIN shows."""
    words = ()
    images = ("disk.qcow2",)
    options = CLUSTER

    def __init__(self, *words, **attributes):
        self.words = words
        self.__dict__.update(attributes)

    def prepare(self, folder):
        self.make(folder / "disk.qcow2", "-o", self.filled(self.options))
        self.prepare_more(folder)
        self.start = content(folder / self.images[0])
        (folder / "content.raw").unlink()

    def prepare_more(self, folder):
        pass

    def command(self, folder, seed):
        return [IMG] + [self.filled(word).replace("DIR", str(folder)) for word in self.words]

    def verify_failure(self, folder, done):
        if done.returncode == 1 and not done.stderr.strip():
            raise Fault("it has failed and does not say so")
        if done.returncode not in (0, 1, 2, 3):
            raise Fault(f"it has ended with {done.returncode}: {done.stderr}")

    def verify(self, folder, marks, ask_qemu):
        images = [folder / name for name in self.images]
        self.compare(judge(folder, images, ask_qemu))
        self.verify_more(folder)

    def compare(self, shown):
        if shown != self.start:
            raise Fault(f"{self.images[0]} shows something else")

    def verify_more(self, folder):
        pass


class Chain(Command):
    images = ("top.qcow2", "mid.qcow2", "base.qcow2")

    def prepare_more(self, folder):
        (folder / "disk.qcow2").unlink()
        self.make_chain(folder)
        self.make(folder / "other.qcow2", "-o", self.filled(CLUSTER))


class Resize(Command):
    """To a length within LOW and HIGH."""

    def prepare_more(self, folder):
        self.length = self.source.randrange(self.low // SECTOR, self.high // SECTOR) * SECTOR

    def command(self, folder, seed):
        return super().command(folder, seed) + [str(self.length)]

    def compare(self, shown):
        common = min(len(shown), len(self.start))
        if shown[:common] != self.start[:common] or shown[common:].strip(b"\0"):
            raise Fault("a resized disk shows something else")


class Snapshots(Command):
    def prepare_more(self, folder):
        image = folder / "disk.qcow2"
        self.kept = {}
        for name in ("one", "two"):
            img("snapshot", "-c", name, image)
            self.kept[name] = content(image)
            self.fill(image)

    def compare(self, shown):
        if shown != self.start and not ("-a" in self.words and shown == self.kept["one"]):
            raise Fault("the disk shows something else")

    def verify_more(self, folder):
        image = folder / "disk.qcow2"
        listed = img("snapshot", "-l", image).stdout
        for name, kept in self.kept.items():
            if re.search(rf"\b{name}\b", listed):
                if content(image, "-l", name) != kept:
                    raise Fault(f"snapshot {name} shows something else")
            elif "-d" not in self.words or name != "one":
                raise Fault(f"snapshot {name} is gone")


class Repair(Command):
    def prepare_more(self, folder):
        image = folder / "disk.qcow2"
        data = bytearray(image.read_bytes())
        table, = struct.unpack_from(">Q", data, 48)
        block, = struct.unpack_from(">Q", data, table)
        count = (1 << struct.unpack_from(">I", data, 20)[0]) // 2
        used = [i for i in range(count) if struct.unpack_from(">H", data, block + 2 * i)[0]]
        for i in self.source.sample(used, len(used) // 5 + 1):
            struct.pack_into(">H", data, block + 2 * i, self.source.choice((0, 0, 2, 3, 5)))
        for i in range(used[-1] + 1, min(used[-1] + 4, count)):
            struct.pack_into(">H", data, block + 2 * i, self.source.choice((0, 1)))
        image.write_bytes(data)

    def verify(self, folder, marks, ask_qemu):
        run(IMG, "check", "-q", "-r", "all", folder / "disk.qcow2")
        super().verify(folder, marks, ask_qemu)


class Bitmaps(Command):
    def prepare_more(self, folder):
        image = folder / "disk.qcow2"
        for name in ("a", "b"):
            img("bitmap", "--add", "-g", "4k", image, name)
        self.fill(image)
        img("bitmap", "--disable", image, "a")

    def verify_more(self, folder):
        listed = json.loads(img("info", "--output=json", folder / "disk.qcow2").stdout)
        bitmaps = listed["format-specific"]["data"].get("bitmaps", [])
        names = {bitmap["name"] for bitmap in bitmaps}
        if not {"a", "b"} - ({"a"} if "--remove" in self.words else set()) <= names:
            raise Fault(f"of the bitmaps only {names} are left")


class Making(Command):
    """A command that writes out.FORM from disk.qcow2, which it may not touch. What was not finished
    need not open; if it does, it is sound."""
    modes = ("kill", "fail")
    form = "qcow2"

    def prepare_more(self, folder):
        self.bytes = (folder / "disk.qcow2").read_bytes()

    def verify_failure(self, folder, done):
        super().verify_failure(folder, done)
        if done.returncode == 1 and (folder / f"out.{self.form}").exists():
            raise Fault("it has failed and leaves its target")

    def verify(self, folder, marks, ask_qemu):
        if (folder / "disk.qcow2").read_bytes() != self.bytes:
            raise Fault("the source has changed")
        out = folder / f"out.{self.form}"
        if out.exists() and img("info", "-f", self.form, out, status=None).returncode == 0:
            judge(folder, [out], ask_qemu and self.form == "qcow2", self.form)


class MakingInto(Making):
    """One that writes into an image that is there."""

    def prepare_more(self, folder):
        super().prepare_more(folder)
        self.make(folder / "out.qcow2", "-o", self.filled(CLUSTER))

    def verify_failure(self, folder, done):
        Command.verify_failure(self, folder, done)

    def verify(self, folder, marks, ask_qemu):
        super().verify(folder, marks, ask_qemu)
        judge(folder, [folder / "out.qcow2"], ask_qemu)


class BitmapsOfOther(Bitmaps):
    def prepare_more(self, folder):
        super().prepare_more(folder)
        other = folder / "other.qcow2"
        self.make(other, "-o", self.filled(CLUSTER))
        img("bitmap", "--add", other, "b")
        self.fill(other)


class Keys(FormatCommand):
    """A command that changes the key slots of an image. The first key goes on opening it."""

    def __init__(self, state, **more):
        super().__init__("luks", "amend", "--object", SECRET, "--object",
                         "secret,id=s1,data=another", "--image-opts",
                         "driver=luks,key-secret=s0,file.filename=DIR/disk.luks", "-o", state,
                         options="iter-time=10,key-secret=s0", checks=False, **more)

    def prepare(self, folder):
        super().prepare(folder)
        if "state=inactive" in self.words[-1]:
            words = super().command(folder, 0)
            img(*words[1:-1], "state=active,new-secret=s1,keyslot=3,iter-time=10")


SCENARIOS = {
    "guest": Job("guest"),
    "raw": Format("raw", checks=False),
    "qcow2-lazy": Format("qcow2", CLUSTER + ",lazy_refcounts=on"),
    "qcow2-extended": Format("qcow2", "cluster_size=16k,extended_l2=on"),
    "qcow2-v2": Format("qcow2", CLUSTER + ",compat=0.10"),
    "qcow2-data": Format("qcow2", CLUSTER + ",data_file=disk.data"),
    "qcow": Format("qcow", checks=False),
    "luks": Format("luks", "iter-time=10,key-secret=s0", checks=False),
    "parallels": Format("parallels", "cluster_size=64k", mend=["-r", "all"]),  # of its in-use mark
    "qed": Format("qed", "cluster_size=4k,table_size=2"),
    "vdi": Format("vdi", size=8 << 20),
    "vhdx": Format("vhdx", "block_size=1M", size=8 << 20),
    "vmdk": Format("vmdk"),
    "vmdk-zeroed": Format("vmdk", "zeroed_grain=on"),
    "vpc": Format("vpc", "force_size=on", size=16 << 20, checks=False),
    "job-stream": Job("stream"),
    "job-commit": Job("commit"),
    "job-commit-active": Job("pivot"),
    "job-mirror": Job("mirror"),
    "job-backup": Job("backup"),
    "create": Making("create", "-q", "-f", "qcow2", "-o", "cluster_size=4k,preallocation=metadata",
                     "DIR/out.qcow2", "1M"),
    "convert": Making("convert", "-O", "qcow2", "-o", CLUSTER, "DIR/disk.qcow2", "DIR/out.qcow2"),
    "convert-c": Making("convert", "-c", "-O", "qcow2", "-o", CLUSTER, "DIR/disk.qcow2",
                        "DIR/out.qcow2"),
    "convert-n": MakingInto("convert", "-n", "-O", "qcow2", "DIR/disk.qcow2", "DIR/out.qcow2"),
    "convert-bitmaps": Making("convert", "--bitmaps", "-O", "qcow2", "-o", CLUSTER,
                              "DIR/disk.qcow2", "DIR/out.qcow2"),
    **{f"convert-{form}": Making("convert", "-O", form, "DIR/disk.qcow2", f"DIR/out.{form}",
                                 form=form)
       for form in ("raw", "qcow", "qed", "vdi", "vhdx", "vmdk", "vpc", "parallels")},
    **{f"resize-{form}": FormatCommand(form, "resize", "-q", "-f", form, f"DIR/disk.{form}",
                                       low=2 << 20, high=12 << 20, **more)
       for form, more in (("raw", {"checks": False}), ("qed", {}), ("vdi", {}),
                          ("parallels", {"mend": ["-r", "all"]}))},
    # The map outgrows its place, and data makes way: 3 to 11 blocks that qemu-img does not read, or one.
    "resize-vdi-map": FormatCommand("vdi", "resize", "-q", "-f", "vdi", "DIR/disk.vdi", checks=False,
                                    options="block_size=4k", low=4 << 20, high=12 << 20),
    "resize-vdi-one": FormatCommand("vdi", "resize", "-q", "-f", "vdi", "DIR/disk.vdi", size=8 << 20,
                                    low=130 << 20, high=140 << 20),
    "bench": Command("bench", "-q", "-w", "-c", "60", "-s", "4k", "-S", "12k",
                     "--flush-interval=20", "DIR/disk.qcow2", compare=lambda shown: None),
    "serve": Serve("qcow2", CLUSTER),
    "serve-raw": Serve("raw", checks=False),
    "dd": Making("dd", "-O", "qcow2", "bs=4k", "if=DIR/disk.qcow2", "of=DIR/out.qcow2"),
    "commit": Chain("commit", "-q", "DIR/top.qcow2"),
    "commit-base": Chain("commit", "-q", "-b", "base.qcow2", "-d", "DIR/top.qcow2"),
    "rebase": Chain("rebase", "-F", "qcow2", "-b", "other.qcow2", "DIR/top.qcow2"),
    "rebase-flat": Chain("rebase", "-b", "", "DIR/top.qcow2"),
    "resize-grow": Resize("resize", "-q", "DIR/disk.qcow2", low=1 << 20, high=12 << 20),
    "resize-shrink": Resize("resize", "-q", "--shrink", "DIR/disk.qcow2", low=0, high=1 << 20),
    "snapshot-create": Snapshots("snapshot", "-c", "three", "DIR/disk.qcow2"),
    "snapshot-apply": Snapshots("snapshot", "-a", "one", "DIR/disk.qcow2"),
    "snapshot-delete": Snapshots("snapshot", "-d", "one", "DIR/disk.qcow2"),
    "amend-v2": Chain("amend", "-o", "compat=0.10", "DIR/top.qcow2"),
    "amend-v3": Command("amend", "-o", "compat=1.1,lazy_refcounts=on,size=2M", "DIR/disk.qcow2",
                        options=CLUSTER + ",compat=0.10", compare=lambda shown: None),
    "amend-refcounts": Snapshots("amend", "-o", "refcount_bits=8,lazy_refcounts=on",
                                 "DIR/disk.qcow2"),
    "amend-backing": Chain("amend", "-o", "backing_fmt=raw,backing_fmt=qcow2,backing_file=" +
                           "./" * 200 + "mid.qcow2", "DIR/top.qcow2",
                           clusters=("1k", "4k", "16k", "64k")),  # the header holds the name
    "amend-luks-add": Keys("state=active,new-secret=s1,keyslot=3,iter-time=10"),
    "amend-luks-remove": Keys("state=inactive,keyslot=3"),
    "rebase-u": Chain("rebase", "-u", "-F", "qcow2", "-b", "./" * 150 + "mid.qcow2",
                      "DIR/top.qcow2"),
    "check-r": Repair("check", "-q", "-r", "all", "DIR/disk.qcow2"),
    "bitmap-add": Bitmaps("bitmap", "--add", "DIR/disk.qcow2", "c"),
    "bitmap-merge": Bitmaps("bitmap", "--merge", "b", "--clear", "--merge", "b", "DIR/disk.qcow2",
                            "a"),
    "bitmap-merge-of": BitmapsOfOther("bitmap", "--merge", "b", "-b", "DIR/other.qcow2", "-F",
                                      "qcow2", "DIR/disk.qcow2", "a"),
    "bitmap-clear": Bitmaps("bitmap", "--clear", "DIR/disk.qcow2", "b"),
    "bitmap-enable": Bitmaps("bitmap", "--enable", "DIR/disk.qcow2", "a"),
    "bitmap-disable": Bitmaps("bitmap", "--disable", "DIR/disk.qcow2", "b"),
    "bitmap-remove": Bitmaps("bitmap", "--remove", "DIR/disk.qcow2", "a"),
}


# ---- a campaign ----

class Campaign:
    def __init__(self, name, scenario, seed, room):
        self.name, self.scenario, self.room = name, scenario, room
        self.source = random.Random(f"{name} {seed}")
        self.start = room / "start"
        self.work = room / "work"
        self.log, self.files, self.operations, self.uses = [], {}, 0, 0
        self.faults, self.points = 0, {mode: 0 for mode in scenario.modes}

    def reset(self):
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.start, self.work)

    def execute(self, seed, **variables):
        log = self.room / "log"
        log.unlink(missing_ok=True)
        done = subprocess.run(
            self.scenario.command(self.work, seed), capture_output=True, text=True, timeout=120,
            env={**os.environ, "LD_PRELOAD": SHIM, "CRASH_LOG": str(log),
                 **{key: str(value) for key, value in variables.items()}})
        return done, list(read_log(log))

    def whole(self):
        """Runs it to its end, to know how long it is and what it writes."""
        count = self.room / "count"
        self.seed = self.source.randrange(10, 1000)
        shutil.rmtree(self.start, ignore_errors=True)
        self.start.mkdir()
        self.scenario.begin(self.start, self.source.randrange(1 << 32))
        self.reset()
        before = {path.stat().st_ino: path.read_bytes() for path in self.work.iterdir()}
        done, self.log = self.execute(self.seed, CRASH_COUNT=count, CRASH_DATA=1)
        if done.returncode != 0:
            raise Fault(f"{self.name}: {done.returncode}: {done.stderr}")
        self.operations = int(count.read_text())
        self.names = {path.stat().st_ino: path.name for path in self.work.iterdir()}
        self.before = {inode: before.get(inode, b"") for inode in self.names}
        self.uses = 0

    def kill(self):
        at = self.source.randrange(1, self.operations + 1)
        tear = self.source.randrange(1, 16) * SECTOR if self.source.random() < 0.33 else 0
        self.reset()
        done, log = self.execute(self.seed, CRASH_AT=at, CRASH_TEAR=tear)
        if done.returncode not in (-9, 0):
            raise Fault(f"ended by itself: {done.returncode}: {done.stderr}")
        return f"--seed at operation {at}, {tear} bytes of it", log

    def fail(self):
        at = self.source.randrange(1, self.operations + 1)
        error = self.source.choice((errno.ENOSPC, errno.EIO))
        if isinstance(self.scenario, Job):
            error = errno.EIO  # a full disk stops the guest, and there is nobody to let it go on
        forever = self.source.randrange(2)
        self.reset()
        done, log = self.execute(self.seed, CRASH_FAIL=at, CRASH_FAIL_ALL=forever,
                                 CRASH_ERRNO=error)
        what = f"operation {at}{' and later' if forever else ''}: {os.strerror(error)}"
        if done.returncode < 0:
            raise Fault(f"{what}: ended with {done.returncode}: {done.stderr}")
        try:
            self.scenario.verify_failure(self.work, done)
        except Fault as fault:
            raise Fault(f"{what}: {fault}") from fault
        return f"{what}, exit {done.returncode}", log

    def power(self):
        at = self.source.randrange(len(self.log) + 1)
        left = after_power_loss(self.before, self.log, at, self.source)
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        for inode, data in left.items():
            (self.work / self.names[inode]).write_bytes(data)
        return f"after record {at}", self.log[:at]

    def point(self, number):
        mode = self.scenario.modes[number % len(self.scenario.modes)]
        if self.uses % 40 == 0:
            self.whole()
        self.uses += 1
        what = ""
        try:
            what, log = getattr(self, mode)()
            self.scenario.verify(self.work, marks_of(log), number // 3 % 5 == 0)
        except Fault as fault:
            self.faults += 1
            print(f"{self.name} {mode}, seed {self.seed}, {what}: {fault}", flush=True)
            if "CRASH_KEEP" in os.environ:
                shutil.copytree(self.work, os.environ["CRASH_KEEP"], dirs_exist_ok=True)
                sys.exit(1)
        self.points[mode] += 1


def add_to_tally(path, campaign):
    tally = json.loads(path.read_text()) if path.exists() else {}
    row = tally.setdefault(campaign.name, {})
    for mode, count in {**campaign.points, "faults": campaign.faults}.items():
        row[mode] = row.get(mode, 0) + count
    path.write_text(json.dumps(tally, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--mode", choices=("kill", "power", "fail"), help="of the points; all")
    parser.add_argument("--seconds", type=float, default=1e9, help="of each scenario, at most")
    parser.add_argument("--seed", default=str(time.time_ns()))
    parser.add_argument("--tally", type=pathlib.Path)
    parser.add_argument("scenario", nargs="*")
    args = parser.parse_intermixed_args()
    unknown = [name for name in args.scenario if name not in SCENARIOS]
    if unknown:
        sys.exit(f"crash: there is no scenario {unknown[0]}; there are: {' '.join(SCENARIOS)}")
    if not QEMU_IMG and os.environ.get("VITRINE_TESTS_COMPLETE"):
        sys.exit("crash: qemu-img is missing, which ./dev test installs")
    faults = 0
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    for name in args.scenario or SCENARIOS:
        with tempfile.TemporaryDirectory(prefix="vitrine-crash-", dir=shm) as room:
            if args.mode and args.mode not in SCENARIOS[name].modes:
                continue
            SCENARIOS[name].modes = (args.mode,) if args.mode else SCENARIOS[name].modes
            campaign = Campaign(name, SCENARIOS[name], args.seed, pathlib.Path(room))
            until = time.monotonic() + args.seconds
            for number in range(args.points):
                if time.monotonic() > until:
                    break
                campaign.point(number)
        row = " ".join(f"{mode} {count}" for mode, count in campaign.points.items())
        print(f"{name}: {row}, operations {campaign.operations}, faults {campaign.faults}",
              flush=True)
        faults += campaign.faults
        if args.tally:
            add_to_tally(args.tally, campaign)
    if faults:
        print(f"again with --seed {args.seed}")
    return 1 if faults else 0


sys.exit(main())
