/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The virtio SCSI host adapter. VirtIO 1.2 section 5.6; commands go to the SCSI bus (SAM-5).
 *
 * Queue 0 takes task management, queue 1 reports events, the others carry commands. A command that
 * asks to abort or reset waits until what is in flight has ended, so that it is over when it is
 * answered. Not offered: data in both directions at once, protection information.
 *
 * Thread: device lock held; with iothread= queues are handled and commands end on that thread,
 * which takes the lock (vit-iothread.h). */

#include "virtio-pci.h"

#include "scsi/scsi.h"
#include "vit-error.h"

#include <string.h>

#define SCSI_F_HOTPLUG (1ull << 1)
#define SCSI_F_CHANGE  (1ull << 2)

enum {
    QUEUE_CONTROL,
    QUEUE_EVENT,
    QUEUE_COMMANDS,
    QUEUES_AUTO = 0xffff,
    CONTROL_QUEUE_SIZE = 128,

    CONFIG_BYTES = 36,
    LUN_BYTES = 8,
    REQUEST_HEAD_BYTES = 19,  /* before the command block */
    RESPONSE_HEAD_BYTES = 12, /* before the sense data */
    CDB_DEFAULT = 32,
    SENSE_DEFAULT = 96,
    SIZE_MAX_BYTES = 252, /* of either */
    STOPPED_MAX = 1024,   /* commands an error stopped, that are saved */

    RESPONSE_OK = 0,
    RESPONSE_OVERRUN = 1,
    RESPONSE_BAD_TARGET = 3,
    RESPONSE_FAILURE = 9,
    RESPONSE_FUNCTION_COMPLETE = 0,
    RESPONSE_FUNCTION_REJECTED = 11,
    RESPONSE_INCORRECT_LUN = 12,

    TYPE_TASK_MANAGEMENT = 0,
    TMF_ABORT_TASK = 0,
    TMF_ABORT_TASK_SET = 1,
    TMF_CLEAR_TASK_SET = 3,
    TMF_NEXUS_RESET = 4,
    TMF_UNIT_RESET = 5,
    TMF_QUERY_TASK = 6,
    TMF_QUERY_TASK_SET = 7,

    EVENT_BYTES = 16,
    EVENT_NONE = 0,
    EVENT_TRANSPORT_RESET = 1,
    EVENT_PARAM_CHANGE = 3,
    EVENT_MISSED = 0x80000000,
    REASON_RESCAN = 1,
    REASON_REMOVED = 2,
};

typedef struct VirtioScsi {
    VirtioPci t; /* first */
    /* properties */
    VitIothread *iothread;
    uint32_t queues_wanted, queue_size, seg_max, max_sectors, cmd_per_lun;
    bool hotplug, param_change;
    /* the driver's */
    uint32_t cdb_size, sense_size;
    bool missed_events;
    /* commands that wait for the machine to go on, by their place in the rings */
    uint32_t stopped_count;
    uint16_t stopped_queue[STOPPED_MAX], stopped_at[STOPPED_MAX], stopped_id[STOPPED_MAX];
    /* wiring */
    uint16_t queues;
    ScsiBus bus;
} VirtioScsi;
VIT_DEVICE_LAYOUT(VirtioScsi)

typedef struct ScsiCommand {
    VirtioElement element; /* first */
    ScsiRequest request;
    uint64_t response_at[RESPONSE_HEAD_BYTES + SCSI_SENSE_BYTES]; /* guest address of each byte */
    uint64_t wanted_bytes;
} ScsiCommand;

static VirtioScsi *
scsi_of(Virtio *virtio)
{
    return VIRTIO_DEVICE(VirtioScsi, virtio);
}

static void
put16(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)value;
    out[1] = (uint8_t)(value >> 8);
}

static void
put32(uint8_t *out, uint32_t value)
{
    put16(out, value);
    put16(out + 2, value >> 16);
}

static uint32_t
get32(const uint8_t *in)
{
    return in[0] | in[1] << 8 | in[2] << 16 | (uint32_t)in[3] << 24;
}

/* ---- commands ---- */

