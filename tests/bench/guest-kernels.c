/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Guest code for bench-interp: integer kernels, freestanding 64-bit, linked flat at 64 KiB by
 * guest-kernels.ld. The checksum goes to RESULT, then the CPU halts. Runs in the guest only. */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

enum { RESULT = 0x1ff000, BYTES = 65536, WORDS = 4096, ROUNDS = 10 };

static u8 bytes[BYTES];
static u32 words[WORDS], table[256], seed;

static u32
next_random(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

static void
make_table(void)
{
    for (u32 i = 0; i < 256; i++) {
        u32 c = i;
        for (int k = 0; k < 8; k++) {
            c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
        }
        table[i] = c;
    }
}

static __attribute__((noinline)) u32
crc32(const u8 *p, u32 len)
{
    u32 c = ~0u;

    while (len--) {
        c = table[(c ^ *p++) & 255] ^ c >> 8;
    }
    return ~c;
}

static __attribute__((noinline)) void
sort(u32 *a, int low, int high)
{
    int i = low, j = high;
    u32 pivot = a[(low + high) / 2];

    while (i <= j) {
        while (a[i] < pivot) {
            i++;
        }
        while (a[j] > pivot) {
            j--;
        }
        if (i <= j) {
            u32 t = a[i];
            a[i++] = a[j];
            a[j--] = t;
        }
    }
    if (low < j) {
        sort(a, low, j);
    }
    if (i < high) {
        sort(a, i, high);
    }
}

static __attribute__((noinline)) u64
fibonacci(int n)
{
    return n < 2 ? (u64)n : fibonacci(n - 1) + fibonacci(n - 2);
}

static __attribute__((noinline)) u32
count_primes(void)
{
    u32 count = 0;

    for (int i = 0; i < BYTES; i++) {
        bytes[i] = 1;
    }
    for (u32 i = 2; i < BYTES; i++) {
        if (bytes[i]) {
            count++;
            for (u32 j = i * 2; j < BYTES; j += i) {
                bytes[j] = 0;
            }
        }
    }
    return count;
}

void guest_start(void) __attribute__((section(".start"), noreturn));
void
guest_start(void)
{
    u64 sum = 0;

    seed = 12345;
    make_table();
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BYTES; i++) {
            bytes[i] = (u8)next_random();
        }
        sum += crc32(bytes, BYTES);
        for (int i = 0; i < WORDS; i++) {
            words[i] = next_random();
        }
        sort(words, 0, WORDS - 1);
        sum += words[WORDS / 3];
        sum += fibonacci(18);
        sum += count_primes();
    }
    *(volatile u64 *)RESULT = sum;
    for (;;) {
        __asm__ volatile("hlt");
    }
}
