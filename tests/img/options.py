#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every create option that qemu-img knows, in every format, both ways: an image made with it by
either program holds the same disk for the other, which finds it clean. An option of qemu-img's that
no row below has is a fault. Skipped where there is no qemu-img.
mission: intro.tool.image-create"""
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

OURS, THEIRS = os.environ["VITRINE_IMG"], shutil.which("qemu-img")
SIZE = 3 << 20
# Of all formats, about the file itself and without effect on what is in it; and size, which every
# row has.
COMMON = {"size", "nocow", "extent_size_hint"}
BACKING = "backing_file=base.raw,backing_fmt=raw"
ROWS = {
    "raw": ["", "preallocation=off", "preallocation=falloc", "preallocation=full"],
    "qcow2": ["", "compat=0.10", "compat=1.1", "cluster_size=4k", "refcount_bits=1",
              "compression_type=zstd", "extended_l2=on", "lazy_refcounts=on",
              "preallocation=metadata", "preallocation=falloc", "preallocation=full",
              "data_file=DATA", "data_file=DATA,data_file_raw=on", BACKING,
              "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=200",
              "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=200,"
              "encrypt.cipher-alg=aes-128,encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv,"
              "encrypt.ivgen-hash-alg=sha256,encrypt.hash-alg=sha512",
              "encrypt.format=luks,encrypt.key-secret=s,preallocation=metadata"],
    "vmdk": ["", "adapter_type=lsilogic", "compat6=on", "hwversion=6", "toolsversion=2147483647",
             "zeroed_grain=on", "subformat=monolithicSparse", "subformat=monolithicFlat",
             "subformat=twoGbMaxExtentSparse", "subformat=twoGbMaxExtentFlat",
             "subformat=streamOptimized", "backing_file=base.vmdk,backing_fmt=vmdk"],
    "vdi": ["", "static=on"],
    "vhdx": ["", "block_size=1M", "block_state_zero=off", "log_size=2M", "subformat=fixed",
             "subformat=dynamic"],
    "vpc": ["force_size=on", "force_size=on,subformat=fixed", "force_size=on,subformat=dynamic"],
    "qcow": ["", BACKING],
    "qed": ["", "cluster_size=4k", "cluster_size=4k,table_size=4", BACKING],
    "parallels": ["", "cluster_size=64k"],
    "luks": ["key-secret=s,iter-time=200", "key-secret=s,iter-time=200,cipher-alg=aes-192",
             "key-secret=s,iter-time=200,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256",
             "key-secret=s,iter-time=200,hash-alg=sha512", "key-secret=s,iter-time=200,"
             "preallocation=full"],
}
# Options that no row can have, and why.
NEVER = {
    # refused by name, since its cipher gives no protection; and of the file below, see there
    "qcow": {"encryption", "encrypt.format", "encrypt.key-secret", "preallocation"},
    "qcow2": {"encryption"},  # qemu-img makes no images of that old kind any more
    "vdi": {"preallocation"},  # qemu-img refuses its own; static=on is the same
    # of the file below, which these formats fill as they like
    "vmdk": {"preallocation"}, "vhdx": {"preallocation"}, "vpc": {"preallocation"},
    "qed": {"preallocation"}, "parallels": {"preallocation"},
}
CHECKED = {"qcow2", "vmdk", "vdi", "vhdx", "qed", "parallels"}
SECRET = ["--object", "secret,id=s,data=word"]
faults = []


def run(*words):
    for _ in range(20):
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                              timeout=60, check=False)
        # qemu-img times itself for LUKS, and gives up on a busy host
        if "accurate CPU usage" not in done.stderr:
            break
    if done.returncode:
        faults.append(f"{' '.join(map(str, words))}: {done.returncode}: {done.stderr[-300:]}")
    return done.returncode == 0


def image_words(form, options, name):
    """How an image is named to either program."""
    if form == "luks":
        return [*SECRET, "--image-opts", f"driver=luks,key-secret=s,file.filename={name}"]
    if "encrypt.format" in options:
        return [*SECRET, "--image-opts",
                f"driver=qcow2,encrypt.key-secret=s,file.filename={name}"]
    return ["-f", form, name]


def one(number, form, options):
    for maker, reader in ((OURS, THEIRS), (THEIRS, OURS)):
        name = f"{form}{number}-{pathlib.Path(maker).name}"
        words = options.replace("DATA", name + ".data")
        secret = SECRET if "secret" in options else []
        if "backing_file" in options:
            # the overlay holds nothing: what shows is the base
            made = run(maker, "create", "-q", "-f", form, "-o", words, name)
        else:
            made = run(maker, "convert", *secret, "-f", "raw", "-O", form,
                       *(["-o", words] if words else []), "base.raw", name)
        if not made:
            continue
        pathlib.Path("out.raw").unlink(missing_ok=True)
        image = image_words(form, options, name)
        if run(reader, "convert", *image[:-1], image[-1], "-O", "raw", "out.raw"):
            if pathlib.Path("out.raw").read_bytes() != pathlib.Path("base.raw").read_bytes():
                faults.append(f"{name} ({words}): {pathlib.Path(reader).name} reads another disk")
        if form in CHECKED and "encrypt" not in options:
            run(reader, "check", "-q", "-f", form, name)


def all_named(form):
    said = subprocess.run([THEIRS, "create", "-f", form, "-o", "help", "x"], capture_output=True,
                          text=True, check=False).stdout
    theirs = set(re.findall(r"^  ([a-z_0-9.-]+)=", said, re.M))
    ours = subprocess.run([OURS, "create", "-f", form, "-o", "help", "x"], capture_output=True,
                          text=True, check=False).stdout
    tried = {word.split("=")[0] for row in ROWS[form] for word in row.split(",")}
    for option in theirs - tried - COMMON - NEVER.get(form, set()):
        faults.append(f"no row of {form} has the option {option}")
    for option in theirs - NEVER.get(form, set()) - {"extent_size_hint"}:
        if not re.search(rf"^\s*{re.escape(option)}\b", ours, re.M):
            faults.append(f"vitrine-img knows no option {option} of {form}")


def main():
    if not THEIRS:
        print("no qemu-img to compare with")
        return 1 if os.environ.get("VITRINE_TESTS_COMPLETE") else 77
    with tempfile.TemporaryDirectory(prefix="vitrine-options-") as folder:
        os.chdir(folder)
        source = random.Random(5)
        data = bytearray(SIZE)
        for _ in range(12):
            at = source.randrange(SIZE - 90000)
            data[at:at + 90000] = source.randbytes(90000)
        pathlib.Path("base.raw").write_bytes(data)
        run(THEIRS, "convert", "-f", "raw", "-O", "vmdk", "base.raw", "base.vmdk")
        for form, rows in ROWS.items():
            all_named(form)
            for number, options in enumerate(rows):
                one(number, form, options)
        os.chdir("/")
    print("\n".join(faults) if faults else f"{sum(map(len, ROWS.values()))} rows, both ways")
    return 1 if faults else 0


sys.exit(main())
