/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* fw_cfg: hands tables, the kernel and named files to the firmware.
 * QEMU's published fw_cfg specification: selector port 0x510 (16 bit), data port 0x511 (8 bit),
 * DMA address register 0x514 (64 bit, big endian; the write of its low half starts a transfer).
 * Everything multi-byte in the file directory and the DMA descriptor is big endian, the traditional
 * items are little endian.
 *
 * Items are the machine's, set before the guest runs and on each reset; only the cursor into them
 * and the contents of writable files are state. Thread: device lock held. */

#include "pc/fw-cfg.h"

#include "vit-isa.h"

#include <string.h>

enum {
    FW_CFG_FILE_SLOTS = 0x60,
    FW_CFG_NAME_LEN = 56,
    FW_CFG_DIR_ENTRY_LEN = 64,
    FW_CFG_ID_TRADITIONAL = 1,
    FW_CFG_ID_DMA = 2,

    FW_CFG_DMA_ERROR = 1,
    FW_CFG_DMA_READ = 2,
    FW_CFG_DMA_SKIP = 4,
    FW_CFG_DMA_SELECT = 8,
    FW_CFG_DMA_WRITE = 16,
};

/* What the DMA address register reads as: tells the firmware that DMA is there. */
static const char dma_signature[8] = "QEMU CFG";

typedef struct Item {
    GBytes *data;
    bool writable;
    void (*select)(void *opaque);
    void *select_opaque;
    void (*written)(void *opaque, const uint8_t *bytes, size_t len);
    void *written_opaque;
    char *name; /* files */
} Item;

typedef struct FwCfg {
    VitDevice dev;
    uint16_t iobase;
    uint16_t key;
    uint32_t offset;
    uint64_t dma_address;
    GHashTable *items; /* key -> Item */
    GPtrArray *files;  /* names in directory order; index i has key FW_CFG_FILE_FIRST + i */
    VitRegion data_region, dma_region;
} FwCfg;

VIT_DEVICE_LAYOUT(FwCfg)

static void
item_free(gpointer data)
{
    Item *item = data;

    g_clear_pointer(&item->data, g_bytes_unref);
    g_free(item->name);
    g_free(item);
}

static Item *
item_get(FwCfg *fw, uint16_t key)
{
    return g_hash_table_lookup(fw->items, GUINT_TO_POINTER((guint)key));
}

static Item *
item_make(FwCfg *fw, uint16_t key)
{
    Item *item = item_get(fw, key);

    if (!item) {
        item = g_new0(Item, 1);
        g_hash_table_insert(fw->items, GUINT_TO_POINTER((guint)key), item);
    }
    return item;
}

/* ---- Filling ---- */

void
vit_fw_cfg_set(VitDevice *dev, uint16_t key, GBytes *data)
{
    Item *item = item_make((FwCfg *)dev, key);

    g_clear_pointer(&item->data, g_bytes_unref);
    item->data = data;
}

void
vit_fw_cfg_set_u16(VitDevice *dev, uint16_t key, uint16_t value)
{
    vit_fw_cfg_set(dev, key, g_bytes_new(&value, sizeof(value)));
}

void
vit_fw_cfg_set_u32(VitDevice *dev, uint16_t key, uint32_t value)
{
    vit_fw_cfg_set(dev, key, g_bytes_new(&value, sizeof(value)));
}

void
vit_fw_cfg_set_u64(VitDevice *dev, uint16_t key, uint64_t value)
{
    vit_fw_cfg_set(dev, key, g_bytes_new(&value, sizeof(value)));
}

void
vit_fw_cfg_set_string(VitDevice *dev, uint16_t key, const char *text)
{
    vit_fw_cfg_set(dev, key, g_bytes_new(text, strlen(text) + 1));
}

