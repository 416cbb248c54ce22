/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A CPU in the state stream. */

#include "vit-state.h"
#include "x86-interp.h"

/* Fields of X86State. */
extern const VitField x86_state_fields[];
enum { X86_STATE_VERSION = 1 };

/* Takes up a state that was read from a stream, which may say anything: false when no CPU of this
 * model could be in it (reset it then). Thread: the machine's, the CPU stopped. */
bool x86_state_accept(X86Core *core, GError **error);
