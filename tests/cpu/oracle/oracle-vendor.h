/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Whose CPU the host is, and what that changes. */

#include "oracle.h"

typedef enum OracleVendor { ORACLE_UNKNOWN, ORACLE_AMD, ORACLE_INTEL, ORACLE_OTHER } OracleVendor;

OracleVendor oracle_vendor(void);
/* FEATURE (X86_FEATURE_*) is another vendor's: that it is not there changes no image. */
bool oracle_vendor_lacks(unsigned feature);
/* Components of XCR0 that the host has and the guest has not. */
uint32_t oracle_vendor_components(void);
/* False: INSN means something else to the host than to AMD's CPUs. */
bool oracle_vendor_agrees(const X86Insn *insn);
/* INSN may clear the upper halves of RCX, RSI and RDI where it does nothing else. */
bool oracle_vendor_cuts_pointers(const X86Insn *insn);
/* Bytes of no row that mean something to Intel's CPUs. */
bool oracle_vendor_knows(const X86Insn *insn, const uint8_t *bytes);
/* Makes equal what vendors differ in. False: nothing, on AMD's CPUs. */
bool oracle_vendor_level(const OracleCase *c, OracleResult *native, OracleResult *guest);
