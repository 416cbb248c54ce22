/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The connection to an iSCSI target, by libiscsi, and the thread that serves it.
 *
 * Fibers hand tickets to the thread and wait; the thread alone touches the libiscsi context once
 * the session stands. A lost connection is made again by libiscsi, which sends what was under way
 * once more: reads and writes of whole ranges can be repeated. A request without an answer for
 * GIVE_UP_S fails, so that the drive's rerror= and werror= decide; its late answer is dropped. For
 * that reason data is copied through the ticket and never lands in the guest's memory by itself.
 *
 * Specification: RFC 7143 (by libiscsi), SBC-3, SPC-4 section 4.5 (sense data).
 * Thread: see iscsi-session.h; functions under "the thread" run there. */

#include "iscsi-session.h"

#include "iscsi-library.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    OPEN_TIMEOUT_S = 15,
    CLOSE_TIMEOUT_S = 2,
    GIVE_UP_S = 120,
    NOP_INTERVAL_S = 5,
    MAX_LOST_NOPS = 3,
    MAX_RETRIES = 8,
};

typedef struct IscsiTicket {
    IscsiSession *session;
    IscsiJob job; /* without vec */
    uint8_t *buf;
    size_t len;
    struct scsi_iovec iov; /* of buf; the library keeps its address */
    int ret;
    int ref_count; /* atomic: the fiber and the thread */
    bool done;     /* the fiber may go on; context's lock */
    bool posted;   /* the thread has given it back */
    unsigned retries;
    int64_t end_us, not_before_us;
    BlkWaitQueue waiter;
} IscsiTicket;

struct IscsiSession {
    BlkContext *context;
    IscsiUnit unit;
    uint32_t lun, timeout_s;
    uint8_t *zero_block;
    IscsiLibrary lib;
    struct iscsi_context *iscsi;
    GThread *thread;
    int wake_fd;
    BlkPoller poller; /* of what the thread has finished */
    int stopping;     /* atomic */
    GMutex mutex;     /* of the two below */
    GQueue incoming;  /* IscsiTicket */
    GQueue finished;
    /* the thread's */
    GPtrArray *under_way; /* IscsiTicket, sent */
    GQueue again;         /* to be sent again later */
    unsigned nops;
    int64_t nop_us;
    bool reconnect;
};

static void
ticket_unref(IscsiTicket *ticket)
{
    if (g_atomic_int_dec_and_test(&ticket->ref_count)) {
        g_free(ticket->buf);
        g_free(ticket);
    }
}

static void
ring(int fd)
{
    uint64_t one = 1;

    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

static void
hush(int fd)
{
    uint64_t count;

    while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR) {
    }
}

/* ---- the thread ---- */

static void
post(IscsiTicket *ticket, int ret)
{
    IscsiSession *session = ticket->session;

    if (ticket->posted) {
        return;
    }
    ticket->posted = true;
    ticket->ret = ret;
    g_mutex_lock(&session->mutex);
    g_queue_push_tail(&session->finished, ticket);
    g_mutex_unlock(&session->mutex);
    ring(session->poller.fd);
}

static int
errno_of_sense(const struct scsi_sense *sense)
{
    switch ((unsigned)sense->key) {
    case SCSI_SENSE_NO_SENSE:
    case 1: /* recovered */ return 0;
    case SCSI_SENSE_NOT_READY: return (sense->ascq >> 8) == 0x3a ? -ENOMEDIUM : -EBUSY;
    case SCSI_SENSE_ILLEGAL_REQUEST: return sense->ascq == 0x2000 ? -ENOTSUP : -EINVAL;
    case SCSI_SENSE_DATA_PROTECTION: return sense->ascq == 0x2707 ? -ENOSPC : -EACCES;
    default: return -EIO;
    }
}

