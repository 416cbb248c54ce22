/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Shared by the files of the monitors. Thread: device lock held. */

#include "vit-monitor.h"

typedef struct MonKeys MonKeys;
typedef struct MonEvents MonEvents;
typedef struct MonSession MonSession;

struct VitMonitors {
    const VitMonitorHostOps *ops;
    void *host;
    VitPlatform *platform;
    GPtrArray *sessions; /* MonSession *, owned */
    MonKeys *keys;
    MonEvents *events;
    unsigned mouse_buttons; /* as mouse_button left them */
    char *log_items;        /* as "log" set them */
};

/* One monitor on a character device: the human or the machine sort. */
struct MonSession {
    VitMonitors *monitors;
    VitChardev *chr;
    VitChardevFront front;
    void (*event)(MonSession *session, const char *json); /* QMP: a finished event line */
    void (*free)(MonSession *session);
};

/* hmp-session.c, qmp-session.c */
MonSession *mon_hmp_session_new(VitMonitors *monitors, VitChardev *chr, GError **error);
MonSession *mon_qmp_session_new(VitMonitors *monitors, VitChardev *chr, bool pretty,
                                GError **error);

/* mon-keys.c: keys are pressed, held and released in the order asked for. */
MonKeys *mon_keys_new(VitMonitors *monitors);
void mon_keys_free(MonKeys *keys);
void mon_keys_press(MonKeys *keys, const unsigned *codes, unsigned count, unsigned hold_ms);
enum { MON_KEYS_MAX = 16, MON_KEYS_HOLD_MS = 100 };

/* qmp-events.c */
MonEvents *mon_events_new(VitMonitors *monitors);
void mon_events_free(MonEvents *events);
void mon_events_emit(MonEvents *events, const char *name, const char *json_data);

/* mon-common.c: what both sorts do. */
const char *mon_run_state_name(VitRunState state);
/* "6.2.0", as QMP clients expect to see it. */
enum { MON_VERSION_MAJOR = 6, MON_VERSION_MINOR = 2, MON_VERSION_MICRO = 0 };
/* False with ERROR "not available yet" when the machine has no such SLOT. */
bool mon_have(const void *slot, const char *what, GError **error);
#define MON_HAVE(monitors, slot, error) mon_have((const void *)(monitors)->ops->slot, #slot, error)
bool mon_is_running(VitMonitors *monitors);
bool mon_save_memory(VitMonitors *monitors, int cpu, uint64_t address, uint64_t len,
                     const char *path, GError **error); /* CPU -1: physical */
/* Virtual where CPU >= 0. False at the first byte that is not there. */
bool mon_read_memory(VitMonitors *monitors, int cpu, uint64_t address, void *buf, size_t len);
bool mon_screendump(VitMonitors *monitors, const char *path, const char *format, const char *device,
                    int64_t head, GError **error);
bool mon_set_link(VitMonitors *monitors, const char *name, bool up, GError **error);
VitChardev *mon_find_chardev(VitMonitors *monitors, const char *id, GError **error);
/* A drive by id, qdev or node name; NULL with ERROR. DRIVES keeps it alive. */
const VitMonitorDrive *mon_find_drive(GPtrArray *drives, const char *name, GError **error);
const VitDeviceKind *mon_find_kind(VitMonitors *monitors, const char *name, GError **error);
