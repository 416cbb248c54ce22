/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* KVM: what is said where it cannot be used, and, where it can, that it runs code and takes and
 * gives back every register. The host's KVM may be absent, refused or broken: then its message is
 * printed and the tests that need it are skipped. */

#include "vit-clock.h"
#include "vit-error.h"
#include "x86-system.h"

#include "kvm-private.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static void
expect_refusal(const char *path, int code, const char *const words[])
{
    g_autoptr(GError) error = NULL;

    g_assert_null(vit_kvm_new(path, 0, &error));
    g_assert_nonnull(error);
    g_test_message("%s", error->message);
    g_assert_true(g_error_matches(error, VIT_ERROR, code));
    for (unsigned i = 0; words[i]; i++) {
        g_assert_nonnull(strstr(error->message, words[i]));
    }
}

static void
test_absent(void)
{
    static const char *const words[] = { "no KVM", "modprobe", "kvm-amd", "firmware", NULL };

    expect_refusal("/nonexistent/kvm", VIT_ERROR_NOT_FOUND, words);
}

static void
test_denied(void)
{
    static const char *const words[] = { "may not use it", "group kvm", NULL };
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("kvm-denied-XXXXXX", &path, &error);

    g_assert_no_error(error);
    close(fd);
    g_chmod(path, 0);
    /* root is refused nothing: be somebody else for the moment */
    bool was_root = geteuid() == 0 && seteuid(65534) == 0;
    expect_refusal(path, VIT_ERROR_PERMISSION, words);
    if (was_root) {
        g_assert_cmpint(seteuid(0), ==, 0);
    }
    g_unlink(path);
}

static void
test_not_kvm(void)
{
    static const char *const words[] = { "cannot be used", "does not answer as KVM", NULL };
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("kvm-plain-XXXXXX", &path, &error);

    g_assert_no_error(error);
    close(fd);
    expect_refusal(path, VIT_ERROR_FAILED, words);
    expect_refusal("/dev/null", VIT_ERROR_FAILED, words);
    g_unlink(path);
}

static void
test_verdict(void)
{
    g_autoptr(GError) error = NULL;
    int64_t before = g_get_monotonic_time();
    VitKvm *kvm = vit_kvm_new(VIT_KVM_DEVICE, 0, &error);
    int64_t took = g_get_monotonic_time() - before;

    g_test_message("%s: %s, in %.1f ms", VIT_KVM_DEVICE, kvm ? "usable" : error->message,
                   took / 1000.0);
    /* whatever the verdict, it is one of the three and comes in time */
    g_assert_true(kvm || g_error_matches(error, VIT_ERROR, VIT_ERROR_NOT_FOUND) ||
                  g_error_matches(error, VIT_ERROR, VIT_ERROR_PERMISSION) ||
                  g_error_matches(error, VIT_ERROR, VIT_ERROR_FAILED));
    g_assert_cmpint(took, <, 10 * G_USEC_PER_SEC);
    vit_kvm_free(kvm);
}

/* ---- A machine of RAM, a debug port and a device window ---- */

enum { RAM_BYTES = 0x100000, WINDOW = 0x200000, PORT = 0x80, VECTOR = 0x21 };

typedef struct Rig {
    VitLock lock;
    VitClock *clock;
    VitMapDomain *maps;
    VitRegion memory_root, io_root, ram_region, port_region, window_region;
    VitRamBlock *ram;
    VitAddressSpace *memory, *io;
    X86CpuModel model;
    VitCpuHost host;
    VitCpu cpu;
    VitMapReader reader;
    VitKvm *kvm;
    GString *port_bytes;
    uint64_t window;
    unsigned acks;
} Rig;

static uint64_t
port_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0x5a;
}

static void
port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    g_string_append_c(((Rig *)opaque)->port_bytes, value);
}

static uint64_t
window_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((Rig *)opaque)->window + offset;
}

static void
window_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    ((Rig *)opaque)->window = value;
}

static int
ack(void *opaque)
{
    Rig *rig = opaque;

    rig->acks++;
    vit_cpu_lower(&rig->cpu, VIT_CPU_EVENT_INTR);
    return VECTOR;
}

static const VitRegionOps port_ops = { port_read, port_write, 1, 1 };
static const VitRegionOps window_ops = { window_read, window_write, 1, 8 };

