/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Phases of targets on a parallel bus; see the header. SPI-4 sections 10.1 (phases) and 16
 * (messages), SPC-4 6.39 (REQUEST SENSE). Data goes through a buffer: what a command moves is known
 * by its command block (scsi_cdb_len()), and controllers take it in pieces of their own.
 *
 * SeaBIOS sends 16 bytes of command whatever it is, and a message without having raised ATN: bytes
 * beyond a command are taken, and MESSAGE OUT may be where a command is awaited.
 * Deviations: no disconnecting, no queueing, no parity. Of a transfer under way only the place is
 * saved: after loading the command ends as aborted, and its initiator repeats it. One that an error
 * stopped before any data went is carried out again.
 * Thread: device lock held. */

#include "scsi-parallel.h"

#include <string.h>

enum {
    MESSAGE_COMPLETE = 0x00,
    MESSAGE_EXTENDED = 0x01,
    MESSAGE_ABORT = 0x06,
    MESSAGE_REJECT = 0x07,
    MESSAGE_NOTHING = 0x08,
    MESSAGE_DEVICE_RESET = 0x0c,
    MESSAGE_ABORT_TAG = 0x0d,
    MESSAGE_CLEAR_QUEUE = 0x0e,
    MESSAGE_TAG_FIRST = 0x20,
    MESSAGE_TAG_LAST = 0x23, /* and IGNORE WIDE RESIDUE: two bytes */
    MESSAGE_IDENTIFY = 0x80,

    OP_REQUEST_SENSE = 0x03,
    DATA_MAX_BYTES = 64 << 20,
};

static void
drop_data(ScsiParallel *parallel)
{
    g_clear_pointer(&parallel->data, g_free);
    parallel->data_len = parallel->data_at = 0;
}

static void
free_bus(ScsiParallel *parallel)
{
    drop_data(parallel);
    parallel->phase = SCSI_BUS_FREE;
    parallel->cdb_len = parallel->message_len = 0;
    parallel->ends = false;
}

static void
say(ScsiParallel *parallel, uint8_t message, bool ends)
{
    parallel->answer = message;
    parallel->ends = ends;
    parallel->phase = SCSI_MESSAGE_IN;
}

/* ---- commands ---- */

static uint8_t *
sense_of(ScsiParallel *parallel, unsigned target)
{
    return parallel->sense + (size_t)target * SCSI_SENSE_BYTES;
}

static void
free_request(ScsiRequest *request)
{
    VitSg *sg = request->in ? request->in : request->out;

    if (sg) {
        vit_sg_finish(sg, request->in ? request->moved_bytes : 0);
        g_free(sg);
    }
    g_free(request);
}

static void
finish_command(ScsiParallel *parallel, uint8_t status)
{
    parallel->status = status;
    parallel->phase = parallel->data_at < parallel->data_len ? SCSI_DATA_IN : SCSI_STATUS;
}

typedef struct ParallelRequest {
    ScsiRequest request; /* first */
    ScsiParallel *parallel;
} ParallelRequest;

static void
request_done(ScsiRequest *request)
{
    ScsiParallel *parallel = ((ParallelRequest *)request)->parallel;
    bool is_ours = parallel->request == request; /* a reset lets go of what it ends */

    if (is_ours) {
        parallel->request = NULL;
        parallel->has_sense &= (uint16_t) ~(1u << parallel->target);
        if (request->has_sense) {
            parallel->has_sense |= (uint16_t)(1u << parallel->target);
            memcpy(sense_of(parallel, parallel->target), request->sense, SCSI_SENSE_BYTES);
        }
        parallel->data_at = 0;
        parallel->data_len = request->in ? (uint32_t)request->moved_bytes : 0;
    }
    uint8_t status = request->status;
    free_request(request);
    if (is_ours) {
        finish_command(parallel, status);
        parallel->changed(parallel->opaque);
    }
}

