#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The interpreter and the translator on hosts that lack something: each feature that the engine asks
the host for is taken away in turn (VITRINE_HOST_WITHOUT, engine/cpu/x86-host.c).

usage: masks.py BUILD [--quick] [--no-boot] [--count INSTRUCTIONS] [NAME...]

For each: the host CPU as oracle, the quick tests of the CPU and the translator, a Linux boot. --quick
runs the oracle alone over the hosts there are: without AVX-512, AVX2, ADX, SSE4.2 and so on."""
import argparse
import os
import subprocess
import sys
import time

# Everything x86_host_has() is asked for: vector features a guest is then not offered, and integer
# ones that are offered all the same and interpreted.
ALONE = """avx512f avx512dq avx512ifma avx512cd avx512bw avx512vl avx512vbmi avx512vbmi2 avx512vnni
avx512bitalg avx512-vpopcntdq avx512-bf16 avx2 avx fma f16c vaes vpclmulqdq gfni aes pclmulqdq sha-ni
sse4a misalignsse sse4.2 sse4.1 ssse3 pni xsave xsaveopt xsavec xsaves xgetbv1 xsaveerptr mmxext
bmi1 bmi2 adx abm popcnt movbe cx16 lahf-lm""".split()
# Whole hosts: Skylake client, Haswell, Piledriver (no BMI2: everything is interpreted), Nehalem.
TOGETHER = ["avx512f", "avx512f,adx,sha-ni,gfni,vaes,sse4a,misalignsse",
            "avx512f,avx2,bmi2,adx,movbe,gfni,sha-ni", "avx,bmi1,bmi2,adx,abm,movbe,aes,gfni,sha-ni"]
TESTS = """tcg-access tcg-asm tcg-code tcg-copy tcg-count tcg-cpus tcg-host tcg-reencode tcg-system cpu-int cpu-rows
cpu-vec cpu-evex test-pmu test-svm test-x86-model test-x86-programs test-x86-transfer test-x86-mmu
test-x86-segment test-x86-segment-host test-x86-system-fuzz lockstep-firmware lockstep-firmware-cpus
test-facade test-two-machines gdb""".split()


# cpu-oracle's exit status where the host is neither AMD's nor Intel's, and the word for it.
SKIPPED = 77


def run(command, mask, seconds):
    """(verdict, seconds, last lines)"""
    start = time.monotonic()
    done = subprocess.run(command, env=dict(os.environ, VITRINE_HOST_WITHOUT=mask), check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds)
    text = done.stdout.decode(errors="replace")
    verdict = {0: "pass", SKIPPED: "skipped"}.get(done.returncode, "FAIL")
    return verdict, time.monotonic() - start, text


def oracle(build, mask, count):
    path = os.path.join(build, "tests/cpu/oracle/cpu-oracle")
    return run([path, "--quick", "--count", str(count), "--translate"], mask, 1200)


def tests(build, mask):
    return run(["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs", *TESTS], mask, 1200)


def boot(build, mask):
    env = os.environ
    env["VITRINE_RUN"] = os.path.join(build, "app/vitrine-run")
    here = os.path.dirname(os.path.abspath(__file__))
    return run([sys.executable, os.path.join(here, "../../guest/test_linux.py"), "amd64_two_cpus"], mask,
               1200)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-boot", action="store_true")
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("names", nargs="*")
    args = parser.parse_intermixed_args()
    masks = args.names or (TOGETHER if args.quick else ALONE + TOGETHER[1:])
    count = args.count or (100000 if args.quick else 1000000)
    steps = [("oracle", lambda mask: oracle(args.build, mask, count))]
    if not args.quick:
        steps += [("tests", lambda mask: tests(args.build, mask))]
    if not (args.quick or args.no_boot):
        steps += [("boot", lambda mask: boot(args.build, mask))]
    failed = 0
    print(f"1..{len(masks)}")
    for number, mask in enumerate(masks, 1):
        said, good = [], True
        for name, step in steps:
            verdict, seconds, text = step(mask)
            said.append(f"{name} {verdict} {seconds:.1f} s")
            if verdict == "FAIL":
                good = False
                print("\n".join("# " + line for line in text.splitlines()[-30:]))
        failed += not good
        judged = any(" skipped " not in word for word in said)
        print(f"{'ok' if good else 'not ok'} {number} without {mask} #{'' if judged else ' SKIP'} "
              f"{', '.join(said)}", flush=True)
    sys.exit(1 if failed else 0)


main()
