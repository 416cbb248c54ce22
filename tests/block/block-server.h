/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Servers of other makers for tests. Thread: the test's. */

#include "block-test.h"

enum { BLOCK_SERVER_LEN = 1 << 20 };

/* A port of 127.0.0.1 that nobody listens on. */
unsigned block_server_port(void);
void block_server_wait(unsigned port);
/* Starts PROGRAM of /usr/sbin or /usr/bin; false when it is not installed: the test lacks it. */
bool block_server_start(const char *program, const char *arguments, GPid *out_pid);
void block_server_stop(GPid pid);
/* Reads NODE, which has to hold block_test_image()'s bytes. */
void block_server_check(BlkNode *node);
/* Whether this build has the driver; if not, the test lacks it. */
bool block_server_has_driver(BlockTest *test, const char *name);
/* sshd on a free port, and an agent with the one key it takes. */
typedef struct BlockSsh {
    unsigned port;
    GPid pid, agent;
    char *key, *socket;
} BlockSsh;

/* Keys and logs go into the test's folder. SFTP is said to internal-sftp ("-R": read only). False
 * when something is not installed: the test lacks it. */
bool block_ssh_start(BlockSsh *ssh, BlockTest *test, const char *sftp);
/* From now on this program's sessions have the key; before that nobody is let in. */
bool block_ssh_log_in(BlockSsh *ssh);
void block_ssh_stop(BlockSsh *ssh);
/* PATH by that server. Ownership: caller. */
char *block_ssh_url(const BlockSsh *ssh, const char *path);
/* Runs a program to its end; whether it succeeded. */
bool block_server_run(const char *format, ...) G_GNUC_PRINTF(1, 2);
