/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Writer of machine.conf; vit-conf-read.c describes the format. A group that did not change is
 * written as it was read, one that did keeps the comments and the order of its keys.
 * Saving, invariants:
 *   1. PATH is at every moment a complete file, the old or the new one: the new one is written to
 *      PATH.new and flushed before it is renamed over PATH.
 *   2. PATH~ is at every moment absent or a complete earlier version.
 *   3. After a successful return the new file survives a power cut: the folder is flushed too.
 * Thread: any that may block on I/O; one writer per file (the machine's lock sees to that). */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "vit-config-private.h"
#include "vit-token.h"

char *
vit_conf_escape(const char *value)
{
    GString *out = g_string_new(NULL);
    size_t len = strlen(value);

    for (size_t i = 0; i < len; i++) {
        bool at_edge = i == 0 || i == len - 1;

        switch (value[i]) {
        case '\\': g_string_append(out, "\\\\"); break;
        case '\n': g_string_append(out, "\\n"); break;
        case '\r': g_string_append(out, "\\r"); break;
        case '\t': g_string_append(out, "\\t"); break;
        case ' ': g_string_append(out, at_edge ? "\\s" : " "); break;
        default: g_string_append_c(out, value[i]); break;
        }
    }
    return g_string_free(out, FALSE);
}

/* ---- what an item says --------------------------------------------------------------------- */

static void
pair_clear(gpointer data)
{
    VitConfPair *pair = data;

    g_free(pair->key);
    g_free(pair->value);
}

static void
add_pair(GArray *pairs, const char *key, const char *value)
{
    unsigned uses = 1;
    VitConfPair pair = { .value = g_strdup(value) };

    for (unsigned i = 0; i < pairs->len; i++) {
        const char *other = g_array_index(pairs, VitConfPair, i).key;
        size_t len = strcspn(other, "#");
        if (strlen(key) == len && strncmp(other, key, len) == 0)
            uses++;
    }
    pair.key = uses > 1 ? g_strdup_printf("%s#%u", key, uses) : g_strdup(key);
    g_array_append_val(pairs, pair);
}

/* Whether KEY can stand before the '=' of a line and be read back. */
static bool
is_plain_key(const char *key)
{
    if (key[0] == '\0' || key[0] == '@')
        return false;
    for (const char *c = key; *c != '\0'; c++)
        if (!g_ascii_isalnum(*c) && strchr("-_.+:", *c) == NULL && (unsigned char)*c < 0x80)
            return false;
    return true;
}

static bool
has_plain_keys(const VitConfigItem *item)
{
    for (unsigned i = 0; i < vit_config_item_n(item); i++)
        if (!is_plain_key(vit_config_item_param(item, i)->key))
            return false;
    return true;
}

/* Whether the group's name says the id well enough. */
static bool
is_group_id(const VitConfigItem *item, unsigned param)
{
    const VitOption *option = item->option;
    const VitParam *p = vit_config_item_param(item, param);

    for (unsigned i = 0; i < param; i++)
        if (strcmp(vit_config_item_param(item, i)->key, p->key) == 0)
            return false;
    return option != NULL && option->id_key != NULL && strcmp(p->key, option->id_key) == 0 &&
           param == vit_config_item_n(item) - 1 && p->value[0] != '\0' &&
           p->value[strcspn(p->value, "#[]\n\r \t\\")] == '\0';
}

static bool
is_full_form(const VitConfigItem *item)
{
    g_autoptr(VitConfigItem) full = vit_config_item_clone(item);

    return item->type != VIT_ITEM_UNKNOWN && vit_config_item_print(full, NULL) &&
           strcmp(full->source, item->source) == 0;
}

GArray *
vit_conf_pairs(VitConfig *config, const VitConfigItem *item, unsigned index)
{
    GArray *pairs = g_array_new(FALSE, TRUE, sizeof(VitConfPair));
    const char *usual = index == 0 ? "" : config->separator ? config->separator : "\n";
    bool is_plain = has_plain_keys(item);

    g_array_set_clear_func(pairs, pair_clear);
    const char *lead = vit_config_item_lead(item, index);

    if (strcmp(lead, usual) != 0)
        add_pair(pairs, "@lead", lead);
    if (item->type == VIT_ITEM_UNKNOWN) {
        add_pair(pairs, "text", item->source);
        return pairs;
    }
    if (item->origin == VIT_ORIGIN_DEFAULT)
        add_pair(pairs, "@origin", "default");
    if (item->is_json) {
        g_autofree char *argument = vit_config_item_argument(item);
        add_pair(pairs, "@json", argument);
    }
    if (!is_plain || !is_full_form(item))
        add_pair(pairs, "@source", item->source);
    for (unsigned i = 0; is_plain && !item->is_json && i < vit_config_item_n(item); i++) {
        const VitParam *param = vit_config_item_param(item, i);
        if (!is_group_id(item, i))
            add_pair(pairs, param->key, param->value);
    }
    return pairs;
}

/* ---- groups -------------------------------------------------------------------------------- */

/* The name in the first [line] of TEXT. Ownership: caller. */
static char *
name_in(const char *text)
{
    VitConfLine line;
    char *name = NULL;

    while (name == NULL && text != NULL && vit_conf_next_line(&text, &line)) {
        name = g_steal_pointer(&line.group);
        vit_conf_line_clear(&line);
    }
    return name;
}

static char *
wanted_name(const VitConfigItem *item)
{
    unsigned n = vit_config_item_n(item);

    if (item->type == VIT_ITEM_UNKNOWN)
        return g_strdup("raw");
    for (unsigned i = 0; i < n; i++)
        if (is_group_id(item, i))
            return g_strdup_printf("%s:%s", item->name, vit_config_item_param(item, i)->value);
    const char *id = vit_config_item_get_id(item);
    if (id != NULL && id[0] != '\0' && id[strcspn(id, "#[]\n\r \t\\")] == '\0')
        return g_strdup_printf("%s:%s", item->name, id);
    return g_strdup(item->name);
}

/* Whether a group called NAME is read as one of ITEM's option, without saying an id. */
static bool
fits(const char *name, const VitConfigItem *item)
{
    const char *option = item->type == VIT_ITEM_UNKNOWN ? "raw" : item->name;
    size_t len = strlen(option);

    return strncmp(name, option, len) == 0 && (name[len] == '\0' || name[len] == '#') &&
           vit_config_item_get_id(item) == NULL;
}

static char *
free_name(GHashTable *names, const VitConfigItem *item)
{
    g_autofree char *wanted = wanted_name(item);

    if (!g_hash_table_contains(names, wanted))
        return g_steal_pointer(&wanted);
    for (unsigned n = 2;; n++) {
        g_autofree char *name = g_strdup_printf("%s#%u", wanted, n);
        if (!g_hash_table_contains(names, name))
            return g_steal_pointer(&name);
    }
}

static void
write_pair(GString *out, const VitConfPair *pair)
{
    g_autofree char *value = vit_conf_escape(pair->value);

    g_string_append_printf(out, "%s=%s\n", pair->key, value);
}

static const VitConfPair *
find_pair(GArray *pairs, const char *key, unsigned *out_index)
{
    for (unsigned i = 0; i < pairs->len; i++) {
        const VitConfPair *pair = &g_array_index(pairs, VitConfPair, i);
        if (strcmp(pair->key, key) == 0) {
            *out_index = i;
            return pair;
        }
    }
    return NULL;
}

/* Whether the keys of BASE that are still there come in the order of PAIRS. */
static bool
keeps_order(const char *base, GArray *pairs)
{
    VitConfLine line;
    int last = -1;
    bool ok = true;
    unsigned index;

    while (ok && vit_conf_next_line(&base, &line)) {
        if (line.key != NULL && line.key[0] != '@' && find_pair(pairs, line.key, &index) != NULL) {
            ok = (int)index > last;
            last = (int)index;
        }
        vit_conf_line_clear(&line);
    }
    return ok;
}

/* Writes the group NAME with PAIRS, keeping the comments and unchanged lines of BASE. */
static void
write_group(GString *out, const char *name, GArray *pairs, const char *base)
{
    g_autofree bool *written = g_new0(bool, pairs->len + 1);
    bool in_order = base != NULL && keeps_order(base, pairs), named = false;
    unsigned next = 0;
    VitConfLine line;

    while (base != NULL && vit_conf_next_line(&base, &line)) {
        unsigned index = 0;
        const VitConfPair *pair = line.key != NULL ? find_pair(pairs, line.key, &index) : NULL;

        if (line.group != NULL) {
            g_string_append_printf(out, "[%s]\n", name);
            named = true;
        } else if (line.key == NULL) {
            g_string_append_len(out, line.text, (gssize)line.len);
            g_string_append_c(out, '\n');
        } else if (pair != NULL && in_order && !written[index]) {
            /* New keys that belong before this one. */
            for (; next < index; next++)
                if (!written[next]) {
                    write_pair(out, &g_array_index(pairs, VitConfPair, next));
                    written[next] = true;
                }
            if (strcmp(pair->value, line.value) == 0) {
                g_string_append_len(out, line.text, (gssize)line.len);
                g_string_append_c(out, '\n');
            } else {
                write_pair(out, pair);
            }
            written[index] = true;
        }
        vit_conf_line_clear(&line);
    }
    if (!named)
        g_string_append_printf(out, "%s[%s]\n", out->len > 0 ? "\n" : "", name);
    for (unsigned i = 0; i < pairs->len; i++)
        if (!written[i])
            write_pair(out, &g_array_index(pairs, VitConfPair, i));
}

/* Whether the group as it was read still says what stands before ITEM in the text. */
static bool
says_lead(VitConfig *config, const VitConfigItem *item, unsigned index)
{
    const char *at = item->conf_text;
    g_autofree char *lead = NULL;
    VitConfLine line;

    while (vit_conf_next_line(&at, &line)) {
        if (line.key != NULL && strcmp(line.key, "@lead") == 0 && lead == NULL)
            lead = g_steal_pointer(&line.value);
        vit_conf_line_clear(&line);
    }
    VitConfigItem probe = { .lead = lead != NULL ? lead
                                    : index == 0 ? (char *)""
                                                 : config->separator };
    return strcmp(vit_config_item_lead(&probe, index), vit_config_item_lead(item, index)) == 0;
}

/* ---- the head ------------------------------------------------------------------------------ */

/* The lead that most items have, so that only the others need to say theirs. */
static char *
usual_lead(VitConfig *config)
{
    g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);
    const char *best = "\n";
    unsigned best_count = 0, shown = 0;

    /* Leads live as long as their items. */

    for (unsigned i = 0; i < config->items->len; i++) {
        const VitConfigItem *item = config->items->pdata[i];

        if (item->type == VIT_ITEM_FOREIGN || shown++ == 0 || item->lead == NULL)
            continue;
        unsigned count = GPOINTER_TO_UINT(g_hash_table_lookup(counts, item->lead)) + 1;
        g_hash_table_insert(counts, item->lead, GUINT_TO_POINTER(count));
        if (count > best_count && vit_is_blank(item->lead)) {
            best = item->lead;
            best_count = count;
        }
    }
    return g_strdup(best);
}

