/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The administration commands: queues, features, logs, events. NVM Express 1.4 section 5.
 * Thread: device lock held. */

#include "nvme.h"

#include <string.h>

enum {
    OP_DELETE_SQ = 0x00,
    OP_CREATE_SQ = 0x01,
    OP_GET_LOG = 0x02,
    OP_DELETE_CQ = 0x04,
    OP_CREATE_CQ = 0x05,
    OP_IDENTIFY = 0x06,
    OP_ABORT = 0x08,
    OP_SET_FEATURES = 0x09,
    OP_GET_FEATURES = 0x0a,
    OP_EVENT_REQUEST = 0x0c,

    LOG_ERRORS = 1,
    LOG_SMART = 2,
    LOG_FIRMWARE = 3,
    LOG_CHANGED_NAMESPACES = 4,
    LOG_BYTES_MAX = 4096,

    FEATURE_ARBITRATION = 0x01,
    FEATURE_POWER = 0x02,
    FEATURE_TEMPERATURE = 0x04,
    FEATURE_ERROR_RECOVERY = 0x05,
    FEATURE_WRITE_CACHE = 0x06,
    FEATURE_QUEUES = 0x07,
    FEATURE_COALESCING = 0x08,
    FEATURE_VECTOR = 0x09,
    FEATURE_ATOMICITY = 0x0a,
    FEATURE_EVENTS = 0x0b,

    TEMPERATURE_KELVIN = 0x143,
    EVENT_NOTICE = 2,
    EVENT_SMART = 1,
};

/* ---- queues ---- */

static uint16_t
create_cq(NvmeRequest *request)
{
    Nvme *nvme = request->nvme;
    const NvmeCommand *command = &request->command;
    unsigned id = command->cdw10 & 0xffff, vector = command->cdw11 >> 16;
    uint32_t size = (command->cdw10 >> 16) + 1;

    if (id == 0 || id > nvme->max_ioqpairs || nvme->cqs[id].size) {
        return NVME_INVALID_QID | NVME_DNR;
    }
    if (size < 2 || size > NVME_ENTRIES_MAX) {
        return NVME_INVALID_QUEUE_SIZE | NVME_DNR;
    }
    if (command->dptr1 & (nvme_page_bytes(nvme) - 1)) {
        return NVME_INVALID_PRP_OFFSET | NVME_DNR;
    }
    if (vector >= nvme->msix_qsize || (!vit_pci_msix_enabled(&nvme->pci) && vector)) {
        return NVME_INVALID_VECTOR | NVME_DNR;
    }
    if (!(command->cdw11 & 1)) { /* contiguous */
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    nvme->cqs[id] = (NvmeCq){ .address = command->dptr1,
                              .size = size,
                              .vector = (uint16_t)vector,
                              .phase = true,
                              .interrupts = command->cdw11 & 2 };
    return NVME_OK;
}

static uint16_t
create_sq(NvmeRequest *request)
{
    Nvme *nvme = request->nvme;
    const NvmeCommand *command = &request->command;
    unsigned id = command->cdw10 & 0xffff, cqid = command->cdw11 >> 16;
    uint32_t size = (command->cdw10 >> 16) + 1;

    if (cqid == 0 || cqid > nvme->max_ioqpairs || !nvme->cqs[cqid].size) {
        return NVME_INVALID_CQID | NVME_DNR;
    }
    if (id == 0 || id > nvme->max_ioqpairs || nvme->sqs[id].size) {
        return NVME_INVALID_QID | NVME_DNR;
    }
    if (size < 2 || size > NVME_ENTRIES_MAX) {
        return NVME_INVALID_QUEUE_SIZE | NVME_DNR;
    }
    if (command->dptr1 & (nvme_page_bytes(nvme) - 1)) {
        return NVME_INVALID_PRP_OFFSET | NVME_DNR;
    }
    if (!(command->cdw11 & 1)) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    nvme->sqs[id] = (NvmeSq){ .address = command->dptr1, .size = size, .cqid = (uint16_t)cqid };
    return NVME_OK;
}

static uint16_t
delete_sq(NvmeRequest *request)
{
    Nvme *nvme = request->nvme;
    unsigned id = request->command.cdw10 & 0xffff;

    if (id == 0 || id > nvme->max_ioqpairs || !nvme->sqs[id].size) {
        return NVME_INVALID_QID | NVME_DNR;
    }
    nvme_drain(nvme); /* what it started ends before it is gone */
    nvme->sqs[id] = (NvmeSq){ 0 };
    return NVME_OK;
}

static uint16_t
delete_cq(NvmeRequest *request)
{
    Nvme *nvme = request->nvme;
    unsigned id = request->command.cdw10 & 0xffff;

    if (id == 0 || id > nvme->max_ioqpairs || !nvme->cqs[id].size) {
        return NVME_INVALID_QID | NVME_DNR;
    }
    for (unsigned n = 1; n < NVME_QUEUES_MAX; n++) {
        if (nvme->sqs[n].size && nvme->sqs[n].cqid == id) {
            return NVME_INVALID_QUEUE_DELETION | NVME_DNR;
        }
    }
    nvme->cqs[id] = (NvmeCq){ 0 };
    return NVME_OK;
}

/* ---- logs ---- */

static void
put64(uint8_t *out, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> 8 * i);
    }
}

