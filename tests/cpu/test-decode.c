/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The decoder by itself: fields of chosen encodings, every prefix pitfall, truncation, and that
 * each row of the opcode table can be reached by the encoding its key names. */

#include "x86-cpuid.h"
#include "x86-insn.h"

#include <stdlib.h>
#include <string.h>

/* MODE (16, 32, 64), bytes in hex, what comes out: a mnemonic or UD, LONG, SHORT, then fields. */
static const char *const cases[] = {
    /* operand and address size */
    "64 | 89 d8 | mov len=2 os=4 reg=3 rm=0 mem=0",
    "64 | 48 89 d8 | mov len=3 os=8",
    "64 | 66 89 d8 | mov len=3 os=2",
    "64 | 66 48 89 d8 | mov len=4 os=8",
    "32 | 66 89 d8 | mov len=3 os=2",
    "16 | 89 d8 | mov len=2 os=2",
    "16 | 66 89 d8 | mov len=3 os=4",
    "64 | 88 d8 | mov os=1",
    "64 | 66 88 d8 | mov os=1 len=3",
    "64 | 67 8b 03 | mov as=4 base=3",
    "32 | 67 8b 07 | mov as=2 base=3 index=255",
    "16 | 67 8b 04 8b | mov as=4 base=3 index=1 scale=2 len=4",
    "64 | 67 67 8b 03 | mov as=4",
    /* REX */
    "64 | 4c 89 c0 | mov reg=8 rm=0 os=8",
    "64 | 41 89 c0 | mov reg=0 rm=8 os=4",
    "64 | 48 66 89 d8 | mov os=2 len=4", /* REX not last: ignored */
    "64 | 41 66 89 c0 | mov rm=0 os=2",
    "64 | 48 41 89 c0 | mov rm=8 os=4 len=4", /* the last of two counts */
    "64 | 40 88 e0 | mov rex=1 reg=4 rm=0",
    "64 | 88 e0 | mov rex=0 reg=4",
    "32 | 48 | dec rm=0 len=1",
    "32 | 41 | inc rm=1",
    "64 | 41 50 | push rm=8 os=8",
    "64 | 66 50 | push os=2",
    "64 | 48 50 | push os=8",
    "32 | 66 50 | push os=2",
    /* ModRM and SIB */
    "64 | 8b 05 78 56 34 12 | mov base=16 disp=0x12345678 len=6 seg=3",
    "64 | 8b 04 25 78 56 34 12 | mov base=255 index=255 disp=0x12345678 len=7",
    "32 | 8b 05 78 56 34 12 | mov base=255 disp=0x12345678",
    "64 | 8b 45 80 | mov base=5 disp=-128 seg=2",
    "64 | 8b 04 24 | mov base=4 index=255 seg=2",
    "64 | 8b 44 24 08 | mov base=4 disp=8 seg=2 len=4",
    "64 | 41 8b 04 24 | mov base=12 index=255 seg=3",
    "64 | 42 8b 04 20 | mov base=0 index=12",
    "64 | 8b 04 20 | mov base=0 index=255",
    "64 | 41 8b 45 00 | mov base=13 disp=0 seg=3 len=4",
    "64 | 41 8b 05 00 00 00 00 | mov base=16 len=7",
    "64 | 8b 04 6d 00 00 00 80 | mov base=255 index=5 scale=1 disp=-0x80000000 seg=3",
    "64 | 8b 44 6d 7f | mov base=5 index=5 scale=1 disp=127 seg=2",
    "64 | 8b 84 c3 00 01 00 00 | mov base=3 index=0 scale=3 disp=256 len=7",
    "64 | 67 8b 05 00 00 00 00 | mov base=16 as=4",
    "16 | 8b 00 | mov base=3 index=6 seg=3",
    "16 | 8b 01 | mov base=3 index=7 seg=3",
    "16 | 8b 02 | mov base=5 index=6 seg=2",
    "16 | 8b 03 | mov base=5 index=7 seg=2",
    "16 | 8b 04 | mov base=6 index=255 seg=3",
    "16 | 8b 05 | mov base=7 seg=3",
    "16 | 8b 06 34 12 | mov base=255 disp=0x1234 len=4 seg=3",
    "16 | 8b 06 34 f2 | mov disp=-0xdcc",
    "16 | 8b 46 fe | mov base=5 disp=-2 seg=2 len=3",
    "16 | 8b 87 00 80 | mov base=3 disp=-32768 len=4",
    /* segments */
    "32 | 64 8b 00 | mov seg=4 over=1",
    "32 | 3e 8b 45 00 | mov seg=3 over=1",
    "32 | 2e 64 8b 00 | mov seg=4",
    "64 | 3e 8b 45 00 | mov seg=2 over=0", /* DS means nothing in 64-bit code */
    "64 | 64 8b 45 00 | mov seg=4",
    "64 | 64 3e 8b 45 00 | mov seg=4",
    "64 | 65 64 8b 00 | mov seg=4",
    "64 | 2e 89 d8 | mov seg=3 over=0 len=3",
    "32 | 36 a4 | movs seg=2",
    "32 | 36 a1 00 00 00 00 | mov seg=2 len=6",
    "32 | 64 d7 | xlat seg=4",
    "32 | 26 aa | stos over=0",
    /* immediates */
    "64 | b8 ff ff ff ff | mov imm=-1 os=4 len=5 immsize=4",
    "64 | 48 b8 01 02 03 04 05 06 07 08 | mov imm=0x0807060504030201 len=10 immsize=8",
    "64 | 66 b8 34 12 | mov imm=0x1234 len=4",
    "64 | 48 c7 c0 ff ff ff ff | mov imm=-1 len=7 immsize=4",
    "64 | 83 c0 ff | add imm=-1 immsize=1",
    "64 | 81 c0 00 00 00 80 | add imm=-0x80000000",
    "64 | 66 81 c0 00 80 | add imm=-32768 len=5",
    "64 | b0 80 | mov imm=-128 os=1 rm=0",
    "64 | 41 b0 80 | mov rm=8",
    "64 | 6a 80 | push imm=-128 os=8",
    "64 | 68 00 00 00 80 | push imm=-0x80000000 os=8 len=5",
    "64 | 66 68 34 12 | push imm=0x1234 os=2 len=4",
    "64 | c8 34 82 05 | enter imm=0x8234 imm2=5 len=4 os=8",
    "32 | c2 f0 ff | ret imm=0xfff0 os=4",
    "32 | ca 08 00 | retf imm=8 len=3",
    "32 | 9a 78 56 34 12 08 00 | callf imm=0x12345678 imm2=8 len=7",
    "16 | ea 00 f0 34 12 | jmpf imm=0xf000 imm2=0x1234 len=5",
    "16 | 66 ea 00 f0 00 80 34 12 | jmpf imm=0x8000f000 imm2=0x1234 len=8",
    "64 | ea 00 f0 34 12 | UD",
    "64 | a1 01 02 03 04 05 06 07 08 | mov imm=0x0807060504030201 len=9",
    "64 | 67 a1 00 00 00 80 | mov imm=0x80000000 len=6",
    "16 | a1 00 f0 | mov imm=0xf000 len=3",
    "64 | 69 c0 01 00 00 00 | imul imm=1 len=6",
    "64 | 66 69 c0 01 00 | imul len=5",
    "64 | f6 c0 01 | test imm=1 len=3",
    "64 | f7 c0 01 00 00 00 | test len=6",
    "64 | f7 d0 | not len=2 immsize=0",
    "64 | f6 c8 01 | test len=3",
    "64 | 8b 05 00 00 00 00 | mov dispoff=2 dispsize=4 modrmoff=1 opoff=0",
    "64 | 66 48 81 84 24 00 01 00 00 01 00 00 00 | add len=13 dispoff=5 immoff=9 immsize=4 opoff=2",
    "64 | c7 05 00 00 00 00 01 00 00 00 | mov len=10 immoff=6",
    /* near branches: 66 counts, as on AMD CPUs */
    "64 | e8 01 00 00 00 | call os=8 imm=1 len=5",
    "64 | 66 e8 01 00 | call os=2 len=4",
    "64 | 66 48 e8 01 00 00 00 | call os=8 len=7",
    "64 | 66 e9 01 00 | jmp os=2 len=4",
    "64 | 66 0f 84 01 00 | je os=2 len=5",
    "64 | 66 c3 | ret os=2",
    "64 | 66 eb fe | jmp imm=-2 len=3 os=2",
    "32 | 66 e8 01 00 | call os=2 len=4",
    "32 | 66 0f 84 00 80 | je os=2 imm=-32768 len=5",
    "16 | 66 e8 01 00 00 00 | call os=4 len=6",
    "64 | ff d0 | call os=8 rm=0",
    "64 | 67 e3 00 | jrcxz as=4",
    "32 | 67 e2 fe | loop as=2 os=4",
    /* LOCK */
    "64 | f0 01 18 | add lock=1 len=3",
    "64 | f0 01 d8 | UD",
    "64 | f0 03 18 | UD",
    "64 | f0 39 18 | UD",
    "64 | f0 90 | UD",
    "64 | f0 0f b1 18 | cmpxchg lock=1",
    "64 | f0 0f b1 d8 | UD",
    "64 | f0 0f c7 08 | cmpxchg8b",
    "64 | f0 48 0f c7 08 | cmpxchg16b",
    "64 | f0 ff 00 | inc",
    "64 | f0 ff 08 | dec",
    "64 | f0 ff 10 | UD",
    "64 | f0 f7 10 | not",
    "64 | f0 f7 18 | neg",
    "64 | f0 f7 20 | UD",
    "64 | f0 0f ba 20 01 | UD",
    "64 | f0 0f ba 28 01 | bts",
    "64 | f0 80 38 01 | UD",
    "64 | f0 80 00 01 | add",
    "64 | f0 87 18 | xchg",
    "64 | f0 a4 | UD",
    "64 | f0 8b 00 | UD",
    /* repeats and mandatory prefixes */
    "64 | f3 a4 | movs rep=1 repne=0",
    "64 | f2 f3 a4 | movs rep=1 repne=0",
    "64 | f3 f2 a4 | movs rep=0 repne=1",
    "64 | f3 48 a5 | movs os=8 rep=1",
    "64 | f3 90 | pause",
    "64 | 90 | nop",
    "64 | 48 90 | nop",
    "64 | 41 90 | xchg rm=8",
    "64 | f3 41 90 | xchg rm=8",
    "64 | 66 90 | nop",
    "32 | 91 | xchg rm=1",
    "64 | 0f bc c1 | bsf",
    "64 | 66 0f bc c1 | bsf os=2",
    "64 | f2 0f bc c1 | bsf",
    "64 | f3 0f bc c1 | tzcnt os=4",
    "64 | 66 f3 0f bc c1 | tzcnt os=2",
    "64 | f3 48 0f bc c1 | tzcnt os=8",
    "64 | f3 0f bd c1 | lzcnt",
    "64 | f3 0f b8 c1 | popcnt",
    "64 | 66 f3 0f b8 c1 | popcnt os=2",
    "64 | 0f b8 c1 | UD",
    "64 | f2 0f b8 c1 | UD",
    "64 | 0f 38 f0 00 | movbe os=4",
    "64 | 66 0f 38 f0 00 | movbe os=2",
    "64 | 0f 38 f0 c0 | UD",
    "64 | f3 0f 38 f0 00 | UD",
    "64 | f2 0f 38 f0 c1 | crc32 os=1",
    "64 | f2 0f 38 f1 c1 | crc32 os=4",
    "64 | 66 f2 0f 38 f1 c1 | crc32 os=2",
    "64 | f2 48 0f 38 f1 c1 | crc32 os=8",
    "64 | 66 0f 38 f6 c1 | adcx os=4",
    "64 | f3 0f 38 f6 c1 | adox",
    "64 | f3 48 0f 38 f6 c1 | adox os=8",
    "64 | 0f c3 00 | movnti",
    "64 | 0f c3 c0 | UD",
    "64 | 0f ae e8 | lfence",
    "64 | 0f ae f0 | mfence",
    "64 | 0f ae f8 | sfence",
    "64 | 0f ae ff | sfence",
    "64 | 0f ae 38 | clflush",
    "64 | 66 0f ae 38 | clflushopt",
    "64 | 66 0f ae 30 | clwb",
    "64 | f3 0f ae c0 | rdfsbase os=4",
    "64 | f3 48 0f ae d8 | wrgsbase os=8",
    "32 | f3 0f ae c0 | UD",
    "64 | 0f c7 f0 | rdrand os=4",
    "64 | 66 0f c7 f0 | rdrand os=2",
    "64 | 48 0f c7 f8 | rdseed os=8",
    "64 | f3 0f c7 f8 | rdpid",
    "32 | 0f c7 08 | cmpxchg8b",
    "64 | 0f c7 c8 | UD",
    "64 | f3 0f 1e fa | nop len=4",
    "64 | f3 0f 1e fb | nop",
    "64 | 66 2e 0f 1f 84 00 00 00 00 00 | nop len=10",
    "64 | 0f 18 08 | nop",
    "64 | 0f 0d 08 | prefetchw",
    /* groups */
    "64 | 0f 01 00 | sgdt os=8",
    "32 | 0f 01 00 | sgdt os=4",
    "64 | 0f 01 10 | lgdt",
    "64 | 0f 01 38 | invlpg",
    "64 | 0f 01 f8 | swapgs",
    "32 | 0f 01 f8 | UD",
    "64 | 0f 01 f9 | rdtscp",
    "64 | 0f 01 ca | clac",
    "64 | 0f 01 cb | stac",
    "64 | 0f 01 d0 | xgetbv",
    "64 | 0f 01 d1 | xsetbv",
    "64 | 0f 01 d2 | UD",
    "64 | 0f 01 c8 | monitor",
    "64 | 0f 01 c9 | mwait",
    "64 | 0f 01 e0 | smsw",
    "64 | 0f 01 f0 | lmsw",
    "64 | 0f 00 d8 | ltr",
    "64 | 0f 00 f0 | UD",
    "64 | 8f c0 | pop",
    "64 | 8f c8 | UD",
    "64 | fe c0 | inc os=1",
    "64 | fe d0 | UD",
    "64 | ff f8 | UD",
    "64 | ff 18 | callf",
    "64 | ff d8 | UD",
    "64 | ff 28 | jmpf",
    "64 | ff e8 | UD",
    "64 | ff 30 | push os=8",
    "64 | c6 00 01 | mov os=1",
    "64 | c6 08 01 | UD",
    "64 | d0 f0 | shl",
    "64 | 0f ba e0 05 | bt imm=5",
    "64 | 0f ba c0 05 | UD",
    "64 | 8d 00 | lea",
    "64 | 8d c0 | UD",
    "64 | 0f a2 | cpuid",
    "64 | 0f 05 | syscall",
    "64 | 0f 0b | ud2",
    "64 | 0f b9 c0 | ud1 len=3",
    "64 | 0f ff c0 | ud0 len=3",
    "64 | 0f 04 | UD",
    /* MOV to and from CR and DR: mod does not matter */
    "64 | 0f 20 c0 | mov os=8 reg=0 rm=0 len=3 mem=0",
    "64 | 0f 20 05 | mov rm=5 len=3 mem=0",
    "64 | 44 0f 20 c0 | mov reg=8",
    "32 | 0f 22 98 | mov reg=3 rm=0 len=3",
    /* what 64-bit code lost or gained */
    "64 | 06 | UD",
    "64 | 27 | UD",
    "64 | 37 | UD",
    "64 | 60 | UD",
    "64 | 62 00 00 00 00 00 | UD",
    "64 | 9a 00 00 00 00 00 00 | UD",
    "64 | c4 00 00 00 00 | UD",
    "64 | ce | UD",
    "64 | d4 0a | UD",
    "64 | d6 | UD",
    "64 | 82 c0 01 | UD",
    "64 | 63 c1 | movsxd os=4",
    "64 | 48 63 c1 | movsxd os=8",
    "32 | 63 c1 | arpl",
    "32 | 06 | push",
    "32 | 82 c0 01 | add",
    "32 | d6 | salc",
    "32 | 60 | pusha os=4",
    "32 | 0f a0 | push",
    "64 | 0f a0 | push os=8",
    /* VEX, and the old instructions it shares bytes with */
    "64 | c4 e2 70 f2 c2 | andn vvvv=1 reg=0 rm=2 len=5 os=4",
    "64 | c4 e2 f0 f2 c2 | andn os=8 w=1",
    "64 | c4 42 78 f2 c2 | andn reg=8 rm=10 vvvv=0",
    "64 | c4 e2 74 f2 c2 | UD", /* L must be 0 */
    "64 | c4 e2 78 f3 c9 | blsr vvvv=0 rm=1",
    "64 | c4 e2 78 f3 c1 | UD",
    "64 | c4 e3 7b f0 c1 05 | rorx imm=5 len=6",
    "64 | c4 e3 73 f0 c1 05 | UD", /* vvvv must be 1111 */
    "64 | c4 e2 7b f6 c1 | mulx",
    "64 | c4 e2 7a f7 c1 | sarx",
    "64 | c4 e2 79 f7 c1 | shlx",
    "64 | c4 e2 7b f7 c1 | shrx",
    "64 | c4 e2 78 f7 c1 | bextr",
    "64 | c4 e2 7a f5 c1 | pext",
    "64 | c4 e2 7b f5 c1 | pdep",
    "64 | c4 e2 78 f5 c1 | bzhi",
    "64 | 66 c4 e2 78 f5 c1 | UD",
    "64 | f3 c4 e2 78 f5 c1 | UD",
    "64 | f0 c4 e2 78 f5 00 | UD",
    "64 | 48 c4 e2 78 f5 c1 | UD",
    "64 | 48 2e c4 e2 78 f5 c1 | bzhi len=7", /* the REX is not last: it does not count */
    "64 | 2e c4 e2 78 f5 c1 | bzhi",
    "64 | c4 e0 78 f5 c1 | UD",
    "64 | c4 e4 78 f5 c1 | UD",
    "64 | c4 ff 78 f5 c1 | UD",
    "64 | 67 c4 e2 78 f5 00 | bzhi as=4",
    "64 | c5 f8 10 c1 | vmovups l=0",
    "64 | c5 fc 10 c1 | vmovups l=1",
    "64 | c5 78 10 c1 | vmovups reg=8",
    "64 | c5 f0 10 c1 | UD", /* vvvv */
    "64 | c4 c1 78 10 c1 | vmovups rm=9",
    "32 | c5 f8 10 c1 | vmovups",
    "32 | c4 e2 70 f2 c2 | andn vvvv=1",
    "32 | c4 e2 f0 f2 c2 | andn os=4",   /* W is ignored */
    "32 | c4 e2 30 f2 c2 | andn vvvv=1", /* so is the top bit of vvvv */
    "32 | c5 00 | lds reg=0 base=0",
    "32 | c4 00 | les",
    "32 | c5 80 00 00 00 00 | lds len=6",
    "32 | 62 00 | bound",
    "16 | c4 1e 34 12 | les reg=3 disp=0x1234 len=4",
    "16 | c4 e2 70 f2 c2 | andn",
    /* EVEX: registers, masks, displacements in units of the operand, fields that mean nothing */
    "64 | 62 f1 7c 48 10 c1 | vmovups reg=0 len=6",
    "64 | 62 a1 74 40 58 c2 | vaddps reg=16 rm=18 vvvv=17 len=6",
    "64 | 62 f1 7c 48 10 48 02 | vmovups reg=1 base=0 disp=0x80 len=7",
    "64 | 62 f1 74 58 58 48 02 | vaddps disp=0x8 len=7",
    "64 | 62 f1 6c c9 58 c2 | vaddps len=6",
    "64 | 62 f1 6c c8 58 c2 | UD",     /* zeroing without a mask */
    "64 | 62 f1 6c 68 58 c2 | UD",     /* no such length */
    "64 | 62 f1 6c 78 58 c2 | vaddps", /* rounding takes the length's place */
    "64 | 62 f1 7c c9 11 08 | UD",     /* zeroing in memory */
    "64 | 62 f1 7d 58 70 00 01 | vpshufd",
    "64 | 62 f1 7e 58 70 00 01 | UD", /* broadcast of words */
    "64 | 62 f2 7d 48 90 04 08 | UD", /* gather without a mask */
    "64 | 62 f2 7d 49 90 04 08 | vpgatherdd len=7",
    "64 | c5 f4 41 c2 | kandw len=4",
    "64 | c5 74 41 c2 | UD", /* nine mask registers */
    /* length */
    "64 | 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90 | nop len=15",
    "64 | 66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90 | LONG",
    "64 | 66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 | LONG",
    "64 | 2e 2e 2e 2e 2e 2e 2e 2e 48 c7 c0 01 00 00 00 | mov len=15",
    "64 | 2e 2e 2e 2e 2e 2e 2e 2e 2e 48 c7 c0 01 00 00 00 | LONG",
    "64 | 48 | SHORT",
    "64 | 0f | SHORT",
    "64 | 0f 38 | SHORT",
    "64 | 8b | SHORT",
    "64 | 8b 04 | SHORT",
    "64 | 8b 05 00 00 | SHORT",
    "64 | b8 00 00 00 | SHORT",
    "64 | c4 | SHORT",
    "64 | c4 e2 | SHORT",
    "64 | c4 e2 78 f5 | SHORT",
    "32 | c4 | SHORT",
    "64 | 0f 01 | SHORT",
};

