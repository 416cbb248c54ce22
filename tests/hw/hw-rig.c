/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The bare PC's parts, see hw-rig.h. Disk requests complete when the test says so, or at the next
 * step of a program; everything is deterministic. */

#include "hw-rig.h"
#include "vit-fsdev.h"

#include "hw-kinds.h"
#include "vit-error.h"

#include <errno.h>
#include <string.h>

/* ---- Lines and messages ---- */

static void
isa_line(void *opaque, int n, int level)
{
    HwRig *rig = opaque;

    rig->irq_rises[n] += level && !rig->irq[n];
    rig->irq[n] = level != 0;
}

static unsigned
pci_map_irq(void *opaque, unsigned devfn, unsigned pin)
{
    return ((devfn >> 3) + pin) & 3;
}

static void
pci_set_irq(void *opaque, unsigned line, int level)
{
    HwRig *rig = opaque;

    rig->pci_lines = level ? rig->pci_lines | 1u << line : rig->pci_lines & ~(1u << line);
}

static void
pci_send_msi(void *opaque, uint64_t address, uint32_t data)
{
    HwRig *rig = opaque;

    rig->msis++;
    rig->last_msi_address = address;
    rig->last_msi_data = data;
}

static const VitPciBusOps pci_ops = { pci_map_irq, pci_set_irq, pci_send_msi };

/* ---- Character devices ---- */

typedef struct RigChardev {
    VitChardev chr;
    HwRig *rig;
} RigChardev;

static bool
chardev_open(VitChardev *chr, GMainContext *context, GError **error)
{
    vit_chardev_set_open(chr, true);
    return true;
}

static size_t
chardev_write(VitChardev *chr, const uint8_t *buf, size_t len)
{
    HwRig *rig = ((RigChardev *)chr)->rig;
    size_t taken = MIN(len, rig->chardev_room);

    rig->chardev_room -= taken;
    g_byte_array_append(rig->sent, buf, taken);
    return taken;
}

static const VitChardevKind rig_chardev_kind = {
    .name = "rig",
    .title = "Character device of the test rig",
    .size = sizeof(RigChardev),
    .open = chardev_open,
    .write = chardev_write,
};

VitChardev *
hw_rig_chardev(HwRig *rig)
{
    VitChardev *chr = vit_chardev_new(&rig_chardev_kind, "rig");

    ((RigChardev *)chr)->rig = rig;
    g_assert_true(vit_chardev_open(chr, NULL, &rig->test.lock, NULL));
    g_ptr_array_add(rig->backends, chr);
    return chr;
}

void
hw_rig_type(VitChardev *chr, const char *text, size_t len)
{
    while (len > 0) {
        size_t room = MIN(vit_chardev_front_room(chr), len);

        if (room == 0) {
            return;
        }
        vit_chardev_deliver(chr, (const uint8_t *)text, room);
        text += room;
        len -= room;
    }
}

/* ---- Disks ---- */

enum { DRIVE_BYTES = 1440 * 1024 };

struct VitDriveRequest {
    struct RigDrive *drive;
    bool is_write;
    uint64_t offset, len;
    struct iovec *iov;
    int iov_count;
    VitDriveDone done;
    void *opaque;
};

typedef struct RigDrive {
    VitDrive drive;
    uint8_t *bytes;
    GQueue waiting; /* VitDriveRequest */
} RigDrive;

static VitDriveRequest *
drive_submit(VitDrive *drive, bool is_write, uint64_t offset, const struct iovec *iov,
             int iov_count, VitDriveDone done, void *opaque)
{
    VitDriveRequest *request = g_new0(VitDriveRequest, 1);

    *request = (VitDriveRequest){
        .drive = (RigDrive *)drive,
        .is_write = is_write,
        .offset = offset,
        .iov = iov_count ? g_memdup2(iov, iov_count * sizeof(*iov)) : NULL,
        .iov_count = iov_count,
        .done = done,
        .opaque = opaque,
    };
    g_queue_push_tail(&request->drive->waiting, request);
    return request;
}

static VitDriveRequest *
drive_read(VitDrive *drive, uint64_t offset, const struct iovec *iov, int iov_count,
           VitDriveDone done, void *opaque)
{
    return drive_submit(drive, false, offset, iov, iov_count, done, opaque);
}

static VitDriveRequest *
drive_write(VitDrive *drive, uint64_t offset, const struct iovec *iov, int iov_count, bool fua,
            VitDriveDone done, void *opaque)
{
    return drive_submit(drive, true, offset, iov, iov_count, done, opaque);
}

