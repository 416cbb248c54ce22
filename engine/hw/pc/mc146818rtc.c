/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* MC146818A real-time clock with 128 bytes of CMOS at ports 0x70/0x71. Motorola MC146818A datasheet
 * (ADI1026), "Time, calendar and alarm", "Registers", "Interrupts", "Update cycle"; IBM PC/AT
 * Technical Reference for the century byte (0x32, also seen at 0x37) and the NMI mask.
 *
 * The clock is an offset to guest wall time; date, flags and the update-in-progress bit are worked
 * out when they are read. While SET or the divider's reset holds the clock, the registers are
 * plain memory. A timer runs only while an interrupt is enabled. Daylight saving (DSE) and the
 * square wave do nothing. Dates are kept within 1906 to 2191.
 *
 * With lost_tick_policy=slew, periodic interrupts the guest was too slow to take are given to it
 * again, one for each read of register C.
 *
 * Thread: device lock held. */

#include "pc/mc146818rtc.h"

#include "vit-isa.h"

#include <inttypes.h>

enum {
    REG_SECONDS = 0x0,
    REG_SECONDS_ALARM = 0x1,
    REG_MINUTES = 0x2,
    REG_MINUTES_ALARM = 0x3,
    REG_HOURS = 0x4,
    REG_HOURS_ALARM = 0x5,
    REG_WEEKDAY = 0x6,
    REG_DAY = 0x7,
    REG_MONTH = 0x8,
    REG_YEAR = 0x9,
    REG_A = 0xa,
    REG_B = 0xb,
    REG_C = 0xc,
    REG_D = 0xd,
    REG_CENTURY = 0x32,
    REG_CENTURY_PS2 = 0x37,

    A_UIP = 0x80,
    B_SET = 0x80,
    B_PIE = 0x40,
    B_AIE = 0x20,
    B_UIE = 0x10,
    B_SQWE = 0x08,
    B_BINARY = 0x04,
    B_24H = 0x02,
    C_IRQF = 0x80,
    C_PF = 0x40,
    C_AF = 0x20,
    C_UF = 0x10,
    D_VRT = 0x80,
    HOURS_PM = 0x80,
};

/* UIP rises this long before the update; the whole of the update cycle is over with it. */
#define UIP_LEAD_NS 244000

enum { DAY_SEC = 86400 };

/* Seconds since 1970 that the clock takes, so that their nanoseconds and the difference of two
 * times fit 64 bits. */
#define SECONDS_MIN (-2000000000LL)
#define SECONDS_MAX 7000000000LL

/* base_year that means "the century byte counts". */
#define BASE_YEAR_CENTURY 1980

enum { POLICY_DISCARD, POLICY_DELAY, POLICY_MERGE, POLICY_SLEW };
static const char *const policies[] = { "discard", "delay", "merge", "slew", NULL };

typedef struct Rtc {
    VitDevice dev;
    /* properties */
    int32_t base_year;
    uint16_t iobase;
    int lost_tick_policy;

    uint8_t cmos[VIT_CMOS_BYTES];
    uint8_t index;
    bool nmi_masked;
    bool irq;
    bool held;           /* SET or divider reset: cmos[] holds the time */
    int8_t weekday_skew; /* what the guest wrote against what the date says */
    int64_t offset_ns;   /* clock = guest wall time + offset, while not held */
    int64_t flags_ns;    /* clock time up to which the flags in C have been worked out */
    uint32_t lost_ticks; /* slew: periodic interrupts still owed */
    uint32_t repeats;    /* slew: given in a row */
    VitTimer timer;
    VitRegion ports;
} Rtc;

VIT_DEVICE_LAYOUT(Rtc)

/* ---- Calendar ---- */

typedef struct Date {
    int64_t year;
    unsigned month, day, weekday; /* from 1; Sunday is 1 */
    unsigned hour, minute, second;
} Date;

static int64_t
floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t
floor_mod(int64_t a, int64_t b)
{
    return a - floor_div(a, b) * b;
}

/* Days from 1970-01-01 in the Gregorian calendar; years begin in March so that the leap day ends
 * them. */
