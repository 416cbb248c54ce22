/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The save-state stream.
 *
 *   stream  := "VITSTATE" u32 format(1) section* end
 *   section := 'S' str instance, str kind, u32 version, u32 len, field* (len bytes)
 *   field   := str name, u8 type, u32 element_size, u32 count, data[element_size * count]
 *   end     := 'E'
 *   str     := u8 length, bytes
 *
 * Little endian. A struct field's data is itself a list of fields per element, with a u32 length
 * before each element. Reading is by name and bounds-checked: the stream is untrusted. */

#include "vit-state.h"

#include "vit-error.h"

#include <string.h>

static const char stream_magic[8] = { 'V', 'I', 'T', 'S', 'T', 'A', 'T', 'E' };
enum { STREAM_FORMAT = 1 };

struct VitStateWriter {
    GByteArray *bytes;
};

/* ---- Writing ---- */

static void
put_u32(GByteArray *out, uint32_t value)
{
    g_byte_array_append(out, (const uint8_t *)&value, 4);
}

static void
put_str(GByteArray *out, const char *text)
{
    uint8_t len = MIN(strlen(text), 255);

    g_byte_array_append(out, &len, 1);
    g_byte_array_append(out, (const uint8_t *)text, len);
}

static void write_fields(GByteArray *out, const VitField *fields, const void *object);

static void
write_struct(GByteArray *out, const VitField *field, const char *base)
{
    for (uint32_t i = 0; i < field->count; i++) {
        uint32_t at = out->len, len;

        put_u32(out, 0);
        write_fields(out, field->fields, base + (size_t)i * field->size);
        len = out->len - at - 4;
        memcpy(out->data + at, &len, 4);
    }
}

static void
write_field(GByteArray *out, const VitField *field, const void *object)
{
    const char *base = (const char *)object + field->offset;
    uint8_t type = field->type;
    uint32_t size = field->size, count = field->count;

    if (field->type == VIT_FIELD_BUFFER) {
        memcpy(&size, (const char *)object + field->len_offset, 4);
        memcpy(&base, (const void *)base, sizeof(base));
        if (!base) {
            size = 0;
        }
    } else if (field->type == VIT_FIELD_TIMER_NS) {
        size = 9;
    }
    put_str(out, field->name);
    g_byte_array_append(out, &type, 1);
    put_u32(out, size);
    put_u32(out, count);
    if (field->type == VIT_FIELD_STRUCT) {
        write_struct(out, field, base);
    } else if (field->type == VIT_FIELD_TIMER_NS) {
        const VitTimer *timer = (const VitTimer *)base;
        uint8_t armed = vit_timer_is_armed(timer);
        int64_t deadline_ns = armed ? timer->deadline_ns : 0;

        g_byte_array_append(out, &armed, 1);
        g_byte_array_append(out, (const uint8_t *)&deadline_ns, 8);
    } else if (size) {
        g_byte_array_append(out, (const uint8_t *)base, size * count);
    }
}

static void
write_fields(GByteArray *out, const VitField *fields, const void *object)
{
    for (; fields && fields->name; fields++) {
        if (fields->type != VIT_FIELD_NOT_SAVED) {
            write_field(out, fields, object);
        }
    }
}

VitStateWriter *
vit_state_writer_new(void)
{
    VitStateWriter *writer = g_new0(VitStateWriter, 1);

    writer->bytes = g_byte_array_new();
    g_byte_array_append(writer->bytes, (const uint8_t *)stream_magic, sizeof(stream_magic));
    put_u32(writer->bytes, STREAM_FORMAT);
    return writer;
}

void
vit_state_write_section(VitStateWriter *writer, const char *instance, const char *kind,
                        unsigned version, const VitField *fields, const void *object)
{
    GByteArray *out = writer->bytes;
    uint32_t at, len;

    g_byte_array_append(out, (const uint8_t *)"S", 1);
    put_str(out, instance);
    put_str(out, kind);
    put_u32(out, version);
    at = out->len;
    put_u32(out, 0);
    write_fields(out, fields, object);
    len = out->len - at - 4;
    memcpy(out->data + at, &len, 4);
}

GBytes *
vit_state_writer_finish(VitStateWriter *writer)
{
    GBytes *bytes;

    g_byte_array_append(writer->bytes, (const uint8_t *)"E", 1);
    bytes = g_byte_array_free_to_bytes(writer->bytes);
    g_free(writer);
    return bytes;
}