static void
run_command(ScsiParallel *parallel, bool again)
{
    ParallelRequest *own = g_new0(ParallelRequest, 1);
    ScsiRequest *request = &own->request;
    bool to_device;

    own->parallel = parallel;
    memcpy(request->cdb, parallel->cdb, sizeof(request->cdb));
    request->done = request_done;
    scsi_cdb_len(parallel->cdb, 1, &to_device);
    if (parallel->data_len > 0) {
        VitSg *sg = g_new0(VitSg, 1);
        vit_sg_init(sg, NULL, !to_device);
        vit_sg_add_host(sg, parallel->data, parallel->data_len);
        *(to_device ? &request->out : &request->in) = sg;
    }
    parallel->phase = SCSI_WORKING;
    parallel->request = request;
    if (!(again ? scsi_bus_repeat(parallel->bus, 0, parallel->target, parallel->lun, request)
                : scsi_bus_start(parallel->bus, 0, parallel->target, parallel->lun, request))) {
        parallel->request = NULL;
        free_request(request);
        free_bus(parallel); /* it has been pulled out */
        parallel->changed(parallel->opaque);
    }
}

/* Sense data that the last command left; commands after it take it away. */
static bool
answer_sense(ScsiParallel *parallel)
{
    uint16_t bit = (uint16_t)(1u << parallel->target);

    if (parallel->cdb[0] != OP_REQUEST_SENSE || !(parallel->has_sense & bit)) {
        return false;
    }
    parallel->has_sense &= (uint16_t)~bit;
    parallel->data_len = MIN(parallel->cdb[4], SCSI_SENSE_BYTES);
    parallel->data = g_memdup2(sense_of(parallel, parallel->target), SCSI_SENSE_BYTES);
    finish_command(parallel, SCSI_GOOD);
    return true;
}

static void
start_command(ScsiParallel *parallel)
{
    const ScsiDevice *scsi = scsi_bus_find(parallel->bus, 0, parallel->target, parallel->lun);
    uint64_t len;
    bool to_device;

    drop_data(parallel);
    if (answer_sense(parallel)) {
        return;
    }
    len = scsi_cdb_len(parallel->cdb, scsi ? scsi->block_bytes : 512, &to_device);
    if (len > 0) {
        parallel->data = len <= DATA_MAX_BYTES ? g_try_malloc0(len) : NULL;
        if (!parallel->data) {
            finish_command(parallel, SCSI_BUSY);
            return;
        }
    }
    parallel->data_len = (uint32_t)len;
    if (to_device && len > 0) {
        parallel->phase = SCSI_DATA_OUT;
    } else {
        run_command(parallel, false);
    }
}

/* ---- messages ---- */

static void
reset_target(ScsiParallel *parallel)
{
    for (guint i = 0; parallel->bus->bus.devices && i < parallel->bus->bus.devices->len; i++) {
        ScsiDevice *scsi = parallel->bus->bus.devices->pdata[i];
        if (scsi->target == parallel->target) {
            scsi_device_reset_unit(scsi);
        }
    }
}

void
scsi_parallel_end_message(ScsiParallel *parallel)
{
    const uint8_t *message = parallel->message;
    unsigned len = parallel->message_len, used;
    bool is_rejected = false;

    if (parallel->phase != SCSI_MESSAGE_OUT || len == 0) {
        return;
    }
    parallel->message_len = 0;
    for (unsigned at = 0; at < len; at += used) {
        uint8_t code = message[at];
        used = 1;
        if (code & MESSAGE_IDENTIFY) {
            parallel->lun = code & 7;
        } else if (code == MESSAGE_EXTENDED) {
            used = at + 1 < len ? 2u + (message[at + 1] ? message[at + 1] : 256u) : 2;
            is_rejected = true;
        } else if (code >= MESSAGE_TAG_FIRST && code <= MESSAGE_TAG_LAST) {
            used = 2;
        } else if (code == MESSAGE_DEVICE_RESET || code == MESSAGE_ABORT ||
                   code == MESSAGE_ABORT_TAG || code == MESSAGE_CLEAR_QUEUE) {
            if (code == MESSAGE_DEVICE_RESET) {
                reset_target(parallel);
            }
            free_bus(parallel);
            return;
        } else {
            is_rejected |= code < 0x05 || code > 0x09;
        }
    }
    parallel->phase = SCSI_COMMAND;
    if (is_rejected) {
        say(parallel, MESSAGE_REJECT, false);
    }
}

