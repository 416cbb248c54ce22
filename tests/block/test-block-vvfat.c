/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Folders as FAT disks: what mtools and fsck.vfat see of them, and what becomes of a folder when
 * mtools has changed the disk, sector by sector as a guest would, with flushes in between.
 * mission: vvfat x.drive.vvfat */

#include "block-test.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_BYTES = 3 << 20, START = 63 * 512 };

typedef struct Folder {
    BlockTest test;
    char *dir, *image, *out; /* the folder, the disk as a file, what mtools makes of it */
    BlkNode *node;
    BlkImage *disk;
    uint64_t start; /* of the file system */
    uint8_t *last;  /* as read or written last */
    size_t look;
} Folder;

/* Runs a line of shell with $D, $I, $O and $P set. */
static int
sh(const Folder *folder, const char *line)
{
    g_autofree char *script = g_strdup_printf(
        "export D='%s' I='%s' O='%s' P='%s@@%" G_GUINT64_FORMAT "' LC_ALL=C.UTF-8 "
        "MTOOLS_SKIP_CHECK=1; %s",
        folder->dir, folder->image, folder->out, folder->image, folder->start, line);
    const char *argv[] = { "/bin/sh", "-c", script, NULL };
    int status;

    g_assert_true(
        g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL, NULL, NULL, &status, NULL));
    return WEXITSTATUS(status);
}

static void
must(const Folder *folder, const char *line)
{
    if (sh(folder, line) != 0) {
        g_error("failed: %s", line);
    }
}

static void
begin(Folder *folder)
{
    *folder = (Folder){ .start = 0 };
    block_test_init(&folder->test);
    folder->dir = block_test_path(&folder->test, "folder");
    folder->image = block_test_path(&folder->test, "image");
    folder->out = block_test_path(&folder->test, "out");
    must(folder,
         "mkdir -p $D/sub/deeper '$D/'; cd $D; echo hello > README.TXT; : > empty;"
         "seq 1 20000 > sub/deeper/numbers; echo one > LONGFILENAME-1.TXT;"
         "echo two > LONGFILENAME-2.TXT; echo x > 'a name with blanks and d\xc3\xb6ts.text';"
         "head -c 8192 /dev/zero > sub/zeroes; seq 1 30000 > sub/UPPER.DAT; mkdir bare");
}

static void
finish(Folder *folder)
{
    g_clear_pointer(&folder->disk, blk_image_free);
    g_clear_pointer(&folder->node, blk_node_unref);
    must(folder, "rm -rf $D $O $I");
    block_test_finish(&folder->test);
    g_free(folder->dir);
    g_free(folder->image);
    g_free(folder->out);
    g_free(folder->last);
}

static bool
has_tools(void)
{
    return test_has_program("mcopy") && test_has_program("fsck.vfat");
}

static void
open_folder(Folder *folder, const char *words, bool write)
{
    g_autofree char *name = g_strdup_printf("fat:%s%s", words, folder->dir);
    g_autoptr(GError) error = NULL;

    folder->node = block_test_open(&folder->test, name, write ? NULL : "read-only=on");
    folder->disk = blk_image_new(folder->node, write, &error);
    g_assert_no_error(error);
    folder->start = strstr(words, "floppy") ? 0 : START;
    folder->look = MIN(blk_image_get_len(folder->disk), LOOK_BYTES);
}

static void
close_folder(Folder *folder)
{
    g_clear_pointer(&folder->disk, blk_image_free);
    g_clear_pointer(&folder->node, blk_node_unref);
}

/* The start of the disk, where the files are, into a file of the whole length. */
static void
write_image(Folder *folder)
{
    g_free(folder->last);
    folder->last = g_malloc(folder->look);
    g_assert_cmpint(blk_image_read(folder->disk, 0, folder->last, folder->look), ==, 0);
    g_assert_true(
        g_file_set_contents(folder->image, (char *)folder->last, (gssize)folder->look, NULL));
    g_assert_cmpint(truncate(folder->image, (off_t)blk_image_get_len(folder->disk)), ==, 0);
}

static void
assert_sound(Folder *folder)
{
    g_autofree char *line = g_strdup_printf(
        "dd if=$I of=$O.part bs=64k iflag=skip_bytes skip=%u count=48 status=none conv=sparse && "
        "truncate -s %" G_GUINT64_FORMAT " $O.part && fsck.vfat -n $O.part >$O.text; s=$?; "
        "[ $s = 0 ] || cat $O.text; rm -f $O.part $O.text; exit $s",
        (unsigned)folder->start, blk_image_get_len(folder->disk) - folder->start);

    must(folder, line);
}

