#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Catalogues: every language of LINGUAS passes msgfmt --check and says how complete it is; POTFILES
names every file of the application that has text for people, and only such that exist."""
import pathlib
import re
import subprocess
import sys

PO = pathlib.Path(sys.argv[1])
ROOT = PO.parent
MARKED = re.compile(r'(?<![\w])(_|N_|ngettext|C_)\s*\(\s*"')

DECLARED = re.compile(r'\bVIT_N_\s*\(\s*"')


def words(path):
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines()
            if line.strip() and not line.startswith("#")]


def main():
    bad = 0
    listed = set(words(PO / "POTFILES"))
    found = {str(path.relative_to(ROOT)) for path in ROOT.glob("app/**/*.c")
             if MARKED.search(path.read_text(encoding="utf-8"))}
    found |= {str(path.relative_to(ROOT)) for path in ROOT.glob("app/**/*.ui")
              if 'translatable="yes"' in path.read_text(encoding="utf-8")}
    for name in sorted(found - listed):
        print(f"po/POTFILES lacks {name}")
        bad += 1
    # what describes a new device must not wait for its translation
    declared = {str(path.relative_to(ROOT)) for path in ROOT.glob("engine/**/*.c")
                if "monitor" not in path.parts and
                DECLARED.search(path.read_text(encoding="utf-8"))}
    for name in sorted(declared - listed):
        print(f"note: po/POTFILES lacks {name}")
    for name in sorted(listed):
        if not (ROOT / name).exists():
            print(f"po/POTFILES names {name}, which is not there")
            bad += 1
    for language in words(PO / "LINGUAS"):
        out = subprocess.run(["msgfmt", "--check", "--statistics", "-o", "/dev/null",
                              str(PO / f"{language}.po")], stderr=subprocess.PIPE, text=True,
                             env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"})
        print(f"{language}: {out.stderr.strip()}")
        bad += out.returncode != 0
    return 1 if bad else 0


sys.exit(main())
