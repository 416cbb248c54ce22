/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Names for people. The schema names keys as the command line writes them; the ones that are met
 * first have a title here, all others are made readable by rule. Nothing depends on a title being
 * here: a new option gets its row without. Thread: main. */

#include "app-setting.h"

#include <glib/gi18n.h>
#include <string.h>

static const struct {
    const char *name, *title;
} titles[] = {
    { "machine", N_("Board") },
    { "machine.type", N_("Board type") },
    { "machine.acpi", N_("ACPI") },
    { "machine.hpet", N_("HPET timer") },
    { "machine.smm", N_("System management mode") },
    { "machine.usb", N_("USB controller") },
    { "machine.firmware", N_("Firmware file") },
    { "machine.graphics", N_("Firmware uses the screen") },
    { "machine.vmport", N_("VMware backdoor port") },
    { "cpu", N_("Processor model") },
    { "cpu.model", N_("Model") },
    { "accel", N_("Acceleration") },
    { "accel.accel", N_("Accelerator") },
    { "accel.thread", N_("Threads of the processors") },
    { "accel.kernel-irqchip", N_("Interrupt controllers in the kernel") },
    { "accel.tb-size", N_("Translation cache") },
    { "enable-kvm", N_("Use KVM") },
    { "smp", N_("Processors") },
    { "smp.cpus", N_("Number of processors") },
    { "smp.maxcpus", N_("Most processors after hotplug") },
    { "smp.sockets", N_("Sockets") },
    { "smp.dies", N_("Dies per socket") },
    { "smp.cores", N_("Cores per die") },
    { "smp.threads", N_("Threads per core") },
    { "m", N_("Memory") },
    { "m.size", N_("Memory size") },
    { "m.slots", N_("Hotplug slots") },
    { "m.maxmem", N_("Most memory after hotplug") },
    { "mem-path", N_("Memory file or folder") },
    { "mem-prealloc", N_("Reserve memory at start") },
    { "k", N_("Keyboard layout") },
    { "name", N_("Name") },
    { "name.guest", N_("Machine name") },
    { "uuid", N_("UUID") },
    { "rtc", N_("Clock") },
    { "rtc.base", N_("Starts at") },
    { "rtc.clock", N_("Clock source") },
    { "rtc.driftfix", N_("Catch up on lost ticks") },
    { "no-acpi", N_("Without ACPI") },
    { "no-hpet", N_("Without HPET timer") },
    { "no-reboot", N_("Stop instead of rebooting") },
    { "no-shutdown", N_("Stay when the guest switches off") },
    { "nodefaults", N_("No default devices") },
    { "action", N_("What happens on events") },
    { "seed", N_("Random seed") },
    { "watchdog", N_("Watchdog") },
    { "watchdog-action", N_("When the watchdog fires") },
    { "boot", N_("Boot order") },
    { "boot.order", N_("Order of drives") },
    { "boot.once", N_("Order for the first boot") },
    { "boot.menu", N_("Boot menu") },
    { "boot.splash", N_("Splash picture") },
    { "boot.splash-time", N_("Splash time") },
    { "boot.reboot-timeout", N_("Retry after") },
    { "boot.strict", N_("Only these drives") },
    { "kernel", N_("Linux kernel") },
    { "append", N_("Kernel command line") },
    { "initrd", N_("Initial RAM disk") },
    { "dtb", N_("Device tree") },
    { "bios", N_("Firmware (BIOS)") },
    { "pflash", N_("Firmware flash") },
    { "option-rom", N_("Option ROM") },
    { "fw_cfg", N_("Firmware data") },
    { "no-fd-bootchk", N_("No boot signature check of floppies") },
    { "smbios", N_("SMBIOS table") },
    { "acpitable", N_("ACPI table") },
    { "drive", N_("Drive") },
    { "drive.file", N_("Image") },
    { "drive.if", N_("Connected to") },
    { "drive.index", N_("Position") },
    { "drive.media", N_("Medium") },
    { "drive.format", N_("Format of the image") },
    { "drive.cache", N_("Cache") },
    { "drive.aio", N_("Host I/O") },
    { "drive.readonly", N_("Read only") },
    { "drive.read-only", N_("Read only") },
    { "drive.discard", N_("Pass on discards") },
    { "drive.snapshot", N_("Throw away changes") },
    { "drive.serial", N_("Serial number") },
    { "blockdev", N_("Block node") },
    { "image", N_("Disk image") },
    { "fda", N_("Floppy drive A") },
    { "fdb", N_("Floppy drive B") },
    { "hda", N_("First hard disk") },
    { "hdb", N_("Second hard disk") },
    { "hdc", N_("Third hard disk") },
    { "hdd", N_("Fourth hard disk") },
    { "cdrom", N_("CD or DVD") },
    { "snapshot", N_("Throw away all changes to disks") },
    { "fsdev", N_("Folder to share") },
    { "virtfs", N_("Shared folder") },
    { "iscsi", N_("iSCSI") },
    { "device", N_("Device") },
    { "device.driver", N_("Kind") },
    { "device.id", N_("Id") },
    { "device.bus", N_("Bus") },
    { "device.addr", N_("Slot on the bus") },
    { "device.mac", N_("Hardware address") },
    { "device.netdev", N_("Network") },
    { "device.drive", N_("Drive") },
    { "device.chardev", N_("Host side") },
    { "device.bootindex", N_("Place in the boot order") },
    { "device.romfile", N_("Option ROM file") },
    { "global", N_("Property of all devices of a kind") },
    { "set", N_("Property of one instance") },
    { "usb", N_("USB controller") },
    { "usbdevice", N_("USB device") },
    { "display", N_("Display window") },
    { "nographic", N_("No screen, console on the terminal") },
    { "vga", N_("Graphics card") },
    { "vnc", N_("VNC server") },
    { "spice", N_("SPICE server") },
    { "audiodev", N_("Sound on the host") },
    { "audio", N_("Sound card and host side") },
    { "soundhw", N_("Sound cards") },
    { "nic", N_("Network card") },
    { "nic.model", N_("Card") },
    { "nic.mac", N_("Hardware address") },
    { "nic.type", N_("Network") },
    { "netdev", N_("Network on the host") },
    { "netdev.type", N_("Kind") },
    { "net", N_("Network (old form)") },
    { "chardev", N_("Character device on the host") },
    { "serial", N_("Serial port") },
    { "parallel", N_("Parallel port") },
    { "monitor", N_("Monitor") },
    { "qmp", N_("QMP monitor") },
    { "qmp-pretty", N_("QMP monitor, readable") },
    { "mon", N_("Monitor on a character device") },
    { "debugcon", N_("Debug console") },
    { "object", N_("Object") },
    { "tpmdev", N_("TPM on the host") },
    { "S", N_("Start paused") },
    { "gdb", N_("Debugger port") },
    { "s", N_("Debugger on port 1234") },
    { "d", N_("What to log") },
    { "D", N_("Log file") },
    { "L", N_("Folder of firmware files") },
    { "icount", N_("Count instructions") },
    { "numa", N_("NUMA") },
    { "overcommit", N_("Overcommit") },
};

const char *
app_schema_text(const char *text)
{
    return text && *text ? _(text) : text;
}

/* "reboot-timeout" as "Reboot timeout". */
static const char *
readable(const char *word)
{
    g_autofree char *text = g_strdelimit(g_strdup(word), "-_", ' ');

    if (g_ascii_islower(text[0])) {
        text[0] = g_ascii_toupper(text[0]);
    }
    return g_intern_string(text);
}

static const char *
own_title(const char *option, const char *key)
{
    g_autofree char *name = key ? g_strconcat(option, ".", key, NULL) : g_strdup(option);

    for (unsigned i = 0; i < G_N_ELEMENTS(titles); i++) {
        if (strcmp(titles[i].name, name) == 0) {
            return titles[i].title;
        }
    }
    return NULL;
}

const char *
app_setting_title_for(const char *option, const char *key)
{
    const char *title = own_title(option, key);

    return title ? _(title) : readable(key ? key : option);
}

gboolean
app_setting_has_title(const char *option, const char *key)
{
    return own_title(option, key) != NULL;
}
