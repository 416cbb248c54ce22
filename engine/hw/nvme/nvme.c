/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* An NVMe controller: the PCI function, registers, queues and interrupts. NVM Express 1.4 sections
 * 3 and 4, 7.
 *
 * BAR 0 has the registers, the doorbells, then the MSI-X table. A command is fetched when its
 * completion queue has room for the answer, so that an answer never waits. Requests that an error
 * stopped are repeated when the machine goes on.
 *
 * Not offered: subsystems and controllers that share namespaces, namespace management, formats,
 * metadata, controller memory, weighted arbitration, firmware download.
 * Thread: device lock held. */

#include "nvme.h"

#include "vit-error.h"

#include <string.h>

VIT_DEVICE_LAYOUT(Nvme)

enum {
    BAR_BYTES = 0x4000,
    REGISTERS_BYTES = 0x2000,
    MSIX_TABLE_AT = 0x2000,
    MSIX_PBA_AT = 0x3000,
    DOORBELLS_AT = 0x1000,

    REG_CAP = 0x00,
    REG_CAP_HIGH = 0x04,
    REG_VS = 0x08,
    REG_INTMS = 0x0c,
    REG_INTMC = 0x10,
    REG_CC = 0x14,
    REG_CSTS = 0x1c,
    REG_AQA = 0x24,
    REG_ASQ = 0x28,
    REG_ASQ_HIGH = 0x2c,
    REG_ACQ = 0x30,
    REG_ACQ_HIGH = 0x34,

    CC_EN = 1,
    CSTS_READY = 1,
    CSTS_FATAL = 2,
    CSTS_SHUTDOWN_DONE = 2 << 2,
    CSTS_SHUTDOWN_MASK = 3 << 2,

    VERSION_1_4 = 0x00010400,
    PAGE_MAX = 4, /* 64 KiB */
};
/* entries, contiguous queues, 7.5 s to be ready */
#define CAP_LOW ((NVME_ENTRIES_MAX - 1u) | 1u << 16 | 15u << 24)
/* NVM command set, largest page */
#define CAP_HIGH (1u << 5 | PAGE_MAX << 20)

/* ---- interrupts ---- */

static void
update_line(Nvme *nvme)
{
    bool level = false;

    for (unsigned n = 0; n < NVME_QUEUES_MAX; n++) {
        const NvmeCq *cq = &nvme->cqs[n];
        if (cq->size && cq->interrupts && cq->head != cq->tail &&
            (cq->vector >= 32 || !(nvme->interrupt_mask >> cq->vector & 1))) {
            level = true;
        }
    }
    vit_pci_set_irq(&nvme->pci, level);
}

static void
interrupt(Nvme *nvme, const NvmeCq *cq)
{
    if (!cq->interrupts) {
        return;
    }
    if (vit_pci_msix_enabled(&nvme->pci)) {
        vit_pci_notify(&nvme->pci, cq->vector);
    } else {
        update_line(nvme);
    }
}

/* ---- completions ---- */

static uint32_t
cq_used(const NvmeCq *cq)
{
    return (cq->tail + cq->size - cq->head) % cq->size;
}

static void
post(Nvme *nvme, unsigned sqid, uint16_t cid, uint32_t result, uint16_t status)
{
    NvmeSq *sq = &nvme->sqs[sqid];
    NvmeCq *cq = &nvme->cqs[sq->cqid];
    uint32_t entry[4];

    if (!sq->size || !cq->size) {
        return; /* deleted meanwhile */
    }
    entry[0] = result;
    entry[1] = 0;
    entry[2] = sq->head | sqid << 16;
    entry[3] = cid | (uint32_t)(status << 1 | cq->phase) << 16;
    vit_pci_dma_write(&nvme->pci, cq->address + (uint64_t)cq->tail * NVME_CQ_ENTRY_BYTES, entry,
                      sizeof(entry));
    if (++cq->tail == cq->size) {
        cq->tail = 0;
        cq->phase = !cq->phase;
    }
    interrupt(nvme, cq);
}

static void
free_request(NvmeRequest *request)
{
    vit_sg_finish(&request->sg, 0);
    g_free(request->bounce);
    g_free(request);
}