typedef struct Field {
    const char *name;
    size_t offset, size;
    bool is_signed;
} Field;

#define FIELD(name, member)                                                    \
    {                                                                          \
        name, offsetof(X86Insn, member), sizeof(((X86Insn *)0)->member), false \
    }
static const Field fields[] = {
    FIELD("len", length),
    FIELD("os", operand_size),
    FIELD("as", address_size),
    FIELD("reg", reg),
    FIELD("rm", rm),
    FIELD("mem", is_memory),
    FIELD("base", base),
    FIELD("index", index),
    FIELD("scale", scale),
    FIELD("disp", disp),
    FIELD("imm", imm),
    FIELD("imm2", imm2),
    FIELD("seg", segment),
    FIELD("over", segment_override),
    FIELD("rex", rex_present),
    FIELD("lock", lock),
    FIELD("rep", rep),
    FIELD("repne", repne),
    FIELD("vvvv", vvvv),
    FIELD("w", rex_w),
    FIELD("l", vex_l),
    FIELD("immsize", imm_size),
    FIELD("immoff", imm_offset),
    FIELD("dispoff", disp_offset),
    FIELD("dispsize", disp_size),
    FIELD("modrmoff", modrm_offset),
    FIELD("opoff", opcode_offset),
};

static uint64_t
field_value(const X86Insn *insn, const Field *field)
{
    uint64_t value = 0;
    memcpy(&value, (const char *)insn + field->offset, field->size);
    return value;
}

