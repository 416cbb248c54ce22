/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img run as its users run it; where qemu-img is installed, both are asked the same. */

#include "host-programs.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Fixture {
    char *dir;
    char *out, *err;
    int status;
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
    f->dir = g_dir_make_tmp("vitrine-img-XXXXXX", NULL);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    GDir *dir = g_dir_open(f->dir, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(f->dir, name, NULL);
        g_unlink(path);
    }
    g_dir_close(dir);
    g_rmdir(f->dir);
    g_free(f->dir);
    g_free(f->out);
    g_free(f->err);
}

/* Runs PROGRAM with the words of ARGS in the fixture's folder. */
static void
run_program(Fixture *f, const char *program, const char *args)
{
    g_autofree char *line = g_strconcat(program, " ", args, NULL);
    g_auto(GStrv) argv = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(g_shell_parse_argv(line, NULL, &argv, &error));
    g_clear_pointer(&f->out, g_free);
    g_clear_pointer(&f->err, g_free);
    g_spawn_sync(f->dir, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &f->out, &f->err, &f->status,
                 &error);
    g_assert_no_error(error);
}

static void
run(Fixture *f, const char *args)
{
    run_program(f, g_getenv("VITRINE_IMG"), args);
    if (f->status != 0) {
        g_error("vitrine-img %s: %s", args, f->err);
    }
}

static void
refuse(Fixture *f, const char *args, const char *words)
{
    run_program(f, g_getenv("VITRINE_IMG"), args);
    g_assert_true(WIFEXITED(f->status));
    g_assert_cmpint(WEXITSTATUS(f->status), ==, 1);
    if (!strstr(f->err, words)) {
        g_error("vitrine-img %s: \"%s\" does not say \"%s\"", args, f->err, words);
    }
}

static char *
path_of(Fixture *f, const char *name)
{
    return g_build_filename(f->dir, name, NULL);
}

static void
write_file(Fixture *f, const char *name, size_t len, unsigned seed)
{
    g_autofree char *path = path_of(f, name);
    g_autofree char *data = g_malloc0(len);

    /* Data, a hole of 64k, data. */
    for (size_t i = 0; i < len; i++) {
        if (i / 65536 % 2 == 0) {
            data[i] = (char)(i * seed >> 3 | 1);
        }
    }
    g_assert_true(g_file_set_contents(path, data, (gssize)len, NULL));
}

static bool
same_content(Fixture *f, const char *a, const char *b)
{
    g_autofree char *path_a = path_of(f, a), *path_b = path_of(f, b);
    g_autofree char *data_a = NULL, *data_b = NULL;
    size_t len_a, len_b;

    g_assert_true(g_file_get_contents(path_a, &data_a, &len_a, NULL));
    g_assert_true(g_file_get_contents(path_b, &data_b, &len_b, NULL));
    return len_a == len_b && memcmp(data_a, data_b, len_a) == 0;
}

static void
test_create_info(Fixture *f, gconstpointer data)
{
    run(f, "create -f raw disk.img 1536M");
    g_assert_cmpstr(f->out, ==, "Formatting 'disk.img', fmt=raw size=1610612736\n");
    run(f, "info disk.img");
    g_assert_nonnull(strstr(f->out, "file format: raw\n"));
    g_assert_nonnull(strstr(f->out, "virtual size: 1.5 GiB (1610612736 bytes)\n"));
    run(f, "create -q -o size=4k,preallocation=full small.img");
    g_assert_cmpstr(f->out, ==, "");
    run(f, "info -f raw small.img");
    g_assert_nonnull(strstr(f->out, "disk size: 4 KiB\n"));
    run(f, "info --image-opts driver=raw,size=1k,file.filename=small.img");
    g_assert_nonnull(strstr(f->out, "1 KiB (1024 bytes)"));
}

static int64_t
allocated(Fixture *f, const char *name)
{
    g_autofree char *path = path_of(f, name);
    struct stat st;

    g_assert_cmpint(stat(path, &st), ==, 0);
    return st.st_blocks * 512;
}

