#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Speed of guests beside QEMU and the host itself, in one run.

Each round starts a guest on every emulator in turn, with the same arguments, for one group of
benchmarks; the host times the lines that the guest prints. A ratio over 1 in the column qemu/ours
says that this project's emulator is that much faster; ours/native says how much slower than the
host it is. Medians of the rounds; the last columns are the noise, (max - min) / median.
"""
import argparse
import glob
import hashlib
import json
import math
import os
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "guest"))
import assets  # noqa: E402

OURS, QEMU, NATIVE = "ours", "qemu", "native"
DEFAULT = """sieve sort recur interp vcall mixer string bodies mandel x87 matmul-sse2 blend-avx2
stream pages syscall pipe fork fault signal generated modified atomic2 both-busy gzip python""".split()
# Programs of the distribution: name, packages, what one run does. Data is made in the guest.
APPS = {
    "gzip": "gzip -n -6 < /tmp/data | md5sum",
    "xz": "xz -2 < /tmp/data | md5sum",
    "openssl": "for i in 1 2 3 4 5 6 7 8; do openssl dgst -sha512 /tmp/data; done | md5sum",
    "python": "python3.11 /bench/work.py",
    "shell": "i=0; while [ $i -lt 4000 ]; do i=$((i+1)); s=$s$((i%10)); done; echo $s | md5sum",
}
PYTHON_WORK = """
import hashlib, json, re
words = [hashlib.md5(str(i).encode()).hexdigest() for i in range(20000)]
table = {}
for word in words:
    table.setdefault(word[:2], []).append(int(word[2:10], 16))
total = sum(sum(sorted(row)[::3]) for row in table.values())
text = json.dumps(table)
print(total, len(json.loads(text)), len(re.findall(r'7\\\\d+', text)))
"""
PACKAGES = {"gzip": ["bin/gzip"], "xz-utils": ["usr/bin/xz"], "openssl": ["usr/bin/openssl"],
            "python3.11-minimal": ["usr/bin/python3.11"],
            "libpython3.11-minimal": ["usr/lib/python3.11"]}
LIBRARIES = "libc6 libssl3 liblzma5 zlib1g libexpat1".split()


# ---- the guests ----

def compiler():
    return os.environ.get("CC", "gcc").split()


def program():
    """The benchmark program, compiled when its sources have changed."""
    sources = sorted(glob.glob(os.path.join(HERE, "guest", "*.[ch]")))
    digest = hashlib.sha256(b"".join(open(path, "rb").read() for path in sources)).hexdigest()[:16]
    out = os.path.join(assets.CACHE, "bench-" + digest)
    if not os.path.exists(out):
        os.makedirs(assets.CACHE, exist_ok=True)
        assets.run(*compiler(), "-O2", "-static", "-o", out + ".part",
                   *[path for path in sources if path.endswith(".c")], "-lm", "-lpthread")
        os.rename(out + ".part", out)
    return out


def benchmarks():
    """name -> (group, needs two CPUs), in order."""
    rows = {}
    for line in assets.run(program(), "list").splitlines():
        name, group, _, needs = line.split()
        rows[name] = (group, bool(int(needs) & 2))
    rows.update({name: ("apps", False) for name in APPS})
    rows["boot"] = ("boot", False)
    return rows


def tree():
    """A folder with all that the guest has: also the chroot of the native column."""
    digest = hashlib.sha256(
        (program() + repr((APPS, PYTHON_WORK, PACKAGES, LIBRARIES))).encode()).hexdigest()[:16]
    root = os.path.join(assets.CACHE, "bench-tree-" + digest)
    if os.path.isdir(root):
        return root
    part = root + ".part"
    shutil.rmtree(part, ignore_errors=True)
    for folder in ("bin", "bench", "dev", "proc", "sys", "tmp", "usr/bin", "lib64"):
        os.makedirs(os.path.join(part, folder))
    shutil.copy2(assets.unpacked("busybox-static") + "/bin/busybox", part + "/bin/busybox")
    for applet in assets.APPLETS:
        os.symlink("busybox", os.path.join(part, "bin", applet))
    shutil.copy2(program(), part + "/bench/bench")
    with open(part + "/bench/work.py", "w", encoding="ascii") as stream:
        stream.write(PYTHON_WORK)
    for package, paths in PACKAGES.items():
        for path in paths:
            source, target = os.path.join(assets.unpacked(package), path), os.path.join(part, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if os.path.isdir(source):
                shutil.copytree(source, target, symlinks=True,
                                ignore=shutil.ignore_patterns("__pycache__"))
            else:
                if os.path.lexists(target):
                    os.unlink(target)
                shutil.copy2(source, target)
    libraries = os.path.join(part, "lib/x86_64-linux-gnu")
    os.makedirs(libraries)
    for package in LIBRARIES:
        for folder in ("lib", "usr/lib"):
            for path in glob.glob(os.path.join(assets.unpacked(package), folder,
                                               "x86_64-linux-gnu", "*.so*")):
                shutil.copy2(path, libraries, follow_symlinks=False)
    os.symlink("../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
               part + "/lib64/ld-linux-x86-64.so.2")
    with open(part + "/bench/run", "w", encoding="ascii") as stream:
        stream.write(script())
    os.chmod(part + "/bench/run", 0o755)
    os.rename(part, root)
    return root


def script():
    """run SCALE NAME...: a program of the table, or the benchmark program."""
    cases = "".join(f"{name}) app {name} ;;\n" for name in APPS)
    functions = "".join(f"app_{name}() {{ {command}; }}\n" for name, command in APPS.items())
    return f"""#!/bin/sh
