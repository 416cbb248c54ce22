# SPDX-License-Identifier: GPL-2.0-or-later
"""Real guests for the tests, from Debian's packages, kept in a cache outside the tree.

Nothing is installed and nothing needs root: packages are downloaded and unpacked. Kernels of
another architecture come through a package index of their own in the cache."""
import fcntl
import glob
import gzip
import os
import re
import shutil
import subprocess

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                     "vitrine-tests")


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **options).stdout


class Locked:
    """One test at a time prepares the cache."""

    def __enter__(self):
        os.makedirs(CACHE, exist_ok=True)
        self.file = open(os.path.join(CACHE, "lock"), "w", encoding="ascii")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.file.close()


def apt_options(arch):
    if arch == "amd64":
        return []
    base = os.path.join(CACHE, "apt-" + arch)
    options = ["-o", f"APT::Architecture={arch}", "-o", f"APT::Architectures={arch}",
               "-o", f"Dir::State::lists={base}/lists", "-o", f"Dir::Cache={base}/cache"]
    if not os.path.isdir(base):
        os.makedirs(base + "/lists/partial")
        os.makedirs(base + "/cache/archives/partial")
        # a suite that is not there for this architecture is no failure
        subprocess.run(["apt-get", "-qq", *options, "update"], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return options


def unpacked(package, arch="amd64"):
    """Folder with the contents of a package."""
    tree = os.path.join(CACHE, "tree", f"{package}.{arch}")
    if os.path.isdir(tree):
        return tree
    with Locked():
        if os.path.isdir(tree):
            return tree
        debs = os.path.join(CACHE, "debs")
        os.makedirs(debs, exist_ok=True)
        os.makedirs(os.path.dirname(tree), exist_ok=True)
        for old in glob.glob(os.path.join(debs, f"{package}_*_{arch}.deb")):
            os.unlink(old)
        run("apt-get", "download", "-qq", *apt_options(arch), package, cwd=debs)
        deb = (glob.glob(os.path.join(debs, f"{package}_*_{arch}.deb")) +
               glob.glob(os.path.join(debs, f"{package}_*_all.deb")))[0]
        shutil.rmtree(tree + ".part", ignore_errors=True)
        run("dpkg-deb", "-x", deb, tree + ".part")
        os.rename(tree + ".part", tree)
        os.unlink(deb)
    return tree


def names_folder():
    """Where kernel() keeps the package that each metapackage named: for hosts without apt."""
    folder = os.path.join(CACHE, "names")
    os.makedirs(folder, exist_ok=True)
    return folder


def kernel_package(meta, arch):
    kept = os.path.join(names_folder(), f"{meta}.{arch}")
    if not shutil.which("apt-cache"):
        with open(kept, encoding="ascii") as stream:
            return stream.read()
    with Locked():
        options = apt_options(arch)
    text = run("apt-cache", *options, "depends", meta)
    package = re.search(r"Depends: (linux-image-\S+)", text).group(1)
    with open(kept, "w", encoding="ascii") as stream:
        stream.write(package)
    return package


def kernel(meta="linux-image-amd64", arch="amd64"):
    """(path of vmlinuz, folder of its modules) of the kernel that a metapackage names."""
    tree = unpacked(kernel_package(meta, arch), arch)
    # beside it may lie what vmlinux() made of it
    image = [path for path in glob.glob(tree + "/boot/vmlinuz-*") if ".elf" not in path][0]
    return image, glob.glob(tree + "/lib/modules/*")[0]


def vmlinux(image):
    """The ELF file inside a bzImage: started through its PVH entry, without unpacking itself."""
    out = image + ".elf"
    if not os.path.exists(out):
        import lzma
        with open(image, "rb") as stream:
            data = stream.read()
        setup = (data[0x1f1] or 4) * 512 + 512
        offset, length = (int.from_bytes(data[at:at + 4], "little") for at in (0x248, 0x24c))
        payload = data[setup + offset:setup + offset + length]
        # the last four bytes are the unpacked size, not part of the XZ stream
        unpacked_data = lzma.LZMADecompressor().decompress(payload)
        part = f"{out}.{os.getpid()}"
        with open(part, "wb") as stream:
            stream.write(unpacked_data)
        os.rename(part, out)
    return out


class Cpio:
    """A newc archive, gzip'd: what the kernel takes as an initrd."""

    def __init__(self):
        self.data = bytearray()
        self.inode = 0

    def add(self, name, mode, data=b"", rdev=(0, 0)):
        self.inode += 1
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(name) + 1, 0)
        self.data += b"070701" + b"".join(b"%08X" % field for field in fields)
        self.data += name.encode() + b"\0"
        self.data += b"\0" * (-len(self.data) % 4)
        self.data += data
        self.data += b"\0" * (-len(self.data) % 4)

    def finish(self):
        self.add("TRAILER!!!", 0)
        return gzip.compress(bytes(self.data), 6, mtime=0)


