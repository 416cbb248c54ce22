/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A machine's arguments as text: a draft that is checked as it is typed and becomes the
 * configuration in one step when it is applied. Thread: main. */

#include "app-settings.h"

G_BEGIN_DECLS

/* What applying would change, in words. */
typedef struct {
    VitDiffType type;
    char *text;
    VitChange change; /* when it counts in a running machine */
} AppCommandChange;

#define APP_TYPE_COMMAND_LINE (app_command_line_get_type())
G_DECLARE_FINAL_TYPE(AppCommandLine, app_command_line, APP, COMMAND_LINE, GObject)

/* Signals:
 *   "checked" (): what is wrong with the draft is known anew;
 *   "replaced" (): the configuration changed elsewhere and the draft, which had no changes of its
 *   own, follows; read the text again;
 *   "outdated" (): the configuration changed elsewhere while the draft had changes of its own. */

AppCommandLine *app_command_line_new(AppSettings *settings);

const char *app_command_line_get_text(AppCommandLine *line);
/* Checks TEXT at once, and what it needs of the host a moment later. */
void app_command_line_set_text(AppCommandLine *line, const char *text);
/* Whether the draft is not what the configuration says. */
gboolean app_command_line_is_changed(AppCommandLine *line);
gboolean app_command_line_is_outdated(AppCommandLine *line);
/* Problems of the draft, sorted by place. Ownership: borrowed until the next text. */
VitDiagList *app_command_line_get_diags(AppCommandLine *line);
/* The problem at, or nearest after (before when BACKWARD) the byte AT, going round; NULL. */
const VitDiag *app_command_line_next_problem(AppCommandLine *line, size_t at, gboolean backward);
/* Element-type AppCommandChange. Ownership: caller. */
GPtrArray *app_command_line_list_changes(AppCommandLine *line);
/* One step of undo. */
void app_command_line_apply(AppCommandLine *line);
/* Back to what the configuration says. */
void app_command_line_revert(AppCommandLine *line);

/* What can stand at byte AT of the draft: from the tables, and files of the host where one belongs,
 * spelt for that place. Ownership: caller. */
VitCompletions *app_command_line_complete(AppCommandLine *line, size_t at);
/* The text with START..END replaced. Ownership: caller. */
char *app_text_splice(const char *text, size_t start, size_t end, const char *replacement);

/* A command for a POSIX shell that runs CONFIG from any folder: paths are absolute. PROGRAM:
 * "vitrine-run" or "qemu-system-x86_64". Ownership: caller. */
char *app_config_to_shell(VitConfig *config, const char *program);

G_END_DECLS