/* Writes the response where its bytes were, before the data, and hands the buffer back. */
static void
respond(ScsiCommand *command, uint8_t response)
{
    VirtQueue *queue = command->element.queue;
    VirtioScsi *adapter = scsi_of(queue->virtio);
    ScsiRequest *request = &command->request;
    uint8_t head[RESPONSE_HEAD_BYTES + SCSI_SENSE_BYTES] = { 0 };
    uint64_t residual = command->wanted_bytes - MIN(request->moved_bytes, command->wanted_bytes);
    unsigned sense_len = response == RESPONSE_OK && request->has_sense
                             ? MIN(adapter->sense_size, SCSI_SENSE_BYTES)
                             : 0;

    put32(head, sense_len);
    put32(head + 4, response == RESPONSE_OK ? (uint32_t)residual : 0);
    head[10] = request->status;
    head[11] = response;
    memcpy(head + RESPONSE_HEAD_BYTES, request->sense, sense_len);
    for (unsigned i = 0; i < RESPONSE_HEAD_BYTES + sense_len; i++) {
        vit_dma_write8(queue->virtio->space, command->response_at[i], head[i]);
    }
    virtq_push(queue, &command->element,
               RESPONSE_HEAD_BYTES + adapter->sense_size +
                   (uint32_t)(request->in ? request->moved_bytes : 0));
    virtq_notify(queue);
}

static void
command_done(ScsiRequest *request)
{
    ScsiCommand *command = VIT_CONTAINER_OF(request, ScsiCommand, request);

    respond(command, RESPONSE_OK);
}

/* Target and LUN of the eight bytes; false where they are of another form. */
static bool
parse_lun(const uint8_t lun[LUN_BYTES], unsigned *out_target, unsigned *out_lun)
{
    if (lun[0] != 1) {
        return false;
    }
    *out_target = lun[1];
    *out_lun = (lun[2] << 8 | lun[3]) & 0x3fff;
    return lun[2] == 0 || lun[2] >> 6 == 1;
}

/* Takes header and response off the lists and keeps where the response goes. */
static bool
parse(VirtioScsi *adapter, ScsiCommand *command, uint8_t lun[LUN_BYTES])
{
    VirtioElement *element = &command->element;
    unsigned head_len = REQUEST_HEAD_BYTES + adapter->cdb_size;
    unsigned response_len = RESPONSE_HEAD_BYTES + adapter->sense_size;
    uint8_t head[REQUEST_HEAD_BYTES + SIZE_MAX_BYTES];

    if (vit_sg_read(&element->out, 0, head, head_len) < head_len ||
        element->in.len_bytes < response_len) {
        virtio_break(&adapter->t.virtio, "a SCSI request without room for command or response");
        return false;
    }
    for (unsigned i = 0; i < MIN(response_len, VIT_ARRAY_LEN(command->response_at)); i++) {
        command->response_at[i] = vit_sg_address_at(&element->in, i);
    }
    memcpy(lun, head, LUN_BYTES);
    memcpy(command->request.cdb, head + REQUEST_HEAD_BYTES, MIN(adapter->cdb_size, SCSI_CDB_MAX));
    vit_sg_drop_front(&element->out, head_len);
    vit_sg_drop_front(&element->in, response_len);
    return true;
}

static void
start_command(VirtioScsi *adapter, ScsiCommand *command, const uint8_t lun[LUN_BYTES], bool again)
{
    ScsiRequest *request = &command->request;
    VirtioElement *element = &command->element;
    unsigned target, unit;

    request->done = command_done;
    if (element->in.len_bytes && element->out.len_bytes) {
        respond(command, RESPONSE_FAILURE);
        return;
    }
    request->in = element->in.len_bytes ? &element->in : NULL;
    request->out = element->out.len_bytes ? &element->out : NULL;
    command->wanted_bytes = element->in.len_bytes + element->out.len_bytes;
    if (!parse_lun(lun, &target, &unit) ||
        !(again ? scsi_bus_repeat(&adapter->bus, 0, target, unit, request)
                : scsi_bus_start(&adapter->bus, 0, target, unit, request))) {
        respond(command, RESPONSE_BAD_TARGET);
    }
}

static void
handle_commands(VirtQueue *queue)
{
    VirtioScsi *adapter = scsi_of(queue->virtio);
    ScsiCommand *command;
    uint8_t lun[LUN_BYTES];

    do {
        virtq_set_kick(queue, false);
        while ((command = virtq_pop(queue, sizeof(*command)))) {
            if (!parse(adapter, command, lun)) {
                virtq_drop(&command->element);
                return;
            }
            start_command(adapter, command, lun, false);
        }
        virtq_set_kick(queue, true);
    } while (!virtq_is_empty(queue));
}

