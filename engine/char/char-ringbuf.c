/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The ringbuf back end: keeps the last output in memory, for ringbuf-read of the monitors.
 * Thread: device lock held. */

#include "vit-char.h"

#include "vit-error.h"

#include "char-ring.h"

typedef struct {
    VitChardev chr;
    uint64_t size; /* property */
    CharRing ring;
} CharRingbuf;

static const VitProp props[] = {
    VIT_PROP_SIZE(CharRingbuf, size, "size", 64 << 10, 1, 1 << 30,
                  VIT_N_("Bytes kept, a power of two")),
    { 0 },
};

static bool
ringbuf_open(VitChardev *chr, GMainContext *context, GError **error)
{
    CharRingbuf *ringbuf = (CharRingbuf *)chr;

    if (ringbuf->size & (ringbuf->size - 1)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "character device '%s': size of a ringbuf must be a power of two, not "
                    "%" G_GUINT64_FORMAT,
                    chr->id, ringbuf->size);
        return false;
    }
    char_ring_init(&ringbuf->ring, ringbuf->size);
    vit_chardev_set_open(chr, true);
    return true;
}

static void
ringbuf_close(VitChardev *chr)
{
    char_ring_finish(&((CharRingbuf *)chr)->ring);
}

static size_t
ringbuf_write(VitChardev *chr, const uint8_t *buf, size_t len)
{
    char_ring_write(&((CharRingbuf *)chr)->ring, buf, len);
    return len;
}

static GByteArray *
ringbuf_take_kept(VitChardev *chr, size_t max)
{
    CharRing *ring = &((CharRingbuf *)chr)->ring;
    size_t len = MIN(max, char_ring_len(ring));
    GByteArray *bytes = g_byte_array_sized_new(len);

    g_byte_array_set_size(bytes, len);
    char_ring_peek(ring, bytes->data, len);
    char_ring_skip(ring, len);
    return bytes;
}

static const char *const aliases[] = { "memory", NULL };

const VitChardevKind vit_char_ringbuf_kind = {
    .name = "ringbuf",
    .aliases = aliases,
    .title = VIT_N_("Memory that keeps the last output"),
    .size = sizeof(CharRingbuf),
    .props = props,
    .open = ringbuf_open,
    .close = ringbuf_close,
    .write = ringbuf_write,
    .take_kept = ringbuf_take_kept,
};
