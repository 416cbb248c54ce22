/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The monitors of one machine: command lines for people (HMP) and JSON for programs (QMP), each on
 * a character device, and the events that go to the latter.
 * Thread: device lock held. */

#include "vit-monitor-host.h"

typedef struct VitMonitors VitMonitors;

/* PLATFORM and what OPAQUE points at outlive the monitors. */
VitMonitors *vit_monitors_new(const VitMonitorHostOps *ops, void *opaque, VitPlatform *platform);
void vit_monitors_free(VitMonitors *monitors);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitMonitors, vit_monitors_free)

typedef enum VitMonitorMode {
    VIT_MONITOR_HMP,
    VIT_MONITOR_QMP,
    VIT_MONITOR_QMP_PRETTY
} VitMonitorMode;

/* Puts a monitor on CHR, whose front end it becomes. */
bool vit_monitors_add(VitMonitors *monitors, VitChardev *chr, VitMonitorMode mode, GError **error);
/* Whether CHR carries a monitor. */
bool vit_monitors_uses(const VitMonitors *monitors, const VitChardev *chr);

/* Tells all QMP clients. DATA is a JSON object's text, or NULL. Any thread with the lock held. */
void vit_monitors_emit(VitMonitors *monitors, const char *event, const char *json_data);

/* Runs one human command for the application; returns what it prints. Ownership: caller. */
char *vit_monitors_run_hmp(VitMonitors *monitors, const char *line);
/* Runs one QMP request outside any session; returns the answer as JSON text. Ownership: caller. */
char *vit_monitors_run_qmp(VitMonitors *monitors, const char *request);
/* Ways to go on with the last word of LINE, for a command entry. Ownership: caller. */
char **vit_monitors_complete(VitMonitors *monitors, const char *line);
