/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* F(symbol, "name", leaf, subleaf, register, bit); register 0..3 = EAX EBX ECX EDX.
 * Names are those of -cpu. Symbols of features that gate instructions stay below 256 (the width of
 * X86OpRow.feature), which x86-models.c checks. */
/* clang-format off */
#define X86_FEATURE_LIST(F) \
    /* Leaf 1 EDX: the Pentium words */ \
    F(FPU, "fpu", 1, 0, 3, 0) \
    F(VME, "vme", 1, 0, 3, 1) \
    F(DE, "de", 1, 0, 3, 2) \
    F(PSE, "pse", 1, 0, 3, 3) \
    F(TSC, "tsc", 1, 0, 3, 4) \
    F(MSR, "msr", 1, 0, 3, 5) \
    F(PAE, "pae", 1, 0, 3, 6) \
    F(MCE, "mce", 1, 0, 3, 7) \
    F(CX8, "cx8", 1, 0, 3, 8) \
    F(APIC, "apic", 1, 0, 3, 9) \
    F(SEP, "sep", 1, 0, 3, 11) \
    F(MTRR, "mtrr", 1, 0, 3, 12) \
    F(PGE, "pge", 1, 0, 3, 13) \
    F(MCA, "mca", 1, 0, 3, 14) \
    F(CMOV, "cmov", 1, 0, 3, 15) \
    F(PAT, "pat", 1, 0, 3, 16) \
    F(PSE36, "pse36", 1, 0, 3, 17) \
    F(PN, "pn", 1, 0, 3, 18) \
    F(CLFLUSH, "clflush", 1, 0, 3, 19) \
    F(DS, "ds", 1, 0, 3, 21) \
    F(ACPI, "acpi", 1, 0, 3, 22) \
    F(MMX, "mmx", 1, 0, 3, 23) \
    F(FXSR, "fxsr", 1, 0, 3, 24) \
    F(SSE, "sse", 1, 0, 3, 25) \
    F(SSE2, "sse2", 1, 0, 3, 26) \
    F(SS, "ss", 1, 0, 3, 27) \
    F(HT, "ht", 1, 0, 3, 28) \
    F(TM, "tm", 1, 0, 3, 29) \
    F(IA64, "ia64", 1, 0, 3, 30) \
    F(PBE, "pbe", 1, 0, 3, 31) \
    /* Leaf 1 ECX */ \
    F(SSE3, "pni", 1, 0, 2, 0) \
    F(PCLMULQDQ, "pclmulqdq", 1, 0, 2, 1) \
    F(DTES64, "dtes64", 1, 0, 2, 2) \
    F(MONITOR, "monitor", 1, 0, 2, 3) \
    F(DS_CPL, "ds-cpl", 1, 0, 2, 4) \
    F(VMX, "vmx", 1, 0, 2, 5) \
    F(SMX, "smx", 1, 0, 2, 6) \
    F(EST, "est", 1, 0, 2, 7) \
    F(TM2, "tm2", 1, 0, 2, 8) \
    F(SSSE3, "ssse3", 1, 0, 2, 9) \
    F(CID, "cid", 1, 0, 2, 10) \
    F(FMA, "fma", 1, 0, 2, 12) \
    F(CX16, "cx16", 1, 0, 2, 13) \
    F(XTPR, "xtpr", 1, 0, 2, 14) \
    F(PDCM, "pdcm", 1, 0, 2, 15) \
    F(PCID, "pcid", 1, 0, 2, 17) \
    F(DCA, "dca", 1, 0, 2, 18) \
    F(SSE41, "sse4.1", 1, 0, 2, 19) \
    F(SSE42, "sse4.2", 1, 0, 2, 20) \
    F(X2APIC, "x2apic", 1, 0, 2, 21) \
    F(MOVBE, "movbe", 1, 0, 2, 22) \
    F(POPCNT, "popcnt", 1, 0, 2, 23) \
    F(TSC_DEADLINE, "tsc-deadline", 1, 0, 2, 24) \
    F(AES, "aes", 1, 0, 2, 25) \
    F(XSAVE, "xsave", 1, 0, 2, 26) \
    F(AVX, "avx", 1, 0, 2, 28) \
    F(F16C, "f16c", 1, 0, 2, 29) \
    F(RDRAND, "rdrand", 1, 0, 2, 30) \
    F(HYPERVISOR, "hypervisor", 1, 0, 2, 31) \
    /* Leaf 7.0 EBX */ \
    F(FSGSBASE, "fsgsbase", 7, 0, 1, 0) \
    F(TSC_ADJUST, "tsc-adjust", 7, 0, 1, 1) \
    F(SGX, "sgx", 7, 0, 1, 2) \
    F(BMI1, "bmi1", 7, 0, 1, 3) \
    F(HLE, "hle", 7, 0, 1, 4) \
    F(AVX2, "avx2", 7, 0, 1, 5) \
    F(SMEP, "smep", 7, 0, 1, 7) \
    F(BMI2, "bmi2", 7, 0, 1, 8) \
    F(ERMS, "erms", 7, 0, 1, 9) \
    F(INVPCID, "invpcid", 7, 0, 1, 10) \
    F(RTM, "rtm", 7, 0, 1, 11) \
    F(MPX, "mpx", 7, 0, 1, 14) \
    F(AVX512F, "avx512f", 7, 0, 1, 16) \
    F(AVX512DQ, "avx512dq", 7, 0, 1, 17) \
    F(RDSEED, "rdseed", 7, 0, 1, 18) \
    F(ADX, "adx", 7, 0, 1, 19) \
    F(SMAP, "smap", 7, 0, 1, 20) \
    F(AVX512IFMA, "avx512ifma", 7, 0, 1, 21) \
    F(PCOMMIT, "pcommit", 7, 0, 1, 22) \
    F(CLFLUSHOPT, "clflushopt", 7, 0, 1, 23) \
    F(CLWB, "clwb", 7, 0, 1, 24) \
    F(INTEL_PT, "intel-pt", 7, 0, 1, 25) \
    F(AVX512PF, "avx512pf", 7, 0, 1, 26) \
    F(AVX512ER, "avx512er", 7, 0, 1, 27) \
    F(AVX512CD, "avx512cd", 7, 0, 1, 28) \
    F(SHA_NI, "sha-ni", 7, 0, 1, 29) \
    F(AVX512BW, "avx512bw", 7, 0, 1, 30) \
    F(AVX512VL, "avx512vl", 7, 0, 1, 31) \
    /* Leaf 7.0 ECX */ \
    F(AVX512VBMI, "avx512vbmi", 7, 0, 2, 1) \
    F(UMIP, "umip", 7, 0, 2, 2) \
    F(PKU, "pku", 7, 0, 2, 3) \
    F(WAITPKG, "waitpkg", 7, 0, 2, 5) \
    F(AVX512VBMI2, "avx512vbmi2", 7, 0, 2, 6) \
    F(GFNI, "gfni", 7, 0, 2, 8) \
    F(VAES, "vaes", 7, 0, 2, 9) \
    F(VPCLMULQDQ, "vpclmulqdq", 7, 0, 2, 10) \
    F(AVX512VNNI, "avx512vnni", 7, 0, 2, 11) \
    F(AVX512BITALG, "avx512bitalg", 7, 0, 2, 12) \
    F(AVX512_VPOPCNTDQ, "avx512-vpopcntdq", 7, 0, 2, 14) \
    F(LA57, "la57", 7, 0, 2, 16) \
    F(RDPID, "rdpid", 7, 0, 2, 22) \
    F(BUS_LOCK_DETECT, "bus-lock-detect", 7, 0, 2, 24) \
    F(CLDEMOTE, "cldemote", 7, 0, 2, 25) \
    F(MOVDIRI, "movdiri", 7, 0, 2, 27) \
    F(MOVDIR64B, "movdir64b", 7, 0, 2, 28) \
    F(SGXLC, "sgxlc", 7, 0, 2, 30) \
    F(PKS, "pks", 7, 0, 2, 31) \
    /* Leaf 7.0 EDX */ \
    F(AVX512_4VNNIW, "avx512-4vnniw", 7, 0, 3, 2) \
    F(AVX512_4FMAPS, "avx512-4fmaps", 7, 0, 3, 3) \
    F(FSRM, "fsrm", 7, 0, 3, 4) \
    F(AVX512_VP2INTERSECT, "avx512-vp2intersect", 7, 0, 3, 8) \
    F(MD_CLEAR, "md-clear", 7, 0, 3, 10) \
    F(SERIALIZE, "serialize", 7, 0, 3, 14) \
    F(TSX_LDTRK, "tsx-ldtrk", 7, 0, 3, 16) \
    F(ARCH_LBR, "arch-lbr", 7, 0, 3, 19) \
    F(AMX_BF16, "amx-bf16", 7, 0, 3, 22) \
    F(AVX512_FP16, "avx512-fp16", 7, 0, 3, 23) \
    F(AMX_TILE, "amx-tile", 7, 0, 3, 24) \
    F(AMX_INT8, "amx-int8", 7, 0, 3, 25) \
    F(SPEC_CTRL, "spec-ctrl", 7, 0, 3, 26) \
    F(STIBP, "stibp", 7, 0, 3, 27) \
    F(ARCH_CAPABILITIES, "arch-capabilities", 7, 0, 3, 29) \
    F(CORE_CAPABILITY, "core-capability", 7, 0, 3, 30) \
    F(SSBD, "ssbd", 7, 0, 3, 31) \
    /* Leaf 7.1 EAX */ \
    F(AVX_VNNI, "avx-vnni", 7, 1, 0, 4) \
    F(AVX512_BF16, "avx512-bf16", 7, 1, 0, 5) \
    /* Leaf 0xD.1 EAX */ \
    F(XSAVEOPT, "xsaveopt", 0xd, 1, 0, 0) \
    F(XSAVEC, "xsavec", 0xd, 1, 0, 1) \
    F(XGETBV1, "xgetbv1", 0xd, 1, 0, 2) \
    F(XSAVES, "xsaves", 0xd, 1, 0, 3) \
    F(XFD, "xfd", 0xd, 1, 0, 4) \
    /* Leaf 0x80000001 EDX; the bits AMD mirrors from leaf 1 are made in x86_cpuid() */ \
    F(SYSCALL, "syscall", 0x80000001, 0, 3, 11) \
    F(NX, "nx", 0x80000001, 0, 3, 20) \
    F(MMXEXT, "mmxext", 0x80000001, 0, 3, 22) \
    F(FXSR_OPT, "fxsr-opt", 0x80000001, 0, 3, 25) \
    F(PDPE1GB, "pdpe1gb", 0x80000001, 0, 3, 26) \
    F(RDTSCP, "rdtscp", 0x80000001, 0, 3, 27) \
    F(LM, "lm", 0x80000001, 0, 3, 29) \
    F(3DNOWEXT, "3dnowext", 0x80000001, 0, 3, 30) \
    F(3DNOW, "3dnow", 0x80000001, 0, 3, 31) \
    /* Leaf 0x80000001 ECX */ \
    F(LAHF_LM, "lahf-lm", 0x80000001, 0, 2, 0) \
    F(CMP_LEGACY, "cmp-legacy", 0x80000001, 0, 2, 1) \
    F(SVM, "svm", 0x80000001, 0, 2, 2) \
    F(EXTAPIC, "extapic", 0x80000001, 0, 2, 3) \
    F(CR8LEGACY, "cr8legacy", 0x80000001, 0, 2, 4) \
    F(ABM, "abm", 0x80000001, 0, 2, 5) \
    F(SSE4A, "sse4a", 0x80000001, 0, 2, 6) \
    F(MISALIGNSSE, "misalignsse", 0x80000001, 0, 2, 7) \
    F(3DNOWPREFETCH, "3dnowprefetch", 0x80000001, 0, 2, 8) \
    F(OSVW, "osvw", 0x80000001, 0, 2, 9) \
    F(IBS, "ibs", 0x80000001, 0, 2, 10) \
    F(XOP, "xop", 0x80000001, 0, 2, 11) \
    F(SKINIT, "skinit", 0x80000001, 0, 2, 12) \
    F(WDT, "wdt", 0x80000001, 0, 2, 13) \
    F(LWP, "lwp", 0x80000001, 0, 2, 15) \
    F(FMA4, "fma4", 0x80000001, 0, 2, 16) \
    F(TCE, "tce", 0x80000001, 0, 2, 17) \
    F(NODEID_MSR, "nodeid-msr", 0x80000001, 0, 2, 19) \
    F(TBM, "tbm", 0x80000001, 0, 2, 21) \
    F(TOPOEXT, "topoext", 0x80000001, 0, 2, 22) \
    F(PERFCTR_CORE, "perfctr-core", 0x80000001, 0, 2, 23) \
    F(PERFCTR_NB, "perfctr-nb", 0x80000001, 0, 2, 24) \
    /* Leaf 0x80000007 EDX */ \
    F(INVTSC, "invtsc", 0x80000007, 0, 3, 8) \
    /* Leaf 0x80000008 EBX */ \
    F(CLZERO, "clzero", 0x80000008, 0, 1, 0) \
    F(XSAVEERPTR, "xsaveerptr", 0x80000008, 0, 1, 2) \
    F(WBNOINVD, "wbnoinvd", 0x80000008, 0, 1, 9) \
    F(IBPB, "ibpb", 0x80000008, 0, 1, 12) \
    F(IBRS, "ibrs", 0x80000008, 0, 1, 14) \
    F(AMD_STIBP, "amd-stibp", 0x80000008, 0, 1, 15) \
    F(AMD_SSBD, "amd-ssbd", 0x80000008, 0, 1, 24) \
    F(VIRT_SSBD, "virt-ssbd", 0x80000008, 0, 1, 25) \
    F(AMD_NO_SSB, "amd-no-ssb", 0x80000008, 0, 1, 26) \
    /* Leaf 6 EAX */ \
    F(ARAT, "arat", 6, 0, 0, 2) \
    /* Leaf 0x8000000A EDX: SVM */ \
    F(NPT, "npt", 0x8000000a, 0, 3, 0) \
    F(LBRV, "lbrv", 0x8000000a, 0, 3, 1) \
    F(SVM_LOCK, "svm-lock", 0x8000000a, 0, 3, 2) \
    F(NRIP_SAVE, "nrip-save", 0x8000000a, 0, 3, 3) \
    F(TSC_SCALE, "tsc-scale", 0x8000000a, 0, 3, 4) \
    F(VMCB_CLEAN, "vmcb-clean", 0x8000000a, 0, 3, 5) \
    F(FLUSHBYASID, "flushbyasid", 0x8000000a, 0, 3, 6) \
    F(DECODEASSISTS, "decodeassists", 0x8000000a, 0, 3, 7) \
    F(PAUSE_FILTER, "pause-filter", 0x8000000a, 0, 3, 10) \
    F(PFTHRESHOLD, "pfthreshold", 0x8000000a, 0, 3, 12) \
    F(AVIC, "avic", 0x8000000a, 0, 3, 13) \
    F(V_VMSAVE_VMLOAD, "v-vmsave-vmload", 0x8000000a, 0, 3, 15) \
    F(VGIF, "vgif", 0x8000000a, 0, 3, 16) \
    F(SVME_ADDR_CHK, "svme-addr-chk", 0x8000000a, 0, 3, 28) \
    /* Leaf 0xC0000001 EDX: VIA PadLock */ \
    F(XSTORE, "xstore", 0xc0000001, 0, 3, 2) \
    F(XSTORE_EN, "xstore-en", 0xc0000001, 0, 3, 3) \
    F(XCRYPT, "xcrypt", 0xc0000001, 0, 3, 6) \
    F(XCRYPT_EN, "xcrypt-en", 0xc0000001, 0, 3, 7) \
    F(ACE2, "ace2", 0xc0000001, 0, 3, 8) \
    F(ACE2_EN, "ace2-en", 0xc0000001, 0, 3, 9) \
    F(PHE, "phe", 0xc0000001, 0, 3, 10) \
    F(PHE_EN, "phe-en", 0xc0000001, 0, 3, 11) \
    F(PMM, "pmm", 0xc0000001, 0, 3, 12) \
    F(PMM_EN, "pmm-en", 0xc0000001, 0, 3, 13) \
    /* Leaf 0x40000001: KVM's paravirtual features */ \
    F(KVMCLOCK, "kvmclock", 0x40000001, 0, 0, 0) \
    F(KVM_NOPIODELAY, "kvm-nopiodelay", 0x40000001, 0, 0, 1) \
    F(KVM_MMU, "kvm-mmu", 0x40000001, 0, 0, 2) \
    F(KVMCLOCK2, "kvmclock", 0x40000001, 0, 0, 3) \
    F(KVM_ASYNCPF, "kvm-asyncpf", 0x40000001, 0, 0, 4) \
    F(KVM_STEAL_TIME, "kvm-steal-time", 0x40000001, 0, 0, 5) \
    F(KVM_PV_EOI, "kvm-pv-eoi", 0x40000001, 0, 0, 6) \
    F(KVM_PV_UNHALT, "kvm-pv-unhalt", 0x40000001, 0, 0, 7) \
    F(KVM_PV_TLB_FLUSH, "kvm-pv-tlb-flush", 0x40000001, 0, 0, 9) \
    F(KVM_PV_IPI, "kvm-pv-ipi", 0x40000001, 0, 0, 11) \
    F(KVM_POLL_CONTROL, "kvm-poll-control", 0x40000001, 0, 0, 12) \
    F(KVM_PV_SCHED_YIELD, "kvm-pv-sched-yield", 0x40000001, 0, 0, 13) \
    F(KVM_ASYNCPF_INT, "kvm-asyncpf-int", 0x40000001, 0, 0, 14) \
    F(KVM_MSI_EXT_DEST_ID, "kvm-msi-ext-dest-id", 0x40000001, 0, 0, 15) \
    F(KVMCLOCK_STABLE_BIT, "kvmclock-stable-bit", 0x40000001, 0, 0, 24) \
    F(KVM_HINT_DEDICATED, "kvm-hint-dedicated", 0x40000001, 0, 3, 0) \
    /* Leaves 0x12 and 0x14: SGX, processor trace */ \
    F(SGX1, "sgx1", 0x12, 0, 0, 0) \
    F(SGX2, "sgx2", 0x12, 0, 0, 1) \
    F(SGX_EXINFO, "sgx-exinfo", 0x12, 0, 1, 0) \
    F(SGX_DEBUG, "sgx-debug", 0x12, 1, 0, 1) \
    F(SGX_MODE64, "sgx-mode64", 0x12, 1, 0, 2) \
    F(SGX_PROVISIONKEY, "sgx-provisionkey", 0x12, 1, 0, 4) \
    F(SGX_TOKENKEY, "sgx-tokenkey", 0x12, 1, 0, 5) \
    F(SGX_KSS, "sgx-kss", 0x12, 1, 0, 7) \
    F(INTEL_PT_LIP, "intel-pt-lip", 0x14, 0, 2, 31) \
    /* Bits of capability MSRs: the leaf is 0xF0000000 + MSR number, registers EAX and EDX */ \
    F(RDCTL_NO, "rdctl-no", 0xf000010a, 0, 0, 0) \
    F(IBRS_ALL, "ibrs-all", 0xf000010a, 0, 0, 1) \
    F(RSBA, "rsba", 0xf000010a, 0, 0, 2) \
    F(SKIP_L1DFL_VMENTRY, "skip-l1dfl-vmentry", 0xf000010a, 0, 0, 3) \
    F(SSB_NO, "ssb-no", 0xf000010a, 0, 0, 4) \
    F(MDS_NO, "mds-no", 0xf000010a, 0, 0, 5) \
    F(PSCHANGE_MC_NO, "pschange-mc-no", 0xf000010a, 0, 0, 6) \
    F(TSX_CTRL, "tsx-ctrl", 0xf000010a, 0, 0, 7) \
    F(TAA_NO, "taa-no", 0xf000010a, 0, 0, 8) \
    F(SPLIT_LOCK_DETECT, "split-lock-detect", 0xf00000cf, 0, 0, 5) \
    F(FULL_WIDTH_WRITE, "full-width-write", 0xf0000345, 0, 0, 13)
/* clang-format on */
