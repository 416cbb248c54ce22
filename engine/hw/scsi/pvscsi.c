/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* VMware's paravirtual SCSI host adapter. The driver gives rings of requests and of completions in
 * its memory, and rings a doorbell; commands go to the SCSI bus (SAM-5).
 *
 * Interface as Linux's vmw_pvscsi driver sees it. Deviations: no message ring (units that come and
 * go are found by a rescan), no configuration pages, no threshold for request calls; the command
 * register says of these that they failed, and drivers do without.
 *
 * A request that an error stopped is saved as its descriptor and carried out again after loading.
 * Thread: device lock held. */

#include "scsi.h"
#include "vit-error.h"
#include "vit-pci.h"

#include <string.h>

enum {
    BAR_BYTES = 32 * 1024,
    REG_COMMAND = 0x0000,
    REG_COMMAND_DATA = 0x0004,
    REG_COMMAND_STATUS = 0x0008,
    REG_INTR_STATUS = 0x100c,
    REG_INTR_MASK = 0x2010,
    REG_KICK_NON_RW = 0x3014,
    REG_KICK_RW = 0x4018,

    COMMAND_ADAPTER_RESET = 1,
    COMMAND_SETUP_RINGS = 3,
    COMMAND_RESET_BUS = 4,
    COMMAND_RESET_DEVICE = 5,
    COMMAND_ABORT = 6,
    STATUS_NOT_ENOUGH_DATA = -2,

    INTR_COMPLETION = 1 << 0,
    INTR_KNOWN = 0x0f,

    RING_PAGES_MAX = 32,
    PAGE_SHIFT = 12,
    REQUEST_BYTES = 128,
    COMPLETION_BYTES = 32,
    REQUESTS_PER_PAGE = 4096 / REQUEST_BYTES,
    COMPLETIONS_PER_PAGE = 4096 / COMPLETION_BYTES,
    COMMAND_WORDS = 132, /* the longest: set-up of the rings */

    /* The page both sides keep their indices in. */
    STATE_REQUEST_PRODUCED = 0,
    STATE_REQUEST_CONSUMED = 4,
    STATE_REQUEST_LOG2 = 8,
    STATE_COMPLETION_PRODUCED = 12,
    STATE_COMPLETION_CONSUMED = 16,
    STATE_COMPLETION_LOG2 = 20,

    FLAG_LIST = 1 << 0, /* the data is described by a list */
    FLAG_TO_HOST = 1 << 3,
    FLAG_TO_DEVICE = 1 << 4,
    ELEMENT_BYTES = 16,
    ELEMENT_IS_CHAIN = 1 << 0,
    ELEMENTS_MAX = 2048,

    HOST_OK = 0x00,
    HOST_NO_TARGET = 0x11,
    HOST_BAD_PARAMETER = 0x1a,

    TARGETS = 64,
    STOPPED_MAX = 64, /* requests an error stopped, that are saved */
};

typedef struct Pvscsi {
    VitPciDevice pci;
    /* the driver's */
    uint32_t command, command_status, words_got;
    uint32_t words[COMMAND_WORDS];
    uint32_t intr_status, intr_mask;
    uint64_t state_page;
    uint32_t request_pages, completion_pages; /* 0: no rings */
    uint64_t request_at[RING_PAGES_MAX], completion_at[RING_PAGES_MAX];
    uint32_t completions; /* how many there were */
    uint32_t stopped_count;
    uint8_t stopped[STOPPED_MAX * REQUEST_BYTES];
    /* wiring */
    VitRegion region;
    ScsiBus bus;
    bool use_msi;
} Pvscsi;
VIT_DEVICE_LAYOUT(Pvscsi)

typedef struct PvscsiRequest {
    Pvscsi *adapter;
    ScsiRequest request;
    VitSg sg;
    uint64_t context, sense_at;
    uint32_t sense_len;
    uint8_t descriptor[REQUEST_BYTES];
} PvscsiRequest;

static VitAddressSpace *
space_of(Pvscsi *adapter)
{
    return ((VitPciBus *)adapter->pci.dev.bus)->dma;
}

static uint32_t
get32(const uint8_t *in)
{
    return in[0] | in[1] << 8 | in[2] << 16 | (uint32_t)in[3] << 24;
}

static uint64_t
get64(const uint8_t *in)
{
    return get32(in) | (uint64_t)get32(in + 4) << 32;
}

static void
put32(uint8_t *out, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        out[i] = (uint8_t)(value >> 8 * i);
    }
}

