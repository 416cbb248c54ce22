#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""UEFI firmware in flash: OVMF to its shell and Debian's kernel from an EFI system partition, with a
variable that Linux sets and finds again after power off."""
import os
import shutil
import subprocess
import tempfile

import assets
import machine

SHARE = "/usr/share/OVMF"
SECTOR = 512
MEBI = 1 << 20
ESP_START = MEBI
ESP_SIZE = 127 * MEBI
GUID = "8f5b2d2e-7f0e-4c4d-9f43-3c1a5a0d7b11"

GRUB = """serial --unit=0 --speed=115200
terminal_output serial
search --no-floppy --set=root --file /vmlinuz
echo GRUB-IS-HERE
linux /vmlinuz console=ttyS0 panic=-1
initrd /initrd.gz
boot
"""

# Attributes 7: kept, for boot services, for run time.
SCRIPT = f"""mount -t efivarfs none /sys/firmware/efi/efivars && echo EFIVARS
cd /sys/firmware/efi/efivars
echo WAS $(tail -c +5 First-{GUID} 2>/dev/null || echo nothing)
N=First; [ -e First-{GUID} ] && N=Second
printf "\\\\007\\\\000\\\\000\\\\000kept-$N" > $N-{GUID}
echo NOW $(tail -c +5 $N-{GUID})
echo IO-DONE"""


def make_disk(path, folder):
    """A disk whose one partition is an EFI system partition with GRUB, Debian's kernel and an
    initrd."""
    kernel, modules_dir = assets.kernel()
    initrd = assets.initrd(SCRIPT, modules_dir=modules_dir, modules=["efivarfs"], name="efi")
    config, loader, esp = (os.path.join(folder, name) for name in ("grub.cfg", "grub.efi", "esp"))
    with open(config, "w", encoding="ascii") as stream:
        stream.write(GRUB)
    assets.run("grub-mkstandalone", "-O", "x86_64-efi", "--locales=", "--fonts=", "--themes=",
               "--install-modules=linux serial terminal search search_fs_file normal echo minicmd",
               "--modules=part_msdos fat",
               "-o", loader, "boot/grub/grub.cfg=" + config)
    with open(esp, "wb") as stream:
        stream.truncate(ESP_SIZE)
    assets.run("mformat", "-i", esp, "-F", "::")
    assets.run("mmd", "-i", esp, "::EFI", "::EFI/BOOT")
    assets.run("mcopy", "-i", esp, loader, "::EFI/BOOT/BOOTX64.EFI")
    assets.run("mcopy", "-i", esp, kernel, "::vmlinuz")
    assets.run("mcopy", "-i", esp, initrd, "::initrd.gz")
    entry = (bytes([0x80, 0xfe, 0xff, 0xff, 0xef, 0xfe, 0xff, 0xff]) +
             (ESP_START // SECTOR).to_bytes(4, "little") + (ESP_SIZE // SECTOR).to_bytes(4, "little"))
    with open(path, "wb") as disk, open(esp, "rb") as stream:
        disk.write(bytes(446) + entry + bytes(48) + b"\x55\xaa")
        disk.seek(ESP_START)
        shutil.copyfileobj(stream, disk)
    os.unlink(initrd)


def flash(size, variables):
    return ["-drive", f"if=pflash,format=raw,readonly=on,file={SHARE}/OVMF_CODE{size}.fd",
            "-drive", f"if=pflash,format=raw,file={variables}"]


def boot(firmware, disk, *args):
    """What the serial port said until Linux powered off."""
    with machine.Machine("-nodefaults", "-m", "512", "-no-reboot", *firmware, *disk, *args,
                         qmp=False) as vm:
        vm.wait_serial("GRUB-IS-HERE", 120)
        vm.wait_serial("IO-DONE", 240)
        vm.wait_exit(120)
        return vm.serial()


def to_shell(*firmware):
    with machine.Machine("-nodefaults", "-m", "256", "-vga", "none", *firmware, qmp=False) as vm:
        vm.wait_serial("Shell>", 120)
        return vm.serial()


def shell():
    """The 2 MiB and 4 MiB builds in two chips, the whole image in one, and as -bios; the variables'
    chip keeps what the firmware wrote, the firmware's is not touched.

    mission: ovmf cfi.pflash01 drive.if.pflash pflash intro.firmware-bios"""
    with tempfile.TemporaryDirectory() as folder:
        variables = os.path.join(folder, "vars.fd")
        for size in ("", "_4M"):
            shutil.copy(f"{SHARE}/OVMF_VARS{size}.fd", variables)
            text = to_shell(*flash(size, variables))
            assert "BLK" in text or "Mapping table" in text or "Shell" in text
            with open(variables, "rb") as new, open(f"{SHARE}/OVMF_VARS{size}.fd", "rb") as old:
                assert new.read() != old.read(), "the firmware has written no variable"
        whole = os.path.join(folder, "whole.fd")
        shutil.copy("/usr/share/ovmf/OVMF.fd", whole)
        to_shell("-pflash", whole)
        to_shell("-bios", "/usr/share/ovmf/OVMF.fd")


def variable():
    """Debian's kernel from an EFI system partition on IDE; then from virtio-blk with nodes as chips.

    mission: pflash"""
    with tempfile.TemporaryDirectory() as folder:
        disk, variables = os.path.join(folder, "d.raw"), os.path.join(folder, "vars.fd")
        shutil.copy(f"{SHARE}/OVMF_VARS_4M.fd", variables)
        make_disk(disk, folder)
        ide = ["-drive", f"file={disk},format=raw,if=ide"]
        first = boot(flash("_4M", variables), ide)
        assert "EFIVARS" in first and "WAS nothing" in first and "NOW kept-First" in first, first
        # a qcow2 file holds the variables from here on
        grown = os.path.join(folder, "vars.qcow2")
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", variables, grown],
                       check=True)
        nodes = ["-blockdev", f"driver=file,filename={SHARE}/OVMF_CODE_4M.fd,node-name=code,"
                 "read-only=on", "-blockdev", "driver=qcow2,node-name=vars,file.driver=file,"
                 f"file.filename={grown}", "-machine", "pc,pflash0=code,pflash1=vars"]
        # the kept boot order knows no such disk and has the shell first: bootindex= decides
        second = boot(nodes, ["-drive", f"file={disk},format=raw,if=none,id=d", "-device",
                              "virtio-blk-pci,drive=d,bootindex=0"])
        assert "WAS kept-First" in second and "NOW kept-Second" in second, second
        subprocess.run(["qemu-img", "check", grown], check=True, stdout=subprocess.DEVNULL)


def reset():
    """A reset starts the firmware anew, whatever mode its chips were in.

    mission: cfi.pflash01"""
    with tempfile.TemporaryDirectory() as folder:
        variables = os.path.join(folder, "vars.fd")
        shutil.copy(f"{SHARE}/OVMF_VARS_4M.fd", variables)
        with machine.Machine("-nodefaults", "-m", "256", "-vga", "none",
                             *flash("_4M", variables)) as vm:
            for _ in range(2):
                vm.wait_serial("Shell>", 120)
                os.truncate(vm.serial_path, 0)
                vm.qmp("system_reset")
            vm.wait_serial("Shell>", 120)


if __name__ == "__main__":
    machine.main([shell, variable, reset])
