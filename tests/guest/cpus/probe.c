/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A guest that tells what its CPUs are: starts them all, prints the CPUID leaves of the first (of
 * all with "all" on its command line), then sends each an interrupt by its APIC id and each cluster
 * one by its logical id, and lets the TSC deadline expire. Text on the first serial port, one fact
 * a line; runs on any PC emulator, so that two can be compared. Intel SDM volume 3, "Advanced
 * programmable interrupt controller". */

#include <stdint.h>

enum { CPUS_MAX = 1024, AP_PAGE = 0x8000, VECTOR_IPI = 0x40, VECTOR_TIMER = 0x41 };
enum { SERIAL = 0x3f8, LAPIC_PAGE = 0xfee00000 };
enum { MSR_APIC_BASE = 0x1b, MSR_X2APIC = 0x800, MSR_TSC_DEADLINE = 0x6e0 };
enum { REG_ID = 2, REG_EOI = 0xb, REG_LDR = 0xd, REG_DFR = 0xe, REG_SVR = 0xf };
enum { REG_ICR = 0x30, REG_ICR_HIGH = 0x31, REG_LVT_TIMER = 0x32 };

extern const uint8_t ap_code[], ap_code_end[];
extern volatile uint32_t ap_next;
void ipi_entry(void);
void timer_entry(void);
void probe_main(uint32_t magic, const uint32_t *info);
void probe_ap(uint32_t number);
void on_ipi(void);
void on_timer(void);

static volatile uint32_t started, received[CPUS_MAX], timers, print_turn, print_all;
static uint32_t ids[CPUS_MAX];
static int x2apic;
static uint64_t idt[256];

/* ---- The machine ---- */

static void
out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t
in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void
cpuid(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
                     : "a"(leaf), "c"(subleaf));
}

static uint64_t
read_msr(uint32_t index)
{
    uint64_t value;

    __asm__ volatile("rdmsr" : "=A"(value) : "c"(index));
    return value;
}

static void
write_msr(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "A"(value), "c"(index) : "memory");
}

static uint64_t
tsc(void)
{
    uint64_t value;

    __asm__ volatile("rdtsc" : "=A"(value));
    return value;
}

/* ---- Text ---- */

static void
put_char(char c)
{
    while (!(in8(SERIAL + 5) & 0x20)) {
    }
    out8(SERIAL, c);
}

static void
put_text(const char *text)
{
    while (*text) {
        put_char(*text++);
    }
}

static void
put_hex(uint32_t value, unsigned digits)
{
    while (digits--) {
        put_char("0123456789abcdef"[value >> (4 * digits) & 15]);
    }
}

static void
put_fact(const char *name, uint32_t value)
{
    put_text(name);
    put_char(' ');
    put_hex(value, 8);
    put_char('\n');
}

/* ---- CPUID ---- */

static void
print_leaf(uint32_t number, uint32_t leaf, uint32_t subleaf, int even_zero)
{
    uint32_t r[4];

    cpuid(leaf, subleaf, r);
    if (!even_zero && !(r[0] | r[1] | r[2] | r[3])) {
        return;
    }
    put_text("cpu ");
    put_hex(number, 3);
    put_char(' ');
    put_hex(leaf, 8);
    put_char('.');
    put_hex(subleaf, 2);
    for (unsigned i = 0; i < 4; i++) {
        put_char(' ');
        put_hex(r[i], 8);
    }
    put_char('\n');
}

static unsigned
subleaves(uint32_t leaf)
{
    switch (leaf) {
    case 4:
    case 0x8000001d: return 6;
    case 7: return 3;
    case 0xb:
    case 0x1f: return 5;
    case 0xd: return 20;
    case 0x12:
    case 0x14: return 3;
    default: return 1;
    }
}

static void
print_range(uint32_t number, uint32_t first)
{
    uint32_t r[4];

    cpuid(first, 0, r);
    uint32_t last = r[0] < first || r[0] > first + 0x40 ? first : r[0];
    for (uint32_t leaf = first; leaf <= last; leaf++) {
        for (uint32_t sub = 0; sub < subleaves(leaf); sub++) {
            print_leaf(number, leaf, sub, sub == 0);
        }
    }
}

static void
print_cpuid(uint32_t number)
{
    print_range(number, 0);
    print_range(number, 0x40000000);
    print_range(number, 0x80000000);
}

/* ---- Local APIC ---- */

static uint32_t
apic_read(uint32_t reg)
{
    return x2apic ? (uint32_t)read_msr(MSR_X2APIC + reg)
                  : *(volatile uint32_t *)(LAPIC_PAGE + reg * 16);
}

static void
apic_write(uint32_t reg, uint32_t value)
{
    if (x2apic) {
        write_msr(MSR_X2APIC + reg, value);
    } else {
        *(volatile uint32_t *)(LAPIC_PAGE + reg * 16) = value;
    }
}

static void
apic_command(uint32_t command, uint32_t dest)
{
    if (x2apic) {
        write_msr(MSR_X2APIC + REG_ICR, (uint64_t)dest << 32 | command);
    } else {
        apic_write(REG_ICR_HIGH, dest << 24);
        apic_write(REG_ICR, command);
    }
}

static uint32_t
apic_id(void)
{
    return x2apic ? apic_read(REG_ID) : apic_read(REG_ID) >> 24;
}

static void
apic_enable(uint32_t number)
{
    if (x2apic) {
        write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | 0xc00);
    } else {
        apic_write(REG_DFR, 0xffffffff);
        apic_write(REG_LDR, 1u << (24 + (number & 7)));
    }
    apic_write(REG_SVR, 0x1ff);
}

