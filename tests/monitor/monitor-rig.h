/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A machine that exists only as answers to its monitors: a page of memory, a port, a screen, one
 * drive. What monitors ask of it is noted. */

#include <json-glib/json-glib.h>

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "vit-char.h"
#include "vit-console.h"
#include "vit-error.h"
#include "vit-input-hub.h"
#include "vit-monitor.h"

typedef struct {
    VitPlatform platform;
    VitLock lock;
    VitRegion memory_root, io_root, ram, port;
    VitRamBlock *block;
    uint8_t port_value;
    VitRunState state;
    GString *log; /* what was asked for */
    GString *keys;
    VitInputHandler keyboard, mouse;
    VitConsole *console;
    VitSurface *surface;
    GPtrArray *chardevs, *ports;
    VitNetPort nic;
    bool refuse;
    VitMonitors *monitors;
} Rig;

static VitRunState
rig_get_status(void *opaque)
{
    return ((Rig *)opaque)->state;
}

static bool
rig_note(Rig *rig, GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_string_append_vprintf(rig->log, format, args);
    va_end(args);
    if (rig->refuse) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE, "not now");
    }
    return !rig->refuse;
}

static bool
rig_stop(void *opaque, GError **error)
{
    Rig *rig = opaque;

    rig->state = VIT_RUN_PAUSED;
    vit_monitors_emit(rig->monitors, "STOP", NULL);
    return rig_note(rig, error, "stop;");
}

static bool
rig_cont(void *opaque, GError **error)
{
    ((Rig *)opaque)->state = VIT_RUN_RUNNING;
    return rig_note(opaque, error, "cont;");
}

static bool
rig_reset(void *opaque, GError **error)
{
    return rig_note(opaque, error, "reset;");
}

static bool
rig_powerdown(void *opaque, GError **error)
{
    return rig_note(opaque, error, "powerdown;");
}

static void
rig_quit(void *opaque)
{
    rig_note(opaque, NULL, "quit;");
}

static void
rig_get_identity(void *opaque, VitMonitorIdentity *out)
{
    *out = (VitMonitorIdentity){ .machine = "pc",
                                 .accel = "tcg",
                                 .name = "gu\"est",
                                 .uuid = "11111111-2222-3333-4444-555555555555",
                                 .ram_bytes = 64 << 20 };
}

static unsigned
rig_get_n_cpus(void *opaque)
{
    return 2;
}

static void
rig_get_cpu(void *opaque, unsigned cpu, VitMonitorCpu *out)
{
    *out = (VitMonitorCpu){ .thread_id = 100 + cpu, .core = cpu, .halted = cpu == 1 };
}

static void
rig_dump_registers(void *opaque, unsigned cpu, GString *out)
{
    g_string_append_printf(out, "EAX=%08x\n", cpu + 0x1000);
}

static bool
rig_get_register(void *opaque, unsigned cpu, const char *name, uint64_t *out_value)
{
    *out_value = 0x1000 + cpu;
    return strcmp(name, "eax") == 0;
}

/* Virtual 0xc0000000 upwards is physical 0 upwards, one page. */
static bool
rig_translate(void *opaque, unsigned cpu, uint64_t guest_virtual, uint64_t *out_guest_physical)
{
    *out_guest_physical = guest_virtual - 0xc0000000;
    return guest_virtual >= 0xc0000000 && guest_virtual < 0xc0001000;
}

static bool
rig_info(void *opaque, const char *topic, unsigned cpu, GString *out, GError **error)
{
    if (strcmp(topic, "irq") != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "no topic");
        return false;
    }
    g_string_append(out, "0: 42\n");
    return true;
}

static const GPtrArray *
rig_get_chardevs(void *opaque)
{
    return ((Rig *)opaque)->chardevs;
}

static const GPtrArray *
rig_get_net_ports(void *opaque)
{
    return ((Rig *)opaque)->ports;
}

/* Says which command came through; lists are empty. */
static JsonNode *
rig_block(void *opaque, const char *command, JsonObject *args, GError **error)
{
    bool is_list = g_str_has_prefix(command, "query-");
    JsonNode *node = json_node_new(is_list ? JSON_NODE_ARRAY : JSON_NODE_OBJECT);

    if (is_list) {
        json_node_take_array(node, json_array_new());
        return node;
    }
    JsonObject *object = json_object_new();
    json_object_set_string_member(object, "command", command);
    json_node_take_object(node, object);
    return node;
}