/* The directory: count, then {size, select, reserved, name[56]} per file. */
static void
directory_update(FwCfg *fw)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    uint32_t count = GUINT32_TO_BE(fw->files->len);

    g_byte_array_append(bytes, (const uint8_t *)&count, 4);
    for (guint i = 0; i < fw->files->len; i++) {
        uint8_t entry[FW_CFG_DIR_ENTRY_LEN] = { 0 };
        Item *item = item_get(fw, FW_CFG_FILE_FIRST + i);
        uint32_t len = GUINT32_TO_BE(g_bytes_get_size(item->data));
        uint16_t key = GUINT16_TO_BE(FW_CFG_FILE_FIRST + i);

        memcpy(entry, &len, 4);
        memcpy(entry + 4, &key, 2);
        g_strlcpy((char *)entry + 8, fw->files->pdata[i], FW_CFG_NAME_LEN);
        g_byte_array_append(bytes, entry, sizeof(entry));
    }
    vit_fw_cfg_set(&fw->dev, FW_CFG_FILE_DIR, g_byte_array_free_to_bytes(g_steal_pointer(&bytes)));
}

static Item *
file_find(FwCfg *fw, const char *name)
{
    guint index;

    if (!g_ptr_array_find_with_equal_func(fw->files, name, g_str_equal, &index)) {
        return NULL;
    }
    return item_get(fw, FW_CFG_FILE_FIRST + index);
}

void
vit_fw_cfg_set_file(VitDevice *dev, const char *name, GBytes *data)
{
    FwCfg *fw = (FwCfg *)dev;
    Item *item = file_find(fw, name);

    if (!item) {
        if (fw->files->len == FW_CFG_FILE_SLOTS) {
            vit_guest_error(dev, "no slot left for file %s", name);
            g_bytes_unref(data);
            return;
        }
        item = item_make(fw, FW_CFG_FILE_FIRST + fw->files->len);
        item->name = g_strdup(name);
        g_ptr_array_add(fw->files, item->name);
    }
    g_clear_pointer(&item->data, g_bytes_unref);
    item->data = data;
    directory_update(fw);
}

void
vit_fw_cfg_set_writable_file(VitDevice *dev, const char *name, GBytes *data,
                             void (*written)(void *opaque, const uint8_t *bytes, size_t len),
                             void *opaque)
{
    Item *item;

    vit_fw_cfg_set_file(dev, name, data);
    item = file_find((FwCfg *)dev, name);
    if (item) {
        item->writable = true;
        item->written = written;
        item->written_opaque = opaque;
    }
}

void
vit_fw_cfg_on_select(VitDevice *dev, const char *name, void (*select)(void *opaque), void *opaque)
{
    Item *item = file_find((FwCfg *)dev, name);

    if (item) {
        item->select = select;
        item->select_opaque = opaque;
    }
}

GBytes *
vit_fw_cfg_get_file(VitDevice *dev, const char *name)
{
    Item *item = file_find((FwCfg *)dev, name);

    return item ? item->data : NULL;
}

/* ---- The guest's side ---- */

static void
select_key(FwCfg *fw, uint16_t key)
{
    Item *item;

    fw->key = key;
    fw->offset = 0;
    item = item_get(fw, key);
    if (item && item->select) {
        item->select(item->select_opaque);
    }
}

/* Copies out up to LEN bytes at the cursor; past the end reads as zeros. */
static void
read_item(FwCfg *fw, uint8_t *to, size_t len)
{
    Item *item = item_get(fw, fw->key);
    size_t size = 0, piece = 0;
    const uint8_t *bytes = item && item->data ? g_bytes_get_data(item->data, &size) : NULL;

    if (fw->offset < size) {
        piece = MIN(len, size - fw->offset);
        memcpy(to, bytes + fw->offset, piece);
    }
    memset(to + piece, 0, len - piece);
    fw->offset = MIN((uint64_t)fw->offset + len, UINT32_MAX);
}

