/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Reader of machine.conf. The format is the desktop's key file: one group per option instance,
 * keys as in the arguments, values with the escapes \s \n \t \r \\.
 *
 *     [vitrine]                     format, oldest reader and writer, spelling of the text
 *     [drive:disk0]                 option and id; "#2" sets equal names apart
 *     file=disks/system.img         a repeated key goes on as hostfwd#2=
 *     @source=-drive ...            the text as typed, where it differs from the full form
 *     @lead=# comment\n             what stands before it in the text
 *     @json={...}                   a JSON argument as a whole
 *     [raw]                         text that is not understood
 *
 * Comments and groups that are no options are kept as they are. Keys win over @source where a
 * person edited them. A file whose `min-reader` is newer is refused, one whose `min-writer` is
 * newer is opened read-only. Specification: Desktop Entry Specification 1.5, section 3 (basic
 * format). Thread: any; nothing here keeps state. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "vit-config-private.h"
#include "vit-token.h"

/* ---- lines --------------------------------------------------------------------------------- */

char *
vit_conf_unescape(const char *value)
{
    GString *out = g_string_new(NULL);

    for (const char *c = value; *c != '\0'; c++) {
        if (*c != '\\' || c[1] == '\0') {
            g_string_append_c(out, *c);
            continue;
        }
        c++;
        switch (*c) {
        case 's': g_string_append_c(out, ' '); break;
        case 'n': g_string_append_c(out, '\n'); break;
        case 't': g_string_append_c(out, '\t'); break;
        case 'r': g_string_append_c(out, '\r'); break;
        case '\\': g_string_append_c(out, '\\'); break;
        default:
            g_string_append_c(out, '\\');
            g_string_append_c(out, *c);
            break;
        }
    }
    return g_string_free(out, FALSE);
}

/* TEXT without blanks at its ends. Other white space, however odd, belongs to a value. */
static char *
trim(char *text)
{
    static const char blanks[] = " \t\r";

    text += strspn(text, blanks);
    size_t len = strlen(text);
    while (len > 0 && strchr(blanks, text[len - 1]) != NULL)
        len--;
    text[len] = '\0';
    return text;
}

bool
vit_conf_next_line(const char **at, VitConfLine *out)
{
    const char *start = *at;

    if (*start == '\0')
        return false;
    const char *end = strchrnul(start, '\n');
    *out = (VitConfLine){ .text = start, .len = (size_t)(end - start) };
    *at = *end == '\n' ? end + 1 : end;
    g_autofree char *line = g_strndup(start, out->len);
    char *text = trim(line);
    size_t len = strlen(text);
    if (text[0] == '[' && len > 2 && text[len - 1] == ']') {
        out->group = g_strndup(text + 1, len - 2);
        return true;
    }
    char *equals = strchr(text, '=');
    if (text[0] == '#' || equals == NULL || equals == text)
        return true;
    *equals = '\0';
    out->key = g_strdup(trim(text));
    out->value = vit_conf_unescape(trim(equals + 1));
    return true;
}

void
vit_conf_line_clear(VitConfLine *line)
{
    g_free(line->group);
    g_free(line->key);
    g_free(line->value);
}

/* ---- groups -------------------------------------------------------------------------------- */

typedef struct {
    VitConfig *config;
    VitDiagList *diags;
    /* the group at hand */
    const char *start; /* of its comments */
    char *name;
    GPtrArray *keys, *values;
    unsigned n_shown;
} Reader;

static const char *
group_get(const Reader *reader, const char *key)
{
    for (unsigned i = 0; i < reader->keys->len; i++)
        if (strcmp(reader->keys->pdata[i], key) == 0)
            return reader->values->pdata[i];
    return NULL;
}

/* OPTION of OPTION:ID#N. Ownership: caller. */
static char *
base_name(const char *group)
{
    return g_strndup(group, strcspn(group, ":#"));
}

static char *
group_id(const char *group)
{
    const char *colon = strchr(group, ':');

    if (colon == NULL)
        return NULL;
    return g_strndup(colon + 1, strcspn(colon + 1, "#"));
}

