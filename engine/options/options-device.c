/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* -device, -global, -set, -usb and what adds a device in one word. The properties of a device come
 * from its kind; the keys here are those all devices or all devices of a family share.
 * Thread: any; const data. */

#include "options-schema.h"

static const VitOptionValue v_device_write_cache[] = {
    { .name = "on", .help = VIT_N_("Reported") },
    { .name = "off", .help = VIT_N_("Not reported") },
    { .name = "auto", .help = VIT_N_("As the cache mode says") },
    { 0 },
};

static const VitOptionKey k_device[] = {
    K_STRING("driver", NULL, "Device model", .flags = VIT_OPT_REQUIRED | VIT_OPT_HELP),
    K_NEW_ID("id", NULL, "Name for the monitor, hot-unplug and cross references"),
    K_STRING("bus", NULL, "Bus the device is plugged into (e.g. scsi0.0, pcie.0)",
             .mission = "device.bus"),
    K_STRING("addr", NULL, "Position on a PCI bus", .mission = "device.addr"),
    K_ID("drive", "drive|blockdev", NULL, "Block node or drive id that backs a storage device"),
    K_ID("netdev", "netdev", NULL, "Host network backend of a NIC"),
    K_MAC("mac", NULL, "Hardware address of a NIC"),
    K_ID("chardev", "chardev", NULL, "Character backend of a port-like device"),
    K_ID("audiodev", "audiodev", NULL, "Audio backend of a sound device"),
    K_ID("iothread", "object", NULL,
         "Runs the device's I/O in the named thread object; not all devices have it"),
    K_INT("bootindex", NULL,
          "Per-device boot priority, lowest first; not to be combined with -boot order/once",
          .min = -1, .max = 2147483647),
    K_ENUM("write-cache", v_device_write_cache, "auto",
           "Whether the disk reports a volatile write cache to the guest"),
    K_SIZE("physical_block_size", "512",
           "Physical sector size a disk reports; the -global example sets 4096 on ide-hd",
           .min = 512, .max = 2097152),
    K_SIZE("logical_block_size", "512", "Logical sector size a disk reports", .min = 512,
           .max = 2097152),
    K_BOOL("ats", "off",
           "Address translation service on virtio devices, for use with the IOMMU's device-iotlb"),
    K_ID("tpmdev", "tpmdev", NULL, "TPM backend of a TPM front end"),
    K_ID("cryptodev", "object", NULL, "Crypto backend of the device"),
    { 0 },
};

static const VitOptionKey k_device_ipmi_bmc_sim[] = {
    K_NEW_ID("id", NULL, "Name used by bmc= of an interface", .flags = VIT_OPT_REQUIRED),
    K_INT("slave_addr", "0x20", "Address of the controller on the management bus", .max = 255),
    K_PATH("sdrfile", VIT_PATH_READ, NULL, "Raw sensor data records to preload"),
    K_INT("fruareasize", "1024", "Size of the field-replaceable-unit area", .min = 8, .max = 65535),
    K_PATH("frudatafile", VIT_PATH_READ, NULL, "Raw inventory data for that area"),
    K_UUID("guid", NULL, "Value returned for the Get GUID command; unset makes that command fail"),
    { 0 },
};

static const VitOptionKey k_device_ipmi_bmc_extern[] = {
    K_ID("chardev", "chardev", NULL, "Connection to the simulator", .flags = VIT_OPT_REQUIRED),
    K_INT("slave_addr", "0x20", "Controller's bus address", .max = 255),
    { 0 },
};

static const VitOptionKey k_device_isa_ipmi_kcs[] = {
    K_ID("bmc", "device", NULL, "The ipmi-bmc-sim or ipmi-bmc-extern to attach",
         .flags = VIT_OPT_REQUIRED),
    K_INT("ioport", "0xca2", "Base I/O port", .max = 65535),
    K_INT("irq", "5", "Interrupt line; 0 turns interrupts off", .max = 15),
    { 0 },
};

static const VitOptionKey k_device_isa_ipmi_bt[] = {
    K_ID("bmc", "device", NULL, "The BMC to attach", .flags = VIT_OPT_REQUIRED),
    K_INT("ioport", "0xe4", "Base I/O port", .max = 65535),
    K_INT("irq", "5", "Interrupt line; 0 turns interrupts off", .max = 15),
    { 0 },
};