void
scsi_parallel_expect_message(ScsiParallel *parallel)
{
    if (parallel->phase == SCSI_COMMAND && parallel->cdb_len == 0) {
        parallel->phase = SCSI_MESSAGE_OUT;
    }
}

/* ---- the bus ---- */

bool
scsi_parallel_select(ScsiParallel *parallel, unsigned target, bool attention)
{
    if (target >= SCSI_PARALLEL_TARGETS || !scsi_bus_find(parallel->bus, 0, target, -1)) {
        return false;
    }
    free_bus(parallel);
    parallel->target = (uint8_t)target;
    parallel->lun = 0;
    parallel->phase = attention ? SCSI_MESSAGE_OUT : SCSI_COMMAND;
    return true;
}

/* Copies to ROOM bytes that have AT of them already. */
static uint32_t
fill(uint8_t *out, uint32_t at, uint32_t room, const uint8_t *bytes, uint32_t len)
{
    uint32_t taken = MIN(len, room - at);

    memcpy(out + at, bytes, taken);
    return taken;
}

uint32_t
scsi_parallel_put(ScsiParallel *parallel, const uint8_t *bytes, uint32_t len)
{
    uint32_t taken = 0;

    switch (parallel->phase) {
    case SCSI_MESSAGE_OUT:
        parallel->message_len +=
            (uint8_t)fill(parallel->message, parallel->message_len, SCSI_MESSAGE_BYTES, bytes, len);
        return len; /* longer ones have nothing to say to our targets */
    case SCSI_COMMAND: {
        uint8_t opcode = parallel->cdb_len ? parallel->cdb[0] : bytes[0];
        unsigned need = scsi_cdb_bytes(opcode);
        taken = fill(parallel->cdb, parallel->cdb_len, need, bytes, len);
        parallel->cdb_len += (uint8_t)taken;
        /* Nobody knows how long those of vendors are. */
        if (parallel->cdb_len == need || opcode >= 0xc0) {
            memset(parallel->cdb + parallel->cdb_len, 0, SCSI_CDB_MAX - parallel->cdb_len);
            start_command(parallel);
            return len;
        }
        return taken;
    }
    case SCSI_DATA_OUT:
        taken = fill(parallel->data, parallel->data_at, parallel->data_len, bytes, len);
        parallel->data_at += taken;
        if (parallel->data_at == parallel->data_len) {
            run_command(parallel, false);
        }
        return taken;
    default: return 0;
    }
}

uint32_t
scsi_parallel_get(ScsiParallel *parallel, uint8_t *bytes, uint32_t len)
{
    uint32_t taken;

    if (len == 0) {
        return 0;
    }
    switch (parallel->phase) {
    case SCSI_DATA_IN:
        taken = MIN(len, parallel->data_len - parallel->data_at);
        memcpy(bytes, parallel->data + parallel->data_at, taken);
        parallel->data_at += taken;
        if (parallel->data_at == parallel->data_len) {
            parallel->phase = SCSI_STATUS;
        }
        return taken;
    case SCSI_STATUS:
        bytes[0] = parallel->status;
        say(parallel, MESSAGE_COMPLETE, true);
        return 1;
    case SCSI_MESSAGE_IN: bytes[0] = parallel->answer; return 1;
    default: return 0;
    }
}