static uint64_t
data_read(void *opaque, uint64_t at, unsigned size)
{
    FwCfg *fw = opaque;
    uint64_t value = 0;

    if (at == 0 && size == 2) {
        return 0; /* the selector is write-only */
    }
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = 0;

        if (at + i == 1) {
            read_item(fw, &byte, 1);
        }
        value |= (uint64_t)byte << (i * 8);
    }
    return value;
}

static void
data_write(void *opaque, uint64_t at, uint64_t value, unsigned size)
{
    FwCfg *fw = opaque;

    if (at == 0 && size == 2) {
        select_key(fw, value);
    }
    /* byte writes to the data port were dropped from the interface; nothing listens */
}

static const VitRegionOps data_ops = {
    .read = data_read,
    .write = data_write,
    .min_size = 1,
    .max_size = 2,
};

/* Moves LENGTH bytes between the item and guest memory. Returns whether it worked. */
static bool
dma_move(FwCfg *fw, uint32_t control, uint64_t address, uint32_t length)
{
    VitAddressSpace *memory = fw->dev.platform->memory;
    uint8_t buffer[4096];

    if (control & FW_CFG_DMA_WRITE) {
        Item *item = item_get(fw, fw->key);
        size_t size = item && item->data ? g_bytes_get_size(item->data) : 0;
        gsize ignored;
        uint8_t *bytes;

        if (!item || !item->writable || length > size || fw->offset > size - length) {
            return false;
        }
        bytes = g_bytes_unref_to_data(g_steal_pointer(&item->data), &ignored);
        vit_address_space_read_bytes(memory, address, bytes + fw->offset, length);
        item->data = g_bytes_new_take(bytes, size);
        fw->offset += length;
        if (item->written) {
            item->written(item->written_opaque, bytes, size);
        }
        return true;
    }
    while (length > 0) {
        uint32_t piece = MIN(length, sizeof(buffer));
        Item *item = item_get(fw, fw->key);
        size_t size = item && item->data ? g_bytes_get_size(item->data) : 0;

        if (fw->offset >= size) {
            /* the rest is zeros, however long the guest says it is: at most its memory */
            piece = MIN(length, sizeof(buffer));
        }
        read_item(fw, buffer, piece);
        if (control & FW_CFG_DMA_READ) {
            if (vit_address_space_write_bytes(memory, address, buffer, piece) != VIT_ACCESS_OK) {
                return false; /* ran out of memory: also bounds what a guest can make us do */
            }
        } else if (fw->offset >= size) {
            break; /* skipping past the end */
        }
        address += piece;
        length -= piece;
    }
    return true;
}

static void
dma_run(FwCfg *fw)
{
    VitAddressSpace *memory = fw->dev.platform->memory;
    uint64_t at = fw->dma_address;
    uint32_t control, length;
    uint64_t address;
    bool ok = true;

    fw->dma_address = 0;
    control = GUINT32_FROM_BE(vit_dma_read32(memory, at));
    length = GUINT32_FROM_BE(vit_dma_read32(memory, at + 4));
    address = GUINT64_FROM_BE(vit_dma_read64(memory, at + 8));
    if (control & FW_CFG_DMA_SELECT) {
        select_key(fw, control >> 16);
    }
    if (control & FW_CFG_DMA_SKIP && !(control & (FW_CFG_DMA_READ | FW_CFG_DMA_WRITE))) {
        fw->offset = MIN((uint64_t)fw->offset + length, UINT32_MAX);
    } else if (control & (FW_CFG_DMA_READ | FW_CFG_DMA_WRITE)) {
        ok = dma_move(fw, control, address, length);
    }
    vit_dma_write32(memory, at, ok ? 0 : GUINT32_TO_BE(FW_CFG_DMA_ERROR));
}

static uint64_t
dma_read(void *opaque, uint64_t at, unsigned size)
{
    uint64_t value = 0;

    /* "QEMU CFG" as a big-endian number, so byte 0 of the text is at the lowest port */
    memcpy(&value, dma_signature + at, size);
    return value;
}

