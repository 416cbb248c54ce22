#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian 12 under load: stress-ng with --verify class by class, Python's own tests, compiled programs
and RSA keys in loops. Takes long: suite guest-long, ./dev test-long. VITRINE_STRESS names some of the
classes, with commas."""
import os
import re

import machine
from debian import Debian
from machine import Failure, note
from test_debian import expect_equal, on_host

# stress-ng's stressors that check what they computed or saw, by what they are about.
CLASSES = {
    "cpu": "cpu bsearch bitonicsort cache crypt funccall funcret goto branch heapsort "
           "hsearch insertionsort jpeg judy longjmp lsearch matrix matrix-3d mergesort mpfr nop prime "
           "qsort radixsort regs shellsort skiplist sparsematrix str strcoll tree tsearch vecfp "
           "vecmath vecshuf vecwide wcs waitcpu x86cpuid zlib",
    "memory": "bad-altstack bigheap brk full list loadavg malloc mcontend membarrier memcpy memfd "
              "memrate memthrash mergesort mincore misaligned null numa oom-pipe pipe pipeherd "
              "prefetch ramfs randlist resources rmap shm shm-sysv stackmmap stream tlb-shootdown "
              "vm-addr zero",
    "vm": "fault madvise mlock mlockmany mmap mmapaddr mmapfixed mmapfork mmaphuge mmapmany mprotect "
          "mremap msync munmap pageswap pkey physpage remap shm stack swap userfaultfd vm vm-rw "
          "vm-segv vm-splice",
    "atomic": "atomic cacheline flipflop flushcache futex icache lockbus mcontend mutex "
              "peterson dekker sem sem-sysv",
    "signal": "alarm itimer kill pthread sigabrt sigchld sigfd sigfpe sigio sigpending sigpipe sigq "
              "sigrt sigsegv sigsuspend sigtrap sigbus signal signest timer timerfd trap",
    "fork": "clone daemon exec exit-group fork forkheavy nanosleep spawn vfork vforkmany wait zombie "
            "context session switch yield set tee splice vdso sysbadaddr tsc getrandom rdrand",
}
# Parts of Python's own tests: arithmetic, strings, threads, compiled regular expressions, processes. Debian
# ships no test_sqlite3.
PYTHON = """test_long test_int test_float test_complex test_cmath test_math test_decimal test_fractions
test_struct test_array test_bytes test_unicode test_re test_json test_pickle test_dict test_set
test_list test_sort test_generators test_zlib test_bz2 test_lzma test_hashlib test_binascii test_random
test_statistics test_thread test_threading test_signal test_ctypes test_mmap test_memoryview test_heapq
test_itertools test_functools test_compile test_ast test_coroutines test_audioop""".split()


ONLY = os.environ.get("VITRINE_STRESS", "").split(",")
# Stressors lock or touch all they can get; in a group of its own that ends them and not the shell.
LIMITED = "systemd-run --scope -q -p MemoryMax=600M "


def have(vm):
    """The stressors of this stress-ng."""
    return set(vm.run("stress-ng --stressors").split())


def stress(cpus, classes=CLASSES, seconds=2):
    with Debian(cpus) as vm:
        known = have(vm)
        for name, stressors in classes.items():
            if name not in ONLY and ONLY != [""]:
                continue
            ran, bad = [], []
            for stressor in sorted(set(stressors.split()) & known):
                out = vm.run(f"{LIMITED} stress-ng --{stressor} {cpus} --verify -t {seconds} --oomable "
                             f"--temp-path /tmp -q 2>&1; echo CODE=$?", 300)
                code = int(re.search(r"CODE=(\d+)$", out).group(1))
                # 1: it is too dangerous (--pathological) or too large; 3, 4: not in this kernel
                if code == 137 and "Memory cgroup out of memory" in out:
                    note(f"{stressor}: took more memory than it may, not verified")
                elif code not in (0, 1, 3, 4):
                    bad.append(f"{stressor} ({code}: {out[-300:]})")
                elif code == 0:
                    ran.append(stressor)
            note(f"{cpus} CPUs, {name}: {len(ran)} stressors verified")
            if bad:
                raise Failure(f"{name}: " + "; ".join(bad))
        if cpus > 1:  # stress-ng's cpu-online thinks itself too dangerous
            vm.run("bad=0; for i in 1 2 3 4 5; do for v in 0 1; do "
                   "echo $v >/sys/devices/system/cpu/cpu1/online || bad=1; done; done; "
                   f"test $bad$(nproc) = 0{cpus}", 120)
        check_kernel(vm)
        vm.power_off()


def check_kernel(vm):
    """Stressors fault on purpose: only what accuses the kernel or the CPU."""
    log = vm.run("dmesg")
    for bad in ("BUG:", "Oops", "WARNING:", "EXT4-fs error", "I/O error", "mce:", "bad pte"):
        if bad in log:
            note("\n".join(line for line in log.splitlines() if bad in line))
            raise Failure(f"the kernel says {bad!r}")


def stress_one_cpu():
    stress(1)


def stress_two_cpus():
    stress(2)


def python_tests():
    """Python's tests of itself, two at a time."""
    with Debian(2) as vm:
        out = vm.run(f"python3 -m test -j2 --timeout 900 {' '.join(PYTHON)} 2>&1 | tail -n 40; "
                     "test ${PIPESTATUS[0]} = 0", 3600)
        note(out[-400:])
        vm.check_kernel()
        vm.power_off()


def compile_and_run(rounds=10):
    """The compiler makes the same program again and again, on two CPUs at once."""
    expected = None
    with Debian(2) as vm:
        vm.run("cd /root/work")
        for turn in range(rounds):
            level = ("-O0", "-O1", "-O2", "-O3 -march=x86-64-v3", "-Os")[turn % 5]
            # a shell of its own: the one that is logged in tells of jobs that end
            out = vm.run(f"(for i in 1 2; do (gcc {level} -ffp-contract=off compute.c -o c$i -lm && "
                         "./c$i >o$i) & done; wait) && cmp c1 c2 && cmp o1 o2 && cat o1", 600)
            expected = expected or out
            expect_equal("gcc " + level, out, expected)
        vm.run("(for i in $(seq 8); do openssl genrsa -out k$i 2048 2>/dev/null & done; wait; for i in "
               "$(seq 8); do openssl rsa -check -noout -in k$i || exit 1; done)", 900)
        vm.check_kernel()
        vm.power_off()


if __name__ == "__main__":
    machine.main([stress_one_cpu, stress_two_cpus, python_tests, compile_and_run])
