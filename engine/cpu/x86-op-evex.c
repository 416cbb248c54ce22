/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Opcode rows of AVX-512: F, VL, BW, DQ, CD, IFMA, VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ, BF16, the
 * EVEX forms of GFNI, VAES and VPCLMULQDQ, and the instructions on mask registers (which are VEX).
 * Intel SDM volume 2, section 2.7 (EVEX, exception classes) and chapters 3 to 5.
 *
 * A row's element is the size of what a mask bit or a broadcast stands for in the ModRM.rm operand.
 * Shorter lengths than 512 bits need AVX512VL as well, unless the row has but one length; that is
 * looked at when the instruction runs. FP_EXC also marks rows that raise nothing but obey
 * MXCSR.DAZ.
 */

#include "x86-op-vec.h"

#define E2(pp, op)       KEY(EVEX, 0F, pp, op, -1, -1, 0)
#define E2M(pp, op)      KEY(EVEX, 0F, pp, op, -1, -1, 1)
#define E2R(pp, op)      KEY(EVEX, 0F, pp, op, -1, -1, 2)
#define E2D(pp, op, dig) KEY(EVEX, 0F, pp, op, dig, -1, 0)
#define E38(pp, op)      KEY(EVEX, 0F38, pp, op, -1, -1, 0)
#define E38M(pp, op)     KEY(EVEX, 0F38, pp, op, -1, -1, 1)
#define E38R(pp, op)     KEY(EVEX, 0F38, pp, op, -1, -1, 2)
#define E3A(pp, op)      KEY(EVEX, 0F3A, pp, op, -1, -1, 0)
#define E3AM(pp, op)     KEY(EVEX, 0F3A, pp, op, -1, -1, 1)
#define E3AR(pp, op)     KEY(EVEX, 0F3A, pp, op, -1, -1, 2)
#define K2(pp, op)       KEY(VEX, 0F, pp, op, -1, -1, 0)
#define K2M(pp, op)      KEY(VEX, 0F, pp, op, -1, -1, 1)
#define K2R(pp, op)      KEY(VEX, 0F, pp, op, -1, -1, 2)
#define K3AR(pp, op)     KEY(VEX, 0F3A, pp, op, -1, -1, 2)

#define MK   X86_ROW_MASKED
#define MZ   (X86_ROW_MASKED | X86_ROW_ZEROING)
#define BC   X86_ROW_BCAST
#define ER   (X86_ROW_ROUND | FP_EXC)
#define SAE  (X86_ROW_SAE | FP_EXC)
#define LIG  X86_ROW_LIG
#define L12  X86_ROW_LL12
#define L2   X86_ROW_LL2
#define NF   X86_ROW_WHOLE
#define PACK X86_ROW_PACKED
#define NV   NO_VVVV

#define Vf    OPERAND(VEC_REG, X86_SZ_VEC_QUARTER)
#define Hh    OPERAND(VEC_VVVV, X86_SZ_VEC_HALF)
#define Wqq   OPERAND(VEC_RM, 32)
#define Ux    OPERAND(VEC_RM, X86_SZ_VEC)
#define Mqq32 OPERAND(MODRM_M, 32)
#define K     OPERAND(KREG, 8)
#define Krm8  OPERAND(KRM, 8)
#define Kvv   OPERAND(KVVVV, 8)

/* One row; ELT is its element. */
#define EV(mn, key, feat, elt, rf, ...)                                                      \
    {                                                                                        \
        mn, X86_UNWRAP key, X86_CLASS_VEC, X86_FEATURE_##feat, rf, 0, 0, 0, { __VA_ARGS__ }, \
            X86_EXEC(evex), elt                                                              \
    }
#define EV_FL(mn, key, feat, elt, rf, ...)                                                \
    {                                                                                     \
        mn, X86_UNWRAP key, X86_CLASS_VEC, X86_FEATURE_##feat, rf, 0, X86_FLAGS_ARITH, 0, \
            { __VA_ARGS__ }, X86_EXEC(evex), elt                                          \
    }
#define EV_BY(mn, key, feat, elt, rf, fn, ...)                                               \
    {                                                                                        \
        mn, X86_UNWRAP key, X86_CLASS_VEC, X86_FEATURE_##feat, rf, 0, 0, 0, { __VA_ARGS__ }, \
            X86_EXEC(fn), elt                                                                \
    }

/* dest, source, source. Floating point: singles W0, doubles W1 with 66. */
#define PS_PD(mn, E, op, feat, rf)                                                  \
    EV(mn "ps", E(NONE, op), feat, 4, W0 | MZ | BC | (rf), WR(Vx), RD(Hx), RD(Wx)), \
        EV(mn "pd", E(66, op), feat, 8, W1 | MZ | BC | (rf), WR(Vx), RD(Hx), RD(Wx))
#define PS_PD2(mn, E, op, feat, rf)                                              \
    EV(mn "ps", E(NONE, op), feat, 4, W0 | MZ | BC | NV | (rf), WR(Vx), RD(Wx)), \
        EV(mn "pd", E(66, op), feat, 8, W1 | MZ | BC | NV | (rf), WR(Vx), RD(Wx))
#define SS_SD(mn, op, rf)                                                                \
    EV(mn "ss", E2(F3, op), AVX512F, 4, W0 | MZ | LIG | (rf), WR(Vdq), RD(Hdq), RD(Wd)), \
        EV(mn "sd", E2(F2, op), AVX512F, 8, W1 | MZ | LIG | (rf), WR(Vdq), RD(Hdq), RD(Wq))
#define FP4(mn, op, rf) PS_PD(mn, E2, op, AVX512F, rf), SS_SD(mn, op, rf)
/* Both with 66, W chooses: maps 38 and 3A. */
#define W_PAIR(a, b, E, op, feat, rf)                                       \
    EV(a, E(66, op), feat, 4, W0 | MZ | BC | (rf), WR(Vx), RD(Hx), RD(Wx)), \
        EV(b, E(66, op), feat, 8, W1 | MZ | BC | (rf), WR(Vx), RD(Hx), RD(Wx))
#define W_PAIR2(a, b, E, op, feat, rf)                                   \
    EV(a, E(66, op), feat, 4, W0 | MZ | BC | NV | (rf), WR(Vx), RD(Wx)), \
        EV(b, E(66, op), feat, 8, W1 | MZ | BC | NV | (rf), WR(Vx), RD(Wx))
#define W_PAIR_I(a, b, op, feat, rf)                                                  \
    EV(a, E3A(66, op), feat, 4, W0 | MZ | BC | (rf), WR(Vx), RD(Hx), RD(Wx), RD(Ib)), \
        EV(b, E3A(66, op), feat, 8, W1 | MZ | BC | (rf), WR(Vx), RD(Hx), RD(Wx), RD(Ib))
#define W_PAIR2_I(a, b, op, feat, rf)                                              \
    EV(a, E3A(66, op), feat, 4, W0 | MZ | BC | NV | (rf), WR(Vx), RD(Wx), RD(Ib)), \
        EV(b, E3A(66, op), feat, 8, W1 | MZ | BC | NV | (rf), WR(Vx), RD(Wx), RD(Ib))
#define S_PAIR(a, b, op, feat, rf)                                               \
    EV(a, E38(66, op), feat, 4, W0 | MZ | LIG | (rf), WR(Vdq), RD(Hdq), RD(Wd)), \
        EV(b, E38(66, op), feat, 8, W1 | MZ | LIG | (rf), WR(Vdq), RD(Hdq), RD(Wq))
#define S_PAIR_I(a, b, op, feat, rf)                                                     \
    EV(a, E3A(66, op), feat, 4, W0 | MZ | LIG | (rf), WR(Vdq), RD(Hdq), RD(Wd), RD(Ib)), \
        EV(b, E3A(66, op), feat, 8, W1 | MZ | LIG | (rf), WR(Vdq), RD(Hdq), RD(Wq), RD(Ib))
#define FMA(name, op)   W_PAIR(name "ps", name "pd", E38, op, AVX512F, ER)
#define FMA_S(name, op) S_PAIR(name "ss", name "sd", op, AVX512F, ER)
#define FMA_ALL(name, op) \
    FMA(name "132", 0x90 | (op)), FMA(name "213", 0xa0 | (op)), FMA(name "231", 0xb0 | (op))
#define FMA_S_ALL(name, op) \
    FMA_S(name "132", 0x90 | (op)), FMA_S(name "213", 0xa0 | (op)), FMA_S(name "231", 0xb0 | (op))
