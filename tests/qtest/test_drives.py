#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""-drive with every key, by vitrine-run: what it makes of them as the monitor shows it, what it
refuses; drives that come and go by the monitor.

mission: drive drive.file drive.if drive.if.* drive.bus drive.unit drive.index drive.media
mission: drive.media.* drive.snapshot drive.cache drive.cache.* drive.aio drive.aio.* drive.format
mission: drive.werror drive.rerror drive.error.* drive.copy-on-read drive.bps drive.bps_rd
mission: drive.bps_wr drive.bps_max drive.bps_rd_max drive.bps_wr_max drive.iops drive.iops_rd
mission: drive.iops_wr drive.iops_max drive.iops_rd_max drive.iops_wr_max drive.iops_size
mission: drive.group drive.id drive.readonly drive.driver x.drive.throttling-keys x.drive.stats
mission: x.drive.luks add-fd add-fd.fd add-fd.set add-fd.opaque add-fd.dev-fdset mtdblock sd
mission: object.iothread.* query-iothreads device.iothread qom-set qom-get
mission: fda fdb hda hdb hdc hdd cdrom iscsi iscsi.timeout x.iscsi.user drive_add drive_del
"""
import json
import os
import shutil
import socket
import subprocess
import tempfile

import tap

PROGRAM = os.environ.get("VITRINE_RUN", "vitrine-run")
IMG = os.path.join(os.path.dirname(PROGRAM), "..", "img", "vitrine-img")
if not os.path.exists(IMG):
    IMG = os.path.join(os.path.dirname(PROGRAM), "vitrine-img")
DIR = tempfile.mkdtemp(prefix="vitrine-drives-")


def path(name):
    return os.path.join(DIR, name)


class Machine:
    """One that does not run, with its monitor."""

    def __init__(self, *args, pass_fds=()):
        where = path("qmp")
        if os.path.exists(where):
            os.unlink(where)
        self.process = subprocess.Popen(
            [PROGRAM, "-accel", "tcg", "-S", "-display", "none", "-m", "16", "-qmp",
             f"unix:{where},server=on,wait=on", *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=pass_fds)
        self.socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.socket.connect(where)
                break
            except OSError:
                if self.process.poll() is not None:
                    output = self.process.communicate()[0].decode()
                    raise RuntimeError(output) from None
        self.socket.settimeout(60)
        self.stream = self.socket.makefile("r", encoding="utf-8")
        if not self.stream.readline():
            raise RuntimeError(self.process.communicate(timeout=60)[0].decode())
        self.error_class = ""
        self.ask("qmp_capabilities")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.socket.close()
        self.process.terminate()
        self.output = self.process.communicate(timeout=60)[0].decode()

    def ask(self, command, **arguments):
        message = {"execute": command, "arguments": arguments}
        self.socket.sendall(json.dumps(message).encode() + b"\n")
        while True:
            line = self.stream.readline()
            if not line:
                raise RuntimeError(self.process.communicate(timeout=60)[0].decode())
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                self.error_class = answer["error"]["class"]
                raise ValueError(answer["error"]["desc"])

    def hmp(self, line):
        return self.ask("human-monitor-command", **{"command-line": line})

    def drive(self, name):
        return next(d for d in self.ask("query-block") if d["device"] == name)

    def stats(self, name):
        return next(d for d in self.ask("query-blockstats") if d["device"] == name)["stats"]

    def node(self, driver):
        return [n for n in self.ask("query-named-block-nodes") if n["drv"] == driver]


def refused(*args):
    """What the program says as it refuses to start."""
    done = subprocess.run([PROGRAM, "-accel", "tcg", "-S", "-display", "none", "-m", "16", *args],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False)
    assert done.returncode == 1, (args, done.returncode, done.stdout)
    return done.stdout.decode()


def make(name, size="8M", form="raw", *args):
    subprocess.run([IMG, "create", "-q", "-f", form, *args, path(name), size], check=True)
    return path(name)


def cache_modes():
    disk = make("cache.img")
    modes = {"none": (True, True, False), "writeback": (True, False, False),
             "unsafe": (True, False, True), "directsync": (False, True, False),
             "writethrough": (False, False, False)}
    for mode, expected in modes.items():
        with Machine("-drive", f"file={disk},format=raw,cache={mode},id=d,if=none") as m:
            cache = m.drive("d")["inserted"]["cache"]
            assert (cache["writeback"], cache["direct"], cache["no-flush"]) == expected, (mode, cache)
    with Machine("-drive", f"file={disk},format=raw,cache=none,cache.writeback=off,"
                 "cache.direct=off,cache.no-flush=on,id=d,if=none") as m:
        cache = m.drive("d")["inserted"]["cache"]
        assert (cache["writeback"], cache["direct"], cache["no-flush"]) == (False, False, True)
    assert "cache" in refused("-drive", f"file={disk},format=raw,cache=sometimes")


def connectors():
    disk, other = make("a.img"), make("b.img")
    floppy, disc = make("floppy.img", "1440K"), make("disc.iso")
    with Machine("-drive", f"file={disk},format=raw,if=ide,bus=1,unit=1",
                 "-drive", f"file={other},format=raw,if=virtio",
                 "-drive", f"file={floppy},format=raw,if=floppy,index=1",
                 "-drive", "if=ide,index=1,media=cdrom") as m:
        assert m.drive("ide1-hd1")["qdev"]
        assert m.drive("virtio0")["inserted"]["drv"] == "raw"
        assert m.drive("floppy1")["removable"]
        assert "inserted" not in m.drive("ide0-cd1")
    for interface, words in (("scsi", "scsi-hd"), ("sd", "SD"), ("mtd", "flash")):
        assert words in refused("-drive", f"file={disk},format=raw,if={interface}")
    assert "SD" in refused("-sd", disk) and "flash" in refused("-mtdblock", disk)
    assert "taken" in refused("-hda", disk, "-drive", f"file={other},index=0")
    assert "together" in refused("-drive", f"file={disk},index=0,bus=0")
    with Machine("-hda", disk, "-hdb", other, "-fda", floppy, "-cdrom", disc) as m:
        for name in ("ide0-hd0", "ide0-hd1", "floppy0", "ide1-cd0"):
            assert m.drive(name)["inserted"], name
        assert m.drive("ide1-cd0")["inserted"]["ro"]
    # -cdrom and -hdc are one place
    assert "taken" in refused("-hdc", disk, "-cdrom", disc)


def files_and_formats():
    overlay = path("over.qcow2")
    base = make("base, with comma.img")
    subprocess.run([IMG, "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", overlay],
                   check=True)
    escaped = base.replace(",", ",,")
    with Machine("-drive", f"file={escaped},format=raw,readonly,if=none,id=a",
                 "-drive", f"file={overlay},driver=qcow2,if=none,id=b,copy-on-read=on,snapshot=off",
                 "-drive", f"file.driver=file,file.filename={make('c.img')},format=raw,if=none,id=c,"
                 "discard=unmap,detect-zeroes=unmap,snapshot=on") as m:
        assert m.drive("a")["inserted"]["ro"]
        assert m.drive("b")["inserted"]["backing_file"] == base
        assert m.node("copy-on-read")
        assert m.drive("c")["inserted"]["drv"] != "raw"  # its temporary overlay
    assert "no.img" in refused("-drive", "file=/nowhere/no.img")
    plain = make("plain.img")
    with Machine("-drive", f"file={plain},if=none,id=p") as m:
        m.ask("query-block")
    assert "raw" in m.output and plain in m.output, m.output  # probing is said


def nodes_of_every_kind():
    """Filters and formats whose keys only -blockdev has. mission: blockdev.other-drivers"""
    a, b, log, old = make("leg-a"), make("leg-b"), make("log"), path("old.qcow")
    subprocess.run([IMG, "create", "-q", "-f", "qcow", old, "1M"], check=True)
    with Machine("-blockdev", f"driver=file,filename={a},node-name=file-a",
                 "-blockdev", "driver=raw,file=file-a,node-name=a",
                 "-blockdev", "driver=quorum,node-name=q,vote-threshold=2,children.0=a,"
                 f"children.1.driver=raw,children.1.file.driver=file,children.1.file.filename={b},"
                 "read-pattern=fifo",
                 "-blockdev", "driver=blklogwrites,node-name=l,file=q,log.driver=file,"
                 f"log.filename={log},log-sector-size=4096,log-append=off",
                 "-blockdev", f"driver=qcow,file.driver=file,file.filename={old},node-name=o",
                 "-device", "virtio-blk-pci,drive=l") as m:
        for driver in ("quorum", "blklogwrites", "qcow"):
            assert m.node(driver), driver
        assert m.node("quorum")[0]["image"]["filename"].startswith('json:{"driver":"quorum"')
    assert "vote-threshold" in refused("-blockdev", "driver=quorum,node-name=q,children.0=a")
    assert "children" in refused("-blockdev", "driver=quorum,node-name=q,vote-threshold=1")
    with Machine("-blockdev", f"driver=preallocate,node-name=p,prealloc-size=4M,file.driver=file,"
                 f"file.filename={a}",
                 "-blockdev", "driver=blkreplay,node-name=r,image.driver=file,"
                 f"image.filename={b}") as m:
        assert m.node("preallocate") and m.node("blkreplay")
    with Machine("-drive", f"file={old},format=qcow,if=none,id=d") as m:
        assert m.drive("d")["inserted"]["drv"] == "qcow"


def drivers_with_their_keys():
    plain, other = make("k0"), make("k1")
    quorum = ",".join(f"children.{i}.driver=raw,children.{i}.file.filename={image}"
                      for i, image in enumerate((plain, other)))
    for keys, driver in [
            (f"driver=quorum,vote-threshold=2,{quorum}", "quorum"),
            (f"driver=blkverify,test.driver=raw,test.file.filename={plain},raw.filename={other}",
             "blkverify"),
            (f"driver=preallocate,prealloc-align=1M,file.filename={plain}", "preallocate"),
            ("driver=null-co,size=1M", "null-co")]:
        with Machine("-drive", f"if=none,id=d,{keys}") as m:
            assert m.drive("d")["inserted"]["drv"] == driver
    for old in ("driver=nbd,host=localhost,port=1", "file.driver=nbd,file.host=localhost,file.port=1"):
        assert "localhost:1" in refused("-drive", f"if=none,id=d,{old}")
    for both in ("host=localhost,path=x", "host=localhost,server.host=localhost", "port=1"):
        assert "nor server=" in refused("-drive", f"if=none,id=d,driver=nbd,{both}")
    assert "'ofset'" in refused("-drive", f"driver=raw,ofset=3,file.filename={plain}")
    assert "'file'" in refused("-drive", "driver=raw")


def host_io():
    disk = make("aio.img")
    for keys in ("aio=threads", "aio=native,cache=none", "aio=io_uring", "locking=off",
                 "aio=io_uring,cache=directsync"):
        try:
            with Machine("-drive", f"file={disk},format=raw,if=none,id=d,{keys}") as m:
                assert m.drive("d")["inserted"]
        except RuntimeError as error:
            assert "io_uring" in keys and "io_uring" in str(error), error  # a host without
    assert "cache.direct" in refused("-drive", f"file={disk},format=raw,aio=native")
    assert "aio" in refused("-drive", f"file={disk},format=raw,aio=fast")


def errors():
    disk = make("errors.img")
    for write in ("ignore", "stop", "report", "enospc"):
        with Machine("-drive", f"file={disk},format=raw,werror={write},rerror=stop") as m:
            assert m.drive("ide0-hd0")["inserted"]
    assert "rerror" in refused("-drive", f"file={disk},format=raw,rerror=enospc")


LIMITS = {"bps": 1 << 30, "iops_size": 4096, "iops": 1000, "bps_max": 2 << 30, "iops_max": 3000}
SPLIT = {"bps_rd": 1 << 29, "bps_wr": 1 << 28, "iops_rd": 700, "iops_wr": 600,
         "bps_rd_max": 1 << 30, "bps_wr_max": 1 << 29, "iops_rd_max": 800, "iops_wr_max": 900}


def limits():
    disk, other = make("l.img"), make("m.img")
    for values in (LIMITS, SPLIT):
        keys = ",".join(f"{key}={value}" for key, value in values.items())
        with Machine("-drive", f"file={disk},format=raw,if=none,id=d,group=g,{keys}") as m:
            shown = m.drive("d")["inserted"]
            for key, value in values.items():
                assert shown[key] == value, (key, shown)
            assert shown["group"] == "g"
    with Machine("-drive", f"file={disk},format=raw,if=none,id=d,throttling.bps-total=1M,"
                 "throttling.bps-total-max=2M,throttling.bps-total-max-length=3,"
                 "throttling.iops-read=10,throttling.iops-write=20,throttling.iops-size=8k,"
                 "throttling.group=h",
                 "-drive", f"file={other},format=raw,if=none,id=e,throttling.group=h,"
                 "throttling.bps-total=1M") as m:
        shown = m.drive("d")["inserted"]
        assert shown["group"] == "h" and m.drive("e")["inserted"]["group"] == "h"
    assert refused("-drive", f"file={disk},format=raw,bps=1,bps_rd=1")


def statistics():
    disk = make("s.img")
    with Machine("-drive", f"file={disk},format=raw,if=none,id=d,stats-account-invalid=off,"
                 "stats-account-failed=off",
                 "-drive", f"file={make('t.img')},format=raw,if=none,id=e") as m:
        assert not m.stats("d")["account_invalid"] and not m.stats("d")["account_failed"]
        assert m.stats("e")["account_invalid"] and m.stats("e")["account_failed"]

    # mission: block-latency-histogram-set
    # by the id or path of the device that has the drive, or the drive's name
    with Machine("-drive", f"file={disk},format=raw,if=none,id=d",
                 "-device", "virtio-blk-pci,drive=d,id=dev",
                 "-blockdev", "driver=null-co,node-name=n",
                 "-device", "virtio-blk-pci,drive=n,id=other",
                 "-device", "virtio-rng-pci,id=none") as m:
        rows = len(m.ask("query-block"))
        for name in ["d", "dev", "/machine/peripheral/dev"]:
            m.ask("block-latency-histogram-set", id=name, boundaries=[10, 20])
            assert m.stats("d")["wr_latency_histogram"] == {"boundaries": [10, 20],
                                                            "bins": [0, 0, 0]}
            m.ask("block-latency-histogram-set", id=name)
            assert "wr_latency_histogram" not in m.stats("d")
        m.ask("block-latency-histogram-set", **{"id": "other", "boundaries-flush": [5]})
        stats = next(d for d in m.ask("query-blockstats") if d.get("qdev") == "other")["stats"]
        assert stats["flush_latency_histogram"]["bins"] == [0, 0]
        assert "rd_latency_histogram" not in stats
        for name, words in [("n", "Device 'n' not found"), ("x", "Device 'x' not found"),
                            ("none", "does not have a block device backend")]:
            try:
                m.ask("block-latency-histogram-set", id=name, boundaries=[1])
                assert False, name
            except ValueError as error:
                assert words in str(error), (name, error)
        assert len(m.ask("query-block")) == rows, "a drive was made"


def qcow2_keys():
    disk = make("keys.qcow2", "64M", "qcow2")
    keys = ("lazy-refcounts=on,cache-size=2M,l2-cache-size=1M,l2-cache-entry-size=4k,"
            "cache-clean-interval=10,pass-discard-request=on,pass-discard-snapshot=off,"
            "pass-discard-other=on,overlap-check=all")
    with Machine("-drive", f"file={disk},format=qcow2,if=none,id=d,{keys}") as m:
        assert m.drive("d")["inserted"]["drv"] == "qcow2"
    with Machine("-drive", f"file={disk},format=qcow2,if=none,id=d,refcount-cache-size=256k,"
                 "overlap-check.template=none,overlap-check.main-header=on") as m:
        assert m.drive("d")["inserted"]
    assert "l2-cache-size" in refused("-drive", f"file={disk},cache-size=1M,l2-cache-size=2M,"
                                      "refcount-cache-size=2M")
    data = make("data.raw", "64M")
    subprocess.run([IMG, "create", "-q", "-f", "qcow2", "-o", f"data_file={data}",
                    path("ext.qcow2"), "64M"], check=True)
    with Machine("-drive", f"file={path('ext.qcow2')},format=qcow2,if=none,id=d,"
                 f"data-file.driver=file,data-file.filename={data}") as m:
        assert m.drive("d")["inserted"]
    part = make("part.img", "4M")
    with Machine("-drive", f"file={part},format=raw,offset=1M,size=2M,if=none,id=d") as m:
        assert m.drive("d")["inserted"]["image"]["virtual-size"] == 2 << 20


def encrypted():
    with open(path("key"), "w", encoding="ascii") as stream:
        stream.write("open sesame")
    secret = f"secret,id=sec,file={path('key')}"
    for form, options, keys in (
            ("luks", "key-secret=sec,iter-time=10", "driver=luks,key-secret=sec"),
            ("qcow2", "encrypt.format=luks,encrypt.key-secret=sec,encrypt.iter-time=10",
             "format=qcow2,encrypt.format=luks,encrypt.key-secret=sec")):
        disk = path("secret." + form)
        subprocess.run([IMG, "create", "-q", "--object", secret, "-f", form, "-o", options, disk,
                        "4M"], check=True)
        with Machine("-object", secret, "-drive", f"file={disk},if=none,id=d,{keys}") as m:
            assert m.drive("d")["inserted"]["encrypted"]
        assert "secret" in refused("-drive", f"file={disk}," + keys.split(",", 1)[0])


def descriptors():
    disk = make("fd.img")
    reading, writing = os.open(disk, os.O_RDONLY), os.open(disk, os.O_RDWR)
    with Machine("-add-fd", f"fd={reading},set=2,opaque=rdonly", "-add-fd",
                 f"fd={writing},set=2,opaque=rdwr", "-drive",
                 "file=/dev/fdset/2,format=raw,if=none,id=d", pass_fds=(reading, writing)) as m:
        assert not m.drive("d")["inserted"]["ro"]
    assert "fd" in refused("-add-fd", "fd=2,set=1")
    assert "fdset" in refused("-drive", "file=/dev/fdset/9,format=raw")
    os.close(reading)
    os.close(writing)


def targets():
    said = refused("-iscsi", "initiator-name=iqn.2020-01.test:me,timeout=1,user=u,password=p,"
                   "header-digest=CRC32C-NONE",
                   "-drive", "file=iscsi://127.0.0.1:9/iqn.2020-01.test:x/0,format=raw")
    assert "127.0.0.1" in said and "not available" not in said, said


def by_monitor():
    disk, other = make("hot.img"), make("hot2.img")
    with Machine("-device", "virtio-scsi-pci,id=s", "-object", "secret,id=x,data=y") as m:
        assert "OK" in m.hmp(f"drive_add 0 if=none,id=d,file={disk},format=raw,cache=none,bps=1M")
        shown = m.drive("d")["inserted"]
        assert shown["cache"]["direct"] and shown["bps"] == 1 << 20
        assert "if=none" in m.hmp(f"drive_add 0 file={disk},format=raw")
        assert "d" in m.hmp(f"drive_add 0 if=none,id=d,file={other},format=raw")  # the id is taken
        assert "colour" in m.hmp(f"drive_add 0 if=none,id=z,file={other},colour=red")
        assert m.hmp(f"drive_add -n 0 driver=raw,node-name=n,file.driver=file,"
                     f"file.filename={other}") == ""
        assert any(n["node-name"] == "n" for n in m.ask("query-named-block-nodes"))
        assert m.hmp("drive_del n") == ""
        assert not any(n["node-name"] == "n" for n in m.ask("query-named-block-nodes"))
        # a drive in use leaves its device behind, empty
        m.ask("device_add", driver="scsi-hd", drive="d", id="disk")
        assert m.drive("d")["qdev"]
        assert m.hmp("drive_del d") == ""
        assert not any(d["device"] == "d" for d in m.ask("query-block"))
        assert "OK" in m.hmp(f"drive_add 0 if=none,id=d,file={disk},format=raw")  # free again
        assert m.hmp("drive_del d") == ""
        assert "nothing" in m.hmp("drive_del nothing")
        # the file is not locked any more
        subprocess.run([IMG, "resize", "-q", "-f", "raw", disk, "9M"], check=True)


def info_block():
    """What the human monitor says of drives. mission: info block"""
    make("low.qcow2", "8M", "qcow2")
    over = make("over.qcow2", "8M", "qcow2", "-b", path("low.qcow2"), "-F", "qcow2")
    with Machine("-drive", f"file={over},if=none,id=d,bps=1M,detect-zeroes=on", "-drive",
                 f"file={make('plain.img')},if=none,id=p,format=raw") as m:
        lines = m.hmp("info block").splitlines()
        assert f"    Backing file:     {path('low.qcow2')} (chain depth: 1)" in lines
        assert "    Detect zeroes:    on" in lines
        limits = [line for line in lines if "I/O throttling" in line]
        assert len(limits) == 1 and " bps=1048576 bps_rd=0 " in limits[0], limits
        assert "iops_size=0 group=d" in limits[0], limits
        assert not any(line.startswith("image:") for line in lines)
        lines = m.hmp("info block -v d").splitlines()
        assert f"image: {over}" in lines and f"image: {path('low.qcow2')}" in lines, lines
        assert lines.count("Format specific information:") == 2, lines
        assert "virtual size: 8 MiB (8388608 bytes)" in lines
        assert f"    Backing file:     {path('low.qcow2')} (chain depth: 1)" in \
            m.hmp("info block -n").splitlines()
        try:
            m.ask("block-job-cancel", device="nothing")
            raise AssertionError("a job that is not there")
        except ValueError as error:
            assert "'nothing' not found" in str(error) and m.error_class == "DeviceNotActive"


def iothreads():
    disk, other = make("t0.img"), make("t1.img")
    with Machine("-object", "iothread,id=io0,poll-max-ns=1000", "-object",
                 "iothread,id=io1,poll-grow=3,poll-shrink=2,aio-max-batch=8",
                 "-drive", f"file={disk},format=raw,if=none,id=a",
                 "-drive", f"file={other},format=raw,if=none,id=b",
                 "-device", "virtio-blk-pci,drive=a,iothread=io0",
                 "-device", "virtio-scsi-pci,id=s,iothread=io1",
                 "-device", "scsi-hd,drive=b,bus=s.0") as m:
        threads = {t["id"]: t for t in m.ask("query-iothreads")}
        assert threads["io0"]["poll-max-ns"] == 1000 and threads["io1"]["poll-max-ns"] == 32768
        assert (threads["io1"]["poll-grow"], threads["io1"]["poll-shrink"],
                threads["io1"]["aio-max-batch"]) == (3, 2, 8)
        ids = {t["thread-id"] for t in threads.values()}
        assert len(ids) == 2
        for tid in ids:
            assert os.path.exists(f"/proc/{m.process.pid}/task/{tid}")
        shown = m.hmp("info iothreads")
        assert f"io0:\r\n  thread_id={threads['io0']['thread-id']}" in shown, shown
        m.ask("qom-set", path="/objects/io0", property="poll-max-ns", value=77)
        assert m.ask("qom-get", path="/objects/io0", property="poll-max-ns") == 77
        assert m.hmp("qom-set /objects/io1 poll-grow 5") == ""
        assert m.hmp("qom-get io1 poll-grow").strip() == "5"
        try:
            m.ask("qom-set", path="io0", property="poll-max-ns", value=-1)
        except ValueError:
            pass
        else:
            raise AssertionError("a negative time was taken")
        # a disk that comes and goes
        third = make("t2.img")
        m.hmp(f"drive_add 0 if=none,id=c,file={third},format=raw")
        m.ask("device_add", driver="scsi-hd", drive="c", id="u", bus="s.0")
        m.ask("device_del", id="/machine/peripheral/u")
    assert "iothread" in refused("-drive", f"file={disk},format=raw,if=none,id=a", "-device",
                                 "virtio-blk-pci,drive=a,iothread=nobody")
    assert "poll-max-ns" in refused("-object", "iothread,id=io0,poll-max-ns=-1")
    with Machine("-object", "iothread,id=io0", "-icount", "shift=2",
                 "-drive", f"file={disk},format=raw,if=none,id=a",
                 "-device", "virtio-blk-pci,drive=a,iothread=io0") as m:
        m.ask("query-iothreads")


def nodes():
    """mission: blockdev blockdev.reference blockdev.driver blockdev.node-name blockdev.read-only
    mission: blockdev.auto-read-only blockdev.force-share blockdev.cache.direct
    mission: blockdev.cache.no-flush blockdev.discard blockdev.discard.* blockdev.detect-zeroes
    mission: blockdev.detect-zeroes.* blockdev.file blockdev.file.filename blockdev.file.aio
    mission: blockdev.file.locking blockdev.raw blockdev.raw.file blockdev.qcow2.cache-size
    mission: blockdev.qcow2.cache-clean-interval blockdev.qcow2.overlap-check x.blockdev.json
    mission: device.write-cache device.virtio-9p.ccw"""
    plain, image = make("n.img"), make("n.qcow2", "8M", "qcow2")

    def shown(m, name):
        return next(n for n in m.ask("query-named-block-nodes") if n["node-name"] == name)

    with Machine("-blockdev", f"driver=file,node-name=f,filename={plain},cache.direct=on,"
                 "cache.no-flush=on,aio=native,locking=on,auto-read-only=on",
                 "-blockdev", "raw,node-name=r,file=f,read-only=on",
                 "-blockdev", f"qcow2,node-name=q,file.driver=file,file.filename={image},"
                 "cache-size=2M,cache-clean-interval=1,overlap-check=none,discard=unmap,"
                 "detect-zeroes=unmap",
                 "-device", "virtio-blk-pci,drive=q,write-cache=off") as m:
        assert shown(m, "f")["cache"] == {"direct": True, "no-flush": True, "writeback": True}
        assert shown(m, "r")["ro"] and shown(m, "r")["drv"] == "raw"
        assert not shown(m, "q")["ro"] and shown(m, "q")["detect_zeroes"] == "unmap"
        row = next(d for d in m.ask("query-block") if d.get("qdev") and not d["device"])
        assert row["inserted"]["node-name"] == "q"
        assert not row["inserted"]["cache"]["writeback"], "write-cache=off"
        # the image is this machine's: another may look, if it says that it only looks
        with_share = f"driver=qcow2,node-name=s,read-only=on,force-share={{}},file.driver=file,"\
                     f"file.filename={image},file.read-only=on"
        assert "lock" in refused("-blockdev", with_share.format("off")).lower()
        done = subprocess.run([PROGRAM, "-accel", "tcg", "-display", "none", "-m", "16", "-S",
                               "-blockdev", with_share.format("on"), "-monitor", "stdio"],
                              input=b"info block -n\nquit\n", stdout=subprocess.PIPE,
                              timeout=60, check=True)
        assert b"n.qcow2" in done.stdout
    node = json.dumps({"driver": "raw", "node-name": "j", "discard": "ignore",
                       "detect-zeroes": "on", "file": {"driver": "file", "filename": plain}})
    device = json.dumps({"driver": "virtio-blk-pci", "drive": "j", "id": "d", "write-cache": "on"})
    with Machine("-blockdev", node, "-device", device) as m:
        assert shown(m, "j")["detect_zeroes"] == "on"
    assert "node-name" in refused("-blockdev", f"driver=file,filename={plain}")
    assert "driver" in refused("-blockdev", f"node-name=f,filename={plain}")
    assert "nonsense" in refused("-blockdev", "driver=nonsense,node-name=f")
    assert "detect-zeroes" in refused("-blockdev", f"driver=file,node-name=f,filename={plain},"
                                      "detect-zeroes=unmap")
    assert "'f'" in refused(*["-blockdev", f"driver=file,node-name=f,filename={plain}"] * 2)
    assert "s390" in refused("-device", "virtio-9p-ccw,fsdev=f,mount_tag=t").lower()
    # mission: device.virtio-9p.device
    assert "no virtio-bus" in refused("-device", "virtio-9p-device,fsdev=f,mount_tag=t")


tap.main([nodes, nodes_of_every_kind, drivers_with_their_keys, iothreads, cache_modes, connectors,
          files_and_formats, host_io, errors, limits, statistics, qcow2_keys, encrypted, descriptors,
          targets, by_monitor, info_block], lambda:
         shutil.rmtree(DIR, ignore_errors=True))
