/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A machine monitor on a character device: greeting, capabilities negotiation, requests and
 * answers, events. Out-of-band execution is not offered. Input is untrusted: the framer bounds it,
 * json-glib parses it, the rows check it. Thread: device lock held. */

#include "qmp.h"

#include <string.h>

#include "vit-error.h"

typedef struct {
    MonSession session;
    QmpFramer framer;
    bool pretty, negotiated;
} QmpSession;

/* ---- answers ---- */

static JsonNode *
make_error(const char *error_class, const char *message)
{
    JsonObject *object = json_object_new(), *body = json_object_new();

    json_object_set_string_member(body, "class", error_class);
    json_object_set_string_member(body, "desc", message);
    json_object_set_object_member(object, "error", body);
    return qmp_object(object);
}

/* The two that programs tell apart. */
static const char *
class_of(const GError *error)
{
    bool is_absent = g_error_matches(error, VIT_ERROR, VIT_ERROR_NOT_FOUND);

    return is_absent && g_str_has_prefix(error->message, "Device '")      ? "DeviceNotFound"
           : is_absent && g_str_has_prefix(error->message, "Block job '") ? "DeviceNotActive"
                                                                          : "GenericError";
}

static JsonNode *
take_error(GError *error)
{
    JsonNode *answer = make_error(class_of(error), error->message);

    g_error_free(error);
    return answer;
}

/* ---- requests ---- */

/* Checks the request's own members. Returns the error's text, or NULL. */
static char *
check_request(JsonObject *request)
{
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;

    json_object_iter_init(&iter, request);
    while (json_object_iter_next(&iter, &name, &node)) {
        bool is_string =
            JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING;
        if (strcmp(name, "execute") == 0) {
            if (!is_string) {
                return g_strdup("QMP input member 'execute' must be a string");
            }
        } else if (strcmp(name, "arguments") == 0) {
            if (!JSON_NODE_HOLDS_OBJECT(node)) {
                return g_strdup("QMP input member 'arguments' must be an object");
            }
        } else if (strcmp(name, "exec-oob") == 0) {
            return g_strdup("Out-of-band execution is not available; use 'execute'");
        } else if (strcmp(name, "id") != 0) {
            return g_strdup_printf("QMP input member '%s' is unexpected", name);
        }
    }
    return json_object_has_member(request, "execute")
               ? NULL
               : g_strdup("QMP input lacks member 'execute'");
}

static JsonNode *
run_command(VitMonitors *monitors, const QmpCommand *command, JsonObject *args)
{
    QmpCall call = { .monitors = monitors, .command = command, .args = args };
    GError *error = NULL;

    if (!command->run) {
        g_autofree char *message = g_strdup_printf(
            "%s: %s", command->name, command->absent ? command->absent : "not available yet");
        return make_error("GenericError", message);
    }
    if (!qmp_check_args(command->args, args, &error)) {
        return take_error(error);
    }
    JsonNode *value = command->run(&call, &error);
    if (!value) {
        return take_error(
            error ? error : g_error_new(VIT_ERROR, VIT_ERROR_FAILED, "%s failed", command->name));
    }
    JsonObject *answer = json_object_new();
    json_object_set_member(answer, "return", value);
    return qmp_object(answer);
}

/* NEGOTIATED NULL: outside a session, where nothing is negotiated. */
static JsonNode *
run_request(VitMonitors *monitors, JsonObject *request, bool *negotiated)
{
    g_autofree char *wrong = check_request(request);

    if (wrong) {
        return make_error("GenericError", wrong);
    }
    const char *name = json_object_get_string_member(request, "execute");
    JsonObject *args = json_object_has_member(request, "arguments")
                           ? json_object_get_object_member(request, "arguments")
                           : NULL;
    bool is_capabilities = strcmp(name, "qmp_capabilities") == 0;
    if (negotiated && !*negotiated && !is_capabilities) {
        return make_error("CommandNotFound",
                          "Expecting capabilities negotiation with 'qmp_capabilities'");
    }
    if (negotiated && *negotiated && is_capabilities) {
        return make_error("CommandNotFound",
                          "Capabilities negotiation is already complete, command ignored");
    }
    const QmpCommand *command = qmp_find(name);
    if (!command) {
        g_autofree char *message = g_strdup_printf("The command %s has not been found", name);
        return make_error("CommandNotFound", message);
    }
    JsonNode *answer = run_command(monitors, command, args);
    if (negotiated && is_capabilities) {
        *negotiated = json_object_has_member(json_node_get_object(answer), "return");
    }
    return answer;
}

