/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A server as a VitFsdev: requests run on a few threads of their own, off the device lock; answers
 * come back on CONTEXT with LOCK held by whoever dispatches it. Tflush is answered after the
 * request it names. LIMITS (checked; NULL: none) hold reads and writes
 * back. Thread: that of CONTEXT, device lock held. */

#include "fs9p.h"
#include "vit-fsdev.h"
#include "vit-throttle.h"

/* Takes FS. Ownership: caller, by its free(). */
VitFsdev *fs9p_session_new(const char *id, Fs9pFs *fs, Fs9pMultidevs multidevs,
                           const VitThrottleConfig *limits, GMainContext *context);
