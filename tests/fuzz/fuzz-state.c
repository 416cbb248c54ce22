/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Saved states: the input changes bytes of a sound stream, or is the stream. An object with a field
 * of each kind is read from it; its canaries may not change. */

#include "vit-state.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Inner {
    uint16_t a;
    bool b;
} Inner;

typedef struct Object {
    uint64_t canary;
    uint8_t byte;
    uint32_t words[5];
    uint64_t canary2;
    bool flags[3];
    uint8_t blob[7];
    Inner inner, inners[3];
    uint8_t *buffer;
    uint32_t buffer_len;
    int64_t newer;
    uint64_t canary3;
} Object;

static const VitField inner_fields[] = { VIT_FIELD(Inner, a), VIT_FIELD(Inner, b), { 0 } };

static const VitField fields[] = {
    VIT_FIELD(Object, byte),
    VIT_FIELD_ARRAY(Object, words),
    VIT_FIELD_ARRAY(Object, flags),
    VIT_FIELD_BYTES(Object, blob),
    VIT_FIELD_NESTED(Object, inner, inner_fields),
    VIT_FIELD_STRUCTS(Object, inners, inner_fields),
    VIT_FIELD(Object, buffer_len),
    VIT_FIELD_DYNAMIC(Object, buffer, buffer_len),
    VIT_FIELD(Object, newer, .since = 2),
    { 0 },
};

enum { CANARY = 0x5a, BUFFER_BYTES = 24 };

static void
init(Object *object, uint8_t *buffer)
{
    memset(object, CANARY, sizeof(*object));
    memset(object->flags, 0, sizeof(object->flags));
    memset(&object->inner, 0, sizeof(object->inner));
    memset(object->inners, 0, sizeof(object->inners));
    object->buffer = buffer;
    object->buffer_len = BUFFER_BYTES;
}

static GBytes *
make_sound(void)
{
    VitStateWriter *writer = vit_state_writer_new();
    uint8_t buffer[BUFFER_BYTES] = "buffer";
    Object object;

    init(&object, buffer);
    vit_state_write_section(writer, "one", "fuzz", 2, fields, &object);
    vit_state_write_section(writer, "two", "fuzz", 1, fields, &object);
    return vit_state_writer_finish(writer);
}

static void
read_section(VitStateReader *reader, const char *instance)
{
    g_autofree uint8_t *buffer = g_malloc0(BUFFER_BYTES);
    g_autoptr(GError) error = NULL;
    unsigned version = 0;
    Object object;

    init(&object, buffer);
    uint64_t canary = object.canary;
    if (!vit_state_read_section(reader, instance, "fuzz", 2, fields, &object, &version, &error)) {
        g_assert_nonnull(error);
    } else {
        g_assert_cmpuint(version, <=, 2);
    }
    g_assert_true(object.canary == canary && object.canary2 == canary && object.canary3 == canary);
    g_assert_true(object.buffer == buffer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GBytes) sound = make_sound();
    g_autoptr(GBytes) stream = NULL;
    g_autoptr(GError) error = NULL;
    VitStateReader *reader;
    gsize len;

    if (size < 1) {
        return 0;
    }
    if (data[0] & 1) {
        stream = g_bytes_new(data + 1, size - 1);
    } else {
        uint8_t *copy = g_bytes_unref_to_data(g_steal_pointer(&sound), &len);
        for (size_t at = 1; at + 1 < size; at += 2) {
            copy[data[at] % len] = data[at + 1];
        }
        stream = g_bytes_new_take(copy, data[0] & 2 ? len : len * (data[0] >> 2) / 64);
    }
    reader = vit_state_reader_new(stream, &error);
    if (!reader) {
        g_assert_nonnull(error);
        return 0;
    }
    vit_state_reader_has(reader, "one");
    read_section(reader, "one");
    read_section(reader, "two");
    vit_state_reader_free(reader);
    return 0;
}
