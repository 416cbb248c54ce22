/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Parallel NOR flash with the Intel command set: the firmware chips of a PC board.
 *
 * JEDEC JESD68.01 (Common Flash Interface), JEP137 (command set 0001h); Intel StrataFlash memory
 * data sheet (28F640J3), "Bus operations", "Command set" and "Write state machine".
 *
 * While the array is read the chip is memory, from which guests run at full speed; writes to it are
 * commands. A command that makes reads answer something else takes the memory away and puts a
 * window in its place until the array is read again.
 *
 * Deviations: everything ends at once, so that SR.7 is never seen busy. Clear Status Register
 * clears SR.7 as well, until the next operation: firmware tells flash from ROM by that. Block locks
 * are accepted and not kept; nothing is ever suspended. An erase or a program of an image that is
 * read-only ends with SR.5 or SR.4. Device lock held. */

#include "pflash-cfi01.h"

#include "flash-store.h"

#include "vit-error.h"

#include <string.h>

enum {
    CMD_PROGRAM_ALT = 0x10,
    CMD_ERASE = 0x20,
    CMD_ERASE_CHIP_NEXT = 0x28,
    CMD_PROGRAM = 0x40,
    CMD_CLEAR_STATUS = 0x50,
    CMD_LOCK = 0x60,
    CMD_READ_STATUS = 0x70,
    CMD_READ_ID = 0x90,
    CMD_QUERY = 0x98,
    CMD_SUSPEND = 0xb0,
    CMD_CONFIRM = 0xd0,
    CMD_BUFFER = 0xe8,
    CMD_READ_ARRAY = 0xff,

    SR_READY = 0x80,
    SR_ERASE_ERROR = 0x20,
    SR_PROGRAM_ERROR = 0x10,

    BUFFER_BYTES = 256,
    MAX_BYTES = 128 * 1024 * 1024,
    ERASED = 0xff,
};

/* What reads answer. */
enum { READ_ARRAY, READ_STATUS, READ_ID, READ_QUERY };
/* What the next write is. */
enum { NEXT_COMMAND, NEXT_PROGRAM, NEXT_ERASE, NEXT_LOCK, NEXT_COUNT, NEXT_DATA, NEXT_CONFIRM };

typedef struct Pflash {
    VitDevice dev;
    VitDrive *drive;
    char *name;
    uint64_t sector_bytes;
    uint32_t num_blocks;
    uint16_t ids[4];
    bool secure;

    uint8_t reading, next, status;
    bool buffer_bad; /* a write of the sequence lay outside the buffer's block */
    uint16_t buffer_left;
    uint32_t buffer_at;
    uint8_t buffer[BUFFER_BYTES];
    uint8_t *contents;
    uint32_t len_bytes;

    uint64_t end;
    VitRegion *smm_root;
    VitRamBlock *block;
    VitRegion plain;       /* memory without commands: outside SMM with secure=on */
    VitRegion copy;        /* below 1 MiB */
    VitRegion array, busy; /* memory that takes commands; the window instead of it */
    bool read_only;
    FlashStore store;
} Pflash;
VIT_DEVICE_LAYOUT(Pflash)

/* ---- Array ---- */

static void
changed(Pflash *s, uint32_t at, uint32_t len)
{
    vit_ram_block_mark_dirty(s->block, at, len);
    flash_store_put(&s->store, at, s->contents + at, len);
}

/* Programming clears bits; only an erase sets them. */
static void
program(Pflash *s, uint32_t at, const uint8_t *data, uint32_t len)
{
    if (s->read_only || at > s->len_bytes || len > s->len_bytes - at) {
        s->status |= SR_PROGRAM_ERROR;
        return;
    }
    for (uint32_t i = 0; i < len; i++) {
        s->contents[at + i] &= data[i];
    }
    changed(s, at, len);
}

static void
erase(Pflash *s, uint32_t at)
{
    uint32_t len = s->sector_bytes, start = at - at % len;

    if (s->read_only) {
        s->status |= SR_ERASE_ERROR;
        return;
    }
    memset(s->contents + start, ERASED, len);
    changed(s, start, len);
}

/* ---- Reading ---- */

