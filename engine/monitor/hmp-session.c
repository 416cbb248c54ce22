/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A human monitor on a character device: the line editor, commands, the prompt. On a multiplexer
 * it falls silent while another front end has the focus. Thread: device lock held. */

#include "hmp.h"

#include <string.h>

#include "hmp-readline.h"

typedef struct {
    MonSession session;
    HmpState state;
    HmpReadline readline;
    bool greeted;
} HmpSession;

/* Newlines become CR LF, as a terminal in raw mode needs. */
static void
write_text(HmpSession *hmp, const char *text, size_t len)
{
    g_autoptr(GString) out = g_string_sized_new(len + 64);

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) {
            g_string_append_c(out, '\r');
        }
        g_string_append_c(out, text[i]);
    }
    vit_chardev_write_all(hmp->session.chr, out->str, out->len);
}

static void
show(void *opaque, const char *text, size_t len)
{
    vit_chardev_write_all(((HmpSession *)opaque)->session.chr, text, len);
}

static void
take_line(void *opaque, const char *line)
{
    HmpSession *hmp = opaque;
    g_autoptr(GString) out = g_string_new(NULL);

    hmp_execute(&hmp->state, line, out);
    write_text(hmp, out->str, out->len);
    if (!hmp->state.quitting) {
        hmp_readline_start(&hmp->readline);
    }
}

static GPtrArray *
complete(void *opaque, const char *before, size_t *out_word_len)
{
    return hmp_complete(&((HmpSession *)opaque)->state, before, out_word_len);
}

static void
receive(void *opaque, const uint8_t *buf, size_t len)
{
    hmp_readline_input(&((HmpSession *)opaque)->readline, buf, len);
}

static void
greet(HmpSession *hmp)
{
    g_autofree char *banner =
        g_strdup_printf("Vitrine %s monitor - type 'help' for more information\n", VIT_VERSION);

    hmp->greeted = true;
    write_text(hmp, banner, strlen(banner));
    hmp_readline_start(&hmp->readline);
}

static void
on_event(void *opaque, VitChardevEvent event)
{
    HmpSession *hmp = opaque;
    unsigned columns, rows;

    switch (event) {
    case VIT_CHARDEV_OPENED:
        /* On a multiplexer the greeting waits for the focus, lest it lands in the console's text.
         */
        if (!hmp->session.chr->mux) {
            greet(hmp);
        }
        break;
    case VIT_CHARDEV_CLOSED: hmp->greeted = false; break;
    case VIT_CHARDEV_RESIZED:
        vit_chardev_get_size(hmp->session.chr, &columns, &rows);
        hmp->readline.columns = columns >= 20 ? columns : 80;
        break;
    case VIT_CHARDEV_MUX_IN:
        if (!hmp->session.chr->is_open) {
            break;
        }
        if (hmp->greeted) {
            hmp_readline_redraw(&hmp->readline);
        } else {
            greet(hmp);
        }
        break;
    case VIT_CHARDEV_MUX_OUT:
        if (hmp->greeted) {
            write_text(hmp, "\n", 1);
        }
        break;
    default: break;
    }
}

static void
hmp_session_free(MonSession *session)
{
    HmpSession *hmp = (HmpSession *)session;

    vit_chardev_detach(session->chr, hmp);
    hmp_readline_finish(&hmp->readline);
    hmp_state_finish(&hmp->state);
    g_free(hmp);
}

MonSession *
mon_hmp_session_new(VitMonitors *monitors, VitChardev *chr, GError **error)
{
    HmpSession *hmp = g_new0(HmpSession, 1);

    hmp->session = (MonSession){ .monitors = monitors, .chr = chr, .free = hmp_session_free };
    hmp->session.front =
        (VitChardevFront){ .receive = receive, .event = on_event, .yields = true, .opaque = hmp };
    hmp_state_init(&hmp->state, monitors);
    hmp->readline = (HmpReadline){ .prompt = "(qemu) ",
                                   .history = hmp->state.history,
                                   .show = show,
                                   .line = take_line,
                                   .complete = complete,
                                   .opaque = hmp };
    hmp_readline_init(&hmp->readline);
    if (!vit_chardev_attach(chr, &hmp->session.front, error)) {
        hmp_session_free(&hmp->session);
        return NULL;
    }
    return &hmp->session;
}