/* An image of several files takes the room of them all, but not that of its backing. */
static void
test_disk_size(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *make, *image, *parts[2];
    } cases[] = {
        { "convert -O vmdk -o subformat=twoGbMaxExtentSparse disk.img split.vmdk",
          "split.vmdk",
          { "split.vmdk", "split-s001.vmdk" } },
        { "convert -O qcow2 -o data_file=data.raw disk.img head.qcow2",
          "head.qcow2",
          { "head.qcow2", "data.raw" } },
        { "create -q -f qcow2 -b disk.img -F raw over.qcow2", "over.qcow2", { "over.qcow2" } },
    };

    write_file(f, "disk.img", 1 << 20, 77);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *info = g_strdup_printf("info --output=json %s", cases[i].image);
        g_autoptr(JsonNode) told = NULL;
        int64_t sum = 0;

        run(f, cases[i].make);
        for (unsigned part = 0; part < 2 && cases[i].parts[part]; part++) {
            sum += allocated(f, cases[i].parts[part]);
        }
        run(f, info);
        told = json_from_string(f->out, NULL);
        g_assert_cmpint(json_object_get_int_member(json_node_get_object(told), "actual-size"), ==,
                        sum);
    }
}

/* Same keys and values as qemu-img's. */
static void
test_json(Fixture *f, gconstpointer data)
{
    g_autoptr(JsonNode) ours = NULL, theirs = NULL;
    g_autofree char *judge = g_find_program_in_path("qemu-img");

    write_file(f, "disk.img", 200000, 77);
    run(f, "info --output=json disk.img");
    ours = json_from_string(f->out, NULL);
    g_assert_true(ours && JSON_NODE_HOLDS_OBJECT(ours));
    g_assert_cmpint(json_object_get_int_member(json_node_get_object(ours), "virtual-size"), ==,
                    200000);
    if (!judge) {
        test_lacks("qemu-img");
        return;
    }
    run_program(f, judge, "info -f raw --output=json disk.img");
    theirs = json_from_string(f->out, NULL);
    JsonObject *object = json_node_get_object(theirs);
    /* It rounds up to sectors. */
    json_object_set_int_member(object, "virtual-size", 200000);
    g_assert_true(json_node_equal(ours, theirs));
}

static void
test_resize(Fixture *f, gconstpointer data)
{
    struct stat st;
    g_autofree char *path = path_of(f, "disk.img");

    run(f, "create -q disk.img 1M");
    run(f, "resize -f raw disk.img +1M");
    g_assert_cmpstr(f->out, ==, "Image resized.\n");
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, 2 << 20);
    refuse(f, "resize -f raw disk.img 1M", "--shrink");
    refuse(f, "resize -f raw disk.img -1M", "--shrink");
    run(f, "resize -q -f raw --shrink disk.img -1M");
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, 1 << 20);
    run(f, "resize -f raw --preallocation=falloc disk.img 3M");
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_blocks * 512, >=, 2 << 20);
    refuse(f, "resize -f raw disk.img much", "'much' is not a size");
    refuse(f, "resize disk.img", "a size");
}

static void
test_convert(Fixture *f, gconstpointer data)
{
    struct stat st;
    g_autofree char *path = path_of(f, "b.img");

    write_file(f, "a.img", 5 * 1024 * 1024 + 1000, 13);
    run(f, "convert -f raw -O raw a.img b.img");
    g_assert_true(same_content(f, "a.img", "b.img"));
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_blocks * 512, <, 3 * 1024 * 1024); /* holes where it was zero */
    run(f, "convert -p -f raw -O raw -S 0 -t none -T none a.img b.img");
    g_assert_nonnull(strstr(f->out, "(100.00/100%)"));
    g_assert_true(same_content(f, "a.img", "b.img"));
    /* Into an image that is there, over what it holds. */
    write_file(f, "c.img", 6 * 1024 * 1024, 99);
    run(f, "convert -n -f raw -O raw a.img c.img");
    run(f, "resize -q --shrink -f raw c.img 5243880");
    g_assert_true(same_content(f, "a.img", "c.img"));
    /* Two behind each other. */
    run(f, "create -q d.img 64k");
    run(f, "convert -f raw d.img a.img e.img");
    run(f, "info --output=json e.img");
    g_assert_nonnull(strstr(f->out, "\"virtual-size\": 5309416"));
    refuse(f, "convert -f raw a.img a.img", "in use");
    refuse(f, "convert -c -f raw a.img x.img", "cannot be compressed");
    refuse(f, "convert -f raw -O qcow2 -o cluster_size=3 a.img x.img", "Cluster size");
    refuse(f, "convert -f raw -O bochs a.img x.img", "cannot make new images");
    refuse(f, "convert -f raw a.img no/such/x.img", "no/such/x.img");
    refuse(f, "convert -f raw --target-is-zero a.img x.img", "-n");
    g_autofree char *made = path_of(f, "x.img");
    g_assert_cmpint(access(made, F_OK), !=, 0);
}

