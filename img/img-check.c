/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img check: consistency of an image, and repair. Exit status: 0 sound, 1 the check could
 * not be made, 2 corruptions, 3 leaks only, 63 the format has no check. */

#include "img.h"

#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

typedef struct Check {
    ImgOpen how;
    bool json, quiet;
    const char *repair; /* "leaks", "all" or NULL */
} Check;

static void
print_finding(void *opaque, const char *text)
{
    const Check *check = opaque;

    if (!check->quiet) {
        fprintf(stderr, "%s\n", text);
    }
}

static void
add_count(JsonObject *object, const char *key, uint64_t value, bool always)
{
    if (value > 0 || always) {
        json_object_set_int_member(object, key, (gint64)value);
    }
}

static void
print_json(const char *filename, const char *format, const BlkCheck *result)
{
    g_autoptr(JsonObject) object = json_object_new();

    add_count(object, "image-end-offset", result->image_end_offset, false);
    if (result->has_clusters) {
        add_count(object, "total-clusters", result->total_clusters, false);
    }
    add_count(object, "check-errors", result->check_errors, true);
    add_count(object, "corruptions", result->corruptions, false);
    add_count(object, "leaks", result->leaks, false);
    add_count(object, "corruptions-fixed", result->corruptions_fixed, false);
    add_count(object, "leaks-fixed", result->leaks_fixed, false);
    add_count(object, "allocated-clusters", result->allocated_clusters, false);
    add_count(object, "fragmented-clusters", result->fragmented_clusters, false);
    add_count(object, "compressed-clusters", result->compressed_clusters, false);
    json_object_set_string_member(object, "filename", filename);
    json_object_set_string_member(object, "format", format);
    img_print_json_object(object);
}

static void
print_clusters(const BlkCheck *result)
{
    double total = (double)result->total_clusters, allocated = (double)result->allocated_clusters;

    if (result->has_clusters && result->total_clusters > 0 && result->allocated_clusters > 0) {
        printf("%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT
               " = %0.2f%% allocated, %0.2f%% fragmented, %0.2f%% compressed clusters\n",
               result->allocated_clusters, result->total_clusters, allocated * 100 / total,
               (double)result->fragmented_clusters * 100 / allocated,
               (double)result->compressed_clusters * 100 / allocated);
    }
    if (result->image_end_offset > 0) {
        printf("Image end offset: %" G_GUINT64_FORMAT "\n", result->image_end_offset);
    }
}

static void
print_human(const BlkCheck *result)
{
    if (result->corruptions == 0 && result->leaks == 0 && result->check_errors == 0) {
        printf("No errors were found on the image.\n");
    }
    if (result->corruptions > 0) {
        printf("\n%" G_GUINT64_FORMAT " errors were found on the image.\n"
               "Data may be corrupted, or further writes to the image may corrupt it.\n",
               result->corruptions);
    }
    if (result->leaks > 0) {
        printf("\n%" G_GUINT64_FORMAT " leaked clusters were found on the image.\n"
               "This means waste of disk space, but no harm to data.\n",
               result->leaks);
    }
    if (result->check_errors > 0) {
        printf("\n%" G_GUINT64_FORMAT " internal errors have occurred during the check.\n",
               result->check_errors);
    }
    print_clusters(result);
}

static int
exit_status(const BlkCheck *result)
{
    return result->corruptions > 0    ? IMG_CHECK_CORRUPT
           : result->check_errors > 0 ? IMG_FAILED
           : result->leaks > 0        ? IMG_CHECK_LEAKS
                                      : IMG_OK;
}

