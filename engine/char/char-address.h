/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Socket addresses of back ends. Thread: any; resolving may block. */

#include <glib.h>
#include <stdbool.h>
#include <sys/socket.h>

typedef struct CharAddress {
    struct sockaddr_storage addr;
    socklen_t len;
} CharAddress;

/* All addresses of HOST:PORT, in the order to try. FAMILY AF_UNSPEC, AF_INET or AF_INET6; PASSIVE:
 * to listen at (an empty host is any address). Element type CharAddress. */
GArray *char_address_resolve(const char *host, const char *port, int family, int socket_type,
                             bool passive, GError **error);
/* A Unix socket's address. TIGHT: an abstract name ends with its text. */
bool char_address_unix(const char *path, bool is_abstract, bool tight, CharAddress *out,
                       GError **error);
/* From ipv4= and ipv6= as VIT_AUTO, VIT_ON, VIT_OFF. */
bool char_address_family(int ipv4, int ipv6, int *out_family, GError **error);
/* "127.0.0.1:4444", "[::1]:4444", or the path. Ownership: caller. */
char *char_address_format(const CharAddress *address);
