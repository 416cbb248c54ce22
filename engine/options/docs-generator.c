/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Build tool: prints a document made from the option schema.
 * usage: docs-generator man|bash|json|mission
 * `mission` prints the rows of the mission table that declarations cover: id, status, where. */

#include <stdio.h>
#include <string.h>

#include "vit-help.h"
#include "vit-option-private.h"

static const char *
status_name(VitStatus status)
{
    switch (status) {
    case VIT_STATUS_AVAILABLE: return "available";
    case VIT_STATUS_OTHER_HOST: return "other-host";
    case VIT_STATUS_OTHER_TARGET: return "other-target";
    case VIT_STATUS_REPLACED: return "replaced";
    case VIT_STATUS_NEEDS_HARDWARE: return "needs-hardware";
    default: return "not-yet";
    }
}

static void
print_row(const char *id, VitStatus status, const char *where, void *data)
{
    printf("%s\t%s\t%s\n", id, status_name(status), where);
}

int
main(int argc, char **argv)
{
    const char *what = argc == 2 ? argv[1] : "";
    g_autofree char *text = NULL;

    if (strcmp(what, "mission") == 0) {
        vit_mission_walk(print_row, NULL);
        return 0;
    }
    if (strcmp(what, "man") == 0)
        text = vit_help_man();
    else if (strcmp(what, "bash") == 0)
        text = vit_help_bash_completion();
    else if (strcmp(what, "json") == 0)
        text = vit_help_json();
    if (text == NULL) {
        fprintf(stderr, "usage: %s man|bash|json|mission\n", argv[0]);
        return 1;
    }
    fputs(text, stdout);
    return 0;
}
