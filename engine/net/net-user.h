/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Shared by the files of the user back end. Thread: device lock held. */

#include <libslirp.h>

#include "vit-net.h"

#include "net-frag.h"

typedef struct NetUser NetUser;
typedef struct NetUserForward NetUserForward; /* a guestfwd to a character device */

struct NetUser {
    VitNetdev netdev;
    /* properties */
    bool restricted;
    int32_t ipv4, ipv6; /* on, off, auto */
    char *net, *host, *hostname, *dhcpstart, *dns, *domainname;
    char *ipv6_net, *ipv6_prefix, *ipv6_host, *ipv6_dns;
    uint32_t ipv6_prefix_len;
    char *tftp, *tftp_server_name, *bootfile, *smb, *smbserver;
    GPtrArray *dnssearch, *hostfwd, *guestfwd; /* char *, in order; NULL when none was given */

    Slirp *slirp;
    NetFrag *frag;
    GSource *poll;
    GPtrArray *timers;   /* VitTimer wrapped, owned */
    GPtrArray *forwards; /* NetUserForward *, owned */
    struct in_addr net_addr, net_mask, host_addr, dhcp_addr, dns_addr;
    char *smb_dir; /* of the private Samba server; removed at close */
};

/* net-user-poll.c: descriptors of the stack in the machine's loop. */
GSource *net_user_poll_new(NetUser *user);
/* The set of descriptors may have changed: look again before sleeping on. Any thread. */
void net_user_poll_wake(GSource *poll);

/* net-user-forward.c */
bool net_user_add_hostfwd(NetUser *user, const char *rule, GError **error);
bool net_user_remove_hostfwd(NetUser *user, const char *rule, GError **error);
bool net_user_add_guestfwd(NetUser *user, const char *rule, GError **error);
void net_user_forward_free(NetUserForward *forward);
/* The guest took data: character devices may send on. */
void net_user_forward_kick(NetUser *user);

/* net-user-smb.c */
bool net_user_start_smb(NetUser *user, GError **error);
void net_user_stop_smb(NetUser *user);