/* Units of a thousand sectors, begun ones counted. */
static uint64_t
data_units(uint64_t sectors)
{
    return (sectors + 999) / 1000;
}

static void
fill_smart(const Nvme *nvme, uint8_t *out)
{
    out[0] = nvme->critical_warning;
    out[1] = (uint8_t)TEMPERATURE_KELVIN;
    out[2] = TEMPERATURE_KELVIN >> 8;
    out[3] = 100; /* spare, per cent */
    out[4] = 10;
    put64(out + 32, data_units(nvme->read_blocks));
    put64(out + 48, data_units(nvme->written_blocks));
    put64(out + 64, nvme->read_commands);
    put64(out + 80, nvme->write_commands);
    put64(out + 112, 1); /* power cycles */
    put64(out + 128,
          (uint64_t)(vit_clock_get_ns(nvme->pci.dev.platform->clock) / VIT_NS_PER_SEC / 3600));
}

static uint16_t
get_log(NvmeRequest *request)
{
    Nvme *nvme = request->nvme;
    const NvmeCommand *command = &request->command;
    uint64_t want = ((command->cdw10 >> 16 | (uint64_t)(command->cdw11 & 0xffff) << 16) + 1) * 4;
    uint64_t offset = command->cdw12 | (uint64_t)command->cdw13 << 32;
    g_autofree uint8_t *log = g_malloc0(LOG_BYTES_MAX);
    uint32_t len = 512;

    switch (command->cdw10 & 0xff) {
    case LOG_ERRORS: len = 64; break;
    case LOG_SMART: fill_smart(nvme, log); break;
    case LOG_FIRMWARE:
        log[0] = 1; /* slot 1 is active */
        memcpy(log + 8, "0.1     ", 8);
        break;
    case LOG_CHANGED_NAMESPACES:
        len = LOG_BYTES_MAX;
        memset(log, nvme->namespaces_changed ? 0xff : 0, 4); /* all may have changed */
        nvme->namespaces_changed = false;
        break;
    default: return NVME_INVALID_LOG | NVME_DNR;
    }
    if (!(command->cdw10 & 1u << 15)) { /* reading it lets the next event of its kind come */
        uint8_t type =
            (command->cdw10 & 0xff) == LOG_CHANGED_NAMESPACES ? EVENT_NOTICE : EVENT_SMART;
        nvme->event_masked &= (uint8_t) ~(1u << type);
    }
    if (offset & 3 || offset > len) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    /* Beyond its end a log is undefined: nothing is sent. */
    return nvme_send(request, log + offset, (uint32_t)MIN(want, len - offset));
}

/* ---- features ---- */

static uint32_t *
feature_field(Nvme *nvme, const NvmeCommand *command)
{
    switch (command->cdw10 & 0xff) {
    case FEATURE_ARBITRATION: return &nvme->arbitration;
    case FEATURE_POWER: return &nvme->power;
    case FEATURE_ERROR_RECOVERY: return &nvme->error_recovery;
    case FEATURE_WRITE_CACHE: return &nvme->write_cache;
    case FEATURE_COALESCING: return &nvme->coalescing;
    case FEATURE_EVENTS: return &nvme->event_config;
    case FEATURE_TEMPERATURE:
        return command->cdw11 >> 20 & 3 ? &nvme->temperature_under : &nvme->temperature_over;
    default: return NULL;
    }
}

