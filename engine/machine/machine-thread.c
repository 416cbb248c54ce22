/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The machine thread: timers, backends and requests of one machine.
 *
 * It iterates its GMainContext by hand, so that the device lock is let go for exactly as long as
 * the thread sleeps, and so that the sleep ends at the next timer to the nanosecond. Requests
 * (reset, shutdown, failure) come from vCPU threads and devices in the middle of an access; they
 * are noted and carried out here, after the access has ended. */

#include "machine-gdb.h"
#include "machine-icount.h"

#include <poll.h>
#include <sys/prctl.h>
#include <time.h>

/* ---- Requests ---- */

void
machine_request(Machine *machine, uint32_t bits, VitShutdownCause cause, int status)
{
    g_mutex_lock(&machine->control);
    if ((bits & (MACHINE_REQUEST_RESET | MACHINE_REQUEST_SHUTDOWN)) &&
        !(machine->requests & MACHINE_REQUEST_SHUTDOWN)) {
        machine->cause = cause;
        machine->exit_status = status;
    }
    machine->requests |= bits;
    if (bits & (MACHINE_REQUEST_RESET | MACHINE_REQUEST_SHUTDOWN | MACHINE_REQUEST_FAIL |
                MACHINE_REQUEST_DEBUG)) {
        machine->run_wanted = false; /* until the machine thread has carried it out */
    }
    g_mutex_unlock(&machine->control);
    /* the CPU that asked must not run on past its own reset */
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        vit_cpu_raise(&machine->vcpus[i].cpu, VIT_CPU_EVENT_EXIT);
    }
    g_main_context_wakeup(machine->context);
}

void
machine_request_failure(Machine *machine, char *text)
{
    g_mutex_lock(&machine->control);
    if (machine->failure) {
        g_free(text); /* the first cause is the one to tell */
    } else {
        machine->failure = text;
    }
    g_mutex_unlock(&machine->control);
    machine_request(machine, MACHINE_REQUEST_FAIL, VIT_CAUSE_GUEST_PANIC, 0);
}

static uint32_t
requests_take(Machine *machine)
{
    uint32_t requests;

    g_mutex_lock(&machine->control);
    requests = machine->requests;
    machine->requests = 0;
    g_mutex_unlock(&machine->control);
    return requests;
}

static void
machine_set_state(Machine *machine, VitMachineState state, VitStopCause cause)
{
    machine->state = state;
    machine->stop_cause = cause;
    machine_post_state(machine);
}

/* Parks or unparks the vCPUs. Device lock held on entry and exit, let go in between. */
void
machine_set_running(Machine *machine, bool running)
{
    if (running == (machine->state == VIT_MACHINE_RUNNING)) {
        return;
    }
    if (running) {
        if (machine->state == VIT_MACHINE_STOPPED || machine->state == VIT_MACHINE_FAILED) {
            return; /* only a reset leads out of these */
        }
        vit_clock_resume(machine->clock);
        machine->has_run = true;
        machine->debugged = machine->io_stopped = false;
        machine_set_state(machine, VIT_MACHINE_RUNNING, VIT_STOP_NONE);
        blk_graph_resume(machine->blk);
        if (!machine->is_qtest) {
            machine_vcpus_unpark(machine);
        }
        machine_post_event(machine, "RESUME", NULL);
        return;
    }
    machine_vcpus_park(machine);
    vit_clock_pause(machine->clock);
    machine_set_state(machine, VIT_MACHINE_PAUSED, VIT_STOP_NONE);
    machine_post_event(machine, "STOP", NULL);
    machine_gdb_parked(machine);
}

void
machine_do_reset(Machine *machine, VitShutdownCause cause)
{
    bool was_running = machine->state == VIT_MACHINE_RUNNING;
    bool was_ended = machine->state == VIT_MACHINE_STOPPED || machine->state == VIT_MACHINE_FAILED;

    machine_vcpus_park(machine);
    machine_reset_devices(machine);
    machine->shut_down = false;
    if (was_ended) {
        g_mutex_lock(&machine->control);
        g_clear_pointer(&machine->failure, g_free);
        g_mutex_unlock(&machine->control);
        vit_clock_resume(machine->clock);
        machine_set_state(machine, VIT_MACHINE_RUNNING, VIT_STOP_NONE);
    }
    machine_post_event(machine, "RESET",
                       cause == VIT_CAUSE_GUEST_RESET
                           ? "{\"guest\": true, \"reason\": \"guest-reset\"}"
                           : "{\"guest\": false, \"reason\": \"host-qmp-system-reset\"}");
    if ((was_running || was_ended) && !machine->is_qtest) {
        machine_vcpus_unpark(machine);
    }
}

