/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The commands of a CD/DVD-ROM drive.
 *
 * MMC-3 (T10 1363D) and SPC-2 (T10 1236D) by command name; SFF-8020i revision 2.6 for the older
 * ones. A medium is a CD with one mode 1 track up to 80 minutes, else a single-layer DVD-ROM.
 * Audio and subchannel commands are refused as not supported.
 *
 * Thread: device lock held. */

#include "ide-atapi.h"

#include <string.h>

enum {
    PROFILE_CD_ROM = 0x0008,
    PROFILE_DVD_ROM = 0x0010,
    CD_MAX_SECTORS = 80 * 60 * 75,
    MEDIA_CLASS = 4, /* of GET EVENT STATUS NOTIFICATION */
};

/* Reply writers: big endian, as all SCSI. */
static void
put16(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

static void
put32(uint8_t *out, uint32_t value)
{
    put16(out, value >> 16);
    put16(out + 2, value);
}

static uint32_t
get16(const uint8_t *in)
{
    return (uint32_t)(in[0] << 8 | in[1]);
}

static uint32_t
get24(const uint8_t *in)
{
    return (uint32_t)in[0] << 16 | get16(in + 1);
}

static uint32_t
get32(const uint8_t *in)
{
    return get16(in) << 16 | get16(in + 2);
}

/* Cleared room for a reply. */
static uint8_t *
begin_reply(IdeCd *cd, uint32_t len)
{
    memset(cd->ide.data, 0, len);
    return cd->ide.data;
}

static void
bad_field(IdeCd *cd)
{
    cd_error(cd, SENSE_ILLEGAL_REQUEST, ASC_BAD_FIELD);
}

static bool
is_dvd(const IdeCd *cd)
{
    return cd_sector_count(cd) > CD_MAX_SECTORS;
}

static bool
is_tray_open(const IdeCd *cd)
{
    VitDrive *drive = cd->ide.drive;

    return drive->ops->is_tray_open(drive);
}

static void
report_no_medium(IdeCd *cd)
{
    cd_error(cd, SENSE_NOT_READY,
             is_tray_open(cd) ? ASC_NO_MEDIUM_TRAY_OPEN : ASC_NO_MEDIUM_TRAY_CLOSED);
}

/* ---- about the drive ---- */

static void
test_unit_ready(IdeCd *cd)
{
    cd_good(cd);
}

static void
request_sense(IdeCd *cd)
{
    uint8_t *out = begin_reply(cd, 18);

    out[0] = 0xf0; /* valid, current error */
    out[2] = cd->sense_key;
    out[7] = 10; /* bytes after this one */
    put16(out + 12, cd->sense_code);
    if (cd->sense_key == SENSE_UNIT_ATTENTION) {
        cd->change = CD_CHANGE_NONE;
    }
    cd->sense_key = SENSE_NONE;
    cd->sense_code = ASC_NONE;
    cd_reply(cd, 18, cd->packet[4]);
}

static void
put_padded(uint8_t *out, const char *text, size_t len)
{
    size_t text_len = MIN(strlen(text), len);

    memset(out, ' ', len);
    memcpy(out, text, text_len);
}

static void
inquiry_page(IdeCd *cd)
{
    const uint8_t *packet = cd->packet;
    uint8_t *out = begin_reply(cd, 64);
    uint32_t len;

    out[0] = 0x05; /* CD/DVD */
    out[1] = packet[2];
    switch (packet[2]) {
    case 0x00: /* supported pages */
        out[4] = 0x00;
        out[5] = 0x83;
        len = 6;
        break;
    case 0x83: /* device identification: the serial number, vendor specific, ASCII */
        out[4] = 0x02;
        out[7] = 20;
        put_padded(out + 8, cd->ide.serial, 20);
        len = 28;
        if (cd->ide.wwn) { /* NAA identifier, binary, of the device */
            out[28] = 0x01;
            out[29] = 0x03;
            out[31] = 8;
            put32(out + 32, (uint32_t)(cd->ide.wwn >> 32));
            put32(out + 36, (uint32_t)cd->ide.wwn);
            len = 40;
        }
        break;
    default: bad_field(cd); return;
    }
    out[3] = (uint8_t)(len - 4);
    cd_reply(cd, len, get16(packet + 3));
}

static void
inquiry(IdeCd *cd)
{
    const uint8_t *packet = cd->packet;
    uint8_t *out;

    if (packet[1] & 0x01) {
        inquiry_page(cd);
        return;
    }
    if (packet[2] != 0) {
        bad_field(cd);
        return;
    }
    out = begin_reply(cd, 36);
    out[0] = 0x05; /* CD/DVD */
    out[1] = 0x80; /* removable */
    out[3] = 0x21; /* ATAPI, response format 1 as SFF-8020i has it */
    out[4] = 31;   /* bytes after this one */
    put_padded(out + 8, "VITRINE", 8);
    put_padded(out + 16, cd->ide.model, 16);
    put_padded(out + 32, cd->ide.firmware, 4);
    cd_reply(cd, 36, packet[4]);
}

/* ---- configuration ---- */

static uint8_t *
put_feature(uint8_t *out, uint32_t code, uint8_t flags, const uint8_t *data, uint8_t len)
{
    put16(out, code);
    out[2] = flags;
    out[3] = len;
    memcpy(out + 4, data, len);
    return out + 4 + len;
}

static uint8_t *
put_profile_list(uint8_t *out, uint32_t current)
{
    uint8_t list[8] = { 0 };

    put16(list, PROFILE_DVD_ROM);
    list[2] = current == PROFILE_DVD_ROM;
    put16(list + 4, PROFILE_CD_ROM);
    list[6] = current == PROFILE_CD_ROM;
    return put_feature(out, 0x0000, 0x03, list, sizeof(list));
}

typedef struct CdFeature {
    uint16_t code, profile; /* PROFILE: current only with such a medium, 0 = always */
    uint8_t flags, len;
    uint8_t data[8];
} CdFeature;

static const CdFeature features[] = {
    /* core: ATAPI, device busy event */
    { 0x0001, 0, 0x0b, 8, { 0, 0, 0, 2, 1 } },
    /* removable medium: tray, eject, lock */
    { 0x0003, 0, 0x03, 4, { 0x29 } },
    /* random readable: blocks of 2048, one per read, error page there */
    { 0x0010, 1, 0x00, 8, { 0, 0, 8, 0, 0, 1, 1 } },
    { 0x001e, PROFILE_CD_ROM, 0x08, 4, { 0 } },  /* CD read */
    { 0x001f, PROFILE_DVD_ROM, 0x00, 4, { 0 } }, /* DVD read */
};

static void
get_configuration(IdeCd *cd)
{
    const uint8_t *packet = cd->packet;
    uint32_t type = packet[1] & 3, first = get16(packet + 2), current = 0;
    uint8_t *out = begin_reply(cd, 128), *at = out + 8;

    if (type == 3) {
        bad_field(cd);
        return;
    }
    if (cd_has_medium(cd)) {
        current = is_dvd(cd) ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
    }
    put16(out + 6, current);
    if (first == 0) {
        at = put_profile_list(at, current);
    }
    for (unsigned i = 0; i < VIT_ARRAY_LEN(features); i++) {
        const CdFeature *feature = &features[i];
        bool is_current = feature->profile == 0 || feature->profile == current ||
                          (feature->profile == 1 && current);
        bool wanted = type == 2 ? feature->code == first : feature->code >= first;
        if (wanted && (type != 1 || is_current)) {
            at = put_feature(at, feature->code, feature->flags | is_current, feature->data,
                             feature->len);
        }
    }
    put32(out, (uint32_t)(at - out - 4));
    cd_reply(cd, (uint32_t)(at - out), get16(packet + 7));
}

static void
get_event_status(IdeCd *cd)
{
    const uint8_t *packet = cd->packet;
    uint8_t *out = begin_reply(cd, 8);
    uint32_t len = 4;

    if (!(packet[1] & 1)) { /* waiting for an event is not offered */
        bad_field(cd);
        return;
    }
    out[3] = 1u << MEDIA_CLASS; /* classes there are */
    if (packet[4] & 1u << MEDIA_CLASS) {
        out[2] = MEDIA_CLASS;
        out[4] = cd->event;
        out[5] = (is_tray_open(cd) ? 1 : 0) | (cd_has_medium(cd) ? 2 : 0);
        cd->event = CD_EVENT_NONE;
        len = 8;
    } else {
        out[2] = 0x80; /* none of the classes asked for */
    }
    put16(out, len - 2);
    cd_reply(cd, len, get16(packet + 7));
}

/* ---- mode pages ---- */

static uint8_t *
put_error_page(const IdeCd *cd, uint8_t *out)
{
    out[0] = 0x01;
    out[1] = 6;
    out[3] = 5; /* retries */
    return out + 8;
}

static uint8_t *
put_audio_page(const IdeCd *cd, uint8_t *out)
{
    out[0] = 0x0e;
    out[1] = 14;
    out[2] = 0x04; /* immediate */
    out[8] = 0x01; /* channel 0 to port 0, full volume */
    out[9] = 0xff;
    out[10] = 0x02;
    out[11] = 0xff;
    return out + 16;
}

static uint8_t *
put_capabilities_page(const IdeCd *cd, uint8_t *out)
{
    out[0] = 0x2a;
    out[1] = 18;
    out[2] = 0x3b; /* reads CD-R, CD-RW, fixed packets, DVD-ROM, DVD-R, DVD-RAM */
    out[4] = 0x70; /* mode 2 forms 1 and 2, multi-session */
    out[5] = 0x01; /* READ CD */
    out[6] = 0x29 | (cd->locked ? 0x02 : 0); /* tray, eject, lock */
    put16(out + 8, 706);                     /* kB/s */
    put16(out + 10, 2);                      /* volume levels */
    put16(out + 12, 512);                    /* buffer, kB */
    put16(out + 14, 706);                    /* current kB/s */
    return out + 20;
}

static void
mode_sense(IdeCd *cd)
{
    const uint8_t *packet = cd->packet;
    uint8_t page = packet[2] & 0x3f, control = packet[2] >> 6;
    uint8_t *out = begin_reply(cd, 64), *at = out + 8;

    if (control == 3) {
        cd_error(cd, SENSE_ILLEGAL_REQUEST, ASC_SAVING_NOT_SUPPORTED);
        return;
    }
    if (page != 0x01 && page != 0x0e && page != 0x2a && page != 0x3f) {
        bad_field(cd);
        return;
    }
    /* Changeable values, control 1: none, so the pages stay empty but for their heads. */
    if (page == 0x01 || page == 0x3f) {
        at = put_error_page(cd, at);
    }
    if (page == 0x0e || page == 0x3f) {
        at = put_audio_page(cd, at);
    }
    if (page == 0x2a || page == 0x3f) {
        at = put_capabilities_page(cd, at);
    }
    if (control == 1) {
        for (uint8_t *head = out + 8; head < at; head += head[1] + 2) {
            memset(head + 2, 0, head[1]);
        }
    }
    put16(out, (uint32_t)(at - out - 2));
    out[2] = is_tray_open(cd) ? 0x71 : !cd_has_medium(cd) ? 0x70 : 0x01; /* medium type */
    cd_reply(cd, (uint32_t)(at - out), get16(packet + 7));
}

static void
mode_select(IdeCd *cd)
{
    cd_receive(cd, get16(cd->packet + 7)); /* nothing can be changed */
}

/* ---- tray ---- */

static void
start_stop_unit(IdeCd *cd)
{
    VitDrive *drive = cd->ide.drive;
    bool start = cd->packet[4] & 1, move_tray = cd->packet[4] & 2;

    if (cd->packet[4] & 0xf0) { /* power conditions: nothing to do */
        cd_good(cd);
        return;
    }
    if (move_tray && !start && cd->locked && !is_tray_open(cd)) {
        cd_error(cd, cd_has_medium(cd) ? SENSE_ILLEGAL_REQUEST : SENSE_NOT_READY,
                 ASC_REMOVAL_PREVENTED);
        return;
    }
    if (move_tray && start == is_tray_open(cd)) {
        drive->ops->set_tray(drive, !start);
        if (drive->ops->is_inserted(drive)) {
            cd->event = start ? CD_EVENT_NEW_MEDIUM : CD_EVENT_REMOVAL;
            cd->change = start ? CD_CHANGE_SHOW_NEW : CD_CHANGE_NONE;
        }
    }
    cd_good(cd);
}

static void
prevent_allow(IdeCd *cd)
{
    VitDrive *drive = cd->ide.drive;

    cd->locked = cd->packet[4] & 1;
    drive->ops->set_locked(drive, cd->locked);
    cd_good(cd);
}

static void
mechanism_status(IdeCd *cd)
{
    uint8_t *out = begin_reply(cd, 8);

    out[1] = is_tray_open(cd) ? 0x10 : 0;
    out[5] = 1; /* one slot, no table */
    cd_reply(cd, 8, get16(cd->packet + 8));
}

/* ---- the medium ---- */

static void
read_capacity(IdeCd *cd)
{
    uint8_t *out = begin_reply(cd, 8);
    uint32_t sectors = cd_sector_count(cd);

    put32(out, sectors ? sectors - 1 : 0);
    put32(out + 4, CD_SECTOR_BYTES);
    cd_reply(cd, 8, 8);
}

static void
put_address(uint8_t *out, uint32_t lba, bool msf)
{
    if (msf) {
        uint32_t frame = lba + 150;
        out[1] = (uint8_t)(frame / (75 * 60));
        out[2] = (uint8_t)(frame / 75 % 60);
        out[3] = (uint8_t)(frame % 75);
    } else {
        put32(out, lba);
    }
}

static uint32_t
toc_tracks(const IdeCd *cd, uint8_t *out, uint8_t first, bool msf)
{
    uint8_t *at = out + 4;

    out[2] = out[3] = 1; /* first and last track */
    if (first <= 1) {
        at[1] = 0x14; /* data track */
        at[2] = 1;
        put_address(at + 4, 0, msf);
        at += 8;
    }
    at[1] = 0x14;
    at[2] = 0xaa; /* lead-out */
    put_address(at + 4, cd_sector_count(cd), msf);
    return (uint32_t)(at + 8 - out);
}

static uint32_t
toc_sessions(uint8_t *out, bool msf)
{
    out[2] = out[3] = 1; /* first and last session */
    out[5] = 0x14;
    out[6] = 1;
    put_address(out + 8, 0, msf);
    return 12;
}

/* Full TOC: points A0, A1, A2 and track 1; addresses always as minutes, seconds, frames. */
static uint32_t
toc_raw(const IdeCd *cd, uint8_t *out)
{
    static const uint8_t points[] = { 0xa0, 0xa1, 0xa2, 1 };
    uint8_t *at = out + 4;

    out[2] = out[3] = 1;
    for (unsigned i = 0; i < VIT_ARRAY_LEN(points); i++, at += 11) {
        at[0] = 1; /* session */
        at[1] = 0x14;
        at[3] = points[i];
        if (points[i] == 0xa2) {
            put_address(at + 7, cd_sector_count(cd), true);
        } else if (points[i] == 1) {
            put_address(at + 7, 0, true);
        } else {
            at[8] = 1; /* first, last track */
        }
    }
    return (uint32_t)(at - out);
}

static void
read_toc(IdeCd *cd)
{
    const uint8_t *packet = cd->packet;
    bool msf = packet[1] & 2;
    /* SFF-8020i has the format in the control byte. */
    uint8_t format = packet[2] & 15 ? packet[2] & 15 : packet[9] >> 6, first = packet[6];
    uint8_t *out = begin_reply(cd, 64);
    uint32_t len;

    switch (format) {
    case 0:
        if (first > 1 && first != 0xaa) {
            bad_field(cd);
            return;
        }
        len = toc_tracks(cd, out, first, msf);
        break;
    case 1: len = toc_sessions(out, msf); break;
    case 2: len = toc_raw(cd, out); break;
    default: bad_field(cd); return;
    }
    put16(out, len - 2);
    cd_reply(cd, len, get16(packet + 7));
}

static void
read_disc_information(IdeCd *cd)
{
    uint8_t *out = begin_reply(cd, 34);

    if (cd->packet[1] & 7) {
        bad_field(cd);
        return;
    }
    put16(out, 32);
    out[2] = 0x0e; /* complete, last session complete, not erasable */
    out[3] = 1;    /* first track */
    out[4] = 1;    /* sessions */
    out[5] = 1;    /* first and last track of the last session */
    out[6] = 1;
    out[7] = 0x20;               /* unrestricted use */
    put32(out + 16, 0xffffffff); /* lead-in and last possible lead-out: not writable */
    put32(out + 20, 0xffffffff);
    cd_reply(cd, 34, get16(cd->packet + 7));
}

static void
read_track_information(IdeCd *cd)
{
    uint8_t *out = begin_reply(cd, 36);

    put16(out, 34);
    out[2] = 1;    /* track */
    out[3] = 1;    /* session */
    out[5] = 0x04; /* data track */
    out[6] = 0x01; /* mode 1 */
    put32(out + 24, cd_sector_count(cd));
    cd_reply(cd, 36, get16(cd->packet + 7));
}

/* ---- DVD structures ---- */

static uint32_t
dvd_physical(const IdeCd *cd, uint8_t *out)
{
    uint32_t sectors = cd_sector_count(cd);

    out[4] = 0x01; /* DVD-ROM, part version 1 */
    out[5] = 0x0f; /* 120 mm, no rate given */
    out[6] = 0x01; /* one layer, embossed */
    put32(out + 8, 0x30000);
    put32(out + 12, 0x30000 + sectors - 1);
    put32(out + 16, 0x30000 + sectors - 1);
    return 4 + 2048;
}

static uint32_t
dvd_list(uint8_t *out)
{
    static const uint16_t structures[][2] = { { 0x00, 2052 }, { 0x01, 8 }, { 0x04, 2052 } };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(structures); i++) {
        uint8_t *at = out + 4 + 4 * i;
        at[0] = (uint8_t)structures[i][0];
        at[1] = 0x40; /* can be read */
        put16(at + 2, structures[i][1]);
    }
    return 4 + 4 * VIT_ARRAY_LEN(structures);
}

