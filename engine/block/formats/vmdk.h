/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The VMDK format as it lies on disk, and the state of an open image. Thread: in a fiber. */

#include "fmt.h"

typedef struct _JsonObject JsonObject;

/* Hosted sparse extents, little-endian; offsets of header fields. Places count sectors. */
enum {
    VMDK_HEADER_BYTES = 512,
    VMDK_AT_VERSION = 4,
    VMDK_AT_FLAGS = 8,
    VMDK_AT_CAPACITY = 12,
    VMDK_AT_GRAIN = 20,
    VMDK_AT_DESC_OFFSET = 28,
    VMDK_AT_DESC_SIZE = 36,
    VMDK_AT_GTES = 44,
    VMDK_AT_RGD = 48,
    VMDK_AT_GD = 56,
    VMDK_AT_OVERHEAD = 64,
    VMDK_AT_NEWLINES = 73,
    VMDK_AT_COMPRESSION = 77,

    VMDK_FLAG_NEWLINES = 1 << 0,
    VMDK_FLAG_RGD = 1 << 1,
    VMDK_FLAG_ZERO_GRAIN = 1 << 2,
    VMDK_FLAG_COMPRESSED = 1 << 16,
    VMDK_FLAG_MARKERS = 1 << 17,

    VMDK_GTE_ZERO = 1,
    VMDK_MARKER_BYTES = 12, /* of a compressed grain: its first sector, length of the data */
    VMDK_FOOTER_FROM_END = 1024,

    /* ESX sparse extents ("COWD"). */
    VMDK_COWD_AT_SECTORS = 12,
    VMDK_COWD_AT_GRAIN = 16,
    VMDK_COWD_AT_GD = 20,
    VMDK_COWD_AT_GDES = 24,
    VMDK_COWD_GTES = 4096,

    VMDK_MAX_DESC_BYTES = 1 << 20,
    VMDK_MAX_GRAIN_BYTES = 64 << 20,
    VMDK_MAX_GTES = 4096,
};

#define VMDK_MAGIC      "KDMV"
#define VMDK_COWD_MAGIC "COWD"
#define VMDK_DESC_START "# Disk DescriptorFile"
#define VMDK_GD_AT_END  UINT64_MAX
#define VMDK_NO_PARENT  0xffffffffu

typedef enum VmdkKind { VMDK_FLAT, VMDK_SPARSE, VMDK_ZERO } VmdkKind;

typedef struct VmdkExtent {
    VmdkKind kind;
    BlkChild *file;
    char *type;          /* word of the descriptor; NULL: the image is the extent */
    uint64_t start, len; /* of the disk, in bytes */
    uint64_t flat_offset;
    /* Of sparse ones: */
    uint64_t grain_bytes, gtes, gdes;
    uint64_t gd_offset, rgd_offset; /* bytes; rgd 0: no copy */
    uint32_t *gd, *rgd;             /* little-endian, as in the file */
    FmtTables *tables;
    uint64_t end;      /* new grains go here */
    uint64_t room_end; /* the file reaches so far, whatever happens */
    bool has_zero_grains, is_compressed, has_markers;
} VmdkExtent;

typedef struct Vmdk {
    FmtMap map;
    GArray *extents; /* VmdkExtent, in order of start */
    uint64_t disk_len;
    char *create_type;
    uint32_t cid, parent_cid;
    uint64_t cid_offset;  /* of its digits in the file; 0: none */
    bool is_parent_known; /* parent_cid was compared */
} Vmdk;

extern const FmtMapOps vmdk_map_ops, vmdk_compressed_map_ops;

/* ---- vmdk-open.c ---- */

bool vmdk_open(BlkNode *node, GError **error);
void vmdk_close(BlkNode *node);
/* Gives back what the files were lengthened ahead; if that fails they stay longer. */
void vmdk_trim(BlkNode *node);

/* ---- vmdk-create.c ---- */

typedef struct VmdkCreate {
    uint64_t size;
    int32_t subformat, adapter_type, preallocation;
    char *backing_file, *backing_fmt, *hwversion, *toolsversion;
    bool compat6, zeroed_grain, nocow;
} VmdkCreate;

extern const VitProp vmdk_create_options[];
bool vmdk_create(BlkGraph *graph, const char *filename, const void *state, GError **error);
