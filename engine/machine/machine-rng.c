/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* -object rng-builtin and rng-random: where an entropy device's bytes come from. The first answers
 * from the machine's own gate for randomness, the second from a host device or pipe, read when it
 * has something to give. Thread: machine thread, device lock held. */

#include "machine-rng.h"

#include "vit-error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <unistd.h>

enum { PIECE_BYTES = 4096 };

typedef struct RngRequest {
    size_t len;
    VitRngDone done;
    void *opaque;
} RngRequest;

typedef struct MachineRng {
    VitRng rng;
    Machine *machine;
    int fd; /* -1: the machine's gate */
    GSource *source;
    GQueue waiting; /* RngRequest */
} MachineRng;

static void
answer(MachineRng *rng, const uint8_t *bytes, size_t len)
{
    RngRequest *request = g_queue_pop_head(&rng->waiting);
    RngRequest copy = *request;

    g_free(request);
    copy.done(copy.opaque, bytes, len);
}

/* Whether there is more to wait for; lets go of the source otherwise. */
static gboolean
go_on(MachineRng *rng)
{
    if (g_queue_is_empty(&rng->waiting)) {
        g_clear_pointer(&rng->source, g_source_unref);
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

static gboolean
answer_builtin(gpointer data)
{
    MachineRng *rng = data;
    const RngRequest *request = g_queue_peek_head(&rng->waiting);

    if (request) {
        VitPlatform *platform = &rng->machine->platform;
        uint8_t bytes[PIECE_BYTES];
        size_t len = MIN(request->len, sizeof(bytes));

        platform->ops->random_bytes(platform->opaque, bytes, len);
        answer(rng, bytes, len);
    }
    return go_on(rng);
}

static gboolean
read_file(gint fd, GIOCondition condition, gpointer data)
{
    MachineRng *rng = data;
    const RngRequest *request = g_queue_peek_head(&rng->waiting);
    uint8_t bytes[PIECE_BYTES];
    ssize_t len;

    if (!request) {
        return go_on(rng);
    }
    len = read(fd, bytes, MIN(request->len, sizeof(bytes)));
    if (len > 0) {
        answer(rng, bytes, (size_t)len);
    } else if (len == 0 || (errno != EAGAIN && errno != EINTR)) {
        g_printerr("rng-random %s: its file has no more bytes; the guest waits.\n", rng->rng.id);
        g_clear_pointer(&rng->source, g_source_unref);
        return G_SOURCE_REMOVE;
    }
    return go_on(rng);
}

static void
rng_request(VitRng *base, size_t len, VitRngDone done, void *opaque)
{
    MachineRng *rng = (MachineRng *)base;
    RngRequest *request = g_new(RngRequest, 1);

    *request = (RngRequest){ len, done, opaque };
    g_queue_push_tail(&rng->waiting, request);
    if (rng->source) {
        return;
    }
    if (rng->fd >= 0) {
        rng->source = g_unix_fd_source_new(rng->fd, G_IO_IN);
        g_source_set_callback(rng->source, G_SOURCE_FUNC(read_file), rng, NULL);
    } else {
        rng->source = g_idle_source_new();
        g_source_set_priority(rng->source, G_PRIORITY_DEFAULT);
        g_source_set_callback(rng->source, answer_builtin, rng, NULL);
    }
    g_source_attach(rng->source, rng->machine->context);
}

static void
rng_cancel(VitRng *base, void *opaque)
{
    MachineRng *rng = (MachineRng *)base;

    for (GList *link = rng->waiting.head, *next; link; link = next) {
        RngRequest *request = link->data;
        next = link->next;
        if (request->opaque == opaque) {
            g_free(request);
            g_queue_delete_link(&rng->waiting, link);
        }
    }
}

static void
rng_free(VitRng *base)
{
    MachineRng *rng = (MachineRng *)base;

    if (rng->source) {
        g_source_destroy(rng->source);
        g_source_unref(rng->source);
    }
    g_queue_clear_full(&rng->waiting, g_free);
    if (rng->fd >= 0) {
        close(rng->fd);
    }
    g_free(rng->rng.id);
    g_free(rng);
}

static void
add(Machine *machine, const char *id, int fd)
{
    MachineRng *rng = g_new0(MachineRng, 1);

    *rng = (MachineRng){ .rng = { .id = g_strdup(id),
                                  .request = rng_request,
                                  .cancel = rng_cancel,
                                  .free = rng_free },
                         .machine = machine,
                         .fd = fd };
    g_queue_init(&rng->waiting);
    if (!machine->rngs) {
        machine->rngs = g_ptr_array_new();
    }
    g_ptr_array_add(machine->rngs, rng);
}

bool
machine_add_rng_builtin(Machine *machine, const char *id, const BlkOptions *props, GError **error)
{
    add(machine, id, -1);
    return true;
}

bool
machine_add_rng_random(Machine *machine, const char *id, const BlkOptions *props, GError **error)
{
    const char *filename = blk_options_get(props, "filename");
    int fd = open(filename ? filename : "/dev/urandom", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO,
                    "rng-random '%s' cannot read %s: %s. Name another with filename=.", id,
                    filename ? filename : "/dev/urandom", g_strerror(errno));
        return false;
    }
    add(machine, id, fd);
    return true;
}

VitRng *
machine_find_rng(Machine *machine, const char *id)
{
    for (guint i = 0; machine->rngs && i < machine->rngs->len; i++) {
        VitRng *rng = machine->rngs->pdata[i];
        if (g_strcmp0(rng->id, id) == 0) {
            return rng;
        }
    }
    return NULL;
}

bool
machine_remove_rng(Machine *machine, const char *id, GError **error)
{
    VitRng *rng = machine_find_rng(machine, id);

    if (rng && rng->users > 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "object '%s' is in use; remove the device that uses it first", id);
        return false;
    }
    if (rng) {
        g_ptr_array_remove(machine->rngs, rng);
        rng->free(rng);
    }
    return true;
}

void
machine_free_rngs(Machine *machine)
{
    for (guint i = 0; machine->rngs && i < machine->rngs->len; i++) {
        VitRng *rng = machine->rngs->pdata[i];
        rng->free(rng);
    }
    g_clear_pointer(&machine->rngs, g_ptr_array_unref);
}