/* ---- stopped commands ---- */

static void
adapter_pre_save(VitDevice *dev)
{
    VirtioScsi *adapter = (VirtioScsi *)dev;
    unsigned n = 0;

    memset(adapter->stopped_queue, 0, sizeof(adapter->stopped_queue));
    memset(adapter->stopped_at, 0, sizeof(adapter->stopped_at));
    memset(adapter->stopped_id, 0, sizeof(adapter->stopped_id));
    for (guint i = 0; i < adapter->bus.bus.devices->len; i++) {
        const ScsiDevice *scsi = adapter->bus.bus.devices->pdata[i];
        for (ScsiRequest *request = scsi->stopped; request && n < STOPPED_MAX;
             request = request->next, n++) {
            const VirtioElement *element =
                &VIT_CONTAINER_OF(request, ScsiCommand, request)->element;
            adapter->stopped_queue[n] = element->queue->index;
            adapter->stopped_at[n] = element->at;
            adapter->stopped_id[n] = element->id;
        }
    }
    adapter->stopped_count = n;
}

/* Finds the stopped commands in the rings again and repeats them. */
static bool
load_stopped(VirtioScsi *adapter)
{
    for (unsigned n = 0; n < adapter->stopped_count; n++) {
        ScsiCommand *command;
        uint8_t lun[LUN_BYTES];

        if (adapter->stopped_queue[n] < QUEUE_COMMANDS ||
            adapter->stopped_queue[n] >= QUEUE_COMMANDS + adapter->queues) {
            return false;
        }
        command = virtq_refetch(&adapter->t.virtio.queues[adapter->stopped_queue[n]],
                                adapter->stopped_at[n], adapter->stopped_id[n], sizeof(*command));
        if (!command) {
            return false;
        }
        if (!parse(adapter, command, lun)) {
            virtq_drop(&command->element);
            return false;
        }
        start_command(adapter, command, lun, true);
    }
    adapter->stopped_count = 0;
    return true;
}

/* ---- task management ---- */

static void
reset_target(VirtioScsi *adapter, unsigned target)
{
    for (guint i = 0; i < adapter->bus.bus.devices->len; i++) {
        ScsiDevice *scsi = adapter->bus.bus.devices->pdata[i];
        if (scsi->target == (int)target) {
            scsi_device_reset_unit(scsi);
        }
    }
}

static uint8_t
manage_task(VirtioScsi *adapter, const uint8_t *order)
{
    unsigned target, unit;
    ScsiDevice *scsi;

    if (!parse_lun(order + 8, &target, &unit) || !scsi_bus_find(&adapter->bus, 0, target, -1)) {
        return RESPONSE_BAD_TARGET;
    }
    if (get32(order + 4) == TMF_NEXUS_RESET) {
        reset_target(adapter, target);
        return RESPONSE_FUNCTION_COMPLETE;
    }
    scsi = scsi_bus_find(&adapter->bus, 0, target, (int)unit);
    if (!scsi) {
        return RESPONSE_INCORRECT_LUN;
    }
    switch (get32(order + 4)) {
    case TMF_ABORT_TASK:
    case TMF_ABORT_TASK_SET:
    case TMF_CLEAR_TASK_SET: scsi_device_purge(scsi); return RESPONSE_FUNCTION_COMPLETE;
    case TMF_UNIT_RESET: scsi_device_reset_unit(scsi); return RESPONSE_FUNCTION_COMPLETE;
    case TMF_QUERY_TASK: /* all that came before has ended, or will at once: not there */
    case TMF_QUERY_TASK_SET: return RESPONSE_FUNCTION_COMPLETE;
    default: return RESPONSE_FUNCTION_REJECTED;
    }
}

