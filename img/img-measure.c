/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img measure: how large the file of a new image would be. */

#include "img.h"

#include <json-glib/json-glib.h>
#include <stdio.h>

enum { OPT_SIZE = IMG_OPT_OWN };

typedef struct Measure {
    ImgOpen how;
    const char *format, *snapshot;
    BlkOptions *options;
    bool json, has_size;
    uint64_t size;
} Measure;

static void
print_result(const Measure *measure, const BlkMeasure *result)
{
    g_autoptr(JsonObject) object = NULL;

    if (!measure->json) {
        printf("required size: %" G_GUINT64_FORMAT "\nfully allocated size: %" G_GUINT64_FORMAT
               "\n",
               result->required_bytes, result->fully_allocated_bytes);
        if (result->has_bitmaps) {
            printf("bitmaps size: %" G_GUINT64_FORMAT "\n", result->bitmaps_bytes);
        }
        return;
    }
    object = json_object_new();
    json_object_set_int_member(object, "required", (gint64)result->required_bytes);
    json_object_set_int_member(object, "fully-allocated", (gint64)result->fully_allocated_bytes);
    if (result->has_bitmaps) {
        json_object_set_int_member(object, "bitmaps", (gint64)result->bitmaps_bytes);
    }
    img_print_json_object(object);
}

static int
run_measure(BlkGraph *graph, Measure *measure, const char *filename)
{
    g_autofree char *size = NULL;
    g_autoptr(BlkNode) node = NULL;
    GError *error = NULL;
    BlkMeasure result;

    if (filename) {
        node = img_open(graph, filename, &measure->how);
        if (!node) {
            return IMG_FAILED;
        }
        if (measure->snapshot && !blk_node_show_snapshot(node, measure->snapshot, &error)) {
            return img_error_take(error);
        }
        measure->size = blk_node_get_len(node);
    }
    size = g_strdup_printf("%" G_GUINT64_FORMAT, measure->size);
    blk_options_set(measure->options, "size", size);
    if (!blk_measure(graph, measure->format, measure->options, node, &result, &error)) {
        return img_error_take(error);
    }
    print_result(measure, &result);
    return IMG_OK;
}

static void
take_option(Measure *measure, ImgArgs *args, int id)
{
    GError *error = NULL;

    if (id == 'O') {
        measure->format = args->value;
    } else if (id == 'l') {
        measure->snapshot = args->value;
    } else if (id == 'o' && !img_parse_options(measure->options, args->value, &error)) {
        args->stop = true;
        args->status = img_error_take(error);
    } else if (id == IMG_OPT_OUTPUT) {
        img_args_take_output(args, &measure->json);
    } else if (id == OPT_SIZE) {
        measure->has_size = true;
        args->stop = !img_take_size(args->value, &measure->size);
        args->status = IMG_FAILED;
    } else {
        img_open_take(&measure->how, id, args->value);
    }
}

static int
run(BlkGraph *graph, int argc, char **argv)
{
    Measure measure = { .format = "raw", .options = blk_options_new() };
    ImgArgs args;
    int id, status, operands;

    img_args_init(&args, &img_measure_command, graph, argc, argv);
    while ((id = img_args_next(&args)) != -1) {
        take_option(&measure, &args, id);
    }
    img_args_finish(&args);
    operands = img_args_operands(&args);
    if (args.stop) {
        status = args.status;
    } else if (operands > 1 || (operands == 1) == measure.has_size) {
        img_error("measure needs either --size or the name of one image");
        status = img_usage();
    } else {
        status = run_measure(graph, &measure, operands ? argv[args.first] : NULL);
    }
    blk_options_free(measure.options);
    return status;
}

static const ImgOption options[] = {
    IMG_ROW_HELP,
    IMG_ROW_FORMAT,
    { 'O', NULL, "FMT", "format of the new image; raw if not given" },
    { 'o', NULL, "OPTIONS", "create options of the new image" },
    { OPT_SIZE, "size", "BYTES", "size of the disk, instead of an image" },
    { 'l', NULL, "SNAPSHOT", "measure a snapshot of the image" },
    IMG_ROW_OUTPUT,
    IMG_ROW_FORCE_SHARE,
    IMG_ROW_IMAGE_OPTS,
    IMG_ROW_OBJECT,
    { 0 },
};

const ImgCommand img_measure_command = {
    .name = "measure",
    .operands = "(--size BYTES | FILE)",
    .help = "tell how large a new image would be",
    .options = options,
    .run = run,
};
