/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The host CPU as oracle of the interpreter and of the translator.
 *
 * A *case* is a short stream of instructions with a full register state and a known content of a
 * few data pages; several cases in a row have the same stream, so the translator runs code that it
 * has just made and code that it has had for a while. oracle-gen.c makes cases from the opcode
 * rows; oracle-native.c runs them in a child process on the host CPU; oracle-guest.c runs them in
 * an executor of ours, as user code of a small 64-bit guest whose descriptor and page tables say
 * what Linux says. oracle-report.c compares and narrows a difference down to one instruction.
 *
 * Everything follows from (seed, case number), so a difference is reproduced by these two.
 */

#include "tcg.h"
#include "x86-cpuid.h"
#include "x86-insn.h"
#include "x86-state.h"

/* Linear addresses, the same in both worlds; all below 2 GiB so that 32-bit code reaches them. */
#define ORACLE_CODE 0x10000000u
#define ORACLE_DATA 0x20000000u
/* Pages that only the child has; in them the 64-bit code at which a case is over. */
#define ORACLE_PRIVATE       0x5a5a0000u
#define ORACLE_PRIVATE_BYTES 0x20000u
#define ORACLE_EXIT          0x5a5b0000u
#define ORACLE_SLOTS         256u /* streams of instructions in a batch */
#define ORACLE_VARIANTS      8u   /* states that each of them runs with, one after the other */
#define ORACLE_BATCH_CASES   (ORACLE_SLOTS * ORACLE_VARIANTS)
#define ORACLE_SLOT_BYTES    464u
#define ORACLE_CODE_BYTES    0x20000u /* ORACLE_SLOTS * ORACLE_SLOT_BYTES, rounded up */
#define ORACLE_BATCHES       2u       /* in flight */

/* Places: 64-bit code and the data pages lie at other addresses too, moved by oracle_places[]. Half
 * of the places show a second copy of the code. */
#define ORACLE_PLACES 4u
#define ORACLE_HIGH   0x2a0000000000ull
static const uint64_t oracle_places[ORACLE_PLACES] = {
    ORACLE_HIGH,
    ORACLE_HIGH + 0x100001000ull,
    ORACLE_HIGH + 0x200025000ull,
    ORACLE_HIGH + 0x3000c8000ull,
};

/* Data pages: 0 and 1 read-write, 2 read-only, 3 absent, 4 read-write, 5 absent; absent before. */
#define ORACLE_DATA_PAGES    5u
#define ORACLE_PATTERNS      8u
#define ORACLE_PATTERN_BYTES (4u * 4096u) /* pages 0, 1, 2, 4 */

enum { ORACLE_INSN_MAX = 24, ORACLE_CODE_MAX = 400, ORACLE_XSAVE_BYTES = 832 };

typedef enum OracleMode { ORACLE_64, ORACLE_32, ORACLE_16, ORACLE_MODE_LAST } OracleMode;

/* Selectors, as Linux has them. 16-bit code and data, and GS in 32-bit code, come from the LDT: one
 * code segment per 64 KiB of the code pages, data at ORACLE_DATA, GS with a limit inside the data
 * pages. */
enum {
    ORACLE_CS64 = 0x33,
    ORACLE_CS32 = 0x23,
    ORACLE_DS = 0x2b,
    ORACLE_CODE_SEGMENTS = ORACLE_BATCHES * ORACLE_CODE_BYTES / 0x10000,
    ORACLE_LDT_CODE = 1, /* indices */
    ORACLE_LDT_DATA = ORACLE_LDT_CODE + ORACLE_CODE_SEGMENTS,
    ORACLE_LDT_GS,
    ORACLE_LDT_ENTRIES,
};
#define ORACLE_LDT_SELECTOR(index) ((index) << 3 | 7)
#define ORACLE_GS_BASE             (ORACLE_DATA + 0x800u)
#define ORACLE_GS_LIMIT            0x17ffu

typedef struct OracleState {
    uint64_t gpr[16];
    uint64_t rip, rflags;
    /* x87, SSE and AVX in the standard XSAVE layout. */
    uint8_t xsave[ORACLE_XSAVE_BYTES] __attribute__((aligned(64)));
} OracleState;