static VitStopCause
stop_cause_of(VitShutdownCause cause)
{
    switch (cause) {
    case VIT_CAUSE_GUEST_SHUTDOWN: return VIT_STOP_GUEST_SHUTDOWN;
    case VIT_CAUSE_GUEST_RESET: return VIT_STOP_GUEST_RESET;
    case VIT_CAUSE_GUEST_PANIC: return VIT_STOP_GUEST_PANIC;
    case VIT_CAUSE_DEBUG_EXIT: return VIT_STOP_DEBUG_EXIT;
    default: return VIT_STOP_HOST_QUIT;
    }
}

static void
machine_end(Machine *machine, VitMachineState state, VitStopCause cause)
{
    bool guest = cause != VIT_STOP_HOST_QUIT;
    g_autofree char *data =
        g_strdup_printf("{\"guest\": %s, \"reason\": \"%s\"}", guest ? "true" : "false",
                        cause == VIT_STOP_GUEST_RESET ? "guest-reset"
                        : guest                       ? "guest-shutdown"
                                                      : "host-qmp-quit");

    machine_vcpus_park(machine);
    vit_clock_pause(machine->clock);
    machine_flush_drives(machine);
    if (state == VIT_MACHINE_STOPPED) {
        machine_post_event(machine, "SHUTDOWN", data);
    }
    machine_set_state(machine, state, cause);
    machine_gdb_exited(machine);
}

static void
machine_handle_requests(Machine *machine, uint32_t requests)
{
    if (requests & MACHINE_REQUEST_FAIL) {
        machine_end(machine, VIT_MACHINE_FAILED, VIT_STOP_ERROR);
        return;
    }
    if ((requests & MACHINE_REQUEST_RESET) && machine->plan->reboot_ends &&
        machine->cause == VIT_CAUSE_GUEST_RESET) {
        requests |= MACHINE_REQUEST_SHUTDOWN;
    }
    if (requests & MACHINE_REQUEST_SHUTDOWN) {
        if (machine->plan->shutdown_pauses && machine->cause != VIT_CAUSE_HOST_QUIT &&
            machine->cause != VIT_CAUSE_DEBUG_EXIT) {
            /* -no-shutdown: stay, paused, with everything to be looked at */
            machine_post_event(machine, "SHUTDOWN",
                               "{\"guest\": true, \"reason\": \"guest-shutdown\"}");
            machine->shut_down = true;
            machine_set_running(machine, false);
            return;
        }
        machine_end(machine, VIT_MACHINE_STOPPED, stop_cause_of(machine->cause));
        return;
    }
    if (requests & MACHINE_REQUEST_SUSPEND) {
        machine_post_event(machine, "SUSPEND", NULL);
    }
    if (requests & (MACHINE_REQUEST_PAUSE | MACHINE_REQUEST_DEBUG)) {
        machine_set_running(machine, false);
    }
    if (requests & MACHINE_REQUEST_EJECT) {
        machine_do_ejects(machine);
    }
    if (requests & MACHINE_REQUEST_RESET) {
        machine_do_reset(machine, machine->cause);
    }
}

/* ---- The loop ---- */

static void
poll_until(GPollFD *fds, int n_fds, int timeout_ms, int64_t deadline_ns)
{
    struct timespec wait, *wait_ptr = NULL;
    int64_t wait_ns = timeout_ms < 0 ? -1 : timeout_ms * VIT_NS_PER_MS;

    if (deadline_ns >= 0 && (wait_ns < 0 || deadline_ns < wait_ns)) {
        wait_ns = deadline_ns;
    }
    if (wait_ns >= 0) {
        wait = (struct timespec){ wait_ns / VIT_NS_PER_SEC, wait_ns % VIT_NS_PER_SEC };
        wait_ptr = &wait;
    }
    /* GPollFD and struct pollfd have the same layout on every system GLib runs on */
    if (ppoll((struct pollfd *)fds, n_fds, wait_ptr, NULL) < 0) {
        for (int i = 0; i < n_fds; i++) {
            fds[i].revents = 0;
        }
    }
}

static int64_t
next_timer_wait_ns(Machine *machine)
{
    int64_t deadline_ns = vit_clock_next_deadline_ns(machine->clock);

    if (deadline_ns < 0 || !vit_clock_is_running(machine->clock)) {
        return -1;
    }
    /* read once: MAX() would read the clock twice, and a deadline that passes in between would come
     * out negative, which is to sleep for good */
    int64_t left_ns = deadline_ns - vit_clock_get_ns(machine->clock);
    return left_ns > 0 ? left_ns : 0;
}

