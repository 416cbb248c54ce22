/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* AML encoding. ACPI Specification 6.3: 20.2 grammar, 6.4 resource descriptors, 19.3.4 EISAID. */

#include "aml.h"

#include <string.h>

enum {
    OP_ZERO = 0x00,
    OP_ONE = 0x01,
    OP_NAME = 0x08,
    OP_BYTE = 0x0a,
    OP_WORD = 0x0b,
    OP_DWORD = 0x0c,
    OP_STRING = 0x0d,
    OP_QWORD = 0x0e,
    OP_SCOPE = 0x10,
    OP_BUFFER = 0x11,
    OP_PACKAGE = 0x12,
    OP_METHOD = 0x14,
    OP_IF = 0xa0,
    PREFIX_DUAL = 0x2e,
    PREFIX_MULTI = 0x2f,
    PREFIX_EXT = 0x5b,
    EXT_REGION = 0x80,
    EXT_FIELD = 0x81,
    EXT_DEVICE = 0x82,
};

static void
put8(GByteArray *to, uint8_t value)
{
    g_byte_array_append(to, &value, 1);
}

static void
put16(GByteArray *to, uint16_t value)
{
    put8(to, value);
    put8(to, value >> 8);
}

static void
put32(GByteArray *to, uint32_t value)
{
    put16(to, value);
    put16(to, value >> 16);
}

Aml *
aml_new(void)
{
    return g_byte_array_new();
}

void
aml_append(Aml *to, Aml *term)
{
    g_byte_array_append(to, term->data, term->len);
    g_byte_array_unref(term);
}

/* PkgLength counts itself. */
static void
put_with_length(Aml *to, Aml *body)
{
    uint32_t len = body->len;

    if (len + 1 < 0x40) {
        put8(to, len + 1);
    } else if (len + 2 < 0x1000) {
        len += 2;
        put8(to, 0x40 | (len & 15));
        put8(to, len >> 4);
    } else {
        len += 3;
        put8(to, 0x80 | (len & 15));
        put8(to, len >> 4);
        put8(to, len >> 12);
    }
    aml_append(to, body);
}

static void
put_name(Aml *to, const char *name)
{
    size_t segments;

    while (*name == '\\' || *name == '^') {
        put8(to, *name++);
    }
    segments = (strlen(name) + 1) / 5;
    if (segments == 2) {
        put8(to, PREFIX_DUAL);
    } else if (segments > 2) {
        put8(to, PREFIX_MULTI);
        put8(to, segments);
    } else if (segments == 0) {
        put8(to, OP_ZERO);
    }
    for (size_t i = 0; i < segments; i++) {
        g_byte_array_append(to, (const uint8_t *)name + i * 5, 4);
    }
}

/* ---- Data ---- */

void
aml_int(Aml *to, uint64_t value)
{
    if (value <= 1) {
        put8(to, value ? OP_ONE : OP_ZERO);
    } else if (value <= 0xff) {
        put8(to, OP_BYTE);
        put8(to, value);
    } else if (value <= 0xffff) {
        put8(to, OP_WORD);
        put16(to, value);
    } else if (value <= 0xffffffff) {
        put8(to, OP_DWORD);
        put32(to, value);
    } else {
        put8(to, OP_QWORD);
        put32(to, value);
        put32(to, value >> 32);
    }
}

void
aml_string(Aml *to, const char *text)
{
    put8(to, OP_STRING);
    g_byte_array_append(to, (const uint8_t *)text, strlen(text) + 1);
}

/* Three letters in five bits each and four hex digits, big endian in a DWord. */
void
aml_eisa_id(Aml *to, const char *id)
{
    uint16_t letters = (id[0] - 0x40) << 10 | (id[1] - 0x40) << 5 | (id[2] - 0x40);
    uint16_t digits = g_ascii_strtoull(id + 3, NULL, 16);

    put8(to, OP_DWORD);
    put8(to, letters >> 8);
    put8(to, letters);
    put8(to, digits >> 8);
    put8(to, digits);
}

void
aml_buffer(Aml *to, const uint8_t *bytes, size_t len)
{
    Aml *body = aml_new();

    aml_int(body, len);
    g_byte_array_append(body, bytes, len);
    put8(to, OP_BUFFER);
    put_with_length(to, body);
}

void
aml_name_ref(Aml *to, const char *name)
{
    put_name(to, name);
}

void
aml_package(Aml *to, unsigned count, Aml *elements)
{
    Aml *body = aml_new();

    put8(body, count);
    aml_append(body, elements);
    put8(to, OP_PACKAGE);
    put_with_length(to, body);
}

/* ---- Objects ---- */

static void
named_block(Aml *to, const char *name, Aml *contents)
{
    Aml *body = aml_new();

    put_name(body, name);
    aml_append(body, contents);
    put_with_length(to, body);
}

void
aml_scope(Aml *to, const char *name, Aml *body)
{
    put8(to, OP_SCOPE);
    named_block(to, name, body);
}

void
aml_device(Aml *to, const char *name, Aml *body)
{
    put8(to, PREFIX_EXT);
    put8(to, EXT_DEVICE);
    named_block(to, name, body);
}

