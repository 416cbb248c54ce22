/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The multiplexer behind vit-chardev.c; not for others. Thread: device lock held. */

#include "vit-chardev.h"

VitChardevMux *vit_chardev_mux_new(VitChardev *chr);
void vit_chardev_mux_free(VitChardevMux *mux);
bool vit_chardev_mux_attach(VitChardevMux *mux, const VitChardevFront *front, GError **error);
void vit_chardev_mux_detach(VitChardevMux *mux, void *front_opaque);
unsigned vit_chardev_mux_count(const VitChardevMux *mux);
void vit_chardev_mux_take_focus(VitChardevMux *mux, void *front_opaque);
size_t vit_chardev_mux_room(VitChardevMux *mux);
void vit_chardev_mux_deliver(VitChardevMux *mux, const uint8_t *buf, size_t len);
void vit_chardev_mux_event(VitChardevMux *mux, VitChardevEvent event);
void vit_chardev_mux_can_write(VitChardevMux *mux);
/* Gives the focused front end what was kept for it. */
void vit_chardev_mux_accept_input(VitChardevMux *mux);
bool vit_chardev_mux_has_stamps(const VitChardevMux *mux);
/* Bytes of BUF to write before the next time stamp, and the stamp due before them (newly
 * allocated; untouched when there is none). */
size_t vit_chardev_mux_stamp(VitChardevMux *mux, const uint8_t *buf, size_t len, char **out_stamp);