static unsigned
log2_up(uint64_t value)
{
    return value > 1 ? 64 - __builtin_clzll(value - 1) : 0;
}

/* The query structure, JESD68.01 section 2, and Intel's extended table at 31h. */
static uint8_t
query_byte(const Pflash *s, unsigned at)
{
    uint32_t blocks = s->num_blocks - 1, block_units = s->sector_bytes / 256;

    switch (at) {
    case 0x10: return 'Q';
    case 0x11: return 'R';
    case 0x12: return 'Y';
    case 0x13: return 0x01; /* command set 0001h */
    case 0x15: return 0x31; /* its table */
    case 0x1b: return 0x45; /* Vcc 4.5 V to 5.5 V */
    case 0x1c: return 0x55;
    case 0x1f: return 7;  /* typical 2^n us for a byte */
    case 0x20: return 7;  /* for a buffer */
    case 0x21: return 10; /* 2^n ms for a block */
    case 0x23:            /* at most 2^n times that */
    case 0x24:            /* likewise */
    case 0x25: return 4;  /* likewise */
    case 0x27: return log2_up(s->len_bytes);
    case 0x28: return 0x02; /* x8 and x16 */
    case 0x2a: return log2_up(BUFFER_BYTES);
    case 0x2c: return 1; /* region of equal blocks */
    case 0x2d: return blocks;
    case 0x2e: return blocks >> 8;
    case 0x2f: return block_units;
    case 0x30: return block_units >> 8;
    case 0x31: return 'P';
    case 0x32: return 'R';
    case 0x33: return 'I';
    case 0x34: return '1';
    case 0x35: return '0';
    case 0x3f: return 1; /* protection field */
    default: return 0;
    }
}

/* Manufacturer, device, block lock. */
static uint8_t
id_byte(const Pflash *s, unsigned at)
{
    return at < 2 ? s->ids[at * 2 + 1] : 0;
}

static uint8_t
read_byte(const Pflash *s, uint32_t at)
{
    switch (s->reading) {
    case READ_STATUS: return s->status;
    case READ_ID: return id_byte(s, at & 0xff);
    case READ_QUERY: return query_byte(s, at & 0xff);
    default: return s->contents[at];
    }
}

static uint64_t
busy_read(void *opaque, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)read_byte(opaque, offset + i) << 8 * i;
    }
    return value;
}

/* ---- Commands ---- */

/* Memory while the array is read and no command is half given, else the window. */
static void
update_map(Pflash *s)
{
    bool is_array = s->reading == READ_ARRAY && s->next == NEXT_COMMAND;

    if (s->array.enabled != is_array) {
        vit_map_begin(s->dev.platform->maps);
        vit_region_set_enabled(&s->array, is_array);
        vit_region_set_enabled(&s->busy, !is_array);
        vit_map_commit(s->dev.platform->maps);
    }
}

static void
wait_for(Pflash *s, uint8_t next)
{
    s->next = next;
    s->reading = READ_STATUS;
}

static void
ended(Pflash *s)
{
    s->status |= SR_READY;
    wait_for(s, NEXT_COMMAND);
}

/* A second cycle that does not belong to its first: both error bits. */
static void
bad_sequence(Pflash *s)
{
    s->status |= SR_ERASE_ERROR | SR_PROGRAM_ERROR;
    ended(s);
}

static void
command(Pflash *s, uint32_t at, uint8_t cmd)
{
    switch (cmd) {
    case CMD_PROGRAM:
    case CMD_PROGRAM_ALT: wait_for(s, NEXT_PROGRAM); break;
    case CMD_ERASE:
    case CMD_ERASE_CHIP_NEXT: wait_for(s, NEXT_ERASE); break;
    case CMD_LOCK: wait_for(s, NEXT_LOCK); break;
    case CMD_BUFFER:
        s->status |= SR_READY; /* a buffer is free */
        wait_for(s, NEXT_COUNT);
        break;
    case CMD_CLEAR_STATUS:
        s->status = 0;
        s->reading = READ_ARRAY;
        break;
    case CMD_READ_STATUS: s->reading = READ_STATUS; break;
    case CMD_READ_ID: s->reading = READ_ID; break;
    case CMD_QUERY: s->reading = READ_QUERY; break;
    case CMD_SUSPEND:
    case CMD_CONFIRM: break; /* nothing is ever under way */
    case CMD_READ_ARRAY: s->reading = READ_ARRAY; break;
    default:
        s->reading = READ_ARRAY;
        vit_guest_error(&s->dev, "%s: command 0x%02x at 0x%x is not one", s->name ? s->name : "",
                        cmd, at);
        break;
    }
}