static void
check_field(const char *text, const X86Insn *insn, const char *assignment)
{
    g_auto(GStrv) parts = g_strsplit(assignment, "=", 2);

    for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++) {
        if (strcmp(fields[i].name, parts[0]) == 0) {
            uint64_t want =
                parts[1][0] == '-' ? -strtoull(parts[1] + 1, NULL, 0) : strtoull(parts[1], NULL, 0);
            uint64_t got = field_value(insn, &fields[i]);
            if (got != want) {
                g_test_message("%s: %s is %#" G_GINT64_MODIFIER "x", text, parts[0], got);
                g_test_fail();
            }
            return;
        }
    }
    g_error("no field %s", parts[0]);
}

static size_t
parse_hex(const char *text, uint8_t *out)
{
    size_t n = 0;
    char *end;

    for (;;) {
        unsigned long byte = strtoul(text, &end, 16);
        if (end == text) {
            return n;
        }
        out[n++] = byte;
        text = end;
    }
}

static const char *
result_name(X86DecodeResult result)
{
    switch (result) {
    case X86_DECODE_UD: return "UD";
    case X86_DECODE_TOO_LONG: return "LONG";
    case X86_DECODE_SHORT: return "SHORT";
    default: return NULL;
    }
}

static void
test_cases(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) parts = g_strsplit(cases[i], "|", 3);
        g_auto(GStrv) words = g_strsplit(g_strstrip(parts[2]), " ", -1);
        unsigned code_size = atoi(parts[0]) / 8;
        uint8_t bytes[32];
        size_t len = parse_hex(parts[1], bytes);
        X86Insn insn;
        X86DecodeResult result = x86_decode(bytes, len, code_size, &insn);
        const char *name = result == X86_DECODE_OK ? insn.row->mnemonic : result_name(result);

        if (strcmp(name, words[0]) != 0) {
            g_test_message("%s: is %s", cases[i], name);
            g_test_fail();
            continue;
        }
        for (unsigned k = 1; words[k]; k++) {
            check_field(cases[i], &insn, words[k]);
        }
        if (result == X86_DECODE_OK) {
            g_assert_cmpmem(insn.bytes, insn.length, bytes, insn.length);
        }
    }
}

