/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The node "quorum": several images that hold the same. Writes go to all; a read is answered by
 * what at least vote-threshold of them agree on, or with read-pattern=fifo by the first that can. A
 * child that differs or fails is told of (event QUORUM_REPORT_BAD), and with rewrite-corrupted=on
 * it gets what the others hold. Without a majority the request fails (event QUORUM_FAILURE). With
 * blkverify=on two images are compared and a difference is an I/O error.
 *
 * Every request goes to the children at once, a fiber each. Thread: the lock of the node's context
 * held. */

#include "blk-quorum.h"

#include "blk-backend.h"
#include "blk-graph-private.h"

#include <errno.h>
#include <json-glib/json-glib.h>
#include <string.h>

enum { PATTERN_QUORUM, PATTERN_FIFO, SECTOR_BYTES = 512 };

typedef struct Quorum {
    uint64_t threshold;
    bool blkverify, rewrite;
    int32_t pattern;
    unsigned next_slot;
} Quorum;

typedef enum Kind { KIND_READ, KIND_WRITE, KIND_ZEROES, KIND_FLUSH, KIND_DISCARD } Kind;

typedef struct Ballot Ballot;

typedef struct Voter {
    Ballot *ballot;
    BlkChild *child;
    uint8_t *buf; /* reads */
    int ret;
    unsigned votes;
} Voter;

/* One request to all children. */
struct Ballot {
    BlkNode *node;
    Kind kind;
    uint64_t offset, len, at;
    const BlkVec *vec;
    unsigned flags;
    unsigned left;
    BlkWaitQueue ended;
    unsigned count;
    Voter *voters;
};

/* ---- all at once ---- */

static int
ask(const Ballot *b, const Voter *voter)
{
    switch (b->kind) {
    case KIND_READ: return blk_read_buffer(voter->child, b->offset, voter->buf, b->len);
    case KIND_WRITE: return blk_write(voter->child, b->offset, b->len, b->vec, b->at, b->flags);
    case KIND_ZEROES: return blk_write_zeroes(voter->child, b->offset, b->len, b->flags);
    case KIND_FLUSH: return blk_flush(voter->child);
    default: return blk_discard(voter->child, b->offset, b->len);
    }
}

static void
voter_main(void *opaque)
{
    Voter *voter = opaque;
    Ballot *b = voter->ballot;

    voter->ret = ask(b, voter);
    if (--b->left == 0) {
        blk_wake_all(b->node->context, &b->ended);
    }
}

static bool
ballot_init(Ballot *b)
{
    b->count = b->node->children->len;
    b->voters = g_new0(Voter, b->count);
    for (unsigned i = 0; i < b->count; i++) {
        Voter *voter = &b->voters[i];
        voter->ballot = b;
        voter->child = b->node->children->pdata[i];
        if (b->kind == KIND_READ && !(voter->buf = g_try_malloc(MAX(b->len, 1)))) {
            return false;
        }
    }
    return true;
}

static void
ballot_clear(Ballot *b)
{
    for (unsigned i = 0; i < b->count; i++) {
        g_free(b->voters[i].buf);
    }
    g_free(b->voters);
}

static void
ballot_run(Ballot *b)
{
    b->left = b->count;
    for (unsigned i = 0; i < b->count; i++) {
        blk_context_start(b->node->context, voter_main, &b->voters[i]);
    }
    while (b->left > 0) {
        blk_wait(b->node->context, &b->ended);
    }
}

/* ---- telling ---- */

static uint64_t
sector_count(const Ballot *b)
{
    return (b->offset + b->len + SECTOR_BYTES - 1) / SECTOR_BYTES - b->offset / SECTOR_BYTES;
}

static void
tell_bad(const Ballot *b, const Voter *voter)
{
    static const char *const types[] = {
        [KIND_READ] = "read",   [KIND_WRITE] = "write",   [KIND_ZEROES] = "write",
        [KIND_FLUSH] = "flush", [KIND_DISCARD] = "write",
    };
    g_autofree char *error =
        voter->ret < 0 ? g_strdup_printf("\"error\": \"%s\", ", g_strerror(-voter->ret)) : NULL;
    g_autofree char *data = g_strdup_printf(
        "{\"type\": \"%s\", %s\"node-name\": \"%s\", \"sector-num\": %" G_GUINT64_FORMAT
        ", \"sectors-count\": %" G_GUINT64_FORMAT "}",
        types[b->kind], error ? error : "", voter->child->node->name, b->offset / SECTOR_BYTES,
        sector_count(b));

    blk_graph_emit(b->node->graph, "QUORUM_REPORT_BAD", data);
}

