/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The human monitor: commands as const rows, from which parsing, help and completion follow.
 * Thread: device lock held. */

#include "monitor-private.h"

typedef enum HmpArgType {
    HMP_END,
    HMP_WORD,    /* one word, or text in double quotes */
    HMP_FILE,    /* same, of the host */
    HMP_DRIVE,   /* same, a drive's id */
    HMP_CHARDEV, /* same, a character device's id */
    HMP_NETDEV,  /* same, a NIC or network back end */
    HMP_COMMAND, /* a command's name, to the end of the line */
    HMP_REST,    /* everything to the end of the line */
    HMP_INT,     /* expression, 32 bits */
    HMP_LONG,    /* expression, 64 bits */
    HMP_BOOL,    /* on or off */
    HMP_CHOICE,  /* one of `choices` */
    HMP_FLAG,    /* -NAME */
    HMP_OPTION,  /* -NAME WORD */
    HMP_FORMAT,  /* /COUNTFORMATSIZE */
} HmpArgType;

typedef struct HmpArg {
    const char *name;
    HmpArgType type;
    bool optional;
    const char *choices; /* HMP_CHOICE: separated by spaces */
} HmpArg;

typedef struct HmpCall HmpCall;

enum { HMP_ARGS_MAX = 6 };

typedef struct HmpCommand {
    const char *name;
    const char *aliases; /* separated by spaces, or NULL */
    const char *help;    /* VIT_N_ marked */
    HmpArg args[HMP_ARGS_MAX + 1];
    void (*run)(HmpCall *call); /* NULL: this version does not have it */
    const char *absent;         /* instead of "not available yet", why not */
} HmpCommand;

/* Both end with a NULL name. */
extern const HmpCommand hmp_commands[];
extern const HmpCommand hmp_info_commands[];

/* What one user of the monitor carries from command to command. */
typedef struct HmpState {
    VitMonitors *monitors;
    unsigned cpu;
    char format;         /* of x and xp: x, d, u, o, c, i */
    unsigned unit_bytes; /* same */
    GPtrArray *history;  /* char *, owned; oldest first */
    bool quitting;       /* no further prompt */
} HmpState;

void hmp_state_init(HmpState *state, VitMonitors *monitors);
void hmp_state_finish(HmpState *state);

typedef struct HmpFormat {
    uint64_t count;
    char format;
    unsigned unit_bytes;
} HmpFormat;

typedef struct HmpValue {
    bool given;
    char *text;
    int64_t number;
    HmpFormat format;
} HmpValue;

struct HmpCall {
    VitMonitors *monitors;
    HmpState *state;
    const HmpCommand *command;
    HmpValue values[HMP_ARGS_MAX];
    GString *out;
};