static pid_t
read_pid(Fixture *f)
{
    g_autofree char *path = path_of(f, "pid"), *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return (pid_t)g_ascii_strtoll(text, NULL, 10);
}

static void
wait_for_end(Fixture *f)
{
    g_autofree char *path = path_of(f, "pid");

    for (unsigned i = 0; i < 1000 && access(path, F_OK) == 0; i++) {
        g_usleep(10000);
    }
    g_assert_cmpint(access(path, F_OK), !=, 0);
}

static void
test_serve(Fixture *f, gconstpointer data)
{
    g_autofree char *socket = path_of(f, "sock"), *compare = NULL, *convert = NULL;

    compare = g_strdup_printf("compare -f raw -F raw src 'nbd+unix:///disk?socket=%s'", socket);
    convert = g_strdup_printf("convert -n -f raw -O raw other 'nbd+unix:///?socket=%s'", socket);
    write_file(f, "src", 1 << 20, 3);
    write_file(f, "other", 1 << 20, 5);
    run(f, "serve --fork --pid-file pid -f raw -r -x disk -D 'a disk' -k sock src");
    run(f, compare);
    wait_for_end(f); /* the only client has gone */
    g_assert_cmpint(access(socket, F_OK), !=, 0);
    run(f, "serve --fork --pid-file pid -f raw -t -e 0 -k sock src");
    run(f, convert);
    g_assert_cmpint(kill(read_pid(f), SIGTERM), ==, 0);
    wait_for_end(f);
    g_assert_true(same_content(f, "src", "other"));
    refuse(f, "serve --fork -f raw -k sock nowhere.img", "nowhere.img");
    refuse(f, "serve -f raw -k sock -p 1 src", "--socket excludes");
    refuse(f, "serve -f raw -k sock -e x src", "--shared");
    refuse(f, "serve -f raw -k sock --tls-creds t src", "no TLS credentials");
    refuse(f, "serve -f raw -k sock -B none src", "Bitmap 'none'");
}

static void
test_messages(Fixture *f, gconstpointer data)
{
    refuse(f, "infos x", "did you mean 'info'");
    refuse(f, "", "command is missing");
    refuse(f, "info", "name of one image");
    refuse(f, "info nowhere.img", "nowhere.img");
    refuse(f, "create x.img", "needs a size");
    refuse(f, "create x.img 10Q", "'10Q' is not a size");
    refuse(f, "create -f bochs x.img 1M", "cannot make new images");
    run(f, "create -q -f qcow2 x.qcow2 1M");
    refuse(f, "amend -o nosuch=1 x.qcow2", "no option 'nosuch'");
    run(f, "--version");
    g_assert_true(g_str_has_prefix(f->out, "vitrine-img version "));
    run(f, "--help");
    g_assert_nonnull(strstr(f->out, "convert"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/img/create-info", Fixture, NULL, set_up, test_create_info, tear_down);
    g_test_add("/img/disk-size", Fixture, NULL, set_up, test_disk_size, tear_down);
    g_test_add("/img/json", Fixture, NULL, set_up, test_json, tear_down);
    g_test_add("/img/resize", Fixture, NULL, set_up, test_resize, tear_down);
    g_test_add("/img/convert", Fixture, NULL, set_up, test_convert, tear_down);
    g_test_add("/img/serve", Fixture, NULL, set_up, test_serve, tear_down);
    g_test_add("/img/messages", Fixture, NULL, set_up, test_messages, tear_down);
    return g_test_run();
}