APPLETS = """sh cat cp dd echo expr false grep head ls mkdir mount mv poweroff reboot printf rm sed sleep
stty sync tail tr true wc nc ip ifconfig route udhcpc wget insmod umount dmesg ps md5sum sha256sum
hexdump mknod eject chroot""".split()


def module_order(modules_dir, wanted):
    """The wanted modules with what they depend on, in loading order."""
    depends = {}
    dep_file = os.path.join(modules_dir, "modules.dep")
    paths = {}
    for path in glob.glob(modules_dir + "/kernel/**/*.ko*", recursive=True):
        paths[os.path.basename(path).split(".ko")[0].replace("-", "_")] = path
    if os.path.exists(dep_file):
        with open(dep_file, encoding="ascii") as lines:
            for line in lines:
                head, tail = line.split(":", 1)
                depends[head] = tail.split()
    order = []

    def visit(name):
        path = paths.get(name.replace("-", "_"))
        if not path or path in order:
            return
        for need in module_needs(path):
            visit(need)
        if path not in order:
            order.append(path)

    for name in wanted:
        visit(name)
    return order


def module_needs(path):
    """depends= of a module's .modinfo."""
    with open(path, "rb") as stream:
        data = stream.read()
    if path.endswith(".xz"):
        import lzma
        data = lzma.decompress(data)
    match = re.search(rb"\0depends=([^\0]*)\0", data)
    return [name for name in (match.group(1).decode().split(",") if match else []) if name]


def initrd(script, arch="amd64", modules_dir=None, modules=(), name="initrd", files=None):
    """An initrd with busybox that loads MODULES, runs SCRIPT (sh) and powers off. FILES: programs,
    by path, to put in."""
    busybox = unpacked("busybox-static", arch) + "/bin/busybox"
    cpio = Cpio()
    for folder in ("bin", "dev", "proc", "sys", "tmp", "mnt", "etc", "modules"):
        cpio.add(folder, 0o40755)
    with open(busybox, "rb") as stream:
        cpio.add("bin/busybox", 0o100755, stream.read())
    for applet in APPLETS:
        cpio.add("bin/" + applet, 0o120777, b"busybox")
    cpio.add("dev/console", 0o20600, rdev=(5, 1))
    cpio.add("dev/null", 0o20666, rdev=(1, 3))
    for path, data in (files or {}).items():
        cpio.add(path, 0o100755, data)
    loads = []
    for path in module_order(modules_dir, modules) if modules_dir else []:
        base = os.path.basename(path)
        with open(path, "rb") as stream:
            cpio.add("modules/" + base, 0o100644, stream.read())
        loads.append(f"insmod /modules/{base}")
    init = ["#!/bin/sh", "mount -t devtmpfs none /dev", "mount -t proc none /proc",
            "mount -t sysfs none /sys", *loads, script, "poweroff -f", ""]
    cpio.add("init", 0o100755, "\n".join(init).encode())
    out = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"vitrine-{name}-{os.getpid()}.gz")
    with open(out, "wb") as stream:
        stream.write(cpio.finish())
    return out


def installer_folder():
    """Kernel and initrd of the network installer for the text console."""
    tree = unpacked("debian-installer-12-netboot-amd64", "amd64")
    for folder, _, files in os.walk(tree):
        if folder.endswith("text/debian-installer/amd64") and "linux" in files:
            return folder
    raise FileNotFoundError(f"no text installer in {tree}")


def first_existing(*paths):
    for path in paths:
        if os.path.exists(path):
            return path
    raise FileNotFoundError("none of these is installed: " + ", ".join(paths))
