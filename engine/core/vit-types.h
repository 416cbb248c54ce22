/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Forward names shared by the core headers, so that each header can stay self-contained. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct VitAddressSpace VitAddressSpace;
typedef struct VitBus VitBus;
typedef struct VitChardev VitChardev;
typedef struct VitClock VitClock;
typedef struct VitConsole VitConsole;
typedef struct VitCpu VitCpu;
typedef struct VitDevice VitDevice;
typedef struct VitDeviceKind VitDeviceKind;
typedef struct VitDrive VitDrive;
typedef struct VitField VitField;
typedef struct VitInputHub VitInputHub;
typedef struct VitIrq VitIrq;
typedef struct VitNetPort VitNetPort;
typedef struct VitPlatform VitPlatform;
typedef struct VitProp VitProp;
typedef struct VitReg VitReg;
typedef struct VitRegion VitRegion;
typedef struct VitTimer VitTimer;

/* Marks text for translation; the application's edge translates it. */
#define VIT_N_(text) text

#define VIT_ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
#define VIT_KIB              1024ULL
#define VIT_MIB              (1024ULL * VIT_KIB)
#define VIT_GIB              (1024ULL * VIT_MIB)
#define VIT_NS_PER_SEC       1000000000LL
#define VIT_NS_PER_MS        1000000LL
#define VIT_NS_PER_US        1000LL
#define VIT_PAGE_SIZE        4096u

/* The structure that contains MEMBER at PTR. */
#define VIT_CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
