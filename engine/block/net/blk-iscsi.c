/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The protocol driver "iscsi": a unit of an iSCSI target as a disk or CD image.
 *
 * Names: iscsi://[USER[%PASSWORD]@]HOST[:PORT]/TARGET/UNIT. Without a user in the name the
 * variables LIBISCSI_CHAP_USERNAME and LIBISCSI_CHAP_PASSWORD are taken; what is still missing
 * comes from -iscsi. Discards become UNMAP, zeroes WRITE SAME(16), where the unit has them.
 * Deviations: units that are neither disks nor CDs are refused; transport "iser" needs an RDMA
 * adapter and is refused.
 *
 * Specification: RFC 7143; SBC-3. Thread: the lock of the node's context held. */

#include "iscsi-session.h"

#include "blk-graph-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 4 << 20, DEFAULT_PORT = 3260 };

typedef struct Iscsi {
    /* options */
    char *transport, *portal, *target, *user, *password, *password_secret;
    char *initiator, *header_digest;
    uint32_t lun;
    int32_t timeout_s; /* negative: as -iscsi says */
    /* state */
    IscsiSession *session;
    IscsiUnit unit;
} Iscsi;

/* ---- requests [fiber] ---- */

/* One kind of command over a whole range, in pieces of at most MAX_BLOCKS. */
static int
run_pieces(BlkNode *node, IscsiJob job, uint64_t offset, uint64_t len, uint64_t max_blocks)
{
    Iscsi *iscsi = node->state;
    uint64_t block = iscsi->unit.block_bytes;

    while (len > 0) {
        uint64_t piece = MIN(len, MAX(max_blocks, 1) * block);
        int ret;

        job.lba = offset / block;
        job.blocks = (uint32_t)(piece / block);
        ret = iscsi_session_run(iscsi->session, &job);
        if (ret < 0) {
            return ret;
        }
        offset += piece;
        job.at += piece;
        len -= piece;
    }
    return 0;
}

static uint64_t
max_transfer_blocks(const Iscsi *iscsi)
{
    uint64_t most = CHUNK_BYTES / iscsi->unit.block_bytes;

    return iscsi->unit.max_transfer_blocks ? MIN(most, iscsi->unit.max_transfer_blocks) : most;
}

static bool
is_inside(const Iscsi *iscsi, uint64_t offset, uint64_t len)
{
    uint64_t size = iscsi->unit.blocks * iscsi->unit.block_bytes;

    return offset <= size && len <= size - offset;
}

static int
iscsi_node_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    Iscsi *iscsi = node->state;

    if (!is_inside(iscsi, offset, len)) {
        return -EIO;
    }
    return run_pieces(node, (IscsiJob){ .op = ISCSI_OP_READ, .vec = vec, .at = at }, offset, len,
                      max_transfer_blocks(iscsi));
}

static int
iscsi_node_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
                 unsigned flags)
{
    Iscsi *iscsi = node->state;
    IscsiJob job = {
        .op = ISCSI_OP_WRITE, .vec = vec, .at = at, .fua = (flags & BLK_REQ_FUA) != 0
    };

    if (!is_inside(iscsi, offset, len)) {
        return -ENOSPC;
    }
    return run_pieces(node, job, offset, len, max_transfer_blocks(iscsi));
}

static int
iscsi_node_flush(BlkNode *node)
{
    Iscsi *iscsi = node->state;
    IscsiJob job = { .op = ISCSI_OP_FLUSH };
    int ret = node->no_flush || iscsi->unit.is_cd ? 0 : iscsi_session_run(iscsi->session, &job);

    /* A unit without the command has no cache either. */
    return ret == -ENOTSUP ? 0 : ret;
}

static int
iscsi_node_discard(BlkNode *node, uint64_t offset, uint64_t len)
{
    Iscsi *iscsi = node->state;
    uint64_t most = iscsi->unit.max_unmap_blocks ? iscsi->unit.max_unmap_blocks : UINT32_MAX;
    int ret = 0;

    if (iscsi->unit.has_unmap && is_inside(iscsi, offset, len)) {
        ret = run_pieces(node, (IscsiJob){ .op = ISCSI_OP_UNMAP }, offset, len, most);
    }
    if (ret == -ENOTSUP || ret == -EINVAL) {
        iscsi->unit.has_unmap = ret != -ENOTSUP;
        ret = 0; /* it was a hint */
    }
    return ret;
}

static int
iscsi_node_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    Iscsi *iscsi = node->state;
    uint64_t limit = iscsi->unit.max_write_same_blocks;
    IscsiJob job = { .op = ISCSI_OP_WRITE_SAME,
                     .unmap = (flags & BLK_REQ_MAY_UNMAP) && iscsi->unit.can_zero_by_unmap };
    int ret;

    if (!iscsi->unit.has_write_same) {
        return -ENOTSUP;
    }
    if (!is_inside(iscsi, offset, len)) {
        return -ENOSPC;
    }
    ret = run_pieces(node, job, offset, len, limit ? MIN(limit, 1u << 22) : 1u << 22);
    if (ret == -ENOTSUP || ret == -EINVAL) {
        iscsi->unit.has_write_same = false;
        ret = -ENOTSUP;
    }
    return ret;
}

