/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Device texts: the short form of a character device that -serial, -parallel, -monitor, -qmp,
 * -debugcon and guestfwd take ("stdio", "mon:stdio", "tcp:host:port,server=on", "vc:80Cx24C").
 * They become a kind and properties; what those mean is the kind's affair.
 *
 * Thread: any. */

#include "vit-chardev.h"

#include <string.h>

#include "vit-error.h"

/* Names that stand alone. */
static const char *const plain_kinds[] = {
    "null", "stdio", "pty", "vc", "msmouse", "wctablet", "braille", "testdev",
};

/* Everything a text may begin with, for the nearest-name hint. */
static const char *const heads[] = {
    "null", "stdio",   "pty",  "vc",  "msmouse", "wctablet",  "braille", "testdev",
    "none", "file",    "pipe", "tcp", "telnet",  "tn3270",    "unix",    "udp",
    "mon",  "chardev", "con",  "COM", "serial",  "websocket",
};

void
vit_chardev_text_free(VitChardevText *parsed)
{
    if (!parsed) {
        return;
    }
    g_free(parsed->kind);
    g_free(parsed->existing_id);
    g_ptr_array_unref(parsed->keys);
    g_ptr_array_unref(parsed->values);
    g_free(parsed);
}

static void
add(VitChardevText *parsed, const char *key, const char *value)
{
    g_ptr_array_add(parsed->keys, g_strdup(key));
    g_ptr_array_add(parsed->values, g_strdup(value));
}

static bool
fail(GError **error, const char *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *cause = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "character device '%s': %s", text,
                cause);
    return false;
}

/* One part up to a single comma; a doubled comma is an ordinary one. *AT moves past the comma, to
 * NULL at the end. */
static char *
next_part(const char **at)
{
    GString *part = g_string_new(NULL);
    const char *p = *at;

    for (;; p++) {
        if (*p == ',' && p[1] == ',') {
            p++;
        } else if (*p == ',' || !*p) {
            break;
        }
        g_string_append_c(part, *p);
    }
    *at = *p ? p + 1 : NULL;
    return g_string_free(part, FALSE);
}

/* "server=on", "server", "nowait", from AT to the end; AT may be NULL. */
static bool
parse_keys(VitChardevText *parsed, const char *text, const char *at, GError **error)
{
    while (at) {
        g_autofree char *part = next_part(&at);
        char *equals = strchr(part, '=');
        if (!*part || equals == part) {
            return fail(error, text, "a parameter name is missing between the commas");
        }
        if (equals) {
            *equals = '\0';
            add(parsed, part, equals + 1);
        } else if (g_str_has_prefix(part, "no") && strcmp(part, "nodelay") != 0) {
            add(parsed, part + 2, "off");
        } else {
            add(parsed, part, "on");
        }
    }
    return true;
}

/* HOST up to a colon, or an IPv6 address in brackets, then ":". Newly allocated. */
static char *
parse_host(const char **at)
{
    const char *end = NULL, *after = NULL;

    if (**at == '[') {
        end = strchr(*at, ']');
        if (!end || end[1] != ':') {
            return NULL;
        }
        *at += 1;
        after = end + 2;
    } else {
        end = *at + strcspn(*at, ":,@");
        if (*end != ':') {
            return NULL;
        }
        after = end + 1;
    }
    char *host = g_strndup(*at, end - *at);
    *at = after;
    return host;
}

static bool
parse_tcp(VitChardevText *parsed, const char *text, const char *at, GError **error)
{
    g_autofree char *host = parse_host(&at);

    if (!host) {
        return fail(error, text, "HOST:PORT is wanted (an empty HOST is any address)");
    }
    size_t port_len = strcspn(at, ",");
    if (port_len == 0) {
        return fail(error, text, "the port number is missing");
    }
    g_autofree char *port = g_strndup(at, port_len);
    at += port_len;
    if (strchr(port, ':')) {
        return fail(error, text, "write an IPv6 address in brackets: [%s...]:PORT", host);
    }
    parsed->kind = g_strdup("socket");
    add(parsed, "host", host);
    add(parsed, "port", port);
    if (g_str_has_prefix(text, "telnet:")) {
        add(parsed, "telnet", "on");
    } else if (g_str_has_prefix(text, "tn3270:")) {
        add(parsed, "tn3270", "on");
    } else if (g_str_has_prefix(text, "websocket:")) {
        add(parsed, "websocket", "on");
    }
    return parse_keys(parsed, text, *at ? at + 1 : NULL, error);
}

/* [HOST]:PORT[@[LOCALHOST]:LOCALPORT] */
static bool
parse_udp(VitChardevText *parsed, const char *text, const char *at, GError **error)
{
    g_autofree char *host = parse_host(&at);

    if (!host) {
        return fail(error, text, "HOST:PORT[@LOCALHOST:LOCALPORT] is wanted");
    }
    size_t port_len = strcspn(at, "@,");
    if (port_len == 0) {
        return fail(error, text, "the port number is missing");
    }
    g_autofree char *port = g_strndup(at, port_len);
    at += port_len;
    parsed->kind = g_strdup("udp");
    add(parsed, "host", host);
    add(parsed, "port", port);
    if (*at == '@') {
        at++;
        g_autofree char *local_host = parse_host(&at);
        size_t local_len = local_host ? strcspn(at, ",") : 0;
        if (local_len == 0) {
            return fail(error, text, "[LOCALHOST]:LOCALPORT is wanted after '@'");
        }
        g_autofree char *local_port = g_strndup(at, local_len);
        at += local_len;
        add(parsed, "localaddr", local_host);
        add(parsed, "localport", local_port);
    }
    return parse_keys(parsed, text, *at ? at + 1 : NULL, error);
}

