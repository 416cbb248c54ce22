/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The machine monitor: negotiation, errors in the words clients know, commands, events,
 * introspection that agrees with itself. */

#include "qmp.h"

#include "monitor-rig.h"

static void
test_negotiation(void)
{
    Rig rig;
    Terminal terminal;

    rig_init(&rig);
    terminal_init(&terminal, &rig, VIT_MONITOR_QMP);
    g_assert_true(g_str_has_prefix(
        terminal.seen->str,
        "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 6}, "
        "\"package\": \"Vitrine "));
    g_assert_true(g_str_has_suffix(terminal.seen->str, "\"}, \"capabilities\": []}}\r\n"));
    g_assert_cmpstr(terminal_type(&terminal, "{\"execute\": \"query-status\", \"id\": 7}"), ==,
                    "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"Expecting "
                    "capabilities negotiation with 'qmp_capabilities'\"}, \"id\": 7}\r\n");
    g_assert_nonnull(
        strstr(terminal_type(&terminal, "{\"execute\": \"qmp_capabilities\", \"arguments\": "
                                        "{\"enable\": [\"oob\"]}}"),
               "Capability oob not available"));
    vit_monitors_emit(rig.monitors, "RESET", NULL);
    g_assert_null(strstr(terminal.seen->str, "RESET"));
    g_assert_cmpstr(terminal_type(&terminal, "{'execute': 'qmp_capabilities'}"), ==,
                    "{\"return\": {}}\r\n");
    g_assert_nonnull(strstr(terminal_type(&terminal, "{\"execute\": \"qmp_capabilities\"}"),
                            "already complete"));
    g_assert_cmpstr(
        terminal_type(&terminal, "{\"execute\": \"query-status\", \"id\": {\"a\": [1]}}"), ==,
        "{\"return\": {\"status\": \"running\", \"singlestep\": false, \"running\": true}, \"id\": "
        "{\"a\": [1]}}\r\n");
    terminal_finish(&terminal);
    rig_finish(&rig);
}