static int
iscsi_node_status(BlkNode *node, uint64_t offset, uint64_t len, BlkStatus *out)
{
    Iscsi *iscsi = node->state;
    uint64_t block = iscsi->unit.block_bytes;
    IscsiJob job = { .op = ISCSI_OP_STATUS,
                     .lba = offset / block,
                     .blocks = (uint32_t)MIN(len / block, UINT32_MAX) };

    out->flags = BLK_STATUS_DATA | BLK_STATUS_ALLOCATED | BLK_STATUS_MAPPED;
    out->map_node = node;
    out->map_offset = offset;
    if (!iscsi->unit.has_status || job.blocks == 0) {
        return 0;
    }
    if (iscsi_session_run(iscsi->session, &job) < 0) {
        iscsi->unit.has_status = false;
        return 0;
    }
    out->len_bytes = MIN(len, job.run_blocks * block);
    if (!job.is_mapped) {
        out->flags = BLK_STATUS_ALLOCATED | BLK_STATUS_MAPPED |
                     (iscsi->unit.can_zero_by_unmap ? BLK_STATUS_ZERO : BLK_STATUS_DATA);
    }
    return 0;
}

static int64_t
iscsi_get_len(BlkNode *node)
{
    Iscsi *iscsi = node->state;

    return (int64_t)(iscsi->unit.blocks * iscsi->unit.block_bytes);
}

static void
iscsi_refresh_limits(BlkNode *node)
{
    Iscsi *iscsi = node->state;
    uint32_t block = iscsi->unit.block_bytes;
    uint32_t grain = iscsi->unit.unmap_granularity_blocks;

    node->limits.request_align = node->limits.zeroes_align = block;
    node->limits.discard_align =
        grain > 1 && (grain & (grain - 1)) == 0 && grain <= (1u << 30) / block ? grain * block
                                                                               : block;
}

/* ---- opening ---- */

/* What -iscsi says, for an option that was not given. */
static const char *
or_default(BlkNode *node, const char *value, const char *key)
{
    const BlkOptions *defaults = blk_graph_get_defaults(node->graph, "iscsi");

    return value || !defaults ? value : blk_options_get(defaults, key);
}

static bool
check_options(Iscsi *iscsi, GError **error)
{
    if (!iscsi->portal || !iscsi->target) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "iscsi needs portal=HOST[:PORT] and target=NAME.");
        return false;
    }
    if (iscsi->transport && strcmp(iscsi->transport, "tcp") != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    strcmp(iscsi->transport, "iser") == 0
                        ? "iscsi: the transport '%s' needs an RDMA adapter and a library with "
                          "support for it; use transport=tcp."
                        : "iscsi: there is no transport '%s'; it is tcp.",
                    iscsi->transport);
        return false;
    }
    return true;
}

static bool
take_password(BlkNode *node, const char *user, char **out_password, GError **error)
{
    Iscsi *iscsi = node->state;
    const char *password = iscsi->password;
    const char *secret = iscsi->password_secret;

    if (!password && !secret) {
        secret = or_default(node, NULL, "password-secret");
        password = secret ? NULL : or_default(node, NULL, "password");
    }
    if (secret) {
        *out_password = blk_graph_dup_secret_text(node->graph, secret, error);
        return *out_password;
    }
    if (user && !password) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "iscsi: the user '%s' has no password: add password-secret=ID.", user);
        return false;
    }
    *out_password = g_strdup(password);
    return true;
}

static bool
iscsi_node_open(BlkNode *node, GError **error)
{
    Iscsi *iscsi = node->state;
    g_autofree char *password = NULL;
    const char *timeout = or_default(node, NULL, "timeout");
    const char *initiator = or_default(node, iscsi->initiator, "initiator-name");
    IscsiConfig config = {
        .portal = iscsi->portal,
        .target = iscsi->target,
        .lun = iscsi->lun,
        .user = or_default(node, iscsi->user, "user"),
        .initiator = initiator ? initiator : "iqn.2008-11.org.linux-kvm",
        .header_digest = or_default(node, iscsi->header_digest, "header-digest"),
        .timeout_s = iscsi->timeout_s >= 0 ? (uint32_t)iscsi->timeout_s
                     : timeout             ? (uint32_t)strtoul(timeout, NULL, 10)
                                           : 0,
    };

    if (!check_options(iscsi, error) || !take_password(node, config.user, &password, error)) {
        return false;
    }
    config.password = password;
    g_free(node->filename);
    node->filename = g_strdup_printf("iscsi://%s/%s/%u", iscsi->portal, iscsi->target, iscsi->lun);
    iscsi->session = iscsi_session_new(node->context, &config, &iscsi->unit, error);
    if (!iscsi->session) {
        return false;
    }
    if ((iscsi->unit.write_protected || iscsi->unit.is_cd) && !node->read_only) {
        if (!node->auto_read_only) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_PERMISSION,
                        "'%s' can only be read: add read-only=on.", node->filename);
            return false;
        }
        node->read_only = true;
    }
    node->limits.write_flags = iscsi->unit.has_fua ? BLK_REQ_FUA : 0;
    node->limits.zeroes_flags = BLK_REQ_MAY_UNMAP;
    return true;
}