static VitConfigItem *
item_from_keys(const Reader *reader, const VitOption *option, const char *base)
{
    bool is_image = option == NULL;
    g_autoptr(VitConfigItem) item =
        vit_config_item_alloc(is_image ? VIT_ITEM_IMAGE : VIT_ITEM_OPTION, base, option);
    g_autofree char *id = group_id(reader->name);

    for (unsigned i = 0; i < reader->keys->len; i++) {
        const char *key = reader->keys->pdata[i];

        if (key[0] == '@')
            continue;
        g_autofree char *plain = g_strndup(key, strcspn(key, "#"));
        vit_config_item_add_param(item, plain, reader->values->pdata[i]);
    }
    if (id != NULL && option != NULL && option->id_key != NULL &&
        vit_config_item_get(item, option->id_key) == NULL)
        vit_config_item_add_param(item, option->id_key, id);
    return vit_config_item_print(item, NULL) ? g_steal_pointer(&item) : NULL;
}

/* The one item that TEXT is, unless it is of another option than BASE; NULL accepts any. */
static VitConfigItem *
item_from_text(const char *text, const char *base)
{
    g_autoptr(VitConfig) config = vit_config_parse(text, (VitParseFlags)VIT_PARSE_FRAGMENT, NULL);

    if (config->items->len != 1 || config->tail[0] != '\0')
        return NULL;
    VitConfigItem *item = config->items->pdata[0];
    if (item->lead[0] != '\0' ||
        (base != NULL && (item->type == VIT_ITEM_UNKNOWN || strcmp(base, item->name) != 0)))
        return NULL;
    VitConfigItem *copy = vit_config_item_clone(item);
    copy->serial = 0;
    g_clear_pointer(&copy->lead, g_free);
    return copy;
}

/* TEXT that was not understood when it was saved. It may be by now. */
static VitConfigItem *
item_from_raw(const char *text)
{
    VitConfigItem *item = item_from_text(text, NULL);
    g_autofree char *word = g_strndup(text, strcspn(text, " \t\r\n"));

    if (item != NULL)
        return item;
    item = vit_config_item_alloc(VIT_ITEM_UNKNOWN, word + strspn(word, "-"), NULL);
    vit_config_item_add_param(item, "text", text);
    item->source = g_strdup(text);
    item->word_end = (uint32_t)strlen(word);
    return item;
}

/* The item of the group at hand, or NULL when it is none. */
static VitConfigItem *
read_item(const Reader *reader)
{
    g_autofree char *base = base_name(reader->name);
    const VitOption *option = vit_option_find(base);
    const char *source = group_get(reader, "@source"), *json = group_get(reader, "@json");
    const char *raw = strcmp(base, "raw") == 0 ? group_get(reader, "text") : NULL;
    bool is_image = strcmp(base, "image") == 0;

    if (raw != NULL)
        return item_from_raw(raw);
    if (option == NULL && !is_image)
        return NULL;
    if (option != NULL && strcmp(option->name, base) != 0)
        return NULL;
    g_autoptr(VitConfigItem) typed = source != NULL ? item_from_text(source, base) : NULL;
    if (json != NULL) {
        g_autoptr(GString) text = g_string_new(NULL);
        g_string_append_printf(text, "-%s ", base);
        vit_quote_word(text, json);
        VitConfigItem *item = item_from_text(text->str, base);
        if (item != NULL && typed != NULL && vit_config_item_equal(item, typed)) {
            vit_config_item_unref(item);
            return g_steal_pointer(&typed);
        }
        if (item != NULL)
            item->origin = VIT_ORIGIN_DIALOG;
        return item;
    }
    bool only_source = true;
    for (unsigned i = 0; i < reader->keys->len && only_source; i++)
        only_source = ((const char *)reader->keys->pdata[i])[0] == '@';
    if (typed != NULL && only_source && vit_config_item_n(typed) > 0)
        return g_steal_pointer(&typed);
    g_autoptr(VitConfigItem) item = item_from_keys(reader, option, base);
    /* Keys that cannot be written as an option only exist in a typed one. */
    if (item == NULL || (typed != NULL && vit_config_item_equal(item, typed)))
        return g_steal_pointer(&typed);
    item->origin = g_strcmp0(group_get(reader, "@origin"), "default") == 0 ? VIT_ORIGIN_DEFAULT
                                                                           : VIT_ORIGIN_DIALOG;
    return g_steal_pointer(&item);
}