/* The value of argument NAME; not given ones have given == false. */
const HmpValue *hmp_value(const HmpCall *call, const char *name);
const char *hmp_text(const HmpCall *call, const char *name); /* NULL when not given */
int64_t hmp_number(const HmpCall *call, const char *name);   /* 0 when not given */
bool hmp_flag(const HmpCall *call, const char *name);
void hmp_print(HmpCall *call, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* "Error: MESSAGE", and frees ERROR; NULL prints nothing. */
void hmp_error(HmpCall *call, GError *error);

/* hmp-args.c. False with ERROR. */
bool hmp_parse_args(HmpCall *call, const char *text, GError **error);
void hmp_clear_args(HmpCall *call);
/* "[-f] device [format]". Ownership: caller. */
char *hmp_describe_args(const HmpCommand *command);
/* One word at *AT, moved past it; NULL at the end of the line, or with ERROR. */
char *hmp_next_word(const char **at, GError **error);

/* hmp-expr.c: moves *AT past the expression. MORE: other arguments follow, so an operator that has
 * a space before it and none after it begins the next one ("8 /tmp/file", "10 -5"). */
bool hmp_expression(HmpState *state, const char **at, bool more, int64_t *out, GError **error);

/* hmp-exec.c */
void hmp_execute(HmpState *state, const char *line, GString *out);
const HmpCommand *hmp_find(const HmpCommand *table, const char *name);
/* Ways to complete the last word of LINE; *out_common is how many of its bytes are the word's.
 * Ownership: caller. */
GPtrArray *hmp_complete(HmpState *state, const char *line, size_t *out_word_len);

/* Handlers, by file. */
void hmp_help(HmpCall *call); /* hmp-exec.c */
void hmp_info(HmpCall *call);

void hmp_quit(HmpCall *call); /* hmp-run.c */
void hmp_stop(HmpCall *call);
void hmp_cont(HmpCall *call);
void hmp_system_reset(HmpCall *call);
void hmp_system_powerdown(HmpCall *call);
void hmp_system_wakeup(HmpCall *call);
void hmp_nmi(HmpCall *call);
void hmp_cpu(HmpCall *call);
void hmp_gdbserver(HmpCall *call);
void hmp_log(HmpCall *call);
void hmp_logfile(HmpCall *call);
void hmp_boot_set(HmpCall *call);
void hmp_set_link(HmpCall *call);
void hmp_hostfwd_add(HmpCall *call);
void hmp_hostfwd_remove(HmpCall *call);
void hmp_chardev_send_break(HmpCall *call);
void hmp_ringbuf_read(HmpCall *call);
void hmp_ringbuf_write(HmpCall *call);

void hmp_x(HmpCall *call); /* hmp-memory.c */
void hmp_xp(HmpCall *call);
void hmp_print_command(HmpCall *call);
void hmp_i(HmpCall *call);
void hmp_o(HmpCall *call);
void hmp_sum(HmpCall *call);
void hmp_memsave(HmpCall *call);
void hmp_pmemsave(HmpCall *call);
void hmp_gva2gpa(HmpCall *call);
void hmp_gpa2hva(HmpCall *call);

void hmp_sendkey(HmpCall *call); /* hmp-input.c */
void hmp_mouse_move(HmpCall *call);
void hmp_mouse_button(HmpCall *call);
void hmp_mouse_set(HmpCall *call);
void hmp_screendump(HmpCall *call);
void hmp_info_mice(HmpCall *call);

void hmp_change(HmpCall *call);         /* hmp-media.c */
void hmp_info_iothreads(HmpCall *call); /* mon-iothreads.c */
void hmp_qom_get(HmpCall *call);
void hmp_qom_set(HmpCall *call);
void hmp_drive_add(HmpCall *call); /* hmp-media.c */
void hmp_drive_del(HmpCall *call);
void hmp_eject(HmpCall *call);
void hmp_balloon(HmpCall *call);
void hmp_info_balloon(HmpCall *call);
void hmp_device_add(HmpCall *call);
void hmp_device_del(HmpCall *call);
void hmp_commit(HmpCall *call);
void hmp_info_block(HmpCall *call);

void hmp_block_resize(HmpCall *call); /* hmp-block.c */
void hmp_block_set_io_throttle(HmpCall *call);
void hmp_block_stream(HmpCall *call);
void hmp_block_job_cancel(HmpCall *call);
void hmp_block_job_complete(HmpCall *call);
void hmp_block_job_pause(HmpCall *call);
void hmp_block_job_resume(HmpCall *call);
void hmp_block_job_set_speed(HmpCall *call);
void hmp_drive_mirror(HmpCall *call);
void hmp_drive_backup(HmpCall *call);
void hmp_snapshot_blkdev(HmpCall *call);
void hmp_snapshot_blkdev_internal(HmpCall *call);
void hmp_snapshot_delete_blkdev_internal(HmpCall *call);
void hmp_nbd_server_start(HmpCall *call);
void hmp_nbd_server_add(HmpCall *call);
void hmp_nbd_server_remove(HmpCall *call);
void hmp_nbd_server_stop(HmpCall *call);
void hmp_info_block_jobs(HmpCall *call);
void hmp_info_blockstats(HmpCall *call);
/* DRIVE's medium, with its images; every named node. */
void hmp_print_medium(HmpCall *call, const char *drive, bool with_images);
void hmp_print_nodes(HmpCall *call);

void hmp_info_status(HmpCall *call); /* hmp-info.c */
void hmp_info_version(HmpCall *call);
void hmp_info_name(HmpCall *call);
void hmp_info_uuid(HmpCall *call);
void hmp_info_kvm(HmpCall *call);
void hmp_info_cpus(HmpCall *call);
void hmp_info_registers(HmpCall *call);
void hmp_info_history(HmpCall *call);
void hmp_info_roms(HmpCall *call);
void hmp_info_usernet(HmpCall *call);
void hmp_info_usb(HmpCall *call);
void hmp_info_memory_size_summary(HmpCall *call);
/* The topic is the command's own name; the machine writes it. */
void hmp_info_topic(HmpCall *call);

void hmp_info_qtree(HmpCall *call); /* hmp-info-devices.c */
void hmp_info_qdm(HmpCall *call);
void hmp_info_pci(HmpCall *call);
void hmp_info_mtree(HmpCall *call);
void hmp_info_chardev(HmpCall *call);
void hmp_info_network(HmpCall *call);