static GPtrArray *
rig_get_drives(void *opaque)
{
    static const VitMonitorDrive drives[] = {
        { .id = "ide0-hd0",
          .qdev = "/machine/disk",
          .inserted = true,
          .file = "disk.img",
          .driver = "raw",
          .node_name = "#block1",
          .writeback = true,
          .virtual_bytes = 1 << 20,
          .io_status = "ok" },
        { .id = "ide1-cd0", .qdev = "cd", .removable = true, .has_tray = true },
    };
    GPtrArray *array = g_ptr_array_new_with_free_func(g_free);

    for (unsigned i = 0; i < G_N_ELEMENTS(drives); i++) {
        g_ptr_array_add(array, g_memdup2(&drives[i], sizeof(drives[i])));
    }
    return array;
}

static bool
rig_drive_add(void *opaque, const char *options, bool as_node, GError **error)
{
    return rig_note(opaque, error, "drive_add %s %d;", options, as_node);
}

static bool
rig_drive_del(void *opaque, const char *id, GError **error)
{
    return rig_note(opaque, error, "drive_del %s;", id);
}

static bool
rig_eject(void *opaque, const char *drive, bool force, GError **error)
{
    return rig_note(opaque, error, "eject %s %d;", drive, force);
}

static bool
rig_change_medium(void *opaque, const char *drive, const char *file, const char *format,
                  VitMonitorAccess access, bool force, GError **error)
{
    return rig_note(opaque, error, "change %s %s %s %d %d;", drive, file, format ? format : "-",
                    access, force);
}

static bool
rig_hostfwd(void *opaque, const char *netdev, const char *rule, bool add, GError **error)
{
    return rig_note(opaque, error, "hostfwd %s %s %d;", netdev ? netdev : "-", rule, add);
}

static const VitMonitorHostOps rig_ops = {
    .get_status = rig_get_status,
    .stop = rig_stop,
    .cont = rig_cont,
    .reset = rig_reset,
    .powerdown = rig_powerdown,
    .quit = rig_quit,
    .get_identity = rig_get_identity,
    .get_n_cpus = rig_get_n_cpus,
    .get_cpu = rig_get_cpu,
    .dump_registers = rig_dump_registers,
    .get_register = rig_get_register,
    .translate = rig_translate,
    .info = rig_info,
    .get_chardevs = rig_get_chardevs,
    .get_net_ports = rig_get_net_ports,
    .get_drives = rig_get_drives,
    .block = rig_block,
    .drive_add = rig_drive_add,
    .drive_del = rig_drive_del,
    .eject = rig_eject,
    .change_medium = rig_change_medium,
    .hostfwd = rig_hostfwd,
};

static uint64_t
rig_port_read(void *opaque, uint64_t offset, unsigned size)
{
    return offset == 0 ? ((Rig *)opaque)->port_value : 0x55;
}

static void
rig_port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    ((Rig *)opaque)->port_value = value;
}

static const VitRegionOps rig_port_ops = {
    .read = rig_port_read, .write = rig_port_write, .min_size = 1, .max_size = 1
};

static void
rig_key(void *opaque, unsigned key_code, bool down)
{
    g_string_append_printf(((Rig *)opaque)->keys, "%s%s ", down ? "+" : "-",
                           vit_key_name(key_code));
}

static void
rig_relative(void *opaque, int dx, int dy)
{
    g_string_append_printf(((Rig *)opaque)->keys, "move %d %d ", dx, dy);
}

static void
rig_button(void *opaque, VitInputButton button, bool down)
{
    g_string_append_printf(((Rig *)opaque)->keys, "button %d %d ", button, down);
}

static void
rig_update(void *opaque, bool full)
{
}

static const VitConsoleOps rig_console_ops = { .update = rig_update };

static bool
rig_net_receive(void *opaque, const uint8_t *frame, size_t len)
{
    return true;
}

static const VitNetPortOps rig_net_ops = { .receive = rig_net_receive };

