#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No mutable file-scope data in the engine: looks for objects in .data and .bss of its archives.
.data.rel.ro (const tables with pointers) is fine. The exceptions are the ids that GObject assigns
once per process and a table without other state."""
import re
import subprocess
import sys

# Written once, by GObject's type system, under its own lock: the same for every machine.
ALLOWED = re.compile(
    r"^(signals|properties|.*_parent_class|.*_private_offset|.*_get_type_once|static_g_define_type_id"
    r"|g_define_type_id|quark|q)(\.\d+)?$|^__|^_\.|^\.L|__g_define_type_id")

# Objects whose very subject is one per process.
ALLOWED_IN = {
    # the process's SIGFPE disposition that was there before ours, and that it was replaced
    "x86-host-fault.c.o": {"done", "previous_sigfpe", "previous_sigill"},
    # likewise, with SIGSEGV; and where the handler looks up whose code has faulted
    "recover.c.o": {"done", "previous_fpe", "previous_segv", "previous_ill", "machines"},
    # likewise SIGUSR1, which gets a thread out of KVM_RUN
    "kvm-signal.c.o": {"done", "previous_sigusr1"},
}


def main():
    bad = 0
    symbols = 0
    for archive in sys.argv[1:]:
        out = subprocess.run(["nm", "-A", archive], check=True, capture_output=True,
                             text=True).stdout
        for line in out.splitlines():
            match = re.match(r"^(\S+?):\s*[0-9a-f]*\s+([dDbBC])\s+(\S+)$", line)
            if not match:
                continue
            symbols += 1
            where, kind, name = match.groups()
            if ALLOWED.match(name):
                continue
            if name.split(".")[0] in ALLOWED_IN.get(where.rsplit(":", 1)[-1].rsplit("/", 1)[-1], ()):
                continue
            if kind in "dD" and is_relro(archive, where, name):
                continue
            print(f"{where}: {name} is mutable data at file scope")
            bad += 1
    print(f"{len(sys.argv) - 1} archives, {symbols} data symbols looked at, {bad} faults")
    return 1 if bad else 0


RELRO = {}


def is_relro(archive, where, name):
    """nm says "d" for .data and .data.rel.ro alike; objdump tells them apart."""
    if archive not in RELRO:
        out = subprocess.run(["objdump", "-t", archive], check=True, capture_output=True,
                             text=True).stdout
        RELRO[archive] = set(re.findall(r"\s(?:\.data\.rel\.ro\S*)\s+[0-9a-f]+\s+(?:\.hidden )?(\S+)$",
                                        out, re.M))
    return name in RELRO[archive]


sys.exit(main())
