/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Numbers as images hold them, at any address: little-endian (le) and big-endian (be). */

#include <glib.h>
#include <stdint.h>

static inline uint16_t
fmt_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t
fmt_le32(const uint8_t *p)
{
    uint32_t value;

    __builtin_memcpy(&value, p, 4);
    return GUINT32_FROM_LE(value);
}

static inline uint64_t
fmt_le64(const uint8_t *p)
{
    uint64_t value;

    __builtin_memcpy(&value, p, 8);
    return GUINT64_FROM_LE(value);
}

static inline uint16_t
fmt_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
fmt_be32(const uint8_t *p)
{
    uint32_t value;

    __builtin_memcpy(&value, p, 4);
    return GUINT32_FROM_BE(value);
}

static inline uint64_t
fmt_be64(const uint8_t *p)
{
    uint64_t value;

    __builtin_memcpy(&value, p, 8);
    return GUINT64_FROM_BE(value);
}

static inline void
fmt_put_le16(uint8_t *p, uint16_t value)
{
    value = GUINT16_TO_LE(value);
    __builtin_memcpy(p, &value, 2);
}

static inline void
fmt_put_le32(uint8_t *p, uint32_t value)
{
    value = GUINT32_TO_LE(value);
    __builtin_memcpy(p, &value, 4);
}

static inline void
fmt_put_le64(uint8_t *p, uint64_t value)
{
    value = GUINT64_TO_LE(value);
    __builtin_memcpy(p, &value, 8);
}

static inline void
fmt_put_be16(uint8_t *p, uint16_t value)
{
    value = GUINT16_TO_BE(value);
    __builtin_memcpy(p, &value, 2);
}

static inline void
fmt_put_be32(uint8_t *p, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    __builtin_memcpy(p, &value, 4);
}

static inline void
fmt_put_be64(uint8_t *p, uint64_t value)
{
    value = GUINT64_TO_BE(value);
    __builtin_memcpy(p, &value, 8);
}
