/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The protocol driver "ssh": files of other hosts by SFTP, with libssh.
 *
 * One session per node, used by one worker at a time. Keys come from the agent or the user's own
 * files; there is no password. The host's key is checked against known_hosts, against a hash that
 * was given, or not at all (host-key-check). Flushes need the server's fsync extension; without it
 * they fail, because a guest would rely on them. SFTP has no locks: an image in use by another
 * client is not known as such.
 *
 * Names: ssh://[USER@]HOST[:PORT]/PATH[?host_key_check=yes|no|md5:HEX|sha1:HEX|sha256:HEX]. The
 * options host, port and host_key_check are older spellings.
 * Thread: the lock of the node's context held; run_*() on workers. */

#include "blk-graph-private.h"
#include "ssh-library.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { CHUNK_BYTES = 32 * 1024 };

typedef struct Ssh {
    /* options */
    char *host, *port, *path, *user, *check_mode, *check_type, *check_hash;
    char *old_host, *old_port, *old_check;
    /* state */
    SshLibrary lib;
    ssh_session session;
    sftp_session sftp;
    sftp_file file;
    uint64_t len;
    bool busy;
    BlkWaitQueue turn;
} Ssh;

typedef struct SshJob {
    Ssh *ssh;
    bool writable;
    uint64_t offset, len;
    uint8_t *buf;
    bool is_new;   /* of run_make */
    char *message; /* of a failure */
} SshJob;

/* ---- on workers ---- */

static int
refuse(SshJob *job, const char *text, const char *detail)
{
    job->message = g_strconcat(text, detail ? ": " : NULL, detail, NULL);
    return -EIO;
}

static bool
is_hash_right(const SshJob *job, ssh_key key)
{
    const Ssh *ssh = job->ssh;
    const char *type = ssh->check_type;
    enum ssh_publickey_hash_type kind = g_strcmp0(type, "md5") == 0    ? SSH_PUBLICKEY_HASH_MD5
                                        : g_strcmp0(type, "sha1") == 0 ? SSH_PUBLICKEY_HASH_SHA1
                                                                       : SSH_PUBLICKEY_HASH_SHA256;
    g_autofree char *wanted = g_ascii_strdown(ssh->check_hash, -1);
    g_autoptr(GString) have = g_string_new(NULL);
    g_auto(GStrv) parts = g_strsplit(wanted, ":", -1);
    g_autofree char *plain = g_strjoinv(NULL, parts);
    unsigned char *hash;
    size_t len;

    if (ssh->lib.ssh_get_publickey_hash(key, kind, &hash, &len) < 0) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        g_string_append_printf(have, "%02x", hash[i]);
    }
    ssh->lib.ssh_clean_pubkey_hash(&hash);
    return strcmp(plain, have->str) == 0;
}

static int
check_host_key(SshJob *job)
{
    Ssh *ssh = job->ssh;
    const char *mode = ssh->check_mode ? ssh->check_mode : "known_hosts";
    bool ok;

    if (strcmp(mode, "none") == 0) {
        return 0;
    }
    if (strcmp(mode, "hash") == 0) {
        ssh_key key;
        if (!ssh->check_hash || ssh->lib.ssh_get_server_publickey(ssh->session, &key) != SSH_OK) {
            return refuse(job, "the host's key cannot be checked", NULL);
        }
        ok = is_hash_right(job, key);
        ssh->lib.ssh_key_free(key);
        return ok ? 0 : refuse(job, "the host's key has another hash than the given one", NULL);
    }
    switch (ssh->lib.ssh_session_is_known_server(ssh->session)) {
    case SSH_KNOWN_HOSTS_OK: return 0;
    case SSH_KNOWN_HOSTS_CHANGED:
        return refuse(job,
                      "the host's key is not the one in known_hosts; somebody may be in "
                      "between",
                      NULL);
    case SSH_KNOWN_HOSTS_UNKNOWN:
    case SSH_KNOWN_HOSTS_NOT_FOUND:
        return refuse(job,
                      "the host's key is not in known_hosts; connect with ssh once to look at "
                      "it",
                      NULL);
    default:
        return refuse(job, "the host's key cannot be checked",
                      ssh->lib.ssh_get_error(ssh->session));
    }
}

