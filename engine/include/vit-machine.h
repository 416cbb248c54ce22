/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A virtual machine: built from a configuration, run on its own threads, controlled from one
 * GMainContext, to which everything it has to say is posted. Several run in one process at once.
 *
 * Thread: all functions from the thread of the context given at creation, unless said otherwise;
 * none waits for the guest. Signals are emitted in that context, never from an engine thread. */

#include "vit-config.h"
#include "vit-display.h"
#include "vit-input.h"
#include "vit-terminal.h"

G_BEGIN_DECLS

typedef enum {
    VIT_MACHINE_PAUSED, /* built or paused: guest time stands still */
    VIT_MACHINE_RUNNING,
    VIT_MACHINE_STOPPED, /* powered off: only reset, or unref */
    VIT_MACHINE_FAILED,  /* the engine cannot go on; the reason says why. Reset or unref */
} VitMachineState;

typedef enum {
    VIT_STOP_NONE,
    VIT_STOP_GUEST_SHUTDOWN, /* the guest switched itself off */
    VIT_STOP_GUEST_RESET,    /* the guest reset itself under -no-reboot */
    VIT_STOP_GUEST_PANIC,
    VIT_STOP_HOST_QUIT,  /* vit_machine_stop(), monitor quit, a signal */
    VIT_STOP_DEBUG_EXIT, /* isa-debug-exit: see vit_machine_get_exit_status() */
    VIT_STOP_ERROR,      /* see the reason */
} VitStopCause;

#define VIT_TYPE_MACHINE (vit_machine_get_type())
G_DECLARE_FINAL_TYPE(VitMachine, vit_machine, VIT, MACHINE, GObject)

/* Signals:
 *   "state-changed" (int state): also read get_reason and get_stop_cause;
 *   "guest-error" (const char *line): the guest did something its manuals forbid;
 *   "event" (const char *name, const char *json_data or NULL): as QMP events;
 *   "media-changed" (): a drive's medium or tray changed;
 *   "stats" (): see vit-stats.h. */

/* Builds the machine, paused. Opens images and host devices, so it may block on the file system:
 * call it from a worker where that matters. On failure nothing is left behind; what is wrong with
 * the configuration is in DIAGS (may be NULL) with its place, the first of it in ERROR.
 * CONTEXT NULL: the default one. Ownership: caller. Thread: any. */
VitMachine *vit_machine_new(VitConfig *config, GMainContext *context, VitDiagList *diags,
                            GError **error);

/* Runs, or goes on after a pause. */
void vit_machine_start(VitMachine *machine);
void vit_machine_pause(VitMachine *machine);
void vit_machine_reset(VitMachine *machine);
/* Presses the ACPI power button. */
void vit_machine_power_button(VitMachine *machine);
/* Switches the machine off at once; "state-changed" follows. Disks are flushed. */
void vit_machine_stop(VitMachine *machine);

VitMachineState vit_machine_get_state(VitMachine *machine);
VitStopCause vit_machine_get_stop_cause(VitMachine *machine);
/* Text for a person: why it stopped or failed; NULL while there is nothing to say. */
const char *vit_machine_get_reason(VitMachine *machine);
/* Exit status that isa-debug-exit asked for, 0 otherwise. */
int vit_machine_get_exit_status(VitMachine *machine);
const char *vit_machine_get_name(VitMachine *machine);
/* Name of the accelerator in use: "tcg", "kvm", "qtest". */
const char *vit_machine_get_accel(VitMachine *machine);

/* Screens, in the order of their cards. Ownership: borrowed. */
unsigned vit_machine_get_n_displays(VitMachine *machine);
VitDisplay *vit_machine_get_display(VitMachine *machine, unsigned index);
VitInput *vit_machine_get_input(VitMachine *machine);
/* Monitors, serial and parallel ports on "vc" devices, in the order made. Ownership: borrowed. */
unsigned vit_machine_get_n_terminals(VitMachine *machine);
VitTerminal *vit_machine_get_terminal(VitMachine *machine, unsigned index);

/* ---- introspection of this build ---- */

/* Machines, devices, CPUs, accelerators of this build, for validation and help. */
const VitKindRegistry *vit_engine_get_registry(void);

G_END_DECLS
