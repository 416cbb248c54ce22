/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The filter "blkdebug": lets requests to the image below fail by rules, for tests of what comes
 * above. Rules are options (inject-error.N.*, set-state.N.*) or a file (config=).
 * Names: blkdebug:[RULEFILE]:IMAGE. Thread: the lock of the node's context held. */

#include "blk-driver.h"
#include "blkdebug-rules.h"

#include <errno.h>
#include <string.h>

enum { RULES = 8, STATES = 4 };

typedef struct Debug {
    char *config;
    uint64_t align;
    DebugRuleText errors[RULES], states[STATES];
    DebugRules *rules;
} Debug;

static bool
debug_open(BlkNode *node, GError **error)
{
    Debug *debug = node->state;
    bool ok = true;

    debug->rules = debug_rules_new();
    if (debug->align & (debug->align - 1)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "blkdebug: align is a power of two.");
        return false;
    }
    for (unsigned i = 0; i < RULES && ok; i++) {
        ok = !debug->errors[i].event ||
             debug_rules_add(debug->rules, false, &debug->errors[i], error);
    }
    for (unsigned i = 0; i < STATES && ok; i++) {
        ok = !debug->states[i].event ||
             debug_rules_add(debug->rules, true, &debug->states[i], error);
    }
    return ok && (!debug->config || !*debug->config ||
                  debug_rules_add_file(debug->rules, debug->config, error));
}

static void
debug_close(BlkNode *node)
{
    debug_rules_free(((Debug *)node->state)->rules);
}

static int
fault(BlkNode *node, DebugIo io, uint64_t offset, uint64_t len)
{
    bool at_once;
    int ret = debug_rules_check(((Debug *)node->state)->rules, io, offset, len, &at_once);

    if (ret < 0 && !at_once) {
        blk_sleep_ns(node->context, 1); /* others may run, as with a real request */
    }
    return ret;
}

static int
debug_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    int ret = fault(node, DEBUG_IO_READ, offset, len);

    return ret < 0 ? ret : blk_read(node->file, offset, len, vec, at);
}

static int
debug_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
            unsigned flags)
{
    int ret = fault(node, DEBUG_IO_WRITE, offset, len);

    return ret < 0 ? ret : blk_write(node->file, offset, len, vec, at, flags);
}

static int
debug_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    int ret = fault(node, DEBUG_IO_WRITE_ZEROES, offset, len);

    return ret < 0 ? ret : blk_write_zeroes(node->file, offset, len, flags);
}

static int
debug_discard(BlkNode *node, uint64_t offset, uint64_t len)
{
    int ret = fault(node, DEBUG_IO_DISCARD, offset, len);

    return ret < 0 ? ret : blk_discard(node->file, offset, len);
}

static int
debug_flush(BlkNode *node)
{
    int ret = fault(node, DEBUG_IO_FLUSH, 0, 0);

    return ret < 0 ? ret : blk_flush(node->file);
}

static bool
debug_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    return blk_truncate(node->file, len, prealloc, error);
}

static void
debug_refresh_limits(BlkNode *node)
{
    const Debug *debug = node->state;

    node->limits = node->file->node->limits;
    if (debug->align > node->limits.request_align) {
        node->limits.request_align = (uint32_t)debug->align;
    }
}

static bool
debug_parse_filename(const char *filename, BlkOptions *options, GError **error)
{
    const char *start = filename + strlen("blkdebug:"), *colon = strchr(start, ':');

    if (!g_str_has_prefix(filename, "blkdebug:") || !colon || !colon[1]) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' names no image: write blkdebug:[RULEFILE]:IMAGE.", filename);
        return false;
    }
    if (colon > start) {
        g_autofree char *config = g_strndup(start, (size_t)(colon - start));
        blk_options_set(options, "config", config);
    }
    blk_options_set(options, "image.filename", colon + 1);
    return true;
}

#define TEXT(field, key, help) VIT_PROP_STRING(Debug, field, key, NULL, help)
#define INJECT(n)                                                                                 \
    TEXT(errors[n].event, "inject-error." #n ".event", VIT_N_("At what it happens")),             \
        TEXT(errors[n].iotype, "inject-error." #n ".iotype", VIT_N_("Kind of request")),          \
        TEXT(errors[n].error, "inject-error." #n ".errno", VIT_N_("Number of the error")),        \
        TEXT(errors[n].sector, "inject-error." #n ".sector", VIT_N_("Sector it has to touch")),   \
        TEXT(errors[n].once, "inject-error." #n ".once", VIT_N_("Only the first time")),          \
        TEXT(errors[n].immediately, "inject-error." #n ".immediately", VIT_N_("Without a wait")), \
        TEXT(errors[n].state, "inject-error." #n ".state", VIT_N_("State it holds in"))
#define STATE(n)                                                                      \
    TEXT(states[n].event, "set-state." #n ".event", VIT_N_("At what it happens")),    \
        TEXT(states[n].state, "set-state." #n ".state", VIT_N_("State it holds in")), \
        TEXT(states[n].new_state, "set-state." #n ".new_state", VIT_N_("State afterwards"))

static const VitProp options[] = {
    TEXT(config, "config", VIT_N_("File of rules")),
    VIT_PROP_SIZE(Debug, align, "align", 0, 0, 1 << 30, VIT_N_("Requests have to be aligned so")),
    INJECT(0),
    INJECT(1),
    INJECT(2),
    INJECT(3),
    INJECT(4),
    INJECT(5),
    INJECT(6),
    INJECT(7),
    STATE(0),
    STATE(1),
    STATE(2),
    STATE(3),
    { 0 },
};

static const BlkChildSlot slots[] = { { .name = "image", .required = true }, { 0 } };
static const char *const schemes[] = { "blkdebug", NULL };

const BlkDriver blk_blkdebug_driver = {
    .name = "blkdebug",
    .title = VIT_N_("Faults by rules"),
    .role = BLK_ROLE_FILTER,
    .state_size = sizeof(Debug),
    .options = options,
    .slots = slots,
    .schemes = schemes,
    .parse_filename = debug_parse_filename,
    .open = debug_open,
    .close = debug_close,
    .read = debug_read,
    .write = debug_write,
    .write_zeroes = debug_write_zeroes,
    .discard = debug_discard,
    .flush = debug_flush,
    .truncate = debug_truncate,
    .refresh_limits = debug_refresh_limits,
};
