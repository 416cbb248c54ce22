/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the files that check a configuration share. */

#include "vit-config-private.h"

/* Bytes of an item's text. */
typedef struct {
    size_t start, end;
} VitRange;

typedef struct {
    VitConfig *config;
    const VitKindRegistry *registry;
    VitDiagList *diags;
    size_t *starts; /* place of each item in the text */
    /* the item at hand */
    const VitConfigItem *item;
    size_t base;
} VitChecker;

VitRange vit_check_whole(const VitChecker *checker);
VitRange vit_check_key_range(const VitChecker *checker, unsigned param);
VitRange vit_check_value_range(const VitChecker *checker, unsigned param);
/* The bytes START..END of a value, if it is written without quotes and doubled commas; otherwise
 * all of it. */
VitRange vit_check_part_range(const VitChecker *checker, unsigned param, size_t start, size_t end);

void vit_check_tell(VitChecker *checker, VitRange range, VitSeverity severity, VitError code,
                    const char *fix, const char *replacement, const char *format, ...)
    G_GNUC_PRINTF(7, 8);

#define VIT_CHECK_BAD(checker, range, fix, replacement, ...)                            \
    vit_check_tell(checker, range, VIT_SEVERITY_ERROR, VIT_ERROR_INVALID_ARGUMENT, fix, \
                   replacement, __VA_ARGS__)

/* "did you mean 'x'?", or NULL. Ownership: caller. */
char *vit_check_did_you_mean(const char *nearest);

/* Tells of a status that rules something out; WHAT is what the user wrote. False if it does. */
bool vit_check_status(VitChecker *checker, VitRange range, VitStatus status, const char *reason,
                      const char *what);

/* vit-check-keys.c */
bool vit_check_is_default(const VitOptionKey *key, const char *value);
void vit_check_value(VitChecker *checker, const VitOptionKey *key, const char *value,
                     VitRange range, const char *what);
void vit_check_reference(VitChecker *checker, const VitOptionKey *key, const char *value,
                         VitRange range, const char *what);
/* Whether the item asks what there is rather than for something. */
bool vit_check_asks_for_help(const VitConfigItem *item);
/* Everything about the keys of the item at hand. */
void vit_check_keys(VitChecker *checker);