/* REQUEST gives ANSWER, exactly or in part. */
static const struct {
    const char *request, *answer;
    bool is_part;
} answers[] = {
    { "{\"execute\": \"query-name\"}", "{\"return\": {\"name\": \"gu\\\"est\"}}" },
    { "{\"execute\": \"query-uuid\"}",
      "{\"return\": {\"UUID\": \"11111111-2222-3333-4444-555555555555\"}}" },
    { "{\"execute\": \"query-kvm\"}", "{\"return\": {\"enabled\": false, \"present\": false}}" },
    { "{\"execute\": \"query-target\"}", "{\"return\": {\"arch\": \"x86_64\"}}" },
    { "{\"execute\": \"query-cpus-fast\"}", "\"thread-id\": 101, \"props\": {\"core-id\": 1",
      true },
    { "{\"execute\": \"query-chardev\"}",
      "{\"return\": [{\"frontend-open\": false, \"filename\": \"ringbuf\", \"label\": "
      "\"ring\"}]}" },
    /* what is about images is passed on, once its arguments are right */
    { "{\"execute\": \"query-block\"}", "{\"return\": []}" },
    { "{\"execute\": \"block-stream\"}", "Parameter 'device' is missing", true },
    { "{\"execute\": \"blockdev-add\", \"arguments\": {\"driver\": \"raw\", \"x.y\": 1}}",
      "{\"return\": {\"command\": \"blockdev-add\"}}" },
    { "{\"execute\": \"query-mice\"}",
      "{\"return\": [{\"name\": \"mouse\", \"index\": 0, \"current\": true, \"absolute\": "
      "false}]}" },
    { "{\"execute\": \"query-jobs\"}", "{\"return\": []}" },
    { "{\"execute\": \"query-migrate\"}", "{\"return\": {}}" },
    { "{\"execute\": \"x-query-irq\"}", "{\"return\": {\"human-readable-text\": \"0: 42\\n\"}}" },
    { "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"info "
      "name\"}}",
      "{\"return\": \"gu\\\"est\\r\\n\"}" },
    { "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"p $eax\", "
      "\"cpu-index\": 1}}",
      "{\"return\": \"0x1001\\r\\n\"}" },
    { "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"x\", "
      "\"cpu-index\": 9}}",
      "expects a CPU number", true },
    /* errors of the protocol */
    { "{\"execute\": \"nosuch\"}",
      "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command nosuch has not been "
      "found\"}}" },
    { "{\"execute\": 5}",
      "{\"error\": {\"class\": \"GenericError\", \"desc\": \"QMP input member 'execute' must be a "
      "string\"}}" },
    { "{\"arguments\": {}}", "lacks member 'execute'", true },
    { "{\"execute\": \"stop\", \"arguments\": []}", "'arguments' must be an object", true },
    { "{\"execute\": \"stop\", \"extra\": 1}", "'extra' is unexpected", true },
    { "{\"exec-oob\": \"stop\"}", "Out-of-band", true },
    { "[1]", "QMP input must be a JSON object", true },
    { "{\"execute\": }", "JSON parse error", true },
    { "{\"execute\": \"stop\", \"id\": 3, \"arguments\": {\"x\": 1}}",
      "{\"error\": {\"class\": \"GenericError\", \"desc\": \"Parameter 'x' is unexpected\"}, "
      "\"id\": 3}" },
    { "{\"execute\": \"set_link\", \"arguments\": {\"name\": \"net0\"}}",
      "Parameter 'up' is missing", true },
    { "{\"execute\": \"set_link\", \"arguments\": {\"name\": 1, \"up\": true}}",
      "Invalid parameter type for 'name', expected: string", true },
    { "{\"execute\": \"set_link\", \"arguments\": {\"name\": null, \"up\": true}}",
      "Invalid parameter type for 'name'", true },
    { "{\"execute\": \"set_link\", \"arguments\": {\"name\": \"nosuch\", \"up\": true}}",
      "{\"error\": {\"class\": \"DeviceNotFound\"", true },
    { "{\"execute\": \"screendump\", \"arguments\": {\"filename\": \"x\", \"format\": \"gif\"}}",
      "Invalid parameter 'gif'", true },
    { "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [1]}}",
      "Invalid parameter type for 'enable[0]', expected: string", true },
    /* not there yet, and never */
    { "{\"execute\": \"query-rx-filter\"}", "{\"error\": {\"class\": \"GenericError\", \"desc\": "
                                            "\"query-rx-filter: not available yet\"}}" },
    { "{\"execute\": \"xen-save-devices-state\"}", "only where Xen", true },
    { "{\"execute\": \"query-pci\"}", "not available yet", true },
    /* drives */
    { "{\"execute\": \"eject\", \"arguments\": {\"device\": \"nosuch\"}}",
      "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"Device 'nosuch' not found\"}}" },
    { "{\"execute\": \"eject\"}", "exactly one of 'device' and 'id'", true },
    { "{\"execute\": \"blockdev-remove-medium\", \"arguments\": {\"id\": \"cd\"}}",
      "Tray of device 'cd' is not open", true },
    /* input */
    { "{\"execute\": \"send-key\", \"arguments\": {\"keys\": []}}", "1 to 16 keys", true },
    { "{\"execute\": \"send-key\", \"arguments\": {\"keys\": [{\"type\": \"qcode\"}]}}",
      "Parameter 'data' is missing", true },
    { "{\"execute\": \"send-key\", \"arguments\": {\"keys\": [{\"type\": \"qcode\", \"data\": "
      "\"nokey\"}]}}",
      "Invalid parameter 'nokey'", true },
    { "{\"execute\": \"send-key\", \"arguments\": {\"keys\": [{\"type\": \"number\", \"data\": "
      "99999999999}]}}",
      "no key number", true },
    { "{\"execute\": \"input-send-event\", \"arguments\": {\"events\": [{\"type\": \"rel\", "
      "\"data\": {\"axis\": \"z\", \"value\": 1}}]}}",
      "Invalid parameter 'z'", true },
    { "{\"execute\": \"input-send-event\", \"arguments\": {\"events\": [{\"type\": \"key\", "
      "\"data\": 1}]}}",
      "Invalid parameter type for 'data'", true },
    { "{\"execute\": \"input-send-event\", \"arguments\": {\"events\": [{\"type\": \"key\", "
      "\"data\": {\"down\": true, \"key\": 1}}]}}",
      "Parameter 'key'", true },
};