static int64_t
days_of_date(int64_t year, int64_t month, int64_t day)
{
    int64_t era, in_era;

    year += floor_div(month - 1, 12);
    month = floor_mod(month - 1, 12) + 1;
    if (month <= 2) {
        year--;
        month += 12;
    }
    era = floor_div(year, 400);
    in_era = year - era * 400;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + (153 * (month - 3) + 2) / 5 +
           day - 1 - 719468;
}

static void
date_of_seconds(int64_t seconds, Date *out)
{
    int64_t days = floor_div(seconds, DAY_SEC), left = floor_mod(seconds, DAY_SEC);
    int64_t shifted = days + 719468, era = floor_div(shifted, 146097);
    unsigned in_era = shifted - era * 146097;
    unsigned year_in_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    unsigned in_year = in_era - (365 * year_in_era + year_in_era / 4 - year_in_era / 100);
    unsigned month = (5 * in_year + 2) / 153; /* from March */

    out->year = era * 400 + year_in_era + (month >= 10);
    out->month = month < 10 ? month + 3 : month - 9;
    out->day = in_year - (153 * month + 2) / 5 + 1;
    out->weekday = floor_mod(days + 4, 7) + 1;
    out->hour = left / 3600;
    out->minute = left / 60 % 60;
    out->second = left % 60;
}

/* ---- Register encodings ---- */

static uint8_t
encode(const Rtc *s, unsigned value)
{
    return s->cmos[REG_B] & B_BINARY ? value : (value / 10 % 10) << 4 | value % 10;
}

static unsigned
decode(const Rtc *s, uint8_t value)
{
    return s->cmos[REG_B] & B_BINARY ? value : (value >> 4) * 10u + (value & 15);
}

static uint8_t
encode_hour(const Rtc *s, unsigned hour)
{
    if (s->cmos[REG_B] & B_24H) {
        return encode(s, hour);
    }
    return encode(s, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOURS_PM : 0);
}

static unsigned
decode_hour(const Rtc *s, uint8_t value)
{
    if (s->cmos[REG_B] & B_24H) {
        return decode(s, value);
    }
    return decode(s, value & ~HOURS_PM) % 12 + (value & HOURS_PM ? 12 : 0);
}

/* Seconds since 1970 of the registers. */
static int64_t
decode_time(const Rtc *s)
{
    const uint8_t *r = s->cmos;
    int64_t year = decode(s, r[REG_YEAR]), seconds;

    if (s->base_year == BASE_YEAR_CENTURY) {
        year += decode(s, r[REG_CENTURY]) * 100;
    } else {
        year += s->base_year;
    }
    seconds = days_of_date(year, decode(s, r[REG_MONTH]), decode(s, r[REG_DAY])) * DAY_SEC +
              decode_hour(s, r[REG_HOURS]) * 3600 + decode(s, r[REG_MINUTES]) * 60 +
              decode(s, r[REG_SECONDS]);
    return CLAMP(seconds, SECONDS_MIN, SECONDS_MAX);
}

static void
encode_time(Rtc *s, int64_t seconds)
{
    Date date;

    date_of_seconds(seconds, &date);
    s->cmos[REG_SECONDS] = encode(s, date.second);
    s->cmos[REG_MINUTES] = encode(s, date.minute);
    s->cmos[REG_HOURS] = encode_hour(s, date.hour);
    s->cmos[REG_WEEKDAY] = encode(s, floor_mod((int)date.weekday - 1 + s->weekday_skew, 7) + 1);
    s->cmos[REG_DAY] = encode(s, date.day);
    s->cmos[REG_MONTH] = encode(s, date.month);
    if (s->base_year == BASE_YEAR_CENTURY) {
        s->cmos[REG_YEAR] = encode(s, floor_mod(date.year, 100));
        s->cmos[REG_CENTURY] = encode(s, floor_mod(floor_div(date.year, 100), 100));
    } else {
        s->cmos[REG_YEAR] = encode(s, floor_mod(date.year - s->base_year, 100));
    }
}

/* ---- The running clock ---- */

static int64_t
wall_ns(const Rtc *s)
{
    int64_t sec, ns;

    vit_clock_get_wall(s->dev.platform->clock, &sec, &ns);
    return CLAMP(sec, SECONDS_MIN, SECONDS_MAX) * VIT_NS_PER_SEC + ns;
}

