/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The image of a flash chip.
 *
 * Firmware programs byte by byte and relies on the order: it marks a record valid after its bytes
 * are there. So writes form a queue with one request under way at a time. What continues the last
 * one that still waits joins it; a variable of a few hundred bytes becomes one or two requests.
 *
 * Invariants:
 *  1. The image holds the effect of a prefix of what was programmed (but for the request under
 *     way, of which any part may be there).
 *  2. When the queue is empty and nothing is under way, everything is flushed.
 *  3. A failed write is repeated when the machine goes on, where the drive's policy stopped it;
 *     otherwise it is given up and the guest goes on with what the chip holds.
 *
 * Thread: device lock held. */

#include "flash-store.h"

#include "vit-error.h"

#include <string.h>

enum {
    WAITING_MAX_BYTES = 1 << 20, /* then the guest waits for the image */
    WAITING_MAX = 1024,
};

typedef struct FlashWrite {
    uint64_t offset;
    GByteArray *data;
    struct iovec iov;
} FlashWrite;

static void pump(FlashStore *store);

static void
write_free(FlashWrite *write)
{
    g_byte_array_unref(write->data);
    g_free(write);
}

static void
drop_head(FlashStore *store)
{
    FlashWrite *write = g_queue_pop_head(&store->waiting);

    store->waiting_bytes -= write->data->len;
    write_free(write);
}

/* ---- Requests ---- */

static void
on_written(void *opaque, int ret)
{
    FlashStore *store = opaque;
    VitDriveError action =
        ret < 0 ? store->drive->ops->error_action(store->drive, false, -ret) : VIT_DRIVE_IGNORE;

    store->busy = false;
    if (action == VIT_DRIVE_STOP) {
        store->stopped = true;
        return;
    }
    drop_head(store);
    store->unflushed = true;
    pump(store);
}

static void
on_flushed(void *opaque, int ret)
{
    FlashStore *store = opaque;

    store->busy = false;
    if (ret < 0) {
        store->drive->ops->error_action(store->drive, false, -ret);
    }
    pump(store);
}

static void
pump(FlashStore *store)
{
    FlashWrite *write = g_queue_peek_head(&store->waiting);

    if (store->busy || store->stopped) {
        return;
    }
    if (write) {
        store->busy = true;
        write->iov = (struct iovec){ write->data->data, write->data->len };
        store->drive->ops->write(store->drive, write->offset, &write->iov, 1, false, on_written,
                                 store);
    } else if (store->unflushed) {
        store->unflushed = false;
        store->busy = true;
        store->drive->ops->flush(store->drive, on_flushed, store);
    }
}

/* Whether [offset, offset + len) lies in WRITE or continues it. */
static bool
joins(const FlashWrite *write, uint64_t offset)
{
    return offset >= write->offset && offset <= write->offset + write->data->len;
}

void
flash_store_put(FlashStore *store, uint64_t offset, const uint8_t *data, size_t len)
{
    FlashWrite *last = g_queue_peek_tail(&store->waiting);

    if (!store->drive || len == 0) {
        return;
    }
    /* the head may be under way */
    if (last && store->waiting.length > 1 && joins(last, offset)) {
        size_t at = offset - last->offset, before = last->data->len;

        if (at + len > before) {
            g_byte_array_set_size(last->data, at + len);
            store->waiting_bytes += at + len - before;
        }
        memcpy(last->data->data + at, data, len);
    } else {
        FlashWrite *write = g_new0(FlashWrite, 1);

        write->offset = offset;
        write->data = g_byte_array_sized_new(len);
        g_byte_array_append(write->data, data, len);
        g_queue_push_tail(&store->waiting, write);
        store->waiting_bytes += len;
    }
    pump(store);
    if (store->waiting_bytes > WAITING_MAX_BYTES || store->waiting.length > WAITING_MAX) {
        flash_store_sync(store);
    }
}

void
flash_store_sync(FlashStore *store)
{
    while (store->drive && store->busy) {
        store->drive->ops->drain(store->drive);
    }
}

void
flash_store_resume(FlashStore *store)
{
    store->stopped = false;
    pump(store);
}

/* ---- Life ---- */

void
flash_store_init(FlashStore *store, VitDrive *drive)
{
    *store = (FlashStore){ .drive = drive };
    g_queue_init(&store->waiting);
}

void
flash_store_finish(FlashStore *store)
{
    if (!store->drive) {
        return;
    }
    flash_store_resume(store); /* the last try of what was stopped */
    flash_store_sync(store);
    g_queue_clear_full(&store->waiting, (GDestroyNotify)write_free);
    store->drive = NULL;
}

typedef struct FirstRead {
    int ret;
    bool ended;
} FirstRead;

static void
on_read(void *opaque, int ret)
{
    FirstRead *result = opaque;

    result->ret = ret;
    result->ended = true;
}

bool
flash_store_read(VitDrive *drive, uint8_t *buf, uint64_t len, GError **error)
{
    struct iovec iov = { .iov_base = buf, .iov_len = len };
    FirstRead result = { 0 };

    drive->ops->read(drive, 0, &iov, 1, on_read, &result);
    drive->ops->drain(drive);
    if (!result.ended || result.ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "the flash image '%s' cannot be read: %s",
                    drive->id, g_strerror(result.ended ? -result.ret : EIO));
        return false;
    }
    return true;
}
