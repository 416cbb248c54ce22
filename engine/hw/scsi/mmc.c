/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The commands of a CD/DVD-ROM drive; what they say of the medium is in mmc-medium.c.
 *
 * MMC-3 (T10 1363D) and SPC-2 (T10 1236D) by command name; SFF-8020i revision 2.6 for the older
 * ones. A medium is a CD with one mode 1 track up to 80 minutes, else a single-layer DVD-ROM.
 * Audio and subchannel commands are refused as not supported.
 *
 * Thread: device lock held. */

#include "mmc-commands.h"

#include <string.h>

enum {
    PROFILE_CD_ROM = 0x0008,
    PROFILE_DVD_ROM = 0x0010,
    OP_MODE_SENSE_6 = 0x1a,
    CD_MAX_SECTORS = 80 * 60 * 75,
    MEDIA_CLASS = 4, /* of GET EVENT STATUS NOTIFICATION */
};

uint8_t *
mmc_begin_reply(Mmc *mmc, uint32_t len)
{
    memset(mmc->data, 0, len);
    return mmc->data;
}

void
mmc_reply(Mmc *mmc, uint32_t len, uint32_t allocation)
{
    mmc->ops->reply(mmc, MIN(len, allocation));
}

void
mmc_error(Mmc *mmc, uint8_t key, uint16_t code)
{
    mmc->sense_key = key;
    mmc->sense_code = code;
    mmc->ops->failed(mmc);
}

void
mmc_bad_field(Mmc *mmc)
{
    mmc_error(mmc, SENSE_ILLEGAL_REQUEST, ASC_BAD_FIELD);
}

bool
mmc_is_dvd(const Mmc *mmc)
{
    return mmc_sector_count(mmc) > CD_MAX_SECTORS;
}

static bool
is_tray_open(const Mmc *mmc)
{
    VitDrive *drive = mmc->drive;

    return drive->ops->is_tray_open(drive);
}

static void
report_no_medium(Mmc *mmc)
{
    mmc_error(mmc, SENSE_NOT_READY,
              is_tray_open(mmc) ? ASC_NO_MEDIUM_TRAY_OPEN : ASC_NO_MEDIUM_TRAY_CLOSED);
}

/* ---- about the drive ---- */

static void
test_unit_ready(Mmc *mmc)
{
    mmc->ops->good(mmc);
}

static void
request_sense(Mmc *mmc)
{
    uint8_t *out = mmc_begin_reply(mmc, 18);

    out[0] = 0xf0; /* valid, current error */
    out[2] = mmc->sense_key;
    out[7] = 10; /* bytes after this one */
    scsi_put16(out + 12, mmc->sense_code);
    if (mmc->sense_key == SENSE_UNIT_ATTENTION) {
        mmc->change = MMC_CHANGE_NONE;
    }
    mmc->sense_key = SENSE_NONE;
    mmc->sense_code = ASC_NONE;
    mmc_reply(mmc, 18, mmc->packet[4]);
}

static void
inquiry_page(Mmc *mmc)
{
    const uint8_t *packet = mmc->packet;
    uint8_t *out = mmc_begin_reply(mmc, 64);
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
        scsi_put_padded(out + 8, mmc->serial, 20);
        len = 28;
        if (mmc->wwn) { /* NAA identifier, binary, of the device */
            out[28] = 0x01;
            out[29] = 0x03;
            out[31] = 8;
            scsi_put32(out + 32, (uint32_t)(mmc->wwn >> 32));
            scsi_put32(out + 36, (uint32_t)mmc->wwn);
            len = 40;
        }
        break;
    default: mmc_bad_field(mmc); return;
    }
    out[3] = (uint8_t)(len - 4);
    mmc_reply(mmc, len, scsi_get16(packet + 3));
}

static void
inquiry(Mmc *mmc)
{
    const uint8_t *packet = mmc->packet;
    uint8_t *out;

    if (packet[1] & 0x01) {
        inquiry_page(mmc);
        return;
    }
    if (packet[2] != 0) {
        mmc_bad_field(mmc);
        return;
    }
    out = mmc_begin_reply(mmc, 36);
    out[0] = 0x05; /* CD/DVD */
    out[1] = 0x80; /* removable */
    out[2] = mmc->is_atapi ? 0 : 5;
    out[3] = mmc->is_atapi ? 0x21 : 2; /* ATAPI, response format 1 as SFF-8020i has it; SPC: 2 */
    out[4] = 31;                       /* bytes after this one */
    scsi_put_padded(out + 8, mmc->vendor, 8);
    scsi_put_padded(out + 16, mmc->model, 16);
    scsi_put_padded(out + 32, mmc->version, 4);
    mmc_reply(mmc, 36, packet[4]);
}

