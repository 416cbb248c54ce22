/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* SCSI without a controller: a bus of logical units, commands as requests.
 *
 * A controller fills a ScsiRequest (command, lists of guest memory for data in and out) and starts
 * it; the unit ends it, at once or later, with a status, sense data and how much it moved. Units
 * (ScsiDevice, first member of scsi-hd and scsi-cd) are found by channel, target and LUN.
 * SAM-5, SPC-4, SBC-3. Thread: device lock held. */

#include "vit-device.h"
#include "vit-drive.h"
#include "vit-sg.h"

typedef struct ScsiBus ScsiBus;
typedef struct ScsiDevice ScsiDevice;
typedef struct ScsiRequest ScsiRequest;

/* Status codes (SAM-5 5.3). */
enum {
    SCSI_GOOD = 0x00,
    SCSI_CHECK_CONDITION = 0x02,
    SCSI_BUSY = 0x08,
    SCSI_TASK_ABORTED = 0x40,
};

/* Sense keys (SPC-4 table 43) and additional codes, ASC << 8 | ASCQ. */
enum {
    SENSE_NONE = 0,
    SENSE_NOT_READY = 2,
    SENSE_MEDIUM_ERROR = 3,
    SENSE_HARDWARE_ERROR = 4,
    SENSE_ILLEGAL_REQUEST = 5,
    SENSE_UNIT_ATTENTION = 6,
    SENSE_DATA_PROTECT = 7,
    SENSE_ABORTED_COMMAND = 11,
};
enum {
    ASC_NONE = 0x0000,
    ASC_WRITE_ERROR = 0x0c00,
    ASC_UNRECOVERED_READ = 0x1100,
    ASC_PARAMETER_LENGTH = 0x1a00,
    ASC_BAD_COMMAND = 0x2000,
    ASC_LBA_OUT_OF_RANGE = 0x2100,
    ASC_BAD_FIELD = 0x2400,
    ASC_LUN_NOT_SUPPORTED = 0x2500,
    ASC_BAD_PARAMETER = 0x2600,
    ASC_WRITE_PROTECTED = 0x2700,
    ASC_MEDIUM_CHANGED = 0x2800,
    ASC_RESET = 0x2900,
    ASC_CAPACITY_CHANGED = 0x2a09,
    ASC_INCOMPATIBLE_MEDIUM = 0x3000,
    ASC_SAVING_NOT_SUPPORTED = 0x3900,
    ASC_NO_MEDIUM = 0x3a00,
    ASC_NO_MEDIUM_TRAY_CLOSED = 0x3a01,
    ASC_NO_MEDIUM_TRAY_OPEN = 0x3a02,
    ASC_LUNS_CHANGED = 0x3f0e,
    ASC_REMOVAL_PREVENTED = 0x5302,
    ASC_WRONG_TRACK_MODE = 0x6400,
};

enum { SCSI_CDB_MAX = 16, SCSI_SENSE_BYTES = 18, SCSI_TARGET_MAX = 255, SCSI_LUN_MAX = 16383 };

struct ScsiRequest {
    ScsiDevice *device; /* NULL: answered by the bus */
    uint8_t cdb[SCSI_CDB_MAX];
    VitSg *in, *out; /* the controller's; NULL where no data goes that way */
    void (*done)(ScsiRequest *request);
    /* results */
    uint8_t status;
    bool has_sense;
    uint8_t sense[SCSI_SENSE_BYTES];
    uint64_t moved_bytes; /* of in or out */
    /* the unit's */
    uint8_t op;
    uint32_t flags;
    uint64_t offset, len; /* of what the drive is asked */
    ScsiRequest *next;    /* waiting or stopped */
};

typedef struct ScsiDeviceOps {
    /* Runs REQUEST, which is not held up by a unit attention any more. */
    void (*command)(ScsiDevice *scsi, ScsiRequest *request);
    /* Repeats a request that an error stopped. */
    void (*repeat)(ScsiDevice *scsi, ScsiRequest *request);
    /* Forgets what waits; nothing is in flight. May be NULL. */
    void (*purge)(ScsiDevice *scsi);
} ScsiDeviceOps;