static inline void
rig_init(Rig *rig)
{
    VitPlatform *platform = &rig->platform;

    memset(rig, 0, sizeof(*rig));
    vit_lock_init(&rig->lock);
    vit_lock_take(&rig->lock);
    platform->lock = &rig->lock;
    platform->clock = vit_clock_new(&rig->lock, VIT_CLOCK_STEPPED);
    platform->maps = vit_map_domain_new(&rig->lock);
    vit_region_init_container(&rig->memory_root, "memory", UINT64_MAX);
    vit_region_init_container(&rig->io_root, "io", 0x10000);
    platform->memory_root = &rig->memory_root;
    platform->io_root = &rig->io_root;
    platform->memory = vit_address_space_new(platform->maps, "memory", &rig->memory_root);
    platform->io = vit_address_space_new(platform->maps, "io", &rig->io_root);
    platform->input = vit_input_hub_new();
    platform->consoles = g_ptr_array_new();
    rig->block = vit_ram_block_new("ram", VIT_PAGE_SIZE, NULL);
    vit_region_init_ram(&rig->ram, "ram", rig->block, 0, VIT_PAGE_SIZE);
    vit_region_add(&rig->memory_root, 0, &rig->ram, 0);
    vit_region_init_io(&rig->port, "port", &rig_port_ops, rig, 8);
    vit_region_add(&rig->io_root, 0x80, &rig->port, 0);

    rig->log = g_string_new(NULL);
    rig->keys = g_string_new(NULL);
    rig->keyboard = (VitInputHandler){ .name = "keyboard", .key = rig_key, .opaque = rig };
    rig->mouse = (VitInputHandler){
        .name = "mouse", .relative = rig_relative, .button = rig_button, .opaque = rig
    };
    vit_input_hub_add(platform->input, &rig->keyboard);
    vit_input_hub_add(platform->input, &rig->mouse);
    rig->console = vit_console_new("vga", &rig_console_ops, rig);
    rig->surface = vit_surface_new(4, 2);
    vit_console_set_surface(rig->console, rig->surface);
    g_ptr_array_add(platform->consoles, rig->console);

    rig->chardevs = g_ptr_array_new_with_free_func((GDestroyNotify)vit_chardev_free);
    VitChardev *ring = vit_char_make("ringbuf", "ring", NULL, NULL, 0, NULL);
    g_assert_true(vit_chardev_open(ring, NULL, &rig->lock, NULL));
    g_ptr_array_add(rig->chardevs, ring);
    rig->ports = g_ptr_array_new();
    vit_net_port_init(&rig->nic, "net0", "user", &rig_net_ops, rig);
    g_ptr_array_add(rig->ports, &rig->nic);
    rig->state = VIT_RUN_RUNNING;
    rig->monitors = vit_monitors_new(&rig_ops, rig, platform);
}

static inline void
rig_finish(Rig *rig)
{
    vit_monitors_free(rig->monitors);
    g_ptr_array_unref(rig->chardevs);
    g_ptr_array_unref(rig->ports);
    vit_net_port_finish(&rig->nic);
    vit_console_free(rig->console);
    vit_surface_free(rig->surface);
    g_ptr_array_unref(rig->platform.consoles);
    vit_input_hub_free(rig->platform.input);
    vit_region_finish(&rig->port);
    vit_region_finish(&rig->ram);
    vit_address_space_free(rig->platform.memory);
    vit_address_space_free(rig->platform.io);
    vit_region_finish(&rig->memory_root);
    vit_region_finish(&rig->io_root);
    vit_map_domain_free(rig->platform.maps);
    vit_clock_free(rig->platform.clock);
    vit_ram_block_free(rig->block);
    vit_lock_release(&rig->lock);
    vit_lock_finish(&rig->lock);
    g_string_free(rig->log, TRUE);
    g_string_free(rig->keys, TRUE);
}

/* A vc that takes what a monitor on it writes. */
typedef struct {
    VitChardev *chr;
    VitCharVcView view;
    GString *seen;
} Terminal;

static inline void
terminal_output(void *opaque, const uint8_t *buf, size_t len)
{
    g_string_append_len(((Terminal *)opaque)->seen, (const char *)buf, len);
}

static inline void
terminal_init(Terminal *terminal, Rig *rig, VitMonitorMode mode)
{
    terminal->chr = vit_char_make("vc", "mon0", NULL, NULL, 0, NULL);
    terminal->seen = g_string_new(NULL);
    terminal->view = (VitCharVcView){ .output = terminal_output, .opaque = terminal };
    g_assert_true(vit_chardev_open(terminal->chr, NULL, &rig->lock, NULL));
    vit_char_vc_add_view(terminal->chr, &terminal->view);
    g_assert_true(vit_monitors_add(rig->monitors, terminal->chr, mode, NULL));
    g_ptr_array_add(rig->chardevs, terminal->chr);
}

static inline void
terminal_finish(Terminal *terminal)
{
    g_string_free(terminal->seen, TRUE);
}

/* Types TEXT; what appears is in SEEN, which held nothing before. */
static inline const char *
terminal_type(Terminal *terminal, const char *text)
{
    g_string_truncate(terminal->seen, 0);
    vit_char_vc_input(terminal->chr, (const uint8_t *)text, strlen(text));
    return terminal->seen->str;
}

/* Lets timeouts run for MS, with the lock free. */
static inline void
rig_wait_ms(Rig *rig, unsigned ms)
{
    int64_t end_us = g_get_monotonic_time() + ms * 1000;

    vit_lock_release(&rig->lock);
    while (g_get_monotonic_time() < end_us) {
        if (!g_main_context_iteration(NULL, FALSE)) {
            g_usleep(500);
        }
    }
    vit_lock_take(&rig->lock);
}