/* As whom users know the node: the drive it is, or its own name. */
static const char *
reference(const BlkNode *node)
{
    for (guint i = 0; i < node->graph->drives->len; i++) {
        const BlkBackend *backend = node->graph->drives->pdata[i];
        if (!backend->unnamed && blk_drive_get_node((VitDrive *)&backend->drive) == node) {
            return backend->drive.id;
        }
    }
    return node->name;
}

static void
tell_failure(const Ballot *b)
{
    g_autofree char *data =
        g_strdup_printf("{\"reference\": \"%s\", \"sector-num\": %" G_GUINT64_FORMAT
                        ", \"sectors-count\": %" G_GUINT64_FORMAT "}",
                        reference(b->node), b->offset / SECTOR_BYTES, sector_count(b));

    blk_graph_emit(b->node->graph, "QUORUM_FAILURE", data);
}

/* The error most children failed with, the first where several are as many: what a full disk means
 * to a drive is decided by it. */
static int
common_error(const Ballot *b)
{
    unsigned most = 0;
    int error = -EIO;

    for (unsigned i = 0; i < b->count; i++) {
        unsigned same = 0;
        for (unsigned j = i; b->voters[i].ret < 0 && j < b->count; j++) {
            same += b->voters[j].ret == b->voters[i].ret;
        }
        error = same > most ? b->voters[i].ret : error;
        most = MAX(most, same);
    }
    return error;
}

/* ---- reading ---- */

/* The voter most others agree with; the first of them where several have as many. */
static const Voter *
count_votes(Ballot *b)
{
    const Voter *best = NULL;

    for (unsigned i = 0; i < b->count; i++) {
        Voter *voter = &b->voters[i];
        for (unsigned j = 0; voter->ret == 0 && j < b->count; j++) {
            const Voter *other = &b->voters[j];
            voter->votes += other->ret == 0 && memcmp(voter->buf, other->buf, b->len) == 0;
        }
        if (voter->ret == 0 && (!best || voter->votes > best->votes)) {
            best = voter;
        }
    }
    return best;
}

/* Who differs is told of only where it is known what is right. */
static int
judge_read(Ballot *b, const Voter *winner)
{
    const Quorum *q = b->node->state;
    bool is_known = winner && winner->votes >= q->threshold;
    unsigned good = 0;

    for (unsigned i = 0; i < b->count; i++) {
        const Voter *voter = &b->voters[i];
        bool differs = voter->ret == 0 && is_known && memcmp(voter->buf, winner->buf, b->len) != 0;
        good += voter->ret == 0;
        if (voter->ret < 0 || differs) {
            tell_bad(b, voter);
        }
        if (differs && q->rewrite && !b->node->read_only) {
            blk_write_buffer(voter->child, b->offset, winner->buf, b->len, 0);
        }
    }
    if (!is_known) {
        if (q->blkverify) {
            g_message("quorum: the images of '%s' differ within %" G_GUINT64_FORMAT
                      " bytes from %" G_GUINT64_FORMAT,
                      b->node->name, b->len, b->offset);
        }
        tell_failure(b);
        return good < q->threshold ? common_error(b) : -EIO;
    }
    blk_vec_scatter(b->vec, b->at, winner->buf, b->len);
    return 0;
}

/* The first that can. */
static int
read_fifo(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    Ballot b = { .node = node, .kind = KIND_READ, .offset = offset, .len = len };
    int ret = -EIO;

    for (guint i = 0; i < node->children->len; i++) {
        Voter voter = { .child = node->children->pdata[i] };
        ret = blk_read(voter.child, offset, len, vec, at);
        if (ret == 0) {
            return 0;
        }
        voter.ret = ret;
        tell_bad(&b, &voter);
    }
    return ret;
}

static int
quorum_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    const Quorum *q = node->state;
    Ballot b = {
        .node = node, .kind = KIND_READ, .offset = offset, .len = len, .vec = vec, .at = at
    };
    int ret = -ENOMEM;

    if (q->pattern == PATTERN_FIFO) {
        return read_fifo(node, offset, len, vec, at);
    }
    if (ballot_init(&b)) {
        ballot_run(&b);
        ret = judge_read(&b, count_votes(&b));
    }
    ballot_clear(&b);
    return ret;
}

/* ---- writing ---- */

/* Done where enough have done it. */
static int
run_change(Ballot *b)
{
    const Quorum *q = b->node->state;
    unsigned good = 0;
    int ret;

    ballot_init(b);
    ballot_run(b);
    for (unsigned i = 0; i < b->count; i++) {
        good += b->voters[i].ret >= 0;
        if (b->voters[i].ret < 0) {
            tell_bad(b, &b->voters[i]);
        }
    }
    ret = good >= q->threshold ? 0 : common_error(b);
    ballot_clear(b);
    if (ret < 0 && b->kind != KIND_FLUSH) {
        tell_failure(b);
    }
    return ret;
}

