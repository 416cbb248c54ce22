/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Putting IPv4 fragments together. Thread: device lock held. */

#include "vit-types.h"

typedef struct NetFrag NetFrag;

NetFrag *net_frag_new(void);
void net_frag_free(NetFrag *frag);
/* What an IP stack is to be given for the Ethernet frame: the frame itself where it is no fragment,
 * the whole datagram where this was the last part missing, NULL while parts are missing or where
 * it makes no sense. The answer is valid until the next call. */
const uint8_t *net_frag_take(NetFrag *frag, const uint8_t *frame, size_t len, int64_t now_ns,
                             size_t *out_len);