static void
iscsi_node_close(BlkNode *node)
{
    Iscsi *iscsi = node->state;

    g_clear_pointer(&iscsi->session, iscsi_session_free);
}

/* ---- names ---- */

static bool
set_name_error(const char *filename, GError **error)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                "'%s' is no name of an iSCSI unit: write "
                "iscsi://[USER[%%PASSWORD]@]HOST[:PORT]/TARGET/UNIT.",
                filename);
    return false;
}

static void
take_credentials(const char *text, BlkOptions *options)
{
    const char *percent = strchr(text, '%');
    g_autofree char *user = percent ? g_strndup(text, (size_t)(percent - text)) : g_strdup(text);

    blk_options_set(options, "user", user);
    if (percent) {
        blk_options_set(options, "password", percent + 1);
    }
}

static void
take_environment(BlkOptions *options)
{
    const char *user = g_getenv("LIBISCSI_CHAP_USERNAME");
    const char *password = g_getenv("LIBISCSI_CHAP_PASSWORD");

    if (user && *user) {
        blk_options_set(options, "user", user);
        if (password) {
            blk_options_set(options, "password", password);
        }
    }
}

static bool
iscsi_parse_filename(const char *filename, BlkOptions *options, GError **error)
{
    const char *start = strstr(filename, "://");
    g_auto(GStrv) parts = start ? g_strsplit(start + 3, "/", 3) : NULL;
    char *end, *at;

    if (!parts || g_strv_length(parts) != 3 || !*parts[1]) {
        return set_name_error(filename, error);
    }
    guint64 lun = g_ascii_strtoull(parts[2], &end, 10);
    if (!g_ascii_isdigit(*parts[2]) || *end || lun > 16383) {
        return set_name_error(filename, error);
    }
    at = strrchr(parts[0], '@');
    if (at) {
        *at = 0;
        take_credentials(parts[0], options);
    } else {
        take_environment(options);
    }
    const char *portal = at ? at + 1 : parts[0];
    if (!*portal) {
        return set_name_error(filename, error);
    }
    blk_options_set(options, "transport", g_str_has_prefix(filename, "iser:") ? "iser" : "tcp");
    blk_options_set(options, "portal", portal);
    blk_options_set(options, "target", parts[1]);
    blk_options_set(options, "lun", parts[2]);
    return true;
}

static const VitProp options[] = {
    VIT_PROP_STRING(Iscsi, transport, "transport", NULL, VIT_N_("tcp")),
    VIT_PROP_STRING(Iscsi, portal, "portal", NULL, VIT_N_("Host of the target and its port")),
    VIT_PROP_STRING(Iscsi, target, "target", NULL, VIT_N_("Name of the target")),
    VIT_PROP_UINT(Iscsi, lun, "lun", 0, 0, 16383, VIT_N_("Unit of the target")),
    VIT_PROP_STRING(Iscsi, user, "user", NULL, VIT_N_("CHAP user")),
    VIT_PROP_STRING(Iscsi, password, "password", NULL, VIT_N_("CHAP password in clear")),
    VIT_PROP_STRING(Iscsi, password_secret, "password-secret", NULL,
                    VIT_N_("Secret with the CHAP password")),
    VIT_PROP_STRING(Iscsi, initiator, "initiator-name", NULL,
                    VIT_N_("Name of this side, as targets see it")),
    VIT_PROP_STRING(Iscsi, header_digest, "header-digest", NULL,
                    VIT_N_("crc32c, none, crc32c-none or none-crc32c")),
    VIT_PROP_INT(Iscsi, timeout_s, "timeout", -1, -1, 86400,
                 VIT_N_("Time without an answer after which the connection is made anew"),
                 .unit = "s"),
    { 0 },
};

static const char *const schemes[] = { "iscsi", "iser", NULL };

const BlkDriver blk_iscsi_driver = {
    .name = "iscsi",
    .title = VIT_N_("Unit of an iSCSI target"),
    .role = BLK_ROLE_PROTOCOL,
    .state_size = sizeof(Iscsi),
    .options = options,
    .schemes = schemes,
    .parse_filename = iscsi_parse_filename,
    .holds_images = true,
    .open = iscsi_node_open,
    .close = iscsi_node_close,
    .read = iscsi_node_read,
    .write = iscsi_node_write,
    .flush = iscsi_node_flush,
    .discard = iscsi_node_discard,
    .write_zeroes = iscsi_node_write_zeroes,
    .status = iscsi_node_status,
    .get_len = iscsi_get_len,
    .refresh_limits = iscsi_refresh_limits,
};
