/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The whole public interface of the engine. */

#include "vit-command.h"
#include "vit-complete.h"
#include "vit-config.h"
#include "vit-disk.h"
#include "vit-display.h"
#include "vit-error.h"
#include "vit-help.h"
#include "vit-input.h"
#include "vit-kinds.h"
#include "vit-link.h"
#include "vit-live.h"
#include "vit-machine.h"
#include "vit-media.h"
#include "vit-option.h"
#include "vit-picture.h"
#include "vit-stats.h"
#include "vit-terminal.h"
