/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The whole public interface of the engine. */

#include "vit-config.h"
#include "vit-display.h"
#include "vit-error.h"
#include "vit-help.h"
#include "vit-input.h"
#include "vit-kinds.h"
#include "vit-machine.h"
#include "vit-option.h"
