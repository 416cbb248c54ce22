/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* DEVICE of -serial, -parallel, -monitor, -qmp, -debugcon, -gdb, -qtest: stdio, pty, vc:80Cx24C,
 * file:PATH, tcp:HOST:PORT,server=on, unix:PATH, udp:HOST:PORT@HOST:PORT, chardev:ID, /dev/ttyS0
 * and so on, turned into a backend of -chardev and its keys. `mon:` in front shares the device
 * with a monitor. Old spellings (server, nowait) are read too.
 * Thread: any; nothing here keeps state. */

#include <string.h>

#include "vit-chardev-spec.h"
#include "vit-option-private.h"
#include "vit-types.h"

typedef struct {
    VitChardevSpec *spec;
    const char *text;
    size_t start, end; /* of what is wrong */
} Reader;

static void
param_clear(gpointer data)
{
    VitChardevParam *param = data;

    g_free(param->key);
    g_free(param->value);
}

static void
add(Reader *reader, const char *key, size_t start, size_t end)
{
    VitChardevParam param = {
        .key = g_strdup(key),
        .value = g_strndup(reader->text + start, end - start),
        .start = start,
        .end = end,
    };

    g_array_append_val(reader->spec->params, param);
}

static void
add_const(Reader *reader, const char *key, const char *value, size_t start, size_t end)
{
    VitChardevParam param = {
        .key = g_strdup(key),
        .value = g_strdup(value),
        .start = start,
        .end = end,
    };

    g_array_append_val(reader->spec->params, param);
}

static bool
fail(Reader *reader, size_t start, size_t end, VitError code, GError **error, const char *message)
{
    reader->start = start;
    reader->end = MAX(end, start);
    g_set_error_literal(error, VIT_ERROR, (int)code, message);
    return false;
}

/* Reads [HOST]:PORT between START and END, with an IPv6 address in brackets. */
static bool
read_host_port(Reader *reader, size_t start, size_t end, const char *host_key, const char *port_key,
               GError **error)
{
    const char *text = reader->text;
    size_t host_end = start;

    if (text[start] == '[') {
        while (host_end < end && text[host_end] != ']')
            host_end++;
        if (host_end == end)
            return fail(reader, start, end, VIT_ERROR_INVALID_ARGUMENT, error,
                        "the bracket of the address is not closed");
        if (host_end > start + 1)
            add(reader, host_key, start + 1, host_end);
        host_end++;
    } else {
        while (host_end < end && text[host_end] != ':')
            host_end++;
        if (host_end > start)
            add(reader, host_key, start, host_end);
    }
    if (host_end >= end || text[host_end] != ':' || host_end + 1 == end)
        return fail(reader, start, end, VIT_ERROR_INVALID_ARGUMENT, error,
                    "the address must be HOST:PORT, where HOST may be left out");
    add(reader, port_key, host_end + 1, end);
    return true;
}

static bool
is_on(const VitChardevSpec *spec, const char *key)
{
    const char *value = vit_chardev_spec_get(spec, key);
    bool on;

    return value != NULL && vit_value_parse_bool(value, &on) && on;
}

/* Reads ,key=value... at AT; bare keys are on, with "no" in front off. */
static bool
read_keys(Reader *reader, size_t at, GError **error)
{
    const VitOptionVariant *variant =
        vit_option_find_variant(vit_option_find("chardev"), reader->spec->backend);
    const char *text = reader->text;

    while (text[at] == ',') {
        size_t start = at + 1, end = start + strcspn(text + start, ",");
        size_t equals = start + strcspn(text + start, "=,");
        g_autofree char *key = g_strndup(text + start, MIN(equals, end) - start);

        at = end;
        if (start == end)
            continue;
        if (vit_option_find_key(vit_option_find("chardev"), variant, key, NULL) != NULL) {
            if (equals < end)
                add(reader, key, equals + 1, end);
            else
                add_const(reader, key, "on", start, end);
        } else if (equals >= end && g_str_has_prefix(key, "no") &&
                   vit_option_find_key(vit_option_find("chardev"), variant, key + 2, NULL)) {
            add_const(reader, key + 2, "off", start, end);
        } else {
            VitNearest nearest;

            vit_nearest_init(&nearest, key);
            for (const VitOptionKey *k = variant->keys; k != NULL && k->name != NULL; k++)
                vit_nearest_offer(&nearest, k->name);
            g_autofree char *message =
                g_strdup_printf("a %s device has no key '%s'%s%s%s", reader->spec->backend, key,
                                nearest.best ? "; did you mean '" : "",
                                nearest.best ? nearest.best : "", nearest.best ? "'?" : "");
            return fail(reader, start, MIN(equals, end), VIT_ERROR_INVALID_ARGUMENT, error,
                        message);
        }
    }
    return true;
}

