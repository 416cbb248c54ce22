/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Authorisation: authz-simple and authz-list-file. The file is an object with "policy" ("allow" or
 * "deny", for whom no rule matches) and "rules", each with "match", "policy" and "format" ("exact"
 * or "glob"). The first rule that matches decides. A file that has become unreadable denies
 * everybody until it can be read again. Thread: the owner's. */

#include "vit-authz.h"

#include "vit-error.h"

#include <json-glib/json-glib.h>
#include <string.h>

typedef struct Rule {
    char *match;
    bool allow, is_glob;
} Rule;

struct VitAuthz {
    char *identity; /* simple */
    char *filename;
    bool refresh;
    GPtrArray *rules; /* NULL: unreadable, nobody may */
    bool allow_others;
};

static void
rule_free(gpointer data)
{
    Rule *rule = data;

    g_free(rule->match);
    g_free(rule);
}

/* DEF when it is absent; "" when it is no string. */
static const char *
get_string(JsonObject *object, const char *name, const char *def)
{
    JsonNode *node = json_object_get_member(object, name);

    return !node ? def
           : JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING
               ? json_node_get_string(node)
               : "";
}

/* "allow" or "deny". */
static bool
read_policy(JsonObject *object, bool *out_allow, GError **error)
{
    const char *policy = get_string(object, "policy", "deny");

    *out_allow = strcmp(policy, "allow") == 0;
    if (!*out_allow && strcmp(policy, "deny") != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "a policy is allow or deny, not '%s'", policy);
        return false;
    }
    return true;
}

static bool
read_rule(JsonNode *node, GPtrArray *rules, GError **error)
{
    JsonObject *object = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    const char *match = object ? get_string(object, "match", NULL) : NULL;
    const char *format = object ? get_string(object, "format", "exact") : "exact";
    Rule *rule;
    bool allow;

    if (!match || (strcmp(format, "exact") != 0 && strcmp(format, "glob") != 0)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "a rule needs \"match\", and a format that is exact or glob");
        return false;
    }
    if (!read_policy(object, &allow, error)) {
        return false;
    }
    rule = g_new0(Rule, 1);
    rule->match = g_strdup(match);
    rule->allow = allow;
    rule->is_glob = *format == 'g';
    g_ptr_array_add(rules, rule);
    return true;
}

static bool
read_rules(VitAuthz *authz, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    g_autoptr(GPtrArray) rules = g_ptr_array_new_with_free_func(rule_free);
    JsonNode *root, *list;
    JsonObject *object;

    if (!json_parser_load_from_file(parser, authz->filename, error)) {
        return false;
    }
    root = json_parser_get_root(parser);
    if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "it is no JSON object");
        return false;
    }
    object = json_node_get_object(root);
    list = json_object_get_member(object, "rules");
    if (list && !JSON_NODE_HOLDS_ARRAY(list)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "\"rules\" is no array");
        return false;
    }
    for (guint i = 0; list && i < json_array_get_length(json_node_get_array(list)); i++) {
        if (!read_rule(json_array_get_element(json_node_get_array(list), i), rules, error)) {
            return false;
        }
    }
    if (!read_policy(object, &authz->allow_others, error)) {
        return false;
    }
    g_clear_pointer(&authz->rules, g_ptr_array_unref);
    authz->rules = g_steal_pointer(&rules);
    return true;
}

/* Read anew for each connection, which is rare: the time of a change is too coarse to see one by.
 */
static void
refresh(VitAuthz *authz)
{
    if (authz->refresh && !read_rules(authz, NULL)) {
        g_clear_pointer(&authz->rules, g_ptr_array_unref);
    }
}

VitAuthz *
vit_authz_new_simple(const char *identity)
{
    VitAuthz *authz = g_new0(VitAuthz, 1);

    authz->identity = g_strdup(identity);
    return authz;
}

VitAuthz *
vit_authz_new_list_file(const char *filename, bool refresh_it, GError **error)
{
    VitAuthz *authz = g_new0(VitAuthz, 1);

    authz->filename = g_strdup(filename);
    authz->refresh = refresh_it;
    if (!read_rules(authz, error)) {
        g_prefix_error(error, "The rules of '%s' cannot be used: ", filename);
        vit_authz_free(authz);
        return NULL;
    }
    return authz;
}

void
vit_authz_free(VitAuthz *authz)
{
    if (authz) {
        g_clear_pointer(&authz->rules, g_ptr_array_unref);
        g_free(authz->identity);
        g_free(authz->filename);
        g_free(authz);
    }
}

bool
vit_authz_is_allowed(VitAuthz *authz, const char *identity)
{
    if (authz->identity) {
        return strcmp(authz->identity, identity) == 0;
    }
    refresh(authz);
    for (guint i = 0; authz->rules && i < authz->rules->len; i++) {
        const Rule *rule = authz->rules->pdata[i];
        if (rule->is_glob ? g_pattern_match_simple(rule->match, identity)
                          : strcmp(rule->match, identity) == 0) {
            return rule->allow;
        }
    }
    return authz->rules && authz->allow_others;
}
