/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The pages, and which of them a page name of the schema or a device category belongs to. What is
 * in no table stands on the page of everything else. Thread: main. */

#include "app-settings.h"

#include <glib/gi18n.h>
#include <string.h>

static const struct {
    const char *name, *title, *icon;
} pages[APP_PAGE_LAST] = {
    [APP_PAGE_SYSTEM] = { "system", N_("System"), "computer-symbolic" },
    [APP_PAGE_PROCESSOR] = { "processor", N_("Processor"), "power-profile-performance-symbolic" },
    [APP_PAGE_MEMORY] = { "memory", N_("Memory"), "media-flash-symbolic" },
    [APP_PAGE_DISPLAY] = { "display", N_("Display"), "video-display-symbolic" },
    [APP_PAGE_STORAGE] = { "storage", N_("Storage"), "drive-harddisk-symbolic" },
    [APP_PAGE_NETWORK] = { "network", N_("Network"), "network-wired-symbolic" },
    [APP_PAGE_SOUND] = { "sound", N_("Sound"), "audio-speakers-symbolic" },
    [APP_PAGE_PORTS] = { "ports", N_("Ports"), "utilities-terminal-symbolic" },
    [APP_PAGE_INPUT] = { "input", N_("Input"), "input-keyboard-symbolic" },
    [APP_PAGE_BOOT] = { "boot", N_("Boot"), "system-run-symbolic" },
    [APP_PAGE_ADVANCED] = { "advanced", N_("Advanced"), "preferences-other-symbolic" },
};

static const struct {
    const char *schema_page;
    AppPage page;
} by_schema[] = {
    { "System", APP_PAGE_SYSTEM },
    { "General", APP_PAGE_SYSTEM },
    { "Processor", APP_PAGE_PROCESSOR },
    { "Memory", APP_PAGE_MEMORY },
    { "Display", APP_PAGE_DISPLAY },
    { "Remote access", APP_PAGE_DISPLAY },
    { "Disks", APP_PAGE_STORAGE },
    { "Shared folders", APP_PAGE_STORAGE },
    { "Network", APP_PAGE_NETWORK },
    { "Sound", APP_PAGE_SOUND },
    { "Ports and consoles", APP_PAGE_PORTS },
    { "Keyboard and mouse", APP_PAGE_INPUT },
    { "USB", APP_PAGE_INPUT },
    { "Boot", APP_PAGE_BOOT },
};

static const struct {
    const char *category;
    AppPage page;
} by_category[] = {
    { "Storage", APP_PAGE_STORAGE }, { "Network", APP_PAGE_NETWORK }, { "Input", APP_PAGE_INPUT },
    { "Display", APP_PAGE_DISPLAY }, { "Sound", APP_PAGE_SOUND },     { "USB", APP_PAGE_INPUT },
    { "CPU", APP_PAGE_PROCESSOR },
};

const char *
app_page_name(AppPage page)
{
    return pages[page].name;
}

const char *
app_page_title(AppPage page)
{
    return _(pages[page].title);
}

const char *
app_page_icon(AppPage page)
{
    return pages[page].icon;
}

AppPage
app_page_of_option(const VitOption *option)
{
    for (unsigned i = 0; option->page && i < G_N_ELEMENTS(by_schema); i++) {
        if (strcmp(by_schema[i].schema_page, option->page) == 0) {
            return by_schema[i].page;
        }
    }
    return APP_PAGE_ADVANCED;
}

AppPage
app_page_of_category(const char *category)
{
    for (unsigned i = 0; category && i < G_N_ELEMENTS(by_category); i++) {
        if (strcmp(by_category[i].category, category) == 0) {
            return by_category[i].page;
        }
    }
    return APP_PAGE_ADVANCED;
}
