/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Register and memory contents with a bias to where arithmetic goes wrong. */

#include "oracle-rng.h"
#include "oracle.h"

uint64_t oracle_integer(OracleRng *rng);
uint32_t oracle_float32(OracleRng *rng);
uint64_t oracle_float64(OracleRng *rng);
void oracle_float80(OracleRng *rng, uint8_t *out);
/* LEN bytes (a multiple of 16) of one kind of numbers. */
void oracle_vector(OracleRng *rng, uint8_t *out, unsigned len);
/* A whole XSAVE image: x87 control and stack, MXCSR, YMM registers. */
void oracle_xsave_image(OracleRng *rng, uint8_t *out);
