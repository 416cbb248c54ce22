/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A client of a 9P server that shows a temporary folder. Thread: any, one at a time. */

#include "fs9p-session.h"
#include "host-programs.h"

/* The model of -fsdev that a helper of the host's serves, which has no model. */
#define PROXY ((Fs9pModel)-1)

typedef struct Client {
    char *folder;
    GPid helper;
    Fs9pFs *fs;
    Fs9pServer *server;
    uint8_t request[70000], answer[70000];
    Fs9pWriter out;
    Fs9pReader in;
} Client;

/* With a folder of its own, attached as fid 0. Without fs: the model's helper cannot run here. */
Client *client_new(Fs9pModel model, bool is_readonly);
/* Removes the folder too. */
void client_free(Client *client);
/* Attaches to FS, which the client owns from now on. */
void client_start(Client *client, Fs9pFs *fs, Fs9pMultidevs multidevs);
/* Sends a message and reads the head of its answer: a digit of FORMAT is a number of that size, s a
 * string. Its error, or 0. */
unsigned client_call(Client *client, unsigned type, const char *format, ...);
/* TARGET is what FID has under NAME; "": FID itself. Its error, or 0. */
unsigned client_walk(Client *client, unsigned fid, unsigned target, const char *name);
/* Mode, owner and size of what FID is. */
struct stat client_attributes(Client *client, unsigned fid);
/* Ownership: caller. */
char *client_path(const Client *client, const char *name);