static VitDriveRequest *
drive_flush(VitDrive *drive, VitDriveDone done, void *opaque)
{
    return drive_submit(drive, false, 0, NULL, 0, done, opaque);
}

static VitDriveRequest *
drive_discard(VitDrive *drive, uint64_t offset, uint64_t len, VitDriveDone done, void *opaque)
{
    return drive_submit(drive, false, 0, NULL, 0, done, opaque);
}

static VitDriveRequest *
drive_write_zeroes(VitDrive *drive, uint64_t offset, uint64_t len, bool may_unmap,
                   VitDriveDone done, void *opaque)
{
    return drive_submit(drive, false, 0, NULL, 0, done, opaque);
}

static void
drive_complete(VitDriveRequest *request)
{
    uint64_t at = request->offset;
    int ret = 0;

    for (int i = 0; i < request->iov_count && ret == 0; i++) {
        const struct iovec *part = &request->iov[i];

        if (at > DRIVE_BYTES || part->iov_len > DRIVE_BYTES - at) {
            ret = -EIO;
        } else if (request->is_write) {
            memcpy(request->drive->bytes + at, part->iov_base, part->iov_len);
        } else {
            memcpy(part->iov_base, request->drive->bytes + at, part->iov_len);
        }
        at += part->iov_len;
    }
    request->done(request->opaque, ret);
    g_free(request->iov);
    g_free(request);
}

static void
drive_drain(VitDrive *drive)
{
    VitDriveRequest *request;

    while ((request = g_queue_pop_head(&((RigDrive *)drive)->waiting))) {
        drive_complete(request);
    }
}

static uint64_t
drive_get_len(VitDrive *drive)
{
    return DRIVE_BYTES;
}

static bool
drive_no(VitDrive *drive)
{
    return false;
}

static bool
drive_yes(VitDrive *drive)
{
    return true;
}

static void
drive_set(VitDrive *drive, bool value)
{
}

static VitDriveError
drive_error_action(VitDrive *drive, bool is_read, int error)
{
    return VIT_DRIVE_REPORT;
}

static const VitDriveOps drive_ops = {
    .read = drive_read,
    .write = drive_write,
    .flush = drive_flush,
    .discard = drive_discard,
    .write_zeroes = drive_write_zeroes,
    .drain = drive_drain,
    .get_len = drive_get_len,
    .is_read_only = drive_no,
    .is_inserted = drive_yes,
    .set_tray = drive_set,
    .is_tray_open = drive_no,
    .set_locked = drive_set,
    .error_action = drive_error_action,
};

static VitDrive *
rig_drive(HwRig *rig)
{
    RigDrive *drive = g_new0(RigDrive, 1);

    drive->drive.ops = &drive_ops;
    drive->drive.id = g_strdup("rig");
    drive->drive.logical_block_bytes = drive->drive.physical_block_bytes = 512;
    drive->drive.enable_write_cache = true;
    drive->bytes = g_malloc(DRIVE_BYTES);
    for (unsigned i = 0; i < DRIVE_BYTES; i++) {
        drive->bytes[i] = i ^ i >> 9;
    }
    g_queue_init(&drive->waiting);
    g_ptr_array_add(rig->drives, drive);
    return &drive->drive;
}

static void
rig_drive_free(void *data)
{
    RigDrive *drive = data;

    drive_drain(&drive->drive);
    g_free(drive->bytes);
    g_free(drive->drive.id);
    g_free(drive->drive.serial);
    g_free(drive);
}

void
hw_rig_complete_io(HwRig *rig)
{
    for (guint i = 0; i < rig->drives->len; i++) {
        drive_drain(rig->drives->pdata[i]);
    }
}

/* ---- Back ends by property ---- */

static VitChardev *
resolve_chardev(void *opaque, const char *id, GError **error)
{
    return hw_rig_chardev(opaque);
}

static VitDrive *
resolve_drive(void *opaque, const char *id, GError **error)
{
    return rig_drive(opaque);
}

/* Answers at once: Rlerror, EIO. */
static void
fsdev_request(VitFsdev *fsdev, const uint8_t *request, size_t len, size_t room, VitFsdevDone done,
              void *opaque, void *cookie)
{
    uint8_t answer[11] = { 11, 0, 0, 0, 7, request[5], request[6], 5 };

    done(opaque, cookie, answer, MIN(room, sizeof(answer)));
}

static void
fsdev_nothing(VitFsdev *fsdev)
{
}

