/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* ATA devices and the two-device channel they share, without any controller.
 *
 * A channel (IdeBus) has the registers a host sees; a controller maps them and lends its DMA. A
 * device (IdeDevice, first member of ide-hd and ide-cd) keeps its own copy of the task file, a
 * buffer for programmed I/O and what it is doing (op); from these alone it can go on after an
 * error has stopped it or a state was loaded. ATA/ATAPI-6 (T13 1410D). Thread: device lock held. */

#include "vit-device.h"
#include "vit-drive.h"

#include <sys/uio.h>

typedef struct IdeBus IdeBus;
typedef struct IdeDevice IdeDevice;

/* Status register. */
enum {
    IDE_BSY = 0x80,
    IDE_DRDY = 0x40,
    IDE_DF = 0x20,
    IDE_DSC = 0x10,
    IDE_DRQ = 0x08,
    IDE_ERR = 0x01,
};
/* Error register. */
enum { IDE_ERROR_UNC = 0x40, IDE_ERROR_IDNF = 0x10, IDE_ERROR_ABRT = 0x04 };
/* Device control register. */
enum { IDE_CONTROL_HOB = 0x80, IDE_CONTROL_SRST = 0x04, IDE_CONTROL_NIEN = 0x02 };
/* Device register. */
enum { IDE_DEVICE_LBA = 0x40, IDE_DEVICE_DEV = 0x10 };

enum {
    IDE_SECTOR_BYTES = 512,
    IDE_BUFFER_BYTES = 64 * 1024,
    IDE_SG_SEGMENTS = 256,
    IDE_SG_BYTES = 4 * 1024 * 1024,
};

/* What a device does when the host acts. */
typedef struct IdeDeviceOps {
    bool is_packet;
    /* BSY is set; the command ends it by ide_finish(), ide_abort() or a transfer. */
    void (*command)(IdeDevice *ide, uint8_t command);
    /* The host has moved the block of ide_pio_in() or ide_pio_out(). */
    void (*pio_done)(IdeDevice *ide);
    /* The controller is ready for the transfer of ide_dma_begin(). */
    void (*dma_run)(IdeDevice *ide);
    /* Goes on with OP: after an error stopped it, or a state was loaded. */
    void (*proceed)(IdeDevice *ide);
    /* Power-on and software reset of what is the kind's own. */
    void (*reset)(IdeDevice *ide);
} IdeDeviceOps;

/* Guest memory of one piece of a transfer. */
typedef struct IdeSg {
    struct iovec iov[IDE_SG_SEGMENTS];
    uint64_t address[IDE_SG_SEGMENTS];
    bool is_copy[IDE_SG_SEGMENTS]; /* not RAM: a buffer of ours */
    int count;
    uint64_t len_bytes;
    bool to_memory;
} IdeSg;

struct IdeDevice {
    VitDevice dev;
    /* properties */
    VitDrive *drive;
    char *serial, *firmware, *model;
    int32_t unit, bootindex;
    uint64_t wwn;
    uint32_t cylinders, heads, sectors, translation;
    uint32_t logical_block_bytes, physical_block_bytes, discard_granularity_bytes;
    uint16_t rotation_rate;
    int32_t write_cache, on_read_error, on_write_error;
    bool share_rw;
    /* fixed at realize */
    const IdeDeviceOps *ops;
    IdeBus *bus;
    unsigned number; /* 0 or 1 */
    VitDriveGeometry geometry;
    uint8_t *data;
    uint32_t data_len_bytes;
    IdeSg *sg;
    /* task file */
    uint8_t status, error, feature, count, lba_low, lba_mid, lba_high, command;
    uint8_t hob_feature, hob_count, hob_lba_low, hob_lba_mid, hob_lba_high;
    bool irq_pending;
    /* settings */
    uint8_t multiple; /* sectors per block of READ and WRITE MULTIPLE */
    uint8_t dma_mode; /* as SET FEATURES 03h gave it */
    uint8_t current_heads, current_sectors;
    bool write_cache_on, read_look_ahead, smart_on, reverts_disabled;
    /* what is being done */
    uint8_t op;           /* the kind's own code, 0 = nothing */
    bool lba48;           /* the command is an EXT one */
    uint64_t op_lba;      /* next sector */
    uint32_t op_left;     /* sectors to go */
    uint32_t op_block;    /* sectors in the block on the data register */
    uint32_t op_buffered; /* sectors read ahead into data */
    uint8_t pio;          /* IdePio */
    uint32_t data_at, data_end;
    bool waiting_dma; /* ready, controller not started */
    bool stopped;     /* repeats when the machine goes on */
    /* not saved */
    bool in_flight, is_resetting;
};