static void
read_dvd_structure(IdeCd *cd)
{
    const uint8_t *packet = cd->packet;
    uint8_t format = packet[7], layer = packet[6];
    uint8_t *out = begin_reply(cd, 4 + 2048);
    uint32_t len;

    if (format != 0xff && !is_dvd(cd)) {
        cd_error(cd, SENSE_ILLEGAL_REQUEST, ASC_INCOMPATIBLE_MEDIUM);
        return;
    }
    if (layer != 0) {
        bad_field(cd);
        return;
    }
    switch (format) {
    case 0x00: len = dvd_physical(cd, out); break;
    case 0x01: len = 8; break;        /* copyright: none */
    case 0x04: len = 4 + 2048; break; /* manufacturer: nothing */
    case 0xff: len = dvd_list(out); break;
    default: bad_field(cd); return;
    }
    put16(out, len - 2);
    cd_reply(cd, len, get16(packet + 8));
}

/* ---- reading ---- */

static void
read_range(IdeCd *cd, uint32_t lba, uint32_t count, uint8_t parts)
{
    uint32_t sectors = cd_sector_count(cd);

    if (lba > sectors || count > sectors - lba) {
        cd_error(cd, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
    } else if (count == 0 || cd_parts_len(parts) == 0) {
        cd_good(cd);
    } else {
        cd_read(cd, lba, count, parts);
    }
}

static void
read_10(IdeCd *cd)
{
    read_range(cd, get32(cd->packet + 2), get16(cd->packet + 7), CD_PART_USER);
}

static void
read_12(IdeCd *cd)
{
    read_range(cd, get32(cd->packet + 2), get32(cd->packet + 6), CD_PART_USER);
}

static bool
check_read_cd(IdeCd *cd, uint8_t parts)
{
    uint8_t type = cd->packet[1] >> 2 & 7;

    if (type != 0 && type != 2) { /* any, or mode 1 */
        cd_error(cd, SENSE_ILLEGAL_REQUEST, ASC_WRONG_TRACK_MODE);
        return false;
    }
    if ((parts & 0x06) || (cd->packet[10] & 7)) { /* error flags, subchannel */
        bad_field(cd);
        return false;
    }
    return true;
}

static void
read_cd(IdeCd *cd)
{
    uint8_t parts = cd->packet[9];

    if (check_read_cd(cd, parts)) {
        read_range(cd, get32(cd->packet + 2), get24(cd->packet + 6), parts & 0xf8);
    }
}

static uint32_t
msf_to_lba(const uint8_t *msf)
{
    return (msf[0] * 60u + msf[1]) * 75 + msf[2] - 150;
}

static void
read_cd_msf(IdeCd *cd)
{
    uint8_t parts = cd->packet[9];
    uint32_t start = msf_to_lba(cd->packet + 3), end = msf_to_lba(cd->packet + 6);

    if (!check_read_cd(cd, parts)) {
        return;
    }
    if (start > end) {
        bad_field(cd);
        return;
    }
    read_range(cd, start, end - start, parts & 0xf8);
}

static void
seek_10(IdeCd *cd)
{
    if (get32(cd->packet + 2) >= cd_sector_count(cd)) {
        cd_error(cd, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
    } else {
        cd_good(cd);
    }
}

static void
set_cd_speed(IdeCd *cd)
{
    cd_good(cd);
}

/* ---- dispatch ---- */

enum {
    NEEDS_MEDIUM = 1,
    ANYTIME = 2, /* not held up by a unit attention */
};

typedef struct CdCommand {
    void (*run)(IdeCd *cd);
    uint8_t flags;
} CdCommand;

static const CdCommand commands[256] = {
    [0x00] = { test_unit_ready, NEEDS_MEDIUM },
    [0x03] = { request_sense, ANYTIME },
    [0x12] = { inquiry, ANYTIME },
    [0x1b] = { start_stop_unit },
    [0x1e] = { prevent_allow },
    [0x25] = { read_capacity, NEEDS_MEDIUM },
    [0x28] = { read_10, NEEDS_MEDIUM },
    [0x2b] = { seek_10, NEEDS_MEDIUM },
    [0x43] = { read_toc, NEEDS_MEDIUM },
    [0x46] = { get_configuration, ANYTIME },
    [0x4a] = { get_event_status, ANYTIME },
    [0x51] = { read_disc_information, NEEDS_MEDIUM },
    [0x52] = { read_track_information, NEEDS_MEDIUM },
    [0x55] = { mode_select },
    [0x5a] = { mode_sense },
    [0xa8] = { read_12, NEEDS_MEDIUM },
    [0xad] = { read_dvd_structure, NEEDS_MEDIUM },
    [0xb9] = { read_cd_msf, NEEDS_MEDIUM },
    [0xbb] = { set_cd_speed },
    [0xbd] = { mechanism_status, ANYTIME },
    [0xbe] = { read_cd, NEEDS_MEDIUM },
};

/* True when the command gives way to news of the medium. */
static bool
report_change(IdeCd *cd)
{
    if (cd->change == CD_CHANGE_NONE || !cd_has_medium(cd)) {
        return false;
    }
    if (cd->change == CD_CHANGE_SHOW_ABSENT) {
        cd->change = CD_CHANGE_SHOW_NEW;
        cd_error(cd, SENSE_NOT_READY, ASC_NO_MEDIUM);
    } else {
        cd->change = CD_CHANGE_NONE;
        cd_error(cd, SENSE_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    }
    return true;
}

void
cd_run_packet(IdeCd *cd)
{
    const CdCommand *command = &commands[cd->packet[0]];

    if (!command->run) {
        cd_error(cd, SENSE_ILLEGAL_REQUEST, ASC_BAD_COMMAND);
        return;
    }
    if (!(command->flags & ANYTIME) && report_change(cd)) {
        return;
    }
    if ((command->flags & NEEDS_MEDIUM) && !cd_has_medium(cd)) {
        report_no_medium(cd);
        return;
    }
    if (cd->packet[0] != 0x03) { /* REQUEST SENSE is the one that reads it */
        cd->sense_key = SENSE_NONE;
        cd->sense_code = ASC_NONE;
    }
    command->run(cd);
}
