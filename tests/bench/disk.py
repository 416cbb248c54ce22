#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest gets out of its disk, beside QEMU under translation.

disk.py BUILD [--rounds N] [--requests N] [--format raw|qcow2] [--cache MODE] [--aio HOW] [--iothread]

A Linux guest makes requests of 4 KiB to a virtio-blk disk past its page cache: in order and at random,
one at a time and 16 at a time, and large ones. The two emulators run in turn with the same arguments.
Each row is the median of the rounds: requests a second by the host's clock, the emulator's processor
time a request, and how many times as much QEMU needs of either. "host" is the same program on a raw
file of the host's, without any guest: what the host's kernel and its disk take. On a host that does
other things only the processor's column says something. The image lies in memory where the host has /dev/shm
(cache=none needs a file system with direct I/O: --dir)."""
import argparse
import os
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "guest"))
import assets  # noqa: E402

MIB = 64
LAST_ROW = "read-seq-256k"
TICK = os.sysconf("SC_CLK_TCK")


def build_initrd(folder, requests):
    program = os.path.join(folder, "disk-guest")
    assets.run(*os.environ.get("CC", "gcc").split(), "-O2", "-static", "-o", program,
               os.path.join(HERE, "disk-guest.c"))
    kernel, modules = assets.kernel()
    with open(program, "rb") as stream:
        data = stream.read()
    initrd = assets.initrd(f"sleep 1; /bin/disk-guest /dev/vda {MIB} {requests}; echo ALL-DONE",
                           modules_dir=modules, modules=["virtio_pci", "virtio_blk"], name="disk",
                           files={"bin/disk-guest": data})
    return assets.vmlinux(kernel), initrd, program


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stream:
        fields = stream.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def guest_command(program, kernel, initrd, image, options):
    command = [*program, "-nodefaults", "-m", "256", "-vga", "none", "-display", "none", "-kernel", kernel,
               "-initrd", initrd, "-append", "console=ttyS0 panic=-1 quiet", "-no-reboot",
               "-serial", "stdio", "-drive",
               f"file={image},if=none,id=d,format={options.format},cache={options.cache},"
               f"aio={options.aio}"]
    if options.iothread:
        return command + ["-object", "iothread,id=io0", "-device", "virtio-blk-pci,drive=d,iothread=io0"]
    return command + ["-device", "virtio-blk-pci,drive=d"]


def host_command(program, image, options):
    return [program, image, str(MIB), str(options.requests),
            *(["cached"] if options.cache == "writeback" else [])]


def run_rows(command):
    """row -> (seconds, processor seconds, requests)."""
    rows, started = {}, {}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        buffer, end = b"", time.monotonic() + 900
        try:
            while b"ALL-DONE" not in buffer:
                if not select.select([process.stdout], [], [], max(0, end - time.monotonic()))[0]:
                    raise TimeoutError(" ".join(command))
                piece = os.read(process.stdout.fileno(), 65536)
                now, cpu = time.monotonic(), cpu_seconds(process.pid)
                if not piece and LAST_ROW in rows:
                    return rows
                if not piece:
                    raise RuntimeError(buffer.decode(errors="replace"))
                buffer += piece
                *lines, buffer = buffer.split(b"\n")
                for line in lines:
                    words = line.decode(errors="replace").split()
                    if words[:1] == ["START"]:
                        started[words[1]] = (now, cpu)
                    elif words[:1] == ["END"]:
                        clock, before = started[words[1]]
                        # Both lines may come at once on a host that was late to look.
                        rows[words[1]] = (max(now - clock, 1e-3), cpu - before, int(words[2]))
                    elif words[:1] == ["FAILED"] or words[:1] == ["ALL-DONE"]:
                        if words[0] == "FAILED":
                            raise RuntimeError(line.decode())
                        return rows
        finally:
            process.kill()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--format", default="raw", choices=["raw", "qcow2"])
    parser.add_argument("--cache", default="writeback")
    parser.add_argument("--aio", default="threads")
    parser.add_argument("--iothread", action="store_true")
    parser.add_argument("--dir", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    options = parser.parse_args()
    ours = [os.path.join(options.build, "app", "vitrine-run"), "-accel", "tcg", "-cpu", "max"]
    qemu = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max"]
    results = {"ours": [], "qemu": [], "host": []}
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        kernel, initrd, native = build_initrd(folder, options.requests)
        for _ in range(options.rounds):
            for name, program in (("ours", ours), ("qemu", qemu)):
                image = os.path.join(folder, "disk")
                assets.run("qemu-img", "create", "-q", "-f", options.format, image, f"{MIB}M")
                results[name].append(run_rows(guest_command(program, kernel, initrd, image, options)))
                os.unlink(image)
            with open(image, "wb") as stream:
                stream.truncate(MIB << 20)
            results["host"].append(run_rows(host_command(native, image, options)))
            os.unlink(image)
        os.unlink(initrd)
    load = os.getloadavg()[0]
    print(f"{options.format} cache={options.cache} aio={options.aio} "
          f"iothread={'yes' if options.iothread else 'no'}; load {load:.1f}")
    print(f"{'row':<18}{'ours/s':>9}{'qemu/s':>9}{'times':>7}{'host/s':>9}"
          f"{'ours us':>9}{'qemu us':>9}{'times':>7}{'host us':>9}")
    for row in results["ours"][0]:
        rate, cost = {}, {}
        for name, rounds in results.items():
            rate[name] = statistics.median(r[row][2] / r[row][0] for r in rounds)
            cost[name] = statistics.median(r[row][1] / r[row][2] * 1e6 for r in rounds)
        print(f"{row:<18}{rate['ours']:>9.0f}{rate['qemu']:>9.0f}{rate['ours'] / rate['qemu']:>7.2f}"
              f"{rate['host']:>9.0f}"
              f"{cost['ours']:>9.1f}{cost['qemu']:>9.1f}"
              f"{cost['qemu'] / max(cost['ours'], 0.1):>7.2f}{cost['host']:>9.1f}", flush=True)
    return 0


if __name__ == "__main__":
    if not shutil.which("qemu-system-x86_64"):
        sys.exit("qemu-system-x86_64 is not installed: there is nothing to compare with")
    sys.exit(main())
