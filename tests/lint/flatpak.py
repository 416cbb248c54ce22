#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The Flatpak manifest agrees with the tree: id, command, permissions that the program relies on, and
none that opens the host's files. Reads the few YAML forms the manifest uses; builds nothing."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1]).resolve()
MANIFEST = ROOT / "flatpak" / "org.vitrine.Vitrine.yml"
TEXT = MANIFEST.read_text(encoding="utf-8")
NEEDED = ["--socket=wayland", "--socket=fallback-x11", "--share=ipc", "--device=dri",
          "--device=kvm", "--socket=pulseaudio", "--share=network"]


def main():
    faults = []
    if not re.search(r"^id: org\.vitrine\.Vitrine$", TEXT, re.M):
        faults.append("id is not the application's")
    if not re.search(r"^command: vitrine$", TEXT, re.M):
        faults.append("command is not the program")
    lines = [line for line in TEXT.splitlines() if not line.lstrip().startswith("#")]
    arguments = [line.strip()[2:] for line in lines if re.match(r"\s+- --", line)]
    faults += [f"lacks {name}" for name in NEEDED if name not in arguments]
    faults += [f"opens the host: {name}" for name in arguments if name.startswith("--filesystem")]
    faults += [f"line {number}: tab or odd indent" for number, line in
               enumerate(TEXT.splitlines(), 1)
               if "\t" in line or (len(line) - len(line.lstrip())) % 2]
    modules = re.findall(r"^  - name: (\S+)$", TEXT, re.M)
    if not modules or modules[-1] != "vitrine":
        faults.append("the application is not the last module")
    sources = len(re.findall(r"^    sources:$", TEXT, re.M))
    if sources != len(modules):
        faults.append(f"{len(modules)} modules, {sources} lists of sources")
    for kind, pin in (("archive", "sha256"), ("git", "commit")):
        for source in re.findall(rf"- type: {kind}\n((?: {{8}}\S.*\n)+)", TEXT):
            if not re.search(rf"^ +{pin}: [0-9a-f]{{40,64}}$", source, re.M):
                faults.append(f"{kind} without {pin}: {source.split()[1]}")
    folder = re.search(r'"(/app/[^"]*)", /\* Flatpak', (
        ROOT / "engine" / "machine" / "firmware-path.c").read_text(encoding="utf-8"))[1]
    for path in re.findall(r"(/app/\S+\.bin)\b", TEXT):
        if not path.startswith(folder + "/"):
            faults.append(f"firmware in {path}, looked for in {folder}")
    if shutil.which("flatpak-builder"):
        with tempfile.TemporaryDirectory() as place:
            read = subprocess.run(["flatpak-builder", "--show-manifest", str(MANIFEST)], cwd=place,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  check=False)
        if read.returncode:
            faults.append("flatpak-builder does not read it: " + read.stdout[-200:])
    for fault in faults:
        print("flatpak/org.vitrine.Vitrine.yml:", fault)
    print(f"{len(modules)} modules, {len(arguments)} permissions and options, {len(faults)} faults")
    return 1 if faults else 0


sys.exit(main())
