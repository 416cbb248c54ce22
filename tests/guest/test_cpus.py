#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Many CPUs: all of them start, take interrupts by their ids, and know where they are."""
import os
import re

import assets
import machine

GUEST = os.environ["VITRINE_CPUS_GUEST"]


def probe(cpu, smp, words, seconds):
    """What cpus.elf says: facts by name (lists where a name repeats), leaves by CPU."""
    with machine.Machine("-nodefaults", "-cpu", cpu, "-smp", smp, "-m", "256", "-vga", "none",
                         "-kernel", GUEST, "-append", words, qmp=False) as guest:
        guest.wait_serial(r"(?m)^END", seconds)
        text = guest.serial()
    facts, leaves = {}, {}
    for name, value in re.findall(r"(?m)^([a-z-]+) ([0-9a-f]{8})$", text):
        facts.setdefault(name, []).append(int(value, 16))
    for line in re.findall(r"(?m)^cpu (.*)$", text):
        cpu_index, leaf, *registers = line.split()
        leaves[int(cpu_index, 16), leaf] = [int(word, 16) for word in registers]
    return facts, leaves


def check(what, got, wanted):
    if got != wanted:
        raise machine.Failure(f"{what}: {got!r}, not {wanted!r}")


def start_all(count, seconds):
    facts, _ = probe("max", str(count), "count", seconds)
    for name in "started", "physical", "logical":
        check(name, facts.get(name), [count - 1])
    check("interrupts nobody sent", facts.get("strays"), [0])
    check("TSC deadline", (facts.get("deadline"), facts.get("deadline-early")), ([1], [0]))


def sixteen():
    """mission: lapic"""
    start_all(16, 30)


def all_with_8_bit_ids():
    """mission: smp.cpus intro.smp-255"""
    start_all(255, 90)


def more_than_8_bits():
    start_all(300, 120)


def xapic_ids():
    """Without x2APIC messages name CPUs by 8 bits."""
    facts, _ = probe("qemu64,-x2apic", "255", "count", 60)
    check("started", facts.get("started"), [254])
    check("physical", facts.get("physical"), [254])


def topology():
    """mission: smp.dies smp.cores smp.threads smp.sockets"""
    facts, leaves = probe("Skylake-Server", "24,sockets=2,dies=2,cores=3,threads=2", "ids", 60)
    wanted = [s << 4 | d << 3 | c << 1 | t for s in range(2) for d in range(2) for c in range(3)
              for t in range(2)]
    check("APIC ids", sorted(facts["id"]), wanted)
    check("leaf 0xB threads", leaves[0, "0000000b.00"][:3], [1, 2, 0x100])
    check("leaf 0xB cores", leaves[0, "0000000b.01"][:3], [4, 12, 0x201])
    check("leaf 0x1F cores", leaves[0, "0000001f.01"][:3], [3, 6, 0x201])
    check("leaf 0x1F dies", leaves[0, "0000001f.02"][:3], [4, 12, 0x502])
    check("leaf 1 count", leaves[0, "00000001.00"][1] >> 16 & 0xff, 12)
    facts, leaves = probe("EPYC-Rome", "12,sockets=2,cores=3,threads=2", "ids", 60)
    check("APIC ids", sorted(facts["id"]), [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13])
    check("third level's sharers", leaves[0, "8000001d.03"][0] >> 14 & 0xfff, 5)
    check("threads of a core", leaves[0, "8000001e.00"][1] >> 8, 1)
    check("leaf 4 of AMD", leaves[0, "00000004.00"], [0, 0, 0, 0])


def models():
    """mission: query-cpu-definitions query-cpu-model-expansion"""
    with machine.Machine("-S", "-nodefaults", "-m", "32") as vm:
        listed = {row["name"]: row for row in vm.qmp("query-cpu-definitions")}
        check("an alias", listed["Haswell-noTSX"].get("alias-of"), "Haswell-v2")
        check("host under the translator", listed["host"]["unavailable-features"], ["kvm"])
        check("TSX", {"hle", "rtm"} <= set(listed["Haswell"]["unavailable-features"]), True)
        whole = vm.qmp("query-cpu-model-expansion", type="full",
                       model={"name": "Haswell", "props": {"avx2": False, "stepping": 9}})["model"]
        check("name", whole["name"], "Haswell")
        check("props", [whole["props"][k] for k in ("avx2", "avx", "hle", "stepping", "vendor")],
              [False, True, True, 9, "GenuineIntel"])
        fixed = vm.qmp("query-cpu-model-expansion", type="static", model={"name": "486"})["model"]
        check("static name", fixed["name"], "base")
        check("static props", (fixed["props"]["family"], fixed["props"]["tsc"]), (4, False))


def linux_topology():
    """Debian with 16 CPUs in two packages."""
    shell = assets.initrd(
        "echo SHELL-CPUS=$(grep -c ^processor /proc/cpuinfo); "
        "echo SHELL-PACKAGES=$(grep '^physical id' /proc/cpuinfo | sort | uniq -c | tr -s ' \\n\\t'); "
        "echo SHELL-CORES=$(grep -E '^(siblings|cpu cores)' /proc/cpuinfo | sort -u | tr -s ' \\n\\t')",
        name="cpus-16")
    kernel, _ = assets.kernel("linux-image-cloud-amd64")
    with machine.Machine("-nodefaults", "-m", "512", "-smp", "16,sockets=2,cores=4,threads=2",
                         "-vga", "none", "-cpu", "Skylake-Server,-pku", "-kernel", kernel,
                         "-initrd", shell, "-append", "console=ttyS0 panic=-1 quiet",
                         "-no-reboot") as vm:
        vm.wait_serial(r"SHELL-CORES=.*", 400)
        vm.wait_exit(240)
        text = vm.serial()
    facts = dict(re.findall(r"SHELL-([A-Z]+)=(.*?)\s*$", text, re.M))
    check("CPUs", facts["CPUS"], "16")
    check("packages", facts["PACKAGES"].split(), "8 physical id : 0 8 physical id : 1".split())
    check("cores", facts["CORES"].split(), "cpu cores : 4 siblings : 8".split())


if __name__ == "__main__":
    machine.main([sixteen, all_with_8_bit_ids, more_than_8_bits, xapic_ids, topology, models,
                  linux_topology])
