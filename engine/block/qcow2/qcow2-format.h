/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The qcow2 format as it lies on disk: offsets, bits and limits of the published specification
 * (docs/interop/qcow2), under its names. All numbers are big-endian. */

#include "vit-types.h"

enum {
    QCOW2_MAGIC = 0x514649fb,
    QCOW2_V2_HEADER_BYTES = 72,
    QCOW2_V3_HEADER_BYTES = 104,
    QCOW2_HEADER_BYTES = 112, /* what is written: with compression_type, padded to eight */
    QCOW2_MIN_CLUSTER_BITS = 9,
    QCOW2_MAX_CLUSTER_BITS = 21,
    QCOW2_SECTOR_BYTES = 512,
};

/* Offsets of header fields. */
enum {
    QCOW2_AT_MAGIC = 0,
    QCOW2_AT_VERSION = 4,
    QCOW2_AT_BACKING_FILE_OFFSET = 8,
    QCOW2_AT_BACKING_FILE_SIZE = 16,
    QCOW2_AT_CLUSTER_BITS = 20,
    QCOW2_AT_SIZE = 24,
    QCOW2_AT_CRYPT_METHOD = 32,
    QCOW2_AT_L1_SIZE = 36,
    QCOW2_AT_L1_TABLE_OFFSET = 40,
    QCOW2_AT_REFCOUNT_TABLE_OFFSET = 48,
    QCOW2_AT_REFCOUNT_TABLE_CLUSTERS = 56,
    QCOW2_AT_NB_SNAPSHOTS = 60,
    QCOW2_AT_SNAPSHOTS_OFFSET = 64,
    QCOW2_AT_INCOMPATIBLE_FEATURES = 72,
    QCOW2_AT_COMPATIBLE_FEATURES = 80,
    QCOW2_AT_AUTOCLEAR_FEATURES = 88,
    QCOW2_AT_REFCOUNT_ORDER = 96,
    QCOW2_AT_HEADER_LENGTH = 100,
    QCOW2_AT_COMPRESSION_TYPE = 104,
};

enum {
    QCOW2_INCOMPAT_DIRTY = 1u << 0,
    QCOW2_INCOMPAT_CORRUPT = 1u << 1,
    QCOW2_INCOMPAT_DATA_FILE = 1u << 2,
    QCOW2_INCOMPAT_COMPRESSION = 1u << 3,
    QCOW2_INCOMPAT_EXTENDED_L2 = 1u << 4,
    QCOW2_INCOMPAT_KNOWN = 31,
    QCOW2_COMPAT_LAZY_REFCOUNTS = 1u << 0,
    QCOW2_AUTOCLEAR_BITMAPS = 1u << 0,
    QCOW2_AUTOCLEAR_RAW_EXTERNAL_DATA = 1u << 1,
    QCOW2_AUTOCLEAR_KNOWN = 3,
};

/* Header extensions. */
enum {
    QCOW2_EXT_END = 0,
    QCOW2_EXT_BACKING_FORMAT = (int)0xe2792aca,
    QCOW2_EXT_FEATURE_NAMES = 0x6803f857,
    QCOW2_EXT_BITMAPS = 0x23852875,
    QCOW2_EXT_CRYPTO = 0x0537be77,
    QCOW2_EXT_DATA_FILE = 0x44415441,
};

enum { QCOW2_CRYPT_NONE, QCOW2_CRYPT_AES, QCOW2_CRYPT_LUKS };
enum { QCOW2_COMPRESSION_ZLIB, QCOW2_COMPRESSION_ZSTD };

/* Entries of L1 and L2 tables. */
#define QCOW2_COPIED       (UINT64_C(1) << 63) /* refcount is exactly one */
#define QCOW2_COMPRESSED   (UINT64_C(1) << 62)
#define QCOW2_ALL_ZEROES   (UINT64_C(1) << 0) /* without extended L2 entries only */
#define QCOW2_OFFSET_MASK  UINT64_C(0x00fffffffffffe00)
#define QCOW2_L1_RESERVED  UINT64_C(0x7f000000000001ff)
#define QCOW2_L2_RESERVED  UINT64_C(0x3f000000000001fe)
#define QCOW2_REF_RESERVED UINT64_C(0x1ff)

enum { QCOW2_SUBCLUSTERS = 32 };

/* What is believed of an image; more is refused, so that memory stays bounded. */
enum {
    QCOW2_MAX_L1_BYTES = 32 << 20,
    QCOW2_MAX_REFTABLE_BYTES = 8 << 20,
    QCOW2_MAX_SNAPSHOTS = 65536,
    QCOW2_MAX_SNAPSHOTS_BYTES = 64 << 20,
    QCOW2_MAX_BITMAPS = 65535,
    QCOW2_MAX_BITMAP_DIR_BYTES = 64 << 20,
    QCOW2_MAX_BACKING_NAME = 1023,
};