static int
connect_session(SshJob *job)
{
    Ssh *ssh = job->ssh;
    unsigned port = ssh->port ? (unsigned)g_ascii_strtoull(ssh->port, NULL, 10) : 22;
    const int nodelay = 1; /* else each request waits 40 ms for an acknowledgement */

    ssh->session = ssh->lib.ssh_new();
    if (!ssh->session) {
        return -ENOMEM;
    }
    ssh->lib.ssh_options_set(ssh->session, SSH_OPTIONS_HOST, ssh->host);
    ssh->lib.ssh_options_set(ssh->session, SSH_OPTIONS_PORT, &port);
    if (ssh->user) {
        ssh->lib.ssh_options_set(ssh->session, SSH_OPTIONS_USER, ssh->user);
    }
    ssh->lib.ssh_options_set(ssh->session, SSH_OPTIONS_NODELAY, &nodelay);
    ssh->lib.ssh_options_parse_config(ssh->session, NULL);
    ssh->lib.ssh_options_set(ssh->session, SSH_OPTIONS_PORT, &port);
    if (ssh->lib.ssh_connect(ssh->session) != SSH_OK) {
        return refuse(job, "no connection", ssh->lib.ssh_get_error(ssh->session));
    }
    if (check_host_key(job) < 0) {
        return -EIO;
    }
    if (ssh->lib.ssh_userauth_none(ssh->session, NULL) != SSH_AUTH_SUCCESS &&
        ssh->lib.ssh_userauth_publickey_auto(ssh->session, NULL, NULL) != SSH_AUTH_SUCCESS) {
        return refuse(job, "the host does not accept a key of yours",
                      ssh->lib.ssh_get_error(ssh->session));
    }
    return 0;
}

static int
connect_sftp(SshJob *job)
{
    Ssh *ssh = job->ssh;
    int ret = connect_session(job);

    if (ret < 0) {
        return ret;
    }
    ssh->sftp = ssh->lib.sftp_new(ssh->session);
    if (!ssh->sftp || ssh->lib.sftp_init(ssh->sftp) != SSH_OK) {
        return refuse(job, "the host has no SFTP", ssh->lib.ssh_get_error(ssh->session));
    }
    return 0;
}

/* What the last call of SFTP failed with. */
static int
take_failure(SshJob *job, const char *text)
{
    Ssh *ssh = job->ssh;

    switch (ssh->lib.sftp_get_error(ssh->sftp)) {
    case SSH_FX_NO_SUCH_FILE:
    case SSH_FX_NO_SUCH_PATH: return -ENOENT;
    case SSH_FX_PERMISSION_DENIED:
    case SSH_FX_WRITE_PROTECT: return -EACCES;
    case SSH_FX_FAILURE: return refuse(job, text, NULL); /* it means anything */
    default: return refuse(job, text, ssh->lib.ssh_get_error(ssh->session));
    }
}

static int
read_len(SshJob *job)
{
    Ssh *ssh = job->ssh;
    sftp_attributes attributes = ssh->lib.sftp_fstat(ssh->file);

    if (!attributes) {
        return refuse(job, "the length of the file is not told", NULL);
    }
    ssh->len = attributes->size;
    ssh->lib.sftp_attributes_free(attributes);
    return 0;
}

static int
run_open(void *arg)
{
    SshJob *job = arg;
    Ssh *ssh = job->ssh;
    int ret = connect_sftp(job);

    if (ret < 0) {
        return ret;
    }
    ssh->file = ssh->lib.sftp_open(ssh->sftp, ssh->path, job->writable ? O_RDWR : O_RDONLY, 0);
    return ssh->file ? read_len(job) : take_failure(job, "the file cannot be opened");
}

/* A byte makes a file longer. SFTP cuts a file by its name; libssh has no way by the handle. */
static int
run_truncate(void *arg)
{
    SshJob *job = arg;
    Ssh *ssh = job->ssh;
    int ret = read_len(job);

    if (ret < 0) {
        return ret;
    }
    if (job->len > ssh->len) {
        if (ssh->lib.sftp_seek64(ssh->file, job->len - 1) < 0 ||
            ssh->lib.sftp_write(ssh->file, "", 1) != 1) {
            return take_failure(job,
                                "the host does not make the file longer; its disk may be full");
        }
    } else if (job->len < ssh->len) {
        struct sftp_attributes_struct wanted = { .flags = SSH_FILEXFER_ATTR_SIZE,
                                                 .size = job->len };
        if (ssh->lib.sftp_setstat(ssh->sftp, ssh->path, &wanted) < 0) {
            return take_failure(job, "the host does not make the file shorter");
        }
    }
    ret = read_len(job);
    return ret < 0 || ssh->len == job->len
               ? ret
               : refuse(job, "the host says yes, but the file has another length", NULL);
}