static void
machine_iterate(Machine *machine, GArray *fds)
{
    GMainContext *context = machine->context;
    int max_priority, timeout_ms, n_fds;
    int64_t wait_ns;

    vit_clock_run_timers(machine->clock);
    g_main_context_prepare(context, &max_priority);
    while ((n_fds = g_main_context_query(context, max_priority, &timeout_ms, (GPollFD *)fds->data,
                                         fds->len)) > (int)fds->len) {
        g_array_set_size(fds, n_fds);
    }
    wait_ns = next_timer_wait_ns(machine);

    vit_clock_set_waits_until(machine->clock,
                              wait_ns < 0 ? INT64_MAX : vit_clock_next_deadline_ns(machine->clock));
    vit_lock_release(&machine->lock);
    poll_until((GPollFD *)fds->data, n_fds, timeout_ms, wait_ns);
    vit_lock_take(&machine->lock);
    vit_clock_set_waits_until(machine->clock, INT64_MIN);

    if (g_main_context_check(context, max_priority, (GPollFD *)fds->data, n_fds)) {
        g_main_context_dispatch(context);
    }
}

static gpointer
machine_thread_main(gpointer data)
{
    Machine *machine = data;
    g_autoptr(GArray) fds = g_array_new(FALSE, TRUE, sizeof(GPollFD));

    /* guests ask for their timers to the microsecond; the host may be 50 late by default */
    prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
    g_array_set_size(fds, 8);
    g_main_context_acquire(machine->context);
    g_main_context_push_thread_default(machine->context);
    vit_lock_take(&machine->lock);
    for (;;) {
        uint32_t requests = requests_take(machine);

        if (requests & MACHINE_REQUEST_QUIT_THREAD) {
            break;
        }
        if (requests) {
            machine_handle_requests(machine, requests);
        }
        machine_iterate(machine, fds);
    }
    vit_lock_release(&machine->lock);
    g_main_context_pop_thread_default(machine->context);
    g_main_context_release(machine->context);
    return NULL;
}

static void
wake_thread(void *opaque)
{
    Machine *machine = opaque;

    if (machine->icount) {
        machine_icount_wake(machine);
        return;
    }
    if (!g_main_context_is_owner(machine->context)) {
        g_main_context_wakeup(machine->context);
    }
}

void
machine_thread_start(Machine *machine)
{
    vit_clock_set_wake(machine->clock, wake_thread, machine);
    machine->thread = g_thread_new("machine", machine_thread_main, machine);
}

void
machine_thread_stop(Machine *machine)
{
    if (!machine->thread) {
        return;
    }
    g_mutex_lock(&machine->control);
    machine->requests |= MACHINE_REQUEST_QUIT_THREAD;
    g_mutex_unlock(&machine->control);
    g_main_context_wakeup(machine->context);
    g_thread_join(g_steal_pointer(&machine->thread));
}

/* ---- Calls into the thread ---- */

typedef struct Call {
    void (*func)(gpointer data);
    gpointer data;
    GDestroyNotify destroy;
    GMutex mutex;
    GCond done_cond;
    bool done;
} Call;

static gboolean
call_dispatch(gpointer data)
{
    Call *call = data;

    call->func(call->data);
    return G_SOURCE_REMOVE;
}

static void
call_free(gpointer data)
{
    Call *call = data;

    if (call->destroy) {
        call->destroy(call->data);
    }
    g_free(call);
}

void
machine_invoke(Machine *machine, void (*func)(gpointer data), gpointer data, GDestroyNotify destroy)
{
    GSource *source = g_idle_source_new();
    Call *call = g_new0(Call, 1);

    call->func = func;
    call->data = data;
    call->destroy = destroy;
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, call_dispatch, call, call_free);
    g_source_attach(source, machine->context);
    g_source_unref(source);
}

static void
call_and_signal(gpointer data)
{
    Call *call = data;

    call->func(call->data);
    g_mutex_lock(&call->mutex);
    call->done = true;
    g_cond_signal(&call->done_cond);
    g_mutex_unlock(&call->mutex);
}

void
machine_invoke_wait(Machine *machine, void (*func)(gpointer data), gpointer data)
{
    Call call = { .func = func, .data = data };

    if (!machine->thread) {
        /* before the thread starts and after it ended the caller stands in for it */
        vit_lock_take(&machine->lock);
        func(data);
        vit_lock_release(&machine->lock);
        return;
    }
    g_mutex_init(&call.mutex);
    g_cond_init(&call.done_cond);
    machine_invoke(machine, call_and_signal, &call, NULL);
    g_mutex_lock(&call.mutex);
    while (!call.done) {
        g_cond_wait(&call.done_cond, &call.mutex);
    }
    g_mutex_unlock(&call.mutex);
    g_mutex_clear(&call.mutex);
    g_cond_clear(&call.done_cond);
}