static bool
fsdev_is_mounted(VitFsdev *fsdev)
{
    return false;
}

static VitFsdev *
resolve_fsdev(void *opaque, const char *id, GError **error)
{
    HwRig *rig = opaque;
    VitFsdev *fsdev = g_new(VitFsdev, 1);

    *fsdev = (VitFsdev){ .id = (char *)"rig",
                         .request = fsdev_request,
                         .drain = fsdev_nothing,
                         .reset = fsdev_nothing,
                         .is_mounted = fsdev_is_mounted };
    g_ptr_array_add(rig->fsdevs, fsdev);
    return fsdev;
}

/* ---- The rig ---- */

HwRig *
hw_rig_new(void)
{
    HwRig *rig = g_new0(HwRig, 1);
    VitPlatform *platform = &rig->test.platform;

    test_platform_init(&rig->test);
    vit_clock_set_wall_base(platform->clock, 1000000000, false);
    rig->ram = vit_ram_block_new("ram", HW_RIG_RAM_BYTES, NULL);
    g_assert_nonnull(rig->ram);
    vit_region_init_ram(&rig->ram_region, "ram", rig->ram, 0, HW_RIG_RAM_BYTES);
    vit_region_add(platform->memory_root, 0, &rig->ram_region, 0);
    vit_bus_init(&rig->isa.bus, VIT_BUS_ISA, "isa.0", NULL, platform);
    for (int n = 0; n < 16; n++) {
        rig->isa.irq[n] = (VitIrq){ isa_line, rig, n };
    }
    vit_pci_bus_init(&rig->pci, "pci.0", NULL, platform, &pci_ops, rig, platform->memory_root,
                     platform->io_root);
    rig->sent = g_byte_array_new();
    rig->chardev_room = SIZE_MAX;
    rig->backends = g_ptr_array_new_with_free_func((GDestroyNotify)vit_chardev_free);
    rig->drives = g_ptr_array_new_with_free_func(rig_drive_free);
    rig->owners = g_ptr_array_new_with_free_func((GDestroyNotify)vit_device_free);
    rig->resolver = (VitPropResolver){
        .chardev = resolve_chardev, .drive = resolve_drive, .fsdev = resolve_fsdev, .opaque = rig
    };
    rig->fsdevs = g_ptr_array_new_with_free_func(g_free);
    return rig;
}

void
hw_rig_free(HwRig *rig)
{
    if (!rig) {
        return;
    }
    g_ptr_array_unref(rig->owners);
    g_ptr_array_unref(rig->backends);
    g_ptr_array_unref(rig->drives);
    g_ptr_array_unref(rig->fsdevs);
    g_byte_array_unref(rig->sent);
    vit_pci_bus_finish(&rig->pci);
    vit_bus_finish(&rig->isa.bus);
    vit_region_finish(&rig->ram_region);
    test_platform_finish(&rig->test);
    vit_ram_block_free(rig->ram);
    g_free(rig);
}

/* A bus of TYPE that OWNER brought. */
static VitBus *
child_bus(VitDevice *owner, VitBusType type)
{
    for (guint i = 0; owner->child_buses && i < owner->child_buses->len; i++) {
        VitBus *bus = owner->child_buses->pdata[i];

        if (bus->type == type) {
            return bus;
        }
    }
    return NULL;
}

static VitBus *
make_controller(HwRig *rig, VitBusType type)
{
    for (unsigned i = 0; vit_hw_kinds[i]; i++) {
        const VitDeviceKind *kind = vit_hw_kinds[i];
        VitDevice *owner;
        VitBus *bus;

        if (kind->bus > VIT_BUS_PCI) {
            continue;
        }
        owner = hw_rig_add(rig, kind, NULL);
        bus = owner ? child_bus(owner, type) : NULL;
        if (bus) {
            g_ptr_array_add(rig->owners, owner);
            return bus;
        }
        vit_device_free(owner);
    }
    return NULL;
}

bool
hw_rig_find_bus(HwRig *rig, const VitDeviceKind *kind, VitBus **out_bus)
{
    switch (kind->bus) {
    case VIT_BUS_NONE: *out_bus = NULL; return true;
    case VIT_BUS_ISA: *out_bus = &rig->isa.bus; return true;
    case VIT_BUS_PCI: *out_bus = &rig->pci.bus; return true;
    default: *out_bus = make_controller(rig, kind->bus); return *out_bus != NULL;
    }
}