/* ---- Reading ---- */

typedef struct Cursor {
    const uint8_t *at, *end;
} Cursor;

typedef struct Section {
    char *instance, *kind;
    uint32_t version;
    Cursor body;
} Section;

struct VitStateReader {
    GBytes *bytes;
    GHashTable *sections; /* instance -> Section */
};

static bool
take(Cursor *cursor, void *out, size_t len)
{
    if ((size_t)(cursor->end - cursor->at) < len) {
        return false;
    }
    memcpy(out, cursor->at, len);
    cursor->at += len;
    return true;
}

static char *
take_str(Cursor *cursor)
{
    uint8_t len;
    char *text;

    if (!take(cursor, &len, 1) || cursor->end - cursor->at < len) {
        return NULL;
    }
    text = g_strndup((const char *)cursor->at, len);
    cursor->at += len;
    return text;
}

static bool
take_span(Cursor *cursor, uint64_t len, Cursor *out)
{
    if ((uint64_t)(cursor->end - cursor->at) < len) {
        return false;
    }
    *out = (Cursor){ cursor->at, cursor->at + len };
    cursor->at += len;
    return true;
}

static void
section_free(gpointer data)
{
    Section *section = data;

    g_free(section->instance);
    g_free(section->kind);
    g_free(section);
}

static bool
read_one_section(VitStateReader *reader, Cursor *cursor)
{
    Section *section = g_new0(Section, 1);
    uint32_t len;

    section->instance = take_str(cursor);
    section->kind = section->instance ? take_str(cursor) : NULL;
    if (!section->kind || !take(cursor, &section->version, 4) || !take(cursor, &len, 4) ||
        !take_span(cursor, len, &section->body) ||
        g_hash_table_contains(reader->sections, section->instance)) {
        section_free(section);
        return false;
    }
    g_hash_table_insert(reader->sections, section->instance, section);
    return true;
}

VitStateReader *
vit_state_reader_new(GBytes *bytes, GError **error)
{
    VitStateReader *reader = g_new0(VitStateReader, 1);
    size_t len;
    const uint8_t *data = g_bytes_get_data(bytes, &len);
    Cursor cursor = { data, len > 0 ? data + len : data };
    char magic[sizeof(stream_magic)];
    uint32_t format;
    char tag = 0;

    reader->bytes = g_bytes_ref(bytes);
    reader->sections = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, section_free);
    if (!take(&cursor, magic, sizeof(magic)) || memcmp(magic, stream_magic, sizeof(magic)) != 0 ||
        !take(&cursor, &format, 4)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "this is not a saved machine state: its first bytes are not VITSTATE");
        goto fail;
    }
    if (format != STREAM_FORMAT) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "the saved state has format %u and this program reads format %u: "
                    "open it with the version that wrote it",
                    format, STREAM_FORMAT);
        goto fail;
    }
    while (take(&cursor, &tag, 1) && tag == 'S') {
        if (!read_one_section(reader, &cursor)) {
            tag = 0;
            break;
        }
    }
    if (tag != 'E') {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "the saved state is damaged or cut short at byte %zu of %zu",
                    (size_t)(cursor.at - data), len);
        goto fail;
    }
    return reader;
fail:
    vit_state_reader_free(reader);
    return NULL;
}

void
vit_state_reader_free(VitStateReader *reader)
{
    if (!reader) {
        return;
    }
    g_hash_table_unref(reader->sections);
    g_bytes_unref(reader->bytes);
    g_free(reader);
}

bool
vit_state_reader_has(VitStateReader *reader, const char *instance)
{
    return g_hash_table_contains(reader->sections, instance);
}

typedef struct ReadContext {
    const char *instance;
    uint32_t version;
    GError **error;
} ReadContext;

static bool
read_error(const ReadContext *context, const char *field, const char *what)
{
    g_set_error(context->error, VIT_ERROR, VIT_ERROR_CORRUPT, "saved state of %s, field %s: %s",
                context->instance, field, what);
    return false;
}

static bool read_fields(const ReadContext *context, Cursor *cursor, const VitField *fields,
                        void *object);

