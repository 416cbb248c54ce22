#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What starting and waiting cost: time to the first guest instruction, memory beside guest RAM, and
CPU time of a guest that waits for nothing. Bars: 50 ms, 40 MB, 1 %."""
import argparse
import glob
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

BARS = {"first_instruction_ms": 50, "memory_mb": 40, "still_percent": 1}


def firmware(path):
    """64 KiB whose first instructions write a byte to port E9h and stop."""
    rom = bytearray(0x10000)
    # mov al, '!'; out 0xe9, al; hlt; jmp to the hlt
    rom[0x0000:0x0007] = bytes([0xb0, 0x21, 0xe6, 0xe9, 0xf4, 0xeb, 0xfd])
    rom[0xfff0:0xfff5] = bytes([0xea, 0, 0, 0, 0xf0])
    with open(path, "wb") as stream:
        stream.write(rom)


def guest_ram_kb(pid, ram_mb):
    """Resident part of the mappings that are as large as guest RAM."""
    total, inside = 0, False
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as lines:
        for line in lines:
            words = line.split()
            if "-" in words[0] and not words[0].endswith(":"):
                low, high = (int(word, 16) for word in words[0].split("-"))
                inside = high - low >= ram_mb << 19 and "rw" in words[1]
            elif words[0] == "Rss:" and inside:
                total += int(words[1])
    return total


def status_kb(pid, key):
    with open(f"/proc/{pid}/status", encoding="utf-8") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(key))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stream:
        words = stream.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def measure(command, folder, seconds, ram_mb=128):
    rom, out = os.path.join(folder, "bios.bin"), os.path.join(folder, "port-e9")
    firmware(rom)
    if os.path.exists(out):
        os.unlink(out)
    os.mkfifo(out)
    start = time.monotonic()
    process = subprocess.Popen([*command, "-m", str(ram_mb), "-display", "none", "-nodefaults",
                                "-bios", rom, "-chardev", f"file,id=c,path={out}",
                                "-device", "isa-debugcon,iobase=0xe9,chardev=c"],
                               stdin=subprocess.DEVNULL)
    try:
        with open(out, "rb") as stream:
            byte = stream.read(1)
            first = time.monotonic() - start
            if byte != b"!":
                sys.exit("bench: the guest did not start")
            time.sleep(1)
            memory = status_kb(process.pid, "VmRSS:") - guest_ram_kb(process.pid, ram_mb)
            before = cpu_seconds(process.pid)
            time.sleep(seconds)
            still = (cpu_seconds(process.pid) - before) / seconds
    finally:
        process.terminate()
        process.wait()
    return {"first_instruction_ms": first * 1000, "memory_mb": memory / 1024,
            "still_percent": still * 100}


def main():
    parser = argparse.ArgumentParser(prog="./dev bench startup", description=__doc__)
    parser.add_argument("build", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="how long the still guest is watched")
    parser.add_argument("--accel", default="tcg")
    options = parser.parse_args()
    ours = [path for path in glob.glob(os.path.join(options.build, "**", "vitrine-run"), recursive=True)
            if os.path.isfile(path)]
    if not ours:
        sys.exit(f"bench: there is no vitrine-run in {options.build}: ./dev build")
    commands = {"ours": [ours[0], "-accel", options.accel]}
    if shutil.which("qemu-system-x86_64"):
        commands["qemu"] = ["qemu-system-x86_64", "-accel", options.accel]
    rounds = {side: [] for side in commands}
    with tempfile.TemporaryDirectory(prefix="vitrine-bench-") as folder:
        for _ in range(options.rounds):
            for side, command in commands.items():
                rounds[side].append(measure(command, folder, options.seconds))
    missed = 0
    print(f"{'':22}{'bar':>8}" + "".join(f"{side:>10}{'min-max':>16}" for side in commands))
    for name, bar in BARS.items():
        line = f"{name:22}{bar:>8}"
        for side in commands:
            values = [row[name] for row in rounds[side]]
            spread = f"{min(values):.1f}-{max(values):.1f}"
            line += f"{statistics.median(values):>10.1f}{spread:>16}"
        missed += statistics.median([row[name] for row in rounds["ours"]]) > bar
        print(line)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