/* What the clock shows; while it is held, what its divider does. */
static int64_t
clock_ns(const Rtc *s)
{
    __int128 now = (__int128)wall_ns(s) + s->offset_ns;

    return CLAMP(now, SECONDS_MIN * VIT_NS_PER_SEC, SECONDS_MAX * VIT_NS_PER_SEC);
}

static void
report_change(Rtc *s)
{
    const VitPlatformOps *ops = s->dev.platform->ops;
    g_autofree char *json = NULL;

    if (ops && ops->event) {
        json =
            g_strdup_printf("{\"offset\": %" PRId64 "}", (int64_t)(s->offset_ns / VIT_NS_PER_SEC));
        ops->event(s->dev.platform->opaque, "RTC_CHANGE", json);
    }
}

/* Starts the clock at SECONDS and PHASE_NS. */
static void
start_at(Rtc *s, int64_t seconds, int64_t phase_ns)
{
    Date date;

    s->offset_ns = seconds * VIT_NS_PER_SEC + phase_ns - wall_ns(s);
    date_of_seconds(seconds, &date);
    s->weekday_skew = floor_mod((int)decode(s, s->cmos[REG_WEEKDAY]) - (int)date.weekday, 7);
    s->flags_ns = clock_ns(s);
    report_change(s);
}

static bool
divider_held(uint8_t reg_a)
{
    return (reg_a & 0x60) == 0x60;
}

/* Takes up a change of SET or the divider. */
static void
update_hold(Rtc *s, bool divider_was_held)
{
    bool hold = (s->cmos[REG_B] & B_SET) || divider_held(s->cmos[REG_A]);

    if (hold == s->held) {
        return;
    }
    s->held = hold;
    if (hold) {
        encode_time(s, floor_div(clock_ns(s), VIT_NS_PER_SEC));
    } else {
        /* the divider runs on under SET; out of reset the first update comes in half a second */
        int64_t phase = divider_was_held ? VIT_NS_PER_SEC / 2 : clock_ns(s);

        start_at(s, decode_time(s), floor_mod(phase, VIT_NS_PER_SEC));
    }
}

/* Ticks of the 32.768 kHz crystal between periodic interrupts, as a power of two; -1 when off. */
static int
period_shift(const Rtc *s)
{
    int rate = s->cmos[REG_A] & 15;

    if (rate == 0 || divider_held(s->cmos[REG_A])) {
        return -1;
    }
    return (rate <= 2 ? rate + 7 : rate) - 1;
}

/* Periods of 2^SHIFT ticks up to clock time NS. */
static int64_t
periods_until(int64_t ns, int shift)
{
    __int128 scaled = (__int128)ns * 32768;

    return (int64_t)((scaled - (scaled < 0 ? VIT_NS_PER_SEC - 1 : 0)) / VIT_NS_PER_SEC) >> shift;
}

/* Clock time at which period N begins: the first one that periods_until() counts it at. */
static int64_t
start_of_period(int64_t n, int shift)
{
    __int128 scaled = (__int128)n * (1 << shift) * VIT_NS_PER_SEC;

    return (int64_t)((scaled + (scaled > 0 ? (1 << 15) - 1 : 0)) / (1 << 15));
}

/* Whether the alarm registers match a time of day. */
static bool
alarm_matches(const Rtc *s, unsigned second_of_day)
{
    const uint8_t *r = s->cmos;

    /* 11xxxxxx is "don't care" */
    return (r[REG_SECONDS_ALARM] >= 0xc0 ||
            decode(s, r[REG_SECONDS_ALARM]) == second_of_day % 60) &&
           (r[REG_MINUTES_ALARM] >= 0xc0 ||
            decode(s, r[REG_MINUTES_ALARM]) == second_of_day / 60 % 60) &&
           (r[REG_HOURS_ALARM] >= 0xc0 ||
            decode_hour(s, r[REG_HOURS_ALARM]) == second_of_day / 3600);
}

