/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* -object and the properties of every creatable type. Thread: any; const data. */

#include "options-schema.h"

static const VitOptionKey k_object[] = {
    K_STRING("qom-type", NULL, "Type", .flags = VIT_OPT_REQUIRED | VIT_OPT_HELP),
    K_NEW_ID("id", NULL,
             "Name of the object, its place under /objects and the value other options refer to; "
             "applies to every type",
             .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionValue v_host_numa_policy[] = {
    { .name = "default", .help = VIT_N_("Host default") },
    { .name = "preferred", .help = VIT_N_("Prefer the given nodes") },
    { .name = "bind", .help = VIT_N_("Only the given nodes") },
    { .name = "interleave", .help = VIT_N_("Spread over the given nodes") },
    { 0 },
};

/* Where host memory comes from; what the three kinds have in common. */
#define MEMORY_KEYS(kind, share, share_help)                                               \
    K_SIZE("size", NULL, "Region size, suffixes allowed", .flags = VIT_OPT_REQUIRED,       \
           .mission = "object.memory-backend-" kind ".id"),                                \
        K_BOOL("merge", "on", "Offer pages to kernel same-page merging"),                  \
        K_BOOL("dump", "on", "Include in core dumps"), K_BOOL("share", share, share_help), \
        K_BOOL("prealloc", "off", "Allocate everything at start"),                         \
        K_STRING("host-nodes", NULL, "Host NUMA nodes bound to the memory"),               \
        K_ENUM("policy", v_host_numa_policy, "default", "Host NUMA policy"),               \
        K_INT("prealloc-threads", "1", "Threads that allocate", .min = 1, .max = 1024,     \
              .mission = "x.object.memory-backend.reserve"),                               \
        K_BOOL("reserve", "on", "Reserve swap space"),                                     \
        K_ID("prealloc-context", "object", NULL, "Thread context of those threads"),       \
        K_BOOL("x-use-canonical-path-for-ramblock-id", "on",                               \
               "Names of RAM blocks as newer boards use them",                             \
               .mission = "machine.memory-backend.x-use-canonical-path")

static const VitOptionKey k_object_memory_backend_ram[] = {
    MEMORY_KEYS("ram", "off", "Shared mapping"),
    { 0 },
};

static const VitOptionKey k_object_memory_backend_file[] = {
    MEMORY_KEYS(
        "file", "off",
        "Shared mapping so that other processes can join; needed by vhost-user and pvrdma; may "
        "limit NUMA binding"),
    K_PATH("mem-path", VIT_PATH_WRITE, NULL, "File, or hugetlbfs/shared memory directory",
           .flags = VIT_OPT_REQUIRED),
    K_BOOL("discard-data", "off",
           "File content may be thrown away at exit; not guaranteed after a kill"),
    K_SIZE("align", NULL, "Address alignment of the mapping, e.g. 2M for device DAX"),
    K_BOOL("pmem", "off",
           "File is on persistent memory: writes made by the program are made durable and MAP_SYNC "
           "is used; needs a DAX file system and kernel 4.15"),
    K_BOOL("readonly", "off", "Open the file read-only"),
    K_SIZE("offset", "0", "Start within the file"),
    { 0 },
};

static const VitOptionKey k_object_memory_backend_memfd[] = {
    MEMORY_KEYS("memfd", "on", "Shared mapping, on by default for this type"),
    K_BOOL("seal", "on", "Seal against later resizing"),
    K_BOOL("hugetlb", "off", "Huge pages (kernel 4.14; together with seal 4.16)"),
    K_SIZE("hugetlbsize", NULL, "Huge page size, a supported power of two"),
    { 0 },
};

static const VitOptionKey k_object_iothread[] = {
    K_INT("poll-max-ns", "32768", "Longest busy-wait; 0 disables polling",
          .max = 9223372036854775807, .unit = "ns", .change = VIT_CHANGE_HOT,
          .mission = "object.iothread.qom-set"),
    K_INT("poll-grow", "0", "Factor for lengthening the wait", .max = 2147483647,
          .change = VIT_CHANGE_HOT),
    K_INT("poll-shrink", "0", "Divisor for shortening the wait", .max = 2147483647,
          .change = VIT_CHANGE_HOT),
    K_INT("aio-max-batch", "0", "Most requests per AIO batch", .max = 2147483647,
          .change = VIT_CHANGE_HOT),
    K_INT("thread-pool-min", "0", "Least worker threads", .max = 65535),
    K_INT("thread-pool-max", "64", "Most worker threads", .max = 65535),
    { 0 },
};

static const VitOptionKey k_object_main_loop[] = {
    K_INT("aio-max-batch", "0", "Most requests per AIO batch", .max = 2147483647),
    K_INT("thread-pool-min", "0", "Least worker threads", .max = 65535),
    K_INT("thread-pool-max", "64", "Most worker threads", .max = 65535),
    { 0 },
};

static const VitOptionValue v_object_secret_format[] = {
    { .name = "raw", .help = VIT_N_("As is") },
    { .name = "base64", .help = VIT_N_("Base64 text") },
    { 0 },
};

static const VitOptionKey k_object_secret[] = {
    K_STRING("data", NULL, "Secret inline; visible in process lists, so safe only when encrypted",
             .flags = VIT_OPT_SECRET),
    K_PATH("file", VIT_PATH_READ, NULL, "Secret in a file"),
    K_ENUM("format", v_object_secret_format, "raw",
           "Encoding of the given data; raw must be valid UTF-8 when used in JSON; converted as "
           "the user needs it"),
    K_ID("keyid", "object", NULL, "Secret with the 32-byte AES-256-CBC master key (base64)"),
    K_STRING("iv", NULL, "Base64 of the 16-byte initialisation vector"),
    { 0 },
};

static const VitOptionKey k_object_secret_keyring[] = {
    K_INT("serial", NULL, "Key in the kernel keyring", .flags = VIT_OPT_REQUIRED),
    K_ENUM("format", v_object_secret_format, "raw", "Encoding"),
    K_ID("keyid", "object", NULL, "Secret with the master key"),
    K_STRING("iv", NULL, "Initialisation vector"),
    { 0 },
};

static const VitOptionKey k_object_rng_random[] = {
    K_PATH("filename", VIT_PATH_DEVICE, "/dev/urandom", "Source file"),
    { 0 },
};

static const VitOptionKey k_object_rng_egd[] = {
    K_ID("chardev", "chardev", NULL, "Connection to the daemon", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionValue v_object_tls_creds_anon_endpoint[] = {
    { .name = "server", .help = VIT_N_("The listening side") },
    { .name = "client", .help = VIT_N_("The connecting side") },
    { 0 },
};

static const VitOptionKey k_object_tls_creds_anon[] = {
    K_ENUM("endpoint", v_object_tls_creds_anon_endpoint, "client",
           "Role of the connection side using it"),
    K_PATH("dir", VIT_PATH_FOLDER, NULL, "Directory with an optional dh-params.pem"),
    K_BOOL("verify-peer", "on", "Check the peer; has no effect for anonymous credentials"),
    K_STRING("priority", NULL, "GnuTLS priority", .mission = "x.object.tls-creds.priority"),
    { 0 },
};

static const VitOptionKey k_object_tls_creds_psk[] = {
    K_ENUM("endpoint", v_object_tls_creds_anon_endpoint, "client", "Role"),
    K_PATH("dir", VIT_PATH_FOLDER, NULL, "Directory with keys.psk, and dh-params.pem for servers",
           .flags = VIT_OPT_REQUIRED, .mission = "object.tls-creds-psk.keys.psk"),
    K_STRING("username", "qemu", "Client only: user name sent"),
    K_STRING("priority", NULL, "GnuTLS priority"),
    K_BOOL("verify-peer", "on", "No effect for pre-shared keys"),
    { 0 },
};

static const VitOptionKey k_object_tls_creds_x509[] = {
    K_ENUM("endpoint", v_object_tls_creds_anon_endpoint, "client", "Role"),
    K_PATH("dir", VIT_PATH_FOLDER, NULL, "Directory with PEM files under fixed names",
           .flags = VIT_OPT_REQUIRED,
           .mission =
               "object.tls-creds-x509.file.ca-cert object.tls-creds-x509.file.ca-crl "
               "object.tls-creds-x509.file.server-cert object.tls-creds-x509.file.server-key "
               "object.tls-creds-x509.file.client-cert object.tls-creds-x509.file.client-key"),
    K_BOOL("verify-peer", "on",
           "Check the peer certificate; a server then demands a client certificate"),
    K_ID("passwordid", "object", NULL, "Secret object that decrypts the private key"),
    K_STRING("priority", NULL,
             "GnuTLS priority string, weaker or stronger than the system default"),
    K_BOOL("sanity-check", "on", "Check the certificates when they are loaded"),
    { 0 },
};

static const VitOptionKey k_object_tls_cipher_suites[] = {
    K_STRING("priority", NULL, "GnuTLS priority string; @SYSTEM follows the host policy"),
    { 0 },
};

static const VitOptionValue v_object_filter_buffer_queue[] = {
    { .name = "all", .help = VIT_N_("Both directions") },
    { .name = "rx", .help = VIT_N_("Packets sent to the backend") },
    { .name = "tx", .help = VIT_N_("Packets sent by the backend") },
    { 0 },
};

static const VitOptionValue v_object_filter_buffer_insert[] = {
    { .name = "behind", .help = VIT_N_("After the filter named by position") },
    { .name = "before", .help = VIT_N_("Before the filter named by position") },
    { 0 },
};

static const VitOptionKey k_object_filter_buffer[] = {
    K_ID("netdev", "netdev", NULL, "Backend the filter is attached to (all filter types)",
         .flags = VIT_OPT_REQUIRED, .mission = "=object.filter.netdev"),
    K_ENUM("queue", v_object_filter_buffer_queue, "all", "Direction filtered (any filter)",
           .mission = "=object.filter.queue"),
    K_BOOL("status", "on", "Whether the filter is active", .mission = "=object.filter.status"),
    K_STRING("position", "tail", "Place in the filter chain (any filter)",
             .mission = "=object.filter.position object.filter.position.head "
                        "object.filter.position.tail object.filter.position.id"),
    K_ENUM("insert", v_object_filter_buffer_insert, "behind",
           "Side of the filter named by position", .mission = "=object.filter.insert"),
    K_INT("interval", NULL, "Batch period in microseconds", .flags = VIT_OPT_REQUIRED, .min = 1,
          .max = 4294967295, .unit = "µs"),
    { 0 },
};

static const VitOptionKey k_object_filter_mirror[] = {
    K_ID("netdev", "netdev", NULL, "Backend the filter is attached to (all filter types)",
         .flags = VIT_OPT_REQUIRED, .mission = "=object.filter.netdev"),
    K_ENUM("queue", v_object_filter_buffer_queue, "all", "Direction filtered (any filter)",
           .mission = "=object.filter.queue"),
    K_BOOL("status", "on", "Whether the filter is active", .mission = "=object.filter.status"),
    K_STRING("position", "tail", "Place in the filter chain (any filter)",
             .mission = "=object.filter.position object.filter.position.head "
                        "object.filter.position.tail object.filter.position.id"),
    K_ENUM("insert", v_object_filter_buffer_insert, "behind",
           "Side of the filter named by position", .mission = "=object.filter.insert"),
    K_ID("outdev", "chardev", NULL, "Destination", .flags = VIT_OPT_REQUIRED),
    K_ID("out_dev", "chardev", NULL, "Same as outdev"),
    K_BOOL(
        "vnet_hdr_support", "off",
        "Packets carry their virtio net header length (mirror, redirector, rewriter, colo-compare)",
        .mission = "=object.filter.vnet_hdr_support"),
    { 0 },
};

static const VitOptionKey k_object_filter_redirector[] = {
    K_ID("netdev", "netdev", NULL, "Backend the filter is attached to (all filter types)",
         .flags = VIT_OPT_REQUIRED, .mission = "=object.filter.netdev"),
    K_ENUM("queue", v_object_filter_buffer_queue, "all", "Direction filtered (any filter)",
           .mission = "=object.filter.queue"),
    K_BOOL("status", "on", "Whether the filter is active", .mission = "=object.filter.status"),
    K_STRING("position", "tail", "Place in the filter chain (any filter)",
             .mission = "=object.filter.position object.filter.position.head "
                        "object.filter.position.tail object.filter.position.id"),
    K_ENUM("insert", v_object_filter_buffer_insert, "behind",
           "Side of the filter named by position", .mission = "=object.filter.insert"),
    K_ID("indev", "chardev", NULL, "Source of injected packets"),
    K_ID("outdev", "chardev", NULL, "Destination of diverted packets"),
    K_BOOL(
        "vnet_hdr_support", "off",
        "Packets carry their virtio net header length (mirror, redirector, rewriter, colo-compare)",
        .mission = "=object.filter.vnet_hdr_support"),
    { 0 },
};

static const VitOptionKey k_object_filter_rewriter[] = {
    K_ID("netdev", "netdev", NULL, "Backend the filter is attached to (all filter types)",
         .flags = VIT_OPT_REQUIRED, .mission = "=object.filter.netdev"),
    K_ENUM("queue", v_object_filter_buffer_queue, "all", "Direction filtered (any filter)",
           .mission = "=object.filter.queue"),
    K_BOOL("status", "on", "Whether the filter is active", .mission = "=object.filter.status"),
    K_STRING("position", "tail", "Place in the filter chain (any filter)",
             .mission = "=object.filter.position object.filter.position.head "
                        "object.filter.position.tail object.filter.position.id"),
    K_ENUM("insert", v_object_filter_buffer_insert, "behind",
           "Side of the filter named by position", .mission = "=object.filter.insert"),
    K_BOOL(
        "vnet_hdr_support", "off",
        "Packets carry their virtio net header length (mirror, redirector, rewriter, colo-compare)",
        .mission = "=object.filter.vnet_hdr_support"),
    { 0 },
};

static const VitOptionKey k_object_filter_dump[] = {
    K_ID("netdev", "netdev", NULL, "Backend the filter is attached to (all filter types)",
         .flags = VIT_OPT_REQUIRED, .mission = "=object.filter.netdev"),
    K_ENUM("queue", v_object_filter_buffer_queue, "all", "Direction filtered (any filter)",
           .mission = "=object.filter.queue"),
    K_BOOL("status", "on", "Whether the filter is active", .mission = "=object.filter.status"),
    K_STRING("position", "tail", "Place in the filter chain (any filter)",
             .mission = "=object.filter.position object.filter.position.head "
                        "object.filter.position.tail object.filter.position.id"),
    K_ENUM("insert", v_object_filter_buffer_insert, "behind",
           "Side of the filter named by position", .mission = "=object.filter.insert"),
    K_PATH("file", VIT_PATH_WRITE, NULL, "Output file", .flags = VIT_OPT_REQUIRED),
    K_SIZE("maxlen", "64K", "Bytes kept per packet"),
    { 0 },
};

static const VitOptionKey k_object_filter_replay[] = {
    K_ID("netdev", "netdev", NULL, "Backend the filter is attached to (all filter types)",
         .flags = VIT_OPT_REQUIRED, .mission = "=object.filter.netdev"),
    K_ENUM("queue", v_object_filter_buffer_queue, "all", "Direction filtered (any filter)",
           .mission = "=object.filter.queue"),
    K_BOOL("status", "on", "Whether the filter is active", .mission = "=object.filter.status"),
    K_STRING("position", "tail", "Place in the filter chain (any filter)",
             .mission = "=object.filter.position object.filter.position.head "
                        "object.filter.position.tail object.filter.position.id"),
    K_ENUM("insert", v_object_filter_buffer_insert, "behind",
           "Side of the filter named by position", .mission = "=object.filter.insert"),
    { 0 },
};

static const VitOptionKey k_object_colo_compare[] = {
    K_ID("primary_in", "chardev", NULL, "Packets of the primary", .flags = VIT_OPT_REQUIRED),
    K_ID("secondary_in", "chardev", NULL, "Packets of the secondary", .flags = VIT_OPT_REQUIRED),
    K_ID("outdev", "chardev", NULL, "Output to the network", .flags = VIT_OPT_REQUIRED),
    K_ID("iothread", "object", NULL, "Thread doing the comparison", .flags = VIT_OPT_REQUIRED),
    K_ID("notify_dev", "chardev", NULL, "Where Xen is told of a checkpoint",
         .status = VIT_STATUS_OTHER_HOST,
         .reason = VIT_N_("notify_dev serves COLO under Xen and needs a Xen host")),
    K_INT("compare_timeout", "3000", "Longest time a packet is held", .max = 4294967295,
          .unit = "ms"),
    K_INT("expired_scan_cycle", "3000", "Period of the scan for expired packets", .max = 4294967295,
          .unit = "ms"),
    K_INT("max_queue_size", "1024", "Largest comparison queue", .min = 1, .max = 4294967295),
    K_BOOL("vnet_hdr_support", "off", "Packets carry their virtio net header length"),
    { 0 },
};

static const VitOptionKey k_object_cryptodev_backend_builtin[] = {
    K_INT("queues", "1", "Number of queues", .min = 1, .max = 1024),
    { 0 },
};

static const VitOptionKey k_object_cryptodev_vhost_user[] = {
    K_ID("chardev", "chardev", NULL, "Unix socket chardev", .flags = VIT_OPT_REQUIRED),
    K_INT("queues", "1", "Number of queues", .min = 1, .max = 1024),
    { 0 },
};

static const VitOptionKey k_object_sev_guest[] = {
    K_INT("cbitpos", NULL, "Address bit marking encrypted pages, host dependent",
          .flags = VIT_OPT_REQUIRED, .max = 63),
    K_INT("reduced-phys-bits", NULL, "Address bits lost with encryption", .flags = VIT_OPT_REQUIRED,
          .min = 1, .max = 63),
    K_PATH("sev-device", VIT_PATH_DEVICE, "/dev/sev", "Firmware device"),
    K_INT("policy", "0", "Guest policy enforced by firmware for the guest's lifetime"),
    K_INT("handle", NULL, "Guest whose key is shared, if policy allows"),
    K_PATH("dh-cert-file", VIT_PATH_READ, NULL, "Owner's Diffie-Hellman certificate, base64"),
    K_PATH("session-file", VIT_PATH_READ, NULL, "Owner's session parameters, base64"),
    K_BOOL("kernel-hashes", "off",
           "Puts hashes of kernel, initrd and command line in a firmware page for measured boot"),
    { 0 },
};

static const VitOptionKey k_object_authz_simple[] = {
    K_STRING("identity", NULL, "User name or x509 name, commas doubled", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionKey k_object_authz_list_file[] = {
    K_PATH("filename", VIT_PATH_READ, NULL,
           "File with rules (match, policy allow/deny, format exact/glob) and a default policy; "
           "first match decides",
           .flags = VIT_OPT_REQUIRED),
    K_BOOL("refresh", "on", "Reload when the file changes"),
    { 0 },
};

static const VitOptionValue v_object_authz_list_policy[] = {
    { .name = "deny", .help = VIT_N_("Deny what no rule names") },
    { .name = "allow", .help = VIT_N_("Allow what no rule names") },
    { 0 },
};

static const VitOptionKey k_object_authz_list[] = {
    K_ENUM("policy", v_object_authz_list_policy, "deny", "Result when no rule fits"),
    { 0 },
};

static const VitOptionKey k_object_authz_pam[] = {
    K_STRING("service", NULL, "PAM service, needs its file in the PAM configuration directory",
             .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionKey k_object_throttle_group[] = {
    K_STRING("limits", NULL, "Limits of the group", .flags = VIT_OPT_DOTTED),
    K_SIZE("x-bps-total", "0", "Limit in bytes per second (total)"),
    K_SIZE("x-bps-read", "0", "Limit in bytes per second (read)"),
    K_SIZE("x-bps-write", "0", "Limit in bytes per second (write)"),
    K_INT("x-iops-total", "0", "Limit in requests per second (total)", .max = 1000000000000000),
    K_INT("x-iops-read", "0", "Limit in requests per second (read)", .max = 1000000000000000),
    K_INT("x-iops-write", "0", "Limit in requests per second (write)", .max = 1000000000000000),
    { 0 },
};

static const VitOptionKey k_object_input_linux[] = {
    K_PATH("evdev", VIT_PATH_DEVICE, NULL, "Input device", .flags = VIT_OPT_REQUIRED),
    K_BOOL("grab_all", "off", "Grab every input device together"),
    K_BOOL("repeat", "off", "Pass auto repeat"),
    K_STRING("grab-toggle", NULL, "Keys that toggle the grab"),
    { 0 },
};

static const VitOptionKey k_object_input_barrier[] = {
    K_STRING("name", NULL, "Screen name"),  K_ADDRESS("server", NULL, "Server"),
    K_STRING("port", NULL, "Port"),         K_STRING("x-origin", NULL, "Left edge"),
    K_STRING("y-origin", NULL, "Top edge"), K_STRING("width", NULL, "Width"),
    K_STRING("height", NULL, "Height"),     { 0 },
};

static const VitOptionKey k_object_can_host_socketcan[] = {
    K_STRING("if", NULL, "Host interface", .flags = VIT_OPT_REQUIRED),
    K_ID("canbus", "object", NULL, "CAN bus", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionKey k_object_dbus_vmstate[] = {
    K_STRING("addr", NULL, "Bus address"),
    K_STRING("id-list", NULL, "Helpers whose state is saved"),
    { 0 },
};

static const VitOptionKey k_object_thread_context[] = {
    K_STRING("cpu-affinity", NULL, "Host CPUs"),
    K_STRING("node-affinity", NULL, "Host NUMA nodes"),
    { 0 },
};

static const VitOptionKey k_object_pr_manager_helper[] = {
    K_PATH("path", VIT_PATH_SOCKET, NULL, "Socket of the helper", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionKey k_object_qtest[] = {
    K_ID("chardev", "chardev", NULL, "Host side"),
    K_STRING("log", NULL, "Log file"),
    { 0 },
};

static const VitOptionVariant vr_object[] = {
    { .name = "memory-backend-ram",
      .help = VIT_N_("Anonymous guest RAM with more control than -m"),
      .keys = k_object_memory_backend_ram,
      .status = VIT_STATUS_NOT_YET },
    { .name = "memory-backend-file",
      .help = VIT_N_("Guest RAM backed by a file, hugetlbfs or device DAX"),
      .keys = k_object_memory_backend_file,
      .status = VIT_STATUS_NOT_YET },
    { .name = "memory-backend-memfd",
      .help = VIT_N_("Anonymous shareable memory by memfd, Linux only"),
      .keys = k_object_memory_backend_memfd,
      .status = VIT_STATUS_NOT_YET },
    { .name = "iothread",
      .help = VIT_N_("Event loop thread to which devices with an iothread property move their I/O; "
                     "listed by query-iothreads with thread ids"),
      .keys = k_object_iothread },
    { .name = "secret",
      .help = VIT_N_("Password, key or similar secret for other options"),
      .keys = k_object_secret },
    { .name = "secret_keyring",
      .help = VIT_N_("Secret from the kernel keyring"),
      .keys = k_object_secret_keyring,
      .mission = "x.object.secret_keyring" },
    { .name = "rng-builtin", .help = VIT_N_("Entropy from an internal generator") },
    { .name = "rng-random",
      .help = VIT_N_("Entropy from a host device"),
      .keys = k_object_rng_random },
    { .name = "rng-egd",
      .help = VIT_N_("Entropy from an EGD daemon"),
      .keys = k_object_rng_egd,
      .status = VIT_STATUS_NOT_YET },
    { .name = "tls-creds-anon",
      .help = VIT_N_("Anonymous TLS credentials"),
      .keys = k_object_tls_creds_anon,
      .mission = "object.tls-creds.dh-params" },
    { .name = "tls-creds-psk",
      .help = VIT_N_("Pre-shared key TLS credentials"),
      .keys = k_object_tls_creds_psk },
    { .name = "tls-creds-x509",
      .help = VIT_N_("Certificate based TLS credentials"),
      .keys = k_object_tls_creds_x509 },
    { .name = "tls-cipher-suites",
      .help = VIT_N_("Ordered cipher list passed to guest firmware through fw_cfg gen_id, as an "
                     "array of IANA ids, e.g. for HTTPS boot"),
      .keys = k_object_tls_cipher_suites,
      .status = VIT_STATUS_NOT_YET },
    { .name = "filter-buffer",
      .help = VIT_N_("Holds packets of a backend and releases them in batches"),
      .keys = k_object_filter_buffer,
      .status = VIT_STATUS_NOT_YET },
    { .name = "filter-mirror",
      .help = VIT_N_("Copies packets to a chardev"),
      .keys = k_object_filter_mirror,
      .status = VIT_STATUS_NOT_YET },
    { .name = "filter-redirector",
      .help = VIT_N_("Diverts packets to one chardev and injects packets from another; at least "
                     "one, and they must differ"),
      .keys = k_object_filter_redirector,
      .status = VIT_STATUS_NOT_YET },
    { .name = "filter-rewriter",
      .help = VIT_N_("COLO secondary side: adjusts TCP numbers so that connections survive between "
                     "primary and secondary"),
      .keys = k_object_filter_rewriter,
      .status = VIT_STATUS_NOT_YET },
    { .name = "filter-dump",
      .help = VIT_N_("Writes traffic to a libpcap file readable by tcpdump and Wireshark"),
      .keys = k_object_filter_dump,
      .status = VIT_STATUS_NOT_YET },
    { .name = "filter-replay",
      .help = VIT_N_("Network record and replay filter"),
      .keys = k_object_filter_replay,
      .mission = "x.object.filter-replay",
      .status = VIT_STATUS_NOT_YET },
    { .name = "colo-compare",
      .help = VIT_N_("COLO packet comparison: equal packets go out, a difference triggers a "
                     "checkpoint; used with mirror, redirector and rewriter"),
      .keys = k_object_colo_compare,
      .status = VIT_STATUS_NOT_YET },
    { .name = "cryptodev-backend-builtin",
      .help = VIT_N_("Crypto back end done by the program's own cipher code, for virtio-crypto"),
      .keys = k_object_cryptodev_backend_builtin,
      .status = VIT_STATUS_NOT_YET },
    { .name = "cryptodev-vhost-user",
      .help = VIT_N_("Crypto served by another process over vhost-user"),
      .keys = k_object_cryptodev_vhost_user,
      .status = VIT_STATUS_NOT_YET },
    { .name = "cryptodev-backend",
      .help = VIT_N_("Base of the crypto backends"),
      .keys = k_object_cryptodev_backend_builtin,
      .status = VIT_STATUS_NOT_YET },
    { .name = "sev-guest",
      .help = VIT_N_("AMD SEV guest memory encryption"),
      .keys = k_object_sev_guest,
      .status = VIT_STATUS_NOT_YET },
    { .name = "authz-simple",
      .help = VIT_N_("Authorises exactly one identity"),
      .keys = k_object_authz_simple },
    { .name = "authz-list-file",
      .help = VIT_N_("Authorises by the rules of a JSON file"),
      .keys = k_object_authz_list_file,
      .mission = "=object.authz-listfile object.authz-listfile.format.exact "
                 "object.authz-listfile.format.glob object.authz-listfile.policy" },
    { .name = "authz-listfile",
      .help = VIT_N_("Same as authz-list-file"),
      .keys = k_object_authz_list_file,
      .flags = VIT_OPT_DEPRECATED },
    { .name = "authz-list",
      .help = VIT_N_("In-memory rule list; type of the vnc.username and vnc.x509dname objects"),
      .keys = k_object_authz_list,
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET },
    { .name = "authz-pam",
      .help = VIT_N_("Authorises through the account stage of a PAM service"),
      .keys = k_object_authz_pam,
      .status = VIT_STATUS_NOT_YET },
    { .name = "throttle-group",
      .help = VIT_N_("Throttle group for the throttle block driver"),
      .keys = k_object_throttle_group,
      .flags = VIT_OPT_OPEN,
      .mission = "x.object.throttle-group" },
    { .name = "input-linux",
      .help = VIT_N_("Host evdev input passed to the guest"),
      .keys = k_object_input_linux,
      .mission = "x.object.input-linux",
      .status = VIT_STATUS_NOT_YET },
    { .name = "input-barrier",
      .help = VIT_N_("Input from a Barrier server"),
      .keys = k_object_input_barrier,
      .mission = "x.object.input-barrier",
      .status = VIT_STATUS_NOT_YET },
    { .name = "can-bus",
      .help = VIT_N_("CAN bus"),
      .mission = "x.object.can-bus",
      .status = VIT_STATUS_NOT_YET },
    { .name = "can-host-socketcan",
      .help = VIT_N_("Connects a CAN bus to the host"),
      .keys = k_object_can_host_socketcan,
      .status = VIT_STATUS_NOT_YET },
    { .name = "dbus-vmstate",
      .help = VIT_N_("Saves the state of D-Bus helpers"),
      .keys = k_object_dbus_vmstate,
      .status = VIT_STATUS_NOT_YET },
    { .name = "main-loop",
      .help = VIT_N_("Settings of the main loop"),
      .keys = k_object_main_loop },
    { .name = "thread-context",
      .help = VIT_N_("Where threads run"),
      .keys = k_object_thread_context,
      .status = VIT_STATUS_NOT_YET },
    { .name = "pr-manager-helper",
      .help = VIT_N_("Persistent reservations through a helper"),
      .keys = k_object_pr_manager_helper,
      .status = VIT_STATUS_NOT_YET },
    { .name = "qtest",
      .help = VIT_N_("Device test protocol"),
      .keys = k_object_qtest,
      .status = VIT_STATUS_NOT_YET },
    { .name = "x-remote-object",
      .help = VIT_N_("Device in another process"),
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET },
    { 0 },
};

static const VitOption options[] = {
    { .name = "object",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("TYPE,id=ID[,PROP=VALUE[,...]] | '{...}'"),
      .help = VIT_N_("Creates an object in the given order under /objects; the id is mandatory"),
      .section = VIT_N_("Objects"),
      .page = VIT_N_("Objects"),
      .implied = "qom-type",
      .id_key = "id",
      .keys = k_object,
      .variants = vr_object,
      .flags = VIT_OPT_HELP | VIT_OPT_JSON,
      .status = VIT_STATUS_AVAILABLE },
};

const VitOptionArea vit_options_object_area = { options, VIT_ARRAY_LEN(options) };