static VitConfigItem *
read_foreign(const Reader *reader)
{
    VitConfigItem *item = vit_config_item_alloc(VIT_ITEM_FOREIGN, reader->name, NULL);

    for (unsigned i = 0; i < reader->keys->len; i++)
        vit_config_item_add_param(item, reader->keys->pdata[i], reader->values->pdata[i]);
    item->source = g_strdup("");
    return item;
}

static void
end_head(Reader *reader, const char *end)
{
    VitConfig *config = reader->config;
    const char *tail = group_get(reader, "tail");

    g_free(config->conf_head);
    config->conf_head = g_strndup(reader->start, (size_t)(end - reader->start));
    if (tail != NULL) {
        g_free(config->tail);
        config->tail = g_strdup(tail);
    }
}

static void
end_group(Reader *reader, const char *end)
{
    if (reader->name == NULL)
        return;
    if (strcmp(reader->name, "vitrine") == 0) {
        end_head(reader, end);
        return;
    }
    VitConfigItem *item = read_item(reader);
    if (item == NULL) {
        item = read_foreign(reader);
        if (!g_str_has_prefix(reader->name, "vitrine"))
            vit_diag_list_add(
                reader->diags, 0, 0, VIT_SEVERITY_WARNING, VIT_ERROR_INVALID_ARGUMENT, 0, NULL,
                NULL, "machine.conf: the group [%s] is not understood; it is kept", reader->name);
    } else {
        const char *lead = group_get(reader, "@lead");
        const char *usual = reader->config->separator;

        item->lead = g_strdup(lead != NULL ? lead : reader->n_shown > 0 ? usual : "");
        reader->n_shown++;
    }
    item->conf_text = g_strndup(reader->start, (size_t)(end - reader->start));
    item->conf_base = g_strdup(item->conf_text);
    vit_config_append(reader->config, item);
}

/* ---- the file ------------------------------------------------------------------------------ */

/* The last value of KEY in the head, wherever the head stands. Ownership: caller. */
static char *
head_value(const char *data, const char *key)
{
    VitConfLine line;
    char *value = NULL;
    bool in_head = false;

    while (vit_conf_next_line(&data, &line)) {
        if (line.group != NULL) {
            in_head = strcmp(line.group, "vitrine") == 0;
        } else if (in_head && line.key != NULL && strcmp(line.key, key) == 0) {
            g_free(value);
            value = g_steal_pointer(&line.value);
        }
        vit_conf_line_clear(&line);
    }
    return value;
}

static int64_t
head_number(const char *data, const char *key)
{
    g_autofree char *value = head_value(data, key);
    int64_t number = 0;

    return value != NULL && vit_value_parse_int(value, &number) ? number : 0;
}

/* Neither group nor key nor comment: somebody's slip, or a form that is newer than this. */
static bool
is_odd(const VitConfLine *line)
{
    size_t blanks = strspn(line->text, " \t\r");

    return line->group == NULL && line->key == NULL && blanks < line->len &&
           line->text[blanks] != '#';
}

static void
tell_odd(Reader *reader, const VitConfLine *line)
{
    g_autofree char *text = g_strndup(line->text, MIN(line->len, 60));
    g_autofree char *shown = g_utf8_make_valid(text, -1);

    vit_diag_list_add(reader->diags, 0, 0, VIT_SEVERITY_WARNING, VIT_ERROR_INVALID_ARGUMENT, 0,
                      NULL, NULL, "machine.conf: the line '%s' is not understood; it is kept",
                      shown);
}