/* Seconds from FROM (exclusive) to the next alarm; 0 when it never comes. */
static unsigned
seconds_to_alarm(const Rtc *s, int64_t from)
{
    const uint8_t *r = s->cmos;
    unsigned at = floor_mod(from, DAY_SEC);

    /* each step goes to the next second that may match, so there are few */
    for (unsigned ahead = 1; ahead <= DAY_SEC;) {
        unsigned then = (at + ahead) % DAY_SEC;

        if (alarm_matches(s, then)) {
            return ahead;
        }
        if (r[REG_HOURS_ALARM] < 0xc0 && decode_hour(s, r[REG_HOURS_ALARM]) != then / 3600) {
            ahead += 3600 - then % 3600;
        } else if (r[REG_MINUTES_ALARM] < 0xc0 &&
                   decode(s, r[REG_MINUTES_ALARM]) != then / 60 % 60) {
            ahead += 60 - then % 60;
        } else if (r[REG_SECONDS_ALARM] < 0xc0 && decode(s, r[REG_SECONDS_ALARM]) > then % 60 &&
                   decode(s, r[REG_SECONDS_ALARM]) < 60) {
            ahead += decode(s, r[REG_SECONDS_ALARM]) - then % 60;
        } else {
            ahead += 60 - then % 60;
        }
    }
    return 0;
}

/* Brings the flags of register C up to now. */
static void
catch_up_flags(Rtc *s)
{
    int64_t now = clock_ns(s), before = s->flags_ns;
    int shift = period_shift(s);
    int64_t second = floor_div(now, VIT_NS_PER_SEC);
    int64_t second_before = floor_div(before, VIT_NS_PER_SEC);

    s->flags_ns = now;
    if (now <= before) {
        return;
    }
    if (shift >= 0) {
        int64_t ticks = periods_until(now, shift) - periods_until(before, shift);

        if (ticks > 0) {
            if (s->lost_tick_policy == POLICY_SLEW && (s->cmos[REG_B] & B_PIE)) {
                int64_t missed = ticks - !(s->cmos[REG_C] & C_PF);

                s->lost_ticks = MIN(s->lost_ticks + missed, 100000);
            }
            s->cmos[REG_C] |= C_PF;
        }
    }
    if (!s->held && second > second_before) {
        unsigned ahead = seconds_to_alarm(s, second_before);

        s->cmos[REG_C] |= C_UF;
        if (ahead && ahead <= second - second_before) {
            s->cmos[REG_C] |= C_AF;
        }
    }
}

static void
update_irq(Rtc *s)
{
    bool level = s->cmos[REG_C] & s->cmos[REG_B] & (C_PF | C_AF | C_UF);

    if (level) {
        s->cmos[REG_C] |= C_IRQF;
    } else {
        s->cmos[REG_C] &= ~C_IRQF;
    }
    if (level != s->irq) {
        s->irq = level;
        vit_irq_set(&s->dev.irq_out[0], level);
    }
}

/* Interrupts for what has come to pass, and waits for the next event that may interrupt. */
static void
arm_timer(Rtc *s)
{
    uint8_t enabled = s->cmos[REG_B];
    int64_t now, next = INT64_MAX, second;
    int shift = period_shift(s);

    catch_up_flags(s);
    update_irq(s);
    now = s->flags_ns; /* what comes after is what was not caught up with */
    second = floor_div(now, VIT_NS_PER_SEC);

    if ((enabled & B_PIE) && shift >= 0) {
        next = start_of_period(periods_until(now, shift) + 1, shift);
    }
    if (!s->held && (enabled & B_UIE)) {
        next = MIN(next, (second + 1) * VIT_NS_PER_SEC);
    }
    if (!s->held && (enabled & B_AIE)) {
        unsigned ahead = seconds_to_alarm(s, second);

        if (ahead) {
            next = MIN(next, (second + ahead) * VIT_NS_PER_SEC);
        }
    }
    if (next == INT64_MAX) {
        vit_timer_del(&s->timer);
    } else {
        vit_timer_mod(&s->timer, vit_clock_get_ns(s->dev.platform->clock) + (next - clock_ns(s)));
    }
}

static void
timer_expired(void *opaque)
{
    Rtc *s = opaque;

    catch_up_flags(s);
    s->repeats = 0;
    if (s->lost_ticks && !(s->cmos[REG_C] & C_PF)) {
        s->lost_ticks--;
        s->cmos[REG_C] |= C_PF;
    }
    update_irq(s);
    arm_timer(s);
}

/* ---- Registers ---- */

