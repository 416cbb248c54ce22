#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bin2c.py IN OUT NAME LENGTH_NAME: a C array of a file's bytes."""
import sys

source, target, name, length = sys.argv[1:]
with open(source, "rb") as stream:
    data = stream.read()
with open(target, "w", encoding="ascii") as out:
    out.write(f"enum {{ {length} = {len(data)} }};\nstatic const unsigned char {name}[{length}] = {{\n")
    for at in range(0, len(data), 16):
        out.write("    " + " ".join(f"0x{byte:02x}," for byte in data[at:at + 16]) + "\n")
    out.write("};\n")