static bool
read_tcp(Reader *reader, size_t at, const char *protocol, GError **error)
{
    size_t end = at + strcspn(reader->text + at, ",");

    reader->spec->backend = "socket";
    if (!read_host_port(reader, at, end, "host", "port", error))
        return false;
    if (protocol != NULL)
        add_const(reader, protocol, "on", 0, at > 0 ? at - 1 : 0);
    if (!read_keys(reader, end, error))
        return false;
    if (g_strcmp0(protocol, "websocket") == 0 && !is_on(reader->spec, "server"))
        return fail(reader, 0, end, VIT_ERROR_INVALID_ARGUMENT, error,
                    "a websocket device only works as a server; add server=on");
    return true;
}

static bool
read_udp(Reader *reader, size_t at, GError **error)
{
    size_t end = at + strlen(reader->text + at);
    const char *sign = strchr(reader->text + at, '@');
    size_t remote_end = sign != NULL ? (size_t)(sign - reader->text) : end;

    reader->spec->backend = "udp";
    if (!read_host_port(reader, at, remote_end, "host", "port", error))
        return false;
    return sign == NULL ||
           read_host_port(reader, remote_end + 1, end, "localaddr", "localport", error);
}

static bool
read_unix(Reader *reader, size_t at, GError **error)
{
    size_t end = at + strcspn(reader->text + at, ",");

    reader->spec->backend = "socket";
    if (end == at)
        return fail(reader, 0, at, VIT_ERROR_INVALID_ARGUMENT, error,
                    "the path of the socket is missing");
    add(reader, "path", at, end);
    return read_keys(reader, end, error);
}

/* vc:800x600 in pixels, vc:80Cx24C in characters. */
static bool
read_vc(Reader *reader, size_t at, GError **error)
{
    const char *text = reader->text;
    static const char *const keys[2][2] = { { "width", "cols" }, { "height", "rows" } };

    reader->spec->backend = "vc";
    if (text[at] == '\0')
        return true;
    for (unsigned i = 0; i < 2; i++) {
        size_t start = at;

        while (g_ascii_isdigit(text[at]))
            at++;
        size_t end = at;
        bool in_chars = text[at] == 'C';
        if (in_chars)
            at++;
        if (end == start || text[at] != (i == 0 ? 'x' : '\0'))
            return fail(reader, 3, strlen(text), VIT_ERROR_INVALID_ARGUMENT, error,
                        "the size must be WIDTHxHEIGHT, or COLUMNSCxROWSC such as 80Cx24C");
        add(reader, keys[i][in_chars], start, end);
        at++;
    }
    return true;
}

static bool
read_path(Reader *reader, size_t at, const char *backend, GError **error)
{
    size_t end = strlen(reader->text);

    reader->spec->backend = backend;
    if (at == end)
        return fail(reader, 0, end, VIT_ERROR_INVALID_ARGUMENT, error, "the path is missing");
    add(reader, "path", at, end);
    return true;
}

