#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian guest with two CPUs that compiles, tests and computes in a loop; whatever comes out is compared
with what the host's programs of the same version make. Suite guest-long; VITRINE_SOAK_S says for how long
(an hour: 3600)."""
import glob
import hashlib
import os
import subprocess
import tempfile
import time

import machine
from debian import Debian
from machine import Failure, note
from test_debian import expect_equal, on_host
from test_stress import PYTHON

SECONDS = float(os.environ.get("VITRINE_SOAK_S", "300"))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LEVELS = ["-O2", "-O0 -g", "-O3 -march=x86-64-v3", "-Os", "-O1 -fPIC"]
PER_TURN = 8


def preprocess(folder):
    """Sources of this project without their headers, for a guest that has none of the libraries."""
    flags = on_host("pkg-config", "--cflags", "glib-2.0").split()
    flags += ["-D_GNU_SOURCE"]
    flags += [f"-I{ROOT}/engine/{name}" for name in ("core", "cpu", "tcg", "include")]
    names = []
    for path in sorted(glob.glob(f"{ROOT}/engine/tcg/*.c") + glob.glob(f"{ROOT}/engine/core/*.c")):
        name = os.path.basename(path)[:-2] + ".i"
        done = subprocess.run(["gcc", "-E", "-P", *flags, path, "-o", os.path.join(folder, name)],
                              stderr=subprocess.DEVNULL, check=False)
        if done.returncode == 0:
            names.append(name)
    return names


def host_sums(folder, names, level):
    """sha256sum's lines of the objects."""
    lines = []
    for name in names:
        out = os.path.join(folder, "out.o")
        subprocess.run(["gcc", *level.split(), f"-ffile-prefix-map={folder}=.", "-w", "-c", name, "-o",
                        out], cwd=folder, check=True)
        with open(out, "rb") as stream:
            lines.append(f"{hashlib.sha256(stream.read()).hexdigest()}  {name}.o")
    return "\n".join(lines)


class Work:
    """What a turn does; each returns how many answers were compared."""

    def __init__(self, vm, folder, names):
        self.vm, self.folder, self.names = vm, folder, names
        self.same_compiler = vm.run("gcc --version").split("\n")[0] == \
            on_host("gcc", "--version").split("\n")[0]
        self.expected = {}
        self.pods = None

    def compile(self, turn):
        level = LEVELS[turn % len(LEVELS)]
        first = turn * PER_TURN % len(self.names)
        names = sorted((self.names + self.names)[first:first + PER_TURN])
        key = (level, tuple(names))
        if key not in self.expected:
            self.expected[key] = host_sums(self.folder, names, level) if self.same_compiler else None
        words = " ".join(names)
        out = self.vm.run(f"for i in {words}; do echo $i; done | xargs -P2 -I@ gcc {level} "
                          "-ffile-prefix-map=$PWD=. -w -c @ "
                          f"-o @.o && for i in {words}; do sha256sum $i.o; done", 1800)
        self.expected[key] = self.expected[key] or out
        expect_equal("gcc " + level, out, self.expected[key])
        return len(names)

    def python(self, turn):
        modules = [PYTHON[(turn * 4 + i) % len(PYTHON)] for i in range(4)]
        self.vm.run(f"python3 -m test -q -j2 --timeout 1800 {' '.join(modules)} >py.log 2>&1 || "
                    "{ tail -n 40 py.log; false; }", 3600)
        expect_equal("check.py", self.vm.run("python3 check.py", 600), self.host("python3", "check.py"))
        return len(modules) + 1

    def perl(self, _turn):
        expect_equal("check.pl", self.vm.run("perl check.pl", 600), self.host("perl", "check.pl"))
        # the manual pages of Perl's own modules, twice the same
        pods = self.vm.run("find /usr/share/perl/5* -name '*.pm' -size +20k | sort | head -n 60 | "
                           "xargs -P2 -n5 sh -c 'for i; do pod2text $i 2>&1 | sha256sum; done' x | sort", 1800)
        self.pods = self.pods or pods
        expect_equal("pod2text", pods, self.pods)
        return 2

    def jits(self, _turn):
        expected = self.host("python3", "check.py", "jit")
        expect_equal("node", self.vm.run("node check.js", 900), expected)
        expect_equal("java", self.vm.run("java Check.java", 1200), expected)
        return 2

    def host(self, *command):
        if command not in self.expected:
            self.expected[command] = on_host(*command)
        return self.expected[command]


def soak():
    end = time.monotonic() + SECONDS
    with tempfile.TemporaryDirectory() as folder:
        names = preprocess(folder)
        if len(names) < PER_TURN:
            raise Failure(f"only {len(names)} sources could be preprocessed")
        for name in ("check.py", "check.pl", "check.js", "Check.java"):
            subprocess.run(["cp", os.path.join(ROOT, "tests/guest/debian", name), folder], check=True)
        with Debian(2, folder=folder) as vm:
            work = Work(vm, folder, names)
            counts, turn = {}, 0
            while turn == 0 or time.monotonic() < end:
                for step in (work.compile, work.python, work.perl, work.jits):
                    vm.run("cd /root/work")
                    counts[step.__name__] = counts.get(step.__name__, 0) + step(turn)
                turn += 1
                note(f"turn {turn}, {SECONDS - (end - time.monotonic()):.0f} s: {counts}")
            vm.check_kernel()
            vm.power_off()


if __name__ == "__main__":
    machine.main([soak])
