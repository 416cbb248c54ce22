/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Between the files of the optical drive's commands: how a command ends, and the commands that
 * mmc-medium.c has. Thread: device lock held. */

#include "mmc.h"

/* Cleared room for a reply. */
uint8_t *mmc_begin_reply(Mmc *mmc, uint32_t len);
/* Sends LEN bytes of data, at most ALLOCATION. */
void mmc_reply(Mmc *mmc, uint32_t len, uint32_t allocation);
void mmc_bad_field(Mmc *mmc);
bool mmc_is_dvd(const Mmc *mmc);

void mmc_read_capacity(Mmc *mmc);
void mmc_read_toc(Mmc *mmc);
void mmc_read_disc_information(Mmc *mmc);
void mmc_read_track_information(Mmc *mmc);
void mmc_read_dvd_structure(Mmc *mmc);