static void
rig_free(Rig *rig)
{
    vit_map_reader_offline(&rig->reader);
    vit_map_reader_unregister(&rig->reader);
    vit_lock_take(&rig->lock);
    vit_kvm_executor.destroy(&rig->cpu);
    vit_kvm_free(rig->kvm);
    vit_lock_release(&rig->lock);
    vit_address_space_free(rig->memory);
    vit_address_space_free(rig->io);
    vit_region_finish(&rig->ram_region);
    vit_region_finish(&rig->port_region);
    vit_region_finish(&rig->window_region);
    vit_region_finish(&rig->memory_root);
    vit_region_finish(&rig->io_root);
    vit_map_domain_free(rig->maps);
    vit_ram_block_free(rig->ram);
    vit_clock_free(rig->clock);
    vit_lock_finish(&rig->lock);
    g_string_free(rig->port_bytes, TRUE);
    g_free(rig->cpu.error);
    g_free(rig);
}

static void
rig_make_maps(Rig *rig)
{
    g_autoptr(GError) error = NULL;

    vit_lock_init(&rig->lock);
    rig->clock = vit_clock_new(&rig->lock, VIT_CLOCK_REALTIME);
    rig->maps = vit_map_domain_new(&rig->lock);
    rig->ram = vit_ram_block_new("ram", RAM_BYTES, &error);
    g_assert_no_error(error);
    vit_region_init_container(&rig->memory_root, "memory", UINT64_MAX);
    vit_region_init_container(&rig->io_root, "io", 0x10000);
    vit_region_init_ram(&rig->ram_region, "ram", rig->ram, 0, RAM_BYTES);
    vit_region_init_io(&rig->port_region, "port", &port_ops, rig, 1);
    vit_region_init_io(&rig->window_region, "window", &window_ops, rig, 0x1000);
    vit_lock_take(&rig->lock);
    rig->memory = vit_address_space_new(rig->maps, "memory", &rig->memory_root);
    rig->io = vit_address_space_new(rig->maps, "io", &rig->io_root);
    vit_region_add(&rig->memory_root, 0, &rig->ram_region, 0);
    vit_region_add(&rig->memory_root, WINDOW, &rig->window_region, 0);
    vit_region_add(&rig->io_root, PORT, &rig->port_region, 0);
    vit_lock_release(&rig->lock);
    vit_map_reader_register(rig->maps, &rig->reader);
    vit_map_reader_online(&rig->reader);
}

/* NULL, and the test skipped, where no VM can be made. The self-test is left out: what the kernel
 * cannot do the interpreter does. */
static Rig *
rig_new(const char *model)
{
    uint64_t offered[X86_FEATURE_WORDS];
    g_autoptr(GError) error = NULL;
    VitKvm *kvm = vit_kvm_new(VIT_KVM_DEVICE, VIT_KVM_NO_SELF_TEST, &error);
    Rig *rig;

    if (!kvm) {
        g_test_skip(error->message);
        return NULL;
    }
    rig = g_new0(Rig, 1);
    rig->kvm = kvm;
    rig->port_bytes = g_string_new(NULL);
    rig_make_maps(rig);
    vit_kvm_features(kvm, offered);
    g_assert_true(x86_model_resolve(model, offered, true, &rig->model, NULL, &error));
    vit_kvm_settle_model(kvm, &rig->model);
    rig->host = (VitCpuHost){ .memory = rig->memory,
                              .memory_smm = rig->memory,
                              .io = rig->io,
                              .clock = rig->clock,
                              .interrupt_ack = ack,
                              .opaque = rig };
    rig->cpu = (VitCpu){ .executor = &vit_kvm_executor,
                         .host = &rig->host,
                         .is_bsp = true,
                         .a20_enabled = true,
                         .executor_machine = kvm };
    vit_lock_take(&rig->lock);
    g_assert_true(vit_kvm_executor.create(&rig->cpu, &rig->model, &error));
    vit_lock_release(&rig->lock);
    return rig;
}

/* Runs CODE in real mode at 0:1000h until run() returns. */
static VitCpuExit
rig_run(Rig *rig, const uint8_t *code, size_t len)
{
    X86State *s = rig->cpu.state;

    memcpy(rig->ram->host + 0x1000, code, len);
    s->seg[X86_CS].base = 0;
    s->seg[X86_CS].selector = 0;
    s->gpr[X86_RSP] = 0x8000;
    s->rip = 0x1000;
    vit_kvm_executor.sync_in(&rig->cpu);
    return vit_kvm_executor.run(&rig->cpu);
}

