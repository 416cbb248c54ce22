/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Network ports and the hub: delivery, queues, order, links. */

#include <string.h>

#include "vit-error.h"
#include "vit-net.h"

/* An end that records frames as text, separated by spaces. */
typedef struct {
    VitNetPort port;
    GString *got;
    unsigned room, link_changes;
    bool link_up;
    const char *answer; /* sent from inside receive, once */
} End;

static bool
end_receive(void *opaque, const uint8_t *frame, size_t len)
{
    End *end = opaque;
    const char *answer = end->answer;

    if (answer) {
        end->answer = NULL;
        vit_net_port_send(&end->port, (const uint8_t *)answer, strlen(answer));
    }
    if (end->room == 0) {
        return false;
    }
    end->room--;
    g_string_append_len(end->got, (const char *)frame, len);
    g_string_append_c(end->got, ' ');
    return true;
}

static void
end_link_changed(void *opaque, bool up)
{
    End *end = opaque;

    end->link_changes++;
    end->link_up = up;
}

static const VitNetPortOps end_ops = { .receive = end_receive, .link_changed = end_link_changed };

static void
end_init(End *end, const char *name)
{
    memset(end, 0, sizeof(*end));
    vit_net_port_init(&end->port, name, "test", &end_ops, end);
    end->got = g_string_new(NULL);
    end->room = 1000000;
}

static void
end_finish(End *end)
{
    vit_net_port_finish(&end->port);
    g_string_free(end->got, TRUE);
}

static void
send_text(VitNetPort *port, const char *text)
{
    vit_net_port_send(port, (const uint8_t *)text, strlen(text));
}

static void
test_queue(void)
{
    End a, b;

    end_init(&a, "a");
    end_init(&b, "b");
    send_text(&a.port, "nobody");
    g_assert_cmpuint(a.port.dropped_frames, ==, 1);
    g_assert_true(vit_net_port_connect(&a.port, &b.port, NULL));
    b.room = 1;
    send_text(&a.port, "1");
    send_text(&a.port, "2");
    send_text(&a.port, "3");
    g_assert_cmpstr(b.got->str, ==, "1 ");
    b.room = 1;
    vit_net_port_flush(&b.port);
    g_assert_cmpstr(b.got->str, ==, "1 2 ");
    /* Room that nobody told of does not let a later frame overtake. */
    b.room = 10;
    send_text(&a.port, "4");
    g_assert_cmpstr(b.got->str, ==, "1 2 ");
    vit_net_port_flush(&b.port);
    g_assert_cmpstr(b.got->str, ==, "1 2 3 4 ");
    send_text(&b.port, "back");
    g_assert_cmpstr(a.got->str, ==, "back ");
    g_assert_cmpuint(a.port.sent_frames, ==, 5);
    end_finish(&a);
    end_finish(&b);
}

static void
test_bounded(void)
{
    End a, b;

    end_init(&a, "a");
    end_init(&b, "b");
    vit_net_port_connect(&a.port, &b.port, NULL);
    b.room = 0;
    for (int i = 0; i < VIT_NET_QUEUE_MAX + 10; i++) {
        send_text(&a.port, "x");
    }
    g_assert_cmpuint(a.port.dropped_frames, ==, 10);
    end_finish(&b); /* the peer goes first */
    g_assert_null(a.port.peer);
    end_finish(&a);
}

static void
test_answer_from_inside(void)
{
    End a, b;

    end_init(&a, "a");
    end_init(&b, "b");
    vit_net_port_connect(&a.port, &b.port, NULL);
    b.answer = "pong";
    a.answer = "second"; /* sent while "first" is still being handed over */
    send_text(&a.port, "first");
    g_assert_cmpstr(b.got->str, ==, "first second ");
    g_assert_cmpstr(a.got->str, ==, "pong ");
    end_finish(&a);
    end_finish(&b);
}

static void
test_link(void)
{
    End a, b;

    end_init(&a, "a");
    end_init(&b, "b");
    vit_net_port_connect(&a.port, &b.port, NULL);
    b.room = 0;
    send_text(&a.port, "stale");
    vit_net_port_set_link(&a.port, false);
    g_assert_cmpuint(a.link_changes, ==, 1);
    g_assert_cmpuint(b.link_changes, ==, 1);
    g_assert_false(b.link_up);
    vit_net_port_set_link(&a.port, false);
    g_assert_cmpuint(a.link_changes, ==, 1);
    b.room = 10;
    send_text(&a.port, "lost");
    send_text(&b.port, "lost");
    vit_net_port_set_link(&a.port, true);
    g_assert_true(b.link_up);
    send_text(&a.port, "fresh");
    g_assert_cmpstr(b.got->str, ==, "fresh ");
    g_assert_cmpstr(a.got->str, ==, "");
    end_finish(&a);
    end_finish(&b);
}

static void
test_taken(void)
{
    End a, b, c;
    g_autoptr(GError) error = NULL;

    end_init(&a, "a");
    end_init(&b, "b");
    end_init(&c, "c");
    g_assert_true(vit_net_port_connect(&a.port, &b.port, NULL));
    g_assert_false(vit_net_port_connect(&c.port, &b.port, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    g_assert_nonnull(strstr(error->message, "'b'"));
    end_finish(&a);
    end_finish(&b);
    end_finish(&c);
}

static void
test_hub(void)
{
    VitNetHub *hub = vit_net_hub_new(3);
    End ends[3];

    for (int i = 0; i < 3; i++) {
        end_init(&ends[i], "end");
        vit_net_port_connect(&ends[i].port, vit_net_hub_add_port(hub, NULL), NULL);
    }
    g_assert_cmpstr(vit_net_hub_get_port(hub, 1)->name, ==, "hub3port1");
    ends[2].room = 0;
    send_text(&ends[0].port, "all");
    send_text(&ends[1].port, "more");
    g_assert_cmpstr(ends[0].got->str, ==, "more ");
    g_assert_cmpstr(ends[1].got->str, ==, "all ");
    ends[2].room = 5;
    vit_net_port_flush(&ends[2].port);
    g_assert_cmpstr(ends[2].got->str, ==, "all more ");
    vit_net_hub_remove_port(hub, vit_net_hub_get_port(hub, 1));
    g_assert_cmpuint(vit_net_hub_get_n_ports(hub), ==, 2);
    g_assert_null(ends[1].port.peer);
    vit_net_hub_free(hub);
    for (int i = 0; i < 3; i++) {
        end_finish(&ends[i]);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/netport/queue", test_queue);
    g_test_add_func("/netport/bounded", test_bounded);
    g_test_add_func("/netport/answer-from-inside", test_answer_from_inside);
    g_test_add_func("/netport/link", test_link);
    g_test_add_func("/netport/taken", test_taken);
    g_test_add_func("/netport/hub", test_hub);
    return g_test_run();
}