/* Comments and blank lines belong to the group after them, everything else to the one before. */
static void
read_groups(Reader *reader, const char *data)
{
    const char *at = data, *comments = data;
    VitConfLine line;

    while (vit_conf_next_line(&at, &line)) {
        if (line.group != NULL) {
            end_group(reader, comments);
            reader->start = comments;
            g_free(reader->name);
            reader->name = g_steal_pointer(&line.group);
            g_ptr_array_set_size(reader->keys, 0);
            g_ptr_array_set_size(reader->values, 0);
            comments = at;
        } else if (line.key != NULL) {
            g_ptr_array_add(reader->keys, g_steal_pointer(&line.key));
            g_ptr_array_add(reader->values, g_steal_pointer(&line.value));
            comments = at;
        } else if (is_odd(&line)) {
            tell_odd(reader, &line);
            if (reader->name != NULL)
                comments = at;
        }
        vit_conf_line_clear(&line);
    }
    end_group(reader, comments);
    reader->config->conf_tail = g_strdup(comments);
}

VitConfig *
vit_config_load_data(const char *data, gssize len_bytes, VitConfAccess *out_access,
                     VitDiagList *diags, GError **error)
{
    size_t len = len_bytes < 0 ? strlen(data) : (size_t)len_bytes;

    if (memchr(data, '\0', len) != NULL) {
        g_set_error_literal(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                            "the configuration is damaged: it holds NUL bytes; the copy whose name "
                            "ends in ~ is the version before");
        return NULL;
    }
    g_autofree char *text = g_strndup(data, len);
    int64_t min_reader = head_number(text, "min-reader");
    if (min_reader > VIT_CONF_FORMAT) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                    "the configuration was written by a newer version, in format %" G_GINT64_FORMAT
                    "; this version reads up to %d",
                    min_reader, VIT_CONF_FORMAT);
        return NULL;
    }
    Reader reader = { .config = vit_config_new(), .diags = diags };
    reader.config->separator = head_value(text, "separator");
    if (reader.config->separator == NULL)
        reader.config->separator = g_strdup("\n");
    reader.keys = g_ptr_array_new_with_free_func(g_free);
    reader.values = g_ptr_array_new_with_free_func(g_free);
    read_groups(&reader, text);
    g_ptr_array_unref(reader.keys);
    g_ptr_array_unref(reader.values);
    g_free(reader.name);
    reader.config->is_read_only = head_number(text, "min-writer") > VIT_CONF_FORMAT;
    if (out_access != NULL)
        *out_access = reader.config->is_read_only ? VIT_CONF_READ_ONLY : VIT_CONF_WRITABLE;
    return reader.config;
}

char *
vit_conf_read_file(const char *path, size_t *out_len, GError **error)
{
    enum { LIMIT = 64 * 1024 * 1024, STEP = 65536 };
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 0;

    while (fd >= 0 && bytes->len < LIMIT) {
        unsigned len = bytes->len;

        g_byte_array_set_size(bytes, len + STEP);
        n = read(fd, bytes->data + len, STEP);
        g_byte_array_set_size(bytes, len + (n > 0 ? (unsigned)n : 0));
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
    }
    int code = n < 0 ? errno : bytes->len >= LIMIT ? EFBIG : 0;
    if (fd >= 0)
        close(fd);
    if (code != 0) {
        g_set_error(error, VIT_ERROR,
                    code == ENOENT || code == ENOTDIR ? VIT_ERROR_NOT_FOUND
                    : code == EACCES                  ? VIT_ERROR_PERMISSION
                                                      : VIT_ERROR_IO,
                    "the file '%s' cannot be read: %s", path, g_strerror(code));
        return NULL;
    }
    *out_len = bytes->len;
    g_byte_array_append(bytes, (const uint8_t *)"", 1);
    return (char *)g_byte_array_free(g_steal_pointer(&bytes), FALSE);
}

VitConfig *
vit_config_load(const char *path, VitConfAccess *out_access, VitDiagList *diags, GError **error)
{
    size_t len;
    g_autofree char *data = vit_conf_read_file(path, &len, error);

    if (data == NULL)
        return NULL;
    VitConfig *config = vit_config_load_data(data, (gssize)len, out_access, diags, error);
    if (config == NULL) {
        g_prefix_error(error, "%s: ", path);
        return NULL;
    }
    config->folder = g_path_get_dirname(path);
    return config;
}
