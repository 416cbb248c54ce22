/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* ACPI Machine Language, as much as our tables need: ACPI Specification 6.3, chapter 20. A block of
 * AML is a GByteArray; aml_* append a term to one. Blocks that go into another are taken by it.
 * Names are NameStrings: "_SB_", "\\_SB_.PCI0", each segment four characters. */

#include "vit-types.h"

typedef GByteArray Aml;

Aml *aml_new(void);
void aml_append(Aml *to, Aml *term /* taken */);

/* Data */
void aml_int(Aml *to, uint64_t value);
void aml_string(Aml *to, const char *text);
void aml_eisa_id(Aml *to, const char *id); /* "PNP0A03" */
void aml_buffer(Aml *to, const uint8_t *bytes, size_t len);
void aml_name_ref(Aml *to, const char *name);
void aml_package(Aml *to, unsigned count, Aml *elements /* taken */);

/* Objects */
void aml_scope(Aml *to, const char *name, Aml *body /* taken */);
void aml_device(Aml *to, const char *name, Aml *body /* taken */);
void aml_method(Aml *to, const char *name, unsigned args, bool serialized, Aml *body /* taken */);
void aml_name_int(Aml *to, const char *name, uint64_t value);
void aml_name_string(Aml *to, const char *name, const char *text);
void aml_name_eisa(Aml *to, const char *name, const char *id);
/* Name(NAME, TERM) */
void aml_name(Aml *to, const char *name, Aml *term /* taken */);
enum { AML_REGION_SYSTEM_IO = 1, AML_REGION_PCI_CONFIG = 2 };
void aml_region(Aml *to, const char *name, uint8_t space, uint64_t offset, uint64_t len);
/* Field of byte access with equal-sized members; names ends with NULL. */
void aml_byte_fields(Aml *to, const char *region, const char *const *names);
/* The same with members of 32 bits. */
void aml_dword_fields(Aml *to, const char *region, const char *const *names);
void aml_if(Aml *to, Aml *test /* taken */, Aml *body /* taken */);

/* Resource templates: a buffer of descriptors with the end tag. */
typedef GByteArray AmlResources;
AmlResources *aml_resources_new(void);
void aml_res_io(AmlResources *res, uint16_t first, uint16_t last, uint8_t align, uint8_t len);
void aml_res_irq(AmlResources *res, uint16_t mask);
void aml_res_dma(AmlResources *res, uint8_t mask);
/* Shared, level, active high, any of N interrupts. */
void aml_res_interrupts(AmlResources *res, const uint32_t *numbers, unsigned n);
void aml_res_memory32(AmlResources *res, uint32_t base, uint32_t len, bool writable);
void aml_res_bus_numbers(AmlResources *res, uint16_t first, uint16_t last);
void aml_res_word_io(AmlResources *res, uint16_t first, uint16_t last);
void aml_res_dword_memory(AmlResources *res, uint32_t first, uint32_t last, bool cacheable);
/* Name(NAME, ResourceTemplate) */
void aml_name_resources(Aml *to, const char *name, AmlResources *res /* taken */);