void
nvme_complete(NvmeRequest *request, uint16_t status)
{
    Nvme *nvme = request->nvme;
    unsigned cqid = nvme->sqs[request->sqid].cqid;

    vit_sg_finish(&request->sg, status == NVME_OK ? request->sg.len_bytes : 0);
    nvme->cq_pending[cqid] -= nvme->cq_pending[cqid] > 0;
    post(nvme, request->sqid, request->command.cid, request->result, status);
    free_request(request);
}

/* ---- events ---- */

static void
send_events(Nvme *nvme)
{
    NvmeCq *cq = &nvme->cqs[0];

    while (nvme->aer_count > 0 && nvme->event_pending && cq->size &&
           cq_used(cq) + nvme->cq_pending[0] + 1 < cq->size) {
        unsigned type = (unsigned)g_bit_nth_lsf(nvme->event_pending, -1);
        nvme->event_pending &= (uint8_t) ~(1u << type);
        nvme->event_masked |= (uint8_t)(1u << type);
        /* the one notice there is: changed namespaces, log 4 */
        post(nvme, 0, nvme->aer_cids[--nvme->aer_count], type | 4u << 16, NVME_OK);
    }
}

static void
namespaces_changed(Nvme *nvme)
{
    enum { EVENT_NOTICE = 2 };

    nvme->namespaces_changed = true;
    if ((nvme->status & CSTS_READY) && (nvme->event_config & 1u << 8) &&
        !(nvme->event_masked & 1u << EVENT_NOTICE)) {
        nvme->event_pending |= 1u << EVENT_NOTICE;
        send_events(nvme);
    }
}

/* ---- commands ---- */

static NvmeRequest *
new_request(Nvme *nvme, unsigned sqid)
{
    NvmeRequest *request = g_new0(NvmeRequest, 1);

    request->nvme = nvme;
    request->sqid = (uint16_t)sqid;
    vit_sg_init(&request->sg, nvme_space(nvme), false);
    return request;
}

static void
start_request(Nvme *nvme, unsigned sqid, const uint32_t entry[16])
{
    NvmeRequest *request = new_request(nvme, sqid);
    NvmeCommand *command = &request->command;
    uint16_t status;

    *command = (NvmeCommand){
        .opcode = (uint8_t)entry[0],
        .flags = (uint8_t)(entry[0] >> 8),
        .cid = (uint16_t)(entry[0] >> 16),
        .nsid = entry[1],
        .metadata = entry[4] | (uint64_t)entry[5] << 32,
        .dptr1 = entry[6] | (uint64_t)entry[7] << 32,
        .dptr2 = entry[8] | (uint64_t)entry[9] << 32,
        .cdw10 = entry[10],
        .cdw11 = entry[11],
        .cdw12 = entry[12],
        .cdw13 = entry[13],
        .cdw14 = entry[14],
        .cdw15 = entry[15],
    };
    nvme->cq_pending[nvme->sqs[sqid].cqid]++;
    if (sqid == 0 && command->opcode == 0x0c) {
        nvme->cq_pending[0]--; /* an event request may wait for ever, and room is checked then */
    }
    status = sqid == 0 ? nvme_admin(request) : nvme_io(request);
    if (status != NVME_NO_COMPLETE) {
        if (sqid == 0 && command->opcode == 0x0c) {
            nvme->cq_pending[0]++;
        }
        nvme_complete(request, status);
    }
}

static void
run_queue(Nvme *nvme, unsigned sqid)
{
    NvmeSq *sq = &nvme->sqs[sqid];

    while (sq->size && sq->head != sq->tail) {
        NvmeCq *cq = &nvme->cqs[sq->cqid];
        uint32_t entry[NVME_SQ_ENTRY_BYTES / 4];

        if (!cq->size || cq_used(cq) + nvme->cq_pending[sq->cqid] + 1 >= cq->size) {
            return;
        }
        if (!vit_pci_dma_read(&nvme->pci, sq->address + (uint64_t)sq->head * NVME_SQ_ENTRY_BYTES,
                              entry, sizeof(entry))) {
            return;
        }
        sq->head = sq->head + 1 == sq->size ? 0 : sq->head + 1;
        start_request(nvme, sqid, entry);
    }
}