static void
test_answers(void)
{
    Rig rig;

    rig_init(&rig);
    for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++) {
        g_autofree char *text = vit_monitors_run_qmp(rig.monitors, answers[i].request);
        if (!answers[i].is_part) {
            g_assert_cmpstr(text, ==, answers[i].answer);
        } else if (!strstr(text, answers[i].answer)) {
            g_error("'%s' should be in the answer to %s: %s", answers[i].answer, answers[i].request,
                    text);
        }
    }
    rig_finish(&rig);
}

static const struct {
    const char *request, *asked;
} requests[] = {
    { "{\"execute\": \"stop\"}", "stop;" },
    { "{\"execute\": \"cont\"}", "cont;" },
    { "{\"execute\": \"system_reset\"}", "reset;" },
    { "{\"execute\": \"system_powerdown\"}", "powerdown;" },
    { "{\"execute\": \"quit\"}", "quit;" },
    { "{\"execute\": \"eject\", \"arguments\": {\"id\": \"cd\", \"force\": true}}", "eject cd 1;" },
    { "{\"execute\": \"blockdev-change-medium\", \"arguments\": {\"device\": \"ide1-cd0\", "
      "\"filename\": \"/a.iso\", \"read-only-mode\": \"read-only\"}}",
      "change ide1-cd0 /a.iso - 1 0;" },
};

static void
test_requests(void)
{
    Rig rig;

    rig_init(&rig);
    for (unsigned i = 0; i < G_N_ELEMENTS(requests); i++) {
        g_string_truncate(rig.log, 0);
        g_autofree char *text = vit_monitors_run_qmp(rig.monitors, requests[i].request);
        g_assert_cmpstr(text, ==, "{\"return\": {}}");
        g_assert_cmpstr(rig.log->str, ==, requests[i].asked);
    }
    rig.refuse = true;
    g_autofree char *text = vit_monitors_run_qmp(rig.monitors, "{\"execute\": \"system_reset\"}");
    g_assert_cmpstr(text, ==, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"not now\"}}");
    rig_finish(&rig);
}

static void
test_input(void)
{
    Rig rig;

    rig_init(&rig);
    g_free(vit_monitors_run_qmp(
        rig.monitors,
        "{\"execute\": \"send-key\", \"arguments\": {\"hold-time\": 10, \"keys\": [{\"type\": "
        "\"qcode\", \"data\": \"shift\"}, {\"type\": \"number\", \"data\": 30}]}}"));
    rig_wait_ms(&rig, 60);
    g_assert_cmpstr(rig.keys->str, ==, "+shift +a -a -shift ");
    g_string_truncate(rig.keys, 0);
    g_free(vit_monitors_run_qmp(
        rig.monitors,
        "{\"execute\": \"input-send-event\", \"arguments\": {\"events\": ["
        "{\"type\": \"rel\", \"data\": {\"axis\": \"x\", \"value\": 3}},"
        "{\"type\": \"rel\", \"data\": {\"axis\": \"y\", \"value\": -4}},"
        "{\"type\": \"btn\", \"data\": {\"down\": true, \"button\": \"left\"}},"
        "{\"type\": \"key\", \"data\": {\"down\": true, \"key\": {\"type\": \"qcode\", \"data\": "
        "\"ret\"}}}]}}"));
    g_assert_cmpstr(rig.keys->str, ==, "button 0 1 +ret move 3 -4 ");
    /* All or nothing. */
    g_string_truncate(rig.keys, 0);
    g_free(vit_monitors_run_qmp(
        rig.monitors,
        "{\"execute\": \"input-send-event\", \"arguments\": {\"events\": ["
        "{\"type\": \"btn\", \"data\": {\"down\": true, \"button\": \"left\"}},"
        "{\"type\": \"btn\", \"data\": {\"down\": true, \"button\": \"nosuch\"}}]}}"));
    g_assert_cmpstr(rig.keys->str, ==, "");
    rig_finish(&rig);
}

