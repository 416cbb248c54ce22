/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* -object iothread: threads that devices name with iothread=; -object main-loop: how many workers
 * the machine thread has. Thread: machine, device lock held. */

#include "machine-iothread.h"

#include "machine-icount.h"

#include "vit-error.h"
#include "vit-option.h"

#include <inttypes.h>
#include <string.h>

enum { DEFAULT_POLL_NS = 32768 };

/* Sets KEY of POLLING to what TEXT says. */
static bool
read_number(VitIothreadPolling *polling, const char *key, const char *text, GError **error)
{
    int64_t value = strcmp(key, "poll-max-ns") == 0 ? DEFAULT_POLL_NS : 0;
    int64_t *number = strcmp(key, "poll-max-ns") == 0   ? &polling->max_ns
                      : strcmp(key, "poll-grow") == 0   ? &polling->grow
                      : strcmp(key, "poll-shrink") == 0 ? &polling->shrink
                                                        : &polling->batch;

    if (text && (!vit_value_parse_int(text, &value) || value < 0)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "iothread: %s=%s is not a number from 0 on", key, text);
        return false;
    }
    *number = value;
    return true;
}

bool
machine_set_iothread(VitIothread *thread, const char *key, const char *text, GError **error)
{
    VitIothreadPolling polling;

    vit_iothread_get_polling(thread, &polling);
    if (!read_number(&polling, key, text, error)) {
        return false;
    }
    vit_iothread_set_polling(thread, &polling);
    return true;
}

static bool
read_worker_count(const BlkOptions *props, const char *key, uint32_t *count, GError **error)
{
    const char *text = blk_options_get(props, key);
    int64_t value = *count;

    if (text && (!vit_value_parse_int(text, &value) || value < 0 || value > UINT16_MAX)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "%s=%s is not a number from 0 to 65535", key, text);
        return false;
    }
    *count = (uint32_t)value;
    return true;
}

static bool
read_workers(const BlkOptions *props, VitWorkers *out, GError **error)
{
    VitWorkers workers = VIT_WORKERS_DEFAULT;

    if (!read_worker_count(props, "thread-pool-min", &workers.min, error) ||
        !read_worker_count(props, "thread-pool-max", &workers.max, error)) {
        return false;
    }
    if (workers.max == 0 || workers.min > workers.max) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "bad thread-pool-min/thread-pool-max values: %" PRIu32 " to %" PRIu32
                    " threads; the most has to be 1 or more, and not below the least",
                    workers.min, workers.max);
        return false;
    }
    *out = workers;
    return true;
}

bool
machine_add_main_loop(Machine *machine, const char *id, const BlkOptions *props, GError **error)
{
    VitIothreadPolling polling;
    VitWorkers workers;

    if (machine->has_main_loop) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "main-loop '%s': the machine has settings of its main loop already", id);
        return false;
    }
    if (!read_number(&polling, "aio-max-batch", blk_options_get(props, "aio-max-batch"), error) ||
        !read_workers(props, &workers, error)) {
        return false;
    }
    machine->has_main_loop = true;
    blk_graph_set_workers(machine->blk, workers);
    return true;
}

bool
machine_remove_main_loop(Machine *machine, const char *id, GError **error)
{
    if (!machine->has_main_loop) {
        return true;
    }
    machine->has_main_loop = false;
    blk_graph_set_workers(machine->blk, VIT_WORKERS_DEFAULT);
    return true;
}

bool
machine_add_iothread(Machine *machine, const char *id, const BlkOptions *props, GError **error)
{
    static const char *const keys[] = { "poll-max-ns", "poll-grow", "poll-shrink",
                                        "aio-max-batch" };
    VitIothreadPolling polling = { 0 };
    VitWorkers workers;
    VitIothread *thread;

    if (machine_find_iothread(machine, id)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY, "there is an iothread '%s' already", id);
        return false;
    }
    for (unsigned i = 0; i < VIT_ARRAY_LEN(keys); i++) {
        if (!read_number(&polling, keys[i], blk_options_get(props, keys[i]), error)) {
            return false;
        }
    }
    if (!read_workers(props, &workers, error)) {
        return false;
    }
    thread = vit_iothread_new(id, &machine->lock, machine_wants_icount(machine), error);
    if (!thread) {
        return false;
    }
    vit_iothread_set_polling(thread, &polling);
    vit_iothread_set_workers(thread, workers);
    if (!machine->iothreads) {
        machine->iothreads = g_ptr_array_new();
    }
    g_ptr_array_add(machine->iothreads, thread);
    return true;
}

VitIothread *
machine_find_iothread(Machine *machine, const char *id)
{
    for (guint i = 0; machine->iothreads && i < machine->iothreads->len; i++) {
        VitIothread *thread = machine->iothreads->pdata[i];
        if (g_strcmp0(vit_iothread_get_id(thread), id) == 0) {
            return thread;
        }
    }
    return NULL;
}

bool
machine_remove_iothread(Machine *machine, const char *id, GError **error)
{
    VitIothread *thread = machine_find_iothread(machine, id);

    if (thread && vit_iothread_is_held(thread)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "object '%s' is in use; remove the device that uses it first", id);
        return false;
    }
    if (thread) {
        g_ptr_array_remove(machine->iothreads, thread);
        vit_iothread_free(thread);
    }
    return true;
}

void
machine_free_iothreads(Machine *machine)
{
    for (guint i = 0; machine->iothreads && i < machine->iothreads->len; i++) {
        vit_iothread_free(machine->iothreads->pdata[i]);
    }
    g_clear_pointer(&machine->iothreads, g_ptr_array_unref);
}