static bool
has_vsib(const X86OpRow *row)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(row->operand); i++) {
        if (row->operand[i].kind == X86_OP_VSIB) {
            return true;
        }
    }
    return false;
}

/* The shortest encoding of ROW with MODE, after its key alone. */
static size_t
encode_row(const X86OpRow *row, unsigned code_size, uint8_t out[16])
{
    static const uint8_t prefixes[] = { 0, 0x66, 0xf3, 0xf2 };
    size_t n = 0;
    unsigned w = row->flags & X86_ROW_W1 ? 1 : 0, l = row->flags & X86_ROW_VEX_L1 ? 4 : 0;
    uint8_t modrm = (row->modrm_reg < 0 ? 0 : row->modrm_reg << 3) |
                    (row->modrm_rm < 0 ? 0 : row->modrm_rm) | (row->modrm_form == 1 ? 0 : 0xc0);

    memset(out, 0, 16);
    if (code_size == 2 && has_vsib(row)) {
        out[n++] = 0x67; /* 16-bit addressing has no SIB byte */
    }
    if (row->encoding == X86_ENC_VEX) {
        out[n++] = 0xc4;
        out[n++] = 0xe0 | row->map;
        out[n++] = w << 7 | 0x78 | l | row->pp;
    } else if (row->encoding == X86_ENC_EVEX) {
        unsigned length = row->flags & X86_ROW_LL2 ? 2 : row->flags & X86_ROW_LL12 ? 1 : 0;
        out[n++] = 0x62;
        out[n++] = 0xf0 | row->map;
        out[n++] = w << 7 | 0x7c | row->pp;
        out[n++] = length << 5 | 8 | (row->flags & X86_ROW_MASK_REQ ? 1 : 0);
    } else {
        if (row->pp <= X86_PP_F2 && row->pp != X86_PP_NONE) {
            out[n++] = prefixes[row->pp];
        }
        if (w && code_size == 8) {
            out[n++] = 0x48;
        }
        if (row->map != X86_MAP_1B) {
            out[n++] = 0x0f;
        }
        if (row->map >= X86_MAP_0F38) {
            out[n++] = row->map == X86_MAP_0F38 ? 0x38 : 0x3a;
        }
    }
    out[n++] = row->opcode;
    out[n] = has_vsib(row) ? modrm | 4 : modrm;
    for (unsigned i = 0; i < G_N_ELEMENTS(row->operand); i++) {
        if (row->operand[i].kind == X86_OP_OPCODE_REG && row->opcode == 0x90) {
            out[n - 1] |= 1; /* 90 itself is NOP */
        }
    }
    return n;
}