void
scsi_parallel_acknowledge(ScsiParallel *parallel)
{
    if (parallel->phase != SCSI_MESSAGE_IN) {
        return;
    }
    if (parallel->ends) {
        free_bus(parallel);
    } else {
        parallel->phase = SCSI_COMMAND;
    }
}

void
scsi_parallel_reset(ScsiParallel *parallel)
{
    parallel->request = NULL; /* what its unit ends now is nobody's */
    for (guint i = 0; parallel->bus->bus.devices && i < parallel->bus->bus.devices->len; i++) {
        scsi_device_reset_unit(parallel->bus->bus.devices->pdata[i]);
    }
    parallel->has_sense = 0;
    memset(parallel->sense, 0, sizeof(parallel->sense));
    free_bus(parallel);
    parallel->target = parallel->lun = parallel->status = parallel->answer = 0;
    memset(parallel->cdb, 0, sizeof(parallel->cdb));
    memset(parallel->message, 0, sizeof(parallel->message));
}

void
scsi_parallel_init(ScsiParallel *parallel, ScsiBus *bus, void (*changed)(void *opaque),
                   void *opaque)
{
    parallel->bus = bus;
    parallel->changed = changed;
    parallel->opaque = opaque;
    parallel->phase = SCSI_BUS_FREE;
}

static void
abort_command(ScsiParallel *parallel)
{
    parallel->has_sense |= (uint16_t)(1u << parallel->target);
    scsi_fill_sense(sense_of(parallel, parallel->target), SENSE_ABORTED_COMMAND, ASC_NONE);
    drop_data(parallel);
    finish_command(parallel, SCSI_CHECK_CONDITION);
}

bool
scsi_parallel_loaded(ScsiParallel *parallel)
{
    bool to_device;

    g_clear_pointer(&parallel->data, g_free);
    parallel->request = NULL;
    if (parallel->phase > SCSI_BUS_FREE || parallel->phase == 4 || parallel->phase == 5 ||
        parallel->target >= SCSI_PARALLEL_TARGETS || parallel->cdb_len > SCSI_CDB_MAX ||
        parallel->message_len > SCSI_MESSAGE_BYTES) {
        free_bus(parallel);
        return false;
    }
    scsi_cdb_len(parallel->cdb, 1, &to_device);
    if (parallel->phase == SCSI_WORKING && (parallel->data_len == 0 || !to_device)) {
        parallel->data_len = MIN(parallel->data_len, DATA_MAX_BYTES);
        parallel->data = g_malloc0(parallel->data_len);
        run_command(parallel, true);
    } else if (parallel->phase <= SCSI_DATA_IN || parallel->phase == SCSI_WORKING) {
        abort_command(parallel);
    }
    return true;
}

const VitField scsi_parallel_state[] = {
    VIT_FIELD(ScsiParallel, phase),         VIT_FIELD(ScsiParallel, target),
    VIT_FIELD(ScsiParallel, lun),           VIT_FIELD(ScsiParallel, status),
    VIT_FIELD_BYTES(ScsiParallel, cdb),     VIT_FIELD(ScsiParallel, cdb_len),
    VIT_FIELD_BYTES(ScsiParallel, message), VIT_FIELD(ScsiParallel, message_len),
    VIT_FIELD(ScsiParallel, answer),        VIT_FIELD(ScsiParallel, ends),
    VIT_FIELD(ScsiParallel, data_len),      VIT_FIELD(ScsiParallel, data_at),
    VIT_FIELD(ScsiParallel, has_sense),     VIT_FIELD_BYTES(ScsiParallel, sense),
    VIT_TRANSIENT(ScsiParallel, data), /* see above */
    VIT_TRANSIENT(ScsiParallel, bus),  /* wiring */
    VIT_TRANSIENT(ScsiParallel, request),   VIT_TRANSIENT(ScsiParallel, changed),
    VIT_TRANSIENT(ScsiParallel, opaque),    { 0 },
};