static uint8_t
read_reg_a(const Rtc *s)
{
    uint8_t value = s->cmos[REG_A] & ~A_UIP;

    if (!s->held && floor_mod(clock_ns(s), VIT_NS_PER_SEC) >= VIT_NS_PER_SEC - UIP_LEAD_NS) {
        value |= A_UIP;
    }
    return value;
}

static uint8_t
read_reg_c(Rtc *s)
{
    uint8_t value;

    catch_up_flags(s);
    update_irq(s);
    value = s->cmos[REG_C];
    s->cmos[REG_C] = 0;
    if (s->lost_ticks && s->repeats < 20 && (s->cmos[REG_B] & B_PIE)) {
        /* owed from before: at once, but leave the guest room between */
        s->lost_ticks--;
        s->repeats++;
        update_irq(s);
        s->cmos[REG_C] = C_PF;
    }
    update_irq(s);
    return value;
}

static void
write_reg_a(Rtc *s, uint8_t value)
{
    bool divider_was_held = divider_held(s->cmos[REG_A]);

    catch_up_flags(s);
    s->cmos[REG_A] = value & ~A_UIP;
    update_hold(s, divider_was_held);
    arm_timer(s);
}

static void
write_reg_b(Rtc *s, uint8_t value)
{
    catch_up_flags(s);
    if (value & B_SET) {
        value &= ~B_UIE;
    }
    /* the mode bits say how the registers are read, so time and alarm do not change with them
     * while the clock runs; held registers keep their bytes */
    s->cmos[REG_B] = value;
    update_hold(s, divider_held(s->cmos[REG_A]));
    if (!(value & B_PIE)) {
        s->lost_ticks = 0;
    }
    update_irq(s);
    arm_timer(s);
}

static bool
is_time_register(const Rtc *s, unsigned index)
{
    switch (index) {
    case REG_SECONDS:
    case REG_MINUTES:
    case REG_HOURS:
    case REG_WEEKDAY:
    case REG_DAY:
    case REG_MONTH:
    case REG_YEAR: return true;
    case REG_CENTURY: return s->base_year == BASE_YEAR_CENTURY;
    default: return false;
    }
}

static uint8_t
read_cmos(Rtc *s, unsigned index)
{
    index = index == REG_CENTURY_PS2 ? REG_CENTURY : index;
    switch (index) {
    case REG_A: return read_reg_a(s);
    case REG_C: return read_reg_c(s);
    default:
        if (is_time_register(s, index) && !s->held) {
            encode_time(s, floor_div(clock_ns(s), VIT_NS_PER_SEC));
        }
        return s->cmos[index];
    }
}

static void
write_cmos(Rtc *s, unsigned index, uint8_t value)
{
    index = index == REG_CENTURY_PS2 ? REG_CENTURY : index;
    switch (index) {
    case REG_A: write_reg_a(s, value); break;
    case REG_B: write_reg_b(s, value); break;
    case REG_C:
    case REG_D: break; /* read only */
    case REG_SECONDS_ALARM:
    case REG_MINUTES_ALARM:
    case REG_HOURS_ALARM:
        catch_up_flags(s);
        s->cmos[index] = value;
        arm_timer(s);
        break;
    default:
        if (is_time_register(s, index) && !s->held) {
            int64_t now = clock_ns(s);

            catch_up_flags(s);
            encode_time(s, floor_div(now, VIT_NS_PER_SEC));
            s->cmos[index] = value;
            start_at(s, decode_time(s), floor_mod(now, VIT_NS_PER_SEC));
            arm_timer(s);
        } else {
            s->cmos[index] = value;
        }
        break;
    }
}

static uint64_t
rtc_read(void *opaque, uint64_t offset, unsigned size)
{
    Rtc *s = opaque;

    return offset == 0 ? 0xff : read_cmos(s, s->index);
}

static void
rtc_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Rtc *s = opaque;

    if (offset == 0) {
        s->index = value & 0x7f;
        s->nmi_masked = value & 0x80;
    } else {
        write_cmos(s, s->index, value);
    }
}

static const VitRegionOps rtc_ops = { rtc_read, rtc_write, 1, 1 };

/* ---- For the board ---- */

void
vit_rtc_set_cmos(VitDevice *dev, unsigned index, uint8_t value)
{
    if (index < VIT_CMOS_BYTES) {
        ((Rtc *)dev)->cmos[index] = value;
    }
}

