#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vitrine-img beside qemu-img: the same command on the same files, in turn.

img.py BUILD [--rounds N] [--mib N] [--dir DIR]... [NAME...]

Sources are of four kinds: random, text (of this host's documentation), sparse and zeroes. Each row is
the median and the least of the seconds on the clock, and of those of the processor, and how many
times as long qemu-img takes: by the median of pairs on the clock, by the least of the processor's.
The clock says something on a host that does nothing else; the processor's seconds always do. Without
--dir the files lie in memory."""
import argparse
import os
import pathlib
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

MIB = 1 << 20
# name: kinds of sources, source format, options of convert
CONVERTS = {
    "raw-qcow2": (("random", "text", "sparse", "zeroes"), "raw", ("-O", "qcow2")),
    "qcow2-raw": (("random", "text", "sparse"), "qcow2", ("-O", "raw")),
    "qcow2-qcow2": (("random", "text"), "qcow2", ("-O", "qcow2")),
    "compress": (("text", "random"), "raw", ("-c", "-O", "qcow2")),
    "compress-zstd": (("text",), "raw", ("-c", "-O", "qcow2", "-o", "compression_type=zstd")),
    "uncompress": (("text",), "packed", ("-O", "raw")),
}


def texts():
    for folder in ("/usr/share/doc", "/usr/include", "/usr/share/perl"):
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.is_file() and path.suffix in ("", ".h", ".txt", ".pm", ".pl", ".html"):
                yield path.read_bytes()


def make_raw(path, kind, mib):
    source = random.Random(kind)
    with open(path, "wb") as out:
        if kind == "sparse":
            out.truncate(mib * 16 * MIB)
            for _ in range(mib):
                out.seek(source.randrange(mib * 16 * MIB // 65536 - 1) * 65536)
                out.write(source.randbytes(65536))
            return
        while kind == "text" and out.tell() < mib * MIB:
            for text in texts():
                out.write(text)
                if out.tell() >= mib * MIB:
                    break
        out.truncate(mib * MIB)
        for _ in range(mib if kind in ("random", "zeroes") else 0):
            out.write(source.randbytes(MIB) if kind == "random" else bytes(MIB))


def seconds(words):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    clock, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def pairs(ours, theirs, command, target, rounds):
    rows = ([], [])
    for number in range(rounds + 1):
        for row, tool in zip(rows, (ours, theirs)):
            target.unlink(missing_ok=True)
            figures = seconds([tool, *command])
            if number > 0:
                row.append(figures)
    target.unlink(missing_ok=True)
    return rows


def open_chain(ours, theirs, folder, rounds):
    """A disk of 1 TiB whose chain is 20 images deep: opening it all, and one read."""
    subprocess.run([theirs, "create", "-q", "-f", "qcow2", folder / "0.qcow2", "1T"], check=True)
    for i in range(1, 21):
        subprocess.run([theirs, "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", f"{i - 1}.qcow2",
                        folder / f"{i}.qcow2"], check=True)
    report("open-chain", pairs(ours, theirs, ["bench", "-c", "1", "-f", "qcow2",
                                              folder / "20.qcow2"], folder / "none", rounds))
    for i in range(21):
        (folder / f"{i}.qcow2").unlink()


def report(name, rows):
    clock = [[row[0] for row in rows[i]] for i in (0, 1)]
    cpu = [[row[1] for row in rows[i]] for i in (0, 1)]
    by_clock = statistics.median(b / a for a, b in zip(*clock))
    print(f"{name:24} {statistics.median(clock[0]):7.3f} {min(clock[0]):7.3f} {min(cpu[0]):7.3f}   "
          f"{statistics.median(clock[1]):7.3f} {min(clock[1]):7.3f} {min(cpu[1]):7.3f}   "
          f"{by_clock:5.2f} {min(cpu[1]) / min(cpu[0]):5.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--dir", action="append")
    parser.add_argument("name", nargs="*")
    args = parser.parse_intermixed_args()
    ours, theirs = str(args.build / "img" / "vitrine-img"), shutil.which("qemu-img")
    if not theirs:
        sys.exit("bench: there is no qemu-img to compare with")
    for place in args.dir or ["/dev/shm"]:
        print(f"{place}, {args.mib} MiB, {args.rounds} rounds, load {os.getloadavg()[0]:.1f}\n"
              f"{'seconds':24} {'ours':>7} {'least':>7} {'cpu':>7}   {'qemu':>7} {'least':>7} "
              f"{'cpu':>7}   clock   cpu")
        with tempfile.TemporaryDirectory(prefix="vitrine-bench-", dir=place) as name:
            folder = pathlib.Path(name)
            if not args.name or "open-chain" in args.name:
                open_chain(ours, theirs, folder, args.rounds)
            for kind in ("random", "text", "sparse", "zeroes"):
                raw = folder / f"{kind}.raw"
                make_raw(raw, kind, args.mib)
                for test, (kinds, form, options) in CONVERTS.items():
                    if kind not in kinds or (args.name and test not in args.name):
                        continue
                    source = raw
                    if form != "raw":
                        source = folder / f"{kind}.{form}"
                        subprocess.run([theirs, "convert", *(["-c"] if form == "packed" else []),
                                        "-f", "raw", "-O", "qcow2", raw, source], check=True)
                    target = folder / "target"
                    report(f"{test} {kind}", pairs(
                        ours, theirs, ["convert", "-f", "raw" if form == "raw" else "qcow2",
                                       *options, source, target], target, args.rounds))
                for path in folder.iterdir():
                    path.unlink()


main()