static unsigned
count_events(const Terminal *terminal, const char *name)
{
    g_autofree char *wanted = g_strdup_printf("\"event\": \"%s\"", name);
    unsigned count = 0;

    for (const char *at = terminal->seen->str; (at = strstr(at, wanted)); at++) {
        count++;
    }
    return count;
}

static void
test_events(void)
{
    Rig rig;
    Terminal a, b;

    rig_init(&rig);
    terminal_init(&a, &rig, VIT_MONITOR_QMP);
    terminal_init(&b, &rig, VIT_MONITOR_QMP);
    terminal_type(&a, "{\"execute\": \"qmp_capabilities\"}");
    terminal_type(&b, "{\"execute\": \"qmp_capabilities\"}");
    /* The event of a command comes before its answer, and at both clients. */
    const char *seen = terminal_type(&a, "{\"execute\": \"stop\"}");
    g_assert_true(g_regex_match_simple("^{\"timestamp\": {\"seconds\": \\d+, \"microseconds\": "
                                       "\\d+}, \"event\": \"STOP\"}\r\n{\"return\": {}}\r\n$",
                                       seen, 0, 0));
    g_assert_cmpuint(count_events(&b, "STOP"), ==, 1);
    vit_monitors_emit(rig.monitors, "SHUTDOWN",
                      "{\"guest\": true, \"reason\": \"guest-shutdown\"}");
    g_assert_nonnull(strstr(b.seen->str, "\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, "
                                         "\"reason\": \"guest-shutdown\"}}\r\n"));
    /* A guest that sets its clock in a loop: the first at once, the last later. */
    g_string_truncate(b.seen, 0);
    for (unsigned i = 0; i < 100; i++) {
        g_autofree char *data = g_strdup_printf("{\"offset\": %u}", i);
        vit_monitors_emit(rig.monitors, "RTC_CHANGE", data);
    }
    g_assert_cmpuint(count_events(&b, "RTC_CHANGE"), ==, 1);
    rig_wait_ms(&rig, 1100);
    g_assert_cmpuint(count_events(&b, "RTC_CHANGE"), ==, 2);
    g_assert_nonnull(strstr(b.seen->str, "{\"offset\": 99}"));
    /* Of each child, each port its own: none replaces another's. */
    for (unsigned i = 0; i < 12; i++) {
        g_autofree char *data = g_strdup_printf("{\"id\": \"port%u\", \"open\": true}", i % 4);
        vit_monitors_emit(rig.monitors, "VSERPORT_CHANGE", data);
    }
    g_assert_cmpuint(count_events(&b, "VSERPORT_CHANGE"), ==, 4);
    rig_wait_ms(&rig, 1100);
    g_assert_cmpuint(count_events(&b, "VSERPORT_CHANGE"), ==, 8);
    /* Freed while one waits. */
    vit_monitors_emit(rig.monitors, "RTC_CHANGE", NULL);
    terminal_finish(&a);
    terminal_finish(&b);
    rig_finish(&rig);
}

static void
test_session(void)
{
    Rig rig;
    Terminal terminal;

    rig_init(&rig);
    terminal_init(&terminal, &rig, VIT_MONITOR_QMP_PRETTY);
    g_assert_nonnull(strstr(terminal.seen->str, "{\n    \"QMP\": {\n"));
    terminal_type(&terminal, "{\"execute\": \"qmp_capabilities\"}");
    /* Several in one piece, one in several, rubbish in between. */
    g_assert_cmpstr(terminal_type(&terminal, "{\"execute\": \"query-iothreads\"}{\"execu"), ==,
                    "{\n    \"return\": []\n}\r\n");
    g_assert_cmpstr(terminal_type(&terminal, "te\": \"query-iothreads\"}"), ==,
                    "{\n    \"return\": []\n}\r\n");
    g_assert_nonnull(strstr(terminal_type(&terminal, "rubbish\n"), "JSON parse error"));
    g_assert_nonnull(
        strstr(terminal_type(&terminal, "{\"execute\": \xff{'execute':'query-iothreads'}"),
               "\"return\": []"));
    terminal_finish(&terminal);
    rig_finish(&rig);
}

