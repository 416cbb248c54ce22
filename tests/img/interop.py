#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vitrine-img and qemu-img on the same qcow2 images, both ways.

Images made by either are checked and compared by the other over a matrix of create options; the
JSON of info, check, map and measure and the exit codes must be equal; rebase, commit, snapshot,
bitmap, amend, dd and resize are judged by qemu-img check and compare. Skipped where there is no
qemu-img. mission: intro.tool.image-create blockdev.qcow2.backing"""
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

OURS = os.environ["VITRINE_IMG"]
THEIRS = shutil.which("qemu-img")
QEMU_IO = shutil.which("qemu-io")
MATRIX = ["", "cluster_size=512", "cluster_size=2M", "compat=0.10", "extended_l2=on",
          "refcount_bits=1", "refcount_bits=64,cluster_size=4k", "lazy_refcounts=on",
          "compression_type=zstd", "preallocation=metadata", "preallocation=falloc",
          "data_file=DATA", "data_file=DATA,data_file_raw=on"]
faults = []


def run(tool, *words, status=0):
    done = subprocess.run([tool, *words], capture_output=True, text=True, timeout=60)
    if status is not None and done.returncode != status:
        faults.append(f"{pathlib.Path(tool).name} {' '.join(words)}: {done.returncode}: "
                      f"{done.stdout}{done.stderr}")
    return done


def same_json(*words):
    ours, theirs = run(OURS, *words, status=None), run(THEIRS, *words, status=None)
    if ours.returncode != theirs.returncode or json.loads(ours.stdout) != json.loads(theirs.stdout):
        faults.append(f"{' '.join(words)}: {ours.stdout}{ours.stderr} != {theirs.stdout}")


def same_text(*words):
    ours, theirs = run(OURS, *words, status=None), run(THEIRS, *words, status=None)
    if (ours.returncode, ours.stdout) != (theirs.returncode, theirs.stdout):
        faults.append(f"{' '.join(words)}: {ours.stdout}{ours.stderr} != {theirs.stdout}")


def judged(image, like=None):
    run(THEIRS, "check", "-q", image)
    if like:
        run(THEIRS, "compare", "-q", image, like)


def matrix():
    for number, options in enumerate(MATRIX):
        for maker, reader in ((OURS, THEIRS), (THEIRS, OURS)):
            name = f"m{number}-{pathlib.Path(maker).name}"
            words = options.replace("DATA", name + ".data")
            run(maker, "convert", "-f", "raw", "-O", "qcow2", *(["-o", words] if words else []),
                "r.raw", name)
            run(reader, "check", "-q", name)
            run(reader, "compare", "-q", "-f", "raw", "-F", "qcow2", "r.raw", name)
    for kind in ("zlib", "zstd"):
        for maker, reader in ((OURS, THEIRS), (THEIRS, OURS)):
            run(maker, "convert", "-c", "-f", "raw", "-O", "qcow2", "-o",
                f"compression_type={kind}", "r.raw", "c.qcow2")
            run(reader, "check", "-q", "c.qcow2")
            run(reader, "compare", "-q", "-f", "raw", "r.raw", "c.qcow2")


def make_chain():
    run(THEIRS, "create", "-q", "-f", "qcow2", "base.qcow2", "16M")
    run(QEMU_IO, "-c", "write -P 3 1M 3M", "-c", "write -z 9M 1M", "base.qcow2")
    run(THEIRS, "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "base.qcow2", "top.qcow2")
    run(QEMU_IO, "-c", "write -P 5 2M 500k", "-c", "discard 0 1M", "-c", "write -z 8M 128k",
        "top.qcow2")
    run(THEIRS, "create", "-q", "-f", "qcow2", "other.qcow2", "16M")
    run(QEMU_IO, "-c", "write -P 9 0 16M", "other.qcow2")
    # Clusters in holes of the file; clusters of two L2 tables one behind the other.
    run(THEIRS, "create", "-q", "-f", "qcow2", "-o", "preallocation=metadata", "ahead.qcow2", "1G")
    run(THEIRS, "create", "-q", "-f", "qcow2", "-o", "cluster_size=4k", "small.qcow2", "16M")
    for image in ("ahead.qcow2", "small.qcow2"):
        run(QEMU_IO, "-c", "write -P 3 1M 300k", "-c", "write -P 4 9M 70k", image)


def looking():
    for image in ("base.qcow2", "top.qcow2", "c.qcow2", "ahead.qcow2", "small.qcow2"):
        same_json("info", "--output=json", image)
        same_text("info", image)
        same_json("check", "--output=json", image)
        same_text("check", image)
        same_json("map", "--output=json", image)
        same_json("measure", "--output=json", "-O", "qcow2", image)
    for options in ("raw", "qcow", "qed", "vdi", "vpc", "vhdx", "vmdk",
                    "vmdk -o subformat=twoGbMaxExtentSparse"):
        run(THEIRS, "create", "-q", "-f", *options.split(), "i.img", "40M")
        run(QEMU_IO, "-f", options.split()[0], "-c", "write -P 3 1M 300k", "i.img")
        same_json("info", "--output=json", "i.img")
        same_text("info", "i.img")
    same_json("info", "--backing-chain", "--output=json", "top.qcow2")
    same_text("map", "top.qcow2")
    same_json("map", "-s", "1M", "-l", "2M", "--output=json", "top.qcow2")
    same_text("measure", "--size", "1T", "-O", "qcow2", "-o", "cluster_size=4k")
    same_text("compare", "top.qcow2", "base.qcow2")
    same_text("compare", "-s", "top.qcow2", "base.qcow2")
    run(OURS, "compare", "nowhere", "base.qcow2", status=2)
    run(OURS, "check", "-f", "raw", "r.raw", status=63)


def changing():
    run(OURS, "convert", "-q", "-O", "qcow2", "-B", "base.qcow2", "-F", "qcow2", "top.qcow2",
        "tb.qcow2")
    judged("tb.qcow2", "top.qcow2")
    for backing in ("", "other.qcow2"):
        shutil.copy("top.qcow2", "t.qcow2")
        run(OURS, "rebase", "-b", backing, *(["-F", "qcow2"] if backing else []), "t.qcow2")
        judged("t.qcow2", "top.qcow2")
    shutil.copy("base.qcow2", "b.qcow2")
    shutil.copy("top.qcow2", "t.qcow2")
    run(OURS, "rebase", "-u", "-b", "b.qcow2", "-F", "qcow2", "t.qcow2")
    run(OURS, "commit", "-q", "t.qcow2")
    judged("b.qcow2", "top.qcow2")
    judged("t.qcow2", "top.qcow2")
    run(OURS, "snapshot", "-c", "one", "b.qcow2")
    run(QEMU_IO, "-c", "write -P 7 0 4M", "b.qcow2")
    run(OURS, "convert", "-l", "one", "-O", "raw", "b.qcow2", "one.raw")
    run(THEIRS, "compare", "-q", "-f", "raw", "one.raw", "top.qcow2")
    run(OURS, "snapshot", "-a", "one", "b.qcow2")
    judged("b.qcow2", "top.qcow2")
    run(OURS, "snapshot", "-d", "one", "b.qcow2")
    run(OURS, "snapshot", "-d", "one", "b.qcow2", status=1)
    judged("b.qcow2", "top.qcow2")
    run(OURS, "bitmap", "--add", "-g", "64k", "b.qcow2", "days")
    run(OURS, "bitmap", "--disable", "b.qcow2", "days")
    same_json("info", "--output=json", "b.qcow2")
    run(OURS, "convert", "--bitmaps", "-O", "qcow2", "b.qcow2", "bb.qcow2")
    same_json("info", "--output=json", "bb.qcow2")
    run(OURS, "bitmap", "--remove", "b.qcow2", "days")
    for bits in (1, 64, 2, 32, 8):
        run(OURS, "amend", "-o", f"refcount_bits={bits}", "b.qcow2")
        judged("b.qcow2", "top.qcow2")
    run(OURS, "amend", "-o", "compat=0.10,refcount_bits=8", "b.qcow2", status=1)
    run(OURS, "amend", "-o", "compat=0.10", "b.qcow2", status=1)
    run(OURS, "amend", "-o", "compat=0.10,refcount_bits=16", "b.qcow2")
    run(OURS, "amend", "-o", "refcount_bits=4", "b.qcow2", status=1)
    judged("b.qcow2", "top.qcow2")
    run(OURS, "amend", "-o", "compat=1.1,lazy_refcounts=on,size=20M", "b.qcow2")
    run(OURS, "resize", "-q", "--shrink", "b.qcow2", "5M")
    judged("b.qcow2")
    run(OURS, "dd", "-f", "raw", "-O", "qcow2", "bs=1000", "skip=3", "count=500", "if=r.raw",
        "of=d.qcow2")
    data = pathlib.Path("r.raw").read_bytes()[3000:503000]
    pathlib.Path("d.raw").write_bytes(data + bytes(-len(data) % 512))
    run(THEIRS, "compare", "-q", "-F", "raw", "d.qcow2", "d.raw")


def stopping():
    """An interrupted convert leaves no target."""
    process = subprocess.Popen([OURS, "convert", "-f", "raw", "-O", "qcow2", "-r", "1M", "r.raw",
                                "half.qcow2"], stderr=subprocess.DEVNULL)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    if process.wait(30) != 1 or os.path.exists("half.qcow2"):
        faults.append("an interrupted convert has left its target or has not failed")


def main():
    if not THEIRS or not QEMU_IO:
        print("no qemu-img to compare with")
        return 1 if os.environ.get("VITRINE_TESTS_COMPLETE") else 77
    with tempfile.TemporaryDirectory(prefix="vitrine-img-") as folder:
        os.chdir(folder)
        data = bytearray(8 << 20)
        for _ in range(40):
            at = random.Random(_).randrange(len(data) - 90000)
            data[at:at + 90000] = random.Random(_).randbytes(90000)
        pathlib.Path("r.raw").write_bytes(data)
        matrix()
        make_chain()
        looking()
        changing()
        stopping()
        os.chdir("/")
    print("\n".join(faults) if faults else "all equal")
    return 1 if faults else 0


sys.exit(main())
