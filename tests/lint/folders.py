#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each folder has a README that says where to start reading, stays short, and where it has a table of
files names every source in it."""
import fnmatch
import os
import re
import subprocess
import sys

# folders of data that the README above them explains
DATA = ("tests/fuzz/corpus", ".ci")
# aim at 40; tables may take more
LINES = 80


def unnamed(text, names):
    """Sources that the table of files does not name; a row may say `blk-file*.c` or, behind a file
    of the same family, `-irq`."""
    if not re.search(r"^\| files? ", text, re.M | re.I):
        return []
    words = [re.sub(r"\.(c|h|\*|\[ch\])$", "", word) for quoted in re.findall(r"`([^`]+)`", text)
             for word in quoted.split()]
    return [name for name in names if name.endswith(".c") and
            not any(fnmatch.fnmatchcase(name[:-2], word) or
                    word.startswith("-") and name[:-2].endswith(word) for word in words)]


def main(root):
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True,
                             stdout=subprocess.PIPE).stdout.decode().split("\0")
    folders = sorted({os.path.dirname(path) for path in tracked if os.path.dirname(path)})
    faults = []
    for folder in folders:
        if folder.startswith(DATA):
            continue
        path = os.path.join(root, folder, "README.md")
        if not os.path.exists(path):
            faults.append(f"{folder}: no README.md: say what the folder is and where to start reading")
            continue
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        if "tart reading" not in text:
            faults.append(f"{folder}/README.md: does not say where to start reading")
        if text.count("\n") > LINES:
            faults.append(f"{folder}/README.md: over {LINES} lines")
        here = [os.path.basename(path) for path in tracked if os.path.dirname(path) == folder]
        faults += [f"{folder}/README.md: its table of files does not name {name}"
                   for name in unnamed(text, here)]
    if not folders:
        faults.append("git names no file here")
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