/* Repairs, tells what was repaired, and leaves in RESULT what a second look still finds. */
static bool
repair(BlkNode *node, Check *check, BlkCheck *result, GError **error)
{
    BlkCheck fixed = { .fix_leaks = true,
                       .fix_errors = strcmp(check->repair, "all") == 0,
                       .report = print_finding,
                       .opaque = check };

    if (!blk_node_check(node, &fixed, error)) {
        return false;
    }
    if ((fixed.corruptions_fixed || fixed.leaks_fixed) && !check->json && !check->quiet) {
        printf("The following inconsistencies were found and repaired:\n\n"
               "    %" G_GUINT64_FORMAT " leaked clusters\n    %" G_GUINT64_FORMAT
               " corruptions\n\nDouble checking the fixed image now...\n",
               fixed.leaks_fixed, fixed.corruptions_fixed);
    }
    if (!blk_node_check(node, result, error)) {
        return false;
    }
    result->leaks_fixed = fixed.leaks_fixed;
    result->corruptions_fixed = fixed.corruptions_fixed;
    return true;
}

static int
check_node(BlkNode *node, const char *filename, Check *check)
{
    BlkCheck result = { .report = print_finding, .opaque = check };
    GError *error = NULL;
    BlkNodeInfo info;

    if (!(check->repair ? repair(node, check, &result, &error)
                        : blk_node_check(node, &result, &error))) {
        return img_error_take(error);
    }
    blk_node_get_info(node, &info);
    if (check->json) {
        print_json(filename, info.driver, &result);
    } else if (!check->quiet) {
        print_human(&result);
    }
    return exit_status(&result);
}

static int
check_file(BlkGraph *graph, const char *filename, Check *check)
{
    BlkNode *node = img_open(graph, filename, &check->how);
    BlkNodeInfo info;
    int status;

    if (!node) {
        return IMG_FAILED;
    }
    blk_node_get_info(node, &info);
    if (!blk_node_can_check(node)) {
        if (!check->quiet) {
            img_error("This image format does not support checks");
        }
        status = IMG_CHECK_NOT_SUPPORTED;
    } else if (check->repair) {
        g_autofree char *format = g_strdup(info.driver);
        ImgOpen how = check->how;
        how.write = true;
        how.for_check = strcmp(format, "qcow2") == 0;
        how.format = how.image_opts ? NULL : format;
        blk_node_unref(node);
        node = img_open(graph, filename, &how);
        status = node ? check_node(node, filename, check) : IMG_FAILED;
    } else {
        status = check_node(node, filename, check);
    }
    blk_node_unref(node);
    return status;
}

static int
run(BlkGraph *graph, int argc, char **argv)
{
    Check check = { .how = { .no_backing = true } };
    ImgArgs args;
    int id;

    img_args_init(&args, &img_check_command, graph, argc, argv);
    while ((id = img_args_next(&args)) != -1) {
        if (id == 'r') {
            check.repair = args.value;
        } else if (id == 'q') {
            check.quiet = true;
        } else if (id == IMG_OPT_OUTPUT) {
            img_args_take_output(&args, &check.json);
        } else {
            img_open_take(&check.how, id, args.value);
        }
    }
    img_args_finish(&args);
    if (args.stop) {
        return args.status;
    }
    if (check.repair && strcmp(check.repair, "leaks") != 0 && strcmp(check.repair, "all") != 0) {
        return img_error("-r takes leaks or all, not '%s'", check.repair);
    }
    if (img_args_operands(&args) != 1) {
        img_error("check needs the name of one image");
        return img_usage();
    }
    return check_file(graph, argv[args.first], &check);
}

static const ImgOption options[] = {
    IMG_ROW_HELP,
    IMG_ROW_FORMAT,
    { 'r', "repair", "leaks|all", "repair leaks, or all that can be" },
    IMG_ROW_OUTPUT,
    IMG_ROW_SRC_CACHE,
    IMG_ROW_FORCE_SHARE,
    IMG_ROW_QUIET,
    IMG_ROW_IMAGE_OPTS,
    IMG_ROW_OBJECT,
    { 0 },
};

const ImgCommand img_check_command = {
    .name = "check",
    .operands = "FILE",
    .help = "look whether an image is consistent, and repair it",
    .options = options,
    .run = run,
};
