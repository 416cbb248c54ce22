/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Human commands on memory, ports and expressions. Thread: device lock held. */

#include "hmp.h"

#include <inttypes.h>

#include "vit-error.h"

enum { DUMP_MAX_BYTES = 1 << 20 };

/* ---- values ---- */

static void
print_char(HmpCall *call, uint8_t c)
{
    static const char escapes[] = "\nn\rr\tt\\\\''";

    for (const char *at = escapes; *at; at += 2) {
        if (*at == c) {
            hmp_print(call, "'\\%c'", at[1]);
            return;
        }
    }
    if (c >= 32 && c < 127) {
        hmp_print(call, "'%c'", c);
    } else {
        hmp_print(call, "'\\x%02x'", c);
    }
}

/* VALUE, of UNIT bytes, padded so that columns line up. */
static void
print_value(HmpCall *call, uint64_t value, char format, unsigned unit, bool padded)
{
    static const uint8_t decimal_digits[] = { 0, 3, 5, 0, 10, 0, 0, 0, 20 };
    unsigned shift = 64 - unit * 8;
    int64_t is_signed = (int64_t)(value << shift) >> shift;

    switch (format) {
    case 'd': hmp_print(call, "%*" PRId64, padded ? decimal_digits[unit] + 1 : 0, is_signed); break;
    case 'u': hmp_print(call, "%*" PRIu64, padded ? decimal_digits[unit] : 0, value); break;
    case 'o': hmp_print(call, "0%0*" PRIo64, padded ? (unit * 8 + 2) / 3 : 0, value); break;
    case 'c': print_char(call, value); break;
    default: hmp_print(call, "0x%0*" PRIx64, padded ? unit * 2 : 0, value);
    }
}

static uint64_t
get_le(const uint8_t *at, unsigned unit)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < unit; i++) {
        value |= (uint64_t)at[i] << i * 8;
    }
    return value;
}

/* ---- dumps ---- */

static void
cannot_access(HmpCall *call, uint64_t address)
{
    hmp_print(call, "Cannot access memory at 0x%" PRIx64 "\n", address);
}

static void
dump_values(HmpCall *call, int cpu, uint64_t address, const HmpFormat *format)
{
    unsigned unit = format->format == 'c' ? 1 : format->unit_bytes;
    uint64_t left = format->count * unit;
    unsigned line_bytes = unit == 1 ? 8 : 16;

    while (left > 0) {
        uint8_t buf[16];
        unsigned len = MIN(left, line_bytes);
        hmp_print(call, "%016" PRIx64 ":", address);
        if (!mon_read_memory(call->monitors, cpu, address, buf, len)) {
            hmp_print(call, " ");
            cannot_access(call, address);
            return;
        }
        for (unsigned i = 0; i < len; i += unit) {
            hmp_print(call, " ");
            print_value(call, get_le(buf + i, unit), format->format, unit, true);
        }
        hmp_print(call, "\n");
        address += len;
        left -= len;
    }
}

static void
dump_instructions(HmpCall *call, int cpu, uint64_t address, uint64_t count)
{
    VitMonitors *monitors = call->monitors;

    for (; count > 0; count--) {
        uint8_t buf[16];
        size_t len = sizeof(buf);
        g_autoptr(GString) text = g_string_new(NULL);

        while (len > 0 && !mon_read_memory(monitors, cpu, address, buf, len)) {
            len--; /* the last ones before a page that is not there */
        }
        unsigned used = len == 0 ? 0
                                 : monitors->ops->disassemble(monitors->host, call->state->cpu,
                                                              address, buf, len, text);
        if (len == 0) {
            cannot_access(call, address);
            return;
        }
        hmp_print(call, "0x%08" PRIx64 ":  ", address);
        for (unsigned i = 0; i < MAX(used, 1); i++) {
            hmp_print(call, "%02x ", buf[i]);
        }
        hmp_print(call, "%*s%s\n", MAX(0, 8 - (int)MAX(used, 1)) * 3, "",
                  used ? text->str : "(bad)");
        address += MAX(used, 1);
    }
}

