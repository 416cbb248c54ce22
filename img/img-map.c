/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img map: which runs of an image are data, zeroes or holes, and where they lie. */

#include "img.h"

#include <stdio.h>
#include <string.h>

typedef struct Map {
    ImgOpen how;
    bool json, is_first;
    uint64_t start, max_len;
} Map;

static const char *
word(bool value)
{
    return value ? "true" : "false";
}

static bool
is_continued(const BlkRun *run, const BlkRun *next)
{
    return run->data == next->data && run->zero == next->zero && run->present == next->present &&
           run->depth == next->depth && run->compressed == next->compressed &&
           run->has_offset == next->has_offset &&
           (!run->has_offset || (run->offset + run->len_bytes == next->offset &&
                                 g_strcmp0(run->filename, next->filename) == 0));
}

/* False for data that has no address, which the table for people cannot show. */
static bool
print_run(Map *map, uint64_t start, const BlkRun *run)
{
    if (map->json) {
        printf("%s{ \"start\": %" G_GUINT64_FORMAT ", \"length\": %" G_GUINT64_FORMAT
               ", \"depth\": %u, \"present\": %s, \"zero\": %s, \"data\": %s",
               map->is_first ? "[" : ",\n", start, run->len_bytes, run->depth, word(run->present),
               word(run->zero), word(run->data));
        if (run->has_offset) {
            printf(", \"offset\": %" G_GUINT64_FORMAT, run->offset);
        }
        printf("}");
    } else if (run->data && !run->has_offset) {
        img_error("File contains external, encrypted or compressed clusters.");
        return false;
    } else if (run->data && !run->zero) {
        printf("%#-16" G_GINT64_MODIFIER "x%#-16" G_GINT64_MODIFIER "x%#-16" G_GINT64_MODIFIER
               "x%s\n",
               start, run->len_bytes, run->offset, run->filename ? run->filename : "");
    }
    map->is_first = false;
    return true;
}

static int
print_map(BlkImage *image, Map *map)
{
    uint64_t len = blk_image_get_len(image), end = MIN(len, map->start + map->max_len);
    uint64_t at = map->start, start = map->start;
    BlkRun run = { 0 }, next;

    if (!map->json) {
        printf("%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to", "File");
    }
    while (at < end) {
        int ret = blk_image_describe_run(image, at, end - at, &next);
        if (ret < 0) {
            return img_error("cannot tell what lies at byte %" G_GUINT64_FORMAT ": %s", at,
                             g_strerror(-ret));
        }
        if (run.len_bytes > 0 && is_continued(&run, &next)) {
            run.len_bytes += next.len_bytes;
        } else {
            if (run.len_bytes > 0 && !print_run(map, start, &run)) {
                return IMG_FAILED;
            }
            run = next;
            start = at;
        }
        at += next.len_bytes;
    }
    if (run.len_bytes > 0 && !print_run(map, start, &run)) {
        return IMG_FAILED;
    }
    if (map->json) {
        printf("%s]\n", map->is_first ? "[" : "");
    }
    return IMG_OK;
}

static int
run(BlkGraph *graph, int argc, char **argv)
{
    Map map = { .is_first = true, .max_len = INT64_MAX };
    g_autoptr(BlkNode) node = NULL;
    g_autoptr(BlkImage) image = NULL;
    ImgArgs args;
    int id;

    img_args_init(&args, &img_map_command, graph, argc, argv);
    while ((id = img_args_next(&args)) != -1) {
        if (id == IMG_OPT_OUTPUT) {
            img_args_take_output(&args, &map.json);
        } else if (id == 's' || id == 'l') {
            args.stop = !img_take_size(args.value, id == 's' ? &map.start : &map.max_len);
            args.status = IMG_FAILED;
        } else {
            img_open_take(&map.how, id, args.value);
        }
    }
    img_args_finish(&args);
    if (args.stop) {
        return args.status;
    }
    if (img_args_operands(&args) != 1) {
        img_error("map needs the name of one image");
        return img_usage();
    }
    node = img_open(graph, argv[args.first], &map.how);
    image = node ? img_attach(node, false) : NULL;
    return image ? print_map(image, &map) : IMG_FAILED;
}

static const ImgOption options[] = {
    IMG_ROW_HELP,
    IMG_ROW_FORMAT,
    { 's', "start-offset", "BYTES", "where to begin" },
    { 'l', "max-length", "BYTES", "how far to look" },
    IMG_ROW_OUTPUT,
    IMG_ROW_FORCE_SHARE,
    IMG_ROW_IMAGE_OPTS,
    IMG_ROW_OBJECT,
    { 0 },
};

const ImgCommand img_map_command = {
    .name = "map",
    .operands = "FILE",
    .help = "show where the parts of an image lie",
    .options = options,
    .run = run,
};
