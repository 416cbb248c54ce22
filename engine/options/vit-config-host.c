/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The second check of a configuration: what it names on this host. Files that must be there and
 * readable, folders, programs, places to write to; memory and processors the host does not have.
 * It looks but changes nothing, so the answer may be outdated a moment later; whoever opens the
 * file for good reports its own error.
 * Thread: any that may block and owns the configuration. */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "vit-chardev-spec.h"
#include "vit-config-private.h"
#include "vit-types.h"

typedef struct {
    VitConfig *config;
    VitDiagList *diags;
    const VitConfigItem *item;
    size_t base, start, end; /* place of the value at hand */
} Checker;

static void G_GNUC_PRINTF(5, 6) tell(Checker *checker, VitSeverity severity, VitError code,
                                     const char *fix, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    vit_diag_list_add(checker->diags, checker->start, checker->end, severity, code,
                      checker->item->serial, fix, NULL, "%s", message);
}

/* nbd:..., json:{...}, https://..., but not /a:b nor C:\x. */
static bool
has_protocol(const char *path)
{
    size_t len = strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-_");

    return len > 1 && path[len] == ':';
}

static const char *
role_name(VitPathRole role)
{
    switch (role) {
    case VIT_PATH_IMAGE: return "the disk image";
    case VIT_PATH_FOLDER: return "the folder";
    case VIT_PATH_DEVICE: return "the device";
    case VIT_PATH_PROGRAM: return "the program";
    default: return "the file";
    }
}

static void
tell_errno(Checker *checker, VitPathRole role, const char *path, int code)
{
    const char *what = role_name(role);

    if (code == ENOENT || code == ENOTDIR)
        tell(checker, VIT_SEVERITY_ERROR, VIT_ERROR_NOT_FOUND, "check the spelling of the path",
             "%s '%s' does not exist", what, path);
    else if (code == EACCES)
        tell(checker, VIT_SEVERITY_ERROR, VIT_ERROR_PERMISSION,
             "change its permissions or choose another", "%s '%s' may not be opened by this user",
             what, path);
    else
        tell(checker, VIT_SEVERITY_ERROR, VIT_ERROR_IO, NULL, "%s '%s': %s", what, path,
             g_strerror(code));
}

static bool
is_read_only(const VitConfigItem *item)
{
    const char *media = vit_config_item_get(item, "media");
    bool on = false;

    if (strcmp(item->name, "cdrom") == 0 || g_strcmp0(media, "cdrom") == 0 ||
        vit_config_item_get(item, "driver") != NULL)
        return true;
    static const char *const keys[] = { "readonly", "read-only", "snapshot", "auto-read-only" };
    for (unsigned i = 0; i < VIT_ARRAY_LEN(keys) && !on; i++) {
        const char *value = vit_config_item_get(item, keys[i]);
        if (value != NULL && !vit_value_parse_bool(value, &on))
            on = false;
    }
    return on;
}

static void
check_existing(Checker *checker, VitPathRole role, const char *path)
{
    bool is_image = role == VIT_PATH_IMAGE;
    struct stat info;
    int mode = role == VIT_PATH_PROGRAM ? X_OK : R_OK;

    if (stat(path, &info) != 0) {
        tell_errno(checker, role, path, errno);
        return;
    }
    if (S_ISDIR(info.st_mode) != (role == VIT_PATH_FOLDER)) {
        if (role == VIT_PATH_FOLDER)
            tell(checker, VIT_SEVERITY_ERROR, VIT_ERROR_INVALID_ARGUMENT, NULL,
                 "'%s' is not a folder", path);
        else
            tell(checker, VIT_SEVERITY_ERROR, VIT_ERROR_INVALID_ARGUMENT, NULL,
                 "'%s' is a folder, not a file", path);
        return;
    }
    if (access(path, mode) != 0) {
        tell_errno(checker, role, path, errno);
        return;
    }
    if (is_image && !is_read_only(checker->item) &&
        vit_config_find(checker->config, "snapshot", NULL) == NULL && access(path, W_OK) != 0)
        tell(checker, VIT_SEVERITY_ERROR, VIT_ERROR_PERMISSION,
             "make it writable, or add readonly=on or snapshot=on",
             "the disk image '%s' may not be written by this user", path);
}

static void
check_writable(Checker *checker, const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    struct stat info;

    if (stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode))
            tell(checker, VIT_SEVERITY_ERROR, VIT_ERROR_INVALID_ARGUMENT, NULL,
                 "'%s' is a folder and cannot be written to", path);
        else if (access(path, W_OK) != 0)
            tell_errno(checker, VIT_PATH_WRITE, path, errno);
        return;
    }
    if (access(folder, W_OK | X_OK) != 0)
        tell_errno(checker, VIT_PATH_FOLDER, folder, errno);
}