/* Integers with 66: bytes and words ignore W. */
#define BW3(mn, E, op, elt, rf) EV(mn, E(66, op), AVX512BW, elt, MZ | (rf), WR(Vx), RD(Hx), RD(Wx))
#define D3(mn, E, op, rf)       EV(mn, E(66, op), AVX512F, 4, W0 | MZ | BC | (rf), WR(Vx), RD(Hx), RD(Wx))
#define Q3(mn, E, op, rf)       EV(mn, E(66, op), AVX512F, 8, W1 | MZ | BC | (rf), WR(Vx), RD(Hx), RD(Wx))
#define W_PAIR_BW(a, b, E, op, feat_b, feat_w, rf)                       \
    EV(a, E(66, op), feat_b, 1, W0 | MZ | (rf), WR(Vx), RD(Hx), RD(Wx)), \
        EV(b, E(66, op), feat_w, 2, W1 | MZ | (rf), WR(Vx), RD(Hx), RD(Wx))
/* Comparisons into a mask register. */
#define KBW(mn, E, op, elt) EV(mn, E(66, op), AVX512BW, elt, MK, WR(K), RD(Hx), RD(Wx))
#define KD(mn, E, op)       EV(mn, E(66, op), AVX512F, 4, W0 | MK | BC, WR(K), RD(Hx), RD(Wx))
#define KQ(mn, E, op)       EV(mn, E(66, op), AVX512F, 8, W1 | MK | BC, WR(K), RD(Hx), RD(Wx))
#define KTEST(pp, op, b, w, feat, elt_b, elt_w, rf)                         \
    EV(b, E38(pp, op), feat, elt_b, W0 | MK | (rf), WR(K), RD(Hx), RD(Wx)), \
        EV(w, E38(pp, op), feat, elt_w, W1 | MK | (rf), WR(K), RD(Hx), RD(Wx))
#define KCMP_I(a, b, op, feat, elt_a, elt_b, rf)                                    \
    EV(a, E3A(66, op), feat, elt_a, W0 | MK | (rf), WR(K), RD(Hx), RD(Wx), RD(Ib)), \
        EV(b, E3A(66, op), feat, elt_b, W1 | MK | (rf), WR(K), RD(Hx), RD(Wx), RD(Ib))
/* Shifts by the low quadword of an XMM register; by an immediate into VEX.vvvv. */
#define SHIFT_X(mn, op, feat, elt, rf) \
    EV(mn, E2(66, op), feat, elt, MZ | NF | (rf), WR(Vx), RD(Hx), RD(Wdq))
#define SHIFT_I(mn, op, dig, feat, elt, rf) \
    EV(mn, E2D(66, op, dig), feat, elt, MZ | (rf), WR(Hx), RD(Wx), RD(Ib))
#define MOVE_PAIR(mn, pp, load, w, feat, elt, rf)                        \
    EV(mn, E2(pp, load), feat, elt, w | MZ | NV | (rf), WR(Vx), RD(Wx)), \
        EV(mn, E2(pp, (load) | 0x10), feat, elt, w | MZ | NV | (rf), WR(Wx), RD(Vx))
#define MOVE_FP(mn, pp, load, w, elt, rf)                                   \
    EV(mn, E2(pp, load), AVX512F, elt, w | MZ | NV | (rf), WR(Vx), RD(Wx)), \
        EV(mn, E2(pp, (load) + 1), AVX512F, elt, w | MZ | NV | (rf), WR(Wx), RD(Vx))
#define PMOVX(mn, op, src, feat, elt, rf) \
    EV(mn, E38(66, op), feat, elt, MZ | NV | (rf), WR(Vx), RD(src))