/* Whether the answer asks to try once more: after a reset, while busy, after a timeout. */
static bool
wants_retry(IscsiTicket *ticket, int status, const struct scsi_task *task)
{
    bool again = status == SCSI_STATUS_BUSY || status == SCSI_STATUS_TASK_SET_FULL ||
                 status == (int)SCSI_STATUS_TIMEOUT || status == (int)SCSI_STATUS_CANCELLED ||
                 (status == SCSI_STATUS_CHECK_CONDITION && task &&
                  task->sense.key == SCSI_SENSE_UNIT_ATTENTION);
    bool attention = status == SCSI_STATUS_CHECK_CONDITION;

    if (!again || ticket->posted || g_atomic_int_get(&ticket->session->stopping) ||
        ticket->retries >= MAX_RETRIES) {
        return false;
    }
    ticket->retries++;
    ticket->not_before_us =
        g_get_monotonic_time() + (attention ? 0 : (int64_t)(50000u << ticket->retries));
    return true;
}

static void
take_status(IscsiTicket *ticket, struct scsi_task *task)
{
    const IscsiSession *session = ticket->session;
    const struct scsi_get_lba_status *status = session->lib.scsi_datain_unmarshall(task);
    const struct scsi_lba_status_descriptor *first;

    ticket->job.run_blocks = ticket->job.blocks;
    ticket->job.is_mapped = true;
    if (!status || status->num_descriptors == 0) {
        return;
    }
    first = &status->descriptors[0];
    if (first->lba == ticket->job.lba && first->num_blocks > 0) {
        ticket->job.run_blocks = MIN(first->num_blocks, ticket->job.blocks);
        ticket->job.is_mapped = first->provisioning == SCSI_PROVISIONING_TYPE_MAPPED;
    }
}

static void
answered(struct iscsi_context *iscsi, int status, void *command_data, void *opaque)
{
    IscsiTicket *ticket = opaque;
    IscsiSession *session = ticket->session;
    struct scsi_task *task = command_data;
    int ret = -EIO;

    g_ptr_array_remove_fast(session->under_way, ticket);
    if (status == (int)SCSI_STATUS_TIMEOUT) {
        session->reconnect = true;
        ret = -ETIMEDOUT;
    }
    if (wants_retry(ticket, status, task)) {
        g_queue_push_tail(&session->again, ticket);
        g_clear_pointer(&task, session->lib.scsi_free_scsi_task);
        return;
    }
    if (status == SCSI_STATUS_GOOD) {
        ret = 0;
        if (ticket->job.op == ISCSI_OP_STATUS && task && !ticket->posted) {
            take_status(ticket, task);
        }
    } else if (status == SCSI_STATUS_CHECK_CONDITION && task) {
        ret = errno_of_sense(&task->sense);
    }
    g_clear_pointer(&task, session->lib.scsi_free_scsi_task);
    post(ticket, ret);
    ticket_unref(ticket);
}

static struct scsi_task *
send_transfer(IscsiTicket *ticket)
{
    IscsiSession *session = ticket->session;
    const IscsiJob *job = &ticket->job;
    struct iscsi_context *iscsi = session->iscsi;
    int lun = (int)session->lun, size = (int)session->unit.block_bytes, fua = job->fua;
    uint32_t len = (uint32_t)ticket->len;
    struct scsi_iovec *iov = &ticket->iov;

    *iov = (struct scsi_iovec){ .iov_base = ticket->buf, .iov_len = ticket->len };
    if (job->op == ISCSI_OP_READ) {
        return session->unit.is_cd
                   ? session->lib.iscsi_read10_iov_task(iscsi, lun, (uint32_t)job->lba, len, size,
                                                        0, 0, 0, 0, 0, answered, ticket, iov, 1)
                   : session->lib.iscsi_read16_iov_task(iscsi, lun, job->lba, len, size, 0, 0, 0, 0,
                                                        0, answered, ticket, iov, 1);
    }
    return session->lib.iscsi_write16_iov_task(iscsi, lun, job->lba, NULL, len, size, 0, 0, fua, 0,
                                               0, answered, ticket, iov, 1);
}