/* The first of the data chooses the block of the buffer. */
static void
buffer_put(Pflash *s, uint32_t at, const uint8_t *data, unsigned size)
{
    if (s->buffer_at == UINT32_MAX) {
        s->buffer_at = at - at % BUFFER_BYTES;
        memset(s->buffer, ERASED, sizeof(s->buffer));
    }
    if (at < s->buffer_at || at - s->buffer_at > BUFFER_BYTES - size) {
        s->buffer_bad = true;
    } else {
        memcpy(s->buffer + (at - s->buffer_at), data, size);
    }
    if (s->buffer_left-- == 0) {
        s->next = NEXT_CONFIRM;
    }
}

static void
buffer_confirm(Pflash *s, uint8_t cmd)
{
    if (cmd != CMD_CONFIRM || s->buffer_bad) {
        bad_sequence(s);
        return;
    }
    program(s, s->buffer_at, s->buffer, MIN(BUFFER_BYTES, s->len_bytes - s->buffer_at));
    ended(s);
}

static void
second_cycle(Pflash *s, uint32_t at, uint64_t value, unsigned size)
{
    uint8_t data[8];

    memcpy(data, &value, sizeof(data));
    switch (s->next) {
    case NEXT_PROGRAM:
        program(s, at, data, size);
        ended(s);
        break;
    case NEXT_ERASE:
        if (data[0] == CMD_CONFIRM) {
            erase(s, at);
            ended(s);
        } else {
            bad_sequence(s);
        }
        break;
    case NEXT_LOCK: ended(s); break;
    case NEXT_COUNT:
        s->buffer_left = data[0];
        s->buffer_at = UINT32_MAX;
        s->buffer_bad = false;
        s->next = NEXT_DATA;
        break;
    case NEXT_DATA: buffer_put(s, at, data, size); break;
    default: buffer_confirm(s, data[0]); break;
    }
}

static void
flash_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Pflash *s = opaque;

    if (s->next == NEXT_COMMAND) {
        command(s, offset, value & 0xff);
    } else {
        second_cycle(s, offset, value, size);
    }
    update_map(s);
}

static const VitRegionOps array_ops = {
    .write = flash_write,
    .max_size = 8,
    .unaligned = true,
};

static const VitRegionOps busy_ops = {
    .read = busy_read,
    .write = flash_write,
    .max_size = 8,
    .unaligned = true,
};

/* ---- The device ---- */

void
vit_pflash_place(VitDevice *dev, uint64_t end, VitRegion *smm_root)
{
    Pflash *s = (Pflash *)dev;

    s->end = end;
    s->smm_root = smm_root;
}

void
vit_pflash_show_end(VitDevice *dev, VitRegion *parent, uint64_t end, uint64_t len)
{
    Pflash *s = (Pflash *)dev;

    len = MIN(len, s->len_bytes);
    vit_region_init_rom(&s->copy, "isa-bios", s->block, s->len_bytes - len, len);
    vit_region_add(parent, end - len, &s->copy, 1);
}

uint64_t
vit_pflash_len(VitDevice *dev)
{
    return ((Pflash *)dev)->len_bytes;
}

static void
on_resume(void *opaque)
{
    flash_store_resume(&((Pflash *)opaque)->store);
}