static void
check_path(Checker *checker, const VitOptionKey *key, const char *value)
{
    if (value[0] == '\0' || has_protocol(value) || g_str_has_prefix(value, "/dev/fdset/"))
        return;
    g_autofree char *path = vit_config_resolve_path(checker->config, value);

    switch (key->role) {
    case VIT_PATH_READ:
    case VIT_PATH_IMAGE:
    case VIT_PATH_FOLDER:
    case VIT_PATH_DEVICE: check_existing(checker, key->role, path); break;
    case VIT_PATH_PROGRAM:
        if (strcmp(value, "no") != 0)
            check_existing(checker, key->role, path);
        break;
    case VIT_PATH_WRITE: check_writable(checker, path); break;
    case VIT_PATH_SOCKET:
    case VIT_PATH_NONE: break;
    }
}

/* Several files in one value: modules of -initrd, tables of -acpitable. */
static void
check_paths(Checker *checker, const VitOptionKey *key, const char *value)
{
    const char *name = checker->item->name;
    g_autofree char *whole = vit_config_resolve_path(checker->config, value);
    bool is_initrd = strcmp(name, "initrd") == 0, is_table = strcmp(name, "acpitable") == 0;

    if ((!is_initrd && !is_table) || access(whole, F_OK) == 0) {
        check_path(checker, key, value);
        return;
    }
    g_auto(GStrv) files = g_strsplit(value, is_initrd ? "," : ":", -1);
    for (unsigned i = 0; files[i] != NULL; i++) {
        if (is_initrd)
            files[i][strcspn(files[i], " ")] = '\0';
        check_path(checker, key, files[i]);
    }
}

static void
check_device_word(Checker *checker, const char *text)
{
    const VitOption *chardev = vit_option_find("chardev");
    g_autoptr(GError) error = NULL;
    VitChardevSpec spec;
    size_t start, end;

    if (!vit_chardev_spec_init(&spec, text, &start, &end, &error))
        return;
    const VitOptionVariant *variant =
        spec.backend != NULL ? vit_option_find_variant(chardev, spec.backend) : NULL;
    for (unsigned i = 0; variant != NULL && i < spec.params->len; i++) {
        const VitChardevParam *param = &g_array_index(spec.params, VitChardevParam, i);
        const VitOptionKey *key = vit_option_find_key(chardev, variant, param->key, NULL);

        if (key != NULL && key->type == VIT_VALUE_PATH)
            check_path(checker, key, param->value);
    }
    vit_chardev_spec_finish(&spec);
}

/* ---- the host itself ----------------------------------------------------------------------- */

static void
check_memory(Checker *checker, const char *value)
{
    uint64_t wanted;
    struct sysinfo info;

    if (!vit_value_parse_size(value, VIT_MIB, &wanted) || sysinfo(&info) != 0)
        return;
    uint64_t total = ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
    if (wanted > total)
        tell(checker, VIT_SEVERITY_WARNING, VIT_ERROR_NO_MEMORY, "give the machine less",
             "the machine's memory is larger than the %u MiB this host has with its swap space",
             (unsigned)(total / VIT_MIB));
}

static void
check_processors(Checker *checker, const char *value)
{
    int64_t wanted;
    unsigned present = g_get_num_processors();

    if (vit_value_parse_int(value, &wanted) && wanted > (int64_t)present)
        tell(checker, VIT_SEVERITY_NOTE, VIT_ERROR_INVALID_ARGUMENT, NULL,
             "%" G_GINT64_FORMAT " CPUs share the %u this host has", wanted, present);
}

static void
check_param(Checker *checker, unsigned index, const VitOptionKey *key)
{
    const VitParam *param = vit_config_item_param(checker->item, index);
    const char *option = checker->item->name;

    if (checker->item->option != NULL && checker->item->option->syntax == VIT_SYNTAX_DEV)
        check_device_word(checker, param->value);
    else if (key != NULL && key->type == VIT_VALUE_PATH)
        check_paths(checker, key, param->value);
    else if (strcmp(option, "m") == 0 && strcmp(param->key, "size") == 0)
        check_memory(checker, param->value);
    else if (strcmp(option, "smp") == 0 && strcmp(param->key, "cpus") == 0)
        check_processors(checker, param->value);
}

void
vit_config_check_host(VitConfig *config, VitHostCheck hook, void *data, VitDiagList *diags)
{
    static const VitOptionKey image = { .name = "file",
                                        .type = VIT_VALUE_PATH,
                                        .role = VIT_PATH_IMAGE };
    g_autofree size_t *places = vit_config_places(config);
    Checker checker = { .config = config, .diags = diags };

    for (unsigned i = 0; i < config->items->len; i++) {
        const VitConfigItem *item = checker.item = vit_config_get_item(config, i);

        if (item->type != VIT_ITEM_OPTION && item->type != VIT_ITEM_IMAGE)
            continue;
        for (unsigned p = 0; p < vit_config_item_n(item); p++) {
            const VitParam *param = vit_config_item_param(item, p);
            const VitOptionKey *key =
                item->option == NULL
                    ? &image
                    : vit_option_find_key(item->option, vit_config_item_get_variant(item),
                                          param->key, NULL);
            vit_config_item_get_value_range(item, (int)p, &checker.start, &checker.end);
            checker.start += places[i];
            checker.end += places[i];
            check_param(&checker, p, key);
            if (hook != NULL)
                hook(item, p, key, diags, checker.start, checker.end, data);
        }
    }
}