static struct scsi_task *
send_command(IscsiTicket *ticket)
{
    IscsiSession *session = ticket->session;
    const IscsiJob *job = &ticket->job;
    struct unmap_list list = { .lba = job->lba, .num = job->blocks };
    int lun = (int)session->lun;

    switch (job->op) {
    case ISCSI_OP_FLUSH:
        return session->lib.iscsi_synchronizecache10_task(session->iscsi, lun, 0, 0, 0, 0, answered,
                                                          ticket);
    case ISCSI_OP_UNMAP:
        return session->lib.iscsi_unmap_task(session->iscsi, lun, 0, 0, &list, 1, answered, ticket);
    case ISCSI_OP_WRITE_SAME:
        return session->lib.iscsi_writesame16_task(
            session->iscsi, lun, job->lba, session->zero_block, session->unit.block_bytes,
            job->blocks, 0, job->unmap, 0, 0, answered, ticket);
    case ISCSI_OP_STATUS:
        return session->lib.iscsi_get_lba_status_task(session->iscsi, lun, job->lba, 8 + 16,
                                                      answered, ticket);
    default: return send_transfer(ticket);
    }
}

/* The ticket's reference of the thread goes with it. */
static void
submit(IscsiTicket *ticket)
{
    IscsiSession *session = ticket->session;

    if (ticket->posted) {
        ticket_unref(ticket);
        return;
    }
    g_ptr_array_add(session->under_way, ticket);
    if (!send_command(ticket)) {
        g_ptr_array_remove_fast(session->under_way, ticket);
        post(ticket, -ENOMEM);
        ticket_unref(ticket);
    }
}

static void
submit_new(IscsiSession *session)
{
    int64_t now_us = g_get_monotonic_time();
    GQueue list = G_QUEUE_INIT;
    IscsiTicket *ticket;

    for (guint i = session->again.length; i > 0; i--) {
        ticket = g_queue_pop_head(&session->again);
        if (ticket->posted || ticket->not_before_us <= now_us) {
            submit(ticket);
        } else {
            g_queue_push_tail(&session->again, ticket);
        }
    }
    g_mutex_lock(&session->mutex);
    list = session->incoming;
    g_queue_init(&session->incoming);
    g_mutex_unlock(&session->mutex);
    while ((ticket = g_queue_pop_head(&list))) {
        submit(ticket);
    }
}

static void
expire(GPtrArray *list, int64_t now_us)
{
    for (guint i = 0; i < list->len; i++) {
        IscsiTicket *ticket = list->pdata[i];
        if (now_us >= ticket->end_us) {
            post(ticket, -ETIMEDOUT);
        }
    }
}

static void
nop_answered(struct iscsi_context *iscsi, int status, void *command_data, void *opaque)
{
    IscsiSession *session = opaque;

    session->nops = 0;
}

/* A dead peer is only noticed by asking it. */
static void
keep_alive(IscsiSession *session, int64_t now_us)
{
    if (now_us - session->nop_us < NOP_INTERVAL_S * G_USEC_PER_SEC) {
        return;
    }
    session->nop_us = now_us;
    expire(session->under_way, now_us);
    if (session->nops >= MAX_LOST_NOPS) {
        session->reconnect = true;
        session->nops = 0;
    } else if (session->lib.iscsi_is_logged_in(session->iscsi) &&
               session->lib.iscsi_nop_out_async(session->iscsi, nop_answered, NULL, 0, session) ==
                   0) {
        session->nops++;
    }
}

static void
close_connection(IscsiSession *session)
{
    session->lib.iscsi_set_noautoreconnect(session->iscsi, 1);
    if (session->lib.iscsi_is_logged_in(session->iscsi)) {
        session->lib.iscsi_set_timeout(session->iscsi, CLOSE_TIMEOUT_S);
        session->lib.iscsi_logout_sync(session->iscsi);
    }
    /* Calls back for whatever is left. */
    session->lib.iscsi_destroy_context(session->iscsi);
    session->iscsi = NULL;
}