typedef struct OracleCase {
    OracleState in;
    uint64_t number;
    uint32_t entry, end; /* linear addresses in the code pages; at end lies a jump to ORACLE_EXIT */
    uint32_t code_base;  /* of CS: rip = linear - code_base */
    uint64_t moved;      /* of oracle_places: its code runs there; 0: where entry says */
    uint16_t cs;
    uint8_t mode; /* OracleMode */
    uint8_t pattern;
    uint8_t count; /* instructions */
    /* The branch back of a loop and where it goes, as instructions; loop_at 0: there is none. */
    uint8_t loop_at, loop_start, counter;
    bool has_indices; /* vector registers that gathers count on */
    uint16_t relied;  /* general registers whose values addresses were made for */
    uint16_t code_len;
    uint16_t start[ORACLE_INSN_MAX + 1]; /* of each instruction, in code[] */
    uint16_t target[ORACLE_INSN_MAX];    /* of branches that skip something, else 0 */
    const X86OpRow *row[ORACLE_INSN_MAX];
    uint16_t undefined[ORACLE_INSN_MAX + 1]; /* RFLAGS bits undefined before instruction i */
    uint16_t read[ORACLE_INSN_MAX];          /* that it reads */
    uint16_t live[ORACLE_INSN_MAX + 1];      /* that are read before they are written */
    uint8_t code[ORACLE_CODE_MAX];
} OracleCase;

/* What the host did to the thread meanwhile. */
typedef struct OracleDisturbed {
    uint64_t switches, signals;
} OracleDisturbed;

typedef struct OracleResult {
    OracleState out;
    uint64_t cr2;
    uint64_t data_hash;
    uint32_t error;
    int32_t vector;    /* -1: reached the end; -2: goes on and on */
    uint32_t executed; /* interpreter only: instructions */
    bool strayed; /* guest only: ran code of other cases, whose undefined flags nobody tracked */
    bool has_x87; /* translator only: instructions among C's, and then what happened meanwhile */
    OracleDisturbed disturbed;
} OracleResult;

/* Shared between the two processes. */
typedef struct OracleBatch {
    uint32_t count;
    OracleCase cases[ORACLE_BATCH_CASES];
    OracleResult results[ORACLE_BATCH_CASES];
    uint8_t data[ORACLE_PATTERN_BYTES]; /* data pages after the last case */
} OracleBatch;

/* Who runs the guest's side. */
typedef struct OracleExecutor {
    const char *name;
    bool is_tcg;
    bool rewrites;   /* code is written as a guest would, to pages that had other code before */
    bool heats;      /* blocks are made anew as hot after half of the states of a stream */
    bool loses_dead; /* a fault may show any value of flags that would not have been read */
    bool keeps_undefined; /* undefined flags are the host's own: compared too */
    TcgOptions tcg;
} OracleExecutor;

/* What a run is made of. */
typedef struct OracleOptions {
    uint64_t seed, first, count; /* cases; count in instructions */
    uint32_t classes;            /* bit per OracleClass */
    uint32_t modes;              /* bit per OracleMode */
    unsigned length;             /* instructions per case */
    unsigned loop_percent;       /* of the streams in 32- and 64-bit code */
    unsigned moved_percent;      /* of the streams in 64-bit code: each state runs elsewhere */
    const char *only;            /* mnemonic, NULL = all */
    const char *selection; /* the options that chose classes, modes, rows: part of a case's name */
    unsigned max_reports;
} OracleOptions;

/* ---- oracle-rng.h is inline: see there. ---- */

/* ---- oracle-gen.c ---- */
typedef struct OracleGen OracleGen;
/* The names of --class; index up to NULL. */
const char *oracle_class_name(unsigned index);
OracleGen *oracle_gen_new(const OracleOptions *options);
void oracle_gen_free(OracleGen *gen);
/* Case NUMBER, to run in its slot. */
void oracle_gen_case(OracleGen *gen, uint64_t number, OracleCase *out_case);
/* All cases of the batch that NUMBER begins. */
void oracle_gen_batch(OracleGen *gen, uint64_t number, OracleCase *out_cases);
/* Content of data pattern INDEX. */
void oracle_gen_pattern(uint64_t seed, unsigned index, uint8_t *out_bytes);
/* How often each row was generated, printed as a table of those never reached. */
void oracle_gen_print_coverage(const OracleGen *gen);