static void
test_every_row(void)
{
    const X86OpRow *row;
    unsigned count = 0;

    for (size_t i = 0; (row = x86_op_row(i)); i++) {
        for (unsigned code_size = 2; code_size <= 8; code_size *= 2) {
            uint8_t bytes[16];
            X86Insn insn;
            X86DecodeResult result;

            if (row->flags & (code_size == 8 ? X86_ROW_NO64 : X86_ROW_ONLY64)) {
                continue;
            }
            encode_row(row, code_size, bytes);
            result = x86_decode(bytes, 15, code_size, &insn);
            if (result != X86_DECODE_OK || insn.row != row) {
                g_test_message("row %s opcode %02x map %u pp %u mode %u: %s", row->mnemonic,
                               row->opcode, row->map, row->pp, code_size,
                               result == X86_DECODE_OK ? insn.row->mnemonic : result_name(result));
                g_test_fail();
            }
            count++;
        }
    }
    g_assert_cmpuint(count, >, 800);
}

/* Every proper prefix of an instruction asks for more bytes, and never for other reasons. */
static void
test_truncation(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(4711);

    for (unsigned i = 0; i < 20000; i++) {
        uint8_t bytes[16];
        X86Insn whole, part;
        unsigned code_size = 2u << g_rand_int_range(rand, 0, 3);

        for (unsigned k = 0; k < 16; k++) {
            bytes[k] = g_rand_int(rand);
        }
        if (x86_decode(bytes, 15, code_size, &whole) != X86_DECODE_OK) {
            continue;
        }
        for (unsigned len = 0; len < whole.length; len++) {
            g_assert_cmpint(x86_decode(bytes, len, code_size, &part), ==, X86_DECODE_SHORT);
        }
        g_assert_cmpint(x86_decode(bytes, whole.length, code_size, &part), ==, X86_DECODE_OK);
        g_assert_cmpmem(&whole, sizeof(whole), &part, sizeof(part));
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/decode/cases", test_cases);
    g_test_add_func("/decode/every-row", test_every_row);
    g_test_add_func("/decode/truncation", test_truncation);
    return g_test_run();
}