static void
test_real_mode(void)
{
    static const uint8_t code[] = {
        0xb0, 'o',        /* mov al, 'o' */
        0xe6, PORT,       /* out 80h, al */
        0xbe, 0x00, 0x20, /* mov si, 2000h */
        0xba, PORT, 0x00, /* mov dx, 80h */
        0xb9, 0x03, 0x00, /* mov cx, 3 */
        0xf3, 0x6e,       /* rep outsb */
        0xe4, PORT,       /* in al, 80h */
        0xa2, 0x10, 0x20, /* mov [2010h], al */
        0xf4,             /* hlt */
    };
    Rig *rig = rig_new("qemu64");

    if (!rig) {
        return;
    }
    memcpy(rig->ram->host + 0x2000, "kay", 3);
    g_assert_cmpint(rig_run(rig, code, sizeof(code)), ==, VIT_CPU_EXIT_HALT);
    g_assert_cmpstr(rig->port_bytes->str, ==, "okay");
    g_assert_cmphex(rig->ram->host[0x2010], ==, 0x5a);
    vit_kvm_executor.sync_out(&rig->cpu);
    g_assert_cmphex(((X86State *)rig->cpu.state)->rip, ==, 0x1000 + sizeof(code));
    g_assert_cmphex(((X86State *)rig->cpu.state)->gpr[X86_RSI] & 0xffff, ==, 0x2003);
    rig_free(rig);
}

/* x87, which a software KVM may leave to the interpreter, between instructions that it does. */
static void
test_x87(void)
{
    static const uint8_t code[] = {
        0x9b, 0xdb, 0xe3,             /* finit */
        0xd9, 0x06, 0x00, 0x20,       /* fld dword [2000h] */
        0xd8, 0x06, 0x04, 0x20,       /* fadd dword [2004h] */
        0xd9, 0x1e, 0x08, 0x20,       /* fstp dword [2008h] */
        0xb0, 'x',  0xe6, PORT, 0xf4, /* mov al, 'x'; out 80h, al; hlt */
    };
    const float operands[] = { 1.5f, 2.25f };
    Rig *rig = rig_new("qemu64");
    bool given_up;
    float sum;

    if (!rig) {
        return;
    }
    memcpy(rig->ram->host + 0x2000, operands, sizeof(operands));
    g_assert_cmpint(rig_run(rig, code, sizeof(code)), ==, VIT_CPU_EXIT_HALT);
    memcpy(&sum, rig->ram->host + 0x2008, 4);
    g_assert_cmpfloat(sum, ==, 3.75f);
    g_assert_cmpstr(rig->port_bytes->str, ==, "x");
    g_test_message("the interpreter helped %u times", vit_kvm_failures(rig->kvm, &given_up));
    g_assert_false(given_up);
    rig_free(rig);
}

/* An interrupt that waits for IF, and one that ends a halt. */
static void
test_interrupt(void)
{
    static const uint8_t code[] = {
        0xfb, 0x90, 0xe4, PORT, 0xf4,       /* sti; nop; in al, 80h; hlt */
        0xb0, 'e',  0xe6, PORT, 0xfa, 0xf4, /* mov al, 'e'; out 80h, al; cli; hlt */
    };
    static const uint8_t handler[] = { 0xb0, 'i', 0xe6, PORT, 0xcf }; /* out 'i'; iret */
    static const uint16_t gate[] = { 0x3000, 0 };
    Rig *rig = rig_new("qemu64");

    if (!rig) {
        return;
    }
    memcpy(rig->ram->host + 0x3000, handler, sizeof(handler));
    memcpy(rig->ram->host + VECTOR * 4, gate, sizeof(gate));
    vit_cpu_raise(&rig->cpu, VIT_CPU_EVENT_INTR);
    g_assert_cmpint(rig_run(rig, code, sizeof(code)), ==, VIT_CPU_EXIT_HALT);
    g_assert_cmpstr(rig->port_bytes->str, ==, "i");
    g_assert_cmpuint(rig->acks, ==, 1);
    g_assert_cmpint(vit_kvm_executor.run(&rig->cpu), ==, VIT_CPU_EXIT_HALT);
    vit_cpu_raise(&rig->cpu, VIT_CPU_EVENT_INTR);
    g_assert_cmpint(vit_kvm_executor.run(&rig->cpu), ==, VIT_CPU_EXIT_HALT);
    g_assert_cmpstr(rig->port_bytes->str, ==, "iie");
    /* IF is clear now: this one stays where it is */
    vit_cpu_raise(&rig->cpu, VIT_CPU_EVENT_INTR);
    g_assert_cmpint(vit_kvm_executor.run(&rig->cpu), ==, VIT_CPU_EXIT_HALT);
    g_assert_cmpuint(rig->acks, ==, 2);
    rig_free(rig);
}