static bool
parse_unix(VitChardevText *parsed, const char *text, const char *at, GError **error)
{
    g_autofree char *path = next_part(&at);

    if (!*path) {
        return fail(error, text, "the path of the Unix socket is missing");
    }
    parsed->kind = g_strdup("socket");
    add(parsed, "path", path);
    return parse_keys(parsed, text, at, error);
}

/* Up to five digits at *AT, moved past them; NULL when there is none. Newly allocated. */
static char *
parse_digits(const char **at)
{
    size_t len = strspn(*at, "0123456789");

    if (len == 0 || len > 5) {
        return NULL;
    }
    char *digits = g_strndup(*at, len);
    *at += len;
    return digits;
}

/* 800x600 pixels or 80Cx24C characters. */
static bool
parse_vc_size(VitChardevText *parsed, const char *text, const char *at, GError **error)
{
    g_autofree char *width = parse_digits(&at);
    bool in_characters = width && *at == 'C';
    at += in_characters;
    g_autofree char *height = width && *at == 'x' ? (at++, parse_digits(&at)) : NULL;

    if (!height || strcmp(at, in_characters ? "C" : "") != 0) {
        return fail(error, text,
                    "a size is WIDTHxHEIGHT in pixels or COLUMNSCxROWSC, e.g. 80Cx24C");
    }
    parsed->kind = g_strdup("vc");
    add(parsed, in_characters ? "cols" : "width", width);
    add(parsed, in_characters ? "rows" : "height", height);
    return true;
}

static bool
parse_path(VitChardevText *parsed, const char *kind, const char *text, const char *path,
           GError **error)
{
    if (!*path) {
        return fail(error, text, "the path is missing");
    }
    parsed->kind = g_strdup(kind);
    add(parsed, "path", path);
    return true;
}

static bool
parse_unknown(const char *text, GError **error)
{
    g_autofree char *head = g_strndup(text, strcspn(text, ":,"));
    const char *near = vit_nearest_name(head, heads, G_N_ELEMENTS(heads));

    if (near) {
        return fail(error, text, "no such kind of device; did you mean '%s'?", near);
    }
    return fail(error, text,
                "no such kind of device; use stdio, null, pty, vc, file:PATH, pipe:PATH, "
                "tcp:HOST:PORT, unix:PATH, telnet:HOST:PORT, udp:HOST:PORT, chardev:ID, "
                "/dev/..., none");
}

static bool
parse_head(VitChardevText *parsed, const char *text, GError **error)
{
    const char *colon = strchr(text, ':');
    const char *rest = colon ? colon + 1 : "";

    for (unsigned i = 0; i < G_N_ELEMENTS(plain_kinds); i++) {
        size_t len = strlen(plain_kinds[i]);
        if (strncmp(text, plain_kinds[i], len) == 0 && (!text[len] || text[len] == ',')) {
            parsed->kind = g_strdup(plain_kinds[i]);
            return parse_keys(parsed, text, text[len] ? text + len + 1 : NULL, error);
        }
    }
    if (strcmp(text, "none") == 0) {
        parsed->none = true;
        return true;
    }
    if (g_str_has_prefix(text, "chardev:")) {
        parsed->existing_id = g_strdup(rest);
        return *rest || fail(error, text, "the id of a -chardev is missing");
    }
    if (g_str_has_prefix(text, "vc:")) {
        return parse_vc_size(parsed, text, rest, error);
    }
    if (g_str_has_prefix(text, "file:")) {
        return parse_path(parsed, "file", text, rest, error);
    }
    if (g_str_has_prefix(text, "pipe:")) {
        return parse_path(parsed, "pipe", text, rest, error);
    }
    if (g_str_has_prefix(text, "tcp:") || g_str_has_prefix(text, "telnet:") ||
        g_str_has_prefix(text, "tn3270:") || g_str_has_prefix(text, "websocket:")) {
        return parse_tcp(parsed, text, rest, error);
    }
    if (g_str_has_prefix(text, "udp:")) {
        return parse_udp(parsed, text, rest, error);
    }
    if (g_str_has_prefix(text, "unix:")) {
        return parse_unix(parsed, text, rest, error);
    }
    if (g_str_has_prefix(text, "/dev/parport")) {
        return parse_path(parsed, "parallel", text, text, error);
    }
    if (g_str_has_prefix(text, "/dev/")) {
        return parse_path(parsed, "serial", text, text, error);
    }
    if (g_str_has_prefix(text, "COM") || g_str_has_prefix(text, "con:")) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_OTHER_HOST,
                    "character device '%s' exists only on Windows hosts; use a /dev path or stdio",
                    text);
        return false;
    }
    return parse_unknown(text, error);
}

VitChardevText *
vit_chardev_text_parse(const char *text, GError **error)
{
    g_autoptr(VitChardevText) parsed = g_new0(VitChardevText, 1);

    parsed->keys = g_ptr_array_new_with_free_func(g_free);
    parsed->values = g_ptr_array_new_with_free_func(g_free);
    if (g_str_has_prefix(text, "mon:")) {
        text += 4;
        parsed->with_monitor = true;
    }
    if (!parse_head(parsed, text, error)) {
        return NULL;
    }
    if (parsed->with_monitor) {
        if (!parsed->kind) {
            fail(error, text,
                 "a monitor cannot be added to this; give the -chardev mux=on and "
                 "use -mon");
            return NULL;
        }
        add(parsed, "mux", "on");
        if (strcmp(parsed->kind, "stdio") == 0) {
            /* Ctrl-C is for the guest. Before the user's keys, which win. */
            g_ptr_array_insert(parsed->keys, 0, g_strdup("signal"));
            g_ptr_array_insert(parsed->values, 0, g_strdup("off"));
        }
    }
    return g_steal_pointer(&parsed);
}