void
nvme_run(Nvme *nvme)
{
    if (nvme->in_run || !(nvme->status & CSTS_READY) || (nvme->status & CSTS_SHUTDOWN_MASK)) {
        return;
    }
    nvme->in_run = true;
    for (unsigned n = 0; n < NVME_QUEUES_MAX; n++) {
        run_queue(nvme, n);
    }
    nvme->in_run = false;
}

void
nvme_resume(void *opaque)
{
    Nvme *nvme = ((NvmeNamespace *)opaque)->nvme;
    NvmeRequest *request = g_steal_pointer(&nvme->stopped);

    nvme->stopped_count = 0;
    while (request) {
        NvmeRequest *next = g_steal_pointer(&request->next);
        nvme_repeat(request);
        request = next;
    }
}

void
nvme_drain(Nvme *nvme)
{
    for (unsigned i = 0; i < NVME_NAMESPACES_MAX; i++) {
        if (nvme->namespaces[i] && nvme->in_flight) {
            nvme->namespaces[i]->drive->ops->drain(nvme->namespaces[i]->drive);
        }
    }
    while (nvme->stopped) {
        NvmeRequest *request = nvme->stopped;
        nvme->stopped = request->next;
        nvme_complete(request, NVME_ABORTED_SQ_DELETED);
    }
    nvme->stopped_count = 0;
}

/* ---- enabling, disabling ---- */

void
nvme_clear_queues(Nvme *nvme)
{
    nvme_drain(nvme);
    memset(nvme->sqs, 0, sizeof(nvme->sqs));
    memset(nvme->cqs, 0, sizeof(nvme->cqs));
    memset(nvme->cq_pending, 0, sizeof(nvme->cq_pending));
    memset(nvme->aer_cids, 0, sizeof(nvme->aer_cids));
    nvme->aer_count = nvme->event_pending = nvme->event_masked = 0;
    nvme->namespaces_changed = false;
    nvme->arbitration = 6;
    nvme->power = nvme->error_recovery = nvme->coalescing = nvme->event_config = 0;
    nvme->temperature_over = 0x157;
    nvme->temperature_under = 0;
    nvme->interrupt_mask = 0;
    vit_pci_set_irq(&nvme->pci, 0);
}

/* Whether what the guest has set up can be used. */
static bool
can_enable(const Nvme *nvme)
{
    uint32_t page = nvme_page_bytes(nvme);
    uint32_t sq_entries = (nvme->admin_attributes & 0xfff) + 1,
             cq_entries = (nvme->admin_attributes >> 16 & 0xfff) + 1;

    return (nvme->config >> 7 & 15) <= PAGE_MAX && (nvme->config >> 4 & 7) == 0 &&
           (nvme->config >> 11 & 7) == 0 && !(nvme->admin_sq & (page - 1)) &&
           !(nvme->admin_cq & (page - 1)) && sq_entries >= 2 && cq_entries >= 2;
}

static void
enable(Nvme *nvme)
{
    if (!can_enable(nvme)) {
        vit_guest_error(&nvme->pci.dev, "enabled with impossible settings: CC %08x AQA %08x",
                        nvme->config, nvme->admin_attributes);
        nvme->status = CSTS_FATAL;
        return;
    }
    nvme->sqs[0] =
        (NvmeSq){ .address = nvme->admin_sq, .size = (nvme->admin_attributes & 0xfff) + 1 };
    nvme->cqs[0] = (NvmeCq){ .address = nvme->admin_cq,
                             .size = (nvme->admin_attributes >> 16 & 0xfff) + 1,
                             .phase = true,
                             .interrupts = true };
    nvme->status = CSTS_READY;
}

static void
write_config(Nvme *nvme, uint32_t value)
{
    bool was_enabled = nvme->config & CC_EN;

    nvme->config = value & 0x00fffff1;
    if (was_enabled && !(value & CC_EN)) {
        nvme_clear_queues(nvme);
        nvme->status = 0;
    } else if (!was_enabled && (value & CC_EN)) {
        enable(nvme);
    }
    if (value >> 14 & 3) {
        nvme_drain(nvme);
        nvme->status = (nvme->status & ~(uint32_t)CSTS_SHUTDOWN_MASK) | CSTS_SHUTDOWN_DONE;
    } else {
        nvme->status &= ~(uint32_t)CSTS_SHUTDOWN_MASK;
    }
}

