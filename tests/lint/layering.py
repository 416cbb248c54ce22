#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Layering that include directories cannot see: no "../" includes, no GTK outside app/ui, file
headers present, include directives of a layer only from the layers it may use."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1])
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.M)

# folder -> folders whose headers it may include (itself is implied)
MAY_USE = {
    "engine/include": [],
    "engine/core": ["engine/include"],
    "engine/tls": ["engine/include", "engine/core"],
    "engine/options": ["engine/include", "engine/core"],
    "engine/cpu": ["engine/include", "engine/core"],
    "engine/tcg": ["engine/include", "engine/core", "engine/cpu"],
    "engine/kvm": ["engine/include", "engine/core", "engine/cpu"],
    "engine/gdb": ["engine/include", "engine/core", "engine/cpu"],
    "engine/hw": ["engine/include", "engine/core"],
    "engine/block": ["engine/include", "engine/core", "engine/tls"],
    "engine/net": ["engine/include", "engine/core"],
    "engine/fs9p": ["engine/include", "engine/core"],
    "engine/char": ["engine/include", "engine/core"],
    "engine/monitor": ["engine/include", "engine/core"],
    "engine/remote": ["engine/include", "engine/core"],
    "engine/machine": ["engine"],
    "img": ["engine/include", "engine/core", "engine/block"],
    "audio": ["engine/include"],
    "usb-redirect": ["engine/include"],
    "app/ui": ["app", "engine/include"],
    "app": ["engine/include", "audio", "usb-redirect"],
}
# The one file that puts windows and application together.
ROOTS = {"app/main.c": ["app/ui"]}
GTK = re.compile(r"^(gtk|gdk|handy|vte|epoxy)")


def tracked():
    out = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=ROOT, check=True,
                         capture_output=True, text=True).stdout
    return [pathlib.PurePosixPath(line) for line in out.splitlines()]


def layer_of(path):
    best = None
    for layer in MAY_USE:
        if str(path).startswith(layer + "/") and (best is None or len(layer) > len(best)):
            best = layer
    return best


def main():
    files = tracked()
    owner = {}
    for path in files:
        if path.suffix == ".h":
            owner.setdefault(path.name, set()).add(layer_of(path))
    bad = 0
    for path in files:
        text = (ROOT / path).read_text(encoding="utf-8")
        layer = layer_of(path)
        if "SPDX-License-Identifier: GPL-2.0-or-later" not in text[:200]:
            print(f"{path}: no licence line")
            bad += 1
        for quote, name in INCLUDE.findall(text):
            if "../" in name:
                print(f"{path}: includes {name} by a path outside its layer")
                bad += 1
            if GTK.match(name) and layer != "app/ui" and not str(path).startswith("tests/"):
                print(f"{path}: includes {name}; only app/ui may use it")
                bad += 1
            layers = owner.get(pathlib.PurePosixPath(name).name)
            if layer is None or quote == "<" or not layers or layer in layers:
                continue
            allowed = MAY_USE[layer] + ROOTS.get(str(path), [])
            if not any(owner_layer and any(owner_layer == a or owner_layer.startswith(a + "/")
                                           for a in allowed) for owner_layer in layers):
                print(f"{path}: {layer} must not use {name} of {sorted(map(str, layers))}")
                bad += 1
    print(f"{len(files)} files, {bad} faults")
    return 1 if bad else 0


sys.exit(main())
