/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A process of the host swaps a folder of the shared one for a link that leads out of it, as fast
 * as it can, while a guest reads, makes, moves and removes files in it. Whatever the guest meets,
 * its own or an error: nothing outside is read, made, changed or removed. With openat2 and without.
 */

#include "fs9p-client.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define INSIDE  "inside"
#define OUTSIDE "outside, and secret"

enum { ROUNDS = 1500, PATIENCE_US = 1500 * 1000 };

typedef struct Swap {
    Client *client;
    Fs9pModel model;
    bool steps; /* the kernel has no openat2 */
    char *outside;
    pid_t swapper;
    unsigned met, missed; /* requests that were served, and that were not */
    uint32_t seed;
} Swap;

/* ---- the two folders ---- */

/* What a guest's requests name is in both. */
static void
fill(const char *folder, const char *text, const char *only)
{
    static const char *const names[] = { "file", "victim", "moved", "sub/file" };
    g_autofree char *sub = g_build_filename(folder, "sub", NULL);

    g_assert_cmpint(g_mkdir_with_parents(sub, 0755), ==, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);
        g_assert_true(g_file_set_contents(path, text, -1, NULL));
    }
    g_autofree char *path = g_build_filename(folder, only, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void
append_state(GString *out, const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    g_autofree char *text = NULL;
    const char *name;
    struct stat st;

    g_assert_cmpint(lstat(path, &st), ==, 0);
    g_file_get_contents(path, &text, NULL, NULL);
    g_string_append_printf(out, "%s %o %u:%u %lu links, %ld bytes, %ld.%09ld %ld.%09ld %s\n", path,
                           st.st_mode, st.st_uid, st.st_gid, (unsigned long)st.st_nlink,
                           (long)st.st_size, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                           (long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec, text ? text : "");
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        append_state(out, child);
    }
}

/* Names, modes, times, contents: all that a request could have changed. Ownership: caller. */
static char *
dup_state(const char *folder)
{
    GString *out = g_string_new(NULL);

    append_state(out, folder);
    return g_string_free(out, FALSE);
}

/* ---- the other process ---- */

/* Some microseconds, each time others. Without it the two fall into step by the kernel's locks, and
 * one of them always meets the same. */
static void
dawdle(uint32_t *seed)
{
    *seed = *seed * 1103515245 + 12345;
    for (volatile unsigned left = *seed >> 16 & 0x3fff; left > 0; left--) {
    }
}

/* False where the file system cannot exchange names. */
static bool
start_swapper(Swap *swap)
{
    g_autofree char *work = client_path(swap->client, "work");
    g_autofree char *door = client_path(swap->client, "door");

    for (unsigned i = 0; i < 2; i++) {
        if (syscall(SYS_renameat2, AT_FDCWD, work, AT_FDCWD, door, RENAME_EXCHANGE) < 0) {
            return false;
        }
    }
    swap->swapper = fork();
    if (swap->swapper == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (uint32_t seed = 1;; dawdle(&seed)) {
            syscall(SYS_renameat2, AT_FDCWD, work, AT_FDCWD, door, RENAME_EXCHANGE);
        }
    }
    return true;
}

/* From now on openat2 is not there for this thread. */
static void
lose_openat2(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = { .len = G_N_ELEMENTS(code), .filter = code };

    g_assert_cmpint(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), ==, 0);
    g_assert_cmpint(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), ==, 0);
}

/* ---- what the guest does ---- */

static bool
count(Swap *swap, unsigned error)
{
    swap->met += error == 0;
    swap->missed += error != 0;
    dawdle(&swap->seed);
    return error == 0;
}

/* Fid 1 is the folder, as it was when it was looked for. */
static void
find_work(Swap *swap)
{
    g_assert_cmpuint(client_walk(swap->client, 0, 1, "work"), ==, 0);
    dawdle(&swap->seed);
}

static void
forget(Swap *swap, unsigned fid)
{
    g_assert_cmpuint(client_call(swap->client, FS9P_TCLUNK, "4", fid), ==, 0);
}

/* Reads the open FID, which must be of the shared folder. */
static void
check_text(Swap *swap, unsigned fid)
{
    Client *client = swap->client;
    size_t len;

    if (!count(swap, client_call(client, FS9P_TREAD, "484", fid, (uint64_t)0, 100u))) {
        return;
    }
    len = fs9p_get(&client->in, 4);
    g_assert_cmpmem(fs9p_get_bytes(&client->in, len), len, INSIDE, strlen(INSIDE));
}