static bool
read_value(const ReadContext *context, const VitField *field, Cursor *cursor, uint8_t type,
           uint32_t size, uint32_t count, void *object)
{
    char *base = (char *)object + field->offset;
    Cursor data;

    if (type != field->type) {
        return read_error(context, field->name, "has another type than this version expects");
    }
    if (field->type == VIT_FIELD_BUFFER) {
        uint32_t len;

        memcpy(&len, (char *)object + field->len_offset, 4);
        memcpy(&base, (const void *)base, sizeof(base));
        if (size != (base ? len : 0) || count != 1 || !take_span(cursor, size, &data)) {
            return read_error(context, field->name, "has another length than the device here");
        }
        if (size) {
            memcpy(base, data.at, size);
        }
        return true;
    }
    if (field->type == VIT_FIELD_TIMER_NS) {
        uint8_t armed;
        int64_t deadline_ns;

        if (!take(cursor, &armed, 1) || !take(cursor, &deadline_ns, 8)) {
            return read_error(context, field->name, "is cut short");
        }
        if (armed) {
            vit_timer_mod((VitTimer *)base, deadline_ns);
        } else {
            vit_timer_del((VitTimer *)base);
        }
        return true;
    }
    if (size != field->size || count != field->count) {
        return read_error(context, field->name, "has another size than the device here");
    }
    if (field->type == VIT_FIELD_STRUCT) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t len;

            if (!take(cursor, &len, 4) || !take_span(cursor, len, &data)) {
                return read_error(context, field->name, "is cut short");
            }
            if (!read_fields(context, &data, field->fields, base + (size_t)i * size)) {
                return false;
            }
        }
        return true;
    }
    if (!take_span(cursor, (uint64_t)size * count, &data)) {
        return read_error(context, field->name, "is cut short");
    }
    if (field->type == VIT_FIELD_BOOL) {
        for (uint32_t i = 0; i < count; i++) {
            ((bool *)base)[i] = data.at[i] != 0;
        }
    } else {
        memcpy(base, data.at, (size_t)size * count);
    }
    return true;
}

static const VitField *
field_find(const VitField *fields, const char *name, unsigned *out_index)
{
    for (unsigned i = 0; fields && fields[i].name; i++) {
        if (fields[i].type != VIT_FIELD_NOT_SAVED && strcmp(fields[i].name, name) == 0) {
            *out_index = i;
            return &fields[i];
        }
    }
    return NULL;
}

static bool
read_fields(const ReadContext *context, Cursor *cursor, const VitField *fields, void *object)
{
    g_autoptr(GByteArray) seen = g_byte_array_new();
    unsigned total = 0;

    while (fields && fields[total].name) {
        total++;
    }
    g_byte_array_set_size(seen, total);
    if (total) {
        memset(seen->data, 0, total);
    }
    while (cursor->at < cursor->end) {
        g_autofree char *name = take_str(cursor);
        const VitField *field;
        uint8_t type;
        uint32_t size, count;
        unsigned index;

        if (!name || !take(cursor, &type, 1) || !take(cursor, &size, 4) ||
            !take(cursor, &count, 4)) {
            return read_error(context, name ? name : "?", "is cut short");
        }
        field = field_find(fields, name, &index);
        if (!field) {
            return read_error(context, name, "is not known to this version");
        }
        if (!read_value(context, field, cursor, type, size, count, object)) {
            return false;
        }
        seen->data[index] = 1;
    }
    for (unsigned i = 0; i < total; i++) {
        if (!seen->data[i] && fields[i].type != VIT_FIELD_NOT_SAVED &&
            fields[i].since <= context->version) {
            return read_error(context, fields[i].name, "is missing");
        }
    }
    return true;
}

bool
vit_state_read_section(VitStateReader *reader, const char *instance, const char *kind,
                       unsigned max_version, const VitField *fields, void *object,
                       unsigned *out_version, GError **error)
{
    Section *section = g_hash_table_lookup(reader->sections, instance);
    ReadContext context;
    Cursor body;

    if (!section) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "the saved state has nothing for %s (%s): the machine had other devices",
                    instance, kind);
        return false;
    }
    if (strcmp(section->kind, kind) != 0 || section->version > max_version) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "the saved state of %s is of %s version %u; this program has %s up to %u",
                    instance, section->kind, section->version, kind, max_version);
        return false;
    }
    context = (ReadContext){ instance, section->version, error };
    body = section->body;
    if (!read_fields(&context, &body, fields, object)) {
        return false;
    }
    if (out_version) {
        *out_version = section->version;
    }
    return true;
}
