/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The SCRIPTS processor and the phases of the bus, by scripts in the rig's memory and in the chip's
 * own. mission: lsi53c895a lsi53c810 */

#include "hw-rig.h"

#include <string.h>

extern const VitDeviceKind vit_lsi53c895a_kind, vit_lsi53c810_kind, vit_scsi_hd_kind;

enum {
    TARGET = 3,
    SCRIPT = 0x1000, /* guest addresses */
    DATA = 0x4000,
    MESSAGE = 0x3000,
    COMMAND = 0x3010,
    STATUS = 0x3020,
    REPLY = 0x3030,
    TABLE = 0x3100,

    MSG_OUT = 6,
    MSG_IN = 7,
    CMD = 2,
    STAT = 3,
    DATA_IN = 1,
    DATA_OUT = 0,

    DSTAT_SIR = 4,
    DSTAT_IID = 1,
    SIST0_MA = 0x80,
    SIST0_RST = 2,
    SIST1_STO = 4,
    SIST1_GEN = 2,
};

typedef struct Fixture {
    HwRig *rig;
    VitDevice *adapter, *unit;
    uint64_t regs, ram;
    uint32_t at; /* where the next instruction goes */
} Fixture;

static VitAddressSpace *
space_of(Fixture *f)
{
    return f->rig->pci.dma;
}

static void
setup(Fixture *f, const VitDeviceKind *kind)
{
    g_autoptr(GError) error = NULL;
    VitPciDevice *pci;

    f->rig = hw_rig_new();
    f->adapter = hw_rig_create(f->rig, kind);
    vit_device_realize(f->adapter, &f->rig->pci.bus, &f->rig->test.platform, &error);
    g_assert_no_error(error);
    f->unit = hw_rig_create(f->rig, &vit_scsi_hd_kind);
    vit_device_set(f->unit, "scsi-id", "3", NULL, &error);
    vit_device_realize(f->unit, f->adapter->child_buses->pdata[0], &f->rig->test.platform, &error);
    g_assert_no_error(error);
    hw_rig_map_pci(f->rig, f->adapter);
    pci = (VitPciDevice *)f->adapter;
    f->regs = pci->bars[1].address;
    f->ram = pci->bars[2].address;
    f->at = SCRIPT;
}

static void
teardown(Fixture *f)
{
    vit_device_free(f->unit);
    vit_device_free(f->adapter);
    hw_rig_free(f->rig);
}

static uint8_t
reg8(Fixture *f, unsigned at)
{
    uint8_t value = 0;

    vit_address_space_read_bytes(space_of(f), f->regs + at, &value, 1);
    return value;
}

static uint32_t
reg32(Fixture *f, unsigned at)
{
    uint32_t value = 0;

    vit_address_space_read_bytes(space_of(f), f->regs + at, &value, 4);
    return value;
}

static void
set8(Fixture *f, unsigned at, uint8_t value)
{
    vit_address_space_write_bytes(space_of(f), f->regs + at, &value, 1);
}

static void
set32(Fixture *f, unsigned at, uint32_t value)
{
    vit_address_space_write_bytes(space_of(f), f->regs + at, &value, 4);
}

static void
put(Fixture *f, uint64_t at, const void *bytes, size_t len)
{
    vit_address_space_write_bytes(space_of(f), at, bytes, len);
}

static void
get(Fixture *f, uint64_t at, void *bytes, size_t len)
{
    vit_address_space_read_bytes(space_of(f), at, bytes, len);
}

static void
insn(Fixture *f, uint32_t word, uint32_t argument)
{
    uint32_t words[2] = { word, argument };

    put(f, f->at, words, sizeof(words));
    f->at += 8;
}

static void
move(Fixture *f, unsigned phase, uint32_t count, uint32_t address)
{
    insn(f, 0x08000000 | phase << 24 | count, address);
}

#define SELECT(f, target) insn(f, 0x41000000u | (uint32_t)(target) << 16, 0)
#define STOP(f, number)   insn(f, 0x98080000, number)

/* Runs the script at SCRIPT, and what it waits for. */
static void
run(Fixture *f)
{
    set32(f, 0x2c, SCRIPT);
    for (unsigned i = 0; i < 10 && (reg8(f, 0x14) & 3) == 0; i++) {
        hw_rig_complete_io(f->rig);
        hw_rig_step_ns(f->rig, 1000000);
    }
    f->at = SCRIPT;
}

