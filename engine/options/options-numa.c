/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The forms of -numa: nodes, distances, CPUs of nodes, and what ACPI's HMAT tells of memory
 * (ACPI 6.5, 5.2.28). Thread: any; const data. */

#include "options-machine.h"

static const VitOptionKey k_numa_node[] = {
    K_SIZE("mem", NULL,
           "Legacy RAM share of the node; boards of version 5.1 and newer refuse it and point to "
           "memdev",
           .flags = VIT_OPT_DEPRECATED, .size_unit = VIT_MIB),
    K_ID("memdev", "object", NULL,
         "Node's RAM comes from a memory object; cannot be mixed with mem, and all nodes must use "
         "it if one does"),
    K_STRING("cpus", NULL,
             "Range of CPU indexes in the node; repeat it for disjoint ranges; omitted on all "
             "nodes means automatic spread",
             .flags = VIT_OPT_REPEATS),
    K_INT("nodeid", NULL, "Node number", .max = 127),
    K_INT("initiator", NULL,
          "Node whose CPUs reach this memory best; valid only with hmat=on, and a node with CPUs "
          "must name itself",
          .max = 127),
    { 0 },
};

static const VitOptionKey k_numa_dist[] = {
    K_INT("src", NULL, "Source node", .flags = VIT_OPT_REQUIRED, .max = 127),
    K_INT("dst", NULL, "Destination node", .flags = VIT_OPT_REQUIRED, .max = 127),
    K_INT("val", NULL, "Relative distance; a node to itself is always 10 and 255 means unreachable",
          .flags = VIT_OPT_REQUIRED, .min = 10, .max = 255),
    { 0 },
};

static const VitOptionKey k_numa_cpu[] = {
    K_INT("node-id", NULL, "Target node, which must exist already", .flags = VIT_OPT_REQUIRED,
          .max = 127),
    K_INT("socket-id", NULL, "Selects by package"),
    K_INT("die-id", NULL, "Selects by die"),
    K_INT("core-id", NULL, "Selects by core"),
    K_INT("thread-id", NULL, "Selects by thread"),
    { 0 },
};

static const VitOptionValue v_numa_hmat_lb_hierarchy[] = {
    { .name = "memory", .help = VIT_N_("Figure is for the memory itself") },
    { .name = "first-level",
      .help = VIT_N_("Figure is the aggregate of level 1 memory-side caches") },
    { .name = "second-level",
      .help = VIT_N_("Figure is the aggregate of level 2 memory-side caches") },
    { .name = "third-level",
      .help = VIT_N_("Figure is the aggregate of level 3 memory-side caches") },
    { 0 },
};

static const VitOptionValue v_numa_hmat_lb_data_type[] = {
    { .name = "access-latency", .help = VIT_N_("Combined read/write latency; needs latency=") },
    { .name = "read-latency", .help = VIT_N_("Read latency; needs latency=") },
    { .name = "write-latency", .help = VIT_N_("Write latency; needs latency=") },
    { .name = "access-bandwidth", .help = VIT_N_("Combined bandwidth; needs bandwidth=") },
    { .name = "read-bandwidth", .help = VIT_N_("Read bandwidth; needs bandwidth=") },
    { .name = "write-bandwidth", .help = VIT_N_("Write bandwidth; needs bandwidth=") },
    { 0 },
};

static const VitOptionKey k_numa_hmat_lb[] = {
    K_INT("initiator", NULL, "Node issuing the accesses (has CPUs)", .flags = VIT_OPT_REQUIRED,
          .max = 127),
    K_INT("target", NULL, "Node holding the memory", .flags = VIT_OPT_REQUIRED, .max = 127),
    K_ENUM("hierarchy", v_numa_hmat_lb_hierarchy, NULL, "What the figure describes",
           .flags = VIT_OPT_REQUIRED),
    K_ENUM("data-type", v_numa_hmat_lb_data_type, NULL,
           "Which quantity is given; for cache levels the hit value is meant",
           .flags = VIT_OPT_REQUIRED),
    K_INT("latency", "0", "Latency in nanoseconds", .unit = "ns"),
    K_SIZE("bandwidth", "0", "Bytes per second, or MB/GB/TB per second with the suffix"),
    { 0 },
};

static const VitOptionValue v_numa_hmat_cache_associativity[] = {
    { .name = "none", .help = VIT_N_("Organisation not stated") },
    { .name = "direct", .help = VIT_N_("Direct mapped") },
    { .name = "complex", .help = VIT_N_("Complex index function") },
    { 0 },
};

static const VitOptionValue v_numa_hmat_cache_policy[] = {
    { .name = "none", .help = VIT_N_("Not stated") },
    { .name = "write-back", .help = VIT_N_("Written back later") },
    { .name = "write-through", .help = VIT_N_("Written through") },
    { 0 },
};

static const VitOptionKey k_numa_hmat_cache[] = {
    K_INT("node-id", NULL, "Node the memory belongs to", .flags = VIT_OPT_REQUIRED, .max = 127),
    K_SIZE("size", NULL, "Cache size in bytes", .flags = VIT_OPT_REQUIRED),
    K_INT("level", NULL, "Cache level; 0 is not allowed", .flags = VIT_OPT_REQUIRED, .min = 1,
          .max = 3),
    K_ENUM("associativity", v_numa_hmat_cache_associativity, "none", "Cache organisation"),
    K_ENUM("policy", v_numa_hmat_cache_policy, "none", "Write policy of the cache"),
    K_SIZE("line", "0", "Cache line size in bytes"),
    { 0 },
};

const VitOptionVariant vit_numa_variants[] = {
    { .name = "node",
      .help = VIT_N_(
          "Declares a NUMA node and what belongs to it; the guest sees it through ACPI SRAT"),
      .keys = k_numa_node },
    { .name = "dist",
      .help = VIT_N_("Distance between two nodes published in ACPI SLIT"),
      .keys = k_numa_dist,
      .mission = "numa.dist.completeness" },
    { .name = "cpu",
      .help = VIT_N_("Places CPUs in a node declared earlier by topology ids; the valid id sets "
                     "are shown by the hotpluggable CPU query"),
      .keys = k_numa_cpu },
    { .name = "hmat-lb",
      .help = VIT_N_("Adds one latency or bandwidth entry to the ACPI HMAT for an initiator/target "
                     "pair; requires hmat=on"),
      .keys = k_numa_hmat_lb },
    { .name = "hmat-cache",
      .help = VIT_N_("Describes a memory-side cache of a node in the HMAT"),
      .keys = k_numa_hmat_cache },
    { 0 },
};
