/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Opcode rows of AVX, AVX2, FMA, F16C and the VEX forms of AES, PCLMULQDQ and GFNI. Intel SDM
 * volume 2.
 *
 * Scalar rows ignore VEX.L. Rows without W0 or W1 ignore VEX.W, as AMD's CPUs do in VPERMQ and
 * VPERMPD too. A 256-bit integer form is a row of
 * its own where it came with AVX2. Rows of class SYSTEM touch memory element by element.
 */

#include "x86-op-vec.h"

#define VEX2M(pp, op)         KEY(VEX, 0F, pp, op, -1, -1, 1)
#define VEX2R(pp, op)         KEY(VEX, 0F, pp, op, -1, -1, 2)
#define VEX2DM(pp, op, digit) KEY(VEX, 0F, pp, op, digit, -1, 1)
#define VEX2DR(pp, op, digit) KEY(VEX, 0F, pp, op, digit, -1, 2)
#define VEX38M(pp, op)        KEY(VEX, 0F38, pp, op, -1, -1, 1)
#define VEX38R(pp, op)        KEY(VEX, 0F38, pp, op, -1, -1, 2)
#define VEX3AM(pp, op)        KEY(VEX, 0F3A, pp, op, -1, -1, 1)
#define VEX3AR(pp, op)        KEY(VEX, 0F3A, pp, op, -1, -1, 2)

/* dest = vvvv op rm, both lengths AVX. */
#define V3(mn, key, rowflags)  SIMD(mn, key, AVX, rowflags, WR(Vx), RD(Hx), RD(Wx))
#define V3I(mn, key, rowflags) SIMD(mn, key, AVX, rowflags, WR(Vx), RD(Hx), RD(Wx), RD(Ib))
#define V2(mn, key, rowflags)  SIMD(mn, key, AVX, NO_VVVV | rowflags, WR(Vx), RD(Wx))
/* The same where 256 bits need AVX2. */
#define I3(mn, key)                                    \
    SIMD(mn, key, AVX, L0, WR(Vdq), RD(Hdq), RD(Wdq)), \
        SIMD(mn, key, AVX2, L1, WR(Vqq), RD(Hqq), RD(Wx))
#define I3I(mn, key)                                           \
    SIMD(mn, key, AVX, L0, WR(Vdq), RD(Hdq), RD(Wdq), RD(Ib)), \
        SIMD(mn, key, AVX2, L1, WR(Vqq), RD(Hqq), RD(Wx), RD(Ib))
#define I2(mn, key)                                     \
    SIMD(mn, key, AVX, L0 | NO_VVVV, WR(Vdq), RD(Wdq)), \
        SIMD(mn, key, AVX2, L1 | NO_VVVV, WR(Vqq), RD(Wx))
#define I2I(mn, key)                                            \
    SIMD(mn, key, AVX, L0 | NO_VVVV, WR(Vdq), RD(Wdq), RD(Ib)), \
        SIMD(mn, key, AVX2, L1 | NO_VVVV, WR(Vqq), RD(Wx), RD(Ib))
#define PMOVX(mn, op, w)                                        \
    SIMD(mn, VEX38(66, op), AVX, L0 | NO_VVVV, WR(Vdq), RD(w)), \
        SIMD(mn, VEX38(66, op), AVX2, L1 | NO_VVVV, WR(Vqq), RD(w))
/* Shift by the low quadword of a 128-bit operand, and by immediate. */
#define SHIFT(mn, op)                                           \
    SIMD(mn, VEX2(66, op), AVX, L0, WR(Vdq), RD(Hdq), RD(Wdq)), \
        SIMD(mn, VEX2(66, op), AVX2, L1, WR(Vqq), RD(Hqq), RD(Wdq))
#define SHIFT_IMM(mn, op, digit)                                        \
    SIMD(mn, VEX2DR(66, op, digit), AVX, L0, WR(Hdq), RD(Wdq), RD(Ib)), \
        SIMD(mn, VEX2DR(66, op, digit), AVX2, L1, WR(Hqq), RD(Wx), RD(Ib))
#define SCALAR(mn, pp, op, rowflags, w) \
    SIMD(mn, VEX2(pp, op), AVX, rowflags, WR(Vdq), RD(Hdq), RD(w))
#define LOGIC_PS_PD(mn, op) V3(mn "ps", VEX2(NONE, op), 0), V3(mn "pd", VEX2(66, op), 0)
#define FP_ARITH(mn, op)                                                    \
    V3(mn "ps", VEX2(NONE, op), FP_EXC), V3(mn "pd", VEX2(66, op), FP_EXC), \
        SCALAR(mn "ss", F3, op, FP_EXC, Wd), SCALAR(mn "sd", F2, op, FP_EXC, Wq)
#define APPROX(mn, op) V2(mn "ps", VEX2(NONE, op), 0), SCALAR(mn "ss", F3, op, 0, Wd)
/* One FMA operation in its three operand orders. */
#define FMA_PACKED(mn, op)                                                  \
    SIMD(mn "ps", VEX38(66, op), FMA, W0 | FP_EXC, RW(Vx), RD(Hx), RD(Wx)), \
        SIMD(mn "pd", VEX38(66, op), FMA, W1 | FP_EXC, RW(Vx), RD(Hx), RD(Wx))
