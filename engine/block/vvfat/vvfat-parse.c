/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Reading back the FAT file system a guest has written: its tree of files with their clusters.
 *
 * What is read is a guest's and may say anything: chains that leave the disk, go in circles or
 * cross, names that climb out of the folder. Any of it ends the reading with a reason, and the
 * folder of the host stays as it is. Long names are taken where they fit their short one. Thread: a
 * worker. */

#include "vvfat.h"

#include <errno.h>
#include <string.h>

enum { MAX_FOLDER_BYTES = 65536 * FAT_ENTRY, LONG_CHARS = 13, MAX_LONG = 20 };

typedef struct Parse {
    const FatLayout *layout;
    FatReadFunc read;
    void *opaque;
    uint8_t *fat;
    uint8_t *used; /* a bit for each cluster */
    const char *why;
} Parse;

static bool
fail(Parse *parse, const char *why)
{
    parse->why = why;
    return false;
}

static unsigned
get16(const uint8_t *p)
{
    return (unsigned)(p[0] | p[1] << 8);
}

/* Notes the chain that begins at FIRST as FILE's. */
static bool
take_chain(Parse *parse, FatFile *file, uint32_t first)
{
    const FatLayout *layout = parse->layout;
    g_autoptr(GArray) chain = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    uint32_t at = first;

    while (first && !fat_is_end(layout, at)) {
        if (at < FAT_FIRST_CLUSTER || at >= layout->clusters + FAT_FIRST_CLUSTER) {
            return fail(parse, "a chain of clusters leaves the disk");
        }
        if (parse->used[at / 8] & 1u << at % 8) {
            return fail(parse, "a cluster is used twice");
        }
        parse->used[at / 8] |= (uint8_t)(1u << at % 8);
        g_array_append_val(chain, at);
        at = fat_get(layout, parse->fat, at);
    }
    file->clusters = chain->len;
    file->chain = g_memdup2(chain->data, (gsize)chain->len * sizeof(uint32_t));
    return true;
}

/* Ownership: caller. */
static uint8_t *
read_folder(Parse *parse, const FatFile *folder, uint32_t *out_len)
{
    const FatLayout *layout = parse->layout;
    bool fixed = !folder->parent && layout->bits != 32;
    uint32_t cluster = layout->spc * FAT_SECTOR;
    uint64_t len =
        fixed ? (uint64_t)layout->root_sectors * FAT_SECTOR : (uint64_t)folder->clusters * cluster;
    uint8_t *bytes;
    int ret = 0;

    if (len > MAX_FOLDER_BYTES || len == 0) {
        fail(parse, "a folder has no clusters, or too many");
        return NULL;
    }
    bytes = g_malloc(len);
    if (fixed) {
        ret = parse->read(parse->opaque, layout->data - layout->root_sectors, layout->root_sectors,
                          bytes);
    }
    for (uint32_t i = 0; !fixed && i < folder->clusters && ret == 0; i++) {
        ret = parse->read(parse->opaque,
                          layout->data + (folder->chain[i] - FAT_FIRST_CLUSTER) * layout->spc,
                          layout->spc, bytes + (size_t)i * cluster);
    }
    if (ret < 0) {
        fail(parse, "a folder cannot be read");
        g_clear_pointer(&bytes, g_free);
    }
    *out_len = (uint32_t)len;
    return bytes;
}

/* ---- names ---- */

typedef struct LongName {
    gunichar2 units[MAX_LONG * LONG_CHARS + 1];
    unsigned expected; /* number of the entry that comes next; 0: whole */
    uint8_t sum;
    bool is_there;
} LongName;

static void
take_long_entry(LongName *name, const uint8_t *entry)
{
    static const uint8_t places[LONG_CHARS] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };
    unsigned number = entry[0] & 0x3f;

    if (entry[0] & 0x40) {
        memset(name, 0, sizeof(*name));
        name->is_there = number > 0 && number <= MAX_LONG;
        name->expected = number;
        name->sum = entry[13];
    }
    if (!name->is_there || number != name->expected || number == 0 || entry[13] != name->sum) {
        name->is_there = false;
        return;
    }
    for (unsigned i = 0; i < LONG_CHARS; i++) {
        name->units[(number - 1) * LONG_CHARS + i] = (gunichar2)get16(entry + places[i]);
    }
    name->expected = number - 1;
}

static char *
dup_short_name(const uint8_t *entry)
{
    GString *name = g_string_new(NULL);

    for (unsigned i = 0; i < 11; i++) {
        /* Old systems keep lower case in two bits. */
        bool lower = entry[12] & (i < 8 ? 8 : 16);
        unsigned char c = i == 0 && entry[0] == 5 ? 0xe5 : entry[i];
        if (i == 8 && memcmp(entry + 8, "   ", 3) != 0) {
            g_string_append_c(name, '.');
        }
        if (c != ' ') {
            g_string_append_unichar(name, lower ? (gunichar)g_ascii_tolower((char)c) : c);
        }
    }
    return g_string_free(name, FALSE);
}

