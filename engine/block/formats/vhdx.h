/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The VHDX format as it lies on disk (MS-VHDX, little-endian), and the state of an open image.
 * Thread: in a fiber. */

#include "fmt.h"

enum {
    VHDX_MB = 1 << 20,
    VHDX_HEADER1_AT = 64 << 10,
    VHDX_HEADER2_AT = 128 << 10,
    VHDX_REGION1_AT = 192 << 10,
    VHDX_REGION2_AT = 256 << 10,
    VHDX_CREATOR_AT = 8,

    /* "head"; the checksum is over 4 KiB. */
    VHDX_HEADER_BYTES = 4096,
    VHDX_AT_CHECKSUM = 4, /* also of region tables and log entries */
    VHDX_HEAD_AT_SEQUENCE = 8,
    VHDX_HEAD_AT_FILE_GUID = 16,
    VHDX_HEAD_AT_DATA_GUID = 32,
    VHDX_HEAD_AT_LOG_GUID = 48,
    VHDX_HEAD_AT_LOG_VERSION = 64,
    VHDX_HEAD_AT_VERSION = 66,
    VHDX_HEAD_AT_LOG_LEN = 68,
    VHDX_HEAD_AT_LOG_OFFSET = 72,

    /* "regi" */
    VHDX_REGION_BYTES = 64 << 10,
    VHDX_REGION_AT_COUNT = 8,
    VHDX_REGION_AT_ENTRIES = 16,
    VHDX_REGION_ENTRY_BYTES = 32,
    VHDX_MAX_REGIONS = 2047,

    /* "metadata" */
    VHDX_META_BYTES = 64 << 10,
    VHDX_META_AT_COUNT = 10,
    VHDX_META_AT_ENTRIES = 32,
    VHDX_META_ENTRY_BYTES = 32,
    VHDX_MAX_ITEMS = 2047,
    VHDX_META_REQUIRED = 4,
    VHDX_FLAG_LEAVE_ALLOCATED = 1,
    VHDX_FLAG_HAS_PARENT = 2,

    /* States of blocks, low bits of their entries. */
    VHDX_STATE_MASK = 7,
    VHDX_BLOCK_NOT_PRESENT = 0,
    VHDX_BLOCK_UNDEFINED = 1,
    VHDX_BLOCK_ZERO = 2,
    VHDX_BLOCK_UNMAPPED = 3,
    VHDX_BLOCK_PRESENT = 6,
    VHDX_BLOCK_PARTIAL = 7,

    /* "loge", then descriptors, then a sector for each data descriptor. */
    VHDX_LOG_SECTOR = 4096,
    VHDX_LOG_AT_LEN = 8,
    VHDX_LOG_AT_TAIL = 12,
    VHDX_LOG_AT_SEQUENCE = 16,
    VHDX_LOG_AT_COUNT = 24,
    VHDX_LOG_AT_GUID = 32,
    VHDX_LOG_AT_FLUSHED = 48,
    VHDX_LOG_AT_LAST = 56,
    VHDX_LOG_HEADER_BYTES = 64,
    VHDX_LOG_DESC_BYTES = 32,
    VHDX_MAX_LOG_BYTES = 128 << 20,
};

#define VHDX_FILE_ID      "vhdxfile"
#define VHDX_MAX_DISK_LEN (UINT64_C(64) << 40)

typedef struct Vhdx {
    FmtMap map;
    uint8_t header[VHDX_HEADER_BYTES]; /* the current one */
    unsigned current;                  /* 0 or 1: where it lies */
    uint64_t bat_offset, bat_bytes;
    uint64_t meta_offset, meta_bytes;
    uint64_t block_bytes, disk_len;
    uint32_t logical_sector;
    uint64_t chunk_ratio, blocks;
    uint64_t *bat; /* little-endian, as in the file, whole sectors of 4 KiB */
    uint64_t bat_entries;
    uint64_t end; /* new blocks go here */
    /* The log while the image is written. */
    uint64_t log_sequence;
    uint32_t log_at;
} Vhdx;

extern const uint8_t vhdx_guid_bat[16], vhdx_guid_metadata[16];
extern const uint8_t vhdx_guid_parameters[16], vhdx_guid_disk_size[16], vhdx_guid_page83[16];
extern const uint8_t vhdx_guid_logical_sector[16], vhdx_guid_physical_sector[16];
extern const uint8_t vhdx_guid_parent_locator[16];

/* CRC-32C of BUF with zeroes for the four bytes at AT. */
uint32_t vhdx_checksum(const uint8_t *buf, size_t len, size_t at);
void vhdx_put_checksum(uint8_t *buf, size_t len, size_t at);

/* ---- vhdx-header.c ---- */

bool vhdx_read_headers(BlkNode *node, GError **error);
/* Writes both headers, one after the other, with LOG_GUID (NULL: none). */
int vhdx_write_headers(BlkNode *node, const uint8_t *log_guid);
bool vhdx_read_regions(BlkNode *node, GError **error);
bool vhdx_read_metadata(BlkNode *node, GError **error);

/* ---- vhdx-log.c ---- */

/* Applies what the log holds; an image that is only read must have it all already. */
bool vhdx_replay_log(BlkNode *node, GError **error);
/* Changes 4 KiB at OFFSET, through the log. */
int vhdx_log_sector(BlkNode *node, uint64_t offset, const uint8_t *sector);

/* ---- vhdx-create.c ---- */

typedef struct VhdxCreate {
    uint64_t size, log_size, block_size;
    int32_t subformat, preallocation;
    bool block_state_zero, nocow;
} VhdxCreate;

extern const VitProp vhdx_create_options[];
bool vhdx_create(BlkGraph *graph, const char *filename, const void *state, GError **error);
/* Entries of the block table for as many blocks. */
uint64_t vhdx_bat_entries(uint64_t blocks, uint64_t chunk_ratio);
