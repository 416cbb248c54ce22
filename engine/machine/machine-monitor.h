/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The monitors of a machine: what they are told (vit-monitor-host.h), when they hear of events.
 * Device lock held. */

#include "machine-private.h"
#include "vit-monitor-host.h"

bool machine_add_monitors(Machine *machine, VitDiagList *diags, GError **error);
void machine_free_monitors(Machine *machine);
void machine_monitor_event(Machine *machine, const char *name, const char *json_data);
/* One line to the log of guest errors (-d guest_errors). */
void machine_log_guest_error(Machine *machine, const char *line);
/* machine-log.c */
bool machine_start_log(Machine *machine, GError **error);
bool machine_set_log_items(Machine *machine, const char *items, GError **error);
bool machine_set_log_file(Machine *machine, const char *path, GError **error);
/* The same without what only the FPU item asks for. */
void machine_dump_registers_brief(Machine *machine, unsigned cpu, bool with_fpu, GString *out);
/* "info registers" and the like (machine-info.c). */
void machine_dump_registers(Machine *machine, unsigned cpu, GString *out);
bool machine_info(Machine *machine, const char *topic, unsigned cpu, GString *out, GError **error);
bool machine_get_register(Machine *machine, unsigned cpu, const char *name, uint64_t *out_value);
/* Of CPU models (machine-cpu-query.c). Ownership: caller. */
JsonNode *machine_cpu_definitions(void *opaque);
JsonNode *machine_expand_cpu_model(void *opaque, bool is_static, JsonObject *model, GError **error);
