/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Whose answer changes when a case is run again.
 *
 * The host's does: Linux saves x87 state with FXSAVE or XSAVE, and on AMD these leave out FOP, FIP
 * and FDP while no exception is pending (AMD APM volume 2, 11.4.4 "Saving media and x87 state"), so
 * a switch to another program between two x87 instructions loses them; FNSTENV and FNSAVE show that
 * in memory. Where the first word is XSAVE's of 64 bits, FCS and FDS are lost as well. So only what
 * it says several times running is believed.
 *
 * Ours must not: what differs once and not when alone depends on what ran before, so the whole
 * batch goes through the executor again. */

#include "oracle.h"

#include <string.h>

enum { RUNNING = 3, ATTEMPTS = 16 };

/* Everything that is compared, undefined flags included. */
static const OracleExecutor as_host = { .name = "the host", .keeps_undefined = true };

bool
oracle_host_run(OracleNative *native, const OracleCase *c, OracleResult *out_result,
                uint8_t *out_data)
{
    OracleBatch *batch = oracle_native_batch(native, 0);

    batch->count = 1;
    batch->cases[0] = *c;
    oracle_native_submit(native, 0);
    if (!oracle_native_wait(native, 0)) {
        return false;
    }
    *out_result = batch->results[0];
    memcpy(out_data, batch->data, ORACLE_PATTERN_BYTES);
    return true;
}

bool
oracle_host_answer(OracleNative *native, const OracleCase *c, OracleResult *out_result,
                   uint8_t *out_data)
{
    static OracleResult result;
    unsigned same = 0;

    for (unsigned i = 0; i < ATTEMPTS && same < RUNNING; i++) {
        if (!oracle_host_run(native, c, &result, out_data)) {
            return false;
        }
        same = same && oracle_results_equal(c, out_result, &result, &as_host) ? same + 1 : 1;
        *out_result = result;
    }
    return same == RUNNING;
}

void
oracle_guest_replay(OracleGen *gen, OracleGuest *guest, const OracleCase *c,
                    OracleResult *out_result)
{
    uint64_t first = c->number / ORACLE_BATCH_CASES * ORACLE_BATCH_CASES;
    OracleCase *cases = g_aligned_alloc0(ORACLE_BATCH_CASES, sizeof(*cases), 64);

    oracle_gen_batch(gen, first, cases);
    oracle_guest_place(guest, cases, ORACLE_BATCH_CASES);
    for (uint64_t i = 0; i <= c->number - first; i++) {
        oracle_guest_run(guest, &cases[i], out_result);
    }
    g_aligned_free(cases);
}
