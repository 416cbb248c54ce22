/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Small things the façade objects share. */

#include "facade-private.h"

void
facade_post(GMainContext *context, GSourceFunc func, gpointer data, GDestroyNotify destroy)
{
    GSource *source = g_idle_source_new();

    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, func, data, destroy);
    g_source_attach(source, context);
    g_source_unref(source);
}

gunichar
facade_cp437_to_unicode(uint8_t character)
{
    /* the pictures of 00-1f and 7f, then 80-ff; Unicode's own mapping of IBM437 */
    static const char *const low = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";
    static const char *const high = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»"
                                    "░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀"
                                    "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ";

    if (character < 0x20) {
        return g_utf8_get_char(g_utf8_offset_to_pointer(low, character));
    }
    if (character == 0x7f) {
        return 0x2302;
    }
    if (character < 0x80) {
        return character;
    }
    return g_utf8_get_char(g_utf8_offset_to_pointer(high, character - 0x80));
}
