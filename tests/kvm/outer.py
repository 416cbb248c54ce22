# SPDX-License-Identifier: GPL-2.0-or-later
"""The outer guest: Debian's generic kernel with kvm_amd on QEMU's translator with SVM.

Its disk holds what the guest tests need (Python, vitrine-run, firmware, the inner guests) at the
paths of the host, so that the same scripts run in it and here."""
import glob
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
GUEST_TESTS = os.path.join(HERE, "..", "guest")
sys.path.insert(0, GUEST_TESTS)
import assets  # noqa: E402
import machine  # noqa: E402

# what the outer kernel loads: its disk, and KVM
MODULES = ("ata_piix", "sd_mod", "crc32c_generic", "ext4", "irqbypass", "ccp", "kvm", "kvm-amd")
# what the inner guests of tests/guest load
INNER_MODULES = ("ata_piix", "sd_mod", "sr_mod", "floppy", "e1000")
# whose SVM the outer guest is offered
EMULATOR = os.environ.get("VITRINE_OUTER", "qemu-system-x86_64")
FIRMWARE = ("/usr/share/seabios", "/usr/lib/grub-rescue", "/usr/lib/ipxe",
            "/boot/memtest86+ia32.bin", "/boot/ipxe.lkrn")


def libraries(program):
    """Path of every shared object PROGRAM needs, the loader among them."""
    text = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, check=False).stdout
    return sorted(set(re.findall(r"(/\S+)", text)))


class Tree:
    """A root file system in a folder."""

    def __init__(self, root):
        self.root = root

    def inside(self, path):
        return os.path.join(self.root, path.lstrip("/"))

    def add(self, path, to=None):
        """A file or folder, at its own path or at TO; links become what they lead to."""
        target = self.inside(to or path)
        if os.path.exists(target):
            return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.isdir(path):
            shutil.copytree(path, target, ignore_dangling_symlinks=True)
        else:
            shutil.copyfile(path, target)
            shutil.copymode(path, target)

    def add_program(self, path, to=None):
        self.add(path, to)
        for library in libraries(path):
            self.add(os.path.realpath(library), library)

    def add_python(self):
        self.add_program(os.path.realpath(sys.executable), "/usr/bin/python3")
        library = sysconfig.get_path("stdlib")
        shutil.copytree(library, self.inside(library), dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("test", "__pycache__", "idlelib", "tkinter",
                                                      "dist-packages", "ensurepip", "config-*"))
        for extension in glob.glob(library + "/lib-dynload/*.so"):
            for needed in libraries(extension):
                self.add(os.path.realpath(needed), needed)

    def add_kernel(self, meta, arch="amd64", modules=(), elf=False):
        """A kernel of the cache with the modules named and those they need."""
        image, folder = assets.kernel(meta, arch)
        self.add(image)
        if elf:
            self.add(assets.vmlinux(image))
        os.makedirs(self.inside(folder), exist_ok=True)
        for path in assets.module_order(folder, modules):
            self.add(path)


def fill(tree):
    for folder in ("dev", "proc", "sys", "tmp", "root", "bin", "etc", "var/tmp"):
        os.makedirs(tree.inside(folder), exist_ok=True)
    busybox = assets.unpacked("busybox-static") + "/bin/busybox"
    tree.add(busybox)
    tree.add(assets.unpacked("busybox-static", "i386") + "/bin/busybox")
    tree.add(busybox, "/bin/busybox")
    os.symlink("busybox", tree.inside("/bin/sh"))
    tree.add_python()
    tree.add_program(machine.PROGRAM)
    tree.add(os.environ["VITRINE_DEMO"])
    for path in FIRMWARE:
        if os.path.exists(path):
            tree.add(path)
    for script in glob.glob(GUEST_TESTS + "/*.py"):
        tree.add(script, "/tests/" + os.path.basename(script))
    tree.add_kernel("linux-image-amd64", modules=INNER_MODULES, elf=True)
    tree.add_kernel("linux-image-cloud-amd64")
    tree.add_kernel("linux-image-686", "i386")
    tree.add_kernel("linux-image-686-pae", "i386")
    tree.add(assets.installer_folder())
    tree.add(assets.names_folder())


def make_disk(folder):
    root = os.path.join(folder, "root")
    os.mkdir(root)
    fill(Tree(root))
    disk = os.path.join(folder, "disk.img")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", root, disk,
                    "1500M"], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "PATH": os.environ["PATH"] + ":/sbin"})
    shutil.rmtree(root)
    return disk


def run(script, seconds, each_line=lambda line: None):
    """The serial text of the outer guest, which runs SCRIPT (sh) and powers off. Each line is also
    handed to EACH_LINE as it comes."""
    kernel, modules_dir = assets.kernel()
    # VITRINE_DEMO and VITRINE_RUN have the paths of the host
    environment = (f"export HOME=/root PATH=/bin:/usr/bin XDG_CACHE_HOME={os.path.dirname(assets.CACHE)} "
                   f"VITRINE_RUN={machine.PROGRAM} VITRINE_DEMO={os.environ['VITRINE_DEMO']}")
    start = ["mount -t ext4 /dev/sda /mnt", "mount -t devtmpfs none /mnt/dev",
             "mount -t proc none /mnt/proc", "mount -t sysfs none /mnt/sys",
             "mount -t tmpfs none /mnt/tmp", "ls -l /dev/kvm",
             f"chroot /mnt /bin/sh -c '{environment}; busybox ip link set lo up; {script}'",
             "sync", "umount /mnt 2>/dev/null"]
    initrd = assets.initrd("\n".join(start), modules_dir=modules_dir, modules=MODULES, name="outer")
    with tempfile.TemporaryDirectory(prefix="vitrine-outer-") as folder:
        disk = make_disk(folder)
        command = [EMULATOR, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2",
                   "-m", "2560", "-display", "none", "-nodefaults", "-no-reboot", "-serial", "stdio",
                   "-drive", f"file={disk},format=raw,if=ide,cache=unsafe",
                   "-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0 panic=-1 quiet"]
        try:
            return follow(command, seconds * machine.PATIENCE, each_line)
        finally:
            os.unlink(initrd)


def follow(command, seconds, each_line):
    lines = []
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          errors="replace") as process:
        alarm = machine.kill_after(process, seconds)
        try:
            for line in process.stdout:
                lines.append(line.rstrip("\r\n"))
                each_line(lines[-1])
        finally:
            alarm.cancel()
    if process.returncode:
        raise machine.Failure(f"{EMULATOR} ended with status {process.returncode}")
    return "\n".join(lines)
