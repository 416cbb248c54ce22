/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The file back end: output goes to a file, input (rarely wanted) comes from another.
 * Output is written at once; a full disk loses bytes rather than stopping the guest.
 * Thread: device lock held. */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "vit-error.h"

#include "char-stream.h"

typedef struct {
    VitChardev chr;
    CharStream stream;
    char *path, *input_path; /* properties */
    bool append;             /* property */
} CharFile;

static const VitProp props[] = {
    VIT_PROP_STRING(CharFile, path, "path", NULL, VIT_N_("File that output is written to"),
                    .flags = VIT_PROP_REQUIRED),
    VIT_PROP_STRING(CharFile, input_path, "input-path", NULL,
                    VIT_N_("File that input is read from")),
    VIT_PROP_BOOL(CharFile, append, "append", false,
                  VIT_N_("Add to the file instead of starting it anew")),
    { 0 },
};

static void
file_ended(VitChardev *chr, int error)
{
    /* The end of the input file; output goes on. A failed write just loses its bytes. */
    if (error == 0) {
        CharFile *file = (CharFile *)chr;
        close(file->stream.fd_in);
        file->stream.fd_in = -1;
    }
}

static bool
file_open(VitChardev *chr, GMainContext *context, GError **error)
{
    CharFile *file = (CharFile *)chr;
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (file->append ? O_APPEND : O_TRUNC);
    int fd_in = -1, fd_out;

    char_stream_init(&file->stream, chr, file_ended);
    if (!file->path || !*file->path) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "character device '%s': the file back end needs path=FILE", chr->id);
        return false;
    }
    if (file->input_path) {
        fd_in = open(file->input_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd_in < 0) {
            char_set_errno(error, chr, errno, "cannot read '%s'", file->input_path);
            return false;
        }
    }
    fd_out = open(file->path, flags, 0666);
    if (fd_out < 0) {
        char_set_errno(error, chr, errno, "cannot write '%s'", file->path);
        if (fd_in >= 0) {
            close(fd_in);
        }
        return false;
    }
    char_stream_start(&file->stream, fd_in, fd_out);
    vit_chardev_set_open(chr, true);
    return true;
}

static void
file_close(VitChardev *chr)
{
    CharFile *file = (CharFile *)chr;
    int fd_in = file->stream.fd_in, fd_out = file->stream.fd_out;

    char_stream_stop(&file->stream);
    close(fd_out);
    if (fd_in >= 0) {
        close(fd_in);
    }
}

static size_t
file_write(VitChardev *chr, const uint8_t *buf, size_t len)
{
    return char_stream_write(&((CharFile *)chr)->stream, buf, len);
}

static void
file_accept_input(VitChardev *chr)
{
    char_stream_accept_input(&((CharFile *)chr)->stream);
}

static char *
file_describe(VitChardev *chr)
{
    return g_strdup_printf("file:%s", ((CharFile *)chr)->path);
}

const VitChardevKind vit_char_file_kind = {
    .name = "file",
    .title = VIT_N_("A file that takes the output"),
    .size = sizeof(CharFile),
    .props = props,
    .open = file_open,
    .close = file_close,
    .write = file_write,
    .accept_input = file_accept_input,
    .describe = file_describe,
};