/* ---- registers ---- */

static uint64_t
read_register(void *opaque, uint64_t offset, unsigned size)
{
    Nvme *nvme = opaque;

    switch (offset) {
    case REG_CAP: return CAP_LOW;
    case REG_CAP_HIGH: return CAP_HIGH;
    case REG_VS: return VERSION_1_4;
    case REG_INTMS:
    case REG_INTMC: return nvme->interrupt_mask;
    case REG_CC: return nvme->config;
    case REG_CSTS: return nvme->status;
    case REG_AQA: return nvme->admin_attributes;
    case REG_ASQ: return (uint32_t)nvme->admin_sq;
    case REG_ASQ_HIGH: return nvme->admin_sq >> 32;
    case REG_ACQ: return (uint32_t)nvme->admin_cq;
    case REG_ACQ_HIGH: return nvme->admin_cq >> 32;
    default: return 0;
    }
}

static void
ring(Nvme *nvme, unsigned doorbell, uint32_t value)
{
    unsigned id = doorbell / 2;

    if (!(nvme->status & CSTS_READY) || id >= NVME_QUEUES_MAX) {
        return;
    }
    if (doorbell & 1) {
        NvmeCq *cq = &nvme->cqs[id];
        if (value >= cq->size) {
            vit_guest_error(&nvme->pci.dev, "head %u of completion queue %u", value, id);
            return;
        }
        cq->head = value;
        update_line(nvme);
        send_events(nvme);
    } else {
        NvmeSq *sq = &nvme->sqs[id];
        if (value >= sq->size) {
            vit_guest_error(&nvme->pci.dev, "tail %u of submission queue %u", value, id);
            return;
        }
        sq->tail = value;
    }
    nvme_run(nvme);
}

static void
write_register(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Nvme *nvme = opaque;
    uint64_t *address = offset >= REG_ACQ ? &nvme->admin_cq : &nvme->admin_sq;

    if (offset >= DOORBELLS_AT) {
        ring(nvme, (unsigned)(offset - DOORBELLS_AT) / 4, (uint32_t)value);
        return;
    }
    switch (offset) {
    case REG_INTMS:
        nvme->interrupt_mask |= (uint32_t)value;
        update_line(nvme);
        break;
    case REG_INTMC:
        nvme->interrupt_mask &= (uint32_t)~value;
        update_line(nvme);
        break;
    case REG_CC: write_config(nvme, (uint32_t)value); break;
    case REG_AQA: nvme->admin_attributes = value & 0x0fff0fff; break;
    case REG_ASQ:
    case REG_ACQ: *address = (*address & ~0xffffffffull) | (value & 0xfffff000); break;
    case REG_ASQ_HIGH:
    case REG_ACQ_HIGH: *address = (*address & 0xffffffff) | value << 32; break;
    default: break;
    }
}

static const VitRegionOps register_ops = {
    .read = read_register,
    .write = write_register,
    .min_size = 4,
    .max_size = 4,
};

/* ---- namespaces ---- */

static void
resized(void *opaque)
{
    namespaces_changed(((NvmeNamespace *)opaque)->nvme);
}

bool
nvme_add_namespace(Nvme *nvme, NvmeNamespace *ns, uint32_t id, GError **error)
{
    const char *name = nvme->pci.dev.kind->name;
    VitDriveUser user = { .resized = resized, .resume = nvme_resume, .opaque = ns };

    for (uint32_t n = 1; id == 0 && n <= NVME_NAMESPACES_MAX; n++) {
        id = nvme->namespaces[n - 1] ? 0 : n;
    }
    if (id == 0 || nvme->namespaces[id - 1]) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "%s: namespace %u is taken; choose another nsid=.", name, id);
        return false;
    }
    if (!ns->drive->ops->is_inserted(ns->drive)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "%s: drive '%s' has no image. Give it file=.", name, ns->drive->id);
        return false;
    }
    if (!vit_drive_attach(ns->drive, &user, error)) {
        return false;
    }
    ns->nvme = nvme;
    ns->id = id;
    ns->drive->logical_block_bytes = 1u << ns->block_shift;
    nvme->namespaces[id - 1] = ns;
    namespaces_changed(nvme);
    return true;
}

