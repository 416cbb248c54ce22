/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Key presses for characters. The layout tables give, for each key in the order of a PC keyboard's
 * rows, what it types alone, with Shift and with AltGr; they are written down from the keyboards
 * themselves. */

#include "app-typist.h"

#include <glib/gi18n.h>
#include <linux/input-event-codes.h>
#include <string.h>

/* The keys of the tables, row by row. */
static const guint8 keys[] = {
    KEY_GRAVE,      KEY_1,     KEY_2, KEY_3,     KEY_4,         KEY_5,
    KEY_6,          KEY_7,     KEY_8, KEY_9,     KEY_0,         KEY_MINUS,
    KEY_EQUAL,      KEY_Q,     KEY_W, KEY_E,     KEY_R,         KEY_T,
    KEY_Y,          KEY_U,     KEY_I, KEY_O,     KEY_P,         KEY_LEFTBRACE,
    KEY_RIGHTBRACE, KEY_A,     KEY_S, KEY_D,     KEY_F,         KEY_G,
    KEY_H,          KEY_J,     KEY_K, KEY_L,     KEY_SEMICOLON, KEY_APOSTROPHE,
    KEY_BACKSLASH,  KEY_102ND, KEY_Z, KEY_X,     KEY_C,         KEY_V,
    KEY_B,          KEY_N,     KEY_M, KEY_COMMA, KEY_DOT,       KEY_SLASH,
};

/* One character per key, a space where a key types nothing that can be used (dead keys too). */
static const struct {
    const char *name, *plain, *shift, *altgr;
} layouts[] = {
    { "us", "`1234567890-=qwertyuiop[]asdfghjkl;'\\ zxcvbnm,./",
      "~!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:\"| ZXCVBNM<>?",
      "                                                " },
    { "uk", "`1234567890-=qwertyuiop[]asdfghjkl;'#\\zxcvbnm,./",
      "¬!\"£$%^&*()_+QWERTYUIOP{}ASDFGHJKL:@~|ZXCVBNM<>?",
      "    €                                           " },
    { "de", " 1234567890ß qwertzuiopü+asdfghjklöä#<yxcvbnm,.-",
      "°!\"§$%&/()=? QWERTZUIOPÜ*ASDFGHJKLÖÄ'>YXCVBNM;:_",
      "  ²³   {[]}\\ @ €        ~            |      µ   " },
    { "fr", "²&é\"'(-è_çà)=azertyuiop $qsdfghjklmù*<wxcvbn,;:!",
      " 1234567890°+AZERTYUIOP £QSDFGHJKLM%µ>WXCVBN?./§",
      "   #{[| \\^@]}  €                                " },
};

enum { PACE_MS = 12, EVENTS_MAX = 1 << 20 };

typedef struct Stroke {
    guint8 key, modifier;
    gboolean down;
} Stroke;

struct _AppTypist {
    GObject parent;
    VitInput *input;
    GArray *strokes; /* Stroke, still to be sent */
    guint next, timer;
};

G_DEFINE_FINAL_TYPE(AppTypist, app_typist, G_TYPE_OBJECT)

static guint done_signal;

const char *const *
app_typist_list_layouts(void)
{
    static const char *const list[] = { "us", "uk", "de", "fr", NULL };

    return list;
}

const char *
app_typist_layout_for(const char *k_name)
{
    static const char *const names[][2] = {
        { "en-us", "us" }, { "en-gb", "uk" }, { "de", "de" }, { "fr", "fr" }
    };

    for (guint i = 0; k_name && i < G_N_ELEMENTS(names); i++) {
        if (strcmp(names[i][0], k_name) == 0) {
            return names[i][1];
        }
    }
    return NULL;
}

static int
find_in(const char *row, gunichar c)
{
    int index = 0;

    for (const char *p = row; *p; p = g_utf8_next_char(p), index++) {
        if (g_utf8_get_char(p) == c) {
            return index;
        }
    }
    return -1;
}

