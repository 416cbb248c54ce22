/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Opening LUKS headers of images, changing their key slots, telling of them.
 *
 * Order of writes: the key material of a new slot is stable before the header says that the slot is
 * in use; the header forgets a slot before its material is written over with noise. So at any
 * failure the passwords that were there, or are to be there, open the image. The last slot goes
 * only by force. Thread: in a fiber; keys are worked on by workers. */

#include "luks-amend.h"

#include <json-glib/json-glib.h>
#include <string.h>

/* ---- opening ---- */

typedef struct UnlockJob {
    FmtLuks *luks;
    const uint8_t *area;
    const char *password;
    GError *error;
} UnlockJob;

static int
unlock_worker(void *arg)
{
    UnlockJob *job = arg;

    job->luks->master =
        blk_luks_unlock(&job->luks->header, job->area, job->luks->len, job->password, &job->error);
    return job->luks->master ? 0 : -1;
}

bool
fmt_luks_open(BlkNode *node, FmtLuks *luks, const char *password, GError **error)
{
    g_autofree uint8_t *area = g_malloc(luks->len);
    UnlockJob job = { .luks = luks, .area = area, .password = password };

    if (!fmt_read(node, luks->file, luks->offset, area, luks->len, "LUKS header", error) ||
        !blk_luks_parse(&luks->header, area, luks->len, node->filename, luks->offset, error)) {
        return false;
    }
    if (password && blk_pool_run(node->context, unlock_worker, &job) < 0) {
        g_propagate_prefixed_error(error, job.error, "'%s' cannot be decrypted: ", node->filename);
        return false;
    }
    return true;
}

/* ---- changing key slots ---- */

typedef struct Amend {
    BlkNode *node;
    FmtLuks *luks;
    uint8_t *area;
    const char *new_password, *old_password;
    int slot; /* -1: not said */
    uint64_t iter_time_ms;
    bool active, force;
    GError *error;
} Amend;

static bool
refuse(Amend *amend, const char *text)
{
    g_set_error(&amend->error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "'%s': %s.",
                amend->node->filename, text);
    return false;
}

static unsigned
count_active(const BlkLuks *luks)
{
    unsigned count = 0;

    for (unsigned i = 0; i < BLK_LUKS_SLOTS; i++) {
        count += luks->slots[i].active;
    }
    return count;
}

static bool
add_key(Amend *amend)
{
    FmtLuks *luks = amend->luks;
    const BlkCipher *master = luks->master;
    g_autoptr(GError) cause = NULL;
    BlkCipher *unlocked = NULL;
    bool ok;

    for (int i = 0; amend->slot < 0 && i < BLK_LUKS_SLOTS; i++) {
        amend->slot = luks->header.slots[i].active ? -1 : i;
    }
    if (amend->slot < 0) {
        return refuse(amend, "all of its key slots are in use; erase one first");
    }
    if (luks->header.slots[amend->slot].active && !amend->force) {
        return refuse(amend, "that key slot is in use; erase it first, or use --force");
    }
    if (amend->old_password) {
        master = unlocked =
            blk_luks_unlock(&luks->header, amend->area, luks->len, amend->old_password, &cause);
        if (!unlocked) {
            return refuse(amend, "old-secret opens none of its key slots");
        }
    }
    ok = master && blk_luks_set_key(&luks->header, amend->area, luks->len, (unsigned)amend->slot,
                                    master, amend->new_password, amend->iter_time_ms);
    blk_cipher_free(unlocked);
    return ok || refuse(amend, "the key slot cannot be made");
}