static void
write_head(VitConfig *config, GString *out)
{
    g_autoptr(GArray) pairs = g_array_new(FALSE, TRUE, sizeof(VitConfPair));
    g_autofree char *format = g_strdup_printf("%d", VIT_CONF_FORMAT);
    VitConfLine line;

    g_array_set_clear_func(pairs, pair_clear);
    add_pair(pairs, "format", format);
    add_pair(pairs, "min-reader", "1");
    add_pair(pairs, "min-writer", "1");
    if (strcmp(config->separator, "\n") != 0)
        add_pair(pairs, "separator", config->separator);
    if (config->tail[0] != '\0')
        add_pair(pairs, "tail", config->tail);
    /* What else stands there is somebody's and stays. */
    const char *at = config->conf_head;
    while (at != NULL && vit_conf_next_line(&at, &line)) {
        unsigned index;
        if (line.key != NULL && strcmp(line.key, "separator") != 0 &&
            strcmp(line.key, "tail") != 0 && find_pair(pairs, line.key, &index) == NULL)
            add_pair(pairs, line.key, line.value);
        vit_conf_line_clear(&line);
    }
    write_group(out, "vitrine", pairs, config->conf_head);
}

char *
vit_config_to_conf(VitConfig *config)
{
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GString *out = g_string_new(NULL);
    unsigned shown = 0;

    if (config->separator == NULL)
        config->separator = usual_lead(config);
    write_head(config, out);
    for (unsigned i = 0; i < config->items->len; i++) {
        const VitConfigItem *item = config->items->pdata[i];
        char *name = item->conf_text != NULL ? name_in(item->conf_text) : NULL;
        if (name != NULL)
            g_hash_table_add(names, name);
    }
    for (unsigned i = 0; i < config->items->len; i++) {
        const VitConfigItem *item = config->items->pdata[i];
        unsigned index = item->type == VIT_ITEM_FOREIGN ? 1 : shown++;

        if (item->conf_text != NULL &&
            (item->type == VIT_ITEM_FOREIGN || says_lead(config, item, index))) {
            g_string_append(out, item->conf_text);
            if (!g_str_has_suffix(out->str, "\n"))
                g_string_append_c(out, '\n');
            continue;
        }
        g_autofree char *base_name = name_in(item->conf_base);
        bool reuse =
            base_name != NULL && !g_hash_table_contains(names, base_name) && fits(base_name, item);
        char *name = reuse ? g_strdup(base_name) : free_name(names, item);
        g_autoptr(GArray) pairs = vit_conf_pairs(config, item, index);

        write_group(out, name, pairs, item->conf_base);
        g_hash_table_add(names, name);
    }
    if (config->conf_tail != NULL)
        g_string_append(out, config->conf_tail);
    if (!g_str_has_suffix(out->str, "\n"))
        g_string_append_c(out, '\n');
    return g_string_free(out, FALSE);
}

