#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the table of kinds that users may name, from data/mission/devices.tsv.

usage: gen-known-kinds.py devices.tsv > known-kinds.c
"""

import re
import sys

CLASSES = {
    "machine": "MACHINE", "machine-version": "MACHINE", "accelerator": "ACCEL",
    "cpu-model": "CPU",
}
# Not for -device: backends have tables of their own, the others are no devices.
OTHERS = {
    "block-driver", "chardev-backend", "netdev-backend", "audio-backend", "display-backend",
    "object", "vga-type", "tpm-backend", "firmware", "firmware-table", "firmware-interface",
    "kind", "bus",
}


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main():
    rows = []
    with open(sys.argv[1], encoding="utf-8") as table:
        next(table)
        for line in table:
            name, kind, _, _, title = line.rstrip("\n").split("\t")[:5]
            if kind in OTHERS:
                continue
            status = "VIT_STATUS_NOT_YET"
            if "other host" in title:
                status = "VIT_STATUS_OTHER_HOST"
            elif "other target" in title:
                status = "VIT_STATUS_OTHER_TARGET"
            names = [name]
            for found in re.findall(r"\(alias(?:es)? ([^)]*)\)", title):
                names += [alias for alias in re.split(r"[ ,]+", found) if alias]
            for found in re.findall(r"; aliases (.*)", title if kind == "cpu-model" else ""):
                names += re.findall(r"([A-Za-z0-9_-]+) \(v", found)
            title = title.split(";")[0]
            rows += [(CLASSES.get(kind, "DEVICE"), n, title, status) for n in names]
    print("/* Made by gen-known-kinds.py from devices.tsv. */")
    print('#include "vit-known-kinds.h"')
    print("const VitKnownKind vit_known_kinds[] = {")
    for klass, name, title, status in sorted(set(rows)):
        print(f"    {{ VIT_KIND_{klass}, {quote(name)}, {quote(title)}, {status} }},")
    print("    { 0 },\n};")


main()