static void
read_file(Swap *swap)
{
    Client *client = swap->client;

    find_work(swap);
    if (count(swap, client_walk(client, 1, 2, "file"))) {
        if (count(swap, client_call(client, FS9P_TLOPEN, "44", 2u, (unsigned)O_RDONLY))) {
            check_text(swap, 2);
        }
        forget(swap, 2);
    }
    forget(swap, 1);
    if (count(swap, client_call(client, FS9P_TWALK, "442sss", 0u, 2u, 3u, "work", "sub", "file"))) {
        /* fewer names than asked for make no fid */
        if (fs9p_get(&client->in, 2) == 3) {
            if (count(swap, client_call(client, FS9P_TGETATTR, "48", 2u, (uint64_t)0x7ff))) {
                fs9p_get_bytes(&client->in, 8 + 13 + 4 + 4 + 4 + 8 + 8);
                g_assert_cmpuint(fs9p_get(&client->in, 8), ==, strlen(INSIDE));
            }
            forget(swap, 2);
        }
    }
}

static void
list_folder(Swap *swap)
{
    Client *client = swap->client;

    find_work(swap);
    if (count(swap, client_call(client, FS9P_TLOPEN, "44", 1u, (unsigned)O_RDONLY)) &&
        count(swap, client_call(client, FS9P_TREADDIR, "484", 1u, (uint64_t)0, 8000u))) {
        size_t len = fs9p_get(&client->in, 4);
        const uint8_t *end = client->in.at + len;
        while (client->in.at < end) {
            fs9p_get_bytes(&client->in, 13 + 8 + 1);
            g_autofree char *name = fs9p_get_string(&client->in);
            g_assert_cmpstr(name, !=, "outside-only");
        }
    }
    forget(swap, 1);
}

static void
remove_name(Swap *swap, const char *name, unsigned flags)
{
    find_work(swap);
    count(swap, client_call(swap->client, FS9P_TUNLINKAT, "4s4", 1u, name, flags));
    forget(swap, 1);
}

static void
make_file(Swap *swap, const char *name)
{
    Client *client = swap->client;

    find_work(swap);
    if (count(swap, client_call(client, FS9P_TLCREATE, "4s444", 1u, name,
                                (unsigned)(O_RDWR | O_TRUNC), 0644u, 0u))) {
        for (unsigned i = 0; i < strlen(INSIDE); i++) {
            count(swap, client_call(client, FS9P_TWRITE, "4841", 1u, (uint64_t)i, 1u,
                                    (unsigned)INSIDE[i]));
        }
    }
    forget(swap, 1);
}

static void
make_names(Swap *swap)
{
    Client *client = swap->client;

    make_file(swap, "new");
    remove_name(swap, "new", 0);
    find_work(swap);
    count(swap, client_call(client, FS9P_TMKDIR, "4s44", 1u, "made", 0755u, 0u));
    count(swap, client_call(client, FS9P_TSYMLINK, "4ss4", 1u, "link", "file", 0u));
    count(swap, client_call(client, FS9P_TMKNOD, "4s4444", 1u, "node", (unsigned)(S_IFREG | 0644),
                            0u, 0u, 0u));
    forget(swap, 1);
    remove_name(swap, "made", AT_REMOVEDIR);
    remove_name(swap, "link", 0);
    remove_name(swap, "node", 0);
    remove_name(swap, "victim", 0);
    make_file(swap, "victim");
}

/* Out of the folder and back. */
static void
move_names(Swap *swap)
{
    Client *client = swap->client;

    find_work(swap);
    count(swap, client_call(client, FS9P_TRENAMEAT, "4s4s", 1u, "moved", 0u, "here"));
    if (count(swap, client_walk(client, 0, 2, "here"))) {
        if (count(swap, client_call(client, FS9P_TLOPEN, "44", 2u, (unsigned)O_RDONLY))) {
            check_text(swap, 2);
        }
        forget(swap, 2);
        count(swap, client_call(client, FS9P_TRENAMEAT, "4s4s", 0u, "here", 1u, "moved"));
    }
    if (count(swap, client_walk(client, 1, 2, "file"))) {
        count(swap, client_call(client, FS9P_TLINK, "44s", 0u, 2u, "twin"));
        forget(swap, 2);
        count(swap, client_call(client, FS9P_TUNLINKAT, "4s4", 0u, "twin", 0u));
    }
    forget(swap, 1);
}

