/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The NVMe controller from the inside: nvme.c is the function, its registers and queues,
 * nvme-admin.c the administration commands, nvme-identify.c what the controller says of itself,
 * nvme-io.c reading and writing, nvme-map.c data pointers, nvme-ns.c namespaces. NVM Express 1.4.
 * Thread: device lock held. */

#include "vit-drive.h"
#include "vit-pci.h"
#include "vit-sg.h"

typedef struct Nvme Nvme;
typedef struct NvmeNamespace NvmeNamespace;
typedef struct NvmeRequest NvmeRequest;

enum {
    NVME_QUEUES_MAX = 65, /* with the admin queue */
    NVME_NAMESPACES_MAX = 256,
    NVME_ENTRIES_MAX = 2048,
    NVME_AER_MAX = 4,
    NVME_SQ_ENTRY_BYTES = 64,
    NVME_CQ_ENTRY_BYTES = 16,
    NVME_PAGE_SHIFT_MAX = 16,
    NVME_BLOCK_SHIFT = 9,
    NVME_STOPPED_MAX = 256, /* requests an error stopped; more are reported */
};

/* Status: type << 8 | code; DNR is bit 14. */
enum {
    NVME_OK = 0x000,
    NVME_INVALID_OPCODE = 0x001,
    NVME_INVALID_FIELD = 0x002,
    NVME_TRANSFER_ERROR = 0x004,
    NVME_INTERNAL_ERROR = 0x006,
    NVME_ABORTED_REQUESTED = 0x007,
    NVME_ABORTED_SQ_DELETED = 0x008,
    NVME_INVALID_NAMESPACE = 0x00b,
    NVME_INVALID_SGL_SEGMENT = 0x00d,
    NVME_INVALID_SGL_COUNT = 0x00e,
    NVME_SGL_LENGTH = 0x00f,
    NVME_SGL_TYPE = 0x011,
    NVME_INVALID_PRP_OFFSET = 0x013,
    NVME_LBA_RANGE = 0x080,
    NVME_INVALID_CQID = 0x100,
    NVME_INVALID_QID = 0x101,
    NVME_INVALID_QUEUE_SIZE = 0x102,
    NVME_ABORT_LIMIT = 0x103,
    NVME_AER_LIMIT = 0x105,
    NVME_INVALID_VECTOR = 0x108,
    NVME_INVALID_LOG = 0x109,
    NVME_INVALID_FORMAT = 0x10a,
    NVME_FEATURE_NOT_SAVEABLE = 0x10d,
    NVME_INVALID_QUEUE_DELETION = 0x10c,
    NVME_INVALID_PROTECTION = 0x181,
    NVME_READ_ONLY = 0x182,
    NVME_WRITE_FAULT = 0x280,
    NVME_READ_FAULT = 0x281,
    NVME_COMPARE_FAILURE = 0x285,
    NVME_DNR = 0x4000,
    NVME_NO_COMPLETE = 0xffff, /* not ended yet */
};

/* A submission entry, in host order. */
typedef struct NvmeCommand {
    uint8_t opcode, flags;
    uint16_t cid;
    uint32_t nsid, cdw2, cdw3;
    uint64_t metadata, dptr1, dptr2;
    uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
} NvmeCommand;

/* A request that waits for the machine to go on, as it is saved. */
typedef struct NvmeStopped {
    NvmeCommand command;
    uint32_t sqid, pad;
} NvmeStopped;

/* Saved for each queue pair; a queue with size 0 does not exist. Without holes. */
typedef struct NvmeSq {
    uint64_t address;
    uint32_t head, tail, size;
    uint16_t cqid, pad;
} NvmeSq;

typedef struct NvmeCq {
    uint64_t address;
    uint32_t head, tail, size;
    uint16_t vector;
    bool phase, interrupts;
} NvmeCq;

struct NvmeRequest {
    Nvme *nvme;
    uint16_t sqid;
    NvmeCommand command;
    NvmeNamespace *ns;
    VitSg sg;
    uint64_t offset, len_bytes;
    uint32_t result;
    bool to_memory;
    uint8_t *bounce; /* compare, ranges */
    struct iovec iov;
    uint32_t at;       /* range under way */
    NvmeRequest *next; /* stopped */
};

struct NvmeNamespace {
    VitDrive *drive;
    Nvme *nvme;
    uint32_t id; /* 0: not there */
    uint8_t block_shift;
    uint64_t eui64;
};

struct Nvme {
    VitPciDevice pci;
    /* properties */
    VitDrive *drive;
    char *serial;
    int32_t bootindex, on_read_error, on_write_error;
    uint32_t max_ioqpairs, msix_qsize, max_transfer, logical_block_bytes, physical_block_bytes;
    /* registers */
    uint32_t interrupt_mask, config, status, admin_attributes;
    uint64_t admin_sq, admin_cq;
    /* queues */
    NvmeSq sqs[NVME_QUEUES_MAX];
    NvmeCq cqs[NVME_QUEUES_MAX];
    /* features */
    uint32_t arbitration, power, error_recovery, write_cache, coalescing, event_config,
        temperature_over, temperature_under;
    uint16_t aer_cids[NVME_AER_MAX];
    uint8_t aer_count;
    uint8_t critical_warning, event_pending, event_masked; /* bit per event type */
    bool namespaces_changed;
    uint64_t read_blocks, written_blocks, read_commands, write_commands;
    /* wiring */
    VitRegion bar, registers;
    NvmeNamespace own;                              /* of the property drive */
    NvmeNamespace *namespaces[NVME_NAMESPACES_MAX]; /* by id - 1 */
    VitBus bus;
    uint32_t cq_pending[NVME_QUEUES_MAX]; /* requests that will end in each completion queue */
    uint32_t in_flight;
    bool in_run;
    NvmeRequest *stopped;
    uint32_t stopped_count;
    NvmeStopped stopped_saved[NVME_STOPPED_MAX];
};

static inline VitAddressSpace *
nvme_space(const Nvme *nvme)
{
    return ((VitPciBus *)nvme->pci.dev.bus)->dma;
}

static inline uint32_t
nvme_page_bytes(const Nvme *nvme)
{
    return 4096u << (nvme->config >> 7 & 15);
}

static inline uint64_t
nvme_ns_blocks(const NvmeNamespace *ns)
{
    return ns->drive->ops->get_len(ns->drive) >> ns->block_shift;
}

/* ---- nvme.c ---- */

void nvme_complete(NvmeRequest *request, uint16_t status);
/* Looks at all submission queues. */
void nvme_run(Nvme *nvme);
void nvme_clear_queues(Nvme *nvme);
bool nvme_add_namespace(Nvme *nvme, NvmeNamespace *ns, uint32_t id, GError **error);
void nvme_remove_namespace(NvmeNamespace *ns);
void nvme_resume(void *opaque);
void nvme_drain(Nvme *nvme);

/* ---- nvme-admin.c ---- */

uint16_t nvme_admin(NvmeRequest *request);

/* ---- nvme-identify.c ---- */

uint16_t nvme_identify(NvmeRequest *request);
/* Sends DATA as the request's answer, from OFFSET on as much as was asked for. */
uint16_t nvme_send(NvmeRequest *request, const void *data, uint32_t len);

/* ---- nvme-io.c ---- */

uint16_t nvme_io(NvmeRequest *request);
void nvme_repeat(NvmeRequest *request);

/* ---- nvme-map.c ---- */

/* Makes the request's list of guest memory for LEN bytes from its data pointer. */
uint16_t nvme_map(NvmeRequest *request, uint64_t len, bool to_memory);