/* Whether the file is new shows in its being made exclusively; servers tell no reason when it
 * cannot be. */
static int
run_make(void *arg)
{
    SshJob *job = arg;
    Ssh *ssh = job->ssh;
    const int flags = O_RDWR | O_CREAT;
    int ret = connect_sftp(job);

    if (ret < 0) {
        return ret;
    }
    ssh->file = ssh->lib.sftp_open(ssh->sftp, ssh->path, flags | O_EXCL, 0644);
    job->is_new = ssh->file != NULL;
    if (!ssh->file) {
        ssh->file = ssh->lib.sftp_open(ssh->sftp, ssh->path, flags | O_TRUNC, 0644);
    }
    if (!ssh->file) {
        return take_failure(job, "the host makes no such file");
    }
    ret = run_truncate(job);
    if (ret < 0 && job->is_new) {
        ssh->lib.sftp_unlink(ssh->sftp, ssh->path);
    }
    return ret;
}

static int
run_remove(void *arg)
{
    SshJob *job = arg;
    Ssh *ssh = job->ssh;
    int ret = connect_sftp(job);

    if (ret == 0 && ssh->lib.sftp_unlink(ssh->sftp, ssh->path) < 0) {
        ret = take_failure(job, "the file cannot be removed");
    }
    return ret;
}

static int
run_read(void *arg)
{
    SshJob *job = arg;
    Ssh *ssh = job->ssh;
    uint64_t done = 0;

    if (ssh->lib.sftp_seek64(ssh->file, job->offset) < 0) {
        return -EIO;
    }
    while (done < job->len) {
        ssize_t ret =
            ssh->lib.sftp_read(ssh->file, job->buf + done, MIN(job->len - done, CHUNK_BYTES));
        if (ret < 0) {
            return -EIO;
        }
        if (ret == 0) {
            memset(job->buf + done, 0, job->len - done);
            break;
        }
        done += (uint64_t)ret;
    }
    return 0;
}

static int
run_write(void *arg)
{
    SshJob *job = arg;
    Ssh *ssh = job->ssh;
    uint64_t done = 0;

    if (ssh->lib.sftp_seek64(ssh->file, job->offset) < 0) {
        return -EIO;
    }
    while (done < job->len) {
        ssize_t ret =
            ssh->lib.sftp_write(ssh->file, job->buf + done, MIN(job->len - done, CHUNK_BYTES));
        if (ret <= 0) {
            return -EIO;
        }
        done += (uint64_t)ret;
    }
    return 0;
}

static int
run_flush(void *arg)
{
    Ssh *ssh = ((SshJob *)arg)->ssh;

    return ssh->lib.sftp_fsync(ssh->file) == 0 ? 0 : -EIO;
}

static int
run_close(void *arg)
{
    Ssh *ssh = ((SshJob *)arg)->ssh;

    if (ssh->file) {
        ssh->lib.sftp_close(ssh->file);
    }
    if (ssh->sftp) {
        ssh->lib.sftp_free(ssh->sftp);
    }
    if (ssh->session) {
        ssh->lib.ssh_disconnect(ssh->session);
        ssh->lib.ssh_free(ssh->session);
    }
    ssh->file = NULL;
    ssh->sftp = NULL;
    ssh->session = NULL;
    return 0;
}

/* ---- in fibers ---- */

static int
run(BlkNode *node, SshJob *job, int (*func)(void *arg))
{
    Ssh *ssh = node->state;
    int ret;

    job->ssh = ssh;
    while (ssh->busy) {
        blk_wait(node->context, &ssh->turn);
    }
    ssh->busy = true;
    ret = blk_pool_run(node->context, func, job);
    ssh->busy = false;
    blk_wake_first(node->context, &ssh->turn);
    return ret;
}

static int
read_into(BlkNode *node, uint64_t offset, uint64_t len, uint8_t *buf)
{
    SshJob job = { .offset = offset, .len = len, .buf = buf };

    return run(node, &job, run_read);
}

static int
ssh_node_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    return blk_read_by_copy(node, offset, len, vec, at, read_into);
}

static int
write_from(BlkNode *node, uint64_t offset, uint64_t len, uint8_t *buf)
{
    Ssh *ssh = node->state;
    SshJob job = { .offset = offset, .len = len, .buf = buf };
    int ret = run(node, &job, run_write);

    if (ret == 0) {
        ssh->len = MAX(ssh->len, offset + len);
    }
    return ret;
}

