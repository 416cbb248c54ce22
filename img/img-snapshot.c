/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img snapshot: internal snapshots of an image. */

#include "img.h"

#include "blk-info.h"

#include <stdio.h>
#include <string.h>

/* ---- listing ---- */

static int
list(BlkNode *node)
{
    g_autoptr(GPtrArray) snapshots = blk_node_list_snapshots(node);

    if (snapshots && snapshots->len > 0) {
        printf("Snapshot list:\n");
        g_autoptr(GString) text = g_string_new(NULL);
        blk_snapshots_text(text, snapshots);
        fputs(text->str, stdout);
    }
    return IMG_OK;
}

/* ---- changing ---- */

static bool
create(BlkNode *node, const char *name, GError **error)
{
    gint64 now_us = g_get_real_time();
    BlkSnapshot wanted = { .name = (char *)name,
                           .date_s = (uint64_t)(now_us / G_USEC_PER_SEC),
                           .date_ns = (uint32_t)(now_us % G_USEC_PER_SEC) * 1000,
                           .icount = UINT64_MAX };

    return blk_node_create_snapshot(node, &wanted, error);
}

static int
run_action(BlkNode *node, int action, const char *name)
{
    GError *error = NULL;
    bool ok = true;

    switch (action) {
    case 'c': ok = create(node, name, &error); break;
    case 'a': ok = blk_node_apply_snapshot(node, name, &error); break;
    case 'd': ok = blk_node_delete_snapshot(node, name, &error); break;
    default: return list(node);
    }
    return ok ? IMG_OK : img_error_take(error);
}

static int
run(BlkGraph *graph, int argc, char **argv)
{
    ImgOpen how = { .no_backing = true };
    g_autoptr(BlkNode) node = NULL;
    const char *name = NULL;
    int id, action = 0, actions = 0;
    ImgArgs args;

    img_args_init(&args, &img_snapshot_command, graph, argc, argv);
    while ((id = img_args_next(&args)) != -1) {
        if (id == 'l' || id == 'a' || id == 'c' || id == 'd') {
            action = id;
            name = args.value;
            actions++;
        } else {
            img_open_take(&how, id, args.value);
        }
    }
    img_args_finish(&args);
    if (args.stop) {
        return args.status;
    }
    if (actions > 1) {
        img_error("Cannot mix '-l', '-a', '-c', '-d'");
        return img_usage();
    }
    if (img_args_operands(&args) != 1) {
        img_error("snapshot needs the name of one image");
        return img_usage();
    }
    how.write = action && action != 'l';
    /* Going back may show the backing image where the disk was longer. */
    node = img_open(graph, argv[args.first], &how);
    return node ? run_action(node, action, name) : IMG_FAILED;
}

static const ImgOption options[] = {
    IMG_ROW_HELP,
    { 'l', NULL, NULL, "list the snapshots" },
    { 'a', NULL, "NAME", "go back to a snapshot" },
    { 'c', NULL, "NAME", "take a snapshot" },
    { 'd', NULL, "NAME", "delete a snapshot" },
    IMG_ROW_FORCE_SHARE,
    IMG_ROW_QUIET,
    IMG_ROW_IMAGE_OPTS,
    IMG_ROW_OBJECT,
    { 0 },
};

const ImgCommand img_snapshot_command = {
    .name = "snapshot",
    .operands = "FILE",
    .help = "list, take, apply and delete snapshots inside an image",
    .options = options,
    .run = run,
};