#define FMA_SCALAR(mn, op)                                                   \
    SIMD(mn "ss", VEX38(66, op), FMA, W0 | FP_EXC, RW(Vdq), RD(Hd), RD(Wd)), \
        SIMD(mn "sd", VEX38(66, op), FMA, W1 | FP_EXC, RW(Vdq), RD(Hq), RD(Wq))
#define FMA_PACKED_3(mn, low)                                           \
    FMA_PACKED(mn "132", 0x90 | low), FMA_PACKED(mn "213", 0xa0 | low), \
        FMA_PACKED(mn "231", 0xb0 | low)
#define FMA_SCALAR_3(mn, low)                                           \
    FMA_SCALAR(mn "132", 0x90 | low), FMA_SCALAR(mn "213", 0xa0 | low), \
        FMA_SCALAR(mn "231", 0xb0 | low)
#define MASK_LOAD(mn, op, feat, rowflags) \
    ROW(mn, VEX38M(66, op), SYSTEM, feat, rowflags, FL_NONE, OPS(WR(Vx), RD(Hx), RD(Mx)), vmaskmov)
#define MASK_STORE(mn, op, feat, rowflags) \
    ROW(mn, VEX38M(66, op), SYSTEM, feat, rowflags, FL_NONE, OPS(WR(Mx), RD(Hx), RD(Vx)), vmaskmov)
#define GATHER(mn, op, rowflags, vm) \
    ROW(mn, VEX38M(66, op), SYSTEM, AVX2, rowflags, FL_NONE, OPS(RW(Vx), RD(vm), RW(Hx)), vgather)

