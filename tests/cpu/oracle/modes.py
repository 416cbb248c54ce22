#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The translator and the interpreter judged by the host CPU in every mode, counted over runs.

usage: modes.py BUILD [--seconds S] [--rounds N] [--seed N] [--tally FILE] [MODE...]

Each mode in turn for S seconds, with a seed that no run before had; --rounds 0 goes on until it is
ended. --tally adds what was executed to a table in FILE, and prints it with the sums. A difference is
printed as cpu-oracle does, with the seed that shows it again, and ends the runs with status 1."""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time

# Options of cpu-oracle, and variables of its environment.
MODES = {
    "default": "",
    "exact": "--exact",
    "undefined": "--exact --undefined",
    "one-insn": "--exact --one-insn",
    "force-exits": "--exact --force-exits",
    "tlb-4": "--exact --tlb-entries 4",
    "tlb-4-default": "--tlb-entries 4",
    "invalidate": "--exact --invalidate-every 50",
    "invalidate-default": "--invalidate-every 7",
    "rewrite": "--exact --rewrite",
    "rewrite-default": "--rewrite",
    "loops": "--exact --loops 100",
    "loops-default": "--loops 100",
    "moved": "--exact --mode 64 --moved 100",
    "moved-default": "--mode 64 --moved 100",
    "moved-rewrite": "--exact --mode 64 --moved 100 --rewrite",
    "moved-invalidate": "--mode 64 --moved 100 --loops 50 --invalidate-every 30",
    "odd": "--exact --one-insn --force-exits --tlb-entries 4 --invalidate-every 50 --rewrite",
    "warm": "--warm-up 2 --loops 50",
    "warm-moved": "--warm-up 1 --mode 64 --moved 100 --loops 70 --rewrite",
    "hot": "--warm-up 1 --hot --loops 50",
    "hot-moved": "--warm-up 1 --hot --mode 64 --moved 100 --loops 50",
    "hot-tlb-4": "--warm-up 1 --hot --tlb-entries 4",
    "disturb": "--disturb 20",
    "short": "--exact --length 3",
    "long": "--length 24 --loops 50",
    "avx512": "VIT_ORACLE_AVX512=1 --exact --class "
              "int,stack,flow,string,system,x87,mmx,sse,avx",
}
CLOSING = re.compile(r"cpu-oracle: seed \d+, (\d+) cases, (\d+) instructions \((\d+) executed\), "
                     r"(\d+) faults, .*; (\d+) differences, (\d+) not when alone, "
                     r"(\d+) host not stable, (\d+) switched, (\d+) endless, "
                     r"(\d+) strayed, (\d+) batches lost")
NAMES = "cases generated executed faults differences again unstable switched endless strayed lost".split()


def run(program, mode, seconds, seed):
    """(status, what it said, counts of its closing line)"""
    words = MODES[mode].split()
    variables = dict(word.split("=") for word in words if "=" in word)
    command = [program, "--executor", "interp,tcg", "--count", str(10 ** 12), "--seconds",
               str(seconds), "--seed", str(seed), *(word for word in words if "=" not in word)]
    done = subprocess.run(command, env={**os.environ, **variables}, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = done.stdout.decode(errors="replace")
    closing = CLOSING.search(text)
    counts = dict(zip(NAMES, map(int, closing.groups()))) if closing else {}
    return done.returncode, " ".join(command) + "\n" + text, counts


def add_to_tally(path, mode, counts):
    tally = json.loads(path.read_text()) if path.exists() else {}
    row = tally.setdefault(mode, {})
    for name, count in {**counts, "runs": 1}.items():
        row[name] = row.get(name, 0) + count
    partial = path.with_suffix(".new")
    partial.write_text(json.dumps(tally, indent=1) + "\n")
    partial.replace(path)


def print_tally(path):
    tally = json.loads(path.read_text()) if path.exists() else {}
    for mode, row in tally.items():
        print(f"{mode:20}{row.get('executed', 0):14}{row.get('differences', 0):6}")
    print(f"{'all':20}{sum(row.get('executed', 0) for row in tally.values()):14}"
          f"{sum(row.get('differences', 0) for row in tally.values()):6}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build")
    parser.add_argument("--seconds", type=int, default=20, help="of each mode")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--tally", type=pathlib.Path)
    parser.add_argument("mode", nargs="*")
    args = parser.parse_intermixed_args()
    unknown = [name for name in args.mode if name not in MODES]
    if unknown:
        sys.exit(f"modes: there is no mode {unknown[0]}; there are: {' '.join(MODES)}")
    program = os.path.join(args.build, "tests/cpu/oracle/cpu-oracle")
    seed, rounds, failed = args.seed, 0, False
    while not failed and (not args.rounds or rounds < args.rounds):
        for mode in args.mode or MODES:
            status, text, counts = run(program, mode, args.seconds, seed)
            print(f"{mode}: seed {seed}: {counts.get('executed', 0)} executed, "
                  f"{counts.get('differences', 0)} differences, {counts.get('unstable', 0)} host not "
                  f"stable, {counts.get('lost', 0)} batches lost", flush=True)
            if args.tally and counts:
                add_to_tally(args.tally, mode, counts)
            if status != 0:
                failed = True
                print(text, flush=True)
            seed += 1
        rounds += 1
    if args.tally:
        print_tally(args.tally)
    sys.exit(failed)


main()