static void
select_and_send(Fixture *f, const uint8_t *cdb, size_t len)
{
    put(f, MESSAGE, (const uint8_t[]){ 0xc0 }, 1);
    put(f, COMMAND, cdb, len);
    SELECT(f, TARGET);
    move(f, MSG_OUT, 1, MESSAGE);
    move(f, CMD, (uint32_t)len, COMMAND);
}

static void
end_command(Fixture *f)
{
    move(f, STAT, 1, STATUS);
    move(f, MSG_IN, 1, STATUS + 1);
    insn(f, 0x60000040, 0); /* CLEAR ACK */
    insn(f, 0x48000000, 0); /* WAIT DISCONNECT */
    STOP(f, 0x1234);
}

static void
expect_stop(Fixture *f, uint32_t number, unsigned status)
{
    uint8_t bytes[2];

    g_assert_cmphex(reg32(f, 0x30), ==, number);
    g_assert_cmphex(reg8(f, 0x0c), ==, 0x80 | DSTAT_SIR);
    g_assert_cmphex(reg8(f, 0x14), ==, 0); /* told once, and not connected */
    get(f, STATUS, bytes, sizeof(bytes));
    g_assert_cmphex(bytes[0], ==, status);
    g_assert_cmphex(bytes[1], ==, 0); /* COMMAND COMPLETE */
}

#define CDB(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

static void
clear_attention(Fixture *f)
{
    select_and_send(f, CDB(0, 0, 0, 0, 0, 0));
    end_command(f);
    run(f);
    expect_stop(f, 0x1234, 2);
}

static void
test_commands(gconstpointer kind)
{
    uint8_t data[512], again[512];
    Fixture f;

    setup(&f, kind);
    select_and_send(&f, CDB(0x12, 0, 0, 0, 36, 0));
    move(&f, DATA_IN, 36, DATA);
    end_command(&f);
    run(&f);
    expect_stop(&f, 0x1234, 0);
    get(&f, DATA, data, 36);
    g_assert_cmpmem(data + 8, 7, "VITRINE", 7);
    /* The first command after a reset fails, and what failed can be asked for. */
    clear_attention(&f);
    select_and_send(&f, CDB(3, 0, 0, 0, 18, 0));
    move(&f, DATA_IN, 18, DATA);
    end_command(&f);
    run(&f);
    expect_stop(&f, 0x1234, 0);
    get(&f, DATA, data, 18);
    g_assert_cmphex(data[2], ==, 6);
    g_assert_cmphex(data[12], ==, 0x29);
    /* Write in two pieces, and read. */
    for (unsigned i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 7 + 1);
    }
    put(&f, DATA, data, sizeof(data));
    select_and_send(&f, CDB(0x0a, 0, 0, 5, 1, 0));
    move(&f, DATA_OUT, 100, DATA);
    move(&f, DATA_OUT, 412, DATA + 100);
    end_command(&f);
    run(&f);
    expect_stop(&f, 0x1234, 0);
    select_and_send(&f, CDB(0x08, 0, 0, 5, 1, 0));
    move(&f, DATA_IN, 512, DATA + 0x1000);
    end_command(&f);
    run(&f);
    expect_stop(&f, 0x1234, 0);
    get(&f, DATA + 0x1000, again, sizeof(again));
    g_assert_cmpmem(data, sizeof(data), again, sizeof(again));
    teardown(&f);
}

static void
test_nobody(void)
{
    Fixture f;

    setup(&f, &vit_lsi53c895a_kind);
    SELECT(&f, 5);
    move(&f, MSG_OUT, 1, MESSAGE);
    STOP(&f, 1);
    run(&f);
    g_assert_cmphex(reg8(&f, 0x42), ==, 0);
    g_assert_cmphex(reg8(&f, 0x43), ==, SIST1_STO);
    /* Drivers know by this where the selection was. */
    g_assert_cmphex(reg32(&f, 0x2c), ==, SCRIPT + 16);
    teardown(&f);
}

