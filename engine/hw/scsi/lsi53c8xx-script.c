/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The SCRIPTS processor of the 53C8xx: block moves, I/O, registers, jumps, memory moves, loads and
 * stores. LSI53C895A Technical Manual, chapter 5.
 *
 * An instruction that has to wait for the target is repeated when it may go on. A script that does
 * not end lets others have their turn every so often. Deviations: selection and reselection as a
 * target, and moves to and from I/O space, are not there. Thread: device lock held. */

#include "lsi53c8xx.h"

#include "vit-error.h"

#include <string.h>

enum {
    BURST = 20000,        /* instructions without a break, */
    BYTES_AS_ONE = 1024,  /* so many bytes counted as one, */
    BREAK_NS = 50 * 1000, /* and how long it is */
    PIECE_BYTES = 65536,
};

/* An instruction as fetched. */
typedef struct Insn {
    uint32_t at, word, argument;
} Insn;

static int32_t
sign_extend24(uint32_t value)
{
    return (int32_t)(value << 8) >> 8;
}

/* ---- memory ---- */

/* The chip's own memory where ADDRESS is in it. */
static uint8_t *
own_ram(Lsi *lsi, uint64_t address, uint64_t len)
{
    const VitPciBar *bar = &lsi->pci.bars[2];

    return lsi->has_ram && bar->mapped && address >= bar->address &&
                   address - bar->address + len <= LSI_RAM_BYTES
               ? lsi->ram + (address - bar->address)
               : NULL;
}

static void
read_memory(Lsi *lsi, uint64_t address, void *buf, uint32_t len)
{
    const uint8_t *ram = own_ram(lsi, address, len);

    lsi->done_in_burst += len / BYTES_AS_ONE;
    if (ram) {
        memcpy(buf, ram, len);
    } else if (!vit_pci_dma_read(&lsi->pci, address, buf, len)) {
        memset(buf, 0xff, len);
    }
}

static void
write_memory(Lsi *lsi, uint64_t address, const void *buf, uint32_t len)
{
    uint8_t *ram = own_ram(lsi, address, len);

    if (ram) {
        memcpy(ram, buf, len);
    } else {
        vit_pci_dma_write(&lsi->pci, address, buf, len);
    }
}