/* What is listed can be called, what is in the schema is listed, and every type is defined. */
static void
test_introspection(void)
{
    Rig rig;
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GHashTable) defined = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);

    for (const QmpCommand *command = qmp_commands; command->name; command++) {
        g_assert_true(g_hash_table_add(names, (gpointer)command->name));
        g_assert_nonnull(command->help);
    }
    rig_init(&rig);
    g_autofree char *text =
        vit_monitors_run_qmp(rig.monitors, "{\"execute\": \"query-qmp-schema\"}");
    g_assert_true(json_parser_load_from_data(parser, text, -1, NULL));
    JsonArray *schema =
        json_object_get_array_member(json_node_get_object(json_parser_get_root(parser)), "return");
    for (unsigned i = 0; i < json_array_get_length(schema); i++) {
        JsonObject *entity = json_array_get_object_element(schema, i);
        g_hash_table_add(defined, (gpointer)json_object_get_string_member(entity, "name"));
    }
    g_assert_true(g_hash_table_contains(defined, "query-block"));
    g_assert_false(g_hash_table_contains(defined, "query-rx-filter"));
    g_assert_true(g_hash_table_contains(defined, "SHUTDOWN"));
    for (unsigned i = 0; i < json_array_get_length(schema); i++) {
        JsonObject *entity = json_array_get_object_element(schema, i);
        static const char *const references[] = { "arg-type", "ret-type", "element-type" };
        for (unsigned j = 0; j < G_N_ELEMENTS(references); j++) {
            if (json_object_has_member(entity, references[j])) {
                g_assert_true(g_hash_table_contains(
                    defined, json_object_get_string_member(entity, references[j])));
            }
        }
    }
    rig_finish(&rig);
}

/* Requests of rubbish, and almost right ones. */
static void
test_random(void)
{
    static const char *const pieces[] = {
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"execute\"",
        "\"arguments\"",
        "\"id\"",
        "\"eject\"",
        "\"send-key\"",
        "\"keys\"",
        "\"device\"",
        "1",
        "-1e99",
        "null",
        "true",
        "\"\\u0000\"",
        "\"x\"",
        "\"human-monitor-command\"",
        "\"command-line\"",
        "\"type\"",
        "\"data\"",
        "\xc3",
        "//",
        "/*",
    };
    Rig rig;
    Terminal terminal;

    rig_init(&rig);
    terminal_init(&terminal, &rig, VIT_MONITOR_QMP);
    terminal_type(&terminal, "{\"execute\": \"qmp_capabilities\"}");
    for (unsigned i = 0; i < 20000; i++) {
        g_autoptr(GString) line =
            g_string_new(i % 2 ? "{\"execute\": \"eject\", \"arguments\": " : "");
        for (int n = g_test_rand_int_range(0, 12); n > 0; n--) {
            g_string_append(line, pieces[g_test_rand_int_range(0, G_N_ELEMENTS(pieces))]);
        }
        g_string_append(line, "\n");
        if (i % 10 == 0) {
            g_string_append(line, "\xff");
        }
        terminal_type(&terminal, line->str);
    }
    g_assert_nonnull(strstr(terminal_type(&terminal, "\xff{\"execute\": \"query-iothreads\"}"),
                            "{\"return\": []}"));
    terminal_finish(&terminal);
    rig_finish(&rig);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qmp/negotiation", test_negotiation);
    g_test_add_func("/qmp/answers", test_answers);
    g_test_add_func("/qmp/requests", test_requests);
    g_test_add_func("/qmp/input", test_input);
    g_test_add_func("/qmp/events", test_events);
    g_test_add_func("/qmp/session", test_session);
    g_test_add_func("/qmp/introspection", test_introspection);
    g_test_add_func("/qmp/random", test_random);
    return g_test_run();
}