typedef enum IdePio { IDE_PIO_NONE, IDE_PIO_IN, IDE_PIO_OUT } IdePio;

/* What a controller lends its channel. */
typedef struct IdeHostOps {
    void (*set_irq)(IdeBus *bus, int level);
    /* Calls the device's dma_run at once, or when the guest starts the engine. */
    void (*dma_request)(IdeBus *bus);
    /* Next guest address and how many bytes from it, at most *LEN. False at the end. */
    bool (*dma_next)(IdeBus *bus, uint64_t *out_address, uint32_t *len);
    /* Remembers a position in the guest's list, and goes back to it. */
    void (*dma_mark)(IdeBus *bus);
    void (*dma_rewind)(IdeBus *bus);
    /* The transfer ended; SHORT_TABLE: the list was too short for it. */
    void (*dma_done)(IdeBus *bus, bool short_table);
    VitAddressSpace *(*dma_space)(IdeBus *bus);
    /* For hosts that move the blocks of programmed I/O themselves; else NULL. */
    void (*block_ready)(IdeBus *bus);
    /* The selected device's command is over; may be NULL. */
    void (*command_ended)(IdeBus *bus);
    /* The machine goes on after an error stopped it; may be NULL. */
    void (*resume)(IdeBus *bus);
    /* Log page 10h, of queued commands; NULL where there are none. */
    void (*fill_queue_log)(IdeBus *bus, uint8_t *out);
} IdeHostOps;

struct IdeBus {
    VitBus bus;
    IdeDevice *devices[2];
    const IdeHostOps *host;
    void *host_opaque;
    uint8_t select, control; /* device and device control registers */
    uint8_t max_units;       /* 2, or 1 where each port has a cable of its own */
    bool is_sata;            /* devices offer queued commands */
    int irq_level;
};

/* Saved fields of a channel, nested in its controller's. */
extern const VitField ide_bus_state[];
/* Saved fields common to devices; each kind lists them by IDE_DEVICE_STATE. */

void ide_bus_init(IdeBus *bus, const char *name, VitDevice *owner, VitPlatform *platform,
                  const IdeHostOps *host, void *host_opaque);
void ide_bus_finish(IdeBus *bus);
void ide_bus_reset(IdeBus *bus);

/* The command block (8 registers) and the control block's one register. SIZE 1, 2 or 4 for the
 * data register, 1 for the rest. */
uint32_t ide_read(IdeBus *bus, unsigned at, unsigned size);
void ide_write(IdeBus *bus, unsigned at, uint32_t value, unsigned size);
uint8_t ide_read_alternate_status(IdeBus *bus);
void ide_write_control(IdeBus *bus, uint8_t value);
/* The host stops the transfer in flight, if any: waits until the memory is no longer touched. */
void ide_bus_quiesce(IdeBus *bus);
void ide_update_irq(IdeBus *bus);

/* ---- for devices ---- */

bool ide_device_realize(IdeDevice *ide, const IdeDeviceOps *ops, const VitDriveUser *user,
                        GError **error);
void ide_device_unrealize(IdeDevice *ide);
void ide_device_reset(IdeDevice *ide);
/* Checks what a loaded state says about buffers. */
bool ide_device_post_load(IdeDevice *ide, GError **error);
void ide_set_signature(IdeDevice *ide);
void ide_set_irq(IdeDevice *ide);

/* Ends the command: status DRDY|DSC and whatever EXTRA, interrupt. */
void ide_finish(IdeDevice *ide, uint8_t extra_status);
void ide_fail(IdeDevice *ide, uint8_t error);
void ide_abort(IdeDevice *ide);
/* The last block of a command has been moved: it ends without an interrupt. */
void ide_pio_ended(IdeDevice *ide);
/* Offers data[data_at..+len) to the host, or asks it for as much; with an interrupt or not. */
void ide_pio_in(IdeDevice *ide, uint32_t len, bool interrupt);
void ide_pio_out(IdeDevice *ide, uint32_t len, bool interrupt);
/* Asks the controller; dma_run follows. */
void ide_dma_begin(IdeDevice *ide);
/* Ends a DMA transfer whose list was too short: the device goes idle without an interrupt. */
void ide_dma_short(IdeDevice *ide);