static uint32_t
read_index(Pvscsi *adapter, unsigned at)
{
    uint8_t bytes[4] = { 0 };

    vit_pci_dma_read(&adapter->pci, adapter->state_page + at, bytes, sizeof(bytes));
    return get32(bytes);
}

static void
write_index(Pvscsi *adapter, unsigned at, uint32_t value)
{
    uint8_t bytes[4];

    put32(bytes, value);
    vit_pci_dma_write(&adapter->pci, adapter->state_page + at, bytes, sizeof(bytes));
}

static void
update_interrupt(Pvscsi *adapter, bool is_new)
{
    bool pending = adapter->intr_status & adapter->intr_mask;

    if (vit_pci_msi_enabled(&adapter->pci)) {
        if (pending && is_new) {
            vit_pci_notify(&adapter->pci, 0);
        }
        return;
    }
    vit_pci_set_irq(&adapter->pci, pending);
}

/* ---- completions ---- */

static void
complete(PvscsiRequest *own, unsigned host_status)
{
    Pvscsi *adapter = own->adapter;
    const ScsiRequest *request = &own->request;
    uint32_t index = adapter->completions++;
    uint32_t count = adapter->completion_pages * COMPLETIONS_PER_PAGE;
    uint32_t sense_len = request->has_sense ? MIN(own->sense_len, SCSI_SENSE_BYTES) : 0;
    uint8_t bytes[COMPLETION_BYTES] = { 0 };

    if (sense_len) {
        vit_pci_dma_write(&adapter->pci, own->sense_at, request->sense, sense_len);
    }
    put32(bytes, (uint32_t)own->context);
    put32(bytes + 4, (uint32_t)(own->context >> 32));
    put32(bytes + 8, (uint32_t)request->moved_bytes);
    put32(bytes + 12, (uint32_t)(request->moved_bytes >> 32));
    put32(bytes + 16, sense_len);
    put32(bytes + 20, host_status | (uint32_t)request->status << 16);
    vit_sg_finish(&own->sg, request->in ? request->moved_bytes : 0);
    if (count > 0) {
        uint32_t slot = index & (count - 1);
        uint64_t page = adapter->completion_at[slot / COMPLETIONS_PER_PAGE];
        vit_pci_dma_write(&adapter->pci,
                          page + (uint64_t)(slot % COMPLETIONS_PER_PAGE) * COMPLETION_BYTES, bytes,
                          sizeof(bytes));
        write_index(adapter, STATE_COMPLETION_PRODUCED, adapter->completions);
        adapter->intr_status |= INTR_COMPLETION;
        update_interrupt(adapter, true);
    }
    g_free(own);
}

static void
request_done(ScsiRequest *request)
{
    /* Less than was asked for is no failure: the completion says how much there was. */
    complete(VIT_CONTAINER_OF(request, PvscsiRequest, request), HOST_OK);
}

/* ---- requests ---- */

/* Adds what the driver's list describes, which may go on elsewhere. */
static bool
add_list(PvscsiRequest *own, uint64_t at, uint64_t len)
{
    for (unsigned i = 0; len > 0 && i < ELEMENTS_MAX; i++) {
        uint8_t element[ELEMENT_BYTES];
        if (!vit_pci_dma_read(&own->adapter->pci, at, element, sizeof(element))) {
            return false;
        }
        uint64_t address = get64(element), piece = MIN(len, get32(element + 8));
        if (get32(element + 12) & ELEMENT_IS_CHAIN) {
            at = address;
            continue;
        }
        if (piece > 0 && !vit_sg_add(&own->sg, address, piece)) {
            return false;
        }
        len -= piece;
        at += ELEMENT_BYTES;
    }
    return len == 0;
}

static bool
add_data(PvscsiRequest *own)
{
    const uint8_t *descriptor = own->descriptor;
    uint64_t address = get64(descriptor + 8), len = get64(descriptor + 16);
    uint32_t flags = get32(descriptor + 36);
    bool to_host = flags & FLAG_TO_HOST, to_device = flags & FLAG_TO_DEVICE;

    vit_sg_init(&own->sg, space_of(own->adapter), to_host);
    if (to_host && to_device) {
        return false;
    }
    if (len == 0 || !(to_host || to_device)) {
        return true;
    }
    own->request.in = to_host ? &own->sg : NULL;
    own->request.out = to_device ? &own->sg : NULL;
    return flags & FLAG_LIST ? add_list(own, address, len) : vit_sg_add(&own->sg, address, len);
}