static gpointer
stop_later(gpointer data)
{
    g_usleep(20000);
    vit_cpu_raise(data, VIT_CPU_EVENT_EXIT);
    return NULL;
}

/* A guest that never leaves by itself is got out. */
static void
test_kick(void)
{
    static const uint8_t code[] = { 0x40, 0xeb, 0xfd }; /* inc ax; jmp $-1 */
    Rig *rig = rig_new("qemu64");

    if (!rig) {
        return;
    }
    GThread *stopper = g_thread_new("stop", stop_later, &rig->cpu);
    g_assert_cmpint(rig_run(rig, code, sizeof(code)), ==, VIT_CPU_EXIT_REQUEST);
    g_thread_join(stopper);
    g_assert_cmphex(((X86State *)rig->cpu.state)->rip & ~1ull, ==, 0x1000);
    rig_free(rig);
}

/* ---- State ---- */

static void
fill_state(X86State *s)
{
    for (unsigned i = 0; i < 16; i++) {
        s->gpr[i] = 0x0123456789abcdef * (i + 1);
        for (unsigned n = 0; n < 16; n++) {
            s->zmm[i].u8[n] = i * 16 + n;
        }
    }
    s->rip = 0x12345678;
    s->rflags = 2 | X86_FLAG_CF | X86_FLAG_DF | X86_FLAG_ID;
    /* 64-bit code over page tables that are not there: nothing runs */
    s->cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP;
    s->cr2 = 0xdeadbeef000;
    s->cr3 = 0x7000;
    s->cr4 = X86_CR4_PAE | X86_CR4_PGE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;
    s->efer = X86_EFER_LME | X86_EFER_LMA | X86_EFER_SCE | X86_EFER_NXE;
    s->seg[X86_CS] = (X86Segment){ .selector = 8, .attr = 0xa09b00, .limit = 0xffffffff };
    for (unsigned i = 0; i < X86_SEG_LAST; i++) {
        if (i != X86_CS) {
            s->seg[i] = (X86Segment){ .selector = 16, .attr = 0xc09300, .limit = 0xffffffff };
        }
    }
    s->seg[X86_FS].base = 0x7f0011223000;
    s->seg[X86_GS].base = 0xffff888000001000;
    s->gdtr = (X86TableReg){ .base = 0xffff888000002000, .limit = 0x7f };
    s->idtr = (X86TableReg){ .base = 0xffff888000003000, .limit = 0xfff };
    s->fpu.fcw = 0x27f;
    s->fpu.ftw = 0x81;
    s->fpu.fsw = 0x3800;
    s->fpu.st[0].mantissa = 0xc000000000000000;
    s->fpu.st[0].sign_exponent = 0x4000;
    s->mxcsr = 0x1fa0;
    s->dr[0] = 0x1000;
    s->dr[3] = 0x4000;
    s->star = 0x0023001000000000;
    s->lstar = 0xffffffff81000000;
    s->cstar = 0xffffffff81001000;
    s->sfmask = 0x47700;
    s->kernel_gs_base = 0x7f0000001000;
    s->sysenter_cs = 0x10;
    s->sysenter_esp = 0xffff888000009000;
    s->sysenter_eip = 0xffffffff81002000;
    s->pat = 0x0407010600070106;
    s->nmi_blocked = true;
}