static void
handle_control(VirtQueue *queue)
{
    VirtioScsi *adapter = scsi_of(queue->virtio);
    VirtioElement *element;

    while ((element = virtq_pop(queue, sizeof(*element)))) {
        uint8_t order[24] = { 0 }, answer[5] = { 0 };
        uint64_t len = vit_sg_read(&element->out, 0, order, sizeof(order));

        if (len < 4 || element->in.len_bytes < 1) {
            virtio_break(queue->virtio, "a control request that is too short");
            virtq_drop(element);
            return;
        }
        if (get32(order) == TYPE_TASK_MANAGEMENT) {
            answer[0] = len < sizeof(order) ? RESPONSE_FAILURE : manage_task(adapter, order);
            len = vit_sg_write(&element->in, 0, answer, 1);
        } else {
            /* asynchronous notifications: none of the events asked for is there */
            len = vit_sg_write(&element->in, 0, answer, sizeof(answer));
        }
        virtq_push(queue, element, (uint32_t)len);
        virtq_notify(queue);
    }
}

/* ---- events ---- */

static void
push_event(VirtioScsi *adapter, const ScsiDevice *scsi, uint32_t event, uint32_t reason)
{
    VirtQueue *queue = &adapter->t.virtio.queues[QUEUE_EVENT];
    VirtioElement *element;
    uint8_t bytes[EVENT_BYTES] = { 0 };

    if (!(adapter->t.virtio.status & VIRTIO_STATUS_DRIVER_OK) || !virtq_is_ready(queue)) {
        return;
    }
    element = virtq_pop(queue, sizeof(*element));
    if (!element) {
        adapter->missed_events = true;
        return;
    }
    put32(bytes, event | (adapter->missed_events ? EVENT_MISSED : 0));
    adapter->missed_events = false;
    if (scsi) {
        bytes[4] = 1;
        bytes[5] = (uint8_t)scsi->target;
        bytes[6] = (uint8_t)(scsi->lun < 256 ? 0 : 0x40 | scsi->lun >> 8);
        bytes[7] = (uint8_t)scsi->lun;
    }
    put32(bytes + 12, reason);
    virtq_push(queue, element, (uint32_t)vit_sg_write(&element->in, 0, bytes, sizeof(bytes)));
    virtq_notify(queue);
}

static void
handle_events(VirtQueue *queue)
{
    VirtioScsi *adapter = scsi_of(queue->virtio);

    if (adapter->missed_events) {
        push_event(adapter, NULL, EVENT_NONE, 0);
    }
}

/* Its drive ends requests where the adapter's queues are handled. */
static void
place_drive(VirtioScsi *adapter, ScsiDevice *scsi, bool added)
{
    if (adapter->iothread && scsi->drive->ops->set_iothread) {
        scsi->drive->ops->set_iothread(scsi->drive, added ? adapter->iothread : NULL);
    }
}

static void
unit_event(ScsiBus *bus, ScsiDevice *scsi, ScsiEvent event, uint16_t attention)
{
    VirtioScsi *adapter = VIT_CONTAINER_OF(bus, VirtioScsi, bus);

    switch (event) {
    case SCSI_EVENT_ADDED:
    case SCSI_EVENT_REMOVED:
        place_drive(adapter, scsi, event == SCSI_EVENT_ADDED);
        if (virtio_has(&adapter->t.virtio, SCSI_F_HOTPLUG)) {
            push_event(adapter, scsi, EVENT_TRANSPORT_RESET,
                       event == SCSI_EVENT_ADDED ? REASON_RESCAN : REASON_REMOVED);
        }
        break;
    case SCSI_EVENT_CHANGED:
        if (virtio_has(&adapter->t.virtio, SCSI_F_CHANGE)) {
            push_event(adapter, scsi, EVENT_PARAM_CHANGE,
                       (uint32_t)(attention >> 8 | (attention & 0xff) << 8));
        }
        break;
    }
}

static const ScsiHostOps host_ops = {
    .max_target = SCSI_TARGET_MAX,
    .max_lun = SCSI_LUN_MAX,
    .event = unit_event,
};

/* ---- the device ---- */

static uint64_t
get_features(Virtio *virtio)
{
    VirtioScsi *adapter = scsi_of(virtio);

    return (adapter->hotplug ? SCSI_F_HOTPLUG : 0) | (adapter->param_change ? SCSI_F_CHANGE : 0);
}

static void
read_config(Virtio *virtio, uint8_t *out)
{
    VirtioScsi *adapter = scsi_of(virtio);

    put32(out, adapter->queues);
    put32(out + 4, adapter->seg_max);
    put32(out + 8, adapter->max_sectors);
    put32(out + 12, adapter->cmd_per_lun);
    put32(out + 16, EVENT_BYTES);
    put32(out + 20, adapter->sense_size);
    put32(out + 24, adapter->cdb_size);
    put16(out + 28, 0); /* channels */
    put16(out + 30, SCSI_TARGET_MAX);
    put32(out + 32, SCSI_LUN_MAX);
}

