#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian 12 from a disk: systemd, packages, compilers and language run times at work, every answer
compared with the host's. Takes long: suite guest-long, ./dev test-long."""
import hashlib
import os
import subprocess
import tempfile
import time

import machine
from debian import Debian
from machine import Failure, note

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "debian")


def on_host(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=HERE).stdout.decode()


def expect_equal(name, got, expected):
    if got.strip() != expected.strip():
        pairs = zip(got.splitlines() + [""] * 99, expected.splitlines())
        raise Failure(f"{name}: " + "; ".join(f"{a!r} is to be {b!r}" for a, b in pairs if a != b))


class Times:
    """Seconds of each step, said at the end."""

    def __init__(self):
        self.steps = []
        self.last = time.monotonic()

    def step(self, name):
        now = time.monotonic()
        self.steps.append(f"{name} {now - self.last:.0f}")
        self.last = now

    def say(self, title):
        note(f"{title}, seconds: " + ", ".join(self.steps))


def packages(vm):
    """A package made, checked, installed by apt, configured, used, and removed again."""
    vm.run("mkdir -p p/DEBIAN p/usr/bin p/etc && printf 'Package: vitrine-sample\\nVersion: 1.5\\n"
           "Architecture: all\\nMaintainer: nobody <nobody@example.org>\\nDepends: perl, python3\\n"
           "Description: sample\\n' >p/DEBIAN/control")
    vm.run("printf '#!/bin/sh\\necho sample-runs $(cat /etc/vitrine-sample)\\n' >p/usr/bin/vitrine-sample "
           "&& chmod 755 p/usr/bin/vitrine-sample && echo 17 >p/etc/vitrine-sample && "
           "echo /etc/vitrine-sample >p/DEBIAN/conffiles && dpkg-deb --root-owner-group -b p v.deb")
    vm.run("apt-get install -y ./v.deb", 300)
    assert "sample-runs 17" in vm.run("vitrine-sample")
    assert "1.5" in vm.run("dpkg-query -W vitrine-sample")
    vm.run("apt-get purge -y vitrine-sample", 300)
    vm.run("vitrine-sample", status=127)
    # every file of these packages read, its MD5 sum compared
    vm.run("dpkg -V libc6 perl-base coreutils gcc-12 libpython3.11-stdlib systemd", 300)


def compiler(vm):
    """The same program, compiled in the guest in several ways, says what the host's says."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "compute")
        on_host("gcc", "-O2", "-ffp-contract=off", "compute.c", "-o", program, "-lm")
        expected = on_host(program)
    ways = ["-O0", "-O2", "-Os -march=x86-64-v2", "-O1 -g"]
    flags = vm.run("grep -m1 ^flags /proc/cpuinfo").split()
    if "avx2" in flags and "fma" in flags:
        ways.append("-O3 -mavx2 -mfma -ftree-vectorize")
    if "avx512bw" in flags and "avx512vl" in flags:
        ways.append("-O3 -march=x86-64-v4 -mprefer-vector-width=512")
    for way in ways:
        vm.run(f"gcc {way} -ffp-contract=off compute.c -o compute -lm", 240)
        expect_equal("gcc " + way, vm.run("./compute", 240), expected)
    note("compiled with: " + "; ".join(ways))


def scripts(vm):
    expect_equal("python3", vm.run("python3 check.py", 300), on_host("python3", "check.py"))
    expect_equal("perl", vm.run("perl check.pl", 300), on_host("perl", "check.pl"))


def guest_jits(vm):
    """Machines that make machine code at run time."""
    expected = on_host("python3", "check.py", "jit")
    expect_equal("node", vm.run("node check.js", 400), expected)
    expect_equal("java", vm.run("java Check.java", 600), expected)


def openssl(vm):
    data = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(1 << 15))
    vm.run("python3 -c 'import hashlib,sys; sys.stdout.buffer.write(b\"\".join(hashlib.sha256(b\"%d\" "
           "% i).digest() for i in range(1 << 15)))' >data")
    for name in ("md5", "sha1", "sha256", "sha512", "sha3-256"):
        expected = hashlib.new(name.replace("-", "_"), data).hexdigest()
        got = vm.run(f"openssl dgst -r -{name} data").split()[0]
        expect_equal("openssl " + name, got, expected)
    for cipher in ("aes-256-cbc", "aes-128-ctr", "chacha20"):
        key = "-K 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        key = key[:35] if "128" in cipher else key
        options = f"-{cipher} {key} -iv 0f0e0d0c0b0a09080706050403020100"
        with tempfile.NamedTemporaryFile() as plain:
            plain.write(data)
            plain.flush()
            host = subprocess.run(f"openssl enc {options} -in {plain.name}", shell=True, check=True,
                                  stdout=subprocess.PIPE).stdout
        got = vm.run(f"openssl enc {options} -in data | sha256sum").split()[0]
        expect_equal(cipher, got, hashlib.sha256(host).hexdigest())
        vm.run(f"openssl enc {options} -in data -out coded && openssl enc -d {options} -in coded | "
               "cmp - data")
    vm.run("openssl genrsa -out rsa.pem 2048 && openssl dgst -sha256 -sign rsa.pem -out s data && "
           "openssl rsa -in rsa.pem -pubout -out pub.pem && "
           "openssl dgst -sha256 -verify pub.pem -signature s data", 300)
    vm.run("openssl ecparam -genkey -name prime256v1 -out ec.pem && openssl dgst -sha512 -sign ec.pem "
           "-out s data && openssl ec -in ec.pem -pubout -out pub.pem && "
           "openssl dgst -sha512 -verify pub.pem -signature s data", 120)
    # products of MULX, ADCX, ADOX and vectors in fresh processes; each key tries itself
    vm.run("bad=0; for i in 1 2 3 4 5 6 7 8; do openssl genrsa -out rsa.pem 2048 && "
           "openssl rsa -check -noout -in rsa.pem || bad=1; done; test $bad = 0", 600)
    note(vm.run("openssl speed -seconds 1 -bytes 8192 sha256 aes-256-cbc 2>/dev/null | tail -n 2", 60))


def userland(cpus):
    times = Times()
    with Debian(cpus) as vm:
        times.step("to login")
        assert vm.run("nproc") == str(cpus)
        # degraded would name a unit that failed
        state = vm.run("systemctl is-system-running --wait; systemctl --failed --no-legend", 240)
        assert state == "running", state
        note(vm.run("systemd-analyze time"))
        for step in (packages, compiler, scripts, guest_jits, openssl):
            vm.run("cd /root/work")
            step(vm)
            times.step(step.__name__)
        vm.check_kernel()
        vm.power_off()
        times.step("power off and check")
    times.say(f"{cpus} CPUs")


def litmus(cpus, turns):
    """What CPUs see of each other's writes, of new code, and of pages that go."""
    with Debian(cpus, memory="512") as vm:
        vm.run("cd /root/work && gcc -O2 -pthread litmus.c -o litmus", 120)
        note(vm.run(f"./litmus {turns}", 900))
        vm.check_kernel()
        vm.power_off()


def litmus_two_cpus():
    litmus(2, 20000)


def litmus_four_cpus():
    litmus(4, 1000)


def one_cpu():
    userland(1)


def two_cpus():
    userland(2)


if __name__ == "__main__":
    machine.main([one_cpu, two_cpus, litmus_two_cpus, litmus_four_cpus])
