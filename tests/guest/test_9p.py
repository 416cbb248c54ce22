#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's kernel mounts folders of the host by 9P over virtio."""
import os
import re
import socket
import subprocess
import tempfile
import time

import machine
from test_io import MEBI, digest, noise, run

MODULES = ["virtio_pci", "9p", "9pnet_virtio"]
MOUNT = "mount -t 9p -o trans=virtio,version=9p2000.L,msize=131072"


def share():
    """mission: virtfs virtfs.local virtfs.path virtfs.mount_tag virtfs.security_model
    mission: virtfs.security_model.none virtio-9p virtio-9p-pci
    Files both ways, names moved, links, a folder of 1000 files; nothing outside is reached."""
    with tempfile.TemporaryDirectory() as folder:
        expected = noise(os.path.join(folder, "in"), 2 * MEBI, 9)
        os.mkdir(os.path.join(folder, "many"))
        for number in range(1000):
            with open(os.path.join(folder, "many", f"f{number}"), "w", encoding="ascii"):
                pass
        os.symlink("/etc/passwd", os.path.join(folder, "host-link"))
        text = run(
            f"{MOUNT} host /mnt || echo NO-MOUNT; cd /mnt; echo SUM $(sha256sum in); "
            "cp in out && sync; mv out moved; echo COUNT $(ls many | wc -l); "
            "mkdir d; echo inner > d/x; mv d e; echo MOVED $(cat e/x); "
            "rm in; rm -r many; test -e host-link || echo LINK-IS-THE-GUESTS; "
            "cat e/nothing || echo ABSENT; cd /; umount /mnt && echo UNMOUNTED; echo IO-DONE",
            MODULES, "-virtfs", f"local,path={folder},mount_tag=host,security_model=none")
        assert f"SUM {expected}" in text, text[-800:]
        assert "COUNT 1000" in text and "MOVED inner" in text, text[-800:]
        assert "LINK-IS-THE-GUESTS" in text and "ABSENT" in text and "UNMOUNTED" in text, text[-800:]
        assert digest(os.path.join(folder, "moved")) == expected
        assert sorted(os.listdir(folder)) == ["e", "host-link", "moved"]


def mapped_and_readonly():
    """mission: fsdev fsdev.local fsdev.id fsdev.path fsdev.security_model
    mission: fsdev.security_model.mapped-file device.virtio-9p device.virtio-9p.pci
    mission: device.virtio-9p.fsdev device.virtio-9p.mount_tag fsdev.writeout
    Owner, mode and device numbers as the guest set them, on plain files of the host; a second
    share, by the legacy interface, cannot be written."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as fixed:
        with open(os.path.join(fixed, "a"), "w", encoding="ascii") as stream:
            stream.write("stays\n")
        text = run(
            f"{MOUNT} one /mnt || echo NO-MOUNT; mkdir /tmp/two; {MOUNT} two /tmp/two || echo NO; "
            "cd /mnt; echo data > f; busybox chown 1234:77 f; busybox chmod 4711 f; "
            "busybox ln -s f link; mknod dev c 5 1; sync; "
            "echo F $(busybox stat -c %u:%g:%a f); echo L $(busybox readlink link) $(cat link); "
            "echo D $(busybox stat -c %F:%t:%T dev); cat /tmp/two/a; "
            "echo no > /tmp/two/a || echo REFUSED-1; mkdir /tmp/two/b || echo REFUSED-2; "
            "cd /; umount /mnt; echo IO-DONE", MODULES,
            "-fsdev", f"local,id=f1,path={folder},security_model=mapped-file,writeout=immediate",
            "-device", "virtio-9p-pci,fsdev=f1,mount_tag=one",
            "-fsdev", f"local,id=f2,path={fixed},security_model=none,readonly=on",
            "-device", "virtio-9p-pci,fsdev=f2,mount_tag=two,disable-modern=on")
        assert "F 1234:77:4711" in text and "L f data" in text, text[-900:]
        assert "D character special file:5:1" in text, text[-900:]
        assert "stays" in text and "REFUSED-1" in text and "REFUSED-2" in text, text[-900:]
        assert os.path.isfile(os.path.join(folder, "dev"))
        assert os.stat(os.path.join(folder, "f")).st_mode & 0o7777 == 0o600
        assert os.listdir(fixed) == ["a"]


def models():
    """mission: virtfs.id virtfs.security_model.passthrough virtfs.security_model.mapped-xattr
    mission: virtfs.security_model.mapped-file virtfs.writeout virtfs.readonly virtfs.fmode
    mission: virtfs.dmode
    The same in shares of every model: the guest sees what it set, the host what the model says."""
    change = ("mkdir d; echo data > d/f; busybox chown 1234:77 d/f; busybox chmod 604 d/f; "
              "echo STAT-$s $(busybox stat -c %u:%g:%a d/f); cd /; ")
    shares = {"passthrough": "", "mapped-xattr": ",fmode=0640,dmode=0750,writeout=immediate",
              "mapped-file": ",fmode=0644,dmode=0755"}
    if os.geteuid() != 0:
        del shares["passthrough"]  # files of other owners are made by root alone
    with tempfile.TemporaryDirectory() as folder:
        words, script = [], "MOUNT='" + MOUNT + "'; "
        for number, (model, keys) in enumerate(shares.items()):
            path = os.path.join(folder, model)
            os.mkdir(path)
            words += ["-virtfs", f"local,id=fs{number},path={path},mount_tag=t{number},"
                      f"security_model={model}{keys}"]
            script += (f"s={model}; mkdir /tmp/{number}; $MOUNT t{number} /tmp/{number}; "
                       f"cd /tmp/{number}; {change}")
        fixed = os.path.join(folder, "fixed")
        os.mkdir(fixed)
        text = run(script + f"$MOUNT t9 /mnt; mkdir /mnt/x || echo REFUSED; sync; echo IO-DONE",
                   MODULES, *words, "-virtfs",
                   f"local,path={fixed},mount_tag=t9,security_model=none,readonly=on")
        for model in shares:
            assert f"STAT-{model} 1234:77:604" in text, text[-900:]
        assert "REFUSED" in text and not os.listdir(fixed), text[-900:]
        host = {model: (os.stat(os.path.join(folder, model, "d")),
                        os.stat(os.path.join(folder, model, "d", "f"))) for model in shares}
        for model, modes in (("mapped-xattr", (0o750, 0o640)), ("mapped-file", (0o755, 0o644))):
            assert tuple(st.st_mode & 0o777 for st in host[model]) == modes, (model, host[model])
            assert host[model][1].st_uid == os.getuid()
        if "passthrough" in host:
            st = host["passthrough"][1]
            assert (st.st_uid, st.st_gid, st.st_mode & 0o777) == (1234, 77, 0o604)
        keys = os.listxattr(os.path.join(folder, "mapped-xattr", "d", "f"))
        assert {"user.virtfs.uid", "user.virtfs.gid", "user.virtfs.mode"} <= set(keys), keys


def helper(folder, *args, **keywords):
    """virtfs-proxy-helper of QEMU's packages, serving FOLDER."""
    return subprocess.Popen(["/usr/lib/qemu/virtfs-proxy-helper", "-n", "-p", folder, *args],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **keywords)


