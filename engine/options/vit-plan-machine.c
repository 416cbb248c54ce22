/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The single things of a plan: board, accelerators, processors, memory, firmware, display, clock
 * and the program's own switches. Each is read from all its uses in order, so that the later one
 * wins key by key, and the topology of processors is completed as the board's version does it.
 * Thread: the one that owns the configuration. */

#include <stdio.h>
#include <string.h>

#include "vit-plan-private.h"

/* Runs through the instances of an option in order. */
static const VitConfigItem *
next(const VitNormalizer *norm, const char *name, unsigned *at)
{
    while (*at < norm->items->len) {
        const VitConfigItem *item = norm->items->pdata[(*at)++];

        if (item->type == VIT_ITEM_OPTION && strcmp(item->name, name) == 0)
            return item;
    }
    return NULL;
}

static const VitConfigItem *
last(const VitNormalizer *norm, const char *name)
{
    const VitConfigItem *item, *found = NULL;
    unsigned at = 0;

    while ((item = next(norm, name, &at)) != NULL)
        found = item;
    return found;
}

static bool
has(const VitNormalizer *norm, const char *name)
{
    return last(norm, name) != NULL;
}

/* The last value of KEY over all instances of OPTION, and where it is. */
static const char *
value_of(const VitNormalizer *norm, const char *option, const char *key, VitPlanSrc *out_src)
{
    const VitConfigItem *item;
    const char *value = NULL;
    unsigned at = 0;

    while ((item = next(norm, option, &at)) != NULL) {
        int index = vit_config_item_find_param(item, key);

        if (index < 0)
            continue;
        value = vit_config_item_param(item, (unsigned)index)->value;
        if (out_src != NULL)
            *out_src = vit_plan_src(item, index);
    }
    return vit_plan_keep(norm->plan, value);
}

static bool
bool_of(const VitNormalizer *norm, const char *option, const char *key, bool fallback)
{
    const char *value = value_of(norm, option, key, NULL);
    bool on;

    return value != NULL && vit_value_parse_bool(value, &on) ? on : fallback;
}

static int64_t
int_of(const VitNormalizer *norm, const char *option, const char *key, int64_t fallback)
{
    const char *value = value_of(norm, option, key, NULL);
    int64_t number;

    return value != NULL && vit_value_parse_int(value, &number) ? number : fallback;
}

/* Properties of all instances together. */
static VitPlanProps
merged_props(VitNormalizer *norm, const char *option, const char *except)
{
    GArray *all = g_array_new(FALSE, TRUE, sizeof(VitPlanProp));
    const VitConfigItem *item;
    unsigned at = 0;

    while ((item = next(norm, option, &at)) != NULL) {
        VitPlanProps props = vit_plan_props_of(norm->plan, item, except);
        g_array_append_vals(all, props.props, props.n_props);
    }
    unsigned n = all->len;
    VitPlanProp *copy = (VitPlanProp *)(void *)g_array_free(all, FALSE);
    g_ptr_array_add(norm->plan->owned, copy);
    return (VitPlanProps){ copy, n };
}

/* ---- board and accelerators ------------------------------------------------------------------ */

static void
read_machine(VitNormalizer *norm)
{
    VitMachinePlan *plan = norm->plan;

    plan->machine = value_of(norm, "machine", "type", &plan->machine_src);
    if (plan->machine == NULL)
        plan->machine = "pc";
    norm->is_q35 = strstr(plan->machine, "q35") != NULL;
    plan->machine_props = merged_props(norm, "machine", "type accel");
    plan->usb =
        bool_of(norm, "machine", "usb", false) || has(norm, "usb") || has(norm, "usbdevice");
    plan->acpi = bool_of(norm, "machine", "acpi", true) && !has(norm, "no-acpi");
    plan->hpet = bool_of(norm, "machine", "hpet", true) && !has(norm, "no-hpet");
    plan->smm = g_strcmp0(value_of(norm, "machine", "smm", NULL), "off") != 0; /* auto: on */
    plan->graphics = bool_of(norm, "machine", "graphics", true);
    plan->nodefaults = has(norm, "nodefaults");
}