static uint8_t
sum_of(const uint8_t *entry)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < 11; i++) {
        sum = (uint8_t)(((sum & 1) << 7 | sum >> 1) + entry[i]);
    }
    return sum;
}

static char *
dup_name(const LongName *long_name, const uint8_t *entry)
{
    unsigned count = 0;
    char *name;

    if (long_name->is_there && long_name->expected == 0 && long_name->sum == sum_of(entry)) {
        while (long_name->units[count] && long_name->units[count] != 0xffff) {
            count++;
        }
        name = g_utf16_to_utf8(long_name->units, count, NULL, NULL, NULL);
        if (name && *name) {
            return name;
        }
        g_free(name);
    }
    return dup_short_name(entry);
}

/* Whether it can be the name of a file in the folder of the host, and nothing else. */
static bool
is_safe(const char *name)
{
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strlen(name) > 255 ||
        strchr(name, '/')) {
        return false;
    }
    for (const char *at = name; *at; at++) {
        if ((unsigned char)*at < 32) {
            return false;
        }
    }
    return true;
}

/* ---- folders ---- */

static bool parse_folder(Parse *parse, FatFile *folder, unsigned depth);

static bool
has_child(const FatFile *folder, const char *name)
{
    for (unsigned i = 0; i < folder->children->len; i++) {
        const FatFile *child = g_ptr_array_index(folder->children, i);
        if (strcmp(child->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool
take_entry(Parse *parse, FatFile *folder, const uint8_t *entry, const LongName *long_name,
           unsigned depth)
{
    const FatLayout *layout = parse->layout;
    g_autofree char *name = dup_name(long_name, entry);
    uint32_t first = get16(entry + 26) | (layout->bits == 32 ? get16(entry + 20) << 16 : 0);
    uint64_t cluster = (uint64_t)layout->spc * FAT_SECTOR;
    FatFile *file;

    if (!is_safe(name)) {
        return fail(parse, "a name cannot be one of the host's files");
    }
    if (has_child(folder, name)) {
        return fail(parse, "two files have one name");
    }
    file = fat_file_new(folder, name, entry[11] & FAT_ATTR_DIRECTORY);
    if (!take_chain(parse, file, first)) {
        return false;
    }
    if (file->is_dir) {
        return parse_folder(parse, file, depth + 1);
    }
    file->size = get16(entry + 28) | (uint64_t)get16(entry + 30) << 16;
    return (file->size + cluster - 1) / cluster == file->clusters ||
           fail(parse, "a file's size does not fit its clusters");
}

static bool
parse_folder(Parse *parse, FatFile *folder, unsigned depth)
{
    uint32_t len = 0;
    g_autofree uint8_t *bytes = depth > FAT_MAX_DEPTH ? NULL : read_folder(parse, folder, &len);
    LongName long_name = { .is_there = false };

    if (!bytes) {
        return parse->why ? false : fail(parse, "folders lie too deep");
    }
    for (uint32_t at = 0; at + FAT_ENTRY <= len && bytes[at]; at += FAT_ENTRY) {
        const uint8_t *entry = bytes + at;
        if (entry[0] == 0xe5) {
            long_name.is_there = false;
        } else if ((entry[11] & 0x3f) == FAT_ATTR_LONG_NAME) {
            take_long_entry(&long_name, entry);
        } else {
            bool is_dot =
                memcmp(entry, ".          ", 11) == 0 || memcmp(entry, "..         ", 11) == 0;
            if (!is_dot && !(entry[11] & FAT_ATTR_LABEL) &&
                !take_entry(parse, folder, entry, &long_name, depth)) {
                return false;
            }
            long_name.is_there = false;
        }
    }
    return true;
}

FatFile *
fat_parse(const FatLayout *layout, FatReadFunc read, void *opaque, uint8_t **out_fat,
          const char **out_why)
{
    Parse parse = { .layout = layout, .read = read, .opaque = opaque };
    FatFile *root = fat_file_new(NULL, "", true);
    uint8_t boot[FAT_SECTOR];
    uint32_t first = 0;
    bool ok = true;

    parse.fat = g_malloc((size_t)layout->fat_sectors * FAT_SECTOR);
    parse.used = g_malloc0(((size_t)layout->clusters + FAT_FIRST_CLUSTER) / 8 + 1);
    if (read(opaque, layout->start + layout->reserved, layout->fat_sectors, parse.fat) < 0 ||
        read(opaque, layout->start, 1, boot) < 0) {
        ok = fail(&parse, "the table cannot be read");
    } else if (boot[13] != layout->spc || get16(boot + 14) != layout->reserved ||
               get16(boot + 11) != FAT_SECTOR || boot[16] != 2) {
        ok = fail(&parse, "the file system was made anew in another way");
    }
    if (ok && layout->bits == 32) {
        first = get16(boot + 44) | get16(boot + 46) << 16;
        ok = take_chain(&parse, root, first);
    }
    ok = ok && parse_folder(&parse, root, 0);
    g_free(parse.used);
    if (!ok) {
        g_clear_pointer(&root, fat_file_free);
        g_clear_pointer(&parse.fat, g_free);
    }
    *out_fat = parse.fat;
    *out_why = parse.why;
    return root;
}
