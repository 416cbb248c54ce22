/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The memory balloon, for people and programs. Thread: device lock held. */

#include "hmp.h"
#include "qmp.h"

#include "vit-balloon.h"
#include "vit-error.h"

static VitBalloon *
find_balloon(VitMonitors *monitors, GError **error)
{
    if (!monitors->platform->balloon) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE,
                    "No balloon device has been activated; add -device virtio-balloon-pci");
    }
    return monitors->platform->balloon;
}

static bool
set_target(VitMonitors *monitors, int64_t bytes, GError **error)
{
    VitBalloon *balloon = find_balloon(monitors, error);

    if (!balloon) {
        return false;
    }
    if (bytes <= 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Parameter 'target' expects a size");
        return false;
    }
    balloon->set_target(balloon, (uint64_t)bytes);
    return true;
}

void
hmp_balloon(HmpCall *call)
{
    GError *error = NULL;

    set_target(call->monitors, hmp_number(call, "target") * (int64_t)VIT_MIB, &error);
    hmp_error(call, error);
}

void
hmp_info_balloon(HmpCall *call)
{
    GError *error = NULL;
    VitBalloon *balloon = find_balloon(call->monitors, &error);

    if (balloon) {
        hmp_print(call, "balloon: actual=%" G_GUINT64_FORMAT "\n",
                  (guint64)(balloon->get_actual(balloon) / VIT_MIB));
    }
    hmp_error(call, error);
}

JsonNode *
qmp_balloon(QmpCall *call, GError **error)
{
    return qmp_done(set_target(call->monitors, qmp_int(call, "value", 0), error));
}

JsonNode *
qmp_query_balloon(QmpCall *call, GError **error)
{
    VitBalloon *balloon = find_balloon(call->monitors, error);
    JsonObject *object;

    if (!balloon) {
        return NULL;
    }
    object = json_object_new();
    json_object_set_int_member(object, "actual", (int64_t)balloon->get_actual(balloon));
    return qmp_object(object);
}
