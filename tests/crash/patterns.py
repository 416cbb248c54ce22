#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random writes to qcow2 images of every kind, by this project and by qemu-io in turn.

For every set of create options an image is made by one of them, written by both at random, with a
snapshot between; each must read what the other has written, and both must find it clean. Skipped
where there is no qemu-io. mission: intro.tool.image-create blockdev.qcow2.file"""
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile

OURS = os.environ["VITRINE_IMG"]
WRITER = os.environ["CRASH_WRITER"]
THEIRS, QEMU_IO = shutil.which("qemu-img"), shutil.which("qemu-io")
SIZE = 4 << 20
OPTIONS = ["", "cluster_size=512", "cluster_size=2M", "compat=0.10", "compat=0.10,cluster_size=1k",
           "extended_l2=on", "extended_l2=on,cluster_size=16k", "refcount_bits=1",
           "refcount_bits=2,cluster_size=512", "refcount_bits=64,cluster_size=4k",
           "lazy_refcounts=on", "lazy_refcounts=on,cluster_size=4k", "compression_type=zstd",
           "preallocation=metadata", "preallocation=falloc", "preallocation=full",
           "preallocation=metadata,extended_l2=on", "data_file=DATA",
           "data_file=DATA,data_file_raw=on", "data_file=DATA,extended_l2=on"]


class Fault(Exception):
    pass


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          timeout=60)
    if done.returncode != 0:
        raise Fault(f"{' '.join(map(str, words))[:300]}: {done.returncode}: {done.stderr[-300:]}")


def content(tool, image, *words):
    out = pathlib.Path("content.raw")
    run(tool, "convert", *words, "-f", "qcow2", "-O", "raw", image, out)
    return out.read_bytes()


def same(what, ours, theirs):
    if ours != theirs:
        at = next(i for i in range(len(ours)) if ours[i:i + 1] != theirs[i:i + 1])
        raise Fault(f"{what}: differs at byte {at}: {ours[at:at + 4]} {theirs[at:at + 4]}")


def write_by_qemu(image, model, source):
    commands = []
    for _ in range(25):
        count = source.randrange(1, 300) * 512
        at = source.randrange((SIZE - count) // 512) * 512
        kind = source.random()
        if kind < 0.2:
            commands.append(f"write -z {at} {count}")
            model[at:at + count] = bytes(count)
        else:
            byte = source.randrange(1, 256)
            commands.append(f"write -P {byte} {at} {count}")
            model[at:at + count] = bytes([byte]) * count
        if source.random() < 0.1:
            commands.append("flush")
    run(QEMU_IO, "-f", "qcow2", *(word for command in commands for word in ("-c", command)), image)


def check(image):
    run(OURS, "check", "-q", image)
    run(THEIRS, "check", "-q", image)


def one(number, options):
    source = random.Random(options)
    image = f"i{number}.qcow2"
    words = options.replace("DATA", f"i{number}.data")
    run((OURS, THEIRS)[number % 2], "create", "-q", "-f", "qcow2",
        *(["-o", words] if words else []), image, SIZE)
    model = bytearray(SIZE)
    for turn in range(2):
        run(WRITER, "fill", image, 10 * number + turn + 1)
        check(image)
        ours, theirs = content(OURS, image), content(THEIRS, image)
        same("after our writes", ours, theirs)
        if not any(struct.unpack_from("<Q", ours, at)[0] // 1000 == 10 * number + turn + 1
                   for at in range(0, SIZE, 512)):
            raise Fault("none of our writes is there")
        model[:] = theirs
        write_by_qemu(image, model, source)
        check(image)
        same("after their writes", content(OURS, image), bytes(model))
        if turn == 0 and "data_file" not in options and "refcount_bits=1" != options:
            run((THEIRS, OURS)[number % 2], "snapshot", "-c", "one", image)
            kept = bytes(model)
    if "data_file" not in options and options != "refcount_bits=1":
        for tool in (OURS, THEIRS):
            same("the snapshot", content(tool, image, "-l", "one"), kept)
        run((OURS, THEIRS)[number % 2], "snapshot", "-d", "one", image)
        check(image)
        same("without the snapshot", content(THEIRS, image), bytes(model))


def main():
    if not QEMU_IO or not THEIRS:
        print("no qemu-io to write with")
        return 1 if os.environ.get("VITRINE_TESTS_COMPLETE") else 77
    faults = 0
    with tempfile.TemporaryDirectory(prefix="vitrine-patterns-") as folder:
        os.chdir(folder)
        for number, options in enumerate(OPTIONS):
            try:
                one(number, options)
            except Fault as fault:
                faults += 1
                print(f"{options or 'defaults'}: {fault}")
        os.chdir("/")
    print(f"{len(OPTIONS)} sets of options, {faults} faults")
    return 1 if faults else 0


sys.exit(main())