/* ---- oracle-native.c ---- */
typedef struct OracleNative OracleNative;
OracleNative *oracle_native_new(uint64_t seed, GError **error);
void oracle_native_free(OracleNative *native);
/* Batch INDEX (0..ORACLE_BATCHES-1), to be filled by the caller between wait and submit. */
OracleBatch *oracle_native_batch(OracleNative *native, unsigned index);
void oracle_native_submit(OracleNative *native, unsigned index);
/* False: the child died; it has been started again and the batch has no results. */
bool oracle_native_wait(OracleNative *native, unsigned index);

/* Writes the case and the way back to their place in PAGES, a view of the code pages. */
void oracle_place_code(const OracleCase *c, uint8_t *pages);

/* ---- oracle-guest.c ---- */
typedef struct OracleGuest OracleGuest;
/* EXECUTOR outlives the guest. */
OracleGuest *oracle_guest_new(uint64_t seed, const OracleExecutor *executor, GError **error);
const OracleExecutor *oracle_guest_executor(const OracleGuest *guest);
void oracle_guest_free(OracleGuest *guest);
/* Puts the code of COUNT cases where it runs. Like on the other side, all cases of a batch before
 * the first one runs: a stray jump or read may find a neighbour. */
void oracle_guest_place(OracleGuest *guest, const OracleCase *cases, unsigned count);
void oracle_guest_run(OracleGuest *guest, const OracleCase *c, OracleResult *out_result);
/* Data pages after the last case, ORACLE_PATTERN_BYTES. */
void oracle_guest_data(const OracleGuest *guest, uint8_t *out_bytes);
/* What the translator has done, on standard output. */
void oracle_guest_print_statistics(const OracleGuest *guest);

/* ---- oracle-disturb.c ---- */
/* From now on the calling thread gets a signal, and makes way for another, each EVERY_US. */
bool oracle_disturb_start(unsigned every_us);
/* How often that, and what the host does by itself, has happened to the calling thread. */
OracleDisturbed oracle_disturbed(void);

/* ---- oracle-again.c ---- */
/* C by itself. False: the child died. OUT_DATA: ORACLE_PATTERN_BYTES. */
bool oracle_host_run(OracleNative *native, const OracleCase *c, OracleResult *out_result,
                     uint8_t *out_data);
/* What the host says several times running. False: it does not, or the child died. */
bool oracle_host_answer(OracleNative *native, const OracleCase *c, OracleResult *out_result,
                        uint8_t *out_data);
/* The batch of C again, up to C, whose result is kept. */
void oracle_guest_replay(OracleGen *gen, OracleGuest *guest, const OracleCase *c,
                         OracleResult *out_result);

/* ---- oracle-report.c ---- */
/* As equal as EXECUTOR promises. */
bool oracle_results_equal(const OracleCase *c, const OracleResult *native,
                          const OracleResult *guest, const OracleExecutor *executor);
/* The translator's result and the interpreter's, also where the host's vendor answers otherwise. */
bool oracle_executors_equal(const OracleCase *c, const OracleResult *interpreter,
                            const OracleResult *translator, const OracleExecutor *executor);
void oracle_print_stream(const OracleCase *c);
/* Whether nothing differs but memory and the x87 pointers: what a switch of the host loses, FNSTENV
 * and FNSAVE store. */
bool oracle_differ_in_pointers(const OracleCase *c, const OracleResult *native,
                               const uint8_t *native_data, const OracleResult *guest,
                               const uint8_t *guest_data, const OracleExecutor *executor);
/* All that is known of a difference; the data pages are ORACLE_PATTERN_BYTES. */
void oracle_print_both(const OracleCase *c, const OracleState *before, const OracleResult *native,
                       const uint8_t *native_data, const OracleResult *guest,
                       const uint8_t *guest_data);
/* One line on what differs. */
void oracle_describe(const OracleCase *c, const OracleResult *native, const OracleResult *guest,
                     const OracleExecutor *executor);
/* Finds the first instruction that differs and prints it. False: the difference does not show when
 * the case is alone. */
bool oracle_report(const OracleOptions *options, OracleGen *gen, OracleNative *native,
                   OracleGuest *guest, const OracleCase *c, unsigned *reported);

/* Hash of the data pages, the same on both sides. */
uint64_t oracle_hash(const uint8_t *pages);