struct ScsiDevice {
    VitDevice dev;
    /* properties */
    VitDrive *drive;
    int32_t channel, target, lun, bootindex;
    char *serial, *vendor, *product, *version, *device_id;
    uint64_t wwn;
    uint32_t logical_block_bytes, physical_block_bytes;
    int32_t write_cache, on_read_error, on_write_error;
    bool share_rw;
    /* fixed at realize */
    uint32_t block_bytes; /* of what commands count; 0: logical_block_bytes */
    const ScsiDeviceOps *ops;
    ScsiBus *bus;
    /* the guest's */
    uint16_t attention; /* additional code of a unit attention to report; 0 none */
    /* not saved */
    ScsiRequest *stopped; /* repeat when the machine goes on */
    uint32_t in_flight;
    bool is_purging;
};

typedef enum ScsiEvent { SCSI_EVENT_ADDED, SCSI_EVENT_REMOVED, SCSI_EVENT_CHANGED } ScsiEvent;

typedef struct ScsiHostOps {
    uint32_t max_target, max_lun;
    /* A unit came, is going, or changed (ATTENTION says what); may be NULL. */
    void (*event)(ScsiBus *bus, ScsiDevice *scsi, ScsiEvent event, uint16_t attention);
} ScsiHostOps;

struct ScsiBus {
    VitBus bus; /* devices: ScsiDevice */
    const ScsiHostOps *host;
};

/* ---- for controllers (scsi-bus.c) ---- */

void scsi_bus_init(ScsiBus *bus, const char *name, VitDevice *owner, VitPlatform *platform,
                   const ScsiHostOps *host);
void scsi_bus_finish(ScsiBus *bus);
/* The unit, or NULL. LUN -1: any of the target. */
ScsiDevice *scsi_bus_find(const ScsiBus *bus, unsigned channel, unsigned target, int lun);
/* Starts a request for a unit; a target without that LUN answers as SPC-4 5.9 asks. False: there
 * is no such target at all, and done will not be called. */
bool scsi_bus_start(ScsiBus *bus, unsigned channel, unsigned target, unsigned lun,
                    ScsiRequest *request);
/* Starts a request again that an error had stopped before a save. False: there is no such unit. */
bool scsi_bus_repeat(ScsiBus *bus, unsigned channel, unsigned target, unsigned lun,
                     ScsiRequest *request);
/* Waits for the unit's requests; those that an error stopped end as aborted. */
void scsi_device_purge(ScsiDevice *scsi);
/* Logical unit reset. */
void scsi_device_reset_unit(ScsiDevice *scsi);
/* Bytes a command moves at most, and which way: for controllers that must know before. */
uint64_t scsi_cdb_len(const uint8_t *cdb, uint32_t block_bytes, bool *out_to_device);
unsigned scsi_cdb_bytes(uint8_t opcode);

/* ---- for units ---- */

bool scsi_device_realize(ScsiDevice *scsi, const ScsiDeviceOps *ops, const VitDriveUser *user,
                         GError **error);
void scsi_device_unrealize(ScsiDevice *scsi);
void scsi_device_reset(ScsiDevice *scsi);
/* Reports a unit attention at the next command, and tells the controller. */
void scsi_device_attention(ScsiDevice *scsi, uint16_t code);
/* For VitDriveUser. */
void scsi_device_resume(void *opaque);

void scsi_good(ScsiRequest *request);
void scsi_check(ScsiRequest *request, uint8_t key, uint16_t code);
/* Sends LEN bytes of REPLY, at most ALLOCATION, and ends well. */
void scsi_reply(ScsiRequest *request, const void *reply, uint32_t len, uint32_t allocation);
/* Takes LEN parameter bytes; false, with the request ended, when there are fewer. */
bool scsi_take(ScsiRequest *request, void *buf, uint32_t len);
/* Moves request->len bytes at request->offset between drive and the request's lists, at most what
 * they hold, and ends it. Errors follow the drive's policy. */