static int
quorum_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
             unsigned flags)
{
    Ballot b = { .node = node,
                 .kind = KIND_WRITE,
                 .offset = offset,
                 .len = len,
                 .vec = vec,
                 .at = at,
                 .flags = flags };

    return run_change(&b);
}

static int
quorum_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    Ballot b = { .node = node,
                 .kind = KIND_ZEROES,
                 .offset = offset,
                 .len = len,
                 .flags = flags & ~(unsigned)BLK_REQ_NO_FALLBACK };

    return run_change(&b);
}

static int
quorum_discard(BlkNode *node, uint64_t offset, uint64_t len)
{
    Ballot b = { .node = node, .kind = KIND_DISCARD, .offset = offset, .len = len };

    return run_change(&b);
}

static int
quorum_flush(BlkNode *node)
{
    Ballot b = { .node = node, .kind = KIND_FLUSH };

    return run_change(&b);
}

/* ---- children ---- */

static int64_t
quorum_get_len(BlkNode *node)
{
    const BlkChild *first = node->children->len ? node->children->pdata[0] : NULL;

    return first ? (int64_t)blk_node_get_len(first->node) : 0;
}

/* All or none; what cannot be made as it was is one that differs from the others from then on. */
static bool
quorum_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    uint64_t old_len = (uint64_t)quorum_get_len(node);

    for (guint i = 0; i < node->children->len; i++) {
        if (!blk_truncate(node->children->pdata[i], len, prealloc, error)) {
            while (i-- > 0) {
                blk_truncate(node->children->pdata[i], old_len, BLK_PREALLOC_OFF, NULL);
            }
            return false;
        }
    }
    return true;
}

/* ---- its name ---- */

/* What opens NODE again, as far as file names say it. Ownership: caller. */
static JsonNode *
describe_child(const BlkNode *node)
{
    const BlkNode *file = node->file ? node->file->node : NULL;
    const char *name = node->filename ? node->filename : node->name;
    JsonObject *object;
    JsonNode *described;

    if (g_str_has_prefix(name, "json:")) {
        return json_from_string(name + strlen("json:"), NULL);
    }
    object = json_object_new();
    /* Names of other protocols say the protocol themselves. */
    if (file || vit_prop_find(node->driver->options, "filename")) {
        json_object_set_string_member(object, "driver", node->driver->name);
    }
    if (file) {
        json_object_set_member(object, "file", describe_child(file));
    } else {
        json_object_set_string_member(object, "filename", name);
    }
    described = json_node_new(JSON_NODE_OBJECT);
    json_node_take_object(described, object);
    return described;
}

/* People and monitors see a description, as no file is the whole of it. */
static void
set_filename(BlkNode *node)
{
    const Quorum *q = node->state;
    g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);
    JsonObject *object = json_object_new();
    JsonArray *children = json_array_new();
    g_autofree char *text = NULL;

    for (guint i = 0; i < node->children->len; i++) {
        const BlkChild *child = node->children->pdata[i];
        json_array_add_element(children, describe_child(child->node));
    }
    json_object_set_string_member(object, "driver", "quorum");
    json_object_set_array_member(object, "children", children);
    json_object_set_int_member(object, "vote-threshold", (gint64)q->threshold);
    if (q->pattern == PATTERN_FIFO) {
        json_object_set_string_member(object, "read-pattern", "fifo");
    }
    if (q->blkverify || q->rewrite) {
        json_object_set_boolean_member(object, q->blkverify ? "blkverify" : "rewrite-corrupted",
                                       true);
    }
    json_node_take_object(root, object);
    text = json_to_string(root, FALSE);
    g_free(node->filename);
    node->filename = g_strconcat("json:", text, NULL);
}

/* ---- which children there are ---- */

static bool
check_len(BlkNode *node, BlkNode *child, GError **error)
{
    if ((int64_t)blk_node_get_len(child) == quorum_get_len(node)) {
        return true;
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                "quorum: '%s' has %" G_GUINT64_FORMAT " bytes and the others %" G_GINT64_FORMAT
                "; its children hold the same.",
                child->filename ? child->filename : child->name, blk_node_get_len(child),
                quorum_get_len(node));
    return false;
}