static gpointer
session_thread(gpointer opaque)
{
    IscsiSession *session = opaque;
    IscsiTicket *ticket;

    while (!g_atomic_int_get(&session->stopping)) {
        struct pollfd fds[2] = { { .fd = session->wake_fd, .events = POLLIN } };

        submit_new(session);
        fds[1].fd = session->lib.iscsi_get_fd(session->iscsi);
        fds[1].events = (short)session->lib.iscsi_which_events(session->iscsi);
        poll(fds, 2, session->again.length ? 50 : 1000);
        if (fds[0].revents) {
            hush(session->wake_fd);
        }
        session->reconnect |= session->lib.iscsi_service(session->iscsi, fds[1].revents) < 0;
        keep_alive(session, g_get_monotonic_time());
        if (session->reconnect) {
            session->reconnect = false;
            session->lib.iscsi_reconnect(session->iscsi);
        }
    }
    close_connection(session);
    while ((ticket = g_queue_pop_head(&session->again))) {
        post(ticket, -EIO);
        ticket_unref(ticket);
    }
    return NULL;
}

/* ---- opening, on a worker ---- */

typedef struct OpenJob {
    IscsiSession *session;
    const IscsiConfig *config;
    char *message;
    VitError code;
} OpenJob;

static int refuse(OpenJob *job, VitError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

static int
refuse(OpenJob *job, VitError code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    job->message = g_strdup_vprintf(format, args);
    va_end(args);
    job->code = code;
    return -EIO;
}

typedef struct Connecting {
    bool done;
    int status;
} Connecting;

static void
connected(struct iscsi_context *iscsi, int status, void *command_data, void *opaque)
{
    Connecting *connecting = opaque;

    connecting->done = true;
    connecting->status = status;
}

static int
connect_unit(OpenJob *job)
{
    IscsiSession *session = job->session;
    struct iscsi_context *iscsi = session->iscsi;
    const IscsiConfig *config = job->config;
    int64_t end_us = g_get_monotonic_time() + OPEN_TIMEOUT_S * G_USEC_PER_SEC;
    Connecting connecting = { 0 };

    if (session->lib.iscsi_full_connect_async(iscsi, config->portal, (int)config->lun, connected,
                                              &connecting) < 0) {
        return refuse(job, VIT_ERROR_IO, "no connection to %s: %s", config->portal,
                      session->lib.iscsi_get_error(iscsi));
    }
    while (!connecting.done && g_get_monotonic_time() < end_us) {
        struct pollfd fd = { .fd = session->lib.iscsi_get_fd(iscsi),
                             .events = (short)session->lib.iscsi_which_events(iscsi) };
        poll(&fd, 1, 200);
        if (session->lib.iscsi_service(iscsi, fd.revents) < 0) {
            break;
        }
    }
    if (!connecting.done) {
        const char *why = session->lib.iscsi_get_error(iscsi);
        return refuse(job, VIT_ERROR_IO, "no connection to %s: %s", config->portal,
                      why && *why ? why : "no answer");
    }
    if (connecting.status != SCSI_STATUS_GOOD) {
        return refuse(job, VIT_ERROR_IO, "target %s, unit %u: %s", config->target, config->lun,
                      session->lib.iscsi_get_error(iscsi));
    }
    return 0;
}

/* The unmarshalled answer and its task (ownership: caller), or NULL. */
static void *
inquire(OpenJob *job, int page, struct scsi_task **out_task)
{
    IscsiSession *session = job->session;
    struct iscsi_context *iscsi = session->iscsi;
    int lun = (int)session->lun;
    struct scsi_task *task =
        session->lib.iscsi_inquiry_sync(iscsi, lun, page >= 0, MAX(page, 0), 255);
    void *answer = NULL;

    if (task && task->status == SCSI_STATUS_GOOD) {
        answer = session->lib.scsi_datain_unmarshall(task);
    }
    *out_task = task;
    return answer;
}

static int
look_at_kind(OpenJob *job)
{
    IscsiSession *session = job->session;
    struct scsi_task *task;
    const struct scsi_inquiry_standard *standard = inquire(job, -1, &task);
    unsigned kind = standard ? (unsigned)standard->device_type : 0x1f;
    unsigned qualifier = standard ? (unsigned)standard->qualifier : 0;

    g_clear_pointer(&task, session->lib.scsi_free_scsi_task);
    if (kind == 0x1f || qualifier != 0) {
        return refuse(job, VIT_ERROR_NOT_FOUND, "the target %s has no unit %u", job->config->target,
                      job->config->lun);
    }
    if (kind != SCSI_INQUIRY_PERIPHERAL_DEVICE_TYPE_DIRECT_ACCESS &&
        kind != SCSI_INQUIRY_PERIPHERAL_DEVICE_TYPE_MMC) {
        return refuse(job, VIT_ERROR_FAILED,
                      "unit %u of %s is neither a disk nor a CD (SCSI type %u), and units are not "
                      "passed through to guests",
                      job->config->lun, job->config->target, kind);
    }
    session->unit.is_cd = kind == SCSI_INQUIRY_PERIPHERAL_DEVICE_TYPE_MMC;
    return 0;
}

static int
look_at_capacity(OpenJob *job)
{
    IscsiSession *session = job->session;
    struct iscsi_context *iscsi = session->iscsi;
    IscsiUnit *unit = &session->unit;
    int lun = (int)session->lun;
    struct scsi_task *task = unit->is_cd ? session->lib.iscsi_readcapacity10_sync(iscsi, lun, 0, 0)
                                         : session->lib.iscsi_readcapacity16_sync(iscsi, lun);

    if (!task || task->status != SCSI_STATUS_GOOD) {
        bool empty = task && task->sense.key == SCSI_SENSE_NOT_READY;
        g_clear_pointer(&task, session->lib.scsi_free_scsi_task);
        return refuse(job, VIT_ERROR_IO, empty ? "there is no medium" : "its size is not told: %s",
                      session->lib.iscsi_get_error(iscsi));
    }
    if (unit->is_cd) {
        const struct scsi_readcapacity10 *capacity = session->lib.scsi_datain_unmarshall(task);
        unit->blocks = capacity ? (uint64_t)capacity->lba + 1 : 0;
        unit->block_bytes = capacity ? capacity->block_size : 0;
    } else {
        const struct scsi_readcapacity16 *capacity = session->lib.scsi_datain_unmarshall(task);
        unit->blocks = capacity ? capacity->returned_lba + 1 : 0;
        unit->block_bytes = capacity ? capacity->block_length : 0;
        unit->has_status = capacity && capacity->lbpme;
        unit->can_zero_by_unmap = capacity && capacity->lbpme && capacity->lbprz;
    }
    session->lib.scsi_free_scsi_task(task);
    if (unit->block_bytes < 512 || unit->block_bytes > 65536 ||
        (unit->block_bytes & (unit->block_bytes - 1)) ||
        unit->blocks > (uint64_t)INT64_MAX / unit->block_bytes) {
        return refuse(job, VIT_ERROR_FAILED,
                      "%" G_GUINT64_FORMAT " blocks of %u bytes cannot be used", unit->blocks,
                      unit->block_bytes);
    }
    return 0;
}

static void
look_at_limits(OpenJob *job)
{
    IscsiSession *session = job->session;
    IscsiUnit *unit = &session->unit;
    struct scsi_task *task;
    const struct scsi_inquiry_block_limits *limits;
    const struct scsi_inquiry_logical_block_provisioning *thin;

    limits = inquire(job, 0xb0, &task);
    if (limits) {
        unit->max_transfer_blocks = limits->max_xfer_len;
        unit->max_unmap_blocks = limits->max_unmap == UINT32_MAX ? 0 : limits->max_unmap;
        unit->unmap_granularity_blocks = limits->opt_unmap_gran;
        unit->max_write_same_blocks = limits->max_ws_len;
    }
    g_clear_pointer(&task, session->lib.scsi_free_scsi_task);
    if (!unit->has_status) {
        return;
    }
    thin = inquire(job, 0xb2, &task);
    if (thin) {
        unit->has_unmap = thin->lbpu;
        unit->can_zero_by_unmap = unit->can_zero_by_unmap && thin->lbpws;
    }
    g_clear_pointer(&task, session->lib.scsi_free_scsi_task);
}

static void
look_at_mode(OpenJob *job)
{
    IscsiSession *session = job->session;
    IscsiUnit *unit = &session->unit;
    struct scsi_task *task =
        session->lib.iscsi_modesense6_sync(session->iscsi, (int)session->lun, 1, 0, 0x3f, 0, 255);
    const struct scsi_mode_sense *mode =
        task && task->status == SCSI_STATUS_GOOD ? session->lib.scsi_datain_unmarshall(task) : NULL;

    if (mode) {
        unit->write_protected = mode->device_specific_parameter & 0x80;
        unit->has_fua = mode->device_specific_parameter & 0x10;
    }
    g_clear_pointer(&task, session->lib.scsi_free_scsi_task);
}

static int
choose_digest(OpenJob *job)
{
    static const struct {
        const char *name;
        enum iscsi_header_digest digest;
    } digests[] = {
        { "crc32c", ISCSI_HEADER_DIGEST_CRC32C },
        { "none", ISCSI_HEADER_DIGEST_NONE },
        { "crc32c-none", ISCSI_HEADER_DIGEST_CRC32C_NONE },
        { "none-crc32c", ISCSI_HEADER_DIGEST_NONE_CRC32C },
    };
    const char *wanted = job->config->header_digest ? job->config->header_digest : "none-crc32c";

    for (unsigned i = 0; i < VIT_ARRAY_LEN(digests); i++) {
        if (g_ascii_strcasecmp(digests[i].name, wanted) == 0) {
            job->session->lib.iscsi_set_header_digest(job->session->iscsi, digests[i].digest);
            return 0;
        }
    }
    return refuse(job, VIT_ERROR_INVALID_ARGUMENT,
                  "header-digest is none, crc32c, none-crc32c or crc32c-none, not '%s'", wanted);
}

static int
run_open(void *arg)
{
    OpenJob *job = arg;
    IscsiSession *session = job->session;
    const IscsiConfig *config = job->config;
    struct iscsi_context *iscsi = session->lib.iscsi_create_context(config->initiator);
    int ret;

    if (!iscsi) {
        return -ENOMEM;
    }
    session->iscsi = iscsi;
    session->lib.iscsi_set_timeout(iscsi, OPEN_TIMEOUT_S);
    session->lib.iscsi_set_noautoreconnect(iscsi, 1);
    session->lib.iscsi_set_session_type(iscsi, ISCSI_SESSION_NORMAL);
    if (session->lib.iscsi_set_targetname(iscsi, config->target) < 0 ||
        (config->user && session->lib.iscsi_set_initiator_username_pwd(iscsi, config->user,
                                                                       config->password) < 0)) {
        return refuse(job, VIT_ERROR_INVALID_ARGUMENT, "%s", session->lib.iscsi_get_error(iscsi));
    }
    ret = choose_digest(job);
    ret = ret < 0 ? ret : connect_unit(job);
    ret = ret < 0 ? ret : look_at_kind(job);
    ret = ret < 0 ? ret : look_at_capacity(job);
    if (ret == 0) {
        look_at_limits(job);
        look_at_mode(job);
        job->session->unit.has_write_same = !job->session->unit.is_cd;
        session->lib.iscsi_set_noautoreconnect(iscsi, 0);
        session->lib.iscsi_set_timeout(iscsi, (int)config->timeout_s);
    }
    return ret;
}

/* ---- in fibers ---- */

static void
collect(void *opaque)
{
    IscsiSession *session = opaque;
    GQueue list = G_QUEUE_INIT;
    IscsiTicket *ticket;

    hush(session->poller.fd);
    g_mutex_lock(&session->mutex);
    list = session->finished;
    g_queue_init(&session->finished);
    g_mutex_unlock(&session->mutex);
    while ((ticket = g_queue_pop_head(&list))) {
        ticket->done = true;
        blk_wake_all(session->context, &ticket->waiter);
    }
}

static void
session_free_parts(IscsiSession *session)
{
    if (session->iscsi) {
        session->lib.iscsi_destroy_context(session->iscsi);
    }
    if (session->wake_fd >= 0) {
        close(session->wake_fd);
    }
    if (session->poller.fd >= 0) {
        close(session->poller.fd);
    }
    g_ptr_array_unref(session->under_way);
    g_mutex_clear(&session->mutex);
    g_free(session->zero_block);
    iscsi_library_unload(&session->lib);
    g_free(session);
}

IscsiSession *
iscsi_session_new(BlkContext *context, const IscsiConfig *config, IscsiUnit *out, GError **error)
{
    IscsiLibrary library;
    IscsiSession *session;
    OpenJob job = { .config = config, .code = VIT_ERROR_IO };
    g_autofree char *message = NULL;
    int ret;

    if (!iscsi_library_load(&library, error)) {
        return NULL;
    }
    session = job.session = g_new0(IscsiSession, 1);
    session->lib = library;
    session->context = context;
    session->lun = config->lun;
    session->under_way = g_ptr_array_new();
    g_mutex_init(&session->mutex);
    session->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    session->poller = (BlkPoller){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                                   .func = collect,
                                   .opaque = session };
    ret = session->wake_fd < 0 || session->poller.fd < 0 ? -EMFILE
                                                         : blk_pool_run(context, run_open, &job);
    message = job.message;
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, job.code, "iscsi://%s/%s/%u cannot be opened: %s.",
                    config->portal, config->target, config->lun,
                    message ? message : g_strerror(-ret));
        session_free_parts(session);
        return NULL;
    }
    session->zero_block = g_malloc0(session->unit.block_bytes);
    session->nop_us = g_get_monotonic_time();
    blk_poller_add(context, &session->poller);
    session->thread = g_thread_new("iscsi", session_thread, session);
    *out = session->unit;
    return session;
}