void
nvme_remove_namespace(NvmeNamespace *ns)
{
    Nvme *nvme = ns->nvme;

    nvme_drain(nvme);
    nvme->namespaces[ns->id - 1] = NULL;
    ns->id = 0;
    vit_drive_detach(ns->drive);
    namespaces_changed(nvme);
}

/* ---- the function ---- */

static bool
check_properties(Nvme *nvme, GError **error)
{
    uint32_t block = nvme->logical_block_bytes;

    if (!nvme->serial) {
        nvme->serial =
            g_strdup(nvme->drive && nvme->drive->serial ? nvme->drive->serial : "VITRINE-NVME");
    }
    if (block & (block - 1)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "nvme: logical_block_size=%u must be a power of two.", block);
        return false;
    }
    nvme->own =
        (NvmeNamespace){ .drive = nvme->drive, .block_shift = (uint8_t)g_bit_nth_msf(block, -1) };
    return true;
}

static bool
nvme_realize(VitDevice *dev, GError **error)
{
    Nvme *nvme = (Nvme *)dev;
    g_autofree char *name = g_strdup(dev->id ? dev->id : "nvme-bus.0");

    memset(nvme->namespaces, 0, sizeof(nvme->namespaces));
    if (!check_properties(nvme, error)) {
        return false;
    }
    if (nvme->drive) {
        if (!nvme_add_namespace(nvme, &nvme->own, 1, error)) {
            return false;
        }
        if (nvme->on_read_error) {
            nvme->drive->on_read_error = (uint8_t)nvme->on_read_error;
        }
        if (nvme->on_write_error) {
            nvme->drive->on_write_error = (uint8_t)nvme->on_write_error;
        }
    }
    vit_bus_init(&nvme->bus, VIT_BUS_NVME, name, dev, dev->platform);
    vit_region_init_container(&nvme->bar, "nvme", BAR_BYTES);
    vit_region_init_io(&nvme->registers, "nvme-registers", &register_ops, nvme, REGISTERS_BYTES);
    vit_region_add(&nvme->bar, 0, &nvme->registers, 0);
    vit_pci_add_bar(&nvme->pci, 0, VIT_PCI_BAR_MEM64, &nvme->bar);
    vit_pci_add_msix(&nvme->pci, nvme->msix_qsize, 0, MSIX_TABLE_AT, MSIX_PBA_AT);
    return true;
}

static void
nvme_unrealize(VitDevice *dev)
{
    Nvme *nvme = (Nvme *)dev;

    nvme_clear_queues(nvme);
    if (nvme->own.id) {
        nvme_remove_namespace(&nvme->own);
    }
    vit_bus_finish(&nvme->bus);
    vit_region_finish(&nvme->registers);
    vit_region_finish(&nvme->bar);
}

static void
nvme_reset(VitDevice *dev)
{
    Nvme *nvme = (Nvme *)dev;

    nvme_clear_queues(nvme);
    nvme->config = nvme->status = nvme->admin_attributes = 0;
    nvme->admin_sq = nvme->admin_cq = 0;
    nvme->critical_warning = 0;
    nvme->read_blocks = nvme->written_blocks = 0;
    nvme->read_commands = nvme->write_commands = 0;
    nvme->write_cache = 1;
    for (unsigned i = 0; i < NVME_NAMESPACES_MAX; i++) {
        if (nvme->namespaces[i]) {
            nvme->namespaces[i]->drive->enable_write_cache = true;
        }
    }
}

static void
nvme_pre_save(VitDevice *dev)
{
    Nvme *nvme = (Nvme *)dev;
    unsigned n = 0;

    memset(nvme->stopped_saved, 0, sizeof(nvme->stopped_saved));
    for (const NvmeRequest *request = nvme->stopped; request; request = request->next, n++) {
        nvme->stopped_saved[n] =
            (NvmeStopped){ .command = request->command, .sqid = request->sqid };
    }
}

/* Carries out what an error had stopped before the save. */
static void
repeat_saved(Nvme *nvme, uint32_t count)
{
    for (uint32_t n = 0; n < count; n++) {
        NvmeRequest *request = new_request(nvme, nvme->stopped_saved[n].sqid);
        uint16_t status;

        request->command = nvme->stopped_saved[n].command;
        nvme->cq_pending[nvme->sqs[request->sqid].cqid]++;
        status = nvme_io(request);
        if (status != NVME_NO_COMPLETE) {
            nvme_complete(request, status);
        }
    }
}