/* Adds NAMES, which may be several between colons. */
static void
add_accels(VitNormalizer *norm, const char *names, VitPlanSrc src, VitPlanProps props)
{
    g_auto(GStrv) list = g_strsplit(names, ":", -1);

    for (unsigned i = 0; list[i] != NULL; i++) {
        VitPlanAccel *accel = g_new0(VitPlanAccel, 1);

        accel->src = src;
        accel->name = vit_plan_keep(norm->plan, list[i]);
        accel->props = props;
        g_ptr_array_add(norm->plan->accels, accel);
    }
}

static void
read_accels(VitNormalizer *norm)
{
    GPtrArray *accels = norm->plan->accels;
    const VitConfigItem *item;
    VitPlanSrc src;
    unsigned at = 0;

    while ((item = next(norm, "accel", &at)) != NULL) {
        const char *names = vit_config_item_get(item, "accel");

        if (names != NULL)
            add_accels(norm, names, vit_plan_src(item, vit_config_item_find_param(item, "accel")),
                       vit_plan_props_of(norm->plan, item, "accel"));
    }
    const char *names = value_of(norm, "machine", "accel", &src);
    const VitConfigItem *kvm = last(norm, "enable-kvm");
    if (names != NULL && accels->len > 0)
        vit_plan_error(norm, src, VIT_ERROR_INVALID_ARGUMENT,
                       "-machine accel= and -accel cannot be used together; keep one of them");
    else if (names != NULL)
        add_accels(norm, names, src, (VitPlanProps){ 0 });
    else if (kvm != NULL && accels->len > 0)
        vit_plan_error(norm, vit_plan_src(kvm, -1), VIT_ERROR_INVALID_ARGUMENT,
                       "-enable-kvm and -accel cannot be used together; keep one of them");
    else if (kvm != NULL)
        add_accels(norm, "kvm", vit_plan_src(kvm, -1), (VitPlanProps){ 0 });
    if (accels->len == 0)
        add_accels(norm, "tcg", (VitPlanSrc){ 0, -1 }, (VitPlanProps){ 0 });
}

/* ---- processors ------------------------------------------------------------------------------ */

static void
read_cpu(VitNormalizer *norm)
{
    const VitConfigItem *item = last(norm, "cpu");

    if (item == NULL)
        return;
    norm->plan->cpu_src = vit_plan_src(item, vit_config_item_find_param(item, "model"));
    norm->plan->cpu_model = vit_plan_keep(norm->plan, vit_config_item_get(item, "model"));
    norm->plan->cpu_props = vit_plan_props_of(norm->plan, item, "model");
}

/* Board versions before 6.2 fill in sockets first, later ones cores. */
static bool
prefers_sockets(const char *machine)
{
    const char *version = strrchr(machine, '-');
    unsigned major, minor;

    if (version == NULL || sscanf(version, "-%u.%u", &major, &minor) != 2)
        return false;
    return major < 6 || (major == 6 && minor < 2);
}

/* Products of five counts up to the limit of a count fit. */
typedef struct {
    uint64_t cpus, max_cpus, sockets, dies, clusters, cores, threads;
} Topology;

static uint64_t
or_one(uint64_t count)
{
    return count > 0 ? count : 1;
}