static bool
erase_keys(Amend *amend, uint32_t *out_slots)
{
    BlkLuks *header = &amend->luks->header;

    if (amend->slot >= 0) {
        *out_slots = 1u << amend->slot;
    } else {
        for (unsigned i = 0; i < BLK_LUKS_SLOTS; i++) {
            *out_slots |=
                blk_luks_slot_opens(header, amend->area, amend->luks->len, i, amend->old_password)
                    ? 1u << i
                    : 0;
        }
        if (!*out_slots) {
            return refuse(amend, "old-secret opens none of its key slots");
        }
    }
    for (unsigned i = 0; i < BLK_LUKS_SLOTS; i++) {
        if ((*out_slots & 1u << i) && !header->slots[i].active && !amend->force) {
            return refuse(amend, "that key slot is not in use");
        }
    }
    for (unsigned i = 0; i < BLK_LUKS_SLOTS; i++) {
        if (*out_slots & 1u << i) {
            header->slots[i].active = false;
        }
    }
    if (count_active(header) == 0 && !amend->force) {
        return refuse(amend, "that would erase its last key, and with it the image; use --force "
                             "if that is meant");
    }
    for (unsigned i = 0; i < BLK_LUKS_SLOTS; i++) {
        if (*out_slots & 1u << i) {
            blk_luks_clear_key(header, amend->area, amend->luks->len, i);
        }
    }
    return true;
}

typedef struct AmendJob {
    Amend *amend;
    uint32_t slots; /* whose material has changed */
} AmendJob;

static int
amend_worker(void *arg)
{
    AmendJob *job = arg;

    if (!job->amend->active) {
        return erase_keys(job->amend, &job->slots) ? 0 : -1;
    }
    if (!add_key(job->amend)) {
        return -1;
    }
    job->slots = 1u << job->amend->slot;
    return 0;
}

static int
write_material(Amend *amend, uint32_t slots)
{
    const FmtLuks *luks = amend->luks;
    int ret = 0;

    for (unsigned i = 0; i < BLK_LUKS_SLOTS && ret == 0; i++) {
        size_t at, len;
        if ((slots & 1u << i) && blk_luks_slot_place(&luks->header, i, luks->len, &at, &len)) {
            ret = blk_write_buffer(luks->file, luks->offset + at, amend->area + at, len, 0);
        }
    }
    return ret < 0 ? ret : blk_flush(luks->file);
}

static int
write_header(const Amend *amend)
{
    int ret = blk_write_buffer(amend->luks->file, amend->luks->offset, amend->area,
                               BLK_LUKS_HEADER_BYTES, 0);

    return ret < 0 ? ret : blk_flush(amend->luks->file);
}

static bool
run_amend(Amend *amend)
{
    FmtLuks *luks = amend->luks;
    BlkLuks before = luks->header;
    AmendJob job = { .amend = amend };
    int ret;

    if (!fmt_read(amend->node, luks->file, luks->offset, amend->area, luks->len, "LUKS header",
                  &amend->error)) {
        return false;
    }
    if (blk_pool_run(amend->node->context, amend_worker, &job) < 0) {
        luks->header = before;
        return false;
    }
    blk_luks_put_header(&luks->header, amend->area);
    ret = amend->active ? write_material(amend, job.slots) : write_header(amend);
    if (ret == 0) {
        ret = amend->active ? write_header(amend) : write_material(amend, job.slots);
    }
    if (ret < 0) {
        g_set_error(&amend->error, VIT_ERROR, VIT_ERROR_IO,
                    "'%s': the LUKS header cannot be written: %s.", amend->node->filename,
                    g_strerror(-ret));
    }
    return ret == 0;
}

/* ---- options ---- */

static const char *
get(const BlkOptions *options, const char *prefix, const char *key)
{
    g_autofree char *name = g_strconcat(prefix, key, NULL);

    return blk_options_get(options, name);
}

static bool
check_options(Amend *amend, const char *state, const char *slot, const char *iter_time)
{
    uint64_t number;

    if (strcmp(state, "active") != 0 && strcmp(state, "inactive") != 0) {
        return refuse(amend, "state= is active, to add a password, or inactive, to erase one");
    }
    amend->active = strcmp(state, "active") == 0;
    if (slot) {
        if (!g_ascii_string_to_unsigned(slot, 10, 0, BLK_LUKS_SLOTS - 1, &number, NULL)) {
            return refuse(amend, "keyslot= is a number from 0 to 7");
        }
        amend->slot = (int)number;
    }
    if (iter_time &&
        !g_ascii_string_to_unsigned(iter_time, 10, 1, 3600000, &amend->iter_time_ms, NULL)) {
        return refuse(amend, "iter-time= is a number of milliseconds");
    }
    return true;
}