/* The folder holds what the disk's file holds. */
static void
assert_same(Folder *folder)
{
    must(folder, "rm -rf $O; mkdir $O; mcopy -s -n -i $P '::*' $O 2>/dev/null; diff -r $D $O");
}

static void
test_read(gconstpointer words)
{
    Folder folder;

    if (!has_tools()) {
        return;
    }
    begin(&folder);
    open_folder(&folder, words, false);
    write_image(&folder);
    assert_sound(&folder);
    assert_same(&folder);
    finish(&folder);
}

/* ---- changes ---- */

/* Writes what mtools has changed, sector by sector from both ends, with flushes in between. */
static void
write_changes(Folder *folder, bool flush)
{
    g_autofree char *bytes = NULL;
    unsigned count = 0;
    gsize len;

    g_assert_true(g_file_get_contents(folder->image, &bytes, &len, NULL));
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < folder->look / 512; i++) {
            size_t sector = pass ? folder->look / 512 - 1 - i : i;
            if (sector % 2 != pass ||
                memcmp(folder->last + sector * 512, bytes + sector * 512, 512) == 0) {
                continue;
            }
            g_assert_cmpint(blk_image_write(folder->disk, sector * 512, bytes + sector * 512, 512),
                            ==, 0);
            if (flush && ++count % 5 == 0) {
                g_assert_cmpint(blk_image_flush(folder->disk), ==, 0);
            }
        }
    }
    memcpy(folder->last, bytes, folder->look);
    g_assert_cmpint(blk_image_flush(folder->disk), ==, 0);
}

static const char *const changes[] = {
    "echo new > $O.new; mcopy -i $P $O.new ::'brand new file.txt'",
    "mdel -i $P ::README.TXT",
    "seq 5 60000 > $O.new; mcopy -o -i $P $O.new ::sub/deeper/numbers",
    "mmd -i $P ::made ::made/inside; mcopy -i $P $O.new ::made/inside/copy",
    "mren -i $P ::LONGFILENAME-1.TXT ::renamed.txt",
    "mren -i $P ::sub ::moved",
    "mdeltree -i $P ::bare; : > $O.new; mcopy -o -i $P $O.new ::'brand new file.txt'",
    "mmove -i $P ::LONGFILENAME-2.TXT ::moved/deeper",
    "mdeltree -i $P ::moved/deeper",
    "mmd -i $P ::deep; mmove -i $P ::made ::deep",
    ("mdel -i $P ::renamed.txt; mmd -i $P ::renamed.txt; echo z > $O.new; mcopy -i $P $O.new "
     "::renamed.txt/z"),
};

static void
test_write(gconstpointer words)
{
    Folder folder;
    struct stat before, after;

    if (!has_tools()) {
        return;
    }
    begin(&folder);
    open_folder(&folder, words, true);
    write_image(&folder);
    g_autofree char *kept = g_build_filename(folder.dir, "empty", NULL);
    g_assert_cmpint(stat(kept, &before), ==, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(changes); i++) {
        must(&folder, changes[i]);
        write_changes(&folder, i % 2);
        assert_same(&folder);
    }
    /* What was not changed was not touched. */
    g_assert_cmpint(stat(kept, &after), ==, 0);
    g_assert_cmpuint(before.st_ino, ==, after.st_ino);
    must(&folder, "[ -z \"$(find $D -name '.vitrine*')\" ]");
    write_image(&folder);
    assert_sound(&folder);
    close_folder(&folder);
    /* The folder as it is now makes the same disk. */
    open_folder(&folder, words, true);
    write_image(&folder);
    assert_sound(&folder);
    assert_same(&folder);
    finish(&folder);
}

/* ---- what must not happen ---- */

static void
replace(Folder *folder, const char *from, const char *to, size_t len)
{
    g_autofree uint8_t *sector = NULL;

    for (size_t at = 0; at + len <= folder->look; at++) {
        if (memcmp(folder->last + at, from, len) == 0) {
            size_t start = at / 512 * 512;
            memcpy(folder->last + at, to, len);
            g_assert_cmpint(blk_image_write(folder->disk, start, folder->last + start, 512), ==, 0);
            return;
        }
    }
    g_error("'%s' is not on the disk", from);
}