static bool
nvme_post_load(VitDevice *dev, unsigned version, GError **error)
{
    Nvme *nvme = (Nvme *)dev;
    uint32_t stopped = nvme->stopped_count;
    bool good = stopped <= NVME_STOPPED_MAX && nvme->aer_count <= NVME_AER_MAX &&
                !(nvme->event_pending & ~4) && (nvme->config >> 7 & 15) <= PAGE_MAX;

    for (unsigned n = 0; n < NVME_QUEUES_MAX; n++) {
        const NvmeSq *sq = &nvme->sqs[n];
        const NvmeCq *cq = &nvme->cqs[n];
        good &= sq->size <= 4096 && cq->size <= 4096 && sq->cqid < NVME_QUEUES_MAX &&
                sq->head < MAX(sq->size, 1) && sq->tail < MAX(sq->size, 1) &&
                cq->head < MAX(cq->size, 1) && cq->tail < MAX(cq->size, 1) &&
                (cq->vector < nvme->msix_qsize || !cq->size);
    }
    nvme->stopped_count = 0;
    for (uint32_t n = 0; good && n < stopped; n++) {
        uint32_t sqid = nvme->stopped_saved[n].sqid;
        good &= sqid > 0 && sqid < NVME_QUEUES_MAX && nvme->sqs[sqid].size;
    }
    if (!good) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "saved state of %s: its queues are impossible", dev->path);
        return false;
    }
    repeat_saved(nvme, stopped);
    return true;
}

static const VitPciInfo nvme_info = {
    .vendor_id = 0x1b36,
    .device_id = 0x0010,
    .revision = 2,
    .prog_if = 2,
    .class_id = 0x0108,
    .interrupt_pin = 1,
};

static const char *const on_error_words[] = { "auto", "report", "ignore", "stop", "enospc", NULL };

static const VitProp props[] = {
    VIT_PROP_BACKEND(Nvme, drive, "drive", VIT_PROP_TYPE_DRIVE,
                     VIT_N_("Drive of namespace 1; none when only nvme-ns devices are used")),
    VIT_PROP_STRING(Nvme, serial, "serial", NULL, VIT_N_("Serial number")),
    VIT_PROP_INT(Nvme, bootindex, "bootindex", -1, -1, INT32_MAX,
                 VIT_N_("Place in the boot order; -1 none")),
    VIT_PROP_UINT(Nvme, max_ioqpairs, "max_ioqpairs", 64, 1, NVME_QUEUES_MAX - 1,
                  VIT_N_("Pairs of I/O queues")),
    VIT_PROP_UINT(Nvme, msix_qsize, "msix_qsize", 65, 1, 128, VIT_N_("MSI-X vectors")),
    VIT_PROP_UINT(Nvme, max_transfer, "mdts", 7, 0, 10,
                  VIT_N_("Longest transfer: pages of 4 KiB to this power of two; 0 = no limit")),
    VIT_PROP_SIZE(Nvme, logical_block_bytes, "logical_block_size", 512, 512, 65536,
                  VIT_N_("Sector size")),
    VIT_PROP_SIZE(Nvme, physical_block_bytes, "physical_block_size", 512, 512, 65536,
                  VIT_N_("Sector size on the medium")),
    VIT_PROP_ENUM(Nvme, on_read_error, "rerror", on_error_words, 0,
                  VIT_N_("What a read error does")),
    VIT_PROP_ENUM(Nvme, on_write_error, "werror", on_error_words, 0,
                  VIT_N_("What a write error does")),
    { 0 },
};

static const VitField sq_state[] = {
    VIT_FIELD(NvmeSq, address),
    VIT_FIELD(NvmeSq, head),
    VIT_FIELD(NvmeSq, tail),
    VIT_FIELD(NvmeSq, size),
    VIT_FIELD(NvmeSq, cqid),
    VIT_TRANSIENT(NvmeSq, pad),
    { 0 },
};