uint8_t
vit_rtc_get_cmos(VitDevice *dev, unsigned index)
{
    Rtc *s = (Rtc *)dev;

    if (index >= VIT_CMOS_BYTES) {
        return 0xff;
    }
    return index == REG_C ? s->cmos[REG_C] : read_cmos(s, index);
}

bool
vit_rtc_nmi_masked(const VitDevice *dev)
{
    return ((const Rtc *)dev)->nmi_masked;
}

int64_t
vit_rtc_get_time(VitDevice *dev)
{
    Rtc *s = (Rtc *)dev;

    return s->held ? decode_time(s) : floor_div(clock_ns(s), VIT_NS_PER_SEC);
}

/* ---- The device ---- */

static void
rtc_reset(VitDevice *dev)
{
    Rtc *s = (Rtc *)dev;

    /* the battery keeps the rest */
    s->cmos[REG_B] &= ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    s->cmos[REG_C] = 0;
    s->lost_ticks = s->repeats = 0;
    s->flags_ns = clock_ns(s);
    update_irq(s);
    arm_timer(s);
}

static bool
rtc_realize(VitDevice *dev, GError **error)
{
    Rtc *s = (Rtc *)dev;

    s->cmos[REG_A] = 0x26;
    s->cmos[REG_B] = B_24H;
    s->cmos[REG_D] = D_VRT;
    vit_timer_init(&s->timer, dev->platform->clock, timer_expired, s);
    vit_region_init_io(&s->ports, "rtc", &rtc_ops, s, 2);
    vit_isa_map_ports(dev, s->iobase, &s->ports);
    return true;
}

static void
rtc_unrealize(VitDevice *dev)
{
    Rtc *s = (Rtc *)dev;

    vit_timer_del(&s->timer);
    vit_region_finish(&s->ports);
}

static bool
rtc_post_load(VitDevice *dev, unsigned version, GError **error)
{
    Rtc *s = (Rtc *)dev;

    s->index &= 0x7f;
    s->flags_ns = CLAMP(s->flags_ns, SECONDS_MIN * VIT_NS_PER_SEC, SECONDS_MAX * VIT_NS_PER_SEC);
    return true;
}

static const VitProp rtc_props[] = {
    VIT_PROP_INT(
        Rtc, base_year, "base_year", BASE_YEAR_CENTURY, 0, 9999,
        VIT_N_("Year that 0 in the year register means; 1980: the century register counts"),
        .flags = VIT_PROP_HIDDEN),
    VIT_PROP_UINT(Rtc, iobase, "iobase", 0x70, 0, 0xfffe, VIT_N_("First I/O port"),
                  .flags = VIT_PROP_HEX),
    VIT_PROP_ENUM(Rtc, lost_tick_policy, "lost_tick_policy", policies, POLICY_DISCARD,
                  VIT_N_("What becomes of periodic interrupts the guest missed")),
    { 0 },
};

static const VitField rtc_state[] = {
    VIT_FIELD_ARRAY(Rtc, cmos),
    VIT_FIELD(Rtc, index),
    VIT_FIELD(Rtc, nmi_masked),
    VIT_FIELD(Rtc, irq),
    VIT_FIELD(Rtc, held),
    VIT_FIELD(Rtc, weekday_skew),
    VIT_FIELD(Rtc, offset_ns),
    VIT_FIELD(Rtc, flags_ns),
    VIT_FIELD(Rtc, lost_ticks),
    VIT_FIELD(Rtc, repeats),
    VIT_FIELD_TIMER(Rtc, timer),
    VIT_TRANSIENT(Rtc, ports), /* mapped by realize */
    { 0 },
};

const VitDeviceKind vit_mc146818rtc_kind = {
    .name = "mc146818rtc",
    .title = VIT_N_("Real-time clock and CMOS memory"),
    .bus = VIT_BUS_ISA,
    .category = VIT_CATEGORY_MISC,
    VIT_DEVICE_SIZE(Rtc, VitDevice),
    .internal = true,
    .props = rtc_props,
    .state = rtc_state,
    .state_version = 1,
    .n_irq_out = 1,
    .realize = rtc_realize,
    .unrealize = rtc_unrealize,
    .reset = rtc_reset,
    .post_load = rtc_post_load,
};