static bool
read_plain(Reader *reader, size_t at, GError **error)
{
    static const char *const names[] = { "stdio", "null",    "pty",      "msmouse", "braille",
                                         "vc",    "ringbuf", "wctablet", "testdev" };
    const char *text = reader->text + at;
    VitNearest nearest;

    vit_nearest_init(&nearest, text);
    for (unsigned i = 0; i < VIT_ARRAY_LEN(names); i++) {
        size_t len = strlen(names[i]);

        vit_nearest_offer(&nearest, names[i]);
        if (strncmp(text, names[i], len) != 0 || (text[len] != '\0' && text[len] != ','))
            continue;
        reader->spec->backend = names[i];
        return read_keys(reader, at + len, error);
    }
    if (g_str_has_prefix(text, "COM") && g_ascii_isdigit(text[3]))
        return fail(reader, at, at + strlen(text), VIT_ERROR_OTHER_HOST, error,
                    "COM ports exist only on Windows hosts; use a path such as /dev/ttyS0");
    if (strcmp(text, "con:") == 0)
        return fail(reader, at, at + strlen(text), VIT_ERROR_OTHER_HOST, error,
                    "the console backend exists only on Windows hosts");
    g_autofree char *message = g_strdup_printf(
        "there is no character device '%s'%s%s%s", text, nearest.best ? "; did you mean " : "",
        nearest.best ? nearest.best : "", nearest.best ? "?" : "");
    return fail(reader, at, at + strlen(text), VIT_ERROR_INVALID_ARGUMENT, error, message);
}

static bool
read_spec(Reader *reader, size_t at, GError **error)
{
    const char *text = reader->text + at;
    VitChardevSpec *spec = reader->spec;

    if (g_str_has_prefix(text, "mon:") && !spec->is_mux) {
        spec->is_mux = true;
        return read_spec(reader, at + 4, error);
    }
    if (strcmp(text, "none") == 0) {
        spec->is_none = true;
        return true;
    }
    if (g_str_has_prefix(text, "chardev:")) {
        spec->chardev_id = g_strdup(text + 8);
        return text[8] != '\0' || fail(reader, at, at + 8, VIT_ERROR_INVALID_ARGUMENT, error,
                                       "the id of the character device is missing");
    }
    if (g_str_has_prefix(text, "tcp:"))
        return read_tcp(reader, at + 4, NULL, error);
    if (g_str_has_prefix(text, "telnet:"))
        return read_tcp(reader, at + 7, "telnet", error);
    if (g_str_has_prefix(text, "tn3270:"))
        return read_tcp(reader, at + 7, "tn3270", error);
    if (g_str_has_prefix(text, "websocket:"))
        return read_tcp(reader, at + 10, "websocket", error);
    if (g_str_has_prefix(text, "udp:"))
        return read_udp(reader, at + 4, error);
    if (g_str_has_prefix(text, "unix:"))
        return read_unix(reader, at + 5, error);
    if (g_str_has_prefix(text, "vc:"))
        return read_vc(reader, at + 3, error);
    if (g_str_has_prefix(text, "file:"))
        return read_path(reader, at + 5, "file", error);
    if (g_str_has_prefix(text, "pipe:"))
        return read_path(reader, at + 5, "pipe", error);
    if (g_str_has_prefix(text, "/dev/parport") || g_str_has_prefix(text, "/dev/ppi"))
        return read_path(reader, at, "parallel", error);
    if (g_str_has_prefix(text, "/dev/"))
        return read_path(reader, at, "serial", error);
    return read_plain(reader, at, error);
}

bool
vit_chardev_spec_init(VitChardevSpec *spec, const char *text, size_t *out_start, size_t *out_end,
                      GError **error)
{
    Reader reader = { .spec = spec, .text = text };

    *spec = (VitChardevSpec){ 0 };
    spec->params = g_array_new(FALSE, TRUE, sizeof(VitChardevParam));
    g_array_set_clear_func(spec->params, param_clear);
    if (read_spec(&reader, 0, error))
        return true;
    *out_start = reader.start;
    *out_end = reader.end;
    vit_chardev_spec_finish(spec);
    return false;
}

void
vit_chardev_spec_finish(VitChardevSpec *spec)
{
    g_clear_pointer(&spec->params, g_array_unref);
    g_clear_pointer(&spec->chardev_id, g_free);
}

const char *
vit_chardev_spec_get(const VitChardevSpec *spec, const char *key)
{
    for (unsigned i = spec->params->len; i-- > 0;) {
        const VitChardevParam *param = &g_array_index(spec->params, VitChardevParam, i);
        if (strcmp(param->key, key) == 0)
            return param->value;
    }
    return NULL;
}