void scsi_drive_read(ScsiRequest *request);
void scsi_drive_write(ScsiRequest *request, bool fua);
/* Completions of other drive requests: ends REQUEST, or calls NEXT when all is well. */
void scsi_drive_submitted(ScsiRequest *request);
void scsi_drive_done(void *opaque, int ret);
void scsi_fill_sense(uint8_t out[SCSI_SENSE_BYTES], uint8_t key, uint16_t code);

static inline void
scsi_put16(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

static inline void
scsi_put32(uint8_t *out, uint32_t value)
{
    scsi_put16(out, value >> 16);
    scsi_put16(out + 2, value);
}

static inline void
scsi_put64(uint8_t *out, uint64_t value)
{
    scsi_put32(out, (uint32_t)(value >> 32));
    scsi_put32(out + 4, (uint32_t)value);
}

static inline uint32_t
scsi_get16(const uint8_t *in)
{
    return (uint32_t)(in[0] << 8 | in[1]);
}

static inline uint32_t
scsi_get24(const uint8_t *in)
{
    return (uint32_t)in[0] << 16 | scsi_get16(in + 1);
}

static inline uint32_t
scsi_get32(const uint8_t *in)
{
    return scsi_get16(in) << 16 | scsi_get16(in + 2);
}

static inline uint64_t
scsi_get64(const uint8_t *in)
{
    return (uint64_t)scsi_get32(in) << 32 | scsi_get32(in + 4);
}

void scsi_put_padded(uint8_t *out, const char *text, size_t len);

#define SCSI_DEVICE_STATE(Type, s)                                                   \
    VIT_FIELD(Type, s.attention), /* wiring, or only while requests are under way */ \
        VIT_TRANSIENT(Type, s.ops), VIT_TRANSIENT(Type, s.block_bytes),              \
        VIT_TRANSIENT(Type, s.bus), VIT_TRANSIENT(Type, s.stopped),                  \
        VIT_TRANSIENT(Type, s.in_flight), VIT_TRANSIENT(Type, s.is_purging)

extern const char *const scsi_on_error_words[];

#define SCSI_DEVICE_PROPS(Type, s, product_)                                                \
    VIT_PROP_INT(Type, s.channel, "channel", 0, 0, 0, VIT_N_("Channel of the controller")), \
        VIT_PROP_INT(Type, s.target, "scsi-id", -1, -1, SCSI_TARGET_MAX,                    \
                     VIT_N_("Target number; -1 the first that is free")),                   \
        VIT_PROP_INT(Type, s.lun, "lun", -1, -1, SCSI_LUN_MAX,                              \
                     VIT_N_("Logical unit number; -1 the first that is free")),             \
        VIT_PROP_INT(Type, s.bootindex, "bootindex", -1, -1, INT32_MAX,                     \
                     VIT_N_("Place in the boot order; -1 none")),                           \
        VIT_PROP_STRING(Type, s.serial, "serial", NULL, VIT_N_("Serial number")),           \
        VIT_PROP_STRING(Type, s.vendor, "vendor", "VITRINE", VIT_N_("Vendor name")),        \
        VIT_PROP_STRING(Type, s.product, "product", product_, VIT_N_("Product name")),      \
        VIT_PROP_STRING(Type, s.version, "ver", "0.1", VIT_N_("Product revision")),         \
        VIT_PROP_STRING(Type, s.device_id, "device_id", NULL,                               \
                        VIT_N_("Identification; the serial number when not given")),        \
        VIT_PROP_UINT(Type, s.wwn, "wwn", 0, 0, INT64_MAX, VIT_N_("World wide name"),       \
                      .flags = VIT_PROP_HEX),                                               \
        VIT_PROP_BOOL(Type, s.share_rw, "share-rw", 0,                                      \
                      VIT_N_("Others may write to the image too")),                         \
        VIT_PROP_ONOFFAUTO(Type, s.write_cache, "write-cache", VIT_AUTO,                    \
                           VIT_N_("Volatile write cache; auto as the drive says")),         \
        VIT_PROP_ENUM(Type, s.on_read_error, "rerror", scsi_on_error_words, 0,              \
                      VIT_N_("What a read error does")),                                    \
        VIT_PROP_ENUM(Type, s.on_write_error, "werror", scsi_on_error_words, 0,             \
                      VIT_N_("What a write error does"))