static void
dump(HmpCall *call, bool is_physical)
{
    const HmpFormat *format = &hmp_value(call, "fmt")->format;
    uint64_t address = hmp_number(call, "addr");
    int cpu = is_physical ? -1 : (int)call->state->cpu;

    if (!is_physical && !call->monitors->ops->translate) {
        hmp_print(call, "Error: not available yet: virtual addresses; use xp\n");
        return;
    }
    call->state->format = format->format;
    call->state->unit_bytes = format->unit_bytes;
    if (format->count > DUMP_MAX_BYTES / 16) {
        hmp_print(call, "Error: at most %d are shown at once\n", DUMP_MAX_BYTES / 16);
    } else if (format->format != 'i') {
        dump_values(call, cpu, address, format);
    } else if (call->monitors->ops->disassemble) {
        dump_instructions(call, cpu, address, format->count);
    } else {
        hmp_print(call, "Error: not available yet: instructions\n");
    }
}

void
hmp_x(HmpCall *call)
{
    dump(call, false);
}

void
hmp_xp(HmpCall *call)
{
    dump(call, true);
}

void
hmp_print_command(HmpCall *call)
{
    const HmpFormat *format = &hmp_value(call, "fmt")->format;
    char letter = hmp_value(call, "fmt")->given ? format->format : 'x';

    print_value(call, hmp_number(call, "expr"), letter == 'i' ? 'x' : letter, 8, false);
    hmp_print(call, "\n");
}

/* ---- ports ---- */

/* Size of a port access: bytes unless the format says more. */
static unsigned
port_size(HmpCall *call)
{
    const HmpValue *value = hmp_value(call, "fmt");

    return value->given ? MIN(value->format.unit_bytes, 4) : 1;
}

void
hmp_i(HmpCall *call)
{
    unsigned size = port_size(call);
    uint64_t port = hmp_number(call, "addr") & 0xffff, value = 0;
    const HmpValue *index = hmp_value(call, "index");

    if (index->given) {
        vit_address_space_write(call->monitors->platform->io, port, 1, index->number & 0xff);
        port = (port + 1) & 0xffff;
    }
    vit_address_space_read(call->monitors->platform->io, port, size, &value);
    hmp_print(call, "port%c[0x%04" PRIx64 "] = 0x%0*" PRIx64 "\n", "bwwl"[size - 1], port, size * 2,
              value);
}

void
hmp_o(HmpCall *call)
{
    unsigned size = port_size(call);
    uint64_t value = hmp_number(call, "val");

    vit_address_space_write(call->monitors->platform->io, hmp_number(call, "addr") & 0xffff, size,
                            size < 8 ? value & ((1ull << size * 8) - 1) : value);
}

/* ---- ranges ---- */

void
hmp_sum(HmpCall *call)
{
    uint64_t address = hmp_number(call, "start"), left = hmp_number(call, "size");
    uint16_t sum = 0;

    /* The BSD checksum: rotate right, add. */
    for (; left > 0; left--, address++) {
        uint8_t byte;
        if (!mon_read_memory(call->monitors, -1, address, &byte, 1)) {
            cannot_access(call, address);
            return;
        }
        sum = (sum >> 1 | sum << 15) + byte;
    }
    hmp_print(call, "%05d\n", sum);
}

static void
save(HmpCall *call, int cpu)
{
    GError *error = NULL;

    mon_save_memory(call->monitors, cpu, hmp_number(call, "val"), hmp_number(call, "size"),
                    hmp_text(call, "filename"), &error);
    hmp_error(call, error);
}

void
hmp_memsave(HmpCall *call)
{
    save(call, call->state->cpu);
}

void
hmp_pmemsave(HmpCall *call)
{
    save(call, -1);
}

/* ---- addresses ---- */

void
hmp_gva2gpa(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    uint64_t address = hmp_number(call, "addr"), physical;

    if (monitors->ops->translate &&
        monitors->ops->translate(monitors->host, call->state->cpu, address, &physical)) {
        hmp_print(call, "gpa: 0x%" PRIx64 "\n", physical);
    } else {
        hmp_print(call, "Unmapped\n");
    }
}

void
hmp_gpa2hva(HmpCall *call)
{
    VitMapped mapped;
    uint64_t address = hmp_number(call, "addr");

    vit_address_space_lookup(call->monitors->platform->memory, address, &mapped);
    if (!mapped.host) {
        hmp_print(call, "Error: no memory is mapped at address 0x%" PRIx64 "\n", address);
        return;
    }
    hmp_print(call, "Host virtual address for 0x%" PRIx64 " (%s) is %p\n", address,
              mapped.region->name, (void *)mapped.host);
}