static void
dma_write(void *opaque, uint64_t at, uint64_t value, unsigned size)
{
    FwCfg *fw = opaque;

    switch (size) {
    case 4:
        if (at == 0) {
            fw->dma_address = (uint64_t)GUINT32_FROM_BE((uint32_t)value) << 32;
        } else {
            fw->dma_address |= GUINT32_FROM_BE((uint32_t)value);
            dma_run(fw);
        }
        break;
    case 8:
        fw->dma_address = GUINT64_FROM_BE(value);
        dma_run(fw);
        break;
    default: vit_guest_error(&fw->dev, "DMA address written %u bytes wide", size); break;
    }
}

static const VitRegionOps dma_ops = {
    .read = dma_read,
    .write = dma_write,
    .min_size = 1,
    .max_size = 8,
};

/* ---- Life ---- */

static void
fw_cfg_init(VitDevice *dev)
{
    FwCfg *fw = (FwCfg *)dev;

    fw->items = g_hash_table_new_full(NULL, NULL, NULL, item_free);
    fw->files = g_ptr_array_new();
    vit_fw_cfg_set(dev, FW_CFG_SIGNATURE, g_bytes_new_static("QEMU", 4));
    vit_fw_cfg_set_u32(dev, FW_CFG_ID, FW_CFG_ID_TRADITIONAL | FW_CFG_ID_DMA);
    directory_update(fw);
}

static bool
fw_cfg_realize(VitDevice *dev, GError **error)
{
    FwCfg *fw = (FwCfg *)dev;

    vit_region_init_io(&fw->data_region, "fwcfg", &data_ops, fw, 2);
    vit_region_init_io(&fw->dma_region, "fwcfg.dma", &dma_ops, fw, 8);
    vit_isa_map_ports(dev, fw->iobase, &fw->data_region);
    vit_isa_map_ports(dev, fw->iobase + 4, &fw->dma_region);
    return true;
}

static void
fw_cfg_unrealize(VitDevice *dev)
{
    FwCfg *fw = (FwCfg *)dev;

    vit_region_finish(&fw->data_region);
    vit_region_finish(&fw->dma_region);
}

static void
fw_cfg_finalize(VitDevice *dev)
{
    FwCfg *fw = (FwCfg *)dev;

    g_ptr_array_unref(fw->files);
    g_hash_table_unref(fw->items);
}

static void
fw_cfg_reset(VitDevice *dev)
{
    FwCfg *fw = (FwCfg *)dev;

    fw->key = 0;
    fw->offset = 0;
    fw->dma_address = 0;
}

static const VitProp props[] = {
    VIT_PROP_UINT(FwCfg, iobase, "iobase", 0x510, 0x100, 0xfff0, VIT_N_("First I/O port"),
                  .flags = VIT_PROP_HEX),
    { 0 },
};

static const VitField state[] = {
    VIT_FIELD(FwCfg, key),
    VIT_FIELD(FwCfg, offset),
    VIT_FIELD(FwCfg, dma_address),
    VIT_TRANSIENT(FwCfg, items), /* set anew from the configuration */
    VIT_TRANSIENT(FwCfg, files),
    VIT_TRANSIENT(FwCfg, data_region),
    VIT_TRANSIENT(FwCfg, dma_region),
    { 0 },
};

const VitDeviceKind vit_fw_cfg_kind = {
    .name = "fw_cfg",
    .title = VIT_N_("Firmware configuration interface"),
    .bus = VIT_BUS_ISA,
    .category = VIT_CATEGORY_MISC,
    VIT_DEVICE_SIZE(FwCfg, VitDevice),
    .internal = true,
    .props = props,
    .state = state,
    .state_version = 1,
    .init = fw_cfg_init,
    .realize = fw_cfg_realize,
    .unrealize = fw_cfg_unrealize,
    .finalize = fw_cfg_finalize,
    .reset = fw_cfg_reset,
};