/* ---- other groups -------------------------------------------------------------------------- */

static int
find_foreign(VitConfig *config, const char *group)
{
    for (unsigned i = 0; i < config->items->len; i++) {
        const VitConfigItem *item = config->items->pdata[i];
        if (item->type == VIT_ITEM_FOREIGN && strcmp(item->name, group) == 0)
            return (int)i;
    }
    return -1;
}

const char *
vit_config_get_meta(VitConfig *config, const char *group, const char *key)
{
    int index = find_foreign(config, group);

    return index >= 0 ? vit_config_item_get(config->items->pdata[index], key) : NULL;
}

/* The text of a foreign group is what counts, as nobody else knows what it means. */
static void
rewrite_foreign(VitConfigItem *item)
{
    g_autoptr(GArray) pairs = g_array_new(FALSE, TRUE, sizeof(VitConfPair));
    GString *out = g_string_new(NULL);

    g_array_set_clear_func(pairs, pair_clear);
    for (unsigned i = 0; i < vit_config_item_n(item); i++) {
        const VitParam *param = vit_config_item_param(item, i);
        VitConfPair pair = { g_strdup(param->key), g_strdup(param->value) };
        g_array_append_val(pairs, pair);
    }
    if (item->conf_text == NULL)
        g_string_append_c(out, '\n');
    write_group(out, item->name, pairs, item->conf_text);
    g_free(item->conf_text);
    item->conf_text = g_string_free(out, FALSE);
}

