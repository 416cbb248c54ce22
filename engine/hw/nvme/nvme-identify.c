/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What the controller and its namespaces say of themselves. NVM Express 1.4 section 5.15.
 * Thread: device lock held. */

#include "nvme.h"

#include <string.h>

enum {
    PAGE_BYTES = 4096,
    CNS_NAMESPACE = 0x00,
    CNS_CONTROLLER = 0x01,
    CNS_ACTIVE_LIST = 0x02,
    CNS_DESCRIPTORS = 0x03,
    NSID_ALL = 0xffffffff,
};

static void
put16(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)value;
    out[1] = (uint8_t)(value >> 8);
}

static void
put32(uint8_t *out, uint32_t value)
{
    put16(out, value);
    put16(out + 2, value >> 16);
}

static void
put64(uint8_t *out, uint64_t value)
{
    put32(out, (uint32_t)value);
    put32(out + 4, (uint32_t)(value >> 32));
}

static void
put_text(uint8_t *out, const char *text, size_t len)
{
    size_t text_len = text ? MIN(strlen(text), len) : 0;

    memset(out, ' ', len);
    if (text_len) {
        memcpy(out, text, text_len);
    }
}

uint16_t
nvme_send(NvmeRequest *request, const void *data, uint32_t len)
{
    uint16_t status = nvme_map(request, len, true);

    if (status == NVME_OK) {
        vit_sg_write(&request->sg, 0, data, len);
    }
    return status;
}

static void
fill_controller(const Nvme *nvme, uint8_t *out)
{
    put16(out, 0x1b36); /* PCI vendor, */
    put16(out + 2, 0x1af4);
    put_text(out + 4, nvme->serial, 20);
    put_text(out + 24, "Vitrine NVMe disk", 40);
    put_text(out + 64, "0.1", 8);
    out[72] = 6; /* arbitration burst */
    out[77] = (uint8_t)nvme->max_transfer;
    put32(out + 80, 0x00010400); /* version */
    put32(out + 92, 1u << 8);    /* events: changed namespaces */
    out[111] = 1;                /* an I/O controller */
    put16(out + 256, 0);         /* optional admin commands: none */
    out[258] = 3;                /* aborts at once */
    out[259] = NVME_AER_MAX - 1; /* event requests at once */
    out[260] = 1u << 1 | 1;      /* one firmware slot, read-only */
    out[261] = 1u << 2;          /* log pages take an offset */
    put16(out + 266, 0x157);     /* warning and */
    put16(out + 268, 0x175);     /* critical temperature, kelvin */
    out[512] = 0x66;             /* submission entries of 64 bytes, */
    out[513] = 0x44;             /* completion entries of 16 */
    put32(out + 516, NVME_NAMESPACES_MAX);
    put16(out + 520, 0x8d); /* compare, dataset management, write zeroes, verify */
    out[525] = 2u << 1 | 1; /* a volatile write cache, flushed for each namespace */
    put32(out + 536, 1);    /* lists of any alignment */
    g_snprintf((char *)out + 768, 256, "nqn.2019-08.org.vitrine:%s", nvme->serial);
    out[2048 + 1] = 0x09; /* power state 0: 25 W */
    out[2048] = 0xc4;
    put32(out + 2048 + 4, 16);
    put32(out + 2048 + 8, 4);
}

static void
fill_namespace(const NvmeNamespace *ns, uint8_t *out)
{
    uint64_t blocks = nvme_ns_blocks(ns);

    put64(out, blocks);
    put64(out + 8, blocks);
    put64(out + 16, blocks);
    out[24] = 1 | 1u << 4; /* thin, and preferred sizes are told */
    out[26] = 0;           /* format 0 */
    out[33] = 1;           /* deallocated blocks read as zeroes */
    put16(out + 64, 0);    /* write granularity and alignment: one block, */
    put16(out + 66, 0);
    put16(out + 68, 0); /* the same for deallocation */
    put16(out + 70, 0);
    put64(out + 120, ns->eui64 ? GUINT64_SWAP_LE_BE(ns->eui64) : 0);
    out[128 + 2] = ns->block_shift;
    out[99] = ns->drive->ops->is_read_only(ns->drive) ? 1 : 0;
}

