#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each folder has a README that says where to start reading, and stays short."""
import os
import subprocess
import sys

# folders of data that the README above them explains
DATA = ("tests/fuzz/corpus", ".ci")
# aim at 40; tables may take more
LINES = 120


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
    if not folders:
        faults.append("git names no file here")
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