static void
start_request(Pvscsi *adapter, const uint8_t *descriptor, bool again)
{
    PvscsiRequest *own = g_new0(PvscsiRequest, 1);
    unsigned bus, target, unit;

    own->adapter = adapter;
    memcpy(own->descriptor, descriptor, REQUEST_BYTES);
    own->context = get64(descriptor);
    own->sense_at = get64(descriptor + 24);
    own->sense_len = get32(descriptor + 32);
    memcpy(own->request.cdb, descriptor + 40, SCSI_CDB_MAX);
    own->request.done = request_done;
    bus = descriptor[66];
    target = descriptor[67];
    unit = descriptor[57 + 1]; /* the second byte of a single-level LUN */
    if (!add_data(own)) {
        own->request.in = own->request.out = NULL;
        complete(own, HOST_BAD_PARAMETER);
        return;
    }
    if (bus != 0 || descriptor[57] != 0 || target >= TARGETS ||
        !(again ? scsi_bus_repeat(&adapter->bus, 0, target, unit, &own->request)
                : scsi_bus_start(&adapter->bus, 0, target, unit, &own->request))) {
        own->request.in = own->request.out = NULL;
        complete(own, HOST_NO_TARGET);
    }
}

static void
take_requests(Pvscsi *adapter)
{
    uint32_t count = adapter->request_pages * REQUESTS_PER_PAGE, produced, consumed;

    if (count == 0) {
        return;
    }
    produced = read_index(adapter, STATE_REQUEST_PRODUCED);
    consumed = read_index(adapter, STATE_REQUEST_CONSUMED);
    if (produced - consumed > count) {
        vit_guest_error(&adapter->pci.dev, "%u requests in a ring of %u", produced - consumed,
                        count);
        return;
    }
    while (consumed != produced) {
        uint32_t slot = consumed & (count - 1);
        uint8_t descriptor[REQUEST_BYTES];

        if (!vit_pci_dma_read(&adapter->pci,
                              adapter->request_at[slot / REQUESTS_PER_PAGE] +
                                  (uint64_t)(slot % REQUESTS_PER_PAGE) * REQUEST_BYTES,
                              descriptor, sizeof(descriptor))) {
            return;
        }
        write_index(adapter, STATE_REQUEST_CONSUMED, ++consumed);
        start_request(adapter, descriptor, false);
    }
}

/* ---- commands ---- */

static void
reset_units(Pvscsi *adapter, int target)
{
    for (guint i = 0; adapter->bus.bus.devices && i < adapter->bus.bus.devices->len; i++) {
        ScsiDevice *scsi = adapter->bus.bus.devices->pdata[i];
        if (target < 0 || scsi->target == target) {
            scsi_device_reset_unit(scsi);
        }
    }
}

static void
forget_rings(Pvscsi *adapter)
{
    adapter->request_pages = adapter->completion_pages = 0;
    adapter->completions = 0;
    adapter->intr_status = 0;
    memset(adapter->request_at, 0, sizeof(adapter->request_at));
    memset(adapter->completion_at, 0, sizeof(adapter->completion_at));
}

static bool
is_page_count(uint32_t pages)
{
    return pages > 0 && pages <= RING_PAGES_MAX && (pages & (pages - 1)) == 0;
}

static uint32_t
setup_rings(Pvscsi *adapter)
{
    const uint32_t *words = adapter->words;

    forget_rings(adapter);
    if (!is_page_count(words[0]) || !is_page_count(words[1])) {
        vit_guest_error(&adapter->pci.dev, "rings of %u and %u pages", words[0], words[1]);
        return (uint32_t)-1;
    }
    adapter->state_page = (words[2] | (uint64_t)words[3] << 32) << PAGE_SHIFT;
    for (unsigned i = 0; i < RING_PAGES_MAX; i++) {
        const uint32_t *request = words + 4 + 2 * i, *completion = request + 2 * RING_PAGES_MAX;
        adapter->request_at[i] = (request[0] | (uint64_t)request[1] << 32) << PAGE_SHIFT;
        adapter->completion_at[i] = (completion[0] | (uint64_t)completion[1] << 32) << PAGE_SHIFT;
    }
    adapter->request_pages = words[0];
    adapter->completion_pages = words[1];
    write_index(adapter, STATE_REQUEST_PRODUCED, 0);
    write_index(adapter, STATE_REQUEST_CONSUMED, 0);
    write_index(adapter, STATE_REQUEST_LOG2, (uint32_t)__builtin_ctz(words[0] * REQUESTS_PER_PAGE));
    write_index(adapter, STATE_COMPLETION_PRODUCED, 0);
    write_index(adapter, STATE_COMPLETION_CONSUMED, 0);
    write_index(adapter, STATE_COMPLETION_LOG2,
                (uint32_t)__builtin_ctz(words[1] * COMPLETIONS_PER_PAGE));
    return 0;
}