static uint32_t
read_word(Lsi *lsi, uint64_t address)
{
    uint8_t bytes[4];

    read_memory(lsi, address, bytes, sizeof(bytes));
    return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint32_t
fetch(Lsi *lsi)
{
    uint32_t at = lsi_get32(lsi, LSI_DSP);

    lsi_set32(lsi, LSI_DSP, at + 4);
    return read_word(lsi, at | (uint64_t)lsi_get32(lsi, LSI_SFS) << 32);
}

static uint64_t
table_address(const Lsi *lsi, uint32_t offset)
{
    return (uint32_t)(lsi_get32(lsi, LSI_DSA) + (uint32_t)sign_extend24(offset)) |
           (uint64_t)lsi_get32(lsi, LSI_DRS) << 32;
}

/* ---- block moves ---- */

typedef struct BlockMove {
    uint64_t address;
    uint32_t count;
    uint8_t phase;
} BlockMove;

/* The upper half of an address that a table names by its fifth byte. */
static uint64_t
upper_half(const Lsi *lsi, uint8_t selector)
{
    unsigned number = selector & 0x1f;

    if (lsi->regs[LSI_CCNTL1] & LSI_CCNTL1_64TIMOD) {
        return (uint64_t)selector << 32;
    }
    if (number < 16) {
        return (uint64_t)lsi_get32(lsi, LSI_SCRATCHC + 4 * number) << 32;
    }
    return number < 22 ? (uint64_t)lsi_get32(lsi, LSI_MMRS + 4 * (number - 16)) << 32 : 0;
}

static BlockMove
decode_move(Lsi *lsi, const Insn *insn)
{
    BlockMove move = { .phase = insn->word >> 24 & 7,
                       .count = insn->word & 0xffffff,
                       .address = insn->argument };

    if (insn->word & 1u << 28) { /* table indirect */
        uint64_t entry = table_address(lsi, insn->argument);
        uint32_t count = read_word(lsi, entry);
        move.count = count & 0xffffff;
        move.address = read_word(lsi, entry + 4);
        if (lsi->regs[LSI_CCNTL1] & LSI_CCNTL1_EN64TIBMV) {
            move.address |= upper_half(lsi, (uint8_t)(count >> 24));
        }
        lsi_set32(lsi, LSI_ESA, (uint32_t)entry);
        return move;
    }
    if (insn->word & 1u << 29) { /* indirect */
        move.address = read_word(lsi, insn->argument | (uint64_t)lsi_get32(lsi, LSI_SBMS) << 32);
    }
    if (lsi->regs[LSI_CCNTL1] & LSI_CCNTL1_EN64DBMV && !(insn->word & 1u << 29)) {
        move.address |= (uint64_t)fetch(lsi) << 32;
    } else {
        move.address |= (uint64_t)lsi_get32(lsi, LSI_SBMS) << 32;
    }
    return move;
}

/* Registers that tell how far a move has come. */
static void
note_progress(Lsi *lsi, const Insn *insn, const BlockMove *move)
{
    for (unsigned i = 0; i < 3; i++) {
        lsi->regs[LSI_DBC + i] = (uint8_t)(move->count >> 8 * i);
    }
    lsi_set32(lsi, LSI_DNAD, (uint32_t)move->address);
    lsi_set32(lsi, LSI_UA, (uint32_t)move->address);
    lsi_set32(lsi, LSI_RBC, move->count | (insn->word & 0xff000000));
    lsi_set32(lsi, LSI_IA, insn->at);
}

static bool
is_incoming(uint8_t phase)
{
    return phase & 1;
}

static void
mismatch(Lsi *lsi, const BlockMove *move)
{
    uint8_t control = lsi->regs[LSI_CCNTL0];
    bool is_data = move->phase <= SCSI_DATA_IN;
    bool second = control & LSI_CCNTL0_PMJCTL ? is_incoming(move->phase)
                                              : lsi->regs[LSI_SCNTL2] & LSI_SCNTL2_WSR;

    if (control & LSI_CCNTL0_ENPMJ && (is_data || control & LSI_CCNTL0_ENNDJ)) {
        lsi_set32(lsi, LSI_DSP, lsi_get32(lsi, second ? LSI_PMJAD2 : LSI_PMJAD1));
        return;
    }
    lsi_scsi_interrupt(lsi, LSI_SIST0_MA, 0);
}

static void
count_moved(Lsi *lsi, uint32_t len)
{
    uint32_t total = lsi_get32(lsi, LSI_CSBC) + len;

    lsi_set32(lsi, LSI_CSBC, total);
    for (unsigned i = 0; i < 3; i++) {
        lsi->regs[LSI_SBC + i] = (uint8_t)(len >> 8 * i);
    }
}

/* Moves as much of one piece as the target takes or gives in the phase. */
static uint32_t
move_piece(Lsi *lsi, const BlockMove *move, uint8_t *piece)
{
    uint32_t len = MIN(move->count, PIECE_BYTES), done;

    if (is_incoming(move->phase)) {
        done = scsi_parallel_get(&lsi->parallel, piece, len);
        write_memory(lsi, move->address, piece, done);
    } else {
        read_memory(lsi, move->address, piece, len);
        done = scsi_parallel_put(&lsi->parallel, piece, len);
    }
    if (done > 0) {
        lsi->regs[LSI_SFBR] = piece[0];
    }
    return done;
}

/* Waits for the target to ask for something: false, and the instruction is repeated later. Where
 * nobody has answered a selection this is when that shows: the chip went on meanwhile, and drivers
 * look at DSP for it. */
static bool
has_phase(Lsi *lsi, const Insn *insn)
{
    if (lsi->selects_nobody) {
        lsi->selects_nobody = false;
        lsi->regs[LSI_SOCL] &= (uint8_t)~LSI_SOCL_ATN;
        lsi_scsi_interrupt(lsi, 0, LSI_SIST1_STO);
        return false;
    }
    if (lsi->parallel.phase == SCSI_WORKING) {
        lsi_set32(lsi, LSI_DSP, insn->at);
        lsi->wait = LSI_WAIT_PHASE;
        return false;
    }
    return true;
}

static void
run_block_move(Lsi *lsi, const Insn *insn)
{
    g_autofree uint8_t *piece = NULL;
    BlockMove move;
    uint32_t total = 0;

    if (!has_phase(lsi, insn)) {
        return;
    }
    if (lsi->parallel.phase == SCSI_BUS_FREE) {
        lsi_scsi_interrupt(lsi, LSI_SIST0_UDC, 0);
        return;
    }
    move = decode_move(lsi, insn);
    if (lsi->mismatch_waits) {
        lsi->mismatch_waits = false;
        mismatch(lsi, &move);
        return;
    }
    note_progress(lsi, insn, &move);
    if (move.phase == SCSI_MESSAGE_OUT) {
        scsi_parallel_expect_message(&lsi->parallel);
    }
    piece = g_malloc(MIN(MAX(move.count, 1), PIECE_BYTES));
    while (move.count > 0 && lsi->parallel.phase == move.phase) {
        uint32_t done = move_piece(lsi, &move, piece);
        move.count -= done;
        move.address += done;
        total += done;
        /* One byte, which stays until it is acknowledged. */
        if (done == 0 || (move.phase >= SCSI_STATUS && is_incoming(move.phase))) {
            break;
        }
    }
    count_moved(lsi, total);
    note_progress(lsi, insn, &move);
    if (move.phase == SCSI_MESSAGE_OUT && move.count == 0) {
        lsi->regs[LSI_SOCL] &= (uint8_t)~LSI_SOCL_ATN;
        scsi_parallel_end_message(&lsi->parallel);
    }
    if (move.phase == SCSI_MESSAGE_IN && total > 0) {
        lsi->regs[LSI_SOCL] |= LSI_SOCL_ACK; /* until the script clears it */
    }
    if (move.count == 0) {
        return;
    }
    /* The next phase may still be out. */
    if (lsi->parallel.phase == SCSI_WORKING) {
        lsi_set32(lsi, LSI_DSP, insn->at);
        lsi->wait = LSI_WAIT_PHASE;
        lsi->mismatch_waits = true;
        return;
    }
    mismatch(lsi, &move);
}

/* ---- I/O ---- */

static void
run_select(Lsi *lsi, const Insn *insn)
{
    uint32_t word = insn->word;
    bool attention = word & 1u << 24;
    unsigned target = word >> 16 & 15;

    if (lsi->parallel.phase != SCSI_BUS_FREE) {
        vit_guest_error(&lsi->pci.dev, "selection while connected");
    }
    if (word & 1u << 25) { /* table indirect */
        uint32_t entry = read_word(lsi, table_address(lsi, word & 0xffffff));
        lsi->regs[LSI_SCNTL3] = (uint8_t)(entry >> 24);
        lsi->regs[LSI_SXFER] = (uint8_t)(entry >> 8);
        target = entry >> 16 & 15;
    }
    lsi->regs[LSI_SDID] = (uint8_t)target;
    lsi->selects_nobody = !scsi_parallel_select(&lsi->parallel, target, attention);
    if (attention) {
        lsi->regs[LSI_SOCL] |= LSI_SOCL_ATN;
    }
}

static uint32_t
jump_target(const Lsi *lsi, const Insn *insn, unsigned relative_bit)
{
    return insn->word & 1u << relative_bit
               ? lsi_get32(lsi, LSI_DSP) + (uint32_t)sign_extend24(insn->argument)
               : insn->argument;
}

/* Nobody reselects: what ends the wait is the processor's signal. */
static void
run_wait_reselect(Lsi *lsi, const Insn *insn)
{
    if (lsi->regs[LSI_ISTAT0] & LSI_ISTAT0_SIGP) {
        lsi_set32(lsi, LSI_DSP, jump_target(lsi, insn, 26));
        return;
    }
    lsi_set32(lsi, LSI_DSP, insn->at);
    lsi->wait = LSI_WAIT_RESELECT;
}

static void
run_set_clear(Lsi *lsi, uint32_t word, bool set)
{
    uint8_t lines = word & (LSI_SOCL_ATN | LSI_SOCL_ACK);

    if (word & 1u << 9) {
        vit_guest_error(&lsi->pci.dev, "the role of a target is not there");
    }
    if (word & 1u << 10) {
        lsi->carry = set;
    }
    if (set) {
        lsi->regs[LSI_SOCL] |= lines;
        return;
    }
    if (lines & lsi->regs[LSI_SOCL] & LSI_SOCL_ATN) {
        scsi_parallel_end_message(&lsi->parallel);
    }
    if (lines & lsi->regs[LSI_SOCL] & LSI_SOCL_ACK) {
        scsi_parallel_acknowledge(&lsi->parallel);
    }
    lsi->regs[LSI_SOCL] &= (uint8_t)~lines;
}

/* ---- registers ---- */

static uint8_t
calculate(Lsi *lsi, unsigned operation, uint8_t value, uint8_t data)
{
    bool carry = lsi->carry;
    unsigned sum;

    switch (operation) {
    case 0: return data;
    case 1: lsi->carry = value >> 7; return (uint8_t)(value << 1 | carry);
    case 2: return value | data;
    case 3: return value ^ data;
    case 4: return value & data;
    case 5: lsi->carry = value & 1; return (uint8_t)(value >> 1 | carry << 7);
    default:
        sum = value + data + (operation == 7 && carry);
        lsi->carry = sum > 0xff;
        return (uint8_t)sum;
    }
}

static void
run_register(Lsi *lsi, uint32_t word)
{
    unsigned opcode = word >> 27 & 7, at = (word >> 16 & 0x7f) | (word & 0x80);
    unsigned operation = word >> 24 & 7;
    uint8_t data = word & 1u << 23 ? lsi->regs[LSI_SFBR] : (uint8_t)(word >> 8), value = 0;

    /* Loading looks at nothing, and reading some registers has effects. */
    if (opcode == 5) {
        value = lsi->regs[LSI_SFBR];
    } else if (opcode == 6 || operation != 0) {
        value = lsi_read_register(lsi, at);
    }
    value = calculate(lsi, operation, value, data);
    if (opcode == 6) {
        lsi->regs[LSI_SFBR] = value;
    } else {
        lsi_write_register(lsi, at, value);
    }
}

static void
run_io(Lsi *lsi, const Insn *insn)
{
    switch (insn->word >> 27 & 7) {
    case 0: run_select(lsi, insn); break;
    case 1: has_phase(lsi, insn); break; /* the target has gone, or is not going to */
    case 2: run_wait_reselect(lsi, insn); break;
    case 3: run_set_clear(lsi, insn->word, true); break;
    case 4: run_set_clear(lsi, insn->word, false); break;
    default: run_register(lsi, insn->word); break;
    }
}

/* ---- jumps ---- */

/* All comparisons asked for come out as bit 19 says. */
static bool
is_taken(const Lsi *lsi, uint32_t word)
{
    bool wanted = word & 1u << 19, is_good = true;
    uint8_t mask = (uint8_t) ~(word >> 8);

    if (word & 1u << 21) {
        is_good &= lsi->carry == wanted;
    }
    if (word & 1u << 17) {
        is_good &= (lsi->parallel.phase == (word >> 24 & 7)) == wanted;
    }
    if (word & 1u << 18) {
        is_good &= ((lsi->regs[LSI_SFBR] & mask) == (word & mask & 0xff)) == wanted;
    }
    /* Without a comparison the bit alone decides. */
    return word & (1u << 21 | 1u << 17 | 1u << 18) ? is_good : wanted;
}

static void
run_transfer(Lsi *lsi, const Insn *insn)
{
    uint32_t word = insn->word;

    if (word & (1u << 16 | 1u << 17) && !has_phase(lsi, insn)) {
        return;
    }
    if (!is_taken(lsi, word)) {
        return;
    }
    switch (word >> 27 & 7) {
    case 1: lsi_set32(lsi, LSI_TEMP, lsi_get32(lsi, LSI_DSP)); G_GNUC_FALLTHROUGH;
    case 0: lsi_set32(lsi, LSI_DSP, jump_target(lsi, insn, 23)); break;
    case 2: lsi_set32(lsi, LSI_DSP, lsi_get32(lsi, LSI_TEMP)); break;
    case 3:
        if (word & 1u << 20) {
            lsi->regs[LSI_ISTAT0] |= LSI_ISTAT0_INTF;
            lsi_update_interrupt(lsi);
        } else {
            lsi_dma_interrupt(lsi, LSI_DSTAT_SIR);
        }
        break;
    default: lsi_dma_interrupt(lsi, LSI_DSTAT_IID); break;
    }
}

/* ---- memory ---- */

static void
run_memory_move(Lsi *lsi, const Insn *insn)
{
    uint64_t from = insn->argument | (uint64_t)lsi_get32(lsi, LSI_MMRS) << 32;
    uint64_t to = fetch(lsi) | (uint64_t)lsi_get32(lsi, LSI_MMWS) << 32;
    uint32_t left = insn->word & 0xffffff;
    g_autofree uint8_t *piece = g_malloc(MIN(MAX(left, 1), PIECE_BYTES));

    while (left > 0) {
        uint32_t len = MIN(left, PIECE_BYTES);
        read_memory(lsi, from, piece, len);
        write_memory(lsi, to, piece, len);
        from += len;
        to += len;
        left -= len;
    }
}

static void
run_load_store(Lsi *lsi, const Insn *insn)
{
    unsigned count = insn->word & 7, at = insn->word >> 16 & 0xff;
    uint64_t address = insn->word & 1u << 28
                           ? table_address(lsi, insn->argument)
                           : insn->argument | (uint64_t)lsi_get32(lsi, LSI_MMRS) << 32;
    uint8_t bytes[4];

    if (count == 0 || count > sizeof(bytes) || at + count > LSI_REGISTERS) {
        lsi_dma_interrupt(lsi, LSI_DSTAT_IID);
        return;
    }
    if (insn->word & 1u << 24) {
        read_memory(lsi, address, bytes, count);
        for (unsigned i = 0; i < count; i++) {
            lsi_write_register(lsi, at + i, bytes[i]);
        }
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        bytes[i] = lsi_read_register(lsi, at + i);
    }
    write_memory(lsi, address, bytes, count);
}

/* ---- the loop ---- */

static void
run_one(Lsi *lsi)
{
    Insn insn = { .at = lsi_get32(lsi, LSI_DSP) };

    insn.word = fetch(lsi);
    insn.argument = fetch(lsi);
    for (unsigned i = 0; i < 3; i++) {
        lsi->regs[LSI_DBC + i] = (uint8_t)(insn.word >> 8 * i);
    }
    lsi->regs[LSI_DCMD] = (uint8_t)(insn.word >> 24);
    lsi_set32(lsi, LSI_DSPS, insn.argument);
    switch (insn.word >> 30) {
    case 0: run_block_move(lsi, &insn); break;
    case 1: run_io(lsi, &insn); break;
    case 2: run_transfer(lsi, &insn); break;
    default:
        if (insn.word & 1u << 29) {
            run_load_store(lsi, &insn);
        } else {
            run_memory_move(lsi, &insn);
        }
        break;
    }
    if (lsi->regs[LSI_DCNTL] & LSI_DCNTL_SSM && lsi->script_runs && lsi->wait == LSI_WAIT_NOTHING) {
        lsi_dma_interrupt(lsi, LSI_DSTAT_SSI);
    }
}

void
lsi_run_script(Lsi *lsi)
{
    if (lsi->is_running) {
        return; /* further out it goes on by itself */
    }
    lsi->is_running = true;
    lsi->wait = LSI_WAIT_NOTHING;
    for (lsi->done_in_burst = 0; lsi->script_runs && lsi->wait == LSI_WAIT_NOTHING;
         lsi->done_in_burst++) {
        if (lsi->done_in_burst >= BURST) {
            vit_timer_mod(&lsi->later, vit_clock_get_ns(lsi->later.clock) + BREAK_NS);
            break;
        }
        run_one(lsi);
        /* The target may have gone on before the instruction was over. */
        if (lsi->wait == LSI_WAIT_PHASE && lsi->parallel.phase != SCSI_WORKING) {
            lsi->wait = LSI_WAIT_NOTHING;
        }
    }
    lsi->is_running = false;
}