/* Truncations: the destination is the smaller one. */
#define PMOV(mn, op, part, feat, elt) \
    EV(mn, E38(F3, op), feat, elt, W0 | MZ | NV, WR(OPERAND(VEC_RM, X86_SZ_VEC_##part)), RD(Vx))
#define PMOV3(a, us, s, op, part, feat, elt)              \
    PMOV("vpmov" a, 0x30 | (op), part, feat, elt),        \
        PMOV("vpmovus" us, 0x10 | (op), part, feat, elt), \
        PMOV("vpmovs" s, 0x20 | (op), part, feat, elt)
#define GATHER(mn, op, w, vm, elt) \
    EV_BY(mn, E38M(66, op), AVX512F, elt, w | MK | X86_ROW_MASK_REQ, evex_gather, WR(Vx), RD(vm))
#define SCATTER(mn, op, w, vm, elt) \
    EV_BY(mn, E38M(66, op), AVX512F, elt, w | MK | X86_ROW_MASK_REQ, evex_scatter, WR(vm), RD(Vx))
/* Mask registers. */
#define KOP(mn, key, feat, rf, ...) ROW(mn, key, VEC, feat, rf, FL_NONE, OPS(__VA_ARGS__), kop)
#define KOP3(mn, op, fb, fw)                                                   \
    KOP(mn "b", K2R(66, op), fb, L1 | W0, WR(K), RD(Kvv), RD(Krm8)),           \
        KOP(mn "w", K2R(NONE, op), fw, L1 | W0, WR(K), RD(Kvv), RD(Krm8)),     \
        KOP(mn "d", K2R(66, op), AVX512BW, L1 | W1, WR(K), RD(Kvv), RD(Krm8)), \
        KOP(mn "q", K2R(NONE, op), AVX512BW, L1 | W1, WR(K), RD(Kvv), RD(Krm8))
#define KTST(mn, op, fw)                                                                        \
    ROW(mn "b", K2R(66, op), VEC, AVX512DQ, L0 | W0 | NV, FL_ARITH, OPS(RD(K), RD(Krm8)), kop), \
        ROW(mn "w", K2R(NONE, op), VEC, fw, L0 | W0 | NV, FL_ARITH, OPS(RD(K), RD(Krm8)), kop), \
        ROW(mn "d", K2R(66, op), VEC, AVX512BW, L0 | W1 | NV, FL_ARITH, OPS(RD(K), RD(Krm8)),   \
            kop),                                                                               \
        ROW(mn "q", K2R(NONE, op), VEC, AVX512BW, L0 | W1 | NV, FL_ARITH, OPS(RD(K), RD(Krm8)), \
            kop)
#define KSHIFT(mn, op, a, b, fa, fb)                                    \
    KOP(mn a, K3AR(66, op), fa, L0 | W0 | NV, WR(K), RD(Krm8), RD(Ib)), \
        KOP(mn b, K3AR(66, op), fb, L0 | W1 | NV, WR(K), RD(Krm8), RD(Ib))
#define KMOV(mn, pp, w, feat, sz)                                                   \
    KOP(mn, K2R(pp, 0x90), feat, L0 | w | NV, WR(K), RD(Krm8)),                     \
        KOP(mn, K2M(pp, 0x90), feat, L0 | w | NV, WR(K), RD(OPERAND(MODRM_M, sz))), \
        KOP(mn, K2M(pp, 0x91), feat, L0 | w | NV, WR(OPERAND(MODRM_M, sz)), RD(K))
#define KMOV_R(mn, pp, w, feat, r)                           \
    KOP(mn, K2R(pp, 0x92), feat, L0 | w | NV, WR(K), RD(r)), \
        KOP(mn, K2R(pp, 0x93), feat, L0 | w | NV, WR(OPERAND(MODRM_REG, X86_SZ_Y)), RD(Krm8))

const X86OpRow x86_op_rows_evex[] = {
    /* clang-format off */
    /* 0F: moves */
    MOVE_FP("vmovups", NONE, 0x10, W0, 4, 0), MOVE_FP("vmovupd", 66, 0x10, W1, 8, 0),
    EV("vmovss", E2M(F3, 0x10), AVX512F, 4, W0 | MZ | LIG | NV, WR(Vdq), RD(Wd)),
    EV("vmovss", E2R(F3, 0x10), AVX512F, 4, W0 | MZ | LIG, WR(Vdq), RD(Hdq), RD(Wd)),
    EV("vmovss", E2M(F3, 0x11), AVX512F, 4, W0 | MK | LIG | NV, WR(Wd), RD(Vd)),
    EV("vmovss", E2R(F3, 0x11), AVX512F, 4, W0 | MZ | LIG, WR(Wdq), RD(Hdq), RD(Vd)),
    EV("vmovsd", E2M(F2, 0x10), AVX512F, 8, W1 | MZ | LIG | NV, WR(Vdq), RD(Wq)),
    EV("vmovsd", E2R(F2, 0x10), AVX512F, 8, W1 | MZ | LIG, WR(Vdq), RD(Hdq), RD(Wq)),
    EV("vmovsd", E2M(F2, 0x11), AVX512F, 8, W1 | MK | LIG | NV, WR(Wq), RD(Vq)),
    EV("vmovsd", E2R(F2, 0x11), AVX512F, 8, W1 | MZ | LIG, WR(Wdq), RD(Hdq), RD(Vq)),
    EV("vmovlps", E2M(NONE, 0x12), AVX512F, 8, W0 | L0, WR(Vdq), RD(Hdq), RD(Mq)),
    EV("vmovhlps", E2R(NONE, 0x12), AVX512F, 8, W0 | L0, WR(Vdq), RD(Hdq), RD(Wdq)),
    EV("vmovlpd", E2M(66, 0x12), AVX512F, 8, W1 | L0, WR(Vdq), RD(Hdq), RD(Mq)),
    EV("vmovsldup", E2(F3, 0x12), AVX512F, 4, W0 | MZ | NF | NV, WR(Vx), RD(Wx)),
    EV("vmovddup", E2(F2, 0x12), AVX512F, 8, W1 | MZ | NF | NV | L0, WR(Vx), RD(Wq)),
    EV("vmovddup", E2(F2, 0x12), AVX512F, 8, W1 | MZ | NF | NV | L12, WR(Vx), RD(Wx)),
    EV("vmovlps", E2M(NONE, 0x13), AVX512F, 8, W0 | L0 | NV, WR(Mq), RD(Vq)),
    EV("vmovlpd", E2M(66, 0x13), AVX512F, 8, W1 | L0 | NV, WR(Mq), RD(Vq)),
    PS_PD("vunpckl", E2, 0x14, AVX512F, NF), PS_PD("vunpckh", E2, 0x15, AVX512F, NF),
    EV("vmovhps", E2M(NONE, 0x16), AVX512F, 8, W0 | L0, WR(Vdq), RD(Hdq), RD(Mq)),
    EV("vmovlhps", E2R(NONE, 0x16), AVX512F, 8, W0 | L0, WR(Vdq), RD(Hdq), RD(Wq)),
    EV("vmovhpd", E2M(66, 0x16), AVX512F, 8, W1 | L0, WR(Vdq), RD(Hdq), RD(Mq)),
    EV("vmovshdup", E2(F3, 0x16), AVX512F, 4, W0 | MZ | NF | NV, WR(Vx), RD(Wx)),
    EV("vmovhps", E2M(NONE, 0x17), AVX512F, 8, W0 | L0 | NV, WR(Mq), RD(Vdq)),
    EV("vmovhpd", E2M(66, 0x17), AVX512F, 8, W1 | L0 | NV, WR(Mq), RD(Vdq)),
    MOVE_FP("vmovaps", NONE, 0x28, W0, 4, ALIGN), MOVE_FP("vmovapd", 66, 0x28, W1, 8, ALIGN),
    EV("vcvtsi2ss", E2(F3, 0x2a), AVX512F, 0, LIG | ER, WR(Vdq), RD(Hdq), RD(Ey)),
    EV("vcvtsi2sd", E2(F2, 0x2a), AVX512F, 0, LIG | ER, WR(Vdq), RD(Hdq), RD(Ey)),
    EV("vmovntps", E2M(NONE, 0x2b), AVX512F, 4, W0 | ALIGN | NV, WR(Mx), RD(Vx)),
    EV("vmovntpd", E2M(66, 0x2b), AVX512F, 8, W1 | ALIGN | NV, WR(Mx), RD(Vx)),
    EV("vcvttss2si", E2(F3, 0x2c), AVX512F, 4, LIG | SAE | NV, WR(Gy), RD(Wd)),
    EV("vcvttsd2si", E2(F2, 0x2c), AVX512F, 8, LIG | SAE | NV, WR(Gy), RD(Wq)),
    EV("vcvtss2si", E2(F3, 0x2d), AVX512F, 4, LIG | ER | NV, WR(Gy), RD(Wd)),
    EV("vcvtsd2si", E2(F2, 0x2d), AVX512F, 8, LIG | ER | NV, WR(Gy), RD(Wq)),
    EV_FL("vucomiss", E2(NONE, 0x2e), AVX512F, 4, W0 | LIG | SAE | NV, RD(Vd), RD(Wd)),
    EV_FL("vucomisd", E2(66, 0x2e), AVX512F, 8, W1 | LIG | SAE | NV, RD(Vq), RD(Wq)),
    EV_FL("vcomiss", E2(NONE, 0x2f), AVX512F, 4, W0 | LIG | SAE | NV, RD(Vd), RD(Wd)),
    EV_FL("vcomisd", E2(66, 0x2f), AVX512F, 8, W1 | LIG | SAE | NV, RD(Vq), RD(Wq)),

    /* 0F: arithmetic */
    PS_PD2("vsqrt", E2, 0x51, AVX512F, ER), SS_SD("vsqrt", 0x51, ER),
    PS_PD("vand", E2, 0x54, AVX512DQ, 0), PS_PD("vandn", E2, 0x55, AVX512DQ, 0),
    PS_PD("vor", E2, 0x56, AVX512DQ, 0), PS_PD("vxor", E2, 0x57, AVX512DQ, 0),
    FP4("vadd", 0x58, ER), FP4("vmul", 0x59, ER),
    EV("vcvtps2pd", E2(NONE, 0x5a), AVX512F, 4, W0 | MZ | BC | SAE | NV, WR(Vx), RD(Wh)),
    EV("vcvtpd2ps", E2(66, 0x5a), AVX512F, 8, W1 | MZ | BC | ER | NV, WR(Vh), RD(Wx)),
    EV("vcvtss2sd", E2(F3, 0x5a), AVX512F, 4, W0 | MZ | LIG | SAE, WR(Vdq), RD(Hdq), RD(Wd)),
    EV("vcvtsd2ss", E2(F2, 0x5a), AVX512F, 8, W1 | MZ | LIG | ER, WR(Vdq), RD(Hdq), RD(Wq)),
    EV("vcvtdq2ps", E2(NONE, 0x5b), AVX512F, 4, W0 | MZ | BC | ER | NV, WR(Vx), RD(Wx)),
    EV("vcvtqq2ps", E2(NONE, 0x5b), AVX512DQ, 8, W1 | MZ | BC | ER | NV, WR(Vh), RD(Wx)),
    EV("vcvtps2dq", E2(66, 0x5b), AVX512F, 4, W0 | MZ | BC | ER | NV, WR(Vx), RD(Wx)),
    EV("vcvttps2dq", E2(F3, 0x5b), AVX512F, 4, W0 | MZ | BC | SAE | NV, WR(Vx), RD(Wx)),
    FP4("vsub", 0x5c, ER), FP4("vmin", 0x5d, SAE), FP4("vdiv", 0x5e, ER), FP4("vmax", 0x5f, SAE),

    /* 0F: integers */
    BW3("vpunpcklbw", E2, 0x60, 1, NF), BW3("vpunpcklwd", E2, 0x61, 2, NF),
    D3("vpunpckldq", E2, 0x62, NF), BW3("vpacksswb", E2, 0x63, 2, NF),
    KBW("vpcmpgtb", E2, 0x64, 1), KBW("vpcmpgtw", E2, 0x65, 2), KD("vpcmpgtd", E2, 0x66),
    BW3("vpackuswb", E2, 0x67, 2, NF), BW3("vpunpckhbw", E2, 0x68, 1, NF),
    BW3("vpunpckhwd", E2, 0x69, 2, NF), D3("vpunpckhdq", E2, 0x6a, NF),
    EV("vpackssdw", E2(66, 0x6b), AVX512BW, 4, W0 | MZ | BC | NF, WR(Vx), RD(Hx), RD(Wx)),
    Q3("vpunpcklqdq", E2, 0x6c, NF), Q3("vpunpckhqdq", E2, 0x6d, NF),
    EV("vmovd", E2(66, 0x6e), AVX512F, 0, L0 | NV, WR(Vdq), RD(Ey)),
    MOVE_PAIR("vmovdqa32", 66, 0x6f, W0, AVX512F, 4, ALIGN),
    MOVE_PAIR("vmovdqa64", 66, 0x6f, W1, AVX512F, 8, ALIGN),
    MOVE_PAIR("vmovdqu32", F3, 0x6f, W0, AVX512F, 4, 0),
    MOVE_PAIR("vmovdqu64", F3, 0x6f, W1, AVX512F, 8, 0),
    MOVE_PAIR("vmovdqu8", F2, 0x6f, W0, AVX512BW, 1, 0),
    MOVE_PAIR("vmovdqu16", F2, 0x6f, W1, AVX512BW, 2, 0),
    EV("vpshufd", E2(66, 0x70), AVX512F, 4, W0 | MZ | BC | NF | NV, WR(Vx), RD(Wx), RD(Ib)),
    EV("vpshufhw", E2(F3, 0x70), AVX512BW, 2, MZ | NF | NV, WR(Vx), RD(Wx), RD(Ib)),
    EV("vpshuflw", E2(F2, 0x70), AVX512BW, 2, MZ | NF | NV, WR(Vx), RD(Wx), RD(Ib)),
    SHIFT_I("vpsrlw", 0x71, 2, AVX512BW, 2, 0), SHIFT_I("vpsraw", 0x71, 4, AVX512BW, 2, 0),
    SHIFT_I("vpsllw", 0x71, 6, AVX512BW, 2, 0),
    SHIFT_I("vprord", 0x72, 0, AVX512F, 4, W0 | BC), SHIFT_I("vprorq", 0x72, 0, AVX512F, 8, W1 | BC),
    SHIFT_I("vprold", 0x72, 1, AVX512F, 4, W0 | BC), SHIFT_I("vprolq", 0x72, 1, AVX512F, 8, W1 | BC),
    SHIFT_I("vpsrld", 0x72, 2, AVX512F, 4, W0 | BC),
    SHIFT_I("vpsrad", 0x72, 4, AVX512F, 4, W0 | BC), SHIFT_I("vpsraq", 0x72, 4, AVX512F, 8, W1 | BC),
    SHIFT_I("vpslld", 0x72, 6, AVX512F, 4, W0 | BC),
    SHIFT_I("vpsrlq", 0x73, 2, AVX512F, 8, W1 | BC), SHIFT_I("vpsllq", 0x73, 6, AVX512F, 8, W1 | BC),
    EV("vpsrldq", E2D(66, 0x73, 3), AVX512BW, 1, NF, WR(Hx), RD(Wx), RD(Ib)),
    EV("vpslldq", E2D(66, 0x73, 7), AVX512BW, 1, NF, WR(Hx), RD(Wx), RD(Ib)),
    KBW("vpcmpeqb", E2, 0x74, 1), KBW("vpcmpeqw", E2, 0x75, 2), KD("vpcmpeqd", E2, 0x76),
    EV("vcvttps2udq", E2(NONE, 0x78), AVX512F, 4, W0 | MZ | BC | SAE | NV, WR(Vx), RD(Wx)),
    EV("vcvttpd2udq", E2(NONE, 0x78), AVX512F, 8, W1 | MZ | BC | SAE | NV, WR(Vh), RD(Wx)),
    EV("vcvttps2uqq", E2(66, 0x78), AVX512DQ, 4, W0 | MZ | BC | SAE | NV, WR(Vx), RD(Wh)),
    EV("vcvttpd2uqq", E2(66, 0x78), AVX512DQ, 8, W1 | MZ | BC | SAE | NV, WR(Vx), RD(Wx)),
    EV("vcvttss2usi", E2(F3, 0x78), AVX512F, 4, LIG | SAE | NV, WR(Gy), RD(Wd)),
    EV("vcvttsd2usi", E2(F2, 0x78), AVX512F, 8, LIG | SAE | NV, WR(Gy), RD(Wq)),
    EV("vcvtps2udq", E2(NONE, 0x79), AVX512F, 4, W0 | MZ | BC | ER | NV, WR(Vx), RD(Wx)),
    EV("vcvtpd2udq", E2(NONE, 0x79), AVX512F, 8, W1 | MZ | BC | ER | NV, WR(Vh), RD(Wx)),
    EV("vcvtps2uqq", E2(66, 0x79), AVX512DQ, 4, W0 | MZ | BC | ER | NV, WR(Vx), RD(Wh)),
    EV("vcvtpd2uqq", E2(66, 0x79), AVX512DQ, 8, W1 | MZ | BC | ER | NV, WR(Vx), RD(Wx)),
    EV("vcvtss2usi", E2(F3, 0x79), AVX512F, 4, LIG | ER | NV, WR(Gy), RD(Wd)),
    EV("vcvtsd2usi", E2(F2, 0x79), AVX512F, 8, LIG | ER | NV, WR(Gy), RD(Wq)),
    EV("vcvttps2qq", E2(66, 0x7a), AVX512DQ, 4, W0 | MZ | BC | SAE | NV, WR(Vx), RD(Wh)),
    EV("vcvttpd2qq", E2(66, 0x7a), AVX512DQ, 8, W1 | MZ | BC | SAE | NV, WR(Vx), RD(Wx)),
    EV("vcvtudq2pd", E2(F3, 0x7a), AVX512F, 4, W0 | MZ | BC | NV, WR(Vx), RD(Wh)),
    EV("vcvtuqq2pd", E2(F3, 0x7a), AVX512DQ, 8, W1 | MZ | BC | ER | NV, WR(Vx), RD(Wx)),
    EV("vcvtudq2ps", E2(F2, 0x7a), AVX512F, 4, W0 | MZ | BC | ER | NV, WR(Vx), RD(Wx)),
    EV("vcvtuqq2ps", E2(F2, 0x7a), AVX512DQ, 8, W1 | MZ | BC | ER | NV, WR(Vh), RD(Wx)),
    EV("vcvtps2qq", E2(66, 0x7b), AVX512DQ, 4, W0 | MZ | BC | ER | NV, WR(Vx), RD(Wh)),
    EV("vcvtpd2qq", E2(66, 0x7b), AVX512DQ, 8, W1 | MZ | BC | ER | NV, WR(Vx), RD(Wx)),
    EV("vcvtusi2ss", E2(F3, 0x7b), AVX512F, 0, LIG | ER, WR(Vdq), RD(Hdq), RD(Ey)),
    EV("vcvtusi2sd", E2(F2, 0x7b), AVX512F, 0, LIG | ER, WR(Vdq), RD(Hdq), RD(Ey)),
    EV("vmovd", E2(66, 0x7e), AVX512F, 0, L0 | NV, WR(Ey), RD(Vq)),
    EV("vmovq", E2(F3, 0x7e), AVX512F, 8, W1 | L0 | NV, WR(Vdq), RD(Wq)),
    EV("vcmpps", E2(NONE, 0xc2), AVX512F, 4, W0 | MK | BC | SAE, WR(K), RD(Hx), RD(Wx), RD(Ib)),
    EV("vcmppd", E2(66, 0xc2), AVX512F, 8, W1 | MK | BC | SAE, WR(K), RD(Hx), RD(Wx), RD(Ib)),
    EV("vcmpss", E2(F3, 0xc2), AVX512F, 4, W0 | MK | LIG | SAE, WR(K), RD(Hdq), RD(Wd), RD(Ib)),
    EV("vcmpsd", E2(F2, 0xc2), AVX512F, 8, W1 | MK | LIG | SAE, WR(K), RD(Hdq), RD(Wq), RD(Ib)),
    EV("vpinsrw", E2R(66, 0xc4), AVX512BW, 2, L0, WR(Vdq), RD(Hdq), RD(Rd), RD(Ib)),
    EV("vpinsrw", E2M(66, 0xc4), AVX512BW, 2, L0, WR(Vdq), RD(Hdq), RD(Mw), RD(Ib)),
    EV("vpextrw", E2R(66, 0xc5), AVX512BW, 2, L0 | NV, WR(Gd), RD(Wdq), RD(Ib)),
    EV("vshufps", E2(NONE, 0xc6), AVX512F, 4, W0 | MZ | BC | NF, WR(Vx), RD(Hx), RD(Wx), RD(Ib)),
    EV("vshufpd", E2(66, 0xc6), AVX512F, 8, W1 | MZ | BC | NF, WR(Vx), RD(Hx), RD(Wx), RD(Ib)),
    SHIFT_X("vpsrlw", 0xd1, AVX512BW, 2, 0), SHIFT_X("vpsrld", 0xd2, AVX512F, 4, W0),
    SHIFT_X("vpsrlq", 0xd3, AVX512F, 8, W1),
    Q3("vpaddq", E2, 0xd4, 0), BW3("vpmullw", E2, 0xd5, 2, 0),
    EV("vmovq", E2(66, 0xd6), AVX512F, 8, W1 | L0 | NV, WR(Wq), RD(Vq)),
    BW3("vpsubusb", E2, 0xd8, 1, 0), BW3("vpsubusw", E2, 0xd9, 2, 0), BW3("vpminub", E2, 0xda, 1, 0),
    D3("vpandd", E2, 0xdb, 0), Q3("vpandq", E2, 0xdb, 0),
    BW3("vpaddusb", E2, 0xdc, 1, 0), BW3("vpaddusw", E2, 0xdd, 2, 0), BW3("vpmaxub", E2, 0xde, 1, 0),
    D3("vpandnd", E2, 0xdf, 0), Q3("vpandnq", E2, 0xdf, 0),
    BW3("vpavgb", E2, 0xe0, 1, 0), SHIFT_X("vpsraw", 0xe1, AVX512BW, 2, 0),
    SHIFT_X("vpsrad", 0xe2, AVX512F, 4, W0), SHIFT_X("vpsraq", 0xe2, AVX512F, 8, W1),
    BW3("vpavgw", E2, 0xe3, 2, 0), BW3("vpmulhuw", E2, 0xe4, 2, 0), BW3("vpmulhw", E2, 0xe5, 2, 0),
    EV("vcvttpd2dq", E2(66, 0xe6), AVX512F, 8, W1 | MZ | BC | SAE | NV, WR(Vh), RD(Wx)),
    EV("vcvtdq2pd", E2(F3, 0xe6), AVX512F, 4, W0 | MZ | BC | NV, WR(Vx), RD(Wh)),
    EV("vcvtqq2pd", E2(F3, 0xe6), AVX512DQ, 8, W1 | MZ | BC | ER | NV, WR(Vx), RD(Wx)),
    EV("vcvtpd2dq", E2(F2, 0xe6), AVX512F, 8, W1 | MZ | BC | ER | NV, WR(Vh), RD(Wx)),
    EV("vmovntdq", E2M(66, 0xe7), AVX512F, 4, W0 | ALIGN | NV, WR(Mx), RD(Vx)),
    BW3("vpsubsb", E2, 0xe8, 1, 0), BW3("vpsubsw", E2, 0xe9, 2, 0), BW3("vpminsw", E2, 0xea, 2, 0),
    D3("vpord", E2, 0xeb, 0), Q3("vporq", E2, 0xeb, 0),
    BW3("vpaddsb", E2, 0xec, 1, 0), BW3("vpaddsw", E2, 0xed, 2, 0), BW3("vpmaxsw", E2, 0xee, 2, 0),
    D3("vpxord", E2, 0xef, 0), Q3("vpxorq", E2, 0xef, 0),
    SHIFT_X("vpsllw", 0xf1, AVX512BW, 2, 0), SHIFT_X("vpslld", 0xf2, AVX512F, 4, W0),
    SHIFT_X("vpsllq", 0xf3, AVX512F, 8, W1),
    Q3("vpmuludq", E2, 0xf4, 0), BW3("vpmaddwd", E2, 0xf5, 2, NF),
    EV("vpsadbw", E2(66, 0xf6), AVX512BW, 1, NF, WR(Vx), RD(Hx), RD(Wx)),
    BW3("vpsubb", E2, 0xf8, 1, 0), BW3("vpsubw", E2, 0xf9, 2, 0), D3("vpsubd", E2, 0xfa, 0),
    Q3("vpsubq", E2, 0xfb, 0), BW3("vpaddb", E2, 0xfc, 1, 0), BW3("vpaddw", E2, 0xfd, 2, 0),
    D3("vpaddd", E2, 0xfe, 0),

    /* 0F 38 */
    BW3("vpshufb", E38, 0x00, 1, NF), BW3("vpmaddubsw", E38, 0x04, 1, NF),
    BW3("vpmulhrsw", E38, 0x0b, 2, 0),
    D3("vpermilps", E38, 0x0c, NF), Q3("vpermilpd", E38, 0x0d, NF),
    EV("vpsrlvw", E38(66, 0x10), AVX512BW, 2, W1 | MZ, WR(Vx), RD(Hx), RD(Wx)),
    EV("vpsravw", E38(66, 0x11), AVX512BW, 2, W1 | MZ, WR(Vx), RD(Hx), RD(Wx)),
    EV("vpsllvw", E38(66, 0x12), AVX512BW, 2, W1 | MZ, WR(Vx), RD(Hx), RD(Wx)),
    EV("vcvtph2ps", E38(66, 0x13), AVX512F, 2, W0 | MZ | SAE | NV, WR(Vx), RD(Wh)),
    W_PAIR("vprorvd", "vprorvq", E38, 0x14, AVX512F, 0),
    W_PAIR("vprolvd", "vprolvq", E38, 0x15, AVX512F, 0),
    W_PAIR("vpermps", "vpermpd", E38, 0x16, AVX512F, NF | L12),
    EV("vbroadcastss", E38(66, 0x18), AVX512F, 4, W0 | MZ | NV, WR(Vx), RD(Wd)),
    EV("vbroadcastf32x2", E38(66, 0x19), AVX512DQ, 4, W0 | MZ | NV | L12, WR(Vx), RD(Wq)),
    EV("vbroadcastsd", E38(66, 0x19), AVX512F, 8, W1 | MZ | NV | L12, WR(Vx), RD(Wq)),
    EV("vbroadcastf32x4", E38M(66, 0x1a), AVX512F, 4, W0 | MZ | NV | L12, WR(Vx), RD(Mdq)),
    EV("vbroadcastf64x2", E38M(66, 0x1a), AVX512DQ, 8, W1 | MZ | NV | L12, WR(Vx), RD(Mdq)),
    EV("vbroadcastf32x8", E38M(66, 0x1b), AVX512DQ, 4, W0 | MZ | NV | L2, WR(Vx), RD(Mqq32)),
    EV("vbroadcastf64x4", E38M(66, 0x1b), AVX512F, 8, W1 | MZ | NV | L2, WR(Vx), RD(Mqq32)),
    EV("vpabsb", E38(66, 0x1c), AVX512BW, 1, MZ | NV, WR(Vx), RD(Wx)),
    EV("vpabsw", E38(66, 0x1d), AVX512BW, 2, MZ | NV, WR(Vx), RD(Wx)),
    EV("vpabsd", E38(66, 0x1e), AVX512F, 4, W0 | MZ | BC | NV, WR(Vx), RD(Wx)),
    EV("vpabsq", E38(66, 0x1f), AVX512F, 8, W1 | MZ | BC | NV, WR(Vx), RD(Wx)),
    PMOVX("vpmovsxbw", 0x20, Wh, AVX512BW, 1, 0), PMOVX("vpmovsxbd", 0x21, Wf, AVX512F, 1, 0),
    PMOVX("vpmovsxbq", 0x22, We, AVX512F, 1, 0), PMOVX("vpmovsxwd", 0x23, Wh, AVX512F, 2, 0),
    PMOVX("vpmovsxwq", 0x24, Wf, AVX512F, 2, 0), PMOVX("vpmovsxdq", 0x25, Wh, AVX512F, 4, W0),
    KTEST(66, 0x26, "vptestmb", "vptestmw", AVX512BW, 1, 2, 0),
    KTEST(F3, 0x26, "vptestnmb", "vptestnmw", AVX512BW, 1, 2, 0),
    KTEST(66, 0x27, "vptestmd", "vptestmq", AVX512F, 4, 8, BC),
    KTEST(F3, 0x27, "vptestnmd", "vptestnmq", AVX512F, 4, 8, BC),
    Q3("vpmuldq", E38, 0x28, 0), KQ("vpcmpeqq", E38, 0x29),
    EV("vpmovm2b", E38R(F3, 0x28), AVX512BW, 1, W0 | NV, WR(Vx), RD(Krm8)),
    EV("vpmovm2w", E38R(F3, 0x28), AVX512BW, 2, W1 | NV, WR(Vx), RD(Krm8)),
    EV("vpmovb2m", E38R(F3, 0x29), AVX512BW, 1, W0 | NV, WR(K), RD(Ux)),
    EV("vpmovw2m", E38R(F3, 0x29), AVX512BW, 2, W1 | NV, WR(K), RD(Ux)),
    EV("vmovntdqa", E38M(66, 0x2a), AVX512F, 4, W0 | ALIGN | NV, WR(Vx), RD(Mx)),
    EV("vpbroadcastmb2q", E38R(F3, 0x2a), AVX512CD, 8, W1 | NV, WR(Vx), RD(Krm8)),
    EV("vpackusdw", E38(66, 0x2b), AVX512BW, 4, W0 | MZ | BC | NF, WR(Vx), RD(Hx), RD(Wx)),
    W_PAIR("vscalefps", "vscalefpd", E38, 0x2c, AVX512F, ER),
    S_PAIR("vscalefss", "vscalefsd", 0x2d, AVX512F, ER),
    PMOVX("vpmovzxbw", 0x30, Wh, AVX512BW, 1, 0), PMOVX("vpmovzxbd", 0x31, Wf, AVX512F, 1, 0),
    PMOVX("vpmovzxbq", 0x32, We, AVX512F, 1, 0), PMOVX("vpmovzxwd", 0x33, Wh, AVX512F, 2, 0),
    PMOVX("vpmovzxwq", 0x34, Wf, AVX512F, 2, 0), PMOVX("vpmovzxdq", 0x35, Wh, AVX512F, 4, W0),
    PMOV3("wb", "wb", "wb", 0x0, HALF, AVX512BW, 1), PMOV3("db", "db", "db", 0x1, QUARTER, AVX512F, 1),
    PMOV3("qb", "qb", "qb", 0x2, EIGHTH, AVX512F, 1), PMOV3("dw", "dw", "dw", 0x3, HALF, AVX512F, 2),
    PMOV3("qw", "qw", "qw", 0x4, QUARTER, AVX512F, 2), PMOV3("qd", "qd", "qd", 0x5, HALF, AVX512F, 4),
    W_PAIR("vpermd", "vpermq", E38, 0x36, AVX512F, NF | L12),
    KQ("vpcmpgtq", E38, 0x37),
    BW3("vpminsb", E38, 0x38, 1, 0),
    EV("vpmovm2d", E38R(F3, 0x38), AVX512DQ, 4, W0 | NV, WR(Vx), RD(Krm8)),
    EV("vpmovm2q", E38R(F3, 0x38), AVX512DQ, 8, W1 | NV, WR(Vx), RD(Krm8)),
    W_PAIR("vpminsd", "vpminsq", E38, 0x39, AVX512F, 0),
    EV("vpmovd2m", E38R(F3, 0x39), AVX512DQ, 4, W0 | NV, WR(K), RD(Ux)),
    EV("vpmovq2m", E38R(F3, 0x39), AVX512DQ, 8, W1 | NV, WR(K), RD(Ux)),
    BW3("vpminuw", E38, 0x3a, 2, 0),
    EV("vpbroadcastmw2d", E38R(F3, 0x3a), AVX512CD, 4, W0 | NV, WR(Vx), RD(Krm8)),
    W_PAIR("vpminud", "vpminuq", E38, 0x3b, AVX512F, 0), BW3("vpmaxsb", E38, 0x3c, 1, 0),
    W_PAIR("vpmaxsd", "vpmaxsq", E38, 0x3d, AVX512F, 0), BW3("vpmaxuw", E38, 0x3e, 2, 0),
    W_PAIR("vpmaxud", "vpmaxuq", E38, 0x3f, AVX512F, 0),
    D3("vpmulld", E38, 0x40, 0),
    EV("vpmullq", E38(66, 0x40), AVX512DQ, 8, W1 | MZ | BC, WR(Vx), RD(Hx), RD(Wx)),
    W_PAIR2("vgetexpps", "vgetexppd", E38, 0x42, AVX512F, SAE),
    S_PAIR("vgetexpss", "vgetexpsd", 0x43, AVX512F, SAE),
    W_PAIR2("vplzcntd", "vplzcntq", E38, 0x44, AVX512CD, 0),
    W_PAIR("vpsrlvd", "vpsrlvq", E38, 0x45, AVX512F, 0),
    W_PAIR("vpsravd", "vpsravq", E38, 0x46, AVX512F, 0),
    W_PAIR("vpsllvd", "vpsllvq", E38, 0x47, AVX512F, 0),
    W_PAIR2("vrcp14ps", "vrcp14pd", E38, 0x4c, AVX512F, FP_EXC),
    S_PAIR("vrcp14ss", "vrcp14sd", 0x4d, AVX512F, FP_EXC),
    W_PAIR2("vrsqrt14ps", "vrsqrt14pd", E38, 0x4e, AVX512F, FP_EXC),
    S_PAIR("vrsqrt14ss", "vrsqrt14sd", 0x4f, AVX512F, FP_EXC),
    EV("vpdpbusd", E38(66, 0x50), AVX512VNNI, 4, W0 | MZ | BC, RW(Vx), RD(Hx), RD(Wx)),
    EV("vpdpbusds", E38(66, 0x51), AVX512VNNI, 4, W0 | MZ | BC, RW(Vx), RD(Hx), RD(Wx)),
    EV("vpdpwssd", E38(66, 0x52), AVX512VNNI, 4, W0 | MZ | BC, RW(Vx), RD(Hx), RD(Wx)),
    EV("vdpbf16ps", E38(F3, 0x52), AVX512_BF16, 4, W0 | MZ | BC, RW(Vx), RD(Hx), RD(Wx)),
    EV("vpdpwssds", E38(66, 0x53), AVX512VNNI, 4, W0 | MZ | BC, RW(Vx), RD(Hx), RD(Wx)),
    EV("vpopcntb", E38(66, 0x54), AVX512BITALG, 1, W0 | MZ | NV, WR(Vx), RD(Wx)),
    EV("vpopcntw", E38(66, 0x54), AVX512BITALG, 2, W1 | MZ | NV, WR(Vx), RD(Wx)),
    W_PAIR2("vpopcntd", "vpopcntq", E38, 0x55, AVX512_VPOPCNTDQ, 0),
    EV("vpbroadcastd", E38(66, 0x58), AVX512F, 4, W0 | MZ | NV, WR(Vx), RD(Wd)),
    EV("vbroadcasti32x2", E38(66, 0x59), AVX512DQ, 4, W0 | MZ | NV, WR(Vx), RD(Wq)),
    EV("vpbroadcastq", E38(66, 0x59), AVX512F, 8, W1 | MZ | NV, WR(Vx), RD(Wq)),
    EV("vbroadcasti32x4", E38M(66, 0x5a), AVX512F, 4, W0 | MZ | NV | L12, WR(Vx), RD(Mdq)),
    EV("vbroadcasti64x2", E38M(66, 0x5a), AVX512DQ, 8, W1 | MZ | NV | L12, WR(Vx), RD(Mdq)),
    EV("vbroadcasti32x8", E38M(66, 0x5b), AVX512DQ, 4, W0 | MZ | NV | L2, WR(Vx), RD(Mqq32)),
    EV("vbroadcasti64x4", E38M(66, 0x5b), AVX512F, 8, W1 | MZ | NV | L2, WR(Vx), RD(Mqq32)),
    EV("vpexpandb", E38(66, 0x62), AVX512VBMI2, 1, W0 | MZ | NV | PACK, WR(Vx), RD(Wx)),
    EV("vpexpandw", E38(66, 0x62), AVX512VBMI2, 2, W1 | MZ | NV | PACK, WR(Vx), RD(Wx)),
    EV("vpcompressb", E38(66, 0x63), AVX512VBMI2, 1, W0 | MZ | NV | PACK, WR(Wx), RD(Vx)),
    EV("vpcompressw", E38(66, 0x63), AVX512VBMI2, 2, W1 | MZ | NV | PACK, WR(Wx), RD(Vx)),
    W_PAIR("vpblendmd", "vpblendmq", E38, 0x64, AVX512F, 0),
    W_PAIR("vblendmps", "vblendmpd", E38, 0x65, AVX512F, 0),
    W_PAIR_BW("vpblendmb", "vpblendmw", E38, 0x66, AVX512BW, AVX512BW, 0),
    EV("vpshldvw", E38(66, 0x70), AVX512VBMI2, 2, W1 | MZ, RW(Vx), RD(Hx), RD(Wx)),
    W_PAIR("vpshldvd", "vpshldvq", E38, 0x71, AVX512VBMI2, 0),
    EV("vpshrdvw", E38(66, 0x72), AVX512VBMI2, 2, W1 | MZ, RW(Vx), RD(Hx), RD(Wx)),
    EV("vcvtneps2bf16", E38(F3, 0x72), AVX512_BF16, 4, W0 | MZ | BC | NV, WR(Vh), RD(Wx)),
    EV("vcvtne2ps2bf16", E38(F2, 0x72), AVX512_BF16, 4, W0 | MZ | BC | NF, WR(Vx), RD(Hx), RD(Wx)),
    W_PAIR("vpshrdvd", "vpshrdvq", E38, 0x73, AVX512VBMI2, 0),
    W_PAIR_BW("vpermi2b", "vpermi2w", E38, 0x75, AVX512VBMI, AVX512BW, NF),
    W_PAIR("vpermi2d", "vpermi2q", E38, 0x76, AVX512F, NF),
    W_PAIR("vpermi2ps", "vpermi2pd", E38, 0x77, AVX512F, NF),
    EV("vpbroadcastb", E38(66, 0x78), AVX512BW, 1, W0 | MZ | NV, WR(Vx), RD(Wb)),
    EV("vpbroadcastw", E38(66, 0x79), AVX512BW, 2, W0 | MZ | NV, WR(Vx), RD(Ww)),
    EV("vpbroadcastb", E38R(66, 0x7a), AVX512BW, 1, W0 | MZ | NV, WR(Vx), RD(Rd)),
    EV("vpbroadcastw", E38R(66, 0x7b), AVX512BW, 2, W0 | MZ | NV, WR(Vx), RD(Rd)),
    EV("vpbroadcastd", E38R(66, 0x7c), AVX512F, 4, MZ | NV, WR(Vx), RD(Ry)),
    W_PAIR_BW("vpermt2b", "vpermt2w", E38, 0x7d, AVX512VBMI, AVX512BW, NF),
    W_PAIR("vpermt2d", "vpermt2q", E38, 0x7e, AVX512F, NF),
    W_PAIR("vpermt2ps", "vpermt2pd", E38, 0x7f, AVX512F, NF),
    EV("vpmultishiftqb", E38(66, 0x83), AVX512VBMI, 8, W1 | MZ | BC | NF, WR(Vx), RD(Hx), RD(Wx)),
    EV("vexpandps", E38(66, 0x88), AVX512F, 4, W0 | MZ | NV | PACK, WR(Vx), RD(Wx)),
    EV("vexpandpd", E38(66, 0x88), AVX512F, 8, W1 | MZ | NV | PACK, WR(Vx), RD(Wx)),
    EV("vpexpandd", E38(66, 0x89), AVX512F, 4, W0 | MZ | NV | PACK, WR(Vx), RD(Wx)),
    EV("vpexpandq", E38(66, 0x89), AVX512F, 8, W1 | MZ | NV | PACK, WR(Vx), RD(Wx)),
    EV("vcompressps", E38(66, 0x8a), AVX512F, 4, W0 | MZ | NV | PACK, WR(Wx), RD(Vx)),
    EV("vcompresspd", E38(66, 0x8a), AVX512F, 8, W1 | MZ | NV | PACK, WR(Wx), RD(Vx)),
    EV("vpcompressd", E38(66, 0x8b), AVX512F, 4, W0 | MZ | NV | PACK, WR(Wx), RD(Vx)),
    EV("vpcompressq", E38(66, 0x8b), AVX512F, 8, W1 | MZ | NV | PACK, WR(Wx), RD(Vx)),
    W_PAIR_BW("vpermb", "vpermw", E38, 0x8d, AVX512VBMI, AVX512BW, NF),
    EV("vpshufbitqmb", E38(66, 0x8f), AVX512BITALG, 1, W0 | MK, WR(K), RD(Hx), RD(Wx)),
    GATHER("vpgatherdd", 0x90, W0, VMd, 4), GATHER("vpgatherdq", 0x90, W1, VMq, 8),
    GATHER("vpgatherqd", 0x91, W0, VMd, 4), GATHER("vpgatherqq", 0x91, W1, VMq, 8),
    GATHER("vgatherdps", 0x92, W0, VMd, 4), GATHER("vgatherdpd", 0x92, W1, VMq, 8),
    GATHER("vgatherqps", 0x93, W0, VMd, 4), GATHER("vgatherqpd", 0x93, W1, VMq, 8),
    SCATTER("vpscatterdd", 0xa0, W0, VMd, 4), SCATTER("vpscatterdq", 0xa0, W1, VMq, 8),
    SCATTER("vpscatterqd", 0xa1, W0, VMd, 4), SCATTER("vpscatterqq", 0xa1, W1, VMq, 8),
    SCATTER("vscatterdps", 0xa2, W0, VMd, 4), SCATTER("vscatterdpd", 0xa2, W1, VMq, 8),
    SCATTER("vscatterqps", 0xa3, W0, VMd, 4), SCATTER("vscatterqpd", 0xa3, W1, VMq, 8),
    FMA_ALL("vfmaddsub", 0x6), FMA_ALL("vfmsubadd", 0x7),
    FMA_ALL("vfmadd", 0x8), FMA_S_ALL("vfmadd", 0x9), FMA_ALL("vfmsub", 0xa), FMA_S_ALL("vfmsub", 0xb),
    FMA_ALL("vfnmadd", 0xc), FMA_S_ALL("vfnmadd", 0xd), FMA_ALL("vfnmsub", 0xe), FMA_S_ALL("vfnmsub", 0xf),
    EV("vpmadd52luq", E38(66, 0xb4), AVX512IFMA, 8, W1 | MZ | BC, RW(Vx), RD(Hx), RD(Wx)),
    EV("vpmadd52huq", E38(66, 0xb5), AVX512IFMA, 8, W1 | MZ | BC, RW(Vx), RD(Hx), RD(Wx)),
    W_PAIR2("vpconflictd", "vpconflictq", E38, 0xc4, AVX512CD, NF),
    EV("vgf2p8mulb", E38(66, 0xcf), GFNI, 1, W0 | MZ, WR(Vx), RD(Hx), RD(Wx)),
    EV("vaesenc", E38(66, 0xdc), VAES, 16, NF, WR(Vx), RD(Hx), RD(Wx)),
    EV("vaesenclast", E38(66, 0xdd), VAES, 16, NF, WR(Vx), RD(Hx), RD(Wx)),
    EV("vaesdec", E38(66, 0xde), VAES, 16, NF, WR(Vx), RD(Hx), RD(Wx)),
    EV("vaesdeclast", E38(66, 0xdf), VAES, 16, NF, WR(Vx), RD(Hx), RD(Wx)),

    /* 0F 3A */
    EV("vpermq", E3A(66, 0x00), AVX512F, 8, W1 | MZ | BC | NF | NV | L12, WR(Vx), RD(Wx), RD(Ib)),
    EV("vpermpd", E3A(66, 0x01), AVX512F, 8, W1 | MZ | BC | NF | NV | L12, WR(Vx), RD(Wx), RD(Ib)),
    W_PAIR_I("valignd", "valignq", 0x03, AVX512F, NF),
    EV("vpermilps", E3A(66, 0x04), AVX512F, 4, W0 | MZ | BC | NF | NV, WR(Vx), RD(Wx), RD(Ib)),
    EV("vpermilpd", E3A(66, 0x05), AVX512F, 8, W1 | MZ | BC | NF | NV, WR(Vx), RD(Wx), RD(Ib)),
    EV("vrndscaleps", E3A(66, 0x08), AVX512F, 4, W0 | MZ | BC | SAE | NV, WR(Vx), RD(Wx), RD(Ib)),
    EV("vrndscalepd", E3A(66, 0x09), AVX512F, 8, W1 | MZ | BC | SAE | NV, WR(Vx), RD(Wx), RD(Ib)),
    EV("vrndscaless", E3A(66, 0x0a), AVX512F, 4, W0 | MZ | LIG | SAE, WR(Vdq), RD(Hdq), RD(Wd), RD(Ib)),
    EV("vrndscalesd", E3A(66, 0x0b), AVX512F, 8, W1 | MZ | LIG | SAE, WR(Vdq), RD(Hdq), RD(Wq), RD(Ib)),
    EV("vpalignr", E3A(66, 0x0f), AVX512BW, 1, MZ | NF, WR(Vx), RD(Hx), RD(Wx), RD(Ib)),
    EV("vpextrb", E3AR(66, 0x14), AVX512BW, 1, L0 | NV, WR(Rd), RD(Vdq), RD(Ib)),
    EV("vpextrb", E3AM(66, 0x14), AVX512BW, 1, L0 | NV, WR(Mb), RD(Vdq), RD(Ib)),
    EV("vpextrw", E3AR(66, 0x15), AVX512BW, 2, L0 | NV, WR(Rd), RD(Vdq), RD(Ib)),
    EV("vpextrw", E3AM(66, 0x15), AVX512BW, 2, L0 | NV, WR(Mw), RD(Vdq), RD(Ib)),
    EV("vpextrd", E3A(66, 0x16), AVX512DQ, 0, L0 | NV, WR(Ey), RD(Vdq), RD(Ib)),
    EV("vextractps", E3A(66, 0x17), AVX512F, 4, L0 | NV, WR(Ed), RD(Vdq), RD(Ib)),
    EV("vinsertf32x4", E3A(66, 0x18), AVX512F, 4, W0 | MZ | NF | L12, WR(Vx), RD(Hx), RD(Wdq), RD(Ib)),
    EV("vinsertf64x2", E3A(66, 0x18), AVX512DQ, 8, W1 | MZ | NF | L12, WR(Vx), RD(Hx), RD(Wdq), RD(Ib)),
    EV("vextractf32x4", E3A(66, 0x19), AVX512F, 4, W0 | MZ | NF | NV | L12, WR(Wdq), RD(Vx), RD(Ib)),
    EV("vextractf64x2", E3A(66, 0x19), AVX512DQ, 8, W1 | MZ | NF | NV | L12, WR(Wdq), RD(Vx), RD(Ib)),
    EV("vinsertf32x8", E3A(66, 0x1a), AVX512DQ, 4, W0 | MZ | NF | L2, WR(Vx), RD(Hx), RD(Wqq), RD(Ib)),
    EV("vinsertf64x4", E3A(66, 0x1a), AVX512F, 8, W1 | MZ | NF | L2, WR(Vx), RD(Hx), RD(Wqq), RD(Ib)),
    EV("vextractf32x8", E3A(66, 0x1b), AVX512DQ, 4, W0 | MZ | NF | NV | L2, WR(Wqq), RD(Vx), RD(Ib)),
    EV("vextractf64x4", E3A(66, 0x1b), AVX512F, 8, W1 | MZ | NF | NV | L2, WR(Wqq), RD(Vx), RD(Ib)),
    EV("vcvtps2ph", E3A(66, 0x1d), AVX512F, 2, W0 | MZ | SAE | NV, WR(Wh), RD(Vx), RD(Ib)),
    KCMP_I("vpcmpud", "vpcmpuq", 0x1e, AVX512F, 4, 8, BC),
    KCMP_I("vpcmpd", "vpcmpq", 0x1f, AVX512F, 4, 8, BC),
    EV("vpinsrb", E3AR(66, 0x20), AVX512BW, 1, L0, WR(Vdq), RD(Hdq), RD(Rd), RD(Ib)),
    EV("vpinsrb", E3AM(66, 0x20), AVX512BW, 1, L0, WR(Vdq), RD(Hdq), RD(Mb), RD(Ib)),
    EV("vinsertps", E3A(66, 0x21), AVX512F, 4, W0 | L0, WR(Vdq), RD(Hdq), RD(Wd), RD(Ib)),
    EV("vpinsrd", E3A(66, 0x22), AVX512DQ, 0, L0, WR(Vdq), RD(Hdq), RD(Ey), RD(Ib)),
    W_PAIR_I("vshuff32x4", "vshuff64x2", 0x23, AVX512F, NF | L12),
    W_PAIR_I("vpternlogd", "vpternlogq", 0x25, AVX512F, 0),
    W_PAIR2_I("vgetmantps", "vgetmantpd", 0x26, AVX512F, SAE),
    S_PAIR_I("vgetmantss", "vgetmantsd", 0x27, AVX512F, SAE),
    EV("vinserti32x4", E3A(66, 0x38), AVX512F, 4, W0 | MZ | NF | L12, WR(Vx), RD(Hx), RD(Wdq), RD(Ib)),
    EV("vinserti64x2", E3A(66, 0x38), AVX512DQ, 8, W1 | MZ | NF | L12, WR(Vx), RD(Hx), RD(Wdq), RD(Ib)),
    EV("vextracti32x4", E3A(66, 0x39), AVX512F, 4, W0 | MZ | NF | NV | L12, WR(Wdq), RD(Vx), RD(Ib)),
    EV("vextracti64x2", E3A(66, 0x39), AVX512DQ, 8, W1 | MZ | NF | NV | L12, WR(Wdq), RD(Vx), RD(Ib)),
    EV("vinserti32x8", E3A(66, 0x3a), AVX512DQ, 4, W0 | MZ | NF | L2, WR(Vx), RD(Hx), RD(Wqq), RD(Ib)),
    EV("vinserti64x4", E3A(66, 0x3a), AVX512F, 8, W1 | MZ | NF | L2, WR(Vx), RD(Hx), RD(Wqq), RD(Ib)),
    EV("vextracti32x8", E3A(66, 0x3b), AVX512DQ, 4, W0 | MZ | NF | NV | L2, WR(Wqq), RD(Vx), RD(Ib)),
    EV("vextracti64x4", E3A(66, 0x3b), AVX512F, 8, W1 | MZ | NF | NV | L2, WR(Wqq), RD(Vx), RD(Ib)),
    KCMP_I("vpcmpub", "vpcmpuw", 0x3e, AVX512BW, 1, 2, 0),
    KCMP_I("vpcmpb", "vpcmpw", 0x3f, AVX512BW, 1, 2, 0),
    EV("vdbpsadbw", E3A(66, 0x42), AVX512BW, 1, W0 | MZ | NF, WR(Vx), RD(Hx), RD(Wx), RD(Ib)),
    W_PAIR_I("vshufi32x4", "vshufi64x2", 0x43, AVX512F, NF | L12),
    EV("vpclmulqdq", E3A(66, 0x44), VPCLMULQDQ, 16, NF, WR(Vx), RD(Hx), RD(Wx), RD(Ib)),
    W_PAIR_I("vrangeps", "vrangepd", 0x50, AVX512DQ, SAE),
    S_PAIR_I("vrangess", "vrangesd", 0x51, AVX512DQ, SAE),
    W_PAIR_I("vfixupimmps", "vfixupimmpd", 0x54, AVX512F, SAE),
    S_PAIR_I("vfixupimmss", "vfixupimmsd", 0x55, AVX512F, SAE),
    W_PAIR2_I("vreduceps", "vreducepd", 0x56, AVX512DQ, SAE),
    S_PAIR_I("vreducess", "vreducesd", 0x57, AVX512DQ, SAE),
    EV("vfpclassps", E3A(66, 0x66), AVX512DQ, 4, W0 | MK | BC | NV | FP_EXC, WR(K), RD(Wx), RD(Ib)),
    EV("vfpclasspd", E3A(66, 0x66), AVX512DQ, 8, W1 | MK | BC | NV | FP_EXC, WR(K), RD(Wx), RD(Ib)),
    EV("vfpclassss", E3A(66, 0x67), AVX512DQ, 4, W0 | MK | LIG | NV | FP_EXC, WR(K), RD(Wd), RD(Ib)),
    EV("vfpclasssd", E3A(66, 0x67), AVX512DQ, 8, W1 | MK | LIG | NV | FP_EXC, WR(K), RD(Wq), RD(Ib)),
    EV("vpshldw", E3A(66, 0x70), AVX512VBMI2, 2, W1 | MZ, WR(Vx), RD(Hx), RD(Wx), RD(Ib)),
    W_PAIR_I("vpshldd", "vpshldq", 0x71, AVX512VBMI2, 0),
    EV("vpshrdw", E3A(66, 0x72), AVX512VBMI2, 2, W1 | MZ, WR(Vx), RD(Hx), RD(Wx), RD(Ib)),
    W_PAIR_I("vpshrdd", "vpshrdq", 0x73, AVX512VBMI2, 0),
    EV("vgf2p8affineqb", E3A(66, 0xce), GFNI, 8, W1 | MZ | BC | NF, WR(Vx), RD(Hx), RD(Wx), RD(Ib)),
    EV("vgf2p8affineinvqb", E3A(66, 0xcf), GFNI, 8, W1 | MZ | BC | NF, WR(Vx), RD(Hx), RD(Wx), RD(Ib)),

    /* Mask registers, VEX */
    KOP3("kand", 0x41, AVX512DQ, AVX512F), KOP3("kandn", 0x42, AVX512DQ, AVX512F),
    KOP("knotb", K2R(66, 0x44), AVX512DQ, L0 | W0 | NV, WR(K), RD(Krm8)),
    KOP("knotw", K2R(NONE, 0x44), AVX512F, L0 | W0 | NV, WR(K), RD(Krm8)),
    KOP("knotd", K2R(66, 0x44), AVX512BW, L0 | W1 | NV, WR(K), RD(Krm8)),
    KOP("knotq", K2R(NONE, 0x44), AVX512BW, L0 | W1 | NV, WR(K), RD(Krm8)),
    KOP3("kor", 0x45, AVX512DQ, AVX512F), KOP3("kxnor", 0x46, AVX512DQ, AVX512F),
    KOP3("kxor", 0x47, AVX512DQ, AVX512F), KOP3("kadd", 0x4a, AVX512DQ, AVX512DQ),
    KOP("kunpckbw", K2R(66, 0x4b), AVX512F, L1 | W0, WR(K), RD(Kvv), RD(Krm8)),
    KOP("kunpckwd", K2R(NONE, 0x4b), AVX512BW, L1 | W0, WR(K), RD(Kvv), RD(Krm8)),
    KOP("kunpckdq", K2R(NONE, 0x4b), AVX512BW, L1 | W1, WR(K), RD(Kvv), RD(Krm8)),
    KMOV("kmovw", NONE, W0, AVX512F, 2), KMOV("kmovb", 66, W0, AVX512DQ, 1),
    KMOV("kmovq", NONE, W1, AVX512BW, 8), KMOV("kmovd", 66, W1, AVX512BW, 4),
    KMOV_R("kmovw", NONE, W0, AVX512F, Rd), KMOV_R("kmovb", 66, W0, AVX512DQ, Rd),
    KMOV_R("kmovd", F2, W0, AVX512BW, Rd), KMOV_R("kmovq", F2, W1 | ONLY64, AVX512BW, Rq),
    KTST("kortest", 0x98, AVX512F), KTST("ktest", 0x99, AVX512DQ),
    KSHIFT("kshiftr", 0x30, "b", "w", AVX512DQ, AVX512F),
    KSHIFT("kshiftr", 0x31, "d", "q", AVX512BW, AVX512BW),
    KSHIFT("kshiftl", 0x32, "b", "w", AVX512DQ, AVX512F),
    KSHIFT("kshiftl", 0x33, "d", "q", AVX512BW, AVX512BW),
    /* clang-format on */
};
const size_t x86_op_count_evex = VIT_ARRAY_LEN(x86_op_rows_evex);