/* Ends what is under way for the unit: all of it, as what came before has ended or will at once. */
static uint32_t
abort_request(Pvscsi *adapter)
{
    for (guint i = 0; i < adapter->bus.bus.devices->len; i++) {
        ScsiDevice *scsi = adapter->bus.bus.devices->pdata[i];
        if (scsi->target == (int)adapter->words[2]) {
            scsi_device_purge(scsi);
        }
    }
    return 0;
}

static unsigned
words_of(uint32_t command)
{
    switch (command) {
    case COMMAND_SETUP_RINGS: return COMMAND_WORDS;
    case COMMAND_RESET_DEVICE: return 3;
    case COMMAND_ABORT: return 4;
    default: return 0;
    }
}

static void
run_command(Pvscsi *adapter)
{
    uint32_t command = adapter->command;

    adapter->command = 0;
    switch (command) {
    case COMMAND_ADAPTER_RESET:
        reset_units(adapter, -1);
        forget_rings(adapter);
        update_interrupt(adapter, false);
        adapter->command_status = 0;
        break;
    case COMMAND_SETUP_RINGS: adapter->command_status = setup_rings(adapter); break;
    case COMMAND_RESET_BUS:
        reset_units(adapter, -1);
        adapter->command_status = 0;
        break;
    case COMMAND_RESET_DEVICE:
        if (adapter->words[0] < TARGETS) {
            reset_units(adapter, (int)adapter->words[0]);
        }
        adapter->command_status = 0;
        break;
    case COMMAND_ABORT: adapter->command_status = abort_request(adapter); break;
    default: adapter->command_status = (uint32_t)-1; break;
    }
}

static void
begin_command(Pvscsi *adapter, uint32_t command)
{
    adapter->command = command;
    adapter->words_got = 0;
    memset(adapter->words, 0, sizeof(adapter->words));
    adapter->command_status = (uint32_t)STATUS_NOT_ENOUGH_DATA;
    if (words_of(command) == 0) {
        run_command(adapter);
    }
}

/* ---- registers ---- */

static uint64_t
read_register(void *opaque, uint64_t offset, unsigned size)
{
    Pvscsi *adapter = opaque;

    switch (offset) {
    case REG_COMMAND_STATUS: return adapter->command_status;
    case REG_INTR_STATUS: return adapter->intr_status;
    case REG_INTR_MASK: return adapter->intr_mask;
    default: return 0;
    }
}

static void
write_register(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Pvscsi *adapter = opaque;

    switch (offset) {
    case REG_COMMAND: begin_command(adapter, (uint32_t)value); break;
    case REG_COMMAND_DATA:
        if (adapter->words_got < words_of(adapter->command)) {
            adapter->words[adapter->words_got++] = (uint32_t)value;
            if (adapter->words_got == words_of(adapter->command)) {
                run_command(adapter);
            }
        }
        break;
    case REG_INTR_STATUS:
        adapter->intr_status &= (uint32_t)~value;
        update_interrupt(adapter, false);
        break;
    case REG_INTR_MASK:
        adapter->intr_mask = value & INTR_KNOWN;
        update_interrupt(adapter, true);
        break;
    case REG_KICK_NON_RW:
    case REG_KICK_RW: take_requests(adapter); break;
    default: break;
    }
}

static const VitRegionOps register_ops = {
    .read = read_register,
    .write = write_register,
    .min_size = 4,
    .max_size = 4,
};

/* ---- life ---- */

static const ScsiHostOps host_ops = { .max_target = TARGETS - 1, .max_lun = 7 };

static bool
pvscsi_realize(VitDevice *dev, GError **error)
{
    Pvscsi *adapter = (Pvscsi *)dev;
    g_autofree char *name = dev->id ? g_strdup_printf("%s.0", dev->id)
                                    : g_strdup_printf("scsi.%u", dev->platform->scsi_buses++);

    vit_region_init_io(&adapter->region, "pvscsi", &register_ops, adapter, BAR_BYTES);
    vit_pci_add_bar(&adapter->pci, 0, VIT_PCI_BAR_MEM, &adapter->region);
    if (adapter->use_msi) {
        vit_pci_add_msi(&adapter->pci, 1, true);
    }
    scsi_bus_init(&adapter->bus, name, dev, dev->platform, &host_ops);
    return true;
}