#define EXPECT_EQUAL(field)                                                  \
    if (memcmp(&after->field, &before->field, sizeof(before->field)) != 0) { \
        g_test_message("%s differs", #field);                                \
        differences++;                                                       \
    }

static unsigned
compare_states(const X86State *after, const X86State *before)
{
    unsigned differences = 0;

    EXPECT_EQUAL(gpr);
    EXPECT_EQUAL(rip);
    EXPECT_EQUAL(rflags);
    for (unsigned i = 0; i < X86_SEG_LAST; i++) {
        EXPECT_EQUAL(seg[i].selector);
        EXPECT_EQUAL(seg[i].attr);
        EXPECT_EQUAL(seg[i].limit);
        EXPECT_EQUAL(seg[i].base);
    }
    EXPECT_EQUAL(ldtr.selector);
    EXPECT_EQUAL(ldtr.attr);
    EXPECT_EQUAL(ldtr.limit);
    EXPECT_EQUAL(ldtr.base);
    EXPECT_EQUAL(tr.selector);
    EXPECT_EQUAL(tr.attr);
    EXPECT_EQUAL(tr.limit);
    EXPECT_EQUAL(tr.base);
    EXPECT_EQUAL(gdtr.base);
    EXPECT_EQUAL(gdtr.limit);
    EXPECT_EQUAL(idtr.base);
    EXPECT_EQUAL(idtr.limit);
    EXPECT_EQUAL(cr0);
    EXPECT_EQUAL(cr2);
    EXPECT_EQUAL(cr3);
    EXPECT_EQUAL(cr4);
    EXPECT_EQUAL(efer);
    EXPECT_EQUAL(xcr0);
    EXPECT_EQUAL(dr);
    EXPECT_EQUAL(cpl);
    EXPECT_EQUAL(fpu);
    EXPECT_EQUAL(zmm);
    EXPECT_EQUAL(mxcsr);
    EXPECT_EQUAL(star);
    EXPECT_EQUAL(lstar);
    EXPECT_EQUAL(cstar);
    EXPECT_EQUAL(sfmask);
    EXPECT_EQUAL(kernel_gs_base);
    EXPECT_EQUAL(sysenter_cs);
    EXPECT_EQUAL(sysenter_esp);
    EXPECT_EQUAL(sysenter_eip);
    EXPECT_EQUAL(pat);
    EXPECT_EQUAL(mtrr_def_type);
    EXPECT_EQUAL(mtrr_fixed);
    EXPECT_EQUAL(mtrr_base);
    EXPECT_EQUAL(mtrr_mask);
    EXPECT_EQUAL(nmi_blocked);
    EXPECT_EQUAL(interrupt_shadow);
    EXPECT_EQUAL(pending_vector);
    return differences;
}

static void
round_trip(Rig *rig)
{
    KvmVcpu *vcpu = rig->cpu.executor_data;
    X86State before = *(X86State *)rig->cpu.state;

    g_assert_true(kvm_push(vcpu));
    /* anything that survives only here is lost */
    memset(vcpu->core->s.gpr, 0xee, sizeof(before.gpr));
    memset(vcpu->core->s.seg, 0xee, sizeof(before.seg));
    memset(vcpu->core->s.zmm, 0xee, sizeof(before.zmm));
    memset(vcpu->core->s.fpu.st, 0xee, sizeof(before.fpu.st));
    vcpu->core->s.lstar = vcpu->core->s.cr3 = vcpu->core->s.mxcsr = 0;
    vcpu->core->s.zmm[0] = before.zmm[0];
    for (unsigned i = 0; i < 32; i++) {
        memcpy(&vcpu->core->s.zmm[i].u8[16], &before.zmm[i].u8[16], 48); /* not all hosts' */
    }
    memcpy(&vcpu->core->s.zmm[16], &before.zmm[16], sizeof(before.zmm[0]) * 16);
    g_assert_true(kvm_pull(vcpu));
    g_assert_cmpuint(compare_states(&vcpu->core->s, &before), ==, 0);
}

static void
test_round_trip(void)
{
    Rig *rig = rig_new("qemu64");

    if (!rig) {
        return;
    }
    round_trip(rig); /* as after reset */
    fill_state(rig->cpu.state);
    round_trip(rig);
    rig_free(rig);
}

int
main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvm/message/absent", test_absent);
    g_test_add_func("/kvm/message/denied", test_denied);
    g_test_add_func("/kvm/message/not-kvm", test_not_kvm);
    g_test_add_func("/kvm/self-test", test_verdict);
    g_test_add_func("/kvm/run/real-mode", test_real_mode);
    g_test_add_func("/kvm/run/x87", test_x87);
    g_test_add_func("/kvm/run/interrupt", test_interrupt);
    g_test_add_func("/kvm/run/kick", test_kick);
    g_test_add_func("/kvm/state/round-trip", test_round_trip);
    return g_test_run();
}