static int
ssh_node_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
               unsigned flags)
{
    return blk_write_by_copy(node, offset, len, vec, at, write_from);
}

static int
ssh_node_flush(BlkNode *node)
{
    SshJob job = { 0 };

    return node->no_flush ? 0 : run(node, &job, run_flush);
}

static int64_t
ssh_get_len(BlkNode *node)
{
    return (int64_t)((Ssh *)node->state)->len;
}

/* What host_key_check=TEXT means. Ownership: caller. */
static bool
split_check(const char *text, char **out_mode, char **out_type, char **out_hash, GError **error)
{
    const char *colon = strchr(text, ':');

    if (strcmp(text, "no") == 0 || strcmp(text, "yes") == 0) {
        *out_mode = g_strdup(*text == 'n' ? "none" : "known_hosts");
        return true;
    }
    if (!colon) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "host_key_check is yes, no, md5:HASH, sha1:HASH or sha256:HASH, not '%s'.",
                    text);
        return false;
    }
    *out_mode = g_strdup("hash");
    *out_type = g_strndup(text, (size_t)(colon - text));
    *out_hash = g_strdup(colon + 1);
    return true;
}

static bool
take_old_names(Ssh *ssh, GError **error)
{
    ssh->host = ssh->host ? ssh->host : g_steal_pointer(&ssh->old_host);
    ssh->port = ssh->port ? ssh->port : g_steal_pointer(&ssh->old_port);
    return !ssh->old_check || ssh->check_mode ||
           split_check(ssh->old_check, &ssh->check_mode, &ssh->check_type, &ssh->check_hash, error);
}

/* Takes the options, and the library. */
static bool
prepare(BlkNode *node, GError **error)
{
    Ssh *ssh = node->state;

    if (!take_old_names(ssh, error)) {
        return false;
    }
    if (!ssh->host || !ssh->path) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "ssh needs server.host= and path=.");
        return false;
    }
    g_free(node->filename);
    node->filename =
        g_strdup_printf("ssh://%s%s%s%s%s%s", ssh->user ? ssh->user : "", ssh->user ? "@" : "",
                        ssh->host, ssh->port ? ":" : "", ssh->port ? ssh->port : "", ssh->path);
    return ssh->lib.handle || ssh_library_load(&ssh->lib, error);
}

/* Whether RET is success; FAILED is what could not be done. */
static bool
check(const BlkNode *node, const SshJob *job, int ret, const char *failed, GError **error)
{
    if (ret < 0) {
        g_set_error(error, VIT_ERROR,
                    ret == -ENOENT   ? VIT_ERROR_NOT_FOUND
                    : ret == -EACCES ? VIT_ERROR_PERMISSION
                                     : VIT_ERROR_IO,
                    "'%s' cannot be %s: %s.", node->filename, failed,
                    job->message ? job->message : g_strerror(-ret));
    }
    g_free(job->message);
    return ret == 0;
}

static void
ssh_leave(BlkNode *node)
{
    SshJob job = { 0 };

    run(node, &job, run_close);
}

static bool
ssh_node_open(BlkNode *node, GError **error)
{
    SshJob job = { .writable = !node->read_only };
    int ret;

    if (!prepare(node, error)) {
        return false;
    }
    ret = run(node, &job, run_open);
    if (ret == -EACCES && !node->read_only && node->auto_read_only) {
        node->read_only = true;
        ssh_leave(node);
        job.writable = false;
        ret = run(node, &job, run_open);
    }
    return check(node, &job, ret, "opened", error);
}

static void
ssh_node_close(BlkNode *node)
{
    ssh_leave(node);
    ssh_library_unload(&((Ssh *)node->state)->lib);
}

/* ---- new files, other lengths ---- */

static bool
check_preallocation(const BlkNode *node, BlkPreallocation prealloc, GError **error)
{
    if (prealloc != BLK_PREALLOC_OFF) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': SFTP cannot allocate space ahead; use preallocation=off.",
                    node->filename);
    }
    return prealloc == BLK_PREALLOC_OFF;
}

static bool
ssh_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    SshJob job = { .len = len };

    return check_preallocation(node, prealloc, error) &&
           check(node, &job, run(node, &job, run_truncate), "resized", error);
}

