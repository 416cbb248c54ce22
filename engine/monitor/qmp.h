/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The machine monitor (QMP): commands as const rows, from which argument checks and introspection
 * follow. Thread: device lock held. */

#include <json-glib/json-glib.h>

#include "monitor-private.h"

/* ---- framing: where one JSON value ends in a stream of bytes (qmp-framer.c) ---- */

enum { QMP_MESSAGE_MAX = 8 << 20, QMP_DEPTH_MAX = 256 };

typedef struct QmpFramer {
    GString *text;  /* of the value so far; single quotes have become double ones */
    unsigned depth; /* of brackets */
    char quote;     /* inside a string: its quote, else 0 */
    bool in_escape;
    bool in_word; /* a bare word at the top, such as a number */
    bool too_big; /* the rest of the value is skipped */
} QmpFramer;

void qmp_framer_init(QmpFramer *framer);
void qmp_framer_finish(QmpFramer *framer);
void qmp_framer_reset(QmpFramer *framer);
/* Calls FUNC with each complete value; TEXT NULL: it was too big or too deep. */
void qmp_framer_feed(QmpFramer *framer, const uint8_t *buf, size_t len,
                     void (*func)(void *opaque, const char *text), void *opaque);

/* ---- writing (qmp-writer.c): ASCII, "key": value, pretty over several lines ---- */

void qmp_write(GString *out, JsonNode *node, bool pretty);

/* ---- commands ---- */

typedef enum QmpType {
    QMP_END,
    QMP_STRING,
    QMP_INT,
    QMP_NUMBER,
    QMP_BOOL,
    QMP_ENUM,   /* values */
    QMP_OBJECT, /* members */
    QMP_ARRAY,  /* of `element`, with values or members as that needs */
    QMP_ANY,
} QmpType;

typedef struct QmpMember QmpMember;
struct QmpMember {
    const char *name;
    QmpType type;
    bool optional;
    QmpType element;
    const char *const *values; /* NULL-terminated */
    const QmpMember *members;  /* ends with QMP_END */
};

typedef struct QmpCommand QmpCommand;

typedef struct QmpCall {
    VitMonitors *monitors;
    const QmpCommand *command;
    JsonObject *args; /* checked against the row */
} QmpCall;

struct QmpCommand {
    const char *name;
    const char *help;
    const QmpMember *args; /* NULL: none */
    /* Returns the value, or NULL with ERROR set. NULL: this version does not have it. */
    JsonNode *(*run)(QmpCall *call, GError **error);
    const char *absent; /* instead of "not available yet", why not */
};

typedef struct QmpEvent {
    const char *name;
    const char *help;
    unsigned min_gap_ms; /* more often than that, the last one is sent later */
    const char *of;      /* ... of those whose data has the same here; NULL: of all */
} QmpEvent;

/* Both end with a NULL name. */
extern const QmpCommand qmp_commands[];
extern const QmpEvent qmp_events[];

const QmpCommand *qmp_find(const char *name);
const QmpEvent *qmp_find_event(const char *name);
/* qmp-args.c: names, types, values. False with ERROR. ARGS may be NULL. */
bool qmp_check_args(const QmpMember *members, JsonObject *args, GError **error);
/* Shorthands for checked arguments. */
const char *qmp_string(const QmpCall *call, const char *name); /* NULL when not given */
int64_t qmp_int(const QmpCall *call, const char *name, int64_t def);
bool qmp_bool(const QmpCall *call, const char *name, bool def);
JsonNode *qmp_node(const QmpCall *call, const char *name); /* NULL when not given */

/* Values to return. */
JsonNode *qmp_empty(void);
JsonNode *qmp_object(JsonObject *object /* taken */);
JsonNode *qmp_array(JsonArray *array /* taken */);
/* qmp_empty() where OK. */
JsonNode *qmp_done(bool ok);

/* qmp-session.c: runs one request outside any session. Ownership: caller. */
char *qmp_run_text(VitMonitors *monitors, const char *request);

/* ---- handlers, by file ---- */

typedef JsonNode *QmpHandler(QmpCall *call, GError **error);

/* qmp-run.c */
QmpHandler qmp_capabilities, qmp_stop, qmp_cont, qmp_quit, qmp_system_reset, qmp_system_powerdown,
    qmp_system_wakeup, qmp_inject_nmi, qmp_human_monitor_command, qmp_memsave, qmp_pmemsave,
    qmp_screendump, qmp_set_link, qmp_chardev_send_break, qmp_ringbuf_read, qmp_ringbuf_write;
QmpHandler qmp_query_iothreads, qmp_qom_get, qmp_qom_set; /* mon-iothreads.c */
/* qmp-input.c */
QmpHandler qmp_send_key, qmp_input_send_event, qmp_query_mice;
/* qmp-media.c */
QmpHandler qmp_device_add, qmp_device_del, qmp_balloon, qmp_query_balloon;
QmpHandler qmp_eject, qmp_blockdev_change_medium, qmp_blockdev_open_tray, qmp_blockdev_close_tray,
    qmp_blockdev_remove_medium;
/* qmp-block.c: passed on to the machine, with the arguments of its commands */
QmpHandler qmp_block;
extern const QmpMember qmp_any_args[], qmp_node_name_args[], qmp_query_blockstats_args[],
    qmp_blockdev_reopen_args[], qmp_blockdev_create_args[], qmp_blockdev_amend_args[],
    qmp_insert_medium_args[], qmp_blockdev_change_args[], qmp_block_resize_args[],
    qmp_io_throttle_args[], qmp_snapshot_args[], qmp_snapshot_sync_args[],
    qmp_snapshot_internal_args[], qmp_snapshot_delete_args[], qmp_block_stream_args[],
    qmp_block_commit_args[], qmp_blockdev_mirror_args[], qmp_drive_mirror_args[],
    qmp_blockdev_backup_args[], qmp_drive_backup_args[], qmp_block_job_args[],
    qmp_block_job_cancel_args[], qmp_block_job_speed_args[], qmp_job_args[], qmp_bitmap_args[],
    qmp_bitmap_add_args[], qmp_bitmap_merge_args[], qmp_transaction_args[],
    qmp_write_threshold_args[], qmp_nbd_start_args[], qmp_nbd_add_args[], qmp_nbd_remove_args[],
    qmp_export_del_args[], qmp_export_add_args[], qmp_latency_histogram_args[];
/* qmp-query.c */
QmpHandler qmp_query_version, qmp_query_status, qmp_query_name, qmp_query_uuid, qmp_query_kvm,
    qmp_query_cpus_fast, qmp_query_machines, qmp_query_current_machine, qmp_query_target,
    qmp_query_memory_size_summary, qmp_query_cpu_definitions, qmp_query_cpu_model_expansion,
    qmp_query_nothing, qmp_query_empty, qmp_query_disabled, qmp_query_text;
/* qmp-query-devices.c */
QmpHandler qmp_query_pci, qmp_query_chardev, qmp_query_chardev_backends, qmp_device_list_properties,
    qmp_qom_list_types;
/* qmp-schema.c */
QmpHandler qmp_query_commands, qmp_query_events, qmp_query_qmp_schema;