/* The chip is as long as its image, or as long as told where it has none. */
static bool
find_len(Pflash *s, uint64_t *out_len, GError **error)
{
    uint64_t len = s->drive ? s->drive->ops->get_len(s->drive) : s->num_blocks * s->sector_bytes;

    if (s->sector_bytes < 256 || s->sector_bytes & (s->sector_bytes - 1)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "cfi.pflash01: sector-length=%" G_GUINT64_FORMAT " is no power of two from 256",
                    s->sector_bytes);
        return false;
    }
    if (len == 0 || len > MAX_BYTES || len % MAX(s->sector_bytes, VIT_PAGE_SIZE)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "the flash %s%s%s%s would have %" G_GUINT64_FORMAT
                    " bytes; it takes a multiple of %" G_GUINT64_FORMAT " up to 128 MiB",
                    s->name ? s->name : "cfi.pflash01", s->drive ? " of '" : "",
                    s->drive ? s->drive->id : "", s->drive ? "'" : "", len,
                    MAX(s->sector_bytes, (uint64_t)VIT_PAGE_SIZE));
        return false;
    }
    *out_len = len;
    return true;
}

static bool
load_contents(Pflash *s, GError **error)
{
    VitDriveUser user = { .resume = on_resume, .opaque = s };

    if (!s->drive) {
        memset(s->contents, ERASED, s->len_bytes);
        s->read_only = false;
        return true;
    }
    if (!vit_drive_attach(s->drive, &user, error)) {
        return false;
    }
    if (!flash_store_read(s->drive, s->contents, s->len_bytes, error)) {
        vit_drive_detach(s->drive);
        return false;
    }
    s->read_only = s->drive->ops->is_read_only(s->drive);
    return true;
}

static void
map_flash(Pflash *s)
{
    VitPlatform *platform = s->dev.platform;
    bool hidden = s->secure && s->smm_root;
    VitRegion *root = hidden ? s->smm_root : platform->memory_root;
    uint64_t base = (s->end ? s->end : 4 * VIT_GIB) - s->len_bytes;

    vit_region_init_rom(&s->plain, "pflash", s->block, 0, s->len_bytes);
    vit_region_init_rom(&s->array, "pflash", s->block, 0, s->len_bytes);
    s->array.ops = &array_ops;
    s->array.opaque = s;
    vit_region_init_io(&s->busy, "pflash-command", &busy_ops, s, s->len_bytes);
    s->busy.enabled = false;
    vit_map_begin(platform->maps);
    if (hidden) {
        vit_region_add(platform->memory_root, base, &s->plain, 0);
    }
    vit_region_add(root, base, &s->array, 2);
    vit_region_add(root, base, &s->busy, 2);
    vit_map_commit(platform->maps);
}

static bool
pflash_realize(VitDevice *dev, GError **error)
{
    Pflash *s = (Pflash *)dev;
    uint64_t len;

    if (!find_len(s, &len, error)) {
        return false;
    }
    s->len_bytes = len;
    s->num_blocks = len / s->sector_bytes;
    s->block = vit_ram_block_new(s->name ? s->name : "pflash", len, error);
    if (!s->block) {
        return false;
    }
    s->contents = s->block->host;
    if (!load_contents(s, error)) {
        g_clear_pointer(&s->block, vit_ram_block_free);
        return false;
    }
    flash_store_init(&s->store, s->read_only ? NULL : s->drive);
    map_flash(s);
    return true;
}

static void
pflash_unrealize(VitDevice *dev)
{
    Pflash *s = (Pflash *)dev;

    vit_map_begin(dev->platform->maps);
    vit_region_finish(&s->copy);
    vit_region_finish(&s->plain);
    vit_region_finish(&s->array);
    vit_region_finish(&s->busy);
    vit_map_commit(dev->platform->maps);
    flash_store_finish(&s->store);
    vit_drive_detach(s->drive);
    s->contents = NULL;
    g_clear_pointer(&s->block, vit_ram_block_free);
}

/* What it holds stays. */
static void
pflash_reset(VitDevice *dev)
{
    Pflash *s = (Pflash *)dev;

    s->reading = READ_ARRAY;
    s->next = NEXT_COMMAND;
    s->status = SR_READY;
    s->buffer_left = 0;
    s->buffer_at = UINT32_MAX;
    s->buffer_bad = false;
    memset(s->buffer, 0, sizeof(s->buffer));
    update_map(s);
}

static void
pflash_pre_save(VitDevice *dev)
{
    flash_store_sync(&((Pflash *)dev)->store);
}

