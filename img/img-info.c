/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img info: what an image is, for people and as JSON. */

#include "img.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static void
print_human(const char *filename, const BlkNodeInfo *info)
{
    g_autofree char *len = img_format_size(info->len_bytes);
    g_autofree char *allocated = info->allocated_bytes < 0
                                     ? g_strdup("unavailable")
                                     : img_format_size((uint64_t)info->allocated_bytes);

    printf("image: %s\nfile format: %s\nvirtual size: %s (%" G_GUINT64_FORMAT
           " bytes)\ndisk size: %s\n",
           filename, info->driver, len, info->len_bytes, allocated);
}

static void
print_json(const char *filename, const BlkNodeInfo *info, const char *indent)
{
    g_autofree char *name = img_json_string(filename), *driver = img_json_string(info->driver);

    printf("%s{\n%s    \"virtual-size\": %" G_GUINT64_FORMAT ",\n%s    \"filename\": %s,\n"
           "%s    \"format\": %s,\n",
           indent, indent, info->len_bytes, indent, name, indent, driver);
    if (info->allocated_bytes >= 0) {
        printf("%s    \"actual-size\": %" G_GINT64_FORMAT ",\n", indent, info->allocated_bytes);
    }
    printf("%s    \"dirty-flag\": false\n%s}\n", indent, indent);
}

int
img_info(BlkGraph *graph, int argc, char **argv)
{
    enum { OPT_OUTPUT = 256, OPT_CHAIN, OPT_IMAGE_OPTS, OPT_OBJECT };
    static const struct option long_options[] = {
        { "help", no_argument, NULL, 'h' },
        { "format", required_argument, NULL, 'f' },
        { "output", required_argument, NULL, OPT_OUTPUT },
        { "backing-chain", no_argument, NULL, OPT_CHAIN },
        { "force-share", no_argument, NULL, 'U' },
        { "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
        { "object", required_argument, NULL, OPT_OBJECT },
        { 0 },
    };
    ImgOpen how = { 0 };
    bool json = false, chain = false;
    g_autoptr(BlkNode) node = NULL;
    BlkNodeInfo info;
    int option;

    while ((option = getopt_long(argc, argv, "+hf:U", long_options, NULL)) != -1) {
        switch (option) {
        case 'f': how.format = optarg; break;
        case 'U': how.force_share = true; break;
        case OPT_IMAGE_OPTS: how.image_opts = true; break;
        case OPT_CHAIN: chain = true; break;
        case OPT_OBJECT: return img_not_yet("--object");
        case OPT_OUTPUT:
            json = strcmp(optarg, "json") == 0;
            if (!json && strcmp(optarg, "human") != 0) {
                return img_error("--output must be used with human or json as argument");
            }
            break;
        default: return img_usage();
        }
    }
    if (optind + 1 != argc) {
        img_error("info needs the name of one image");
        return img_usage();
    }
    node = img_open(graph, argv[optind], &how);
    if (!node) {
        return IMG_FAILED;
    }
    blk_node_get_info(node, &info);
    if (json) {
        printf("%s", chain ? "[\n" : "");
        print_json(argv[optind], &info, chain ? "    " : "");
        printf("%s", chain ? "]\n" : "");
    } else {
        print_human(argv[optind], &info);
    }
    return IMG_OK;
}