static const VitOptionKey k_device_pci_ipmi_kcs[] = {
    K_ID("bmc", "device", NULL, "The BMC to attach", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionValue v_device_intel_iommu_intremap[] = {
    { .name = "on", .help = VIT_N_("Always") },
    { .name = "off", .help = VIT_N_("Never") },
    { .name = "auto", .help = VIT_N_("Decided by the machine") },
    { 0 },
};

static const VitOptionValue v_device_intel_iommu_aw_bits[] = {
    { .name = "39", .help = VIT_N_("3-level page tables") },
    { .name = "48", .help = VIT_N_("4-level page tables") },
    { 0 },
};

static const VitOptionKey k_device_intel_iommu[] = {
    K_ENUM("intremap", v_device_intel_iommu_intremap, "auto",
           "Interrupt remapping, needed for full x2APIC; works with kernel-irqchip off or split "
           "only; auto follows that mode"),
    K_BOOL("caching-mode", "off",
           "Guest invalidates on every mapping, so the host learns mappings at once; required for "
           "vfio-pci devices behind it"),
    K_BOOL("device-iotlb", "off",
           "Offers device IOTLBs; pairs with ats=on on virtio/vhost devices"),
    K_ENUM("aw-bits", v_device_intel_iommu_aw_bits, "39", "Width of I/O virtual addresses"),
    { 0 },
};

static const VitOptionKey k_device_vfio_pci[] = {
    K_STRING("host", NULL, "Host address of the device"),
    K_PATH("sysfsdev", VIT_PATH_DEVICE, NULL, "Host device by its sysfs path"),
    { 0 },
};

static const VitOptionKey k_device_nvdimm[] = {
    K_ID("memdev", "object", NULL, "Memory object behind the module", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionKey k_device_virtio_rng_pci[] = {
    K_ID("rng", "object", NULL, "Entropy source"),
    { 0 },
};

static const VitOptionKey k_device_virtio_crypto_pci[] = {
    K_ID("cryptodev", "object", NULL, "Crypto backend", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionKey k_device_virtio_9p_pci[] = {
    K_ID("fsdev", "fsdev", NULL, "The -fsdev to export", .flags = VIT_OPT_REQUIRED,
         .mission = "=device.virtio-9p.fsdev"),
    K_STRING("mount_tag", NULL, "Tag the guest gives to mount", .flags = VIT_OPT_REQUIRED,
             .mission = "=device.virtio-9p.mount_tag"),
    { 0 },
};

static const VitOptionKey k_device_tpm_tis[] = {
    K_ID("tpmdev", "tpmdev", NULL, "TPM backend", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionVariant vr_device[] = {
    { .name = "ipmi-bmc-sim",
      .help = VIT_N_("Built-in IPMI management controller with watchdog, reset and power control; "
                     "useful once an IPMI interface device refers to it"),
      .keys = k_device_ipmi_bmc_sim,
      .status = VIT_STATUS_NOT_YET },
    { .name = "ipmi-bmc-extern",
      .help = VIT_N_("Forwards IPMI to an outside simulator over a character backend (use "
                     "reconnect=); that peer can reset, NMI or power off the guest"),
      .keys = k_device_ipmi_bmc_extern,
      .status = VIT_STATUS_NOT_YET },
    { .name = "isa-ipmi-kcs",
      .help = VIT_N_("ISA KCS interface to a BMC, with matching ACPI and SMBIOS entries"),
      .keys = k_device_isa_ipmi_kcs,
      .status = VIT_STATUS_NOT_YET },
    { .name = "isa-ipmi-bt",
      .help = VIT_N_("ISA block-transfer interface to a BMC, otherwise like the KCS one"),
      .keys = k_device_isa_ipmi_bt,
      .status = VIT_STATUS_NOT_YET },
    { .name = "pci-ipmi-kcs",
      .help = VIT_N_("PCI KCS interface to a BMC"),
      .keys = k_device_pci_ipmi_kcs,
      .status = VIT_STATUS_NOT_YET },
    { .name = "pci-ipmi-bt",
      .help = VIT_N_("PCI block-transfer interface to a BMC"),
      .keys = k_device_pci_ipmi_kcs,
      .status = VIT_STATUS_NOT_YET },
    { .name = "intel-iommu",
      .help = VIT_N_(
          "Intel VT-d DMA remapping for the guest; accepted only on q35 boards, error elsewhere"),
      .keys = k_device_intel_iommu,
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET },
    { .name = "vfio-pci",
      .help = VIT_N_(
          "Hands a host PCI device to the guest; needs a host IOMMU and a device bound to vfio"),
      .keys = k_device_vfio_pci,
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET },
    { .name = "nvdimm",
      .help = VIT_N_("Persistent memory module backed by a memory object; needs -machine nvdimm=on "
                     "and slots/maxmem"),
      .keys = k_device_nvdimm,
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET },
    { .name = "virtio-rng-pci",
      .help = VIT_N_(
          "Entropy source for the guest; uses the built-in generator when no rng object is named"),
      .keys = k_device_virtio_rng_pci,
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET,
      .mission = "=device.virtio-rng" },
    { .name = "virtio-crypto-pci",
      .help = VIT_N_("Crypto accelerator for the guest"),
      .keys = k_device_virtio_crypto_pci,
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET,
      .mission = "=device.virtio-crypto" },
    { .name = "pvrdma",
      .help =
          VIT_N_("Paravirtual RDMA NIC; needs an RDMA-capable host device and shared guest RAM"),
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET },
    { .name = "usb-tablet",
      .help =
          VIT_N_("Absolute pointer; recommended with VNC so that host and guest pointers match"),
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET },
    { .name = "qemu-xhci",
      .help = VIT_N_(
          "USB 3 host controller for PCI machines; usable where the board's own USB lacks USB 3"),
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET },
    { .name = "virtio-9p-pci",
      .help = VIT_N_("9P device through which the guest mounts an fsdev"),
      .keys = k_device_virtio_9p_pci,
      .flags = VIT_OPT_OPEN,
      .mission = "device.virtio-9p device.virtio-9p.pci" },
    { .name = "virtio-9p-ccw",
      .help = VIT_N_("9p device of s390x"),
      .status = VIT_STATUS_OTHER_TARGET,
      .reason = VIT_N_("the CCW bus exists only on s390x machines"),
      .mission = "=device.virtio-9p.ccw" },
    { .name = "virtio-9p-device",
      .help = VIT_N_("Bus-neutral variant for virtio-mmio boards such as microvm"),
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_REPLACED,
      .reason = VIT_N_("no virtio-bus found on this board; use virtio-9p-pci"),
      .mission = "=device.virtio-9p.device" },
    { .name = "tpm-tis",
      .help = VIT_N_("TIS register interface presented to the guest"),
      .keys = k_device_tpm_tis,
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET },
    { 0 },
};

static const VitOptionKey k_global[] = {
    K_STRING("driver", NULL, "Device model whose default changes", .flags = VIT_OPT_REQUIRED),
    K_STRING("property", NULL, "Property name", .flags = VIT_OPT_REQUIRED),
    K_STRING("value", NULL, "New default", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionKey k_set[] = {
    K_STRING("group", NULL, "Option", .flags = VIT_OPT_REQUIRED),
    K_STRING("id", NULL, "Its id", .flags = VIT_OPT_REQUIRED),
    K_STRING("arg", NULL, "Key", .flags = VIT_OPT_REQUIRED),
    K_STRING("value", NULL, "New value", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionValue v_usbdevice_value[] = {
    { .name = "braille",
      .help =
          VIT_N_("Braille display shown through BrlAPI; a braille chardev is made automatically") },
    { .name = "keyboard", .help = VIT_N_("USB keyboard that takes over from the PS/2 keyboard") },
    { .name = "mouse",
      .help = VIT_N_("Relative USB mouse that takes over from the PS/2 mouse once active") },
    { .name = "tablet",
      .help = VIT_N_("Absolute pointer: no grab is needed to know the position; takes over from "
                     "PS/2 when active") },
    { .name = "wacom-tablet", .help = VIT_N_("Wacom PenPartner tablet") },
    { 0 },
};

static const VitOptionKey k_usbdevice[] = {
    K_ENUM("value", v_usbdevice_value, NULL, "Device"),
    { 0 },
};

static const VitOption options[] = {
    { .name = "device",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("DRIVER[,PROP=VALUE[,...]] | '{...}'"),
      .help = VIT_N_("Adds one device of the named model with properties"),
      .section = VIT_N_("Devices"),
      .page = VIT_N_("Devices"),
      .implied = "driver",
      .id_key = "id",
      .kind_class = "device",
      .keys = k_device,
      .variants = vr_device,
      .flags = VIT_OPT_HELP | VIT_OPT_JSON | VIT_OPT_OPEN,
      .change = VIT_CHANGE_HOT,
      .status = VIT_STATUS_AVAILABLE,
      .mission = "x.global.alias-device cli.device-help intro.gus-parallel-irq" },
    { .name = "global",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("DRIVER.PROP=VALUE | driver=DRIVER,property=PROP,value=VALUE"),
      .help = VIT_N_(
          "Changes a property default for all instances of a device model, including those the "
          "board makes by itself; the short form also works when the driver name has dots"),
      .section = VIT_N_("Devices"),
      .page = VIT_N_("Devices"),
      .keys = k_global,
      .status = VIT_STATUS_AVAILABLE,
      .mission = "global.long" },
    { .name = "set",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("GROUP.ID.ARG=VALUE"),
      .help = VIT_N_("Changes one argument of an earlier id'd option of that group; unknown group "
                     "or id is an error"),
      .section = VIT_N_("Devices"),
      .page = VIT_N_("Devices"),
      .keys = k_set,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "usb",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("Adds the board's USB controller; on PC boards this is USB 1.1/2.0, so USB 3 "
                     "needs a qemu-xhci device"),
      .section = VIT_N_("Devices"),
      .page = VIT_N_("USB"),
      .status = VIT_STATUS_NOT_YET },
    { .name = "usbdevice",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("NAME"),
      .help = VIT_N_("Adds a USB device and, if needed and possible, the on-board controller"),
      .section = VIT_N_("Devices"),
      .page = VIT_N_("USB"),
      .keys = k_usbdevice,
      .flags = VIT_OPT_DEPRECATED,
      .status = VIT_STATUS_NOT_YET },
};

const VitOptionArea vit_options_device_area = { options, VIT_ARRAY_LEN(options) };