/* More is asked for than there is: by interrupt, and by a jump of the chip's own. */
static void
test_mismatch(void)
{
    Fixture f;

    setup(&f, &vit_lsi53c895a_kind);
    select_and_send(&f, CDB(0x12, 0, 0, 0, 36, 0));
    move(&f, DATA_IN, 100, DATA);
    STOP(&f, 1);
    run(&f);
    g_assert_cmphex(reg8(&f, 0x42), ==, SIST0_MA);
    g_assert_cmphex(reg8(&f, 0x0b) & 7, ==, STAT);
    g_assert_cmpuint(reg32(&f, 0x24) & 0xffffff, ==, 64);
    g_assert_cmphex(reg32(&f, 0x28), ==, DATA + 36);
    end_command(&f); /* the rest */
    run(&f);
    expect_stop(&f, 0x1234, 0);

    set8(&f, 0x56, 0xc0); /* ENPMJ, by direction */
    set32(&f, 0xc0, 0x2000);
    set32(&f, 0xc4, 0x2800);
    f.at = 0x2800;
    STOP(&f, 0x55);
    f.at = SCRIPT;
    select_and_send(&f, CDB(0x12, 0, 0, 0, 36, 0));
    move(&f, DATA_IN, 100, DATA);
    STOP(&f, 1);
    run(&f);
    g_assert_cmphex(reg32(&f, 0x30), ==, 0x55);
    g_assert_cmphex(reg8(&f, 0x0c), ==, 0x80 | DSTAT_SIR);
    g_assert_cmpuint(reg32(&f, 0xc8) & 0xffffff, ==, 64); /* RBC, UA, IA */
    g_assert_cmphex(reg32(&f, 0xcc), ==, DATA + 36);
    g_assert_cmphex(reg32(&f, 0xd4), ==, SCRIPT + 24);
    end_command(&f);
    run(&f);
    expect_stop(&f, 0x1234, 0);
    teardown(&f);
}

/* Negotiation is turned down. */
static void
test_reject(void)
{
    uint8_t bytes[1];
    Fixture f;

    setup(&f, &vit_lsi53c895a_kind);
    put(&f, MESSAGE, (const uint8_t[]){ 0xc0, 1, 3, 1, 25, 8 }, 6);
    put(&f, COMMAND, (const uint8_t[]){ 0x12, 0, 0, 0, 36, 0 }, 6);
    SELECT(&f, TARGET);
    move(&f, MSG_OUT, 6, MESSAGE);
    move(&f, MSG_IN, 1, REPLY);
    insn(&f, 0x60000040, 0);
    move(&f, CMD, 6, COMMAND);
    move(&f, DATA_IN, 36, DATA);
    end_command(&f);
    run(&f);
    expect_stop(&f, 0x1234, 0);
    get(&f, REPLY, bytes, 1);
    g_assert_cmphex(bytes[0], ==, 7);
    teardown(&f);
}

static void
test_processor(void)
{
    uint32_t words[3], value;
    Fixture f;

    setup(&f, &vit_lsi53c895a_kind);
    /* Registers: 0x34 is SCRATCHA. Load, add, shift by way of the carry. */
    insn(&f, 0x78340000 | 0x81 << 8, 0);
    insn(&f, 0x7e340000 | 0x90 << 8, 0); /* 0x11, carry */
    insn(&f, 0x79340000, 0);             /* 0x23 */
    insn(&f, 0x72340000, 0);             /* to SFBR */
    insn(&f, 0x800c0023, SCRIPT + 0x30); /* jump if it is 0x23 */
    STOP(&f, 1);
    insn(&f, 0xe1340004, TABLE); /* load SCRATCHA */
    insn(&f, 0xf0340004, 8);     /* and store it at DSA + 8 */
    insn(&f, 0x88080000, 0x2000);
    STOP(&f, 2);
    /* What is called moves memory into a register, and returns. */
    words[0] = 0xc0000004;
    words[1] = TABLE;
    words[2] = (uint32_t)f.regs + 0x5c;
    put(&f, 0x2000, words, sizeof(words));
    f.at = 0x200c;
    insn(&f, 0x90080000, 0);
    put(&f, TABLE, (const uint32_t[]){ 0xdeadbeef }, 4);
    set32(&f, 0x10, TABLE);
    run(&f);
    g_assert_cmphex(reg32(&f, 0x30), ==, 2);
    g_assert_cmphex(reg32(&f, 0x34), ==, 0xdeadbeef);
    g_assert_cmphex(reg32(&f, 0x5c), ==, 0xdeadbeef);
    get(&f, TABLE + 8, &value, 4);
    g_assert_cmphex(value, ==, 0xdeadbeef);
    reg8(&f, 0x0c);

    /* The same out of the chip's own memory, which the CPU sees too. */
    f.at = (uint32_t)f.ram + 0x100;
    STOP(&f, 0x77);
    set32(&f, 0x2c, (uint32_t)f.ram + 0x100);
    g_assert_cmphex(reg32(&f, 0x30), ==, 0x77);
    reg8(&f, 0x0c);
    /* No such instruction. */
    f.at = SCRIPT;
    insn(&f, 0xb8000000 | 1 << 19, 0);
    run(&f);
    g_assert_cmphex(reg8(&f, 0x0c), ==, 0x80 | DSTAT_IID);
    teardown(&f);
}