static void
change_file(Swap *swap)
{
    Client *client = swap->client;

    find_work(swap);
    if (count(swap, client_walk(client, 1, 2, "file"))) {
        /* mode and size */
        count(swap, client_call(client, FS9P_TSETATTR, "4444488888", 2u, 9u, 0640u, 0u, 0u,
                                (uint64_t)strlen(INSIDE), (uint64_t)0, (uint64_t)0, (uint64_t)0,
                                (uint64_t)0));
        /* owner, as it is */
        count(swap, client_call(client, FS9P_TSETATTR, "4444488888", 2u, 6u, 0u, (unsigned)getuid(),
                                (unsigned)getgid(), (uint64_t)0, (uint64_t)0, (uint64_t)0,
                                (uint64_t)0, (uint64_t)0));
        forget(swap, 2);
    }
    if (count(swap, client_walk(client, 1, 2, "file"))) {
        if (count(swap, client_call(client, FS9P_TXATTRCREATE, "4s84", 2u, "user.swapped",
                                    (uint64_t)1, 0u))) {
            count(swap, client_call(client, FS9P_TWRITE, "4841", 2u, (uint64_t)0, 1u, 7u));
        }
        count(swap, client_call(client, FS9P_TCLUNK, "4", 2u));
    }
    forget(swap, 1);
}

/* ---- the whole ---- */

static gpointer
be_guest(gpointer data)
{
    static void (*const deeds[])(Swap * swap) = { read_file, list_folder, make_names, move_names,
                                                  change_file };
    unsigned met = 0, missed = 0;
    Swap *swap = data;

    if (swap->steps) {
        lose_openat2();
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(deeds); i++) {
        int64_t end_us = g_get_monotonic_time() + PATIENCE_US;
        unsigned rounds = 0;

        /* Until the folder was met both ways often enough, as far as a busy host lets them. */
        swap->met = swap->missed = 0;
        while (rounds < ROUNDS || swap->met < ROUNDS / 4 || swap->missed < ROUNDS / 4) {
            deeds[i](swap);
            if (++rounds % 64 == 0 && g_get_monotonic_time() > end_us) {
                break;
            }
        }
        g_test_message("%u rounds: %u served, %u not", rounds, swap->met, swap->missed);
        met += swap->met;
        missed += swap->missed;
    }
    g_assert_cmpuint(met, >, 0);
    g_assert_cmpuint(missed, >, 0);
    return NULL;
}

static void
test_swap(gconstpointer data)
{
    const Swap *kind = data;
    Swap swap = { .model = kind->model, .steps = kind->steps };

    swap.client = client_new(swap.model, false);
    swap.outside = g_dir_make_tmp("vitrine-outside-XXXXXX", NULL);
    g_autofree char *work = client_path(swap.client, "work");
    g_autofree char *door = client_path(swap.client, "door");
    fill(work, INSIDE, "inside-only");
    fill(swap.outside, OUTSIDE, "outside-only");
    g_assert_cmpint(symlink(swap.outside, door), ==, 0);
    g_autofree char *before = dup_state(swap.outside);
    if (start_swapper(&swap)) {
        g_thread_join(g_thread_new("guest", be_guest, &swap));
        kill(swap.swapper, SIGKILL);
        waitpid(swap.swapper, NULL, 0);
    } else {
        g_test_skip("the temporary folder's file system cannot exchange names");
    }
    g_autofree char *after = dup_state(swap.outside);
    g_assert_cmpstr(before, ==, after);
    client_free(swap.client);
    g_autofree char *line = g_strdup_printf("rm -r %s", swap.outside);
    g_assert_true(g_spawn_command_line_sync(line, NULL, NULL, NULL, NULL));
    g_free(swap.outside);
}

int
main(int argc, char **argv)
{
    static const Swap kinds[] = {
        { .model = FS9P_NONE },
        { .model = FS9P_NONE, .steps = true },
        { .model = FS9P_MAPPED_FILE },
        { .model = FS9P_MAPPED_FILE, .steps = true },
    };

    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/fs9p/swap/none", &kinds[0], test_swap);
    g_test_add_data_func("/fs9p/swap/none-steps", &kinds[1], test_swap);
    g_test_add_data_func("/fs9p/swap/mapped-file", &kinds[2], test_swap);
    g_test_add_data_func("/fs9p/swap/mapped-file-steps", &kinds[3], test_swap);
    return g_test_run();
}