/* ---- configuration ---- */

static uint8_t *
put_feature(uint8_t *out, uint32_t code, uint8_t flags, const uint8_t *data, uint8_t len)
{
    scsi_put16(out, code);
    out[2] = flags;
    out[3] = len;
    memcpy(out + 4, data, len);
    return out + 4 + len;
}

static uint8_t *
put_profile_list(uint8_t *out, uint32_t current)
{
    uint8_t list[8] = { 0 };

    scsi_put16(list, PROFILE_DVD_ROM);
    list[2] = current == PROFILE_DVD_ROM;
    scsi_put16(list + 4, PROFILE_CD_ROM);
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
get_configuration(Mmc *mmc)
{
    const uint8_t *packet = mmc->packet;
    uint32_t type = packet[1] & 3, first = scsi_get16(packet + 2), current = 0;
    uint8_t *out = mmc_begin_reply(mmc, 128), *at = out + 8;

    if (type == 3) {
        mmc_bad_field(mmc);
        return;
    }
    if (mmc_has_medium(mmc)) {
        current = mmc_is_dvd(mmc) ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
    }
    scsi_put16(out + 6, current);
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
    scsi_put32(out, (uint32_t)(at - out - 4));
    mmc_reply(mmc, (uint32_t)(at - out), scsi_get16(packet + 7));
}

static void
get_event_status(Mmc *mmc)
{
    const uint8_t *packet = mmc->packet;
    uint8_t *out = mmc_begin_reply(mmc, 8);
    uint32_t len = 4;

    if (!(packet[1] & 1)) { /* waiting for an event is not offered */
        mmc_bad_field(mmc);
        return;
    }
    out[3] = 1u << MEDIA_CLASS; /* classes there are */
    if (packet[4] & 1u << MEDIA_CLASS) {
        out[2] = MEDIA_CLASS;
        out[4] = mmc->event;
        out[5] = (is_tray_open(mmc) ? 1 : 0) | (mmc_has_medium(mmc) ? 2 : 0);
        mmc->event = MMC_EVENT_NONE;
        len = 8;
    } else {
        out[2] = 0x80; /* none of the classes asked for */
    }
    scsi_put16(out, len - 2);
    mmc_reply(mmc, len, scsi_get16(packet + 7));
}

/* ---- mode pages ---- */

static uint8_t *
put_error_page(const Mmc *mmc, uint8_t *out)
{
    out[0] = 0x01;
    out[1] = 6;
    out[3] = 5; /* retries */
    return out + 8;
}

static uint8_t *
put_audio_page(const Mmc *mmc, uint8_t *out)
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
put_capabilities_page(const Mmc *mmc, uint8_t *out)
{
    out[0] = 0x2a;
    out[1] = 18;
    out[2] = 0x3b; /* reads CD-R, CD-RW, fixed packets, DVD-ROM, DVD-R, DVD-RAM */
    out[4] = 0x70; /* mode 2 forms 1 and 2, multi-session */
    out[5] = 0x01; /* READ CD */
    out[6] = 0x29 | (mmc->locked ? 0x02 : 0); /* tray, eject, lock */
    scsi_put16(out + 8, 706);                 /* kB/s */
    scsi_put16(out + 10, 2);                  /* volume levels */
    scsi_put16(out + 12, 512);                /* buffer, kB */
    scsi_put16(out + 14, 706);                /* current kB/s */
    return out + 20;
}

/* The pages that PAGE names, at AT; their end. */
static uint8_t *
put_pages(Mmc *mmc, uint8_t *at, uint8_t page, bool changeable)
{
    uint8_t *first = at;

    if (page == 0x01 || page == 0x3f) {
        at = put_error_page(mmc, at);
    }
    if (page == 0x0e || page == 0x3f) {
        at = put_audio_page(mmc, at);
    }
    if (page == 0x2a || page == 0x3f) {
        at = put_capabilities_page(mmc, at);
    }
    /* Nothing can be changed, so the pages stay empty but for their heads. */
    for (uint8_t *head = first; changeable && head < at; head += head[1] + 2) {
        memset(head + 2, 0, head[1]);
    }
    return at;
}

static void
mode_sense(Mmc *mmc)
{
    const uint8_t *packet = mmc->packet;
    uint8_t page = packet[2] & 0x3f, control = packet[2] >> 6;
    bool is_short = packet[0] == OP_MODE_SENSE_6;
    uint8_t medium = is_tray_open(mmc) ? 0x71 : !mmc_has_medium(mmc) ? 0x70 : 0x01;
    uint8_t *out = mmc_begin_reply(mmc, 64), *end;

    if (is_short && mmc->is_atapi) { /* MMC-3 has it on other buses alone */
        mmc_error(mmc, SENSE_ILLEGAL_REQUEST, ASC_BAD_COMMAND);
        return;
    }
    if (control == 3) {
        mmc_error(mmc, SENSE_ILLEGAL_REQUEST, ASC_SAVING_NOT_SUPPORTED);
        return;
    }
    if (page != 0x01 && page != 0x0e && page != 0x2a && page != 0x3f) {
        mmc_bad_field(mmc);
        return;
    }
    end = put_pages(mmc, out + (is_short ? 4 : 8), page, control == 1);
    if (is_short) {
        out[0] = (uint8_t)(end - out - 1);
        out[1] = medium;
    } else {
        scsi_put16(out, (uint32_t)(end - out - 2));
        out[2] = medium;
    }
    mmc_reply(mmc, (uint32_t)(end - out), is_short ? packet[4] : scsi_get16(packet + 7));
}

static void
mode_select(Mmc *mmc)
{
    mmc->ops->receive(mmc, scsi_get16(mmc->packet + 7)); /* nothing can be changed */
}

/* ---- tray ---- */

static void
start_stop_unit(Mmc *mmc)
{
    VitDrive *drive = mmc->drive;
    bool start = mmc->packet[4] & 1, move_tray = mmc->packet[4] & 2;

    if (mmc->packet[4] & 0xf0) { /* power conditions: nothing to do */
        mmc->ops->good(mmc);
        return;
    }
    if (move_tray && !start && mmc->locked && !is_tray_open(mmc)) {
        mmc_error(mmc, mmc_has_medium(mmc) ? SENSE_ILLEGAL_REQUEST : SENSE_NOT_READY,
                  ASC_REMOVAL_PREVENTED);
        return;
    }
    if (move_tray && start == is_tray_open(mmc)) {
        drive->ops->set_tray(drive, !start);
        if (drive->ops->is_inserted(drive)) {
            mmc->event = start ? MMC_EVENT_NEW_MEDIUM : MMC_EVENT_REMOVAL;
            mmc->change = start ? MMC_CHANGE_SHOW_NEW : MMC_CHANGE_NONE;
        }
    }
    mmc->ops->good(mmc);
}

static void
prevent_allow(Mmc *mmc)
{
    VitDrive *drive = mmc->drive;

    mmc->locked = mmc->packet[4] & 1;
    drive->ops->set_locked(drive, mmc->locked);
    mmc->ops->good(mmc);
}

static void
mechanism_status(Mmc *mmc)
{
    uint8_t *out = mmc_begin_reply(mmc, 8);

    out[1] = is_tray_open(mmc) ? 0x10 : 0;
    out[5] = 1; /* one slot, no table */
    mmc_reply(mmc, 8, scsi_get16(mmc->packet + 8));
}

/* ---- reading ---- */

static void
read_range(Mmc *mmc, uint32_t lba, uint32_t count, uint8_t parts)
{
    uint32_t sectors = mmc_sector_count(mmc);

    if (lba > sectors || count > sectors - lba) {
        mmc_error(mmc, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
    } else if (count == 0 || mmc_parts_len(parts) == 0) {
        mmc->ops->good(mmc);
    } else {
        mmc->ops->read(mmc, lba, count, parts);
    }
}

static void
read_10(Mmc *mmc)
{
    read_range(mmc, scsi_get32(mmc->packet + 2), scsi_get16(mmc->packet + 7), MMC_PART_USER);
}

static void
read_12(Mmc *mmc)
{
    read_range(mmc, scsi_get32(mmc->packet + 2), scsi_get32(mmc->packet + 6), MMC_PART_USER);
}

static bool
check_read_cd(Mmc *mmc, uint8_t parts)
{
    uint8_t type = mmc->packet[1] >> 2 & 7;

    if (type != 0 && type != 2) { /* any, or mode 1 */
        mmc_error(mmc, SENSE_ILLEGAL_REQUEST, ASC_WRONG_TRACK_MODE);
        return false;
    }
    if ((parts & 0x06) || (mmc->packet[10] & 7)) { /* error flags, subchannel */
        mmc_bad_field(mmc);
        return false;
    }
    return true;
}

static void
read_cd(Mmc *mmc)
{
    uint8_t parts = mmc->packet[9];

    if (check_read_cd(mmc, parts)) {
        read_range(mmc, scsi_get32(mmc->packet + 2), scsi_get24(mmc->packet + 6), parts & 0xf8);
    }
}

static uint32_t
msf_to_lba(const uint8_t *msf)
{
    return (msf[0] * 60u + msf[1]) * 75 + msf[2] - 150;
}

static void
read_cd_msf(Mmc *mmc)
{
    uint8_t parts = mmc->packet[9];
    uint32_t start = msf_to_lba(mmc->packet + 3), end = msf_to_lba(mmc->packet + 6);

    if (!check_read_cd(mmc, parts)) {
        return;
    }
    if (start > end) {
        mmc_bad_field(mmc);
        return;
    }
    read_range(mmc, start, end - start, parts & 0xf8);
}

static void
seek_10(Mmc *mmc)
{
    if (scsi_get32(mmc->packet + 2) >= mmc_sector_count(mmc)) {
        mmc_error(mmc, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
    } else {
        mmc->ops->good(mmc);
    }
}

static void
set_cd_speed(Mmc *mmc)
{
    mmc->ops->good(mmc);
}

/* ---- dispatch ---- */

enum {
    NEEDS_MEDIUM = 1,
    ANYTIME = 2, /* not held up by a unit attention */
};

typedef struct CdCommand {
    void (*run)(Mmc *mmc);
    uint8_t flags;
} CdCommand;

static const CdCommand commands[256] = {
    [0x00] = { test_unit_ready, NEEDS_MEDIUM },
    [0x03] = { request_sense, ANYTIME },
    [0x12] = { inquiry, ANYTIME },
    [0x1b] = { start_stop_unit },
    [0x1e] = { prevent_allow },
    [0x25] = { mmc_read_capacity, NEEDS_MEDIUM },
    [0x28] = { read_10, NEEDS_MEDIUM },
    [0x2b] = { seek_10, NEEDS_MEDIUM },
    [0x43] = { mmc_read_toc, NEEDS_MEDIUM },
    [0x46] = { get_configuration, ANYTIME },
    [0x4a] = { get_event_status, ANYTIME },
    [0x51] = { mmc_read_disc_information, NEEDS_MEDIUM },
    [0x52] = { mmc_read_track_information, NEEDS_MEDIUM },
    [0x55] = { mode_select },
    [OP_MODE_SENSE_6] = { mode_sense },
    [0x5a] = { mode_sense },
    [0xa8] = { read_12, NEEDS_MEDIUM },
    [0xad] = { mmc_read_dvd_structure, NEEDS_MEDIUM },
    [0xb9] = { read_cd_msf, NEEDS_MEDIUM },
    [0xbb] = { set_cd_speed },
    [0xbd] = { mechanism_status, ANYTIME },
    [0xbe] = { read_cd, NEEDS_MEDIUM },
};

/* True when the command gives way to news of the medium. */
static bool
report_change(Mmc *mmc)
{
    if (mmc->change == MMC_CHANGE_NONE || !mmc_has_medium(mmc)) {
        return false;
    }
    if (mmc->change == MMC_CHANGE_SHOW_ABSENT) {
        mmc->change = MMC_CHANGE_SHOW_NEW;
        mmc_error(mmc, SENSE_NOT_READY, ASC_NO_MEDIUM);
    } else {
        mmc->change = MMC_CHANGE_NONE;
        mmc_error(mmc, SENSE_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    }
    return true;
}

void
mmc_run(Mmc *mmc)
{
    const CdCommand *command = &commands[mmc->packet[0]];

    if (!command->run) {
        mmc_error(mmc, SENSE_ILLEGAL_REQUEST, ASC_BAD_COMMAND);
        return;
    }
    if (!(command->flags & ANYTIME) && report_change(mmc)) {
        return;
    }
    if ((command->flags & NEEDS_MEDIUM) && !mmc_has_medium(mmc)) {
        report_no_medium(mmc);
        return;
    }
    if (mmc->packet[0] != 0x03) { /* REQUEST SENSE is the one that reads it */
        mmc->sense_key = SENSE_NONE;
        mmc->sense_code = ASC_NONE;
    }
    command->run(mmc);
}

/* ---- sectors ---- */

static const uint8_t sync_pattern[12] = { 0x00, 0xff, 0xff, 0xff, 0xff, 0xff,
                                          0xff, 0xff, 0xff, 0xff, 0xff, 0x00 };

uint32_t
mmc_parts_len(uint8_t parts)
{
    return (parts & MMC_PART_SYNC ? 12 : 0) + (parts & MMC_PART_HEADER ? 4 : 0) +
           (parts & MMC_PART_USER ? MMC_SECTOR_BYTES : 0) + (parts & MMC_PART_ECC ? 288 : 0);
}

static uint8_t
to_bcd(uint32_t value)
{
    return (uint8_t)(value / 10 % 10 << 4 | value % 10);
}

uint8_t *
mmc_put_sector(uint8_t *out, uint8_t parts, uint32_t lba, const uint8_t *user)
{
    if (parts & MMC_PART_SYNC) {
        memcpy(out, sync_pattern, sizeof(sync_pattern));
        out += sizeof(sync_pattern);
    }
    if (parts & MMC_PART_HEADER) {
        uint32_t frame = lba + 150;
        *out++ = to_bcd(frame / (75 * 60));
        *out++ = to_bcd(frame / 75 % 60);
        *out++ = to_bcd(frame % 75);
        *out++ = 1; /* mode 1 */
    }
    if (parts & MMC_PART_USER) {
        memmove(out, user, MMC_SECTOR_BYTES);
        out += MMC_SECTOR_BYTES;
    }
    if (parts & MMC_PART_ECC) {
        memset(out, 0, 288);
        out += 288;
    }
    return out;
}

/* ---- media and life ---- */

bool
mmc_has_medium(const Mmc *mmc)
{
    return mmc->drive->ops->is_inserted(mmc->drive) && !mmc->drive->ops->is_tray_open(mmc->drive);
}

uint32_t
mmc_sector_count(const Mmc *mmc)
{
    return (uint32_t)MIN(mmc->drive->ops->get_len(mmc->drive) / MMC_SECTOR_BYTES, UINT32_MAX);
}

void
mmc_medium_changed(Mmc *mmc, bool inserted)
{
    mmc->event = inserted ? MMC_EVENT_NEW_MEDIUM : MMC_EVENT_REMOVAL;
    mmc->change = MMC_CHANGE_SHOW_ABSENT;
}

void
mmc_eject_requested(Mmc *mmc, bool force)
{
    mmc->event = MMC_EVENT_EJECT_REQUEST;
    if (force) {
        mmc->locked = false;
    }
}

void
mmc_reset(Mmc *mmc)
{
    memset(mmc->packet, 0, sizeof(mmc->packet));
    mmc->sense_key = SENSE_NONE;
    mmc->sense_code = ASC_NONE;
    mmc->event = MMC_EVENT_NONE;
    mmc->change = MMC_CHANGE_NONE;
    mmc->locked = false;
    mmc->drive->ops->set_locked(mmc->drive, false);
}

void
mmc_pre_save(Mmc *mmc)
{
    mmc->tray_open = mmc->drive->ops->is_tray_open(mmc->drive);
}

void
mmc_loaded(Mmc *mmc)
{
    mmc->drive->ops->set_locked(mmc->drive, mmc->locked);
    mmc->drive->ops->set_tray(mmc->drive, mmc->tray_open);
}

const VitField mmc_state[] = {
    VIT_FIELD_ARRAY(Mmc, packet), VIT_FIELD(Mmc, sense_key),    VIT_FIELD(Mmc, event),
    VIT_FIELD(Mmc, change),       VIT_FIELD(Mmc, locked),       VIT_FIELD(Mmc, tray_open),
    VIT_FIELD(Mmc, sense_code),   VIT_TRANSIENT(Mmc, ops), /* wiring, and the carrier's properties
                                                            */
    VIT_TRANSIENT(Mmc, drive),    VIT_TRANSIENT(Mmc, data),     VIT_TRANSIENT(Mmc, serial),
    VIT_TRANSIENT(Mmc, vendor),   VIT_TRANSIENT(Mmc, model),    VIT_TRANSIENT(Mmc, version),
    VIT_TRANSIENT(Mmc, wwn),      VIT_TRANSIENT(Mmc, is_atapi), { 0 },
};
