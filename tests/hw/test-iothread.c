/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Threads for device I/O: calls from many threads, taking calls back, and disks whose queues are
 * handled on such a thread while several CPUs ring their bells, on real images. Meant for the
 * thread sanitizer too. mission: iothread object.iothread device.iothread virtio-blk virtio-scsi */

#include "virtio-driver.h"

#include "blk.h"
#include "vit-iothread.h"

#include <glib/gstdio.h>
#include <string.h>

extern const VitDeviceKind vit_virtio_blk_pci_kind, vit_virtio_scsi_pci_kind, vit_scsi_hd_kind;

/* ---- calls ---- */

enum { POSTERS = 4, POSTS = 20000 };

typedef struct Counted {
    VitIothread *thread;
    VitIothreadCall call;
    uint32_t asked; /* atomic */
    uint32_t done;  /* under the lock */
    unsigned runs;
    GThread *seen;
} Counted;

static void
count(void *opaque)
{
    Counted *counted = opaque;

    counted->runs++;
    counted->done += __atomic_exchange_n(&counted->asked, 0, __ATOMIC_ACQUIRE);
    counted->seen = g_thread_self();
}

static gpointer
post_many(gpointer data)
{
    Counted *counted = data;

    for (unsigned i = 0; i < POSTS; i++) {
        __atomic_fetch_add(&counted->asked, 1, __ATOMIC_RELEASE);
        vit_iothread_post(counted->thread, &counted->call);
    }
    return NULL;
}

static uint32_t
get_done(VitLock *lock, const Counted *counted)
{
    vit_lock_take(lock);
    uint32_t done = counted->done;
    vit_lock_release(lock);
    return done;
}