void
vit_config_set_meta(VitConfig *config, const char *group, const char *key, const char *value)
{
    int index = find_foreign(config, group);
    const VitConfigItem *old = index >= 0 ? config->items->pdata[index] : NULL;

    if (g_strcmp0(old != NULL ? vit_config_item_get(old, key) : NULL, value) == 0)
        return;
    g_autoptr(VitConfigItem) item = old != NULL
                                        ? vit_config_item_clone(old)
                                        : vit_config_item_alloc(VIT_ITEM_FOREIGN, group, NULL);
    int param = vit_config_item_find_param(item, key);
    if (value == NULL) {
        vit_config_item_remove_param(item, (unsigned)param);
    } else if (param < 0) {
        vit_config_item_add_param(item, key, value);
    } else {
        VitParam *changed = vit_config_item_param(item, (unsigned)param);
        g_free(changed->value);
        changed->value = g_strdup(value);
    }
    rewrite_foreign(item);
    if (item->source == NULL)
        item->source = g_strdup("");
    vit_config_put_foreign(config, item);
}

/* ---- saving -------------------------------------------------------------------------------- */

static bool
fail_errno(GError **error, const char *doing, const char *path)
{
    int code = errno;

    g_set_error(error, VIT_ERROR,
                code == EACCES || code == EPERM || code == EROFS ? VIT_ERROR_PERMISSION
                                                                 : VIT_ERROR_IO,
                "%s cannot be %s: %s", path, doing, g_strerror(code));
    return false;
}

static bool
write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool
write_flushed(const char *path, const char *data, GError **error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);

    if (fd < 0)
        return fail_errno(error, "created", path);
    bool ok = write_all(fd, data, strlen(data)) && fsync(fd) == 0;
    if (!ok)
        fail_errno(error, "written", path);
    if (close(fd) != 0 && ok)
        ok = fail_errno(error, "written", path);
    if (!ok)
        unlink(path);
    return ok;
}

static void
flush_folder(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    /* Some file systems cannot flush a folder; the rename is as safe there as it gets. */
    fsync(fd);
    close(fd);
}

/* Makes PATH~ the version that is about to be replaced. Where links are not possible it is copied.
 */
static void
keep_previous(const char *path)
{
    g_autofree char *backup = g_strconcat(path, "~", NULL);
    g_autofree char *link_name = g_strconcat(path, "~.new", NULL);
    g_autofree char *data = NULL;

    unlink(link_name);
    if (link(path, link_name) == 0) {
        if (rename(link_name, backup) != 0 || g_file_test(link_name, G_FILE_TEST_EXISTS))
            unlink(link_name);
        return;
    }
    if (errno != ENOENT && g_file_get_contents(path, &data, NULL, NULL) &&
        write_flushed(link_name, data, NULL) && rename(link_name, backup) != 0)
        unlink(link_name);
}

bool
vit_config_save(VitConfig *config, const char *path, GError **error)
{
    g_autofree char *data = NULL, *new_path = g_strconcat(path, ".new", NULL);

    if (config->is_read_only) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE,
                    "%s was written by a newer version, which lets this one only read it", path);
        return false;
    }
    data = vit_config_to_conf(config);
    if (!write_flushed(new_path, data, error))
        return false;
    keep_previous(path);
    if (rename(new_path, path) != 0) {
        fail_errno(error, "replaced", path);
        unlink(new_path);
        return false;
    }
    flush_folder(path);
    return true;
}