def proxy():
    """mission: virtfs.proxy virtfs.socket virtfs.sock_fd fsdev.socket
    Folders that another program serves, reached by its socket and by a socket handed down; the
    second may be written at 1 MB a second."""
    if os.geteuid() != 0:
        machine.note("virtfs-proxy-helper needs root")
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, str(number)) for number in range(3)]
        for path in paths:
            os.mkdir(path)
        expected = noise(os.path.join(paths[0], "in"), MEBI, 9)
        where = os.path.join(folder, "socket")
        ours, theirs = socket.socketpair()
        helpers = [helper(paths[0], "-s", where, "-u", "0", "-g", "0"),
                   helper(paths[1], "-f", str(theirs.fileno()), pass_fds=(theirs.fileno(),))]
        theirs.close()
        end = time.monotonic() + 30
        while not os.path.exists(where):
            assert time.monotonic() < end, "the helper does not listen"
            time.sleep(0.05)
        try:
            text = run(
                f"{MOUNT} one /mnt || echo NO-MOUNT; mkdir /tmp/2 /tmp/3; {MOUNT} two /tmp/2; "
                f"{MOUNT} three /tmp/3; cd /mnt; echo SUM $(sha256sum in); cp in /tmp/2/out; "
                "busybox chown 12:34 /tmp/2/out; busybox chmod 640 /tmp/2/out; "
                "echo STAT $(busybox stat -c %u:%g:%a /tmp/2/out); busybox ln -s out /tmp/2/l; "
                "cd /; umount /mnt /tmp/2; busybox time -f TOOK-%e dd if=/dev/zero of=/tmp/3/slow "
                "bs=64k count=48 conv=fsync; echo IO-DONE", MODULES,
                "-virtfs", f"proxy,socket={where},mount_tag=one,readonly=on",
                "-virtfs", f"proxy,sock_fd={ours.fileno()},mount_tag=two,writeout=immediate",
                "-fsdev", f"local,id=f,path={paths[2]},security_model=none,"
                "throttling.bps-write=1M,throttling.iops-total=10000",
                "-device", "virtio-9p-pci,fsdev=f,mount_tag=three", pass_fds=(ours.fileno(),))
        finally:
            ours.close()
            for process in helpers:
                process.kill()
                process.wait()
        assert f"SUM {expected}" in text and "STAT 12:34:640" in text, text[-900:]
        out = os.path.join(paths[1], "out")
        assert digest(out) == expected and os.stat(out).st_uid == 12
        assert os.readlink(os.path.join(paths[1], "l")) == "out"
        took = float(re.search(r"TOOK-([0-9.]+)", text).group(1))
        assert took > 2.5, took  # 3 MiB, of which a tenth of a second's go at once


if __name__ == "__main__":
    machine.main([share, mapped_and_readonly, models, proxy])
