/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Saved state: fields by name with the version that added them.
 *
 * A stream is a sequence of sections (instance name, kind name, version), each a sequence of
 * fields (name, element type, count, little-endian data). Reading matches by name: an unknown
 * field or a missing one not newer than the stream is an error naming section and field. */

#include "vit-clock.h"
#include "vit-types.h"

typedef enum VitFieldType {
    VIT_FIELD_UINT, /* 1, 2, 4, 8 bytes each; count elements */
    VIT_FIELD_BOOL,
    VIT_FIELD_BLOB,      /* size bytes as they are */
    VIT_FIELD_TIMER_NS,  /* VitTimer: armed flag and deadline */
    VIT_FIELD_STRUCT,    /* nested fields; count elements of size bytes */
    VIT_FIELD_BUFFER,    /* pointer to size_field bytes (allocated, length fixed at realize) */
    VIT_FIELD_NOT_SAVED, /* declared transient */
} VitFieldType;

struct VitField {
    const char *name;
    VitFieldType type;
    uint32_t offset;
    uint32_t size;          /* of one element */
    uint32_t count;         /* elements */
    uint32_t len_offset;    /* BUFFER: offset of its uint32_t length */
    const VitField *fields; /* STRUCT */
    uint16_t since;         /* version that added it, 0 = always */
};

#define VIT_FIELD_UINT_KIND(Type, field)          \
    _Generic(((Type *)0)->field, bool             \
             : VIT_FIELD_BOOL, uint8_t            \
             : VIT_FIELD_UINT, uint16_t           \
             : VIT_FIELD_UINT, uint32_t           \
             : VIT_FIELD_UINT, uint64_t           \
             : VIT_FIELD_UINT, int8_t             \
             : VIT_FIELD_UINT, int16_t            \
             : VIT_FIELD_UINT, int32_t            \
             : VIT_FIELD_UINT, int64_t            \
             : VIT_FIELD_UINT, unsigned long long \
             : VIT_FIELD_UINT)
#define VIT_FIELD_ELEMENT_KIND(Type, field) \
    _Generic(((Type *)0)->field[0], bool    \
             : VIT_FIELD_BOOL, uint8_t      \
             : VIT_FIELD_UINT, uint16_t     \
             : VIT_FIELD_UINT, uint32_t     \
             : VIT_FIELD_UINT, uint64_t     \
             : VIT_FIELD_UINT, int8_t       \
             : VIT_FIELD_UINT, int16_t      \
             : VIT_FIELD_UINT, int32_t      \
             : VIT_FIELD_UINT, int64_t      \
             : VIT_FIELD_UINT)

/* A number or bool (saving a pointer or struct by this does not compile). Enums: declare the
 * member as a sized integer. */
#define VIT_FIELD(Type, field, ...)                                                                \
    {                                                                                              \
        .name = #field, .type = VIT_FIELD_UINT_KIND(Type, field), .offset = offsetof(Type, field), \
        .size = sizeof(((Type *)0)->field), .count = 1, ##__VA_ARGS__                              \
    }
/* An array of numbers. */
#define VIT_FIELD_ARRAY(Type, field, ...)                                                  \
    {                                                                                      \
        .name = #field, .type = VIT_FIELD_ELEMENT_KIND(Type, field),                       \
        .offset = offsetof(Type, field), .size = sizeof(((Type *)0)->field[0]),            \
        .count = sizeof(((Type *)0)->field) / sizeof(((Type *)0)->field[0]), ##__VA_ARGS__ \
    }
/* Bytes as they are (multi-dimensional tables of uint8_t and the like). */
#define VIT_FIELD_BYTES(Type, field, ...)                                        \
    {                                                                            \
        .name = #field, .type = VIT_FIELD_BLOB, .offset = offsetof(Type, field), \
        .size = sizeof(((Type *)0)->field), .count = 1, ##__VA_ARGS__            \
    }
#define VIT_FIELD_TIMER(Type, field, ...)                                            \
    {                                                                                \
        .name = #field, .type = VIT_FIELD_TIMER_NS, .offset = offsetof(Type, field), \
        .size = sizeof(VitTimer), .count = 1, ##__VA_ARGS__                          \
    }
/* A nested struct, or an array of them with VIT_FIELD_STRUCTS. */
#define VIT_FIELD_NESTED(Type, field, fields_, ...)                                      \
    {                                                                                    \
        .name = #field, .type = VIT_FIELD_STRUCT, .offset = offsetof(Type, field),       \
        .size = sizeof(((Type *)0)->field), .count = 1, .fields = fields_, ##__VA_ARGS__ \
    }
#define VIT_FIELD_STRUCTS(Type, field, fields_, ...)                                            \
    {                                                                                           \
        .name = #field, .type = VIT_FIELD_STRUCT, .offset = offsetof(Type, field),              \
        .size = sizeof(((Type *)0)->field[0]),                                                  \
        .count = sizeof(((Type *)0)->field) / sizeof(((Type *)0)->field[0]), .fields = fields_, \
        ##__VA_ARGS__                                                                           \
    }
/* uint8_t *field of (uint32_t) len_field bytes, allocated at realize. */
#define VIT_FIELD_DYNAMIC(Type, field, len_field, ...)                                             \
    {                                                                                              \
        .name = #field, .type = VIT_FIELD_BUFFER, .offset = offsetof(Type, field),                 \
        .size = sizeof(void *), .count = 1, .len_offset = offsetof(Type, len_field), ##__VA_ARGS__ \
    }
/* Rebuilt, deliberately not saved: say why in a comment beside it. */
#define VIT_TRANSIENT(Type, field)                                                    \
    {                                                                                 \
        .name = #field, .type = VIT_FIELD_NOT_SAVED, .offset = offsetof(Type, field), \
        .size = sizeof(((Type *)0)->field), .count = 1                                \
    }

typedef struct VitStateWriter VitStateWriter;
typedef struct VitStateReader VitStateReader;

VitStateWriter *vit_state_writer_new(void);
/* Ends the stream and gives its bytes; frees the writer. */
GBytes *vit_state_writer_finish(VitStateWriter *writer);
void vit_state_write_section(VitStateWriter *writer, const char *instance, const char *kind,
                             unsigned version, const VitField *fields, const void *object);

/* BYTES is untrusted. */
VitStateReader *vit_state_reader_new(GBytes *bytes, GError **error);
void vit_state_reader_free(VitStateReader *reader);
bool vit_state_reader_has(VitStateReader *reader, const char *instance);
/* Fills OBJECT; on failure OBJECT may be partly filled and must be reset. */
bool vit_state_read_section(VitStateReader *reader, const char *instance, const char *kind,
                            unsigned max_version, const VitField *fields, void *object,
                            unsigned *out_version, GError **error);
