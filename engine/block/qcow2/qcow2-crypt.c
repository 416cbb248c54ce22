/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Encryption of data clusters. Thread: in a fiber. */

#include "qcow2-crypt.h"

#include <json-glib/json-glib.h>

bool
qcow2_crypt_open(BlkNode *node, GError **error)
{
    const Qcow2 *q = node->state;

    if (q->crypt_method == QCOW2_CRYPT_NONE) {
        return true;
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                "'%s' is encrypted, which is not available yet.", node->filename);
    return false;
}

void
qcow2_crypt_free(Qcow2Crypt *crypt)
{
}

int
qcow2_crypt_run(BlkContext *context, Qcow2Crypt *crypt, bool encrypt, uint64_t guest_offset,
                uint64_t host_offset, void *buf, size_t len)
{
    return -ENOTSUP;
}

bool
qcow2_crypt_format_image(BlkNode *node, const Qcow2Create *create, GError **error)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                "Encryption of images is not available yet.");
    return false;
}

uint64_t
qcow2_crypt_measure(const Qcow2Create *create)
{
    return 0;
}

JsonObject *
qcow2_crypt_describe(const Qcow2Crypt *crypt)
{
    return json_object_new();
}
