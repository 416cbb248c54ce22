/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Samples of a machine's counters: a timer on the machine thread while somebody wants them. */

#include "facade-private.h"

#include "vit-net.h"

#include <time.h>

typedef struct Sampler {
    Machine *machine;
    VitStats stats;
} Sampler;

/* Time a vCPU's thread has run. The clock of another thread of this process is named by its id the
 * way the kernel numbers them (clock_gettime(2), pthread_getcpuclockid(3)). */
static gint64
thread_time_ns(const MachineVcpu *vcpu)
{
    gint64 id = __atomic_load_n(&vcpu->host_thread_id, __ATOMIC_RELAXED);
    struct timespec now;

    if (id <= 0 || clock_gettime((clockid_t)(~(unsigned)id << 3 | 6), &now) != 0) {
        return __atomic_load_n(&vcpu->cpu_time_ns, __ATOMIC_RELAXED);
    }
    return now.tv_sec * VIT_NS_PER_SEC + now.tv_nsec;
}

static void
add_drive(void *opaque, VitDrive *drive)
{
    Sampler *sampler = opaque;
    VitMediaRole role = facade_media_role(sampler->machine, drive);
    BlkDriveInfo info;

    blk_drive_get_info(drive, &info);
    sampler->stats.drives[role].read_bytes += info.stats.read_bytes;
    sampler->stats.drives[role].written_bytes += info.stats.write_bytes;
    sampler->stats.drives[role].requests += info.stats.read_count + info.stats.write_count;
}

void
facade_sample_stats(Machine *machine, VitStats *out)
{
    Sampler sampler = { .machine = machine };

    sampler.stats.host_ns = vit_clock_host_ns(machine->clock);
    sampler.stats.guest_ns = vit_clock_get_ns(machine->clock);
    sampler.stats.n_cpus = machine->n_vcpus;
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        sampler.stats.cpu_ns += thread_time_ns(&machine->vcpus[i]);
    }
    blk_graph_each_drive(machine->blk, add_drive, &sampler);
    for (guint i = 0; i < machine->netdevs->len; i++) {
        const VitNetPort *port = &((const VitNetdev *)machine->netdevs->pdata[i])->port;

        /* what the back end sends is what the guest receives */
        sampler.stats.net_received_bytes += port->sent_bytes;
        sampler.stats.net_sent_bytes += port->peer ? port->peer->sent_bytes : 0;
    }
    *out = sampler.stats;
}