static int
run_join(void *arg)
{
    g_thread_join(((IscsiSession *)arg)->thread);
    return 0;
}

void
iscsi_session_free(IscsiSession *session)
{
    if (!session) {
        return;
    }
    g_atomic_int_set(&session->stopping, 1);
    ring(session->wake_fd);
    blk_pool_run(session->context, run_join, session);
    blk_poller_remove(&session->poller);
    session_free_parts(session);
}

int
iscsi_session_run(IscsiSession *session, IscsiJob *job)
{
    bool is_transfer = job->op == ISCSI_OP_READ || job->op == ISCSI_OP_WRITE;
    IscsiTicket *ticket = g_new0(IscsiTicket, 1);
    int ret;

    ticket->session = session;
    ticket->job = *job;
    ticket->ref_count = 2;
    ticket->end_us = g_get_monotonic_time() + GIVE_UP_S * G_USEC_PER_SEC;
    ticket->len = is_transfer ? (size_t)job->blocks * session->unit.block_bytes : 0;
    ticket->buf = is_transfer ? g_try_malloc(MAX(ticket->len, 1)) : NULL;
    if (is_transfer && !ticket->buf) {
        g_free(ticket);
        return -ENOMEM;
    }
    if (job->op == ISCSI_OP_WRITE) {
        blk_vec_gather(job->vec, job->at, ticket->buf, ticket->len);
    }
    g_mutex_lock(&session->mutex);
    g_queue_push_tail(&session->incoming, ticket);
    g_mutex_unlock(&session->mutex);
    ring(session->wake_fd);
    blk_poller_expect(&session->poller, true);
    while (!ticket->done) {
        blk_wait(session->context, &ticket->waiter);
    }
    blk_poller_expect(&session->poller, false);
    ret = ticket->ret;
    if (ret == 0 && job->op == ISCSI_OP_READ) {
        blk_vec_scatter(job->vec, job->at, ticket->buf, ticket->len);
    }
    job->run_blocks = ticket->job.run_blocks;
    job->is_mapped = ticket->job.is_mapped;
    ticket_unref(ticket);
    return ret;
}
