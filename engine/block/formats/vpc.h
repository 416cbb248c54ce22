/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The VHD format as it lies on disk: offsets and limits of "Virtual Hard Disk Image Format
 * Specification" 1.0. Thread: in a fiber. */

#include "fmt.h"

enum {
    VPC_FOOTER_BYTES = 512,
    VPC_AT_FEATURES = 8,
    VPC_AT_VERSION = 12,
    VPC_AT_DATA = 16,
    VPC_AT_TIME = 24,
    VPC_AT_CREATOR = 28,
    VPC_AT_CREATOR_VERSION = 32,
    VPC_AT_HOST = 36,
    VPC_AT_ORIGINAL_SIZE = 40,
    VPC_AT_CURRENT_SIZE = 48,
    VPC_AT_CYLINDERS = 56,
    VPC_AT_HEADS = 58,
    VPC_AT_SECTORS = 59,
    VPC_AT_TYPE = 60,
    VPC_AT_CHECKSUM = 64,
    VPC_AT_UUID = 68,

    VPC_DYN_BYTES = 1024,
    VPC_DYN_AT_DATA = 8,
    VPC_DYN_AT_TABLE = 16,
    VPC_DYN_AT_VERSION = 24,
    VPC_DYN_AT_ENTRIES = 28,
    VPC_DYN_AT_BLOCK_SIZE = 32,
    VPC_DYN_AT_CHECKSUM = 36,
    VPC_DYN_AT_PARENT_NAME = 64,
    VPC_DYN_PARENT_NAME_BYTES = 512,
    VPC_DYN_AT_LOCATORS = 576,
    VPC_DYN_LOCATORS = 8,
    VPC_DYN_LOCATOR_BYTES = 24,

    VPC_FIXED = 2,
    VPC_DYNAMIC = 3,
    VPC_DIFFERENCING = 4,

    VPC_MAX_CHS_SECTORS = 65535 * 16 * 255,
    VPC_MAX_ENTRIES = 1 << 28,
};

/* 2040 GiB. */
#define VPC_MAX_SECTORS UINT64_C(0xff000000)

typedef struct VpcCreate {
    uint64_t size;
    int32_t subformat, preallocation;
    bool force_size, nocow;
} VpcCreate;

extern const VitProp vpc_create_options[];
bool vpc_create(BlkGraph *graph, const char *filename, const void *state, GError **error);
/* Ones' complement of the sum of all bytes but the four at AT. */
uint32_t vpc_checksum(const uint8_t *buf, size_t len, size_t at);
/* The parent a differencing image's HEADER names, as seen from the image. Ownership: caller. */
char *vpc_dup_parent_name(BlkNode *node, const uint8_t *header, GError **error);