static bool
is_backend_prop(const VitProp *prop)
{
    return prop->type == VIT_PROP_TYPE_CHARDEV || prop->type == VIT_PROP_TYPE_DRIVE ||
           prop->type == VIT_PROP_TYPE_FSDEV;
}

VitDevice *
hw_rig_create(HwRig *rig, const VitDeviceKind *kind)
{
    VitDevice *dev = vit_device_new(kind, NULL);

    for (const VitProp *prop = kind->props; prop && prop->name; prop++) {
        if (is_backend_prop(prop) ||
            (prop->type == VIT_PROP_TYPE_STRING && prop->flags & VIT_PROP_REQUIRED)) {
            g_assert_true(vit_device_set(dev, prop->name, "rig", &rig->resolver, NULL));
        }
    }
    if (kind->bus == VIT_BUS_PCI) {
        /* the host's firmware files are none of a test's business */
        g_assert_true(vit_device_set(dev, "rombar", "0", NULL, NULL));
    }
    return dev;
}

VitDevice *
hw_rig_add(HwRig *rig, const VitDeviceKind *kind, GError **error)
{
    VitDevice *dev = hw_rig_create(rig, kind);
    VitBus *bus;

    if (!hw_rig_find_bus(rig, kind, &bus)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "no controller brings a %s bus",
                    vit_bus_type_name(kind->bus));
        vit_device_free(dev);
        return NULL;
    }
    if (!vit_device_realize(dev, bus, &rig->test.platform, error)) {
        vit_device_free(dev);
        return NULL;
    }
    hw_rig_map_pci(rig, dev);
    return dev;
}

void
hw_rig_map_pci(HwRig *rig, VitDevice *dev)
{
    hw_rig_map_pci_at(rig, dev, 0x80000000, 0x4000);
}

void
hw_rig_map_pci_at(HwRig *rig, VitDevice *dev, uint64_t memory, uint64_t io)
{
    VitPciDevice *pci = (VitPciDevice *)dev;

    if (dev->kind->bus != VIT_BUS_PCI) {
        return;
    }
    for (unsigned n = 0; n < 6; n++) {
        const VitPciBar *bar = &pci->bars[n];
        uint64_t *next = bar->type & VIT_PCI_BAR_IO ? &io : &memory;

        if (!bar->region) {
            continue;
        }
        *next = (*next + bar->len_bytes - 1) & ~(bar->len_bytes - 1);
        vit_pci_device_config_write(pci, 0x10 + 4 * n, *next, 4);
        if (bar->type & VIT_PCI_BAR_MEM64) {
            vit_pci_device_config_write(pci, 0x14 + 4 * n, *next >> 32, 4);
        }
        *next += bar->len_bytes;
    }
    vit_pci_device_config_write(pci, 4, 7, 2);
}

void
hw_rig_oversleep_ns(HwRig *rig, int64_t ns)
{
    vit_clock_set_ns(rig->test.platform.clock, hw_rig_now(rig) + ns);
}

void
hw_rig_step_ns(HwRig *rig, int64_t ns)
{
    vit_clock_step_to(rig->test.platform.clock, hw_rig_now(rig) + ns);
}

GBytes *
hw_rig_save(VitDevice *dev)
{
    VitStateWriter *writer = vit_state_writer_new();

    vit_device_save(dev, writer);
    return vit_state_writer_finish(writer);
}

bool
hw_rig_load(VitDevice *dev, GBytes *state, GError **error)
{
    VitStateReader *reader = vit_state_reader_new(state, error);
    bool ok = reader && vit_device_load(dev, reader, error);

    vit_state_reader_free(reader);
    return ok;
}

void
hw_rig_copy_world(HwRig *to, HwRig *from)
{
    memcpy(to->ram->host, from->ram->host, HW_RIG_RAM_BYTES);
    g_assert_cmpuint(to->drives->len, ==, from->drives->len);
    for (guint i = 0; i < from->drives->len; i++) {
        memcpy(((RigDrive *)to->drives->pdata[i])->bytes,
               ((RigDrive *)from->drives->pdata[i])->bytes, DRIVE_BYTES);
    }
    g_assert_cmpuint(to->owners->len, ==, from->owners->len);
    for (guint i = 0; i < from->owners->len; i++) {
        g_autoptr(GBytes) state = hw_rig_save(from->owners->pdata[i]);
        g_assert_true(hw_rig_load(to->owners->pdata[i], state, NULL));
    }
    to->test.random = from->test.random;
    to->chardev_room = from->chardev_room;
    vit_clock_set_ns(to->test.platform.clock, hw_rig_now(from));
}