/* TEXT NULL: too big. */
static JsonNode *
answer_text(VitMonitors *monitors, const char *text, bool *negotiated)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    GError *error = NULL;

    if (!text) {
        return make_error("GenericError", "JSON message is too large or nested too deeply");
    }
    if (!json_parser_load_from_data(parser, text, -1, &error)) {
        g_autofree char *message = g_strdup_printf("JSON parse error, %s", error->message);
        g_error_free(error);
        return make_error("GenericError", message);
    }
    JsonNode *root = json_parser_get_root(parser);
    if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
        return make_error("GenericError", "QMP input must be a JSON object");
    }
    JsonObject *request = json_node_get_object(root);
    JsonNode *answer = run_request(monitors, request, negotiated);
    if (json_object_has_member(request, "id")) {
        json_object_set_member(json_node_get_object(answer), "id",
                               json_object_dup_member(request, "id"));
    }
    return answer;
}

char *
qmp_run_text(VitMonitors *monitors, const char *request)
{
    JsonNode *answer = answer_text(monitors, request, NULL);
    GString *out = g_string_new(NULL);

    qmp_write(out, answer, false);
    json_node_unref(answer);
    return g_string_free(out, FALSE);
}

/* ---- the session ---- */

static void
send_node(QmpSession *qmp, JsonNode *node)
{
    g_autoptr(GString) out = g_string_new(NULL);

    qmp_write(out, node, qmp->pretty);
    g_string_append(out, "\r\n");
    vit_chardev_write_all(qmp->session.chr, out->str, out->len);
    json_node_unref(node);
}

static void
take_message(void *opaque, const char *text)
{
    QmpSession *qmp = opaque;

    send_node(qmp, answer_text(qmp->session.monitors, text, &qmp->negotiated));
}

static void
receive(void *opaque, const uint8_t *buf, size_t len)
{
    QmpSession *qmp = opaque;

    qmp_framer_feed(&qmp->framer, buf, len, take_message, qmp);
}

static void
greet(QmpSession *qmp)
{
    QmpCall call = { .monitors = qmp->session.monitors };
    JsonObject *body = json_object_new(), *greeting = json_object_new();

    json_object_set_member(body, "version", qmp_query_version(&call, NULL));
    json_object_set_array_member(body, "capabilities", json_array_new());
    json_object_set_object_member(greeting, "QMP", body);
    send_node(qmp, qmp_object(greeting));
}

static void
on_event(void *opaque, VitChardevEvent event)
{
    QmpSession *qmp = opaque;

    if (event == VIT_CHARDEV_OPENED) {
        qmp->negotiated = false;
        qmp_framer_reset(&qmp->framer);
        greet(qmp);
    } else if (event == VIT_CHARDEV_CLOSED) {
        qmp->negotiated = false;
    }
}

static void
send_event(MonSession *session, const char *json)
{
    QmpSession *qmp = (QmpSession *)session;
    g_autoptr(JsonParser) parser = json_parser_new();

    if (qmp->negotiated && json_parser_load_from_data(parser, json, -1, NULL)) {
        send_node(qmp, json_parser_steal_root(parser));
    }
}

static void
qmp_session_free(MonSession *session)
{
    QmpSession *qmp = (QmpSession *)session;

    vit_chardev_detach(session->chr, qmp);
    qmp_framer_finish(&qmp->framer);
    g_free(qmp);
}

MonSession *
mon_qmp_session_new(VitMonitors *monitors, VitChardev *chr, bool pretty, GError **error)
{
    QmpSession *qmp = g_new0(QmpSession, 1);

    qmp->session = (MonSession){
        .monitors = monitors, .chr = chr, .event = send_event, .free = qmp_session_free
    };
    qmp->session.front =
        (VitChardevFront){ .receive = receive, .event = on_event, .yields = true, .opaque = qmp };
    qmp->pretty = pretty;
    qmp_framer_init(&qmp->framer);
    if (!vit_chardev_attach(chr, &qmp->session.front, error)) {
        qmp_session_free(&qmp->session);
        return NULL;
    }
    return &qmp->session;
}