static bool
check_needs(Amend *amend, bool has_iter_time)
{
    if (amend->active && !amend->new_password) {
        return refuse(amend, "adding a password needs new-secret=, its secret");
    }
    if (amend->active && !amend->luks->master && !amend->old_password) {
        return refuse(amend, "adding a password needs one that is there: key-secret= of the image, "
                             "or old-secret=");
    }
    if (!amend->active && (amend->new_password || has_iter_time)) {
        return refuse(amend, "new-secret= and iter-time= belong to state=active");
    }
    if (!amend->active && amend->slot < 0 && !amend->old_password) {
        return refuse(amend, "erasing a password needs old-secret=, its secret, or keyslot=");
    }
    if (!amend->active && amend->slot >= 0 && amend->old_password) {
        return refuse(amend, "old-secret= and keyslot= exclude each other with state=inactive");
    }
    return true;
}

static void
free_password(char *password)
{
    if (password) {
        explicit_bzero(password, strlen(password));
        g_free(password);
    }
}

bool
fmt_luks_amend(BlkNode *node, FmtLuks *luks, const BlkOptions *options, const char *prefix,
               bool force, GError **error)
{
    const char *state = get(options, prefix, "state");
    const char *new_id = get(options, prefix, "new-secret");
    const char *old_id = get(options, prefix, "old-secret");
    const char *iter_time = get(options, prefix, "iter-time");
    Amend amend = { .node = node, .luks = luks, .slot = -1, .iter_time_ms = 2000, .force = force };
    char *new_password = NULL, *old_password = NULL;
    bool ok = state || refuse(&amend, "changing its passwords needs state=active or inactive");

    ok = ok && check_options(&amend, state, get(options, prefix, "keyslot"), iter_time) &&
         (!new_id ||
          (new_password = blk_graph_dup_secret_text(node->graph, new_id, &amend.error))) &&
         (!old_id || (old_password = blk_graph_dup_secret_text(node->graph, old_id, &amend.error)));
    amend.new_password = new_password;
    amend.old_password = old_password;
    if (ok && check_needs(&amend, iter_time != NULL)) {
        amend.area = g_malloc(luks->len);
        run_amend(&amend);
        explicit_bzero(amend.area, luks->len);
        g_free(amend.area);
    }
    free_password(new_password);
    free_password(old_password);
    if (amend.error) {
        g_propagate_error(error, amend.error);
        return false;
    }
    return true;
}

/* ---- info ---- */

static JsonObject *
describe_slot(const BlkLuksSlot *slot)
{
    JsonObject *object = json_object_new();

    json_object_set_boolean_member(object, "active", slot->active);
    if (slot->active) {
        json_object_set_int_member(object, "iters", slot->iterations);
    }
    json_object_set_int_member(object, "key-offset",
                               (gint64)slot->offset_sectors * FMT_SECTOR_BYTES);
    if (slot->active) {
        json_object_set_int_member(object, "stripes", slot->stripes);
    }
    return object;
}

JsonObject *
fmt_luks_describe(const BlkLuks *luks)
{
    JsonObject *object = json_object_new();
    g_auto(GStrv) mode = g_strsplit(luks->mode, "-", 2), iv = NULL;
    g_autofree char *alg = blk_luks_dup_cipher_alg(luks);
    JsonArray *slots = json_array_new();

    iv = g_strsplit(mode[0] && mode[1] ? mode[1] : "", ":", 2);
    json_object_set_string_member(object, "ivgen-alg", iv[0] ? iv[0] : "");
    if (iv[0] && iv[1]) {
        json_object_set_string_member(object, "ivgen-hash-alg", iv[1]);
    }
    json_object_set_string_member(object, "hash-alg", luks->hash);
    json_object_set_string_member(object, "cipher-alg", alg);
    json_object_set_string_member(object, "uuid", luks->uuid);
    json_object_set_string_member(object, "cipher-mode", mode[0] ? mode[0] : "");
    for (unsigned i = 0; i < BLK_LUKS_SLOTS; i++) {
        json_array_add_object_element(slots, describe_slot(&luks->slots[i]));
    }
    json_object_set_array_member(object, "slots", slots);
    json_object_set_int_member(object, "payload-offset",
                               (gint64)luks->payload_sectors * FMT_SECTOR_BYTES);
    json_object_set_int_member(object, "master-key-iters", luks->digest_iterations);
    return object;
}