static bool
ssh_make_file(BlkNode *node, const BlkNewFile *wish, bool *out_is_new, GError **error)
{
    SshJob job = { .len = wish->len };
    int ret;

    if (!prepare(node, error) || !check_preallocation(node, wish->prealloc, error)) {
        return false;
    }
    ret = run(node, &job, run_make);
    *out_is_new = job.is_new;
    if (ret == -ENOENT) {
        job.message = g_strdup("the folder it is to lie in does not exist there");
    }
    ssh_leave(node);
    return check(node, &job, ret, "made", error);
}

static void
ssh_remove_file(BlkNode *node)
{
    SshJob job = { 0 };

    if (prepare(node, NULL)) {
        run(node, &job, run_remove);
        g_free(job.message);
        ssh_leave(node);
    }
}

/* ---- names ---- */

static bool
take_check(const char *text, BlkOptions *options, GError **error)
{
    g_autofree char *mode = NULL, *type = NULL, *hash = NULL;

    if (!split_check(text, &mode, &type, &hash, error)) {
        return false;
    }
    blk_options_set(options, "host-key-check.mode", mode);
    if (hash) {
        blk_options_set(options, "host-key-check.type", type);
        blk_options_set(options, "host-key-check.hash", hash);
    }
    return true;
}

static bool
ssh_parse_filename(const char *filename, BlkOptions *options, GError **error)
{
    g_autoptr(GUri) uri = g_uri_parse(filename, G_URI_FLAGS_HAS_PASSWORD, error);
    g_autoptr(GHashTable) query = NULL;
    const char *check;

    if (!uri) {
        g_prefix_error(error, "'%s': ", filename);
        return false;
    }
    if (!g_uri_get_host(uri) || !*g_uri_get_host(uri) || !*g_uri_get_path(uri)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' names no file: write ssh://[USER@]HOST[:PORT]/PATH.", filename);
        return false;
    }
    blk_options_set(options, "server.host", g_uri_get_host(uri));
    blk_options_set(options, "path", g_uri_get_path(uri));
    if (g_uri_get_port(uri) > 0) {
        g_autofree char *port = g_strdup_printf("%d", g_uri_get_port(uri));
        blk_options_set(options, "server.port", port);
    }
    if (g_uri_get_user(uri)) {
        blk_options_set(options, "user", g_uri_get_user(uri));
    }
    query = g_uri_get_query(uri)
                ? g_uri_parse_params(g_uri_get_query(uri), -1, "&", G_URI_PARAMS_NONE, NULL)
                : NULL;
    check = query ? g_hash_table_lookup(query, "host_key_check") : NULL;
    return !check || take_check(check, options, error);
}

static const VitProp options[] = {
    VIT_PROP_STRING(Ssh, host, "server.host", NULL, VIT_N_("Host")),
    VIT_PROP_STRING(Ssh, port, "server.port", NULL, VIT_N_("Its port, 22 if not given")),
    VIT_PROP_STRING(Ssh, old_host, "host", NULL, VIT_N_("Host")),
    VIT_PROP_STRING(Ssh, old_port, "port", NULL, VIT_N_("Its port, 22 if not given")),
    VIT_PROP_STRING(Ssh, path, "path", NULL, VIT_N_("Path of the image there")),
    VIT_PROP_STRING(Ssh, user, "user", NULL, VIT_N_("User there")),
    VIT_PROP_STRING(Ssh, check_mode, "host-key-check.mode", NULL,
                    VIT_N_("known_hosts, hash or none")),
    VIT_PROP_STRING(Ssh, check_type, "host-key-check.type", NULL, VIT_N_("md5, sha1 or sha256")),
    VIT_PROP_STRING(Ssh, check_hash, "host-key-check.hash", NULL, VIT_N_("Hash of the key")),
    VIT_PROP_STRING(Ssh, old_check, "host_key_check", NULL,
                    VIT_N_("yes, no, or md5, sha1 or sha256 with a hash")),
    { 0 },
};

static const char *const schemes[] = { "ssh", NULL };

const BlkDriver blk_ssh_driver = {
    .name = "ssh",
    .title = VIT_N_("File of another host by SSH"),
    .role = BLK_ROLE_PROTOCOL,
    .state_size = sizeof(Ssh),
    .options = options,
    .schemes = schemes,
    .parse_filename = ssh_parse_filename,
    .open = ssh_node_open,
    .close = ssh_node_close,
    .read = ssh_node_read,
    .write = ssh_node_write,
    .flush = ssh_node_flush,
    .truncate = ssh_truncate,
    .get_len = ssh_get_len,
    .make_file = ssh_make_file,
    .remove_file = ssh_remove_file,
};