static void
write_config(Virtio *virtio, unsigned at, unsigned len, const uint8_t *data)
{
    VirtioScsi *adapter = scsi_of(virtio);
    uint32_t sense_size = get32(data + 20), cdb_size = get32(data + 24);

    if (sense_size > SIZE_MAX_BYTES || cdb_size > SIZE_MAX_BYTES || cdb_size < SCSI_CDB_MAX) {
        vit_guest_error(virtio->dev, "sense_size=%u cdb_size=%u are not possible", sense_size,
                        cdb_size);
        return;
    }
    adapter->sense_size = sense_size;
    adapter->cdb_size = cdb_size;
}

static void
adapter_reset(Virtio *virtio)
{
    VirtioScsi *adapter = scsi_of(virtio);

    for (guint i = 0; adapter->bus.bus.devices && i < adapter->bus.bus.devices->len; i++) {
        scsi_device_reset_unit(adapter->bus.bus.devices->pdata[i]);
    }
    adapter->cdb_size = CDB_DEFAULT;
    adapter->sense_size = SENSE_DEFAULT;
    adapter->missed_events = false;
    adapter->stopped_count = 0;
}

static void
queue_reset(VirtQueue *queue)
{
    VirtioScsi *adapter = scsi_of(queue->virtio);

    for (guint i = 0; queue->index >= QUEUE_COMMANDS && i < adapter->bus.bus.devices->len; i++) {
        scsi_device_purge(adapter->bus.bus.devices->pdata[i]);
    }
}

static bool
adapter_realize(Virtio *virtio, GError **error)
{
    VirtioScsi *adapter = scsi_of(virtio);
    uint32_t queues = adapter->queues_wanted == QUEUES_AUTO ? 1 : adapter->queues_wanted;

    if (queues > VIRTIO_MAX_QUEUES - QUEUE_COMMANDS ||
        (adapter->queue_size & (adapter->queue_size - 1))) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "%s: num_queues=%u virtqueue_size=%u: there can be %u queues, and their size "
                    "is a power of two.",
                    virtio->dev->kind->name, queues, adapter->queue_size,
                    VIRTIO_MAX_QUEUES - QUEUE_COMMANDS);
        return false;
    }
    adapter->queues = (uint16_t)queues;
    virtio_add_queue(virtio, CONTROL_QUEUE_SIZE, handle_control);
    virtio_add_queue(virtio, CONTROL_QUEUE_SIZE, handle_events);
    for (unsigned i = 0; i < adapter->queues; i++) {
        virtio_add_queue(virtio, adapter->queue_size, handle_commands);
    }
    g_autofree char *name = virtio->dev->id
                                ? g_strdup_printf("%s.0", virtio->dev->id)
                                : g_strdup_printf("scsi.%u", virtio->dev->platform->scsi_buses++);
    scsi_bus_init(&adapter->bus, name, virtio->dev, virtio->dev->platform, &host_ops);
    adapter->bus.bus.hotplug = true;
    virtio_use_iothread(virtio, adapter->iothread);
    return true;
}

static void
adapter_unrealize(Virtio *virtio)
{
    scsi_bus_finish(&scsi_of(virtio)->bus);
}

static bool
adapter_post_load(VitDevice *dev, unsigned version, GError **error)
{
    VirtioScsi *adapter = (VirtioScsi *)dev;

    if (adapter->cdb_size > SIZE_MAX_BYTES || adapter->cdb_size < SCSI_CDB_MAX ||
        adapter->sense_size > SIZE_MAX_BYTES) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "saved state of %s: sizes of command and sense data are impossible", dev->path);
        return false;
    }
    if (!virtio_pci_post_load(dev, version, error)) {
        return false;
    }
    if (adapter->stopped_count > STOPPED_MAX || !load_stopped(adapter)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "saved state of %s: its waiting commands are not in its queues", dev->path);
        return false;
    }
    return true;
}

static const VirtioOps scsi_ops = {
    .device_type = 8,
    .legacy_device = 0x1004,
    .config_len = CONFIG_BYTES,
    .get_features = get_features,
    .read_config = read_config,
    .write_config = write_config,
    .reset = adapter_reset,
    .queue_reset = queue_reset,
};

