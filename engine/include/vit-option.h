/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The option schema: every option of the command line, its keys and their values, declared once
 * in const tables (engine/options/options-*.c). The command line, the help, the manual page, shell
 * completion, machine.conf, the settings rows and their search are all read from here.
 * Text marked VIT_N_ is translated by the application. Thread: any; all data is const. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vit-error.h"

G_BEGIN_DECLS

/* How an option takes its argument. */
typedef enum {
    VIT_SYNTAX_FLAG,  /* no argument: -S */
    VIT_SYNTAX_VALUE, /* one plain word, commas are ordinary: -kernel FILE */
    VIT_SYNTAX_KEYS,  /* key=value parts separated by commas: -m size=1G,slots=2 */
    VIT_SYNTAX_DEV,   /* a host character device as -serial writes it: tcp::4444,server=on */
    VIT_SYNTAX_LIST,  /* comma separated words: -d int,cpu_reset */
} VitSyntax;

/* What repeated use of an option means. */
typedef enum {
    VIT_REPEAT_LAST,  /* one value; the last one counts: -kernel a -kernel b */
    VIT_REPEAT_MERGE, /* one set of keys, later ones override: -machine pc -machine usb=on */
    VIT_REPEAT_LIST,  /* each use is an object of its own: -device, -drive */
} VitRepeat;

typedef enum {
    VIT_VALUE_STRING,
    VIT_VALUE_BOOL,     /* on|off, also yes|no, true|false, y|n */
    VIT_VALUE_INT,      /* decimal, 0x hexadecimal or 0 octal, within min..max when max > min */
    VIT_VALUE_SIZE,     /* number with b, K, M, G, T, P, E; bare numbers are in size_unit bytes */
    VIT_VALUE_ENUM,     /* one of values[] */
    VIT_VALUE_PATH,     /* a file or folder of the host, see role */
    VIT_VALUE_ID,       /* the id of an instance of another option, see ref */
    VIT_VALUE_NEW_ID,   /* declares an id */
    VIT_VALUE_MAC,      /* aa:bb:cc:dd:ee:ff */
    VIT_VALUE_UUID,     /* 8-4-4-4-12 hexadecimal digits */
    VIT_VALUE_ADDRESS,  /* an IPv4 or IPv6 address or host name; checked when used */
    VIT_VALUE_ANY_KEYS, /* key=value of something outside the schema, kept as given */
} VitValueType;

/* Whether the thing exists in this build, and if not, why not. */
typedef enum {
    VIT_STATUS_INHERIT = 0, /* as the enclosing declaration says */
    VIT_STATUS_AVAILABLE,
    VIT_STATUS_NOT_YET,       /* "not available yet: reason" */
    VIT_STATUS_OTHER_HOST,    /* reason names the host system */
    VIT_STATUS_OTHER_TARGET,  /* reason names the kind of machine */
    VIT_STATUS_REPLACED,      /* refused with reason, which names what to write instead */
    VIT_STATUS_NEEDS_HARDWARE /* tried at run time; the error then names what is missing */
} VitStatus;

/* When a change of a running machine's configuration takes effect. */
typedef enum {
    VIT_CHANGE_RESTART = 0, /* at the guest's next power cycle */
    VIT_CHANGE_HOT,         /* at once */
    VIT_CHANGE_OFF,         /* only while the machine is off */
} VitChange;

typedef enum {
    VIT_PATH_NONE = 0,
    VIT_PATH_READ,    /* an existing file that is read */
    VIT_PATH_IMAGE,   /* a disk image or block URL */
    VIT_PATH_WRITE,   /* created or overwritten */
    VIT_PATH_FOLDER,  /* an existing folder */
    VIT_PATH_SOCKET,  /* a Unix socket */
    VIT_PATH_DEVICE,  /* a host device node */
    VIT_PATH_PROGRAM, /* something that is executed */
} VitPathRole;

typedef enum {
    VIT_OPT_DEPRECATED = 1 << 0,  /* still works, warned about */
    VIT_OPT_REQUIRED = 1 << 1,    /* key must be given */
    VIT_OPT_REPEATS = 1 << 2,     /* key may be given several times, each counts */
    VIT_OPT_DIRECTIONAL = 1 << 3, /* key exists as NAME, in.NAME and out.NAME */
    VIT_OPT_HOST_ONLY = 1 << 4, /* belongs to the launcher; understood, not stored with a machine */
    VIT_OPT_HELP = 1 << 5,      /* the value "help" prints the choices */
    VIT_OPT_DOTTED = 1 << 6,    /* NAME.anything belongs here too and is kept: file.driver=... */
    VIT_OPT_JSON = 1 << 7,      /* the argument may be one JSON object */
    VIT_OPT_OPEN = 1 << 8,      /* unlisted keys are taken without a warning */
    VIT_OPT_SECRET = 1 << 9,    /* never shown in logs or reports */
} VitOptFlags;

