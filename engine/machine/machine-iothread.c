/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* -object iothread: threads that devices name with iothread=. Thread: machine, device lock held. */

#include "machine-iothread.h"

#include "machine-icount.h"

#include "vit-error.h"
#include "vit-option.h"

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

bool
machine_add_iothread(Machine *machine, const char *id, const BlkOptions *props, GError **error)
{
    static const char *const keys[] = { "poll-max-ns", "poll-grow", "poll-shrink",
                                        "aio-max-batch" };
    VitIothreadPolling polling = { 0 };
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
    thread = vit_iothread_new(id, &machine->lock, machine_wants_icount(machine), error);
    if (!thread) {
        return false;
    }
    vit_iothread_set_polling(thread, &polling);
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