/* Key and modifier (0: none) that type C; false when there are none. */
static gboolean
find_key(guint layout, gunichar c, guint *out_key, guint *out_modifier)
{
    const struct {
        const char *row;
        guint modifier;
    } rows[] = { { layouts[layout].plain, 0 },
                 { layouts[layout].shift, KEY_LEFTSHIFT },
                 { layouts[layout].altgr, KEY_RIGHTALT } };

    *out_modifier = 0;
    switch (c) {
    case ' ': *out_key = KEY_SPACE; return TRUE;
    case '\n': *out_key = KEY_ENTER; return TRUE;
    case '\t': *out_key = KEY_TAB; return TRUE;
    case '\b': *out_key = KEY_BACKSPACE; return TRUE;
    case 0x1b: *out_key = KEY_ESC; return TRUE;
    default: break;
    }
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        int index = find_in(rows[i].row, c);

        if (index >= 0 && (guint)index < G_N_ELEMENTS(keys)) {
            *out_key = keys[index];
            *out_modifier = rows[i].modifier;
            return TRUE;
        }
    }
    return FALSE;
}

static guint
find_layout(const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(layouts); i++) {
        if (g_strcmp0(layouts[i].name, name) == 0) {
            return i;
        }
    }
    return 0;
}

char *
app_typist_untypable(const char *layout, const char *text)
{
    g_autoptr(GString) missing = g_string_new(NULL);
    guint index = find_layout(layout), key, modifier;

    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if (c != '\r' && !find_key(index, c, &key, &modifier) && find_in(missing->str, c) < 0) {
            g_string_append_unichar(missing, c);
        }
    }
    return missing->len ? g_string_free(g_steal_pointer(&missing), FALSE) : NULL;
}

static gboolean
send_next(gpointer data)
{
    AppTypist *typist = data;
    const Stroke *stroke;

    if (typist->next == typist->strokes->len) {
        g_array_set_size(typist->strokes, 0);
        typist->next = 0;
        typist->timer = 0;
        g_signal_emit(typist, done_signal, 0);
        return G_SOURCE_REMOVE;
    }
    stroke = &g_array_index(typist->strokes, Stroke, typist->next++);
    if (stroke->modifier && stroke->down) {
        vit_input_send_key(typist->input, stroke->modifier, TRUE);
    }
    vit_input_send_key(typist->input, stroke->key, stroke->down);
    if (stroke->modifier && !stroke->down) {
        vit_input_send_key(typist->input, stroke->modifier, FALSE);
    }
    return G_SOURCE_CONTINUE;
}

gboolean
app_typist_type(AppTypist *typist, const char *layout, const char *text, GError **error)
{
    g_autofree char *missing = app_typist_untypable(layout, text);
    guint index = find_layout(layout), key, modifier;

    if (missing) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    _("The keyboard layout “%s” has no key for: %s. Nothing was typed; choose the "
                      "guest's layout in the preferences."),
                    layouts[index].name, missing);
        return FALSE;
    }
    for (const char *p = text; *p && typist->strokes->len < EVENTS_MAX; p = g_utf8_next_char(p)) {
        Stroke strokes[2];

        if (!find_key(index, g_utf8_get_char(p), &key, &modifier)) {
            continue; /* the CR of CR LF */
        }
        strokes[0] = (Stroke){ key, modifier, TRUE };
        strokes[1] = (Stroke){ key, modifier, FALSE };
        g_array_append_vals(typist->strokes, strokes, 2);
    }
    if (!typist->timer && typist->strokes->len) {
        typist->timer = g_timeout_add(PACE_MS, send_next, typist);
    }
    return TRUE;
}

void
app_typist_stop(AppTypist *typist)
{
    if (typist->timer) {
        g_source_remove(typist->timer);
        typist->timer = 0;
        g_array_set_size(typist->strokes, 0);
        typist->next = 0;
        vit_input_release_everything(typist->input);
        g_signal_emit(typist, done_signal, 0);
    }
}

gboolean
app_typist_is_busy(AppTypist *typist)
{
    return typist->timer != 0;
}

AppTypist *
app_typist_new(VitInput *input)
{
    AppTypist *typist = g_object_new(APP_TYPE_TYPIST, NULL);

    typist->input = g_object_ref(input);
    return typist;
}

static void
app_typist_dispose(GObject *object)
{
    AppTypist *typist = APP_TYPIST(object);

    g_clear_handle_id(&typist->timer, g_source_remove);
    g_clear_object(&typist->input);
    g_clear_pointer(&typist->strokes, g_array_unref);
    G_OBJECT_CLASS(app_typist_parent_class)->dispose(object);
}

static void
app_typist_class_init(AppTypistClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = app_typist_dispose;
    done_signal = g_signal_new("done", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                               NULL, G_TYPE_NONE, 0);
}

static void
app_typist_init(AppTypist *typist)
{
    typist->strokes = g_array_new(FALSE, FALSE, sizeof(Stroke));
}