static uint16_t
get_features(NvmeRequest *request)
{
    Nvme *nvme = request->nvme;
    const NvmeCommand *command = &request->command;
    const uint32_t *field = feature_field(nvme, command);

    if (field) {
        request->result = *field;
        return NVME_OK;
    }
    switch (command->cdw10 & 0xff) {
    case FEATURE_QUEUES:
        request->result = (nvme->max_ioqpairs - 1) | (nvme->max_ioqpairs - 1) << 16;
        return NVME_OK;
    case FEATURE_VECTOR:
        if ((command->cdw11 & 0xffff) >= nvme->msix_qsize) {
            return NVME_INVALID_FIELD | NVME_DNR;
        }
        request->result = (command->cdw11 & 0xffff) | 1u << 16; /* not coalesced */
        return NVME_OK;
    case FEATURE_ATOMICITY: request->result = 0; return NVME_OK;
    default: return NVME_INVALID_FIELD | NVME_DNR;
    }
}

static void
apply_write_cache(Nvme *nvme)
{
    for (unsigned i = 0; i < NVME_NAMESPACES_MAX; i++) {
        NvmeNamespace *ns = nvme->namespaces[i];
        if (ns) {
            ns->drive->enable_write_cache = nvme->write_cache & 1;
        }
    }
}

static uint16_t
set_features(NvmeRequest *request)
{
    Nvme *nvme = request->nvme;
    const NvmeCommand *command = &request->command;
    uint32_t *field = feature_field(nvme, command);

    if (command->cdw10 & 1u << 31) {
        return NVME_FEATURE_NOT_SAVEABLE | NVME_DNR;
    }
    if (field) {
        *field = (command->cdw10 & 0xff) == FEATURE_TEMPERATURE ? command->cdw11 & 0xffff
                                                                : command->cdw11;
        if (field == &nvme->write_cache) {
            nvme->write_cache &= 1;
            apply_write_cache(nvme);
        }
        return NVME_OK;
    }
    switch (command->cdw10 & 0xff) {
    case FEATURE_QUEUES:
        if ((command->cdw11 & 0xffff) == 0xffff || command->cdw11 >> 16 == 0xffff) {
            return NVME_INVALID_FIELD | NVME_DNR;
        }
        request->result = (nvme->max_ioqpairs - 1) | (nvme->max_ioqpairs - 1) << 16;
        return NVME_OK;
    case FEATURE_VECTOR:
    case FEATURE_ATOMICITY: return NVME_OK;
    default: return NVME_INVALID_FIELD | NVME_DNR;
    }
}

/* ---- dispatch ---- */

static uint16_t
request_event(NvmeRequest *request)
{
    Nvme *nvme = request->nvme;

    if (nvme->aer_count >= NVME_AER_MAX) {
        return NVME_AER_LIMIT | NVME_DNR;
    }
    nvme->aer_cids[nvme->aer_count++] = request->command.cid;
    vit_sg_finish(&request->sg, 0);
    g_free(request);
    return NVME_NO_COMPLETE;
}

uint16_t
nvme_admin(NvmeRequest *request)
{
    if (request->command.flags & 3) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    switch (request->command.opcode) {
    case OP_DELETE_SQ: return delete_sq(request);
    case OP_CREATE_SQ: return create_sq(request);
    case OP_GET_LOG: return get_log(request);
    case OP_DELETE_CQ: return delete_cq(request);
    case OP_CREATE_CQ: return create_cq(request);
    case OP_IDENTIFY: return nvme_identify(request);
    case OP_ABORT: request->result = 1; return NVME_OK; /* what runs is not stopped */
    case OP_SET_FEATURES: return set_features(request);
    case OP_GET_FEATURES: return get_features(request);
    case OP_EVENT_REQUEST: return request_event(request);
    default: return NVME_INVALID_OPCODE | NVME_DNR;
    }
}