static void
pvscsi_unrealize(VitDevice *dev)
{
    Pvscsi *adapter = (Pvscsi *)dev;

    scsi_bus_finish(&adapter->bus);
    vit_region_finish(&adapter->region);
}

static void
pvscsi_reset(VitDevice *dev)
{
    Pvscsi *adapter = (Pvscsi *)dev;

    reset_units(adapter, -1);
    forget_rings(adapter);
    adapter->state_page = 0;
    adapter->command = adapter->words_got = adapter->intr_mask = 0;
    adapter->command_status = 0;
    memset(adapter->words, 0, sizeof(adapter->words));
    adapter->stopped_count = 0;
    memset(adapter->stopped, 0, sizeof(adapter->stopped));
    vit_pci_set_irq(&adapter->pci, 0);
}

static void
pvscsi_pre_save(VitDevice *dev)
{
    Pvscsi *adapter = (Pvscsi *)dev;
    unsigned n = 0;

    memset(adapter->stopped, 0, sizeof(adapter->stopped));
    for (guint i = 0; i < adapter->bus.bus.devices->len; i++) {
        const ScsiDevice *scsi = adapter->bus.bus.devices->pdata[i];
        for (ScsiRequest *request = scsi->stopped; request && n < STOPPED_MAX;
             request = request->next, n++) {
            memcpy(adapter->stopped + n * REQUEST_BYTES,
                   VIT_CONTAINER_OF(request, PvscsiRequest, request)->descriptor, REQUEST_BYTES);
        }
    }
    adapter->stopped_count = n;
}

static bool
pvscsi_post_load(VitDevice *dev, unsigned version, GError **error)
{
    Pvscsi *adapter = (Pvscsi *)dev;
    bool has_rings = adapter->request_pages || adapter->completion_pages;

    if ((has_rings &&
         !(is_page_count(adapter->request_pages) && is_page_count(adapter->completion_pages))) ||
        adapter->stopped_count > STOPPED_MAX || adapter->words_got > words_of(adapter->command)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "saved state of %s: its rings are impossible", dev->path);
        return false;
    }
    for (unsigned n = 0; n < adapter->stopped_count; n++) {
        start_request(adapter, adapter->stopped + n * REQUEST_BYTES, true);
    }
    adapter->stopped_count = 0;
    return true;
}

static const VitPciInfo info = {
    .vendor_id = 0x15ad,
    .device_id = 0x07c0,
    .revision = 2,
    .class_id = 0x0100,
    .interrupt_pin = 1,
};

static const VitProp props[] = {
    VIT_PROP_BOOL(Pvscsi, use_msi, "use_msg", true, VIT_N_("Message-signalled interrupts")),
    { 0 },
};

static const VitField state[] = {
    VIT_FIELD(Pvscsi, command),
    VIT_FIELD(Pvscsi, command_status),
    VIT_FIELD(Pvscsi, words_got),
    VIT_FIELD_ARRAY(Pvscsi, words),
    VIT_FIELD(Pvscsi, intr_status),
    VIT_FIELD(Pvscsi, intr_mask),
    VIT_FIELD(Pvscsi, state_page),
    VIT_FIELD(Pvscsi, request_pages),
    VIT_FIELD(Pvscsi, completion_pages),
    VIT_FIELD_ARRAY(Pvscsi, request_at),
    VIT_FIELD_ARRAY(Pvscsi, completion_at),
    VIT_FIELD(Pvscsi, completions),
    VIT_FIELD(Pvscsi, stopped_count),
    VIT_FIELD_ARRAY(Pvscsi, stopped),
    VIT_TRANSIENT(Pvscsi, region), /* wiring */
    VIT_TRANSIENT(Pvscsi, bus),
    { 0 },
};

const VitDeviceKind vit_pvscsi_kind = {
    .name = "pvscsi",
    .title = VIT_N_("VMware paravirtual SCSI host adapter"),
    .bus = VIT_BUS_PCI,
    .category = VIT_CATEGORY_STORAGE,
    VIT_DEVICE_SIZE(Pvscsi, VitPciDevice),
    .props = props,
    .state = state,
    .state_version = 1,
    .bus_info = &info,
    .realize = pvscsi_realize,
    .unrealize = pvscsi_unrealize,
    .reset = pvscsi_reset,
    .pre_save = pvscsi_pre_save,
    .post_load = pvscsi_post_load,
};