void
aml_method(Aml *to, const char *name, unsigned args, bool serialized, Aml *body)
{
    Aml *whole = aml_new();

    put_name(whole, name);
    put8(whole, args | (serialized ? 8 : 0));
    aml_append(whole, body);
    put8(to, OP_METHOD);
    put_with_length(to, whole);
}

void
aml_name(Aml *to, const char *name, Aml *term)
{
    put8(to, OP_NAME);
    put_name(to, name);
    aml_append(to, term);
}

void
aml_name_int(Aml *to, const char *name, uint64_t value)
{
    Aml *term = aml_new();

    aml_int(term, value);
    aml_name(to, name, term);
}

void
aml_name_string(Aml *to, const char *name, const char *text)
{
    Aml *term = aml_new();

    aml_string(term, text);
    aml_name(to, name, term);
}

void
aml_name_eisa(Aml *to, const char *name, const char *id)
{
    Aml *term = aml_new();

    aml_eisa_id(term, id);
    aml_name(to, name, term);
}

void
aml_region(Aml *to, const char *name, uint8_t space, uint64_t offset, uint64_t len)
{
    put8(to, PREFIX_EXT);
    put8(to, EXT_REGION);
    put_name(to, name);
    put8(to, space);
    aml_int(to, offset);
    aml_int(to, len);
}

static void
put_fields(Aml *to, const char *region, const char *const *names, uint8_t access, uint8_t bits)
{
    Aml *body = aml_new();

    put_name(body, region);
    put8(body, access);
    for (; *names; names++) {
        g_byte_array_append(body, (const uint8_t *)*names, 4);
        put8(body, bits); /* as a PkgLength below 64 */
    }
    put8(to, PREFIX_EXT);
    put8(to, EXT_FIELD);
    put_with_length(to, body);
}

void
aml_byte_fields(Aml *to, const char *region, const char *const *names)
{
    put_fields(to, region, names, 0x01, 8); /* ByteAcc, NoLock, Preserve */
}

void
aml_dword_fields(Aml *to, const char *region, const char *const *names)
{
    put_fields(to, region, names, 0x43, 32); /* DWordAcc, NoLock, WriteAsZeros */
}

void
aml_if(Aml *to, Aml *test, Aml *body)
{
    aml_append(test, body);
    put8(to, OP_IF);
    put_with_length(to, test);
}

/* ---- Resources ---- */

AmlResources *
aml_resources_new(void)
{
    return g_byte_array_new();
}

void
aml_res_io(AmlResources *res, uint16_t first, uint16_t last, uint8_t align, uint8_t len)
{
    put8(res, 0x47);
    put8(res, 1); /* decodes 16 bits */
    put16(res, first);
    put16(res, last);
    put8(res, align);
    put8(res, len);
}

void
aml_res_irq(AmlResources *res, uint16_t mask)
{
    put8(res, 0x22); /* edge, active high, exclusive */
    put16(res, mask);
}

void
aml_res_dma(AmlResources *res, uint8_t mask)
{
    put8(res, 0x2a);
    put8(res, mask);
    put8(res, 0); /* compatibility mode, 8 bit, no bus master */
}

void
aml_res_interrupts(AmlResources *res, const uint32_t *numbers, unsigned n)
{
    put8(res, 0x89);
    put16(res, 2 + 4 * n);
    put8(res, 0x09); /* consumer, level, active high, shared */
    put8(res, n);
    for (unsigned i = 0; i < n; i++) {
        put32(res, numbers[i]);
    }
}

void
aml_res_memory32(AmlResources *res, uint32_t base, uint32_t len, bool writable)
{
    put8(res, 0x86);
    put16(res, 9);
    put8(res, writable);
    put32(res, base);
    put32(res, len);
}

/* Address space descriptors: type, general flags (minimum and maximum fixed, positive decode,
 * producer), type flags. */
static void
address_head(AmlResources *res, uint8_t tag, uint16_t len, uint8_t type, uint8_t type_flags)
{
    put8(res, tag);
    put16(res, len);
    put8(res, type);
    put8(res, 0x0c);
    put8(res, type_flags);
}

static void
word_space(AmlResources *res, uint8_t type, uint8_t type_flags, uint16_t first, uint16_t last)
{
    address_head(res, 0x88, 13, type, type_flags);
    put16(res, 0);
    put16(res, first);
    put16(res, last);
    put16(res, 0);
    put16(res, last - first + 1);
}

void
aml_res_bus_numbers(AmlResources *res, uint16_t first, uint16_t last)
{
    word_space(res, 2, 0, first, last);
}

void
aml_res_word_io(AmlResources *res, uint16_t first, uint16_t last)
{
    word_space(res, 1, 3, first, last);
}

void
aml_res_dword_memory(AmlResources *res, uint32_t first, uint32_t last, bool cacheable)
{
    address_head(res, 0x87, 23, 0, cacheable ? 3 : 1);
    put32(res, 0);
    put32(res, first);
    put32(res, last);
    put32(res, 0);
    put32(res, last - first + 1);
}

void
aml_name_resources(Aml *to, const char *name, AmlResources *res)
{
    Aml *term = aml_new();

    put8(res, 0x79); /* end tag */
    put8(res, 0);    /* checksum: none */
    aml_buffer(term, res->data, res->len);
    g_byte_array_unref(res);
    aml_name(to, name, term);
}
