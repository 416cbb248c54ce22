/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The SMB server of the user network: a Samba daemon of the host, started for each connection of
 * the guest, with a configuration and state of its own in a private folder. smb.conf(5), smbd(8).
 * Thread: device lock held. */

#include "net-user.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "vit-error.h"

static char *
find_daemon(void)
{
    char *path = g_find_program_in_path("smbd");

    if (!path && g_file_test("/usr/sbin/smbd", G_FILE_TEST_IS_EXECUTABLE)) {
        path = g_strdup("/usr/sbin/smbd");
    }
    return path;
}

static bool
write_config(const NetUser *user, GError **error)
{
    const struct passwd *entry = getpwuid(geteuid());
    g_autofree char *path = g_build_filename(user->smb_dir, "smb.conf", NULL);
    g_autofree char *text =
        g_strdup_printf("[global]\n"
                        "private dir = %1$s\n"
                        "interfaces = 127.0.0.1\n"
                        "bind interfaces only = yes\n"
                        "pid directory = %1$s\n"
                        "lock directory = %1$s\n"
                        "state directory = %1$s\n"
                        "cache directory = %1$s\n"
                        "ncalrpc dir = %1$s/ncalrpc\n"
                        "log file = %1$s/log.smbd\n"
                        "smb passwd file = %1$s/smbpasswd\n"
                        "security = user\n"
                        "map to guest = Bad User\n"
                        "load printers = no\n"
                        "printing = bsd\n"
                        "disable spoolss = yes\n"
                        "usershare max shares = 0\n"
                        "[qemu]\n"
                        "path = %2$s\n"
                        "read only = no\n"
                        "guest ok = yes\n"
                        "force user = %3$s\n",
                        user->smb_dir, user->smb, entry ? entry->pw_name : "nobody");
    return g_file_set_contents(path, text, -1, error);
}

bool
net_user_start_smb(NetUser *user, GError **error)
{
    g_autofree char *daemon = find_daemon();
    struct in_addr server;

    if (!daemon) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "smb=%s needs the Samba daemon smbd, which is not installed; install the "
                    "package samba",
                    user->smb);
        return false;
    }
    if (!g_file_test(user->smb, G_FILE_TEST_IS_DIR) || strpbrk(user->smb, "\n\r")) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "smb=%s is not a folder", user->smb);
        return false;
    }
    server.s_addr = user->net_addr.s_addr | htonl(4);
    if (user->smbserver && inet_pton(AF_INET, user->smbserver, &server) != 1) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "smbserver=%s is not an IPv4 address", user->smbserver);
        return false;
    }
    user->smb_dir = g_dir_make_tmp("vitrine-smb.XXXXXX", error);
    if (!user->smb_dir || !write_config(user, error)) {
        return false;
    }
    g_autofree char *quoted = g_shell_quote(user->smb_dir);
    g_autofree char *command =
        g_strdup_printf("%1$s -l %2$s -s %2$s/smb.conf --no-process-group", daemon, quoted);
    if (slirp_add_exec(user->slirp, command, &server, 139) < 0 ||
        slirp_add_exec(user->slirp, command, &server, 445) < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "smbserver= must be an address of the guest network that nothing else uses");
        return false;
    }
    return true;
}

/* The private folder and everything in it. Links are removed, not followed. */
static void
remove_tree(const char *path)
{
    g_autoptr(GDir) dir =
        g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        remove_tree(child);
    }
    g_remove(path);
}

void
net_user_stop_smb(NetUser *user)
{
    if (user->smb_dir) {
        remove_tree(user->smb_dir);
        g_clear_pointer(&user->smb_dir, g_free);
    }
}