static void
load_idt(void)
{
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) pointer = { sizeof(idt) - 1, (uint32_t)idt };

    __asm__ volatile("lidt %0" : : "m"(pointer));
}

static void
set_gate(unsigned vector, void (*entry)(void))
{
    uint32_t address = (uint32_t)entry;

    idt[vector] =
        (uint64_t)(address & 0xffff0000) << 32 | 0x8e00ull << 32 | 8u << 16 | (address & 0xffff);
}

static uint32_t
my_number(void)
{
    uint32_t id = apic_id();

    for (uint32_t i = 0; i <= started; i++) {
        if (ids[i] == id) {
            return i;
        }
    }
    return CPUS_MAX - 1;
}

void
on_ipi(void)
{
    __atomic_add_fetch(&received[my_number()], 1, __ATOMIC_SEQ_CST);
    apic_write(REG_EOI, 0);
}

void
on_timer(void)
{
    timers++;
    apic_write(REG_EOI, 0);
}

/* ---- The CPUs ---- */

void
probe_ap(uint32_t number)
{
    number++; /* the first is not among these */
    apic_enable(number);
    load_idt();
    ids[number] = apic_id();
    if (print_all) {
        while (print_turn != number) {
            __asm__ volatile("pause");
        }
        print_cpuid(number);
        print_turn = number + 1;
    }
    __atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        __asm__ volatile("sti; hlt");
    }
}

static void
wait_us(uint32_t us)
{
    while (us--) {
        in8(0x80); /* about a microsecond, and time for the others */
    }
}

static void
start_cpus(void)
{
    uint32_t before;

    for (uint32_t i = 0; i < (uint32_t)(ap_code_end - ap_code); i++) {
        ((volatile uint8_t *)AP_PAGE)[i] = ap_code[i];
    }
    apic_command(0xc4500, 0); /* INIT to all others */
    wait_us(10000);
    apic_command(0xc4600 | AP_PAGE >> 12, 0);
    do { /* until none has come for a while */
        before = started;
        for (unsigned i = 0; i < (print_all ? 1000 : 200) && started == before; i++) {
            wait_us(10000);
        }
    } while (started != before);
}

static void
wait_received(uint32_t number, uint32_t count)
{
    for (unsigned i = 0; i < 2000000 && received[number] < count; i++) {
        wait_us(10);
    }
}

/* An interrupt to each by its id, then to each by its logical id. */
static void
send_all(void)
{
    uint32_t physical = 0, logical = 0, strays = 0;

    for (uint32_t i = 1; i <= started; i++) {
        apic_command(0x4000 | VECTOR_IPI, ids[i]);
        wait_received(i, 1);
        physical += received[i] == 1;
    }
    if (!x2apic) {
        put_fact("physical", physical);
        return;
    }
    for (uint32_t i = 1; i <= started; i++) {
        apic_command(0x4800 | VECTOR_IPI, ids[i] >> 4 << 16 | 1u << (ids[i] & 15));
        wait_received(i, 2);
        logical += received[i] == 2;
    }
    put_fact("physical", physical);
    put_fact("logical", logical);
    apic_command(0x4800 | VECTOR_IPI, 0x0000fffe); /* cluster 0 but its first */
    wait_us(10000);
    for (uint32_t i = 1; i <= started; i++) {
        if (ids[i] < 16) {
            wait_received(i, 3);
        }
        strays += received[i] != (ids[i] < 16 ? 3 : 2);
    }
    put_fact("strays", strays);
    put_fact("ldr", apic_read(REG_LDR));
}

static void
try_deadline(void)
{
    uint32_t r[4];

    cpuid(1, 0, r);
    if (!(r[2] >> 24 & 1)) {
        return;
    }
    apic_write(REG_LVT_TIMER, 0x40000 | VECTOR_TIMER);
    uint64_t start = tsc();
    write_msr(MSR_TSC_DEADLINE, start + 10000000);
    __asm__ volatile("sti");
    for (unsigned i = 0; i < 1000000 && !timers; i++) {
        wait_us(1);
    }
    __asm__ volatile("cli");
    put_fact("deadline", timers);
    put_fact("deadline-early", tsc() - start < 10000000);
    put_fact("deadline-left", read_msr(MSR_TSC_DEADLINE));
}

static int
has_word(const char *line, const char *word)
{
    for (; line && *line; line++) {
        unsigned i = 0;
        while (word[i] && line[i] == word[i]) {
            i++;
        }
        if (!word[i]) {
            return 1;
        }
    }
    return 0;
}

void
probe_main(uint32_t magic, const uint32_t *info)
{
    uint32_t r[4];
    const char *line = magic == 0x2badb002 && (info[0] & 4) ? (const char *)info[4] : "";

    cpuid(1, 0, r);
    print_all = has_word(line, "all");
    print_cpuid(0);
    if (!has_word(line, "cpuid-only") && (r[3] >> 9 & 1)) {
        x2apic = r[2] >> 21 & 1;
        set_gate(VECTOR_IPI, ipi_entry);
        set_gate(VECTOR_TIMER, timer_entry);
        load_idt();
        out8(0x21, 0xff); /* nothing from the 8259s */
        out8(0xa1, 0xff);
        apic_enable(0);
        ids[0] = apic_id();
        print_turn = 1;
        start_cpus();
        put_fact("started", started);
        for (uint32_t i = 0; has_word(line, "ids") && i <= started; i++) {
            put_fact("id", ids[i]);
        }
        send_all();
        try_deadline();
    }
    put_text("END\n");
    out8(0x501, 0); /* -device isa-debug-exit */
}
