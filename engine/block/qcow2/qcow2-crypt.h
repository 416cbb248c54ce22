/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Encryption of data clusters, by 512-byte sectors. Thread: in a fiber. */

#include "qcow2.h"

/* Prepares q->crypt as the header says, with the secret of the options. */
bool qcow2_crypt_open(BlkNode *node, GError **error);
void qcow2_crypt_free(Qcow2Crypt *crypt);
/* In place. LEN and both addresses are multiples of 512. 0 or a negative errno. */
int qcow2_crypt_run(BlkContext *context, Qcow2Crypt *crypt, bool encrypt, uint64_t guest_offset,
                    uint64_t host_offset, void *buf, size_t len);
/* Makes the opened, empty NODE encrypted as CREATE asks for. */
bool qcow2_crypt_format_image(BlkNode *node, const Qcow2Create *create, GError **error);
/* Bytes its header takes in the image. */
uint64_t qcow2_crypt_measure(const Qcow2Create *create);
/* "encrypt" of info. Ownership: caller. */
JsonObject *qcow2_crypt_describe(const Qcow2Crypt *crypt);
/* Changes passwords as the options encrypt.state, encrypt.new-secret, ... say. */
bool qcow2_crypt_amend(BlkNode *node, const BlkOptions *options, bool force, GError **error);