/* The image follows what the state holds. */
static bool
pflash_post_load(VitDevice *dev, unsigned version, GError **error)
{
    Pflash *s = (Pflash *)dev;

    if (s->reading > READ_QUERY || s->next > NEXT_CONFIRM ||
        (s->buffer_at != UINT32_MAX && s->buffer_at >= s->len_bytes)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "the saved state of the flash %s contradicts itself", s->name ? s->name : "");
        pflash_reset(dev);
        return false;
    }
    changed(s, 0, s->len_bytes);
    update_map(s);
    return true;
}

static const VitProp pflash_props[] = {
    VIT_PROP_BACKEND(Pflash, drive, "drive", VIT_PROP_TYPE_DRIVE, VIT_N_("Image")),
    VIT_PROP_UINT(Pflash, num_blocks, "num-blocks", 256, 0, UINT32_MAX,
                  VIT_N_("Erase blocks, where there is no image")),
    VIT_PROP_UINT(Pflash, sector_bytes, "sector-length", 4096, 256, 0x1000000,
                  VIT_N_("Size of an erase block"), .unit = "bytes"),
    VIT_PROP_BOOL(Pflash, secure, "secure", false,
                  VIT_N_("Takes commands only in system management mode")),
    VIT_PROP_UINT(Pflash, ids[0], "id0", 0, 0, UINT16_MAX, VIT_N_("Manufacturer code, high byte"),
                  .flags = VIT_PROP_HEX | VIT_PROP_HIDDEN),
    VIT_PROP_UINT(Pflash, ids[1], "id1", 0, 0, UINT16_MAX, VIT_N_("Manufacturer code"),
                  .flags = VIT_PROP_HEX | VIT_PROP_HIDDEN),
    VIT_PROP_UINT(Pflash, ids[2], "id2", 0, 0, UINT16_MAX, VIT_N_("Device code, high byte"),
                  .flags = VIT_PROP_HEX | VIT_PROP_HIDDEN),
    VIT_PROP_UINT(Pflash, ids[3], "id3", 0, 0, UINT16_MAX, VIT_N_("Device code"),
                  .flags = VIT_PROP_HEX | VIT_PROP_HIDDEN),
    VIT_PROP_STRING(Pflash, name, "name", NULL, VIT_N_("Name in listings")),
    { 0 },
};

static const VitField pflash_state[] = {
    VIT_FIELD(Pflash, reading),
    VIT_FIELD(Pflash, next),
    VIT_FIELD(Pflash, status),
    VIT_FIELD(Pflash, buffer_bad),
    VIT_FIELD(Pflash, buffer_left),
    VIT_FIELD(Pflash, buffer_at),
    VIT_FIELD_BYTES(Pflash, buffer),
    VIT_FIELD_DYNAMIC(Pflash, contents, len_bytes),
    /* wiring */
    VIT_TRANSIENT(Pflash, len_bytes),
    VIT_TRANSIENT(Pflash, end),
    VIT_TRANSIENT(Pflash, smm_root),
    VIT_TRANSIENT(Pflash, block),
    VIT_TRANSIENT(Pflash, plain),
    VIT_TRANSIENT(Pflash, copy),
    VIT_TRANSIENT(Pflash, array),
    VIT_TRANSIENT(Pflash, busy),
    VIT_TRANSIENT(Pflash, read_only), /* of the image */
    VIT_TRANSIENT(Pflash, store),     /* empty while a state is made */
    { 0 },
};

const VitDeviceKind vit_cfi_pflash01_kind = {
    .name = "cfi.pflash01",
    .title = VIT_N_("Firmware flash (Intel command set)"),
    .bus = VIT_BUS_NONE,
    .category = VIT_CATEGORY_MISC,
    VIT_DEVICE_SIZE(Pflash, VitDevice),
    .internal = true,
    .props = pflash_props,
    .state = pflash_state,
    .state_version = 1,
    .realize = pflash_realize,
    .unrealize = pflash_unrealize,
    .reset = pflash_reset,
    .pre_save = pflash_pre_save,
    .post_load = pflash_post_load,
};