/* Waiting for reselection ends by the processor's signal; a script without end lets others run and
 * is stopped. */
static void
test_waiting(void)
{
    Fixture f;

    setup(&f, &vit_lsi53c895a_kind);
    insn(&f, 0x50000000, SCRIPT + 0x20);
    STOP(&f, 1);
    STOP(&f, 2);
    STOP(&f, 3);
    STOP(&f, 4);
    set32(&f, 0x2c, SCRIPT);
    g_assert_cmphex(reg8(&f, 0x15), ==, 2); /* runs */
    set8(&f, 0x14, 0x20);
    g_assert_cmphex(reg32(&f, 0x30), ==, 4);
    reg8(&f, 0x0c);
    g_assert_cmphex(reg8(&f, 0x1a) & 0x40, ==, 0x40); /* the signal, taken by reading */
    g_assert_cmphex(reg8(&f, 0x14) & 0x20, ==, 0);

    f.at = SCRIPT;
    insn(&f, 0x80080000, SCRIPT);
    set32(&f, 0x2c, SCRIPT);
    hw_rig_step_ns(f.rig, 1000000);
    g_assert_cmphex(reg8(&f, 0x15), ==, 2);
    set8(&f, 0x14, 0x80);
    g_assert_cmphex(reg8(&f, 0x0c), ==, 0x90);
    g_assert_cmphex(reg8(&f, 0x15), ==, 0);
    teardown(&f);
}

static void
test_resets_and_timer(void)
{
    Fixture f;

    setup(&f, &vit_lsi53c895a_kind);
    /* What drivers look at first: the read-only bits of four registers. */
    set32(&f, 0x0c, 0xffffffff);
    g_assert_cmphex(reg32(&f, 0x0c) & 0xe2f0fffd, ==, 0x02000080);
    set8(&f, 0x01, 0x08);
    g_assert_cmphex(reg8(&f, 0x0d) & 2, ==, 2);
    set8(&f, 0x01, 0);
    g_assert_cmphex(reg8(&f, 0x0d) & 2, ==, 0);
    g_assert_cmphex(reg8(&f, 0x42), ==, SIST0_RST);
    set8(&f, 0x49, 11);
    hw_rig_step_ns(f.rig, 200 * 1000000ll);
    g_assert_cmphex(reg8(&f, 0x43), ==, 0);
    hw_rig_step_ns(f.rig, 100 * 1000000ll);
    g_assert_cmphex(reg8(&f, 0x43), ==, SIST1_GEN);
    /* Interrupts reach the pin when they are enabled. */
    g_assert_cmpuint(f.rig->pci_lines, ==, 0);
    set8(&f, 0x41, SIST1_GEN);
    set8(&f, 0x49, 1);
    hw_rig_step_ns(f.rig, 1000000);
    g_assert_cmpuint(f.rig->pci_lines, !=, 0);
    set8(&f, 0x14, 0x40); /* soft reset */
    g_assert_cmpuint(f.rig->pci_lines, ==, 0);
    g_assert_cmphex(reg8(&f, 0x41), ==, 0);
    teardown(&f);
}

int
main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/lsi53c8xx/commands/895a", &vit_lsi53c895a_kind, test_commands);
    g_test_add_data_func("/lsi53c8xx/commands/810", &vit_lsi53c810_kind, test_commands);
    g_test_add_func("/lsi53c8xx/nobody", test_nobody);
    g_test_add_func("/lsi53c8xx/mismatch", test_mismatch);
    g_test_add_func("/lsi53c8xx/reject", test_reject);
    g_test_add_func("/lsi53c8xx/processor", test_processor);
    g_test_add_func("/lsi53c8xx/waiting", test_waiting);
    g_test_add_func("/lsi53c8xx/resets-and-timer", test_resets_and_timer);
    return g_test_run();
}