/* Names that climb out, clusters of others, half a change: the folder stays as it is. */
static void
test_hostile(void)
{
    static const struct {
        const char *from, *to;
        size_t len;
    } rows[] = {
        { "README  TXT", "../EVIL TXT", 11 },
        { "README  TXT", "..         ", 11 },
        { "README  TXT", "\1EADME  TXT", 11 },
    };
    Folder folder;

    if (!has_tools()) {
        return;
    }
    begin(&folder);
    must(&folder, "cp -r $D $O.before");
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        open_folder(&folder, "rw:12:", true);
        write_image(&folder);
        replace(&folder, rows[i].from, rows[i].to, rows[i].len);
        g_assert_cmpint(blk_image_flush(folder.disk), ==, 0);
        close_folder(&folder);
        if (i != 1) { /* an entry named like that is the folder's own and shows nothing */
            must(&folder, "diff -r $D $O.before");
        }
        must(&folder, "[ ! -e $D/../EVIL.TXT ]; rm -rf $D; cp -r $O.before $D");
    }
    /* All of the table at once. */
    open_folder(&folder, "rw:12:", true);
    write_image(&folder);
    memset(folder.last + START + 512, 0xff, 512 * 11);
    g_assert_cmpint(blk_image_write(folder.disk, START + 512, folder.last + START + 512, 512 * 11),
                    ==, 0);
    g_assert_cmpint(blk_image_flush(folder.disk), ==, 0);
    close_folder(&folder);
    must(&folder, "diff -r $D $O.before; s=$?; rm -rf $O.before; exit $s");
    finish(&folder);
}

static void
test_refusals(void)
{
    static const struct {
        const char *name, *options, *words;
    } rows[] = {
        { "fat:/nowhere/at/all", "read-only=on", "/nowhere/at/all" },
        { "fat:", "read-only=on", "names no folder" },
        { "fat:floppy:32:/tmp", "read-only=on", "no room for FAT32" },
        { "fat:/", NULL, "fat:rw:" },
    };
    BlockTest test;

    block_test_init(&test);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(BlkOptions) options =
            rows[i].options ? block_test_options(rows[i].options) : NULL;
        g_autoptr(GError) error = NULL;
        g_assert_null(blk_open(test.graph, rows[i].name, options, &error));
        if (!strstr(error->message, rows[i].words)) {
            g_error("%s: \"%s\" does not say \"%s\"", rows[i].name, error->message, rows[i].words);
        }
    }
    block_test_finish(&test);
}

/* The name for a drive that has room for the folder. */
static void
test_filename(void)
{
    g_autoptr(GError) error = NULL;
    Folder folder;

    begin(&folder);
    g_autofree char *name = blk_dup_folder_filename(folder.dir, true, &error);
    g_autofree char *wanted = g_strdup_printf("fat:rw:16:%s", folder.dir);
    g_assert_cmpstr(name, ==, wanted);
    must(&folder, "truncate -s 700M $D/large");
    g_autofree char *larger = blk_dup_folder_filename(folder.dir, false, &error);
    g_autofree char *wanted_larger = g_strdup_printf("fat:32:%s", folder.dir);
    g_assert_cmpstr(larger, ==, wanted_larger);
    g_assert_null(blk_dup_folder_filename("/nowhere/at/all", false, &error));
    g_assert_nonnull(strstr(error->message, "/nowhere/at/all"));
    finish(&folder);
}

int
main(int argc, char **argv)
{
    static const char *const kinds[] = { "", "12:", "16:", "32:", "floppy:", "floppy:12:" };

    block_test_use_memory();
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *flat = g_strdelimit(g_strdup(kinds[i]), ":", '-');
        g_autofree char *path = g_strdup_printf("/block/vvfat/read/%sdisk", flat);
        g_test_add_data_func(path, kinds[i], test_read);
    }
    g_test_add_data_func("/block/vvfat/write/12", "rw:12:", test_write);
    g_test_add_data_func("/block/vvfat/write/32", "rw:32:", test_write);
    g_test_add_data_func("/block/vvfat/write/floppy", "floppy:rw:", test_write);
    g_test_add_func("/block/vvfat/hostile", test_hostile);
    g_test_add_func("/block/vvfat/refusals", test_refusals);
    g_test_add_func("/block/vvfat/filename", test_filename);
    return g_test_run();
}
