/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A connected socket as fibers use it: one reads while another writes. Thread: the lock of the
 * context held. */

#include "blk-driver.h"
#include "vit-tls.h"

typedef struct NbdChannel NbdChannel;

/* Takes FD, a connected stream socket. */
NbdChannel *nbd_channel_new(BlkContext *context, int fd);
/* No fiber may be using it. NULL is fine. */
void nbd_channel_free(NbdChannel *channel);
/* Every wait ends with an error from now on. */
void nbd_channel_shut(NbdChannel *channel);
/* All or nothing: 0 or a negative errno; -ECONNRESET at the end of the stream. [fiber] */
int nbd_channel_read(NbdChannel *channel, void *buf, size_t len);
int nbd_channel_write(NbdChannel *channel, const void *buf, size_t len);
/* The same with a part of a vector. [fiber] */
int nbd_channel_read_vec(NbdChannel *channel, const BlkVec *vec, uint64_t at, size_t len);
int nbd_channel_write_vec(NbdChannel *channel, const BlkVec *vec, uint64_t at, size_t len);
/* From here on the talk is encrypted. HOSTNAME: what the other side's certificate has to be for, or
 * NULL. [fiber] */
bool nbd_channel_start_tls(NbdChannel *channel, VitTlsCreds *creds, const char *hostname,
                           GError **error);
bool nbd_channel_is_encrypted(const NbdChannel *channel);
/* Ownership: caller; NULL: not encrypted, or nobody knows. */
char *nbd_channel_dup_peer(const NbdChannel *channel);
/* Between these, waits of more than TIMEOUT_S together end with -ETIMEDOUT. [fiber] */
void nbd_channel_limit_time(NbdChannel *channel, unsigned timeout_s);
void nbd_channel_unlimit_time(NbdChannel *channel);
/* Reads and forgets. [fiber] */
int nbd_channel_skip(NbdChannel *channel, size_t len);
