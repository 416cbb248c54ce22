/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Socket addresses: names to addresses through getaddrinfo(3), Unix and abstract names (unix(7)),
 * and back to text. Thread: any; resolving may block. */

#include "char-address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "vit-error.h"
#include "vit-prop.h"

GArray *
char_address_resolve(const char *host, const char *port, int family, int socket_type, bool passive,
                     GError **error)
{
    struct addrinfo hints = { .ai_family = family,
                              .ai_socktype = socket_type,
                              .ai_flags = passive ? AI_PASSIVE : AI_ADDRCONFIG };
    struct addrinfo *list = NULL;
    const char *name = host && *host ? host : passive ? NULL : "localhost";
    int rc = getaddrinfo(name, port, &hints, &list);

    if (rc == EAI_ADDRFAMILY || (rc == EAI_NONAME && !passive)) {
        /* AI_ADDRCONFIG hides ::1 on a host without other IPv6 addresses. */
        hints.ai_flags &= ~AI_ADDRCONFIG;
        rc = getaddrinfo(name, port, &hints, &list);
    }
    if (rc != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "cannot find the address %s:%s: %s",
                    host ? host : "", port, gai_strerror(rc));
        return NULL;
    }
    GArray *addresses = g_array_new(FALSE, TRUE, sizeof(CharAddress));
    for (struct addrinfo *ai = list; ai; ai = ai->ai_next) {
        CharAddress address = { .len = ai->ai_addrlen };
        memcpy(&address.addr, ai->ai_addr, MIN(ai->ai_addrlen, sizeof(address.addr)));
        g_array_append_val(addresses, address);
    }
    freeaddrinfo(list);
    return addresses;
}

bool
char_address_unix(const char *path, bool is_abstract, bool tight, CharAddress *out, GError **error)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    size_t len = strlen(path);

    if (len + 1 > sizeof(un.sun_path)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "the socket path '%s' is too long: %zu bytes, at most %zu", path, len,
                    sizeof(un.sun_path) - 1);
        return false;
    }
    memcpy(un.sun_path + is_abstract, path, len);
    *out = (CharAddress){ .len = sizeof(un) };
    if (is_abstract && tight) {
        out->len = offsetof(struct sockaddr_un, sun_path) + 1 + len;
    }
    memcpy(&out->addr, &un, sizeof(un));
    return true;
}

bool
char_address_family(int ipv4, int ipv6, int *out_family, GError **error)
{
    if (ipv4 == VIT_OFF && ipv6 == VIT_OFF) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "ipv4=off and ipv6=off leave no address family");
        return false;
    }
    *out_family = AF_UNSPEC;
    if (ipv4 == VIT_OFF || (ipv6 == VIT_ON && ipv4 != VIT_ON)) {
        *out_family = AF_INET6;
    } else if (ipv6 == VIT_OFF || (ipv4 == VIT_ON && ipv6 != VIT_ON)) {
        *out_family = AF_INET;
    }
    return true;
}

char *
char_address_format(const CharAddress *address)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    const struct sockaddr *sa = (const struct sockaddr *)&address->addr;

    if (sa->sa_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)sa;
        size_t room = sizeof(un->sun_path);
        return un->sun_path[0] ? g_strndup(un->sun_path, room)
                               : g_strdup_printf("@%.*s", (int)room - 1, un->sun_path + 1);
    }
    if (getnameinfo(sa, address->len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return g_strdup("?");
    }
    return g_strdup_printf(sa->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}