typedef struct VitOptionKey VitOptionKey;

/* One value of an enumeration, or one item of a list. */
typedef struct {
    const char *name;
    const char *help;
    VitStatus status;
    const char *reason;
    const char *mission; /* mission rows covered beside the automatic one, separated by spaces */
} VitOptionValue;

struct VitOptionKey {
    const char *name;
    VitValueType type;
    uint32_t flags;  /* VitOptFlags */
    const char *def; /* default as typed; NULL when there is none */
    const char *help;
    const VitOptionValue *values; /* for enumerations: ends with a NULL name */
    const char *ref;              /* VIT_VALUE_ID: options whose ids are meant, separated by '|' */
    int64_t min, max;             /* inclusive, unchecked when both are 0 */
    const char *unit;             /* shown beside numbers: "ms", "MiB" */
    uint64_t size_unit;           /* factor of a size without suffix: 1 (or 0) and VIT_MIB */
    VitPathRole role;
    VitChange change;
    VitStatus status;
    const char *reason;
    const char *since;
    const char *mission;
};

/* What the first value selects: -netdev user, -object secret, -numa dist. */
typedef struct {
    const char *name;
    const char *help;
    const VitOptionKey *keys; /* ends with a NULL name; in addition to the option's own */
    uint32_t flags;           /* VIT_OPT_OPEN, VIT_OPT_DEPRECATED */
    VitStatus status;
    const char *reason;
    const char *since;
    const char *mission;
} VitOptionVariant;

typedef struct {
    const char *name;    /* without the dash */
    const char *aliases; /* separated by spaces */
    VitSyntax syntax;
    VitRepeat repeat;
    const char *metavar; /* argument as the help shows it */
    const char *help;
    const char *section;     /* heading of -help */
    const char *page;        /* settings page; NULL when it has no row */
    const char *implied;     /* key that the first part without '=' belongs to */
    const char *variant_key; /* key whose value selects a variant; NULL is the implied one */
    const char *id_key;      /* key that names the instance, NULL when there is none: "id" */
    const char *group;       /* ids are unique within a group; NULL is the option's own name */
    const char *kind_class;  /* keys come from the kind registry: "device", "machine", "cpu" */
    const VitOptionKey *keys;
    const VitOptionVariant *variants; /* selected by the value of variant_key */
    uint32_t flags;
    VitChange change;
    VitStatus status;
    const char *reason;
    const char *since;
    const char *mission;
} VitOption;

/* A row of the mission tables that is no declaration of its own: keys of the window, environment
 * variables, URL forms, rules. */
typedef struct {
    const char *mission;
    VitStatus status;
    const char *where; /* what realises it */
} VitOptionSpecial;

/* The options in the order the help shows them; NULL past the last. */
const VitOption *vit_option_nth(unsigned index);

/* NAME is without dashes; aliases are found too. Returns NULL when unknown. */
const VitOption *vit_option_find(const char *name);

/* The nearest option name by edit distance, or NULL when none is near. */
const char *vit_option_nearest(const char *name);

const VitOptionVariant *vit_option_find_variant(const VitOption *option, const char *name);

/* VARIANT may be NULL. Understands in./out. prefixes and dotted keys; *out_exact (may be NULL) is
 * false when NAME is only accepted as part of a dotted or open family. */
const VitOptionKey *vit_option_find_key(const VitOption *option, const VitOptionVariant *variant,
                                        const char *name, bool *out_exact);

const VitOptionValue *vit_option_find_value(const VitOptionKey *key, const char *value);

const VitOptionSpecial *vit_option_specials(unsigned *out_n_specials);

/* The error code that goes with a status. */
VitError vit_status_error(VitStatus status);

/* Values as the command line writes them; false when TEXT is not of that form. */
bool vit_value_parse_bool(const char *text, bool *out_value);
bool vit_value_parse_int(const char *text, int64_t *out_value);
bool vit_value_parse_uint(const char *text, uint64_t *out_value);
bool vit_value_parse_size(const char *text, uint64_t default_unit, uint64_t *out_bytes);
bool vit_value_parse_mac(const char *text, uint8_t out_mac[6]);
bool vit_value_parse_uuid(const char *text, uint8_t out_uuid[16]);

/* Checks TEXT against KEY's type, range and values without looking at the host; *out_status
 * (may be NULL) tells of a known value that this build does not have. */
bool vit_value_check(const VitOptionKey *key, const char *text, VitStatus *out_status,
                     GError **error);

G_END_DECLS