const X86OpRow x86_op_rows_avx[] = {
    /* clang-format off */
    /* Moves, 0F 10..17 */
    V2("vmovups", VEX2(NONE, 0x10), 0),
    V2("vmovupd", VEX2(66, 0x10), 0),
    SIMD("vmovss", VEX2R(F3, 0x10), AVX, 0, WR(Vdq), RD(Hdq), RD(Wd)),
    SIMD("vmovss", VEX2M(F3, 0x10), AVX, NO_VVVV, WR(Vdq), RD(Wd)),
    SIMD("vmovsd", VEX2R(F2, 0x10), AVX, 0, WR(Vdq), RD(Hdq), RD(Wq)),
    SIMD("vmovsd", VEX2M(F2, 0x10), AVX, NO_VVVV, WR(Vdq), RD(Wq)),
    SIMD("vmovups", VEX2(NONE, 0x11), AVX, NO_VVVV, WR(Wx), RD(Vx)),
    SIMD("vmovupd", VEX2(66, 0x11), AVX, NO_VVVV, WR(Wx), RD(Vx)),
    SIMD("vmovss", VEX2R(F3, 0x11), AVX, 0, WR(Wdq), RD(Hdq), RD(Vd)),
    SIMD("vmovss", VEX2M(F3, 0x11), AVX, NO_VVVV, WR(Wd), RD(Vd)),
    SIMD("vmovsd", VEX2R(F2, 0x11), AVX, 0, WR(Wdq), RD(Hdq), RD(Vq)),
    SIMD("vmovsd", VEX2M(F2, 0x11), AVX, NO_VVVV, WR(Wq), RD(Vq)),
    SIMD("vmovhlps", VEX2R(NONE, 0x12), AVX, L0, WR(Vdq), RD(Hdq), RD(Wdq)),
    SIMD("vmovlps", VEX2M(NONE, 0x12), AVX, L0, WR(Vdq), RD(Hdq), RD(Mq)),
    SIMD("vmovlpd", VEX2M(66, 0x12), AVX, L0, WR(Vdq), RD(Hdq), RD(Mq)),
    V2("vmovsldup", VEX2(F3, 0x12), 0),
    SIMD("vmovddup", VEX2(F2, 0x12), AVX, L0 | NO_VVVV, WR(Vdq), RD(Wq)),
    SIMD("vmovddup", VEX2(F2, 0x12), AVX, L1 | NO_VVVV, WR(Vqq), RD(Wx)),
    SIMD("vmovlps", VEX2M(NONE, 0x13), AVX, L0 | NO_VVVV, WR(Mq), RD(Vq)),
    SIMD("vmovlpd", VEX2M(66, 0x13), AVX, L0 | NO_VVVV, WR(Mq), RD(Vq)),
    LOGIC_PS_PD("vunpckl", 0x14),
    LOGIC_PS_PD("vunpckh", 0x15),
    SIMD("vmovlhps", VEX2R(NONE, 0x16), AVX, L0, WR(Vdq), RD(Hdq), RD(Wq)),
    SIMD("vmovhps", VEX2M(NONE, 0x16), AVX, L0, WR(Vdq), RD(Hdq), RD(Mq)),
    SIMD("vmovhpd", VEX2M(66, 0x16), AVX, L0, WR(Vdq), RD(Hdq), RD(Mq)),
    V2("vmovshdup", VEX2(F3, 0x16), 0),
    SIMD("vmovhps", VEX2M(NONE, 0x17), AVX, L0 | NO_VVVV, WR(Mq), RD(Vdq)),
    SIMD("vmovhpd", VEX2M(66, 0x17), AVX, L0 | NO_VVVV, WR(Mq), RD(Vdq)),

    /* 0F 28..2F */
    V2("vmovaps", VEX2(NONE, 0x28), ALIGN),
    V2("vmovapd", VEX2(66, 0x28), ALIGN),
    SIMD("vmovaps", VEX2(NONE, 0x29), AVX, NO_VVVV | ALIGN, WR(Wx), RD(Vx)),
    SIMD("vmovapd", VEX2(66, 0x29), AVX, NO_VVVV | ALIGN, WR(Wx), RD(Vx)),
    SCALAR("vcvtsi2ss", F3, 0x2a, FP_EXC, Ey),
    SCALAR("vcvtsi2sd", F2, 0x2a, FP_EXC, Ey),
    SIMD("vmovntps", VEX2M(NONE, 0x2b), AVX, NO_VVVV | ALIGN, WR(Mx), RD(Vx)),
    SIMD("vmovntpd", VEX2M(66, 0x2b), AVX, NO_VVVV | ALIGN, WR(Mx), RD(Vx)),
    SIMD("vcvttss2si", VEX2(F3, 0x2c), AVX, NO_VVVV | FP_EXC, WR(Gy), RD(Wd)),
    SIMD("vcvttsd2si", VEX2(F2, 0x2c), AVX, NO_VVVV | FP_EXC, WR(Gy), RD(Wq)),
    SIMD("vcvtss2si", VEX2(F3, 0x2d), AVX, NO_VVVV | FP_EXC, WR(Gy), RD(Wd)),
    SIMD("vcvtsd2si", VEX2(F2, 0x2d), AVX, NO_VVVV | FP_EXC, WR(Gy), RD(Wq)),
    SIMD_FL("vucomiss", VEX2(NONE, 0x2e), AVX, NO_VVVV | FP_EXC, RD(Vd), RD(Wd)),
    SIMD_FL("vucomisd", VEX2(66, 0x2e), AVX, NO_VVVV | FP_EXC, RD(Vq), RD(Wq)),
    SIMD_FL("vcomiss", VEX2(NONE, 0x2f), AVX, NO_VVVV | FP_EXC, RD(Vd), RD(Wd)),
    SIMD_FL("vcomisd", VEX2(66, 0x2f), AVX, NO_VVVV | FP_EXC, RD(Vq), RD(Wq)),

    /* 0F 50..5F */
    SIMD("vmovmskps", VEX2R(NONE, 0x50), AVX, NO_VVVV, WR(Gd), RD(Wx)),
    SIMD("vmovmskpd", VEX2R(66, 0x50), AVX, NO_VVVV, WR(Gd), RD(Wx)),
    V2("vsqrtps", VEX2(NONE, 0x51), FP_EXC),
    V2("vsqrtpd", VEX2(66, 0x51), FP_EXC),
    SCALAR("vsqrtss", F3, 0x51, FP_EXC, Wd),
    SCALAR("vsqrtsd", F2, 0x51, FP_EXC, Wq),
    APPROX("vrsqrt", 0x52),
    APPROX("vrcp", 0x53),
    LOGIC_PS_PD("vand", 0x54),
    LOGIC_PS_PD("vandn", 0x55),
    LOGIC_PS_PD("vor", 0x56),
    LOGIC_PS_PD("vxor", 0x57),
    FP_ARITH("vadd", 0x58),
    FP_ARITH("vmul", 0x59),
    SIMD("vcvtps2pd", VEX2(NONE, 0x5a), AVX, NO_VVVV | FP_EXC, WR(Vx), RD(Wh)),
    SIMD("vcvtpd2ps", VEX2(66, 0x5a), AVX, NO_VVVV | FP_EXC, WR(Vh), RD(Wx)),
    SCALAR("vcvtss2sd", F3, 0x5a, FP_EXC, Wd),
    SCALAR("vcvtsd2ss", F2, 0x5a, FP_EXC, Wq),
    V2("vcvtdq2ps", VEX2(NONE, 0x5b), FP_EXC),
    V2("vcvtps2dq", VEX2(66, 0x5b), FP_EXC),
    V2("vcvttps2dq", VEX2(F3, 0x5b), FP_EXC),
    FP_ARITH("vsub", 0x5c),
    FP_ARITH("vmin", 0x5d),
    FP_ARITH("vdiv", 0x5e),
    FP_ARITH("vmax", 0x5f),

    /* Integer, 0F 60..7F */
    I3("vpunpcklbw", VEX2(66, 0x60)),
    I3("vpunpcklwd", VEX2(66, 0x61)),
    I3("vpunpckldq", VEX2(66, 0x62)),
    I3("vpacksswb", VEX2(66, 0x63)),
    I3("vpcmpgtb", VEX2(66, 0x64)),
    I3("vpcmpgtw", VEX2(66, 0x65)),
    I3("vpcmpgtd", VEX2(66, 0x66)),
    I3("vpackuswb", VEX2(66, 0x67)),
    I3("vpunpckhbw", VEX2(66, 0x68)),
    I3("vpunpckhwd", VEX2(66, 0x69)),
    I3("vpunpckhdq", VEX2(66, 0x6a)),
    I3("vpackssdw", VEX2(66, 0x6b)),
    I3("vpunpcklqdq", VEX2(66, 0x6c)),
    I3("vpunpckhqdq", VEX2(66, 0x6d)),
    SIMD("vmovd", VEX2(66, 0x6e), AVX, L0 | NO_VVVV, WR(Vdq), RD(Ey)),
    V2("vmovdqa", VEX2(66, 0x6f), ALIGN),
    V2("vmovdqu", VEX2(F3, 0x6f), 0),
    I2I("vpshufd", VEX2(66, 0x70)),
    I2I("vpshufhw", VEX2(F3, 0x70)),
    I2I("vpshuflw", VEX2(F2, 0x70)),
    SHIFT_IMM("vpsrlw", 0x71, 2), SHIFT_IMM("vpsraw", 0x71, 4), SHIFT_IMM("vpsllw", 0x71, 6),
    SHIFT_IMM("vpsrld", 0x72, 2), SHIFT_IMM("vpsrad", 0x72, 4), SHIFT_IMM("vpslld", 0x72, 6),
    SHIFT_IMM("vpsrlq", 0x73, 2), SHIFT_IMM("vpsrldq", 0x73, 3),
    SHIFT_IMM("vpsllq", 0x73, 6), SHIFT_IMM("vpslldq", 0x73, 7),
    I3("vpcmpeqb", VEX2(66, 0x74)),
    I3("vpcmpeqw", VEX2(66, 0x75)),
    I3("vpcmpeqd", VEX2(66, 0x76)),
    ROW("vzeroupper", VEX2(NONE, 0x77), VEC, AVX, L0 | NO_VVVV, FL_NONE, OPS_NONE, vzero),
    ROW("vzeroall", VEX2(NONE, 0x77), VEC, AVX, L1 | NO_VVVV, FL_NONE, OPS_NONE, vzero),
    V3("vhaddpd", VEX2(66, 0x7c), FP_EXC),
    V3("vhaddps", VEX2(F2, 0x7c), FP_EXC),
    V3("vhsubpd", VEX2(66, 0x7d), FP_EXC),
    V3("vhsubps", VEX2(F2, 0x7d), FP_EXC),
    SIMD("vmovd", VEX2(66, 0x7e), AVX, L0 | NO_VVVV, WR(Ey), RD(Vq)),
    SIMD("vmovq", VEX2(F3, 0x7e), AVX, L0 | NO_VVVV, WR(Vdq), RD(Wq)),
    SIMD("vmovdqa", VEX2(66, 0x7f), AVX, NO_VVVV | ALIGN, WR(Wx), RD(Vx)),
    SIMD("vmovdqu", VEX2(F3, 0x7f), AVX, NO_VVVV, WR(Wx), RD(Vx)),

    /* 0F AE..E7 */
    ROW("vldmxcsr", VEX2DM(NONE, 0xae, 2), SYSTEM, AVX, L0 | NO_VVVV, FL_NONE, OPS(RD(Md)), ldmxcsr),
    ROW("vstmxcsr", VEX2DM(NONE, 0xae, 3), SYSTEM, AVX, L0 | NO_VVVV, FL_NONE, OPS(WR(Md)), stmxcsr),
    V3I("vcmpps", VEX2(NONE, 0xc2), FP_EXC),
    V3I("vcmppd", VEX2(66, 0xc2), FP_EXC),
    SIMD("vcmpss", VEX2(F3, 0xc2), AVX, FP_EXC, WR(Vdq), RD(Hdq), RD(Wd), RD(Ib)),
    SIMD("vcmpsd", VEX2(F2, 0xc2), AVX, FP_EXC, WR(Vdq), RD(Hdq), RD(Wq), RD(Ib)),
    SIMD("vpinsrw", VEX2R(66, 0xc4), AVX, L0, WR(Vdq), RD(Hdq), RD(Rd), RD(Ib)),
    SIMD("vpinsrw", VEX2M(66, 0xc4), AVX, L0, WR(Vdq), RD(Hdq), RD(Mw), RD(Ib)),
    SIMD("vpextrw", VEX2R(66, 0xc5), AVX, L0 | NO_VVVV, WR(Gd), RD(Wdq), RD(Ib)),
    V3I("vshufps", VEX2(NONE, 0xc6), 0),
    V3I("vshufpd", VEX2(66, 0xc6), 0),
    V3("vaddsubpd", VEX2(66, 0xd0), FP_EXC),
    V3("vaddsubps", VEX2(F2, 0xd0), FP_EXC),
    SHIFT("vpsrlw", 0xd1), SHIFT("vpsrld", 0xd2), SHIFT("vpsrlq", 0xd3),
    I3("vpaddq", VEX2(66, 0xd4)),
    I3("vpmullw", VEX2(66, 0xd5)),
    SIMD("vmovq", VEX2(66, 0xd6), AVX, L0 | NO_VVVV, WR(Wq), RD(Vq)),
    SIMD("vpmovmskb", VEX2R(66, 0xd7), AVX, L0 | NO_VVVV, WR(Gd), RD(Wdq)),
    SIMD("vpmovmskb", VEX2R(66, 0xd7), AVX2, L1 | NO_VVVV, WR(Gd), RD(Wx)),
    I3("vpsubusb", VEX2(66, 0xd8)),
    I3("vpsubusw", VEX2(66, 0xd9)),
    I3("vpminub", VEX2(66, 0xda)),
    I3("vpand", VEX2(66, 0xdb)),
    I3("vpaddusb", VEX2(66, 0xdc)),
    I3("vpaddusw", VEX2(66, 0xdd)),
    I3("vpmaxub", VEX2(66, 0xde)),
    I3("vpandn", VEX2(66, 0xdf)),
    I3("vpavgb", VEX2(66, 0xe0)),
    SHIFT("vpsraw", 0xe1), SHIFT("vpsrad", 0xe2),
    I3("vpavgw", VEX2(66, 0xe3)),
    I3("vpmulhuw", VEX2(66, 0xe4)),
    I3("vpmulhw", VEX2(66, 0xe5)),
    SIMD("vcvttpd2dq", VEX2(66, 0xe6), AVX, NO_VVVV | FP_EXC, WR(Vh), RD(Wx)),
    SIMD("vcvtdq2pd", VEX2(F3, 0xe6), AVX, NO_VVVV, WR(Vx), RD(Wh)),
    SIMD("vcvtpd2dq", VEX2(F2, 0xe6), AVX, NO_VVVV | FP_EXC, WR(Vh), RD(Wx)),
    SIMD("vmovntdq", VEX2M(66, 0xe7), AVX, NO_VVVV | ALIGN, WR(Mx), RD(Vx)),
    I3("vpsubsb", VEX2(66, 0xe8)),
    I3("vpsubsw", VEX2(66, 0xe9)),
    I3("vpminsw", VEX2(66, 0xea)),
    I3("vpor", VEX2(66, 0xeb)),
    I3("vpaddsb", VEX2(66, 0xec)),
    I3("vpaddsw", VEX2(66, 0xed)),
    I3("vpmaxsw", VEX2(66, 0xee)),
    I3("vpxor", VEX2(66, 0xef)),
    SIMD("vlddqu", VEX2M(F2, 0xf0), AVX, NO_VVVV, WR(Vx), RD(Mx)),
    SHIFT("vpsllw", 0xf1), SHIFT("vpslld", 0xf2), SHIFT("vpsllq", 0xf3),
    I3("vpmuludq", VEX2(66, 0xf4)),
    I3("vpmaddwd", VEX2(66, 0xf5)),
    I3("vpsadbw", VEX2(66, 0xf6)),
    ROW("vmaskmovdqu", VEX2R(66, 0xf7), SYSTEM, AVX, L0 | NO_VVVV, FL_NONE, OPS(WR(Kdq), RD(Vdq), RD(Wdq)), maskmovdqu),
    I3("vpsubb", VEX2(66, 0xf8)),
    I3("vpsubw", VEX2(66, 0xf9)),
    I3("vpsubd", VEX2(66, 0xfa)),
    I3("vpsubq", VEX2(66, 0xfb)),
    I3("vpaddb", VEX2(66, 0xfc)),
    I3("vpaddw", VEX2(66, 0xfd)),
    I3("vpaddd", VEX2(66, 0xfe)),

    /* 0F 38 */
    I3("vpshufb", VEX38(66, 0x00)),
    I3("vphaddw", VEX38(66, 0x01)),
    I3("vphaddd", VEX38(66, 0x02)),
    I3("vphaddsw", VEX38(66, 0x03)),
    I3("vpmaddubsw", VEX38(66, 0x04)),
    I3("vphsubw", VEX38(66, 0x05)),
    I3("vphsubd", VEX38(66, 0x06)),
    I3("vphsubsw", VEX38(66, 0x07)),
    I3("vpsignb", VEX38(66, 0x08)),
    I3("vpsignw", VEX38(66, 0x09)),
    I3("vpsignd", VEX38(66, 0x0a)),
    I3("vpmulhrsw", VEX38(66, 0x0b)),
    V3("vpermilps", VEX38(66, 0x0c), W0),
    V3("vpermilpd", VEX38(66, 0x0d), W0),
    SIMD_FL("vtestps", VEX38(66, 0x0e), AVX, W0 | NO_VVVV, RD(Vx), RD(Wx)),
    SIMD_FL("vtestpd", VEX38(66, 0x0f), AVX, W0 | NO_VVVV, RD(Vx), RD(Wx)),
    SIMD("vcvtph2ps", VEX38(66, 0x13), F16C, W0 | NO_VVVV | FP_EXC, WR(Vx), RD(Wh)),
    SIMD("vpermps", VEX38(66, 0x16), AVX2, L1 | W0, WR(Vqq), RD(Hqq), RD(Wx)),
    SIMD_FL("vptest", VEX38(66, 0x17), AVX, NO_VVVV, RD(Vx), RD(Wx)),
    SIMD("vbroadcastss", VEX38M(66, 0x18), AVX, W0 | NO_VVVV, WR(Vx), RD(Md)),
    SIMD("vbroadcastss", VEX38R(66, 0x18), AVX2, W0 | NO_VVVV, WR(Vx), RD(Wd)),
    SIMD("vbroadcastsd", VEX38M(66, 0x19), AVX, L1 | W0 | NO_VVVV, WR(Vqq), RD(Mq)),
    SIMD("vbroadcastsd", VEX38R(66, 0x19), AVX2, L1 | W0 | NO_VVVV, WR(Vqq), RD(Wq)),
    SIMD("vbroadcastf128", VEX38M(66, 0x1a), AVX, L1 | W0 | NO_VVVV, WR(Vqq), RD(Mdq)),
    I2("vpabsb", VEX38(66, 0x1c)),
    I2("vpabsw", VEX38(66, 0x1d)),
    I2("vpabsd", VEX38(66, 0x1e)),
    PMOVX("vpmovsxbw", 0x20, Wh), PMOVX("vpmovsxbd", 0x21, Wf), PMOVX("vpmovsxbq", 0x22, We),
    PMOVX("vpmovsxwd", 0x23, Wh), PMOVX("vpmovsxwq", 0x24, Wf), PMOVX("vpmovsxdq", 0x25, Wh),
    I3("vpmuldq", VEX38(66, 0x28)),
    I3("vpcmpeqq", VEX38(66, 0x29)),
    SIMD("vmovntdqa", VEX38M(66, 0x2a), AVX, L0 | NO_VVVV | ALIGN, WR(Vdq), RD(Mdq)),
    SIMD("vmovntdqa", VEX38M(66, 0x2a), AVX2, L1 | NO_VVVV | ALIGN, WR(Vqq), RD(Mqq)),
    I3("vpackusdw", VEX38(66, 0x2b)),
    MASK_LOAD("vmaskmovps", 0x2c, AVX, W0), MASK_LOAD("vmaskmovpd", 0x2d, AVX, W0),
    MASK_STORE("vmaskmovps", 0x2e, AVX, W0), MASK_STORE("vmaskmovpd", 0x2f, AVX, W0),
    PMOVX("vpmovzxbw", 0x30, Wh), PMOVX("vpmovzxbd", 0x31, Wf), PMOVX("vpmovzxbq", 0x32, We),
    PMOVX("vpmovzxwd", 0x33, Wh), PMOVX("vpmovzxwq", 0x34, Wf), PMOVX("vpmovzxdq", 0x35, Wh),
    SIMD("vpermd", VEX38(66, 0x36), AVX2, L1 | W0, WR(Vqq), RD(Hqq), RD(Wx)),
    I3("vpcmpgtq", VEX38(66, 0x37)),
    I3("vpminsb", VEX38(66, 0x38)), I3("vpminsd", VEX38(66, 0x39)),
    I3("vpminuw", VEX38(66, 0x3a)), I3("vpminud", VEX38(66, 0x3b)),
    I3("vpmaxsb", VEX38(66, 0x3c)), I3("vpmaxsd", VEX38(66, 0x3d)),
    I3("vpmaxuw", VEX38(66, 0x3e)), I3("vpmaxud", VEX38(66, 0x3f)),
    I3("vpmulld", VEX38(66, 0x40)),
    SIMD("vphminposuw", VEX38(66, 0x41), AVX, L0 | NO_VVVV, WR(Vdq), RD(Wdq)),
    SIMD("vpsrlvd", VEX38(66, 0x45), AVX2, W0, WR(Vx), RD(Hx), RD(Wx)),
    SIMD("vpsrlvq", VEX38(66, 0x45), AVX2, W1, WR(Vx), RD(Hx), RD(Wx)),
    SIMD("vpsravd", VEX38(66, 0x46), AVX2, W0, WR(Vx), RD(Hx), RD(Wx)),
    SIMD("vpsllvd", VEX38(66, 0x47), AVX2, W0, WR(Vx), RD(Hx), RD(Wx)),
    SIMD("vpsllvq", VEX38(66, 0x47), AVX2, W1, WR(Vx), RD(Hx), RD(Wx)),
    SIMD("vpbroadcastd", VEX38(66, 0x58), AVX2, W0 | NO_VVVV, WR(Vx), RD(Wd)),
    SIMD("vpbroadcastq", VEX38(66, 0x59), AVX2, W0 | NO_VVVV, WR(Vx), RD(Wq)),
    SIMD("vbroadcasti128", VEX38M(66, 0x5a), AVX2, L1 | W0 | NO_VVVV, WR(Vqq), RD(Mdq)),
    SIMD("vpbroadcastb", VEX38(66, 0x78), AVX2, W0 | NO_VVVV, WR(Vx), RD(Wb)),
    SIMD("vpbroadcastw", VEX38(66, 0x79), AVX2, W0 | NO_VVVV, WR(Vx), RD(Ww)),
    MASK_LOAD("vpmaskmovd", 0x8c, AVX2, W0), MASK_LOAD("vpmaskmovq", 0x8c, AVX2, W1),
    MASK_STORE("vpmaskmovd", 0x8e, AVX2, W0), MASK_STORE("vpmaskmovq", 0x8e, AVX2, W1),
    GATHER("vpgatherdd", 0x90, W0, VMd), GATHER("vpgatherdq", 0x90, W1, VMq),
    GATHER("vpgatherqd", 0x91, W0, VMd), GATHER("vpgatherqq", 0x91, W1, VMq),
    GATHER("vgatherdps", 0x92, W0, VMd), GATHER("vgatherdpd", 0x92, W1, VMq),
    GATHER("vgatherqps", 0x93, W0, VMd), GATHER("vgatherqpd", 0x93, W1, VMq),
    FMA_PACKED_3("vfmaddsub", 0x6),
    FMA_PACKED_3("vfmsubadd", 0x7),
    FMA_PACKED_3("vfmadd", 0x8), FMA_SCALAR_3("vfmadd", 0x9),
    FMA_PACKED_3("vfmsub", 0xa), FMA_SCALAR_3("vfmsub", 0xb),
    FMA_PACKED_3("vfnmadd", 0xc), FMA_SCALAR_3("vfnmadd", 0xd),
    FMA_PACKED_3("vfnmsub", 0xe), FMA_SCALAR_3("vfnmsub", 0xf),
    SIMD("vgf2p8mulb", VEX38(66, 0xcf), GFNI, W0, WR(Vx), RD(Hx), RD(Wx)),
    SIMD("vaesimc", VEX38(66, 0xdb), AES, L0 | NO_VVVV, WR(Vdq), RD(Wdq)),
    SIMD("vaesenc", VEX38(66, 0xdc), AES, L0, WR(Vdq), RD(Hdq), RD(Wdq)),
    SIMD("vaesenc", VEX38(66, 0xdc), VAES, L1, WR(Vqq), RD(Hqq), RD(Wx)),
    SIMD("vaesenclast", VEX38(66, 0xdd), AES, L0, WR(Vdq), RD(Hdq), RD(Wdq)),
    SIMD("vaesenclast", VEX38(66, 0xdd), VAES, L1, WR(Vqq), RD(Hqq), RD(Wx)),
    SIMD("vaesdec", VEX38(66, 0xde), AES, L0, WR(Vdq), RD(Hdq), RD(Wdq)),
    SIMD("vaesdec", VEX38(66, 0xde), VAES, L1, WR(Vqq), RD(Hqq), RD(Wx)),
    SIMD("vaesdeclast", VEX38(66, 0xdf), AES, L0, WR(Vdq), RD(Hdq), RD(Wdq)),
    SIMD("vaesdeclast", VEX38(66, 0xdf), VAES, L1, WR(Vqq), RD(Hqq), RD(Wx)),

    /* 0F 3A */
    SIMD("vpermq", VEX3A(66, 0x00), AVX2, L1 | NO_VVVV, WR(Vqq), RD(Wx), RD(Ib)),
    SIMD("vpermpd", VEX3A(66, 0x01), AVX2, L1 | NO_VVVV, WR(Vqq), RD(Wx), RD(Ib)),
    SIMD("vpblendd", VEX3A(66, 0x02), AVX2, W0, WR(Vx), RD(Hx), RD(Wx), RD(Ib)),
    SIMD("vpermilps", VEX3A(66, 0x04), AVX, W0 | NO_VVVV, WR(Vx), RD(Wx), RD(Ib)),
    SIMD("vpermilpd", VEX3A(66, 0x05), AVX, W0 | NO_VVVV, WR(Vx), RD(Wx), RD(Ib)),
    SIMD("vperm2f128", VEX3A(66, 0x06), AVX, L1 | W0, WR(Vqq), RD(Hqq), RD(Wx), RD(Ib)),
    SIMD("vroundps", VEX3A(66, 0x08), AVX, NO_VVVV | FP_EXC, WR(Vx), RD(Wx), RD(Ib)),
    SIMD("vroundpd", VEX3A(66, 0x09), AVX, NO_VVVV | FP_EXC, WR(Vx), RD(Wx), RD(Ib)),
    SIMD("vroundss", VEX3A(66, 0x0a), AVX, FP_EXC, WR(Vdq), RD(Hdq), RD(Wd), RD(Ib)),
    SIMD("vroundsd", VEX3A(66, 0x0b), AVX, FP_EXC, WR(Vdq), RD(Hdq), RD(Wq), RD(Ib)),
    V3I("vblendps", VEX3A(66, 0x0c), 0),
    V3I("vblendpd", VEX3A(66, 0x0d), 0),
    I3I("vpblendw", VEX3A(66, 0x0e)),
    I3I("vpalignr", VEX3A(66, 0x0f)),
    SIMD("vpextrb", VEX3AR(66, 0x14), AVX, L0 | NO_VVVV, WR(Rd), RD(Vdq), RD(Ib)),
    SIMD("vpextrb", VEX3AM(66, 0x14), AVX, L0 | NO_VVVV, WR(Mb), RD(Vdq), RD(Ib)),
    SIMD("vpextrw", VEX3AR(66, 0x15), AVX, L0 | NO_VVVV, WR(Rd), RD(Vdq), RD(Ib)),
    SIMD("vpextrw", VEX3AM(66, 0x15), AVX, L0 | NO_VVVV, WR(Mw), RD(Vdq), RD(Ib)),
    ROW("vpextrd", VEX3A(66, 0x16), VEC, AVX, L0 | NO_VVVV, FL_NONE, OPS(WR(Ey), RD(Vdq), RD(Ib)), simd_w0),
    SIMD("vextractps", VEX3A(66, 0x17), AVX, L0 | NO_VVVV, WR(Ed), RD(Vdq), RD(Ib)),
    SIMD("vinsertf128", VEX3A(66, 0x18), AVX, L1 | W0, WR(Vqq), RD(Hqq), RD(Wdq), RD(Ib)),
    SIMD("vextractf128", VEX3A(66, 0x19), AVX, L1 | W0 | NO_VVVV, WR(Wdq), RD(Vqq), RD(Ib)),
    SIMD("vcvtps2ph", VEX3A(66, 0x1d), F16C, W0 | NO_VVVV | FP_EXC, WR(Wh), RD(Vx), RD(Ib)),
    SIMD("vpinsrb", VEX3AR(66, 0x20), AVX, L0, WR(Vdq), RD(Hdq), RD(Rd), RD(Ib)),
    SIMD("vpinsrb", VEX3AM(66, 0x20), AVX, L0, WR(Vdq), RD(Hdq), RD(Mb), RD(Ib)),
    SIMD("vinsertps", VEX3A(66, 0x21), AVX, L0, WR(Vdq), RD(Hdq), RD(Wd), RD(Ib)),
    ROW("vpinsrd", VEX3A(66, 0x22), VEC, AVX, L0, FL_NONE, OPS(WR(Vdq), RD(Hdq), RD(Ey), RD(Ib)), simd_w0),
    SIMD("vinserti128", VEX3A(66, 0x38), AVX2, L1 | W0, WR(Vqq), RD(Hqq), RD(Wdq), RD(Ib)),
    SIMD("vextracti128", VEX3A(66, 0x39), AVX2, L1 | W0 | NO_VVVV, WR(Wdq), RD(Vqq), RD(Ib)),
    V3I("vdpps", VEX3A(66, 0x40), FP_EXC),
    SIMD("vdppd", VEX3A(66, 0x41), AVX, L0 | FP_EXC, WR(Vdq), RD(Hdq), RD(Wdq), RD(Ib)),
    I3I("vmpsadbw", VEX3A(66, 0x42)),
    SIMD("vpclmulqdq", VEX3A(66, 0x44), PCLMULQDQ, L0, WR(Vdq), RD(Hdq), RD(Wdq), RD(Ib)),
    SIMD("vpclmulqdq", VEX3A(66, 0x44), VPCLMULQDQ, L1, WR(Vqq), RD(Hqq), RD(Wx), RD(Ib)),
    SIMD("vperm2i128", VEX3A(66, 0x46), AVX2, L1 | W0, WR(Vqq), RD(Hqq), RD(Wx), RD(Ib)),
    SIMD("vblendvps", VEX3A(66, 0x4a), AVX, W0, WR(Vx), RD(Hx), RD(Wx), RD(Lx)),
    SIMD("vblendvpd", VEX3A(66, 0x4b), AVX, W0, WR(Vx), RD(Hx), RD(Wx), RD(Lx)),
    SIMD("vpblendvb", VEX3A(66, 0x4c), AVX, L0 | W0, WR(Vdq), RD(Hdq), RD(Wdq), RD(Lx)),
    SIMD("vpblendvb", VEX3A(66, 0x4c), AVX2, L1 | W0, WR(Vqq), RD(Hqq), RD(Wx), RD(Lx)),
    SIMD_FL("vpcmpestrm", VEX3A(66, 0x60), AVX, L0 | NO_VVVV, RD(Vdq), RD(Wdq), RD(Ib), RD(yAX), RD(yDX), WR(XMM0)),
    SIMD_FL("vpcmpestri", VEX3A(66, 0x61), AVX, L0 | NO_VVVV, RD(Vdq), RD(Wdq), RD(Ib), RD(yAX), RD(yDX), WR(ECX)),
    SIMD_FL("vpcmpistrm", VEX3A(66, 0x62), AVX, L0 | NO_VVVV, RD(Vdq), RD(Wdq), RD(Ib), WR(XMM0)),
    SIMD_FL("vpcmpistri", VEX3A(66, 0x63), AVX, L0 | NO_VVVV, RD(Vdq), RD(Wdq), RD(Ib), WR(ECX)),
    SIMD("vgf2p8affineqb", VEX3A(66, 0xce), GFNI, W1, WR(Vx), RD(Hx), RD(Wx), RD(Ib)),
    SIMD("vgf2p8affineinvqb", VEX3A(66, 0xcf), GFNI, W1, WR(Vx), RD(Hx), RD(Wx), RD(Ib)),
    SIMD("vaeskeygenassist", VEX3A(66, 0xdf), AES, L0 | NO_VVVV, WR(Vdq), RD(Wdq), RD(Ib)),
    /* clang-format on */
};
const size_t x86_op_count_avx = VIT_ARRAY_LEN(x86_op_rows_avx);