static uint16_t
identify_namespace(NvmeRequest *request)
{
    g_autofree uint8_t *page = g_malloc0(PAGE_BYTES);
    uint32_t nsid = request->command.nsid;

    if (nsid == NSID_ALL) {
        page[128 + 2] = NVME_BLOCK_SHIFT; /* what all have in common */
        return nvme_send(request, page, PAGE_BYTES);
    }
    if (nsid == 0 || nsid > NVME_NAMESPACES_MAX) {
        return NVME_INVALID_NAMESPACE | NVME_DNR;
    }
    if (request->nvme->namespaces[nsid - 1]) {
        fill_namespace(request->nvme->namespaces[nsid - 1], page);
    }
    return nvme_send(request, page, PAGE_BYTES);
}

static uint16_t
identify_controller(NvmeRequest *request)
{
    g_autofree uint8_t *page = g_malloc0(PAGE_BYTES);

    fill_controller(request->nvme, page);
    return nvme_send(request, page, PAGE_BYTES);
}

static uint16_t
identify_list(NvmeRequest *request)
{
    g_autofree uint8_t *page = g_malloc0(PAGE_BYTES);
    uint32_t after = request->command.nsid;
    unsigned count = 0;

    if (after >= 0xfffffffe) {
        return NVME_INVALID_NAMESPACE | NVME_DNR;
    }
    for (uint32_t id = after + 1; id <= NVME_NAMESPACES_MAX && count < PAGE_BYTES / 4; id++) {
        if (request->nvme->namespaces[id - 1]) {
            put32(page + 4 * count++, id);
        }
    }
    return nvme_send(request, page, PAGE_BYTES);
}

static uint16_t
identify_descriptors(NvmeRequest *request)
{
    g_autofree uint8_t *page = g_malloc0(PAGE_BYTES);
    uint32_t nsid = request->command.nsid;
    const NvmeNamespace *ns;
    uint8_t *at = page;

    if (nsid == 0 || nsid > NVME_NAMESPACES_MAX || !request->nvme->namespaces[nsid - 1]) {
        return NVME_INVALID_NAMESPACE | NVME_DNR;
    }
    ns = request->nvme->namespaces[nsid - 1];
    if (ns->eui64) {
        at[0] = 1;
        at[1] = 8;
        put64(at + 4, GUINT64_SWAP_LE_BE(ns->eui64));
        at += 12;
    }
    /* a UUID made of the controller's serial number and the namespace's id */
    g_autofree char *name = g_strdup_printf("%s/%u", request->nvme->serial, nsid);
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_MD5, name, -1);
    at[0] = 3;
    at[1] = 16;
    for (unsigned i = 0; i < 16; i++) {
        at[4 + i] = (uint8_t)(g_ascii_xdigit_value(digest[2 * i]) << 4 |
                              g_ascii_xdigit_value(digest[2 * i + 1]));
    }
    at[4 + 6] = (uint8_t)((at[4 + 6] & 0x0f) | 0x30);
    at[4 + 8] = (uint8_t)((at[4 + 8] & 0x3f) | 0x80);
    return nvme_send(request, page, PAGE_BYTES);
}

uint16_t
nvme_identify(NvmeRequest *request)
{
    switch (request->command.cdw10 & 0xff) {
    case CNS_NAMESPACE: return identify_namespace(request);
    case CNS_CONTROLLER: return identify_controller(request);
    case CNS_ACTIVE_LIST: return identify_list(request);
    case CNS_DESCRIPTORS: return identify_descriptors(request);
    default: return NVME_INVALID_FIELD | NVME_DNR;
    }
}