static const VitProp props[] = {
    VIT_PROP_BACKEND(VirtioScsi, iothread, "iothread", VIT_PROP_TYPE_IOTHREAD,
                     VIT_N_("Object iothread that does the I/O of the adapter's units")),
    VIT_PROP_UINT(VirtioScsi, queues_wanted, "num_queues", QUEUES_AUTO, 1, QUEUES_AUTO,
                  VIT_N_("Command queues; 65535 chooses")),
    VIT_PROP_UINT(VirtioScsi, queue_size, "virtqueue_size", 256, 4, VIRTIO_QUEUE_SIZE_MAX,
                  VIT_N_("Entries of a command queue, a power of two")),
    VIT_PROP_UINT(VirtioScsi, seg_max, "seg_max", 126, 1, VIRTIO_QUEUE_SIZE_MAX - 2,
                  VIT_N_("Most segments of a command")),
    VIT_PROP_UINT(VirtioScsi, max_sectors, "max_sectors", 65535, 1, INT32_MAX,
                  VIT_N_("Longest transfer, in sectors")),
    VIT_PROP_UINT(VirtioScsi, cmd_per_lun, "cmd_per_lun", 128, 1, INT32_MAX,
                  VIT_N_("Commands a unit takes at once")),
    VIT_PROP_BOOL(VirtioScsi, hotplug, "hotplug", true, VIT_N_("Tells of units that come and go")),
    VIT_PROP_BOOL(VirtioScsi, param_change, "param_change", true,
                  VIT_N_("Tells of units that change")),
    VIRTIO_PCI_PROPS(VirtioScsi, t),
    { 0 },
};

static const VitField state[] = {
    VIRTIO_PCI_STATE(VirtioScsi, t),
    VIT_FIELD(VirtioScsi, cdb_size),
    VIT_FIELD(VirtioScsi, sense_size),
    VIT_FIELD(VirtioScsi, missed_events),
    VIT_FIELD(VirtioScsi, stopped_count),
    VIT_FIELD_ARRAY(VirtioScsi, stopped_queue),
    VIT_FIELD_ARRAY(VirtioScsi, stopped_at),
    VIT_FIELD_ARRAY(VirtioScsi, stopped_id),
    VIT_TRANSIENT(VirtioScsi, queues), /* of the property */
    VIT_TRANSIENT(VirtioScsi, bus),    /* wiring */
    { 0 },
};

static const VirtioPciInfo as_told =
    VIRTIO_PCI_INFO(VIRTIO_PCI_AS_TOLD, &scsi_ops, adapter_realize, adapter_unrealize, 0x0100);
static const VirtioPciInfo transitional =
    VIRTIO_PCI_INFO(VIRTIO_PCI_TRANSITIONAL, &scsi_ops, adapter_realize, adapter_unrealize, 0x0100);
static const VirtioPciInfo modern =
    VIRTIO_PCI_INFO(VIRTIO_PCI_MODERN, &scsi_ops, adapter_realize, adapter_unrealize, 0x0100);

static const char *const aliases[] = { "virtio-scsi", NULL };

const VitDeviceKind vit_virtio_scsi_pci_kind =
    VIRTIO_PCI_KIND(VirtioScsi, "virtio-scsi-pci", VIT_N_("Virtio SCSI host adapter"),
                    VIT_CATEGORY_STORAGE, props, state, as_told, .aliases = aliases,
                    .post_load = adapter_post_load, .pre_save = adapter_pre_save);
const VitDeviceKind vit_virtio_scsi_pci_transitional_kind = VIRTIO_PCI_KIND(
    VirtioScsi, "virtio-scsi-pci-transitional",
    VIT_N_("Virtio SCSI host adapter, legacy and modern interface"), VIT_CATEGORY_STORAGE, props,
    state, transitional, .post_load = adapter_post_load, .pre_save = adapter_pre_save);
const VitDeviceKind vit_virtio_scsi_pci_non_transitional_kind = VIRTIO_PCI_KIND(
    VirtioScsi, "virtio-scsi-pci-non-transitional",
    VIT_N_("Virtio SCSI host adapter, modern interface only"), VIT_CATEGORY_STORAGE, props, state,
    modern, .post_load = adapter_post_load, .pre_save = adapter_pre_save);