/* Gathers guest memory for WANT bytes; gives what there is, in whole UNITs. */
uint64_t ide_sg_gather(IdeDevice *ide, uint64_t want, uint32_t unit, bool to_memory);
/* The transfer into or out of the gathered memory has ended; LEN bytes of it are good. */
void ide_sg_finish(IdeDevice *ide, uint64_t len);
/* Moves LEN bytes between BUF and the guest's list at once; false when it is too short. */
bool ide_sg_copy(IdeDevice *ide, void *buf, uint64_t len, bool to_memory);

/* A request to the drive; the callback runs only if no reset came between. */
typedef void (*IdeDone)(IdeDevice *ide, int ret);
void ide_drive_read(IdeDevice *ide, uint64_t offset, const struct iovec *iov, int count,
                    IdeDone done);
void ide_drive_write(IdeDevice *ide, uint64_t offset, const struct iovec *iov, int count,
                     IdeDone done);
void ide_drive_flush(IdeDevice *ide, IdeDone done);
void ide_drive_discard(IdeDevice *ide, uint64_t offset, uint64_t len, IdeDone done);
/* What to do about a failure; STOP has been noted, proceed() will be called. */
VitDriveError ide_error_action(IdeDevice *ide, bool is_read, int ret);

/* ide-identify.c: the 512 bytes of IDENTIFY (PACKET) DEVICE. */
void ide_identify_disk(IdeDevice *ide, uint8_t *out);
void ide_identify_packet(IdeDevice *ide, uint8_t *out);

#define IDE_DEVICE_STATE(Type)                                                                    \
    VIT_FIELD(Type, ide.status), VIT_FIELD(Type, ide.error), VIT_FIELD(Type, ide.feature),        \
        VIT_FIELD(Type, ide.count), VIT_FIELD(Type, ide.lba_low), VIT_FIELD(Type, ide.lba_mid),   \
        VIT_FIELD(Type, ide.lba_high), VIT_FIELD(Type, ide.command),                              \
        VIT_FIELD(Type, ide.hob_feature), VIT_FIELD(Type, ide.hob_count),                         \
        VIT_FIELD(Type, ide.hob_lba_low), VIT_FIELD(Type, ide.hob_lba_mid),                       \
        VIT_FIELD(Type, ide.hob_lba_high), VIT_FIELD(Type, ide.irq_pending),                      \
        VIT_FIELD(Type, ide.multiple), VIT_FIELD(Type, ide.dma_mode),                             \
        VIT_FIELD(Type, ide.current_heads), VIT_FIELD(Type, ide.current_sectors),                 \
        VIT_FIELD(Type, ide.write_cache_on), VIT_FIELD(Type, ide.read_look_ahead),                \
        VIT_FIELD(Type, ide.smart_on), VIT_FIELD(Type, ide.reverts_disabled),                     \
        VIT_FIELD(Type, ide.op), VIT_FIELD(Type, ide.lba48), VIT_FIELD(Type, ide.op_lba),         \
        VIT_FIELD(Type, ide.op_left), VIT_FIELD(Type, ide.op_block),                              \
        VIT_FIELD(Type, ide.op_buffered), VIT_FIELD(Type, ide.pio), VIT_FIELD(Type, ide.data_at), \
        VIT_FIELD(Type, ide.data_end), VIT_FIELD(Type, ide.waiting_dma),                          \
        VIT_FIELD(Type, ide.stopped),                                                             \
        VIT_FIELD_DYNAMIC(Type, ide.data, ide.data_len_bytes), /* found again at realize, or only \
                                                                  while a request is under way */ \
        VIT_TRANSIENT(Type, ide.ops), VIT_TRANSIENT(Type, ide.bus),                               \
        VIT_TRANSIENT(Type, ide.number), VIT_TRANSIENT(Type, ide.geometry),                       \
        VIT_TRANSIENT(Type, ide.data_len_bytes), VIT_TRANSIENT(Type, ide.sg),                     \
        VIT_TRANSIENT(Type, ide.in_flight), VIT_TRANSIENT(Type, ide.is_resetting)

static inline IdeDevice *
ide_bus_selected(const IdeBus *bus)
{
    return bus->devices[bus->select & IDE_DEVICE_DEV ? 1 : 0];
}