/* Completes what was not given, from what was. */
static void
complete(Topology *t, bool sockets_first)
{
    t->dies = or_one(t->dies);
    t->clusters = or_one(t->clusters);
    if (t->cpus == 0 && t->max_cpus == 0) {
        t->sockets = or_one(t->sockets);
        t->cores = or_one(t->cores);
        t->threads = or_one(t->threads);
    } else {
        uint64_t all = t->max_cpus > 0 ? t->max_cpus : t->cpus;
        uint64_t inner = t->dies * t->clusters;
        uint64_t *first = sockets_first ? &t->sockets : &t->cores;
        uint64_t *second = sockets_first ? &t->cores : &t->sockets;

        if (*first == 0) {
            *second = or_one(*second);
            t->threads = or_one(t->threads);
            *first = all / (inner * *second * t->threads);
        } else if (*second == 0) {
            t->threads = or_one(t->threads);
            *second = all / (inner * *first * t->threads);
        }
        if (t->threads == 0)
            t->threads = all / (inner * t->sockets * t->cores);
    }
    uint64_t total = t->sockets * t->dies * t->clusters * t->cores * t->threads;
    t->max_cpus = t->max_cpus > 0 ? t->max_cpus : t->cpus > 0 ? t->cpus : total;
    t->cpus = t->cpus > 0 ? t->cpus : t->max_cpus;
}

static void
check_topology(VitNormalizer *norm, const Topology *t, VitPlanSrc src)
{
    unsigned limit = VIT_PLAN_CPUS_MAX;
    uint64_t total = t->sockets * t->dies * t->clusters * t->cores * t->threads;

    if (total != t->max_cpus)
        vit_plan_error(norm, src, VIT_ERROR_INVALID_ARGUMENT,
                       "sockets (%u) * dies (%u) * cores (%u) * threads (%u) is %u, but %s is %u",
                       (unsigned)t->sockets, (unsigned)t->dies, (unsigned)t->cores,
                       (unsigned)t->threads, (unsigned)total,
                       t->cpus == t->max_cpus ? "the number of CPUs" : "maxcpus",
                       (unsigned)t->max_cpus);
    else if (t->cpus > t->max_cpus)
        vit_plan_error(norm, src, VIT_ERROR_INVALID_ARGUMENT, "cpus (%u) is more than maxcpus (%u)",
                       (unsigned)t->cpus, (unsigned)t->max_cpus);
    else if (t->max_cpus > limit)
        vit_plan_error(norm, src, VIT_ERROR_INVALID_ARGUMENT,
                       "%u CPUs are more than the %u that machine '%s' can have",
                       (unsigned)t->max_cpus, limit, norm->plan->machine);
}

static uint64_t
count_of(VitNormalizer *norm, const char *key)
{
    /* one more than can be, so that the check of the sum has something to refuse */
    return (uint64_t)CLAMP(int_of(norm, "smp", key, 0), 0, VIT_PLAN_CPUS_MAX + 1);
}