static bool
quorum_open(BlkNode *node, GError **error)
{
    Quorum *q = node->state;
    unsigned count = node->children->len;

    if (count == 0 || q->threshold > count) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "quorum: vote-threshold=%" G_GUINT64_FORMAT " needs at least as many children, "
                    "and there are %u: children.0=..., children.1=...",
                    q->threshold, count);
        return false;
    }
    if (q->blkverify && (count != 2 || q->threshold != 2)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "quorum: blkverify=on compares two children with vote-threshold=2.");
        return false;
    }
    if (q->rewrite && (q->blkverify || q->pattern == PATTERN_FIFO)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "quorum: rewrite-corrupted=on needs votes, so neither blkverify=on nor "
                    "read-pattern=fifo.");
        return false;
    }
    q->next_slot = count;
    for (unsigned i = 0; i < count; i++) {
        BlkChild *child = node->children->pdata[i];
        if (!check_len(node, child->node, error)) {
            return false;
        }
    }
    set_filename(node);
    return true;
}

static void
quorum_refresh_limits(BlkNode *node)
{
    for (guint i = 0; i < node->children->len; i++) {
        const BlkLimits *limits = &((BlkChild *)node->children->pdata[i])->node->limits;
        node->limits.request_align = MAX(node->limits.request_align, limits->request_align);
        node->limits.memory_align = MAX(node->limits.memory_align, limits->memory_align);
    }
    node->limits.write_flags = BLK_REQ_FUA;
}

/* Nobody else may change one of them behind the others' back. */
static void
quorum_child_perm(BlkNode *node, const BlkChild *child, unsigned *perm, unsigned *shared)
{
    const Quorum *q = node->state;

    if (q->rewrite && !node->read_only) {
        *perm |= BLK_PERM_WRITE;
    }
    *shared &= ~(unsigned)(BLK_PERM_WRITE | BLK_PERM_RESIZE);
}

static Quorum *
quorum_of(BlkNode *node, GError **error)
{
    if (node->driver == &blk_quorum_driver) {
        return node->state;
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                "The node '%s' is no quorum: only a quorum's children come and go.", node->name);
    return NULL;
}

bool
blk_quorum_add(BlkNode *node, BlkNode *child, GError **error)
{
    Quorum *q = quorum_of(node, error);
    g_autofree char *slot = q ? g_strdup_printf("children.%u", q->next_slot) : NULL;

    if (!q || !check_len(node, child, error)) {
        return false;
    }
    if (q->blkverify) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The quorum '%s' compares two images; it takes no third.", node->name);
        return false;
    }
    blk_node_add_child(node, g_intern_string(slot), blk_node_ref(child));
    if (!blk_node_update_perm(node, error)) {
        blk_child_detach(node->children->pdata[node->children->len - 1]);
        blk_node_update_perm(node, NULL);
        return false;
    }
    q->next_slot++;
    quorum_refresh_limits(node);
    set_filename(node);
    return true;
}

bool
blk_quorum_remove(BlkNode *node, const char *slot, GError **error)
{
    Quorum *q = quorum_of(node, error);
    BlkChild *found = NULL;

    for (guint i = 0; q && i < node->children->len; i++) {
        BlkChild *child = node->children->pdata[i];
        found = strcmp(child->slot, slot) == 0 ? child : found;
    }
    if (q && !found) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "The node '%s' has no child '%s'.",
                    node->name, slot);
    } else if (q && node->children->len <= q->threshold) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The quorum '%s' needs %" G_GUINT64_FORMAT " children for its votes.",
                    node->name, q->threshold);
        found = NULL;
    }
    if (found) {
        blk_child_detach(found);
        set_filename(node);
    }
    return found != NULL;
}

static const char *const patterns[] = { "quorum", "fifo", NULL };

static const VitProp options[] = {
    VIT_PROP_UINT(Quorum, threshold, "vote-threshold", 0, 1, 64,
                  VIT_N_("How many children have to agree"), .flags = VIT_PROP_REQUIRED),
    VIT_PROP_BOOL(Quorum, blkverify, "blkverify", false,
                  VIT_N_("Compares two children; a difference is an error")),
    VIT_PROP_BOOL(Quorum, rewrite, "rewrite-corrupted", false,
                  VIT_N_("Gives children that differ what the others hold")),
    VIT_PROP_ENUM(Quorum, pattern, "read-pattern", patterns, PATTERN_QUORUM,
                  VIT_N_("Whether reads ask all children or the first that can answer")),
    { 0 },
};

static const BlkChildSlot slots[] = { { .name = "children", .list = true, .probe = true }, { 0 } };

const BlkDriver blk_quorum_driver = {
    .name = "quorum",
    .title = VIT_N_("Votes of several images"),
    .role = BLK_ROLE_FORMAT,
    .state_size = sizeof(Quorum),
    .options = options,
    .slots = slots,
    .open = quorum_open,
    .read = quorum_read,
    .write = quorum_write,
    .write_zeroes = quorum_write_zeroes,
    .discard = quorum_discard,
    .flush = quorum_flush,
    .get_len = quorum_get_len,
    .truncate = quorum_truncate,
    .refresh_limits = quorum_refresh_limits,
    .child_perm = quorum_child_perm,
};