static void
test_posts(gconstpointer data)
{
    VitIothreadPolling polling = { .max_ns = GPOINTER_TO_INT(data), .grow = 3, .shrink = 2 };
    Counted counted[2] = { { .call.func = count }, { .call.func = count } };
    g_autoptr(GError) error = NULL;
    GThread *posters[POSTERS];
    VitLock lock;

    vit_lock_init(&lock);
    VitIothread *thread = vit_iothread_new("t0", &lock, false, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(vit_iothread_get_id(thread), ==, "t0");
    g_assert_cmpint(vit_iothread_get_host_id(thread), >, 0);
    vit_iothread_set_polling(thread, &polling);
    for (unsigned i = 0; i < 2; i++) {
        counted[i].thread = thread;
        counted[i].call.opaque = &counted[i];
    }
    for (unsigned i = 0; i < POSTERS; i++) {
        posters[i] = g_thread_new("poster", post_many, &counted[i % 2]);
    }
    for (unsigned i = 0; i < POSTERS; i++) {
        g_thread_join(posters[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        while (get_done(&lock, &counted[i]) < POSTERS / 2 * POSTS) {
            g_thread_yield();
        }
        g_assert_true(counted[i].seen != g_thread_self());
    }
    vit_iothread_free(thread);
    vit_lock_finish(&lock);
}

/* A call that is taken back with the lock held does not run; the others do. */
static void
test_cancel(void)
{
    Counted kept = { .call.func = count }, gone = { .call.func = count };
    VitLock lock;

    vit_lock_init(&lock);
    kept.thread = gone.thread = vit_iothread_new("t0", &lock, false, NULL);
    kept.call.opaque = &kept;
    gone.call.opaque = &gone;
    for (unsigned i = 0; i < 200; i++) {
        vit_lock_take(&lock);
        unsigned runs = gone.runs;
        kept.asked = 1;
        vit_iothread_post(kept.thread, &gone.call);
        vit_iothread_post(kept.thread, &kept.call);
        vit_iothread_cancel(gone.thread, &gone.call);
        vit_lock_release(&lock);
        while (get_done(&lock, &kept) < i + 1) {
            g_thread_yield();
        }
        vit_lock_take(&lock);
        g_assert_cmpuint(gone.runs, ==, runs);
        vit_lock_release(&lock);
    }
    /* ended by somebody who holds the lock */
    vit_lock_take(&lock);
    vit_iothread_free(kept.thread);
    g_assert_true(vit_lock_is_held(&lock));
    vit_lock_release(&lock);
    vit_lock_finish(&lock);
}

static void
test_at_once(void)
{
    Counted counted = { .call.func = count, .asked = 1 };
    VitLock lock;

    vit_lock_init(&lock);
    counted.thread = vit_iothread_new("t0", &lock, true, NULL);
    counted.call.opaque = &counted;
    g_assert_null(vit_iothread_get_context(counted.thread));
    vit_iothread_post(counted.thread, &counted.call);
    g_assert_cmpuint(counted.done, ==, 1);
    g_assert_true(counted.seen == g_thread_self());
    vit_iothread_free(counted.thread);
    vit_lock_finish(&lock);
}

/* ---- disks ---- */

enum { DISKS = 2, DISK_BYTES = 256 * 1024, ROUNDS = 300, SLOT_BYTES = 0x8000, PIECE_BYTES = 4096 };

typedef struct Disk {
    struct Bench *bench;
    VitDevice *dev, *unit;
    VirtioDriver vd;
    unsigned number, queue;
    bool scsi, attended;
    uint8_t shadow[DISK_BYTES];
} Disk;

typedef struct Bench {
    HwRig *rig;
    BlkGraph *graph;
    VitIothread *threads[DISKS]; /* all the same, or one each */
    GMainContext *machine;
    char *dir;
    Disk disks[DISKS];
} Bench;

static VitDrive *
resolve_drive(void *opaque, const char *id, GError **error)
{
    return blk_graph_find_drive(((Bench *)opaque)->graph, id, error);
}

static VitIothread *
resolve_iothread(void *opaque, const char *id, GError **error)
{
    return ((Bench *)opaque)->threads[id[1] - '0'];
}

static VitDevice *
add_device(Bench *bench, const VitDeviceKind *kind, VitBus *bus, const char *drive,
           const char *thread)
{
    VitPropResolver resolver = { .drive = resolve_drive,
                                 .iothread = resolve_iothread,
                                 .opaque = bench };
    VitDevice *dev = vit_device_new(kind, NULL);
    g_autoptr(GError) error = NULL;

    if (drive) {
        vit_device_set(dev, "drive", drive, &resolver, &error);
        g_assert_no_error(error);
    }
    if (thread) {
        vit_device_set(dev, "iothread", thread, &resolver, &error);
        g_assert_no_error(error);
    }
    vit_device_realize(dev, bus, &bench->rig->test.platform, &error);
    g_assert_no_error(error);
    return dev;
}

static void
add_drive(Bench *bench, unsigned n)
{
    g_autofree char *name = g_strdup_printf("d%u", n);
    g_autofree char *path = g_build_filename(bench->dir, name, NULL);
    g_autofree char *zeroes = g_malloc0(DISK_BYTES);
    g_autoptr(BlkOptions) options = blk_options_new();
    BlkDriveConfig config = { 0 };
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_set_contents(path, zeroes, DISK_BYTES, NULL));
    blk_options_set(options, "driver", "raw");
    g_autoptr(BlkNode) node = blk_open(bench->graph, path, options, &error);
    g_assert_no_error(error);
    blk_drive_new(bench->graph, name, &config, node, &error);
    g_assert_no_error(error);
}

/* Disk 0 is virtio-blk, disk 1 a unit of virtio-scsi. Lock held. */
static void
add_disk(Bench *bench, unsigned n)
{
    g_autofree char *name = g_strdup_printf("d%u", n), *thread = g_strdup_printf("t%u", n);
    Disk *disk = &bench->disks[n];

    add_drive(bench, n);
    disk->bench = bench;
    disk->number = n;
    disk->scsi = n % 2;
    if (disk->scsi) {
        disk->dev =
            add_device(bench, &vit_virtio_scsi_pci_kind, &bench->rig->pci.bus, NULL, thread);
        disk->unit =
            add_device(bench, &vit_scsi_hd_kind, disk->dev->child_buses->pdata[0], name, NULL);
        disk->queue = 2;
    } else {
        disk->dev = add_device(bench, &vit_virtio_blk_pci_kind, &bench->rig->pci.bus, name, thread);
    }
    hw_rig_map_pci_at(bench->rig, disk->dev, 0x80000000 + n * 0x1000000ull, 0x4000 + n * 0x1000ull);
    vd_init(&disk->vd, bench->rig, disk->dev);
    disk->vd.rings_moved = n * VD_QUEUES * VD_QUEUE_BYTES;
    vd_negotiate(&disk->vd, VD_VERSION_1);
    for (unsigned q = 0; q <= disk->queue; q++) {
        vd_setup_queue(&disk->vd, q, 16);
    }
    vd_driver_ok(&disk->vd);
}

/* The buffers of the request: header, data, status or response. */
static unsigned
build(Disk *disk, uint64_t at, bool write, uint64_t offset, VdBuf bufs[4])
{
    uint8_t *header = vd_ram(&disk->vd, at), *cdb = header + 19;
    VdBuf data = { at + 0x1000, PIECE_BYTES, !write };
    uint32_t lba = (uint32_t)(offset / 512);

    memset(header, 0, 64);
    if (!disk->scsi) {
        header[0] = write;
        memcpy(header + 8, &lba, 4);
        bufs[0] = (VdBuf){ at, 16, false };
        bufs[1] = data;
        bufs[2] = (VdBuf){ at + 0x800, 1, true };
        return 3;
    }
    header[0] = 1; /* target 0, LUN 0 */
    header[2] = 0x40;
    cdb[0] = write ? 0x2a : 0x28;
    cdb[4] = (uint8_t)(lba >> 8);
    cdb[5] = (uint8_t)lba;
    cdb[8] = PIECE_BYTES / 512;
    bufs[0] = (VdBuf){ at, 51, false };
    bufs[1] = write ? data : (VdBuf){ at + 0x800, 108, true };
    bufs[2] = write ? (VdBuf){ at + 0x800, 108, true } : data;
    return 3;
}

/* A CPU: writes rings with the lock held, as memory has no lock of its own that the sanitizer
 * knows, rings the bell without it, and waits for the answer. */
static void
transfer(Disk *disk, bool write, uint64_t offset)
{
    uint64_t at = VD_BUFFERS_AT + disk->number * SLOT_BYTES;
    VitLock *lock = &disk->bench->rig->test.lock;
    VdBuf bufs[4];
    bool ended = false;
    uint32_t len;

    vit_lock_take(lock);
    unsigned count = build(disk, at, write, offset, bufs);
    if (write) {
        memcpy(vd_ram(&disk->vd, at + 0x1000), disk->shadow + offset, PIECE_BYTES);
    } else {
        memset(vd_ram(&disk->vd, at + 0x1000), 0xee, PIECE_BYTES);
    }
    vd_add(&disk->vd, disk->queue, bufs, count);
    vit_lock_release(lock);
    vd_kick(&disk->vd, disk->queue);
    while (!ended) {
        vit_lock_take(lock);
        ended = vd_take(&disk->vd, disk->queue, &len);
        vit_lock_release(lock);
        if (!ended) {
            g_usleep(20);
        }
    }
    vit_lock_take(lock);
    uint8_t status = vd_ram(&disk->vd, at + 0x800)[disk->scsi ? 10 : 0];
    if (disk->scsi && status == 2 && !disk->attended) {
        disk->attended = true; /* the unit told that it was switched on */
        vit_lock_release(lock);
        transfer(disk, write, offset);
        return;
    }
    g_assert_cmpuint(status, ==, 0);
    g_assert_cmpmem(vd_ram(&disk->vd, at + 0x1000), PIECE_BYTES, disk->shadow + offset,
                    PIECE_BYTES);
    vit_lock_release(lock);
}

static gpointer
run_cpu(gpointer data)
{
    Disk *disk = data;
    VitMapDomain *domain = disk->bench->rig->test.platform.maps;
    GRand *rand = g_rand_new_with_seed(disk->number + 1);
    VitMapReader reader;

    vit_map_reader_register(domain, &reader);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t offset =
            (uint64_t)g_rand_int_range(rand, 0, DISK_BYTES / PIECE_BYTES) * PIECE_BYTES;
        bool write = g_rand_boolean(rand);
        if (write) {
            memset(disk->shadow + offset, (int)i + 1, PIECE_BYTES);
        }
        transfer(disk, write, offset);
        vit_map_reader_quiescent(&reader);
    }
    vit_map_reader_unregister(&reader);
    g_rand_free(rand);
    return NULL;
}

static void
bench_init(Bench *bench, bool one_each)
{
    g_autoptr(GError) error = NULL;

    memset(bench, 0, sizeof(*bench));
    bench->dir = g_dir_make_tmp("vitrine-iothread-XXXXXX", NULL);
    bench->machine = g_main_context_new();
    bench->rig = hw_rig_new(); /* the lock is held from here on */
    bench->graph = blk_graph_new(bench->machine, &bench->rig->test.lock, &error);
    g_assert_no_error(error);
    for (unsigned n = 0; n < DISKS; n++) {
        bench->threads[n] = n == 0 || one_each
                                ? vit_iothread_new("t", &bench->rig->test.lock, false, &error)
                                : bench->threads[0];
        g_assert_no_error(error);
        add_disk(bench, n);
        g_assert_true(vit_iothread_is_held(bench->threads[n]));
    }
    vit_lock_release(&bench->rig->test.lock);
}

static void
bench_finish(Bench *bench)
{
    vit_lock_take(&bench->rig->test.lock);
    for (unsigned n = 0; n < DISKS; n++) {
        g_autofree char *name = g_strdup_printf("d%u", n);
        g_autofree char *path = g_build_filename(bench->dir, name, NULL);
        g_clear_pointer(&bench->disks[n].unit, vit_device_free);
        g_clear_pointer(&bench->disks[n].dev, vit_device_free);
        g_unlink(path);
    }
    for (unsigned n = 0; n < DISKS; n++) {
        if (n == 0 || bench->threads[n] != bench->threads[0]) {
            g_assert_false(vit_iothread_is_held(bench->threads[n]));
            vit_iothread_free(bench->threads[n]);
        }
    }
    blk_graph_free(bench->graph);
    hw_rig_free(bench->rig);
    g_main_context_unref(bench->machine);
    g_rmdir(bench->dir);
    g_free(bench->dir);
}

/* Nobody dispatches the machine's own context: all completions come on the thread. */
static void
test_disks(gconstpointer one_each)
{
    Bench *bench = g_new(Bench, 1);
    GThread *cpus[DISKS];

    bench_init(bench, one_each != NULL);
    for (unsigned n = 0; n < DISKS; n++) {
        cpus[n] = g_thread_new("cpu", run_cpu, &bench->disks[n]);
    }
    for (unsigned n = 0; n < DISKS; n++) {
        g_thread_join(cpus[n]);
    }
    bench_finish(bench);
    g_free(bench);
}

/* The first disk goes, its thread with it, while the other disk is at work on its own. */
static void
test_one_leaves(void)
{
    Bench *bench = g_new(Bench, 1);
    GThread *cpu;

    for (unsigned i = 0; i < 3; i++) {
        bench_init(bench, true);
        cpu = g_thread_new("cpu", run_cpu, &bench->disks[1]);
        g_usleep(2000 * i);
        vit_lock_take(&bench->rig->test.lock);
        g_clear_pointer(&bench->disks[0].dev, vit_device_free);
        g_assert_false(vit_iothread_is_held(bench->threads[0]));
        vit_iothread_free(bench->threads[0]);
        vit_lock_release(&bench->rig->test.lock);
        g_thread_join(cpu);
        bench->threads[0] = bench->threads[1];
        bench_finish(bench);
    }
    g_free(bench);
}

/* A device that goes with its bell rung and requests under way. */
static void
test_gone_amid(void)
{
    for (unsigned i = 0; i < 20; i++) {
        Bench *bench = g_new(Bench, 1);
        VdBuf bufs[4];

        bench_init(bench, false);
        for (unsigned n = 0; n < DISKS; n++) {
            Disk *disk = &bench->disks[n];
            vit_lock_take(&bench->rig->test.lock);
            unsigned count =
                build(disk, VD_BUFFERS_AT + n * SLOT_BYTES, true, 8 * PIECE_BYTES, bufs);
            vd_add(&disk->vd, disk->queue, bufs, count);
            vd_kick(&disk->vd, disk->queue);
            vit_lock_release(&bench->rig->test.lock);
        }
        bench_finish(bench);
        g_free(bench);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/iothread/posts/asleep", GINT_TO_POINTER(0), test_posts);
    g_test_add_data_func("/iothread/posts/polling", GINT_TO_POINTER(100000), test_posts);
    g_test_add_func("/iothread/cancel", test_cancel);
    g_test_add_func("/iothread/at-once", test_at_once);
    g_test_add_data_func("/iothread/disks/together", NULL, test_disks);
    g_test_add_data_func("/iothread/disks/one-each", "", test_disks);
    g_test_add_func("/iothread/one-leaves", test_one_leaves);
    g_test_add_func("/iothread/gone-amid", test_gone_amid);
    return g_test_run();
}