static const VitField cq_state[] = {
    VIT_FIELD(NvmeCq, address),    VIT_FIELD(NvmeCq, head),
    VIT_FIELD(NvmeCq, tail),       VIT_FIELD(NvmeCq, size),
    VIT_FIELD(NvmeCq, vector),     VIT_FIELD(NvmeCq, phase),
    VIT_FIELD(NvmeCq, interrupts), { 0 },
};

static const VitField command_state[] = {
    VIT_FIELD(NvmeCommand, opcode),   VIT_FIELD(NvmeCommand, flags),
    VIT_FIELD(NvmeCommand, cid),      VIT_FIELD(NvmeCommand, nsid),
    VIT_FIELD(NvmeCommand, cdw2),     VIT_FIELD(NvmeCommand, cdw3),
    VIT_FIELD(NvmeCommand, metadata), VIT_FIELD(NvmeCommand, dptr1),
    VIT_FIELD(NvmeCommand, dptr2),    VIT_FIELD(NvmeCommand, cdw10),
    VIT_FIELD(NvmeCommand, cdw11),    VIT_FIELD(NvmeCommand, cdw12),
    VIT_FIELD(NvmeCommand, cdw13),    VIT_FIELD(NvmeCommand, cdw14),
    VIT_FIELD(NvmeCommand, cdw15),    { 0 },
};

static const VitField stopped_state[] = {
    VIT_FIELD_NESTED(NvmeStopped, command, command_state),
    VIT_FIELD(NvmeStopped, sqid),
    VIT_TRANSIENT(NvmeStopped, pad),
    { 0 },
};

static const VitField state[] = {
    VIT_FIELD(Nvme, interrupt_mask),
    VIT_FIELD(Nvme, config),
    VIT_FIELD(Nvme, status),
    VIT_FIELD(Nvme, admin_attributes),
    VIT_FIELD(Nvme, admin_sq),
    VIT_FIELD(Nvme, admin_cq),
    VIT_FIELD_STRUCTS(Nvme, sqs, sq_state),
    VIT_FIELD_STRUCTS(Nvme, cqs, cq_state),
    VIT_FIELD(Nvme, arbitration),
    VIT_FIELD(Nvme, power),
    VIT_FIELD(Nvme, error_recovery),
    VIT_FIELD(Nvme, write_cache),
    VIT_FIELD(Nvme, coalescing),
    VIT_FIELD(Nvme, event_config),
    VIT_FIELD(Nvme, temperature_over),
    VIT_FIELD(Nvme, temperature_under),
    VIT_FIELD_ARRAY(Nvme, aer_cids),
    VIT_FIELD(Nvme, aer_count),
    VIT_FIELD(Nvme, critical_warning),
    VIT_FIELD(Nvme, event_pending),
    VIT_FIELD(Nvme, event_masked),
    VIT_FIELD(Nvme, namespaces_changed),
    VIT_FIELD(Nvme, read_blocks),
    VIT_FIELD(Nvme, written_blocks),
    VIT_FIELD(Nvme, read_commands),
    VIT_FIELD(Nvme, write_commands),
    VIT_TRANSIENT(Nvme, bar), /* wiring */
    VIT_TRANSIENT(Nvme, registers),
    VIT_TRANSIENT(Nvme, own),
    VIT_TRANSIENT(Nvme, namespaces),
    VIT_TRANSIENT(Nvme, bus),
    VIT_TRANSIENT(Nvme, cq_pending), /* while requests are in flight */
    VIT_TRANSIENT(Nvme, in_flight),
    VIT_TRANSIENT(Nvme, in_run),
    VIT_FIELD(Nvme, stopped_count),
    VIT_FIELD_STRUCTS(Nvme, stopped_saved, stopped_state),
    VIT_TRANSIENT(Nvme, stopped), /* found again by these */
    { 0 },
};

const VitDeviceKind vit_nvme_kind = {
    .name = "nvme",
    .title = VIT_N_("NVMe controller"),
    .bus = VIT_BUS_PCI,
    .category = VIT_CATEGORY_STORAGE,
    VIT_DEVICE_SIZE(Nvme, VitPciDevice),
    .props = props,
    .state = state,
    .state_version = 1,
    .bus_info = &nvme_info,
    .realize = nvme_realize,
    .unrealize = nvme_unrealize,
    .reset = nvme_reset,
    .pre_save = nvme_pre_save,
    .post_load = nvme_post_load,
};