static void
read_smp(VitNormalizer *norm)
{
    const VitConfigItem *item = last(norm, "smp");
    VitMachinePlan *plan = norm->plan;
    Topology t = {
        .cpus = count_of(norm, "cpus"),
        .max_cpus = count_of(norm, "maxcpus"),
        .sockets = count_of(norm, "sockets"),
        .dies = count_of(norm, "dies"),
        .clusters = count_of(norm, "clusters"),
        .cores = count_of(norm, "cores"),
        .threads = count_of(norm, "threads"),
    };

    plan->smp_src = vit_plan_src(item, -1);
    complete(&t, prefers_sockets(plan->machine));
    check_topology(norm, &t, plan->smp_src);
    plan->cpus = (unsigned)t.cpus;
    plan->max_cpus = (unsigned)t.max_cpus;
    plan->sockets = (unsigned)t.sockets;
    plan->dies = (unsigned)t.dies;
    plan->clusters = (unsigned)t.clusters;
    plan->cores = (unsigned)t.cores;
    plan->threads = (unsigned)t.threads;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void
read_memory(VitNormalizer *norm)
{
    VitMachinePlan *plan = norm->plan;
    const char *size = value_of(norm, "m", "size", &plan->ram_src);
    VitPlanSrc max_src = { 0, -1 };
    const char *max = value_of(norm, "m", "maxmem", &max_src);

    plan->ram_bytes = 128 * VIT_MIB;
    if (size != NULL)
        vit_value_parse_size(size, VIT_MIB, &plan->ram_bytes);
    /* Guests see memory in pages. */
    plan->ram_bytes = (plan->ram_bytes + 8191) & ~8191ULL;
    plan->max_ram_bytes = plan->ram_bytes;
    if (max != NULL && vit_value_parse_size(max, VIT_MIB, &plan->max_ram_bytes) &&
        plan->max_ram_bytes < plan->ram_bytes)
        vit_plan_error(norm, max_src, VIT_ERROR_INVALID_ARGUMENT,
                       "maxmem is less than the memory at the start");
    plan->ram_slots = (unsigned)int_of(norm, "m", "slots", 0);
    if (max == NULL && plan->ram_slots > 0)
        vit_plan_error(norm, vit_plan_src(last(norm, "m"), -1), VIT_ERROR_INVALID_ARGUMENT,
                       "slots= needs maxmem=");
    plan->mem_path = value_of(norm, "mem-path", "value", NULL);
    plan->mem_prealloc = has(norm, "mem-prealloc");
}

/* ---- firmware and boot ----------------------------------------------------------------------- */

/* OPTION's value, or the board property that means the same. */
static const char *
file_of(VitNormalizer *norm, const char *option, const char *property, VitPlanSrc *out_src)
{
    const char *value = value_of(norm, option, "value", out_src);

    return value != NULL ? value : value_of(norm, "machine", property, out_src);
}

static void
check_needs_kernel(VitNormalizer *norm, const char *what, const char *value, VitPlanSrc src)
{
    if (value != NULL && norm->plan->kernel == NULL)
        vit_plan_error(norm, src, VIT_ERROR_INVALID_ARGUMENT, "-%s is only used with -kernel",
                       what);
}

static void
check_letters(VitNormalizer *norm, const char *key)
{
    VitPlanSrc src;
    const char *letters = value_of(norm, "boot", key, &src);

    for (const char *c = letters; c != NULL && *c != '\0'; c++)
        if (*c < 'a' || *c > 'p' || strchr(c + 1, *c) != NULL) {
            vit_plan_error(
                norm, src, VIT_ERROR_INVALID_ARGUMENT,
                *c < 'a' || *c > 'p'
                    ? "'%c' is no boot device: a and b are floppies, c is the hard disk, "
                      "d the CD, n to p are network cards"
                    : "'%c' is there twice",
                *c);
            return;
        }
}

static void
read_boot(VitNormalizer *norm)
{
    VitMachinePlan *plan = norm->plan;
    const VitConfigItem *item;
    unsigned at = 0;

    plan->bios = file_of(norm, "bios", "firmware", &plan->bios_src);
    plan->kernel = file_of(norm, "kernel", "kernel", &plan->kernel_src);
    plan->initrd = file_of(norm, "initrd", "initrd", &plan->initrd_src);
    plan->append = file_of(norm, "append", "append", &plan->append_src);
    plan->dtb = file_of(norm, "dtb", "dtb", &plan->dtb_src);
    check_needs_kernel(norm, "initrd", plan->initrd, plan->initrd_src);
    check_needs_kernel(norm, "append", plan->append, plan->append_src);
    check_needs_kernel(norm, "dtb", plan->dtb, plan->dtb_src);
    while ((item = next(norm, "L", &at)) != NULL)
        g_ptr_array_add(plan->data_dirs,
                        (gpointer)vit_plan_keep(plan, vit_config_item_get(item, "value")));
    plan->boot_order = value_of(norm, "boot", "order", NULL);
    plan->boot_once = value_of(norm, "boot", "once", NULL);
    check_letters(norm, "order");
    check_letters(norm, "once");
    plan->boot_menu = bool_of(norm, "boot", "menu", false);
    plan->boot_strict = bool_of(norm, "boot", "strict", false);
    plan->boot_splash = value_of(norm, "boot", "splash", NULL);
    plan->boot_splash_time_ms = int_of(norm, "boot", "splash-time", -1);
    plan->boot_reboot_timeout_ms = int_of(norm, "boot", "reboot-timeout", -1);
    plan->boot_src = vit_plan_src(last(norm, "boot"), -1);
    plan->fd_bootchk = bool_of(norm, "machine", "fd-bootchk", true) && !has(norm, "no-fd-bootchk");
}

/* ---- display --------------------------------------------------------------------------------- */

static void
read_display(VitNormalizer *norm)
{
    VitMachinePlan *plan = norm->plan;
    const VitConfigItem *item = last(norm, "display");
    const VitConfigItem *vnc;
    unsigned at = 0;

    plan->nographic = has(norm, "nographic");
    plan->full_screen = has(norm, "full-screen") || bool_of(norm, "display", "full-screen", false);
    plan->keyboard_layout = value_of(norm, "k", "value", NULL);
    for (const char *remote = "vnc"; remote != NULL;
         remote = strcmp(remote, "vnc") == 0 ? "spice" : NULL, at = 0)
        while ((vnc = next(norm, remote, &at)) != NULL) {
            VitPlanDisplay *server = g_new0(VitPlanDisplay, 1);

            server->src = vit_plan_src(vnc, -1);
            server->type = remote;
            server->props = vit_plan_props_of(plan, vnc, NULL);
            g_ptr_array_add(plan->remote_displays, server);
        }
    plan->display.is_default = true;
    plan->display.type = plan->nographic || plan->remote_displays->len > 0 ? "none" : "gtk";
    if (has(norm, "curses"))
        plan->display.type = "curses";
    else if (has(norm, "sdl"))
        plan->display.type = "sdl";
    if (item == NULL)
        return;
    const char *type = vit_config_item_get(item, "type");
    const VitOptionVariant *variant = vit_config_item_get_variant(item);
    plan->display.src = vit_plan_src(item, -1);
    plan->display.is_default = false;
    plan->display.type = vit_plan_keep(plan, type != NULL ? type : variant ? variant->name : "gtk");
    plan->display.props = vit_plan_props_of(plan, item, "type");
}

static void
read_vga(VitNormalizer *norm)
{
    VitMachinePlan *plan = norm->plan;

    plan->vga = value_of(norm, "vga", "value", &plan->vga_src);
    plan->vga_is_default = plan->vga == NULL;
    if (plan->vga == NULL)
        plan->vga = norm->default_vga ? "std" : "none";
}

/* ---- clock, identity, behaviour ----------------------------------------------------------------
 */

static bool
is_date(const char *text)
{
    unsigned year, month, day, hour = 0, minute = 0, second = 0;
    int used = 0;

    if (sscanf(text, "%4u-%2u-%2u%n", &year, &month, &day, &used) != 3)
        return false;
    if (text[used] == 'T') {
        int more = 0;
        if (sscanf(text + used, "T%2u:%2u:%2u%n", &hour, &minute, &second, &more) != 3)
            return false;
        used += more;
    }
    return text[used] == '\0' &&
           g_date_valid_dmy((GDateDay)day, (GDateMonth)month, (GDateYear)year) && hour < 24 &&
           minute < 60 && second < 60;
}

static void
read_rtc(VitNormalizer *norm)
{
    VitMachinePlan *plan = norm->plan;
    VitPlanSrc src;
    const char *base = value_of(norm, "rtc", "base", &src);
    const char *clock = value_of(norm, "rtc", "clock", NULL);

    plan->rtc_slew = g_strcmp0(value_of(norm, "rtc", "driftfix", NULL), "slew") == 0;
    plan->rtc_clock = g_strcmp0(clock, "vm") == 0   ? VIT_PLAN_CLOCK_VM
                      : g_strcmp0(clock, "rt") == 0 ? VIT_PLAN_CLOCK_RT
                                                    : VIT_PLAN_CLOCK_HOST;
    if (base == NULL || strcmp(base, "utc") == 0)
        return;
    if (strcmp(base, "localtime") == 0) {
        plan->rtc_base = VIT_PLAN_RTC_LOCALTIME;
        return;
    }
    plan->rtc_base = VIT_PLAN_RTC_DATETIME;
    plan->rtc_datetime = base;
    if (!is_date(base))
        vit_plan_error(norm, src, VIT_ERROR_INVALID_ARGUMENT,
                       "'%s' is neither utc nor localtime nor a date such as 2006-06-17T16:01:21",
                       base);
}

/* -no-reboot, -no-shutdown and -action in the order they stand. */
static void
read_actions(VitNormalizer *norm)
{
    VitMachinePlan *plan = norm->plan;

    plan->panic_action = "shutdown";
    plan->watchdog_action = "reset";
    for (unsigned i = 0; i < norm->items->len; i++) {
        const VitConfigItem *item = norm->items->pdata[i];

        if (strcmp(item->name, "no-reboot") == 0)
            plan->reboot_ends = true;
        else if (strcmp(item->name, "no-shutdown") == 0)
            plan->shutdown_pauses = true;
        else if (strcmp(item->name, "watchdog-action") == 0)
            plan->watchdog_action = vit_plan_keep(plan, vit_config_item_get(item, "value"));
        else if (strcmp(item->name, "action") == 0) {
            const char *reboot = vit_config_item_get(item, "reboot");
            const char *shutdown = vit_config_item_get(item, "shutdown");
            const char *panic = vit_config_item_get(item, "panic");
            const char *watchdog = vit_config_item_get(item, "watchdog");

            if (reboot != NULL)
                plan->reboot_ends = strcmp(reboot, "shutdown") == 0;
            if (shutdown != NULL)
                plan->shutdown_pauses = strcmp(shutdown, "pause") == 0;
            if (panic != NULL)
                plan->panic_action = vit_plan_keep(plan, panic);
            if (watchdog != NULL)
                plan->watchdog_action = vit_plan_keep(plan, watchdog);
        }
    }
}

static void
read_identity(VitNormalizer *norm)
{
    VitMachinePlan *plan = norm->plan;

    plan->name = value_of(norm, "name", "guest", NULL);
    plan->process_name = value_of(norm, "name", "process", NULL);
    plan->debug_threads = bool_of(norm, "name", "debug-threads", false);
    plan->uuid = value_of(norm, "uuid", "value", NULL);
    plan->has_uuid = plan->uuid != NULL && vit_value_parse_uuid(plan->uuid, plan->uuid_bytes);
}

static void
read_program(VitNormalizer *norm)
{
    VitMachinePlan *plan = norm->plan;

    plan->start_paused = has(norm, "S");
    plan->snapshot = has(norm, "snapshot");
    plan->singlestep = has(norm, "singlestep");
    plan->daemonize = has(norm, "daemonize");
    plan->pidfile = value_of(norm, "pidfile", "value", NULL);
    plan->log_file = value_of(norm, "D", "value", NULL);
    plan->log_items = value_of(norm, "d", "value", NULL);
    plan->log_filter = value_of(norm, "dfilter", "value", NULL);
    plan->qtest_log = value_of(norm, "qtest-log", "value", NULL);
    plan->msg_timestamp = bool_of(norm, "msg", "timestamp", false);
    plan->msg_guest_name = bool_of(norm, "msg", "guest-name", false);
    plan->mux_escape = (uint8_t)int_of(norm, "echr", "value", 1);
}

void
vit_plan_machine(VitNormalizer *norm)
{
    read_machine(norm);
    read_accels(norm);
    read_cpu(norm);
    read_smp(norm);
    read_memory(norm);
    read_boot(norm);
    read_display(norm);
    read_vga(norm);
    read_rtc(norm);
    read_actions(norm);
    read_identity(norm);
    read_program(norm);
}