export PATH=/bin:/usr/bin LD_LIBRARY_PATH=/lib/x86_64-linux-gnu PYTHONDONTWRITEBYTECODE=1
scale=$1; shift
{functions}
app() {{
    [ -f /tmp/data ] || for i in 1 2 3 4 5 6 7 8; do cat /usr/lib/python3.11/*.py; done 2>/dev/null |
        dd of=/tmp/data bs=4096 count=700 iflag=fullblock 2>/dev/null
    echo "BENCH-START $1 "
    check=$(app_$1 2>&1 | tr -c '[:alnum:]\\n' '_' | tail -n 1)
    echo "BENCH-END $1 $check"
}}
for name; do
    case $name in
    {cases}*) /bench/bench run $scale $name ;;
    esac
done
echo "BENCH-EXIT"
"""


def initrd(apps):
    """With the distribution's programs, or the small one without."""
    root = tree()
    out = root + ("-apps.gz" if apps else ".gz")
    if os.path.exists(out):
        return out
    cpio = assets.Cpio()
    for base, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders
                            if apps or base != root or name not in ("usr", "lib", "lib64"))
        for name in sorted(folders + files):
            path = os.path.join(base, name)
            inside = os.path.relpath(path, root)
            if os.path.islink(path):
                cpio.add(inside, 0o120777, os.readlink(path).encode())
            elif os.path.isdir(path):
                cpio.add(inside, 0o40755)
            else:
                with open(path, "rb") as stream:
                    cpio.add(inside, 0o100755, stream.read())
    cpio.add("dev/console", 0o20600, rdev=(5, 1))
    init = """#!/bin/sh
echo "BENCH-INIT"
mount -t proc none /proc
mount -t devtmpfs none /dev
mount -t tmpfs none /tmp
read line < /proc/cmdline
for word in $line; do
    case $word in
    bench=*) names=$(echo ${word#bench=} | tr , ' ') ;;
    scale=*) scale=${word#scale=} ;;
    esac
done
/bench/run $scale $names
while true; do sleep 1000; done
"""
    cpio.add("init", 0o100755, init.encode())
    with open(out + ".part", "wb") as stream:
        stream.write(cpio.finish())
    os.rename(out + ".part", out)
    return out


# ---- one run ----

class Run:
    """What one process said: seconds and check value by name."""

    def __init__(self):
        self.seconds, self.checks, self.skipped, self.tail = {}, {}, set(), []

    def watch(self, process, want, timeout):
        """Times the lines of PROCESS until WANT are there, TIMEOUT s without news, or its end."""
        started, at, buffer = {}, time.monotonic(), b""
        begin = at
        while True:
            ready, _, _ = select.select([process.stdout], [], [], max(0, at + timeout - time.monotonic()))
            now = time.monotonic()
            chunk = os.read(process.stdout.fileno(), 65536) if ready else b""
            if not chunk:
                return
            buffer += chunk
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                text = line.decode(errors="replace").strip()
                self.tail = self.tail[-20:] + [text]
                words = re.sub(r"^.*?(?=BENCH-)", "", text).split()
                if not words or not words[0].startswith("BENCH-"):
                    continue
                at = now
                word, name = words[0][6:], words[1] if len(words) > 1 else ""
                if word == "INIT" and "boot" in want:
                    self.seconds["boot"] = now - begin
                elif word == "START":
                    started[name] = now
                elif word == "END" and name in started:
                    self.seconds[name] = now - started[name]
                    self.checks[name] = words[2] if len(words) > 2 else ""
                elif word == "SKIP":
                    self.skipped.add(name)
                elif word == "EXIT":
                    return


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    process.stdout.close()


def run_guest(command, names, options, two_cpus):
    work = [name for name in names if name != "boot"]
    arguments = [*command, "-M", "pc", "-m", "512", "-smp", "2" if two_cpus else "1",
                 "-display", "none", "-vga", "none", "-nic", "none", "-no-reboot",
                 "-serial", "stdio", "-monitor", "none", "-kernel", options.kernel,
                 "-initrd", initrd(any(name in APPS for name in names)), "-append",
                 # a kernel that had no CPU while it tried the timer would panic and print nothing
                 "console=ttyS0 quiet panic=-1 no_timer_check "
                 f"bench={','.join(work)} scale={options.scale}"]
    run = Run()
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    try:
        run.watch(process, names, options.timeout)
    finally:
        stop(process)
    return run


def run_native(names, options):
    run = Run()
    names = [name for name in names if name != "boot"]
    if os.geteuid() == 0:
        command = ["chroot", tree(), "/bench/run", str(options.scale), *names]
    else:
        names = [name for name in names if name not in APPS]
        command = [program(), "run", str(options.scale), *names]
    if names:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        try:
            run.watch(process, names, options.timeout)
        finally:
            stop(process)
    return run


# ---- the table ----

def median(values):
    return statistics.median(values) if values else None


def mean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def show(value, form="%.2f"):
    return form % value if value is not None else "-"


def noise(values):
    return (max(values) - min(values)) / median(values) if len(values) > 1 and median(values) else None


def report(results, rows, sides):
    """Prints the table; returns the lines that tell of wrong results."""
    print(f"{'':14}{'ours s':>9}{'qemu s':>9}{'native s':>9}{'qemu/ours':>11}{'ours/native':>12}"
          f"{'noise o':>9}{'noise q':>8}")
    groups, complaints = {}, []
    for name, by in results.items():
        middle = {side: median(by[side]["seconds"]) for side in sides}
        ours, qemu, native = (middle.get(side) for side in (OURS, QEMU, NATIVE))
        faster = qemu / ours if ours and qemu else None
        slower = ours / native if ours and native else None
        groups.setdefault(rows[name][0], []).append((faster, slower))
        print(f"{name:14}{show(ours, '%.3f'):>9}{show(qemu, '%.3f'):>9}{show(native, '%.3f'):>9}"
              f"{show(faster):>11}{show(slower):>12}{show(noise(by[OURS]['seconds'])):>9}"
              f"{show(noise(by[QEMU]['seconds']) if QEMU in by else None):>8}")
        if ours is None and not by[OURS]["skipped"]:
            complaints.append(f"{name}: no result; last lines: " + " | ".join(by[OURS]["tail"][-3:]))
        checks = {side: sorted(set(by[side]["checks"])) for side in sides if by[side]["checks"]}
        if len({tuple(values) for values in checks.values()}) > 1:
            complaints.append(f"{name}: results differ: {checks}")
    print()
    every = [row for rows_of in groups.values() for row in rows_of]
    for group, members in [*groups.items(), ("all", every)]:
        faster, slower = (mean([row[i] for row in members if row[i]]) for i in (0, 1))
        print(f"{'mean, ' + group:41}{show(faster):>11}{show(slower):>12}")
    return complaints


def choose(words, rows):
    if not words:
        return [name for name in rows if name in DEFAULT]
    if words == ["all"]:
        return list(rows)
    unknown = [word for word in words if word not in rows and
               word not in {group for group, _ in rows.values()}]
    if unknown:
        sys.exit(f"bench: there is no benchmark or group {' '.join(unknown)}; --list names them")
    return [name for name in rows if name in words or rows[name][0] in words]


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="benchmarks or groups; all for everything; without any a short choice")
    parser.add_argument("--list", action="store_true", help="the benchmarks and their groups")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=0.5, help="of the work; 0.1 for a slow CPU")
    parser.add_argument("--timeout", type=float, default=60, help="seconds without news")
    parser.add_argument("--ours", default="-accel tcg -cpu max", help="options of ours")
    parser.add_argument("--qemu", default="-accel tcg,thread=multi -cpu max,-pku",
                        help="options of QEMU")
    parser.add_argument("--without", default="", help="qemu, native or both with a comma")
    parser.add_argument("--kernel", help="a kernel; otherwise the distribution's, downloaded once")
    parser.add_argument("--json", help="all figures into this file")
    options = parser.parse_intermixed_args()
    rows = benchmarks()
    if options.list:
        for name, (group, two_cpus) in rows.items():
            print(f"{name:14}{group}{', two CPUs' if two_cpus else ''}")
        return 0
    names = choose(options.names, rows)
    without = options.without.split(",")
    ours = [path for path in glob.glob(os.path.join(options.build, "**", "vitrine-run"), recursive=True)
            if os.path.isfile(path)]
    if not ours:
        sys.exit(f"bench: there is no vitrine-run in {options.build}: ./dev build")
    commands = {OURS: [ours[0], *options.ours.split()]}
    if QEMU not in without and shutil.which("qemu-system-x86_64"):
        commands[QEMU] = ["qemu-system-x86_64", *options.qemu.split()]
    sides = [*commands, *([] if NATIVE in without else [NATIVE])]
    options.kernel = options.kernel or assets.kernel("linux-image-cloud-amd64")[0]
    results = {name: {side: {"seconds": [], "checks": [], "skipped": False, "tail": []}
                      for side in sides} for name in names}
    parts = sorted({rows[name] for name in names}, key=list(rows.values()).index)
    for number in range(options.rounds):
        for part in parts:
            chosen = [name for name in names if rows[name] == part]
            for side in sides:
                run = (run_native(chosen, options) if side == NATIVE else
                       run_guest(commands[side], chosen, options, part[1]))
                for name in chosen:
                    row = results[name][side]
                    row["skipped"] |= name in run.skipped
                    row["tail"] = run.tail
                    if name in run.seconds:
                        row["seconds"].append(run.seconds[name])
                        row["checks"] += [run.checks[name]] if name in run.checks else []
            print(f"# round {number + 1}: {part[0]}", file=sys.stderr, flush=True)
    complaints = report(results, rows, sides)
    for line in complaints:
        print("! " + line)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as stream:
            json.dump({"sides": {side: commands.get(side, ["host"]) for side in sides},
                       "scale": options.scale, "host_cpus": os.cpu_count(),
                       "load": os.getloadavg(), "results": results}, stream, indent=1)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
