/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* From a command line to the machine it means: shorthands, slots, default devices, topology.
 * mission: cli.disk-image fda fdb hda hdb hdc hdd cdrom snapshot nodefaults nographic enable-kvm
 * mission: drive.index drive.bus drive.unit drive.media drive.cache.* drive.if.* drive.id
 * mission: smp.* m.* boot.* serial.* parallel.* monitor qmp qmp-pretty mon.* debugcon nic.* net.*
 * mission: kernel append initrd bios L option-rom fw_cfg.* rtc.* name.* uuid action.* no-reboot
 * mission: no-shutdown no-acpi no-hpet accel machine.accel vga.* display.none set global S k */

#include "vit-plan.h"

#include <string.h>

static VitMachinePlan *
plan_of(const char *text)
{
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    g_autoptr(VitConfig) config = vit_config_parse(text, VIT_PARSE_DEFAULT, diags);
    VitMachinePlan *plan = vit_config_normalize(config, diags);

    for (unsigned i = 0; i < vit_diag_list_get_n(diags); i++)
        g_test_message("%s: %s", text, vit_diag_list_get(diags, i)->message);
    g_assert_nonnull(plan);
    return plan;
}

static char *
drives_of(const char *text)
{
    g_autoptr(VitMachinePlan) plan = plan_of(text);
    GString *out = g_string_new(NULL);

    for (unsigned i = 0; i < plan->drives->len; i++) {
        const VitPlanDrive *d = plan->drives->pdata[i];
        g_string_append_printf(out, "%s%s@%d.%d=%s%s%s%s", i ? " " : "", d->id, d->bus, d->unit,
                               d->file ? d->file : "-", d->is_cdrom ? "(cd)" : "",
                               d->snapshot ? "(snap)" : "", d->is_default ? "*" : "");
    }
    return g_string_free(out, FALSE);
}

static void
test_drives(void)
{
    static const struct {
        const char *text, *drives;
    } cases[] = {
        { "", "ide1-cd0@1.0=-(cd)* floppy0@0.0=-*" },
        { "-nodefaults", "" },
        { "a.img", "ide0-hd0@0.0=a.img ide1-cd0@1.0=-(cd)* floppy0@0.0=-*" },
        { "-hda a -hdb b -hdc c -hdd d",
          "ide0-hd0@0.0=a ide0-hd1@0.1=b ide1-hd0@1.0=c ide1-hd1@1.1=d floppy0@0.0=-*" },
        { "-cdrom x.iso -fda f", "ide1-cd0@1.0=x.iso(cd) floppy0@0.0=f" },
        { "-nodefaults -M q35 -hda a -hdb b", "ide0-hd0@0.0=a ide1-hd0@1.0=b" },
        { "-nodefaults -drive file=a -drive file=b -drive file=c,index=3 -drive file=d",
          "ide0-hd0@0.0=a ide0-hd1@0.1=b ide1-hd1@1.1=c ide1-hd0@1.0=d" },
        { "-nodefaults -drive file=a,bus=1,unit=1 -drive file=b,bus=1",
          "ide1-hd1@1.1=a ide1-hd0@1.0=b" },
        { "-nodefaults -drive file=a,if=none -drive file=b,if=none,id=x -drive file=c,if=none",
          "none0@-1.-1=a x@-1.-1=b none1@-1.-1=c" },
        { "-nodefaults -snapshot -hda a -cdrom c -drive file=b,snapshot=off",
          "ide0-hd0@0.0=a(snap) ide1-cd0@1.0=c(cd) ide0-hd1@0.1=b" },
        { "-nodefaults -drive file=a,,b.img,media=cdrom", "ide0-cd0@0.0=a,b.img(cd)" },
        { "-device ide-hd,drive=x -drive if=none,id=x,file=a", "x@-1.-1=a floppy0@0.0=-*" },
        { "-nodefaults -set drive.x.file=b -drive if=none,id=x,file=a", "x@-1.-1=b" },
        { "-nodefaults -pflash code -pflash vars", "pflash0@0.0=code pflash1@0.1=vars" },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(cases); i++) {
        g_autofree char *drives = drives_of(cases[i].text);

        g_assert_cmpstr(drives, ==, cases[i].drives);
    }
}

static void
test_cache(void)
{
    static const struct {
        const char *text;
        bool writeback, direct, no_flush;
    } cases[] = {
        { "", true, false, false },
        { ",cache=none", true, true, false },
        { ",cache=writethrough", false, false, false },
        { ",cache=directsync", false, true, false },
        { ",cache=unsafe", true, false, true },
        { ",cache=none,cache.direct=off", true, false, false },
        { ",cache.writeback=off", false, false, false },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(cases); i++) {
        g_autofree char *text = g_strconcat("-nodefaults -drive file=a", cases[i].text, NULL);
        g_autoptr(VitMachinePlan) plan = plan_of(text);
        const VitPlanDrive *drive = plan->drives->pdata[0];

        g_assert_cmpint(drive->cache_writeback, ==, cases[i].writeback);
        g_assert_cmpint(drive->cache_direct, ==, cases[i].direct);
        g_assert_cmpint(drive->cache_no_flush, ==, cases[i].no_flush);
    }
}

static char *
ports_of(const char *text)
{
    g_autoptr(VitMachinePlan) plan = plan_of(text);
    GString *out = g_string_new(NULL);

    for (unsigned i = 0; i < plan->chardevs->len; i++) {
        const VitPlanChardev *c = plan->chardevs->pdata[i];
        g_string_append_printf(out, "%s:%s%s ", c->id, c->backend, c->mux ? "+mux" : "");
        for (unsigned p = 0; p < c->props.n_props; p++)
            g_string_append_printf(out, "%s=%s ", c->props.props[p].key, c->props.props[p].value);
    }
    for (unsigned i = 0; i < plan->serials->len; i++) {
        const VitPlanPort *p = plan->serials->pdata[i];
        g_string_append_printf(out, "s%u=%s ", i, p->absent ? "none" : p->chardev);
    }
    for (unsigned i = 0; i < plan->parallels->len; i++) {
        const VitPlanPort *p = plan->parallels->pdata[i];
        g_string_append_printf(out, "p%u=%s ", i, p->absent ? "none" : p->chardev);
    }
    for (unsigned i = 0; i < plan->monitors->len; i++) {
        const VitPlanMonitor *m = plan->monitors->pdata[i];
        g_string_append_printf(out, "%s%s@%s ", m->is_qmp ? "qmp" : "hmp", m->pretty ? "+" : "",
                               m->chardev);
    }
    return g_string_free(out, FALSE);
}

static void
test_ports(void)
{
    static const struct {
        const char *text, *ports;
    } cases[] = {
        { "-nodefaults", "" },
        { "-nographic", "parallel0:null serial0:stdio+mux s0=serial0 p0=parallel0 hmp@serial0 " },
        { "-nographic -monitor none", "parallel0:null serial0:stdio s0=serial0 p0=parallel0 " },
        { "-nographic -serial null",
          "serial0:null parallel0:null compat_monitor0:stdio s0=serial0 p0=parallel0 "
          "hmp@compat_monitor0 " },
        { "-display none -parallel none",
          "serial0:vc cols=80 rows=24 compat_monitor0:vc cols=80 rows=24 s0=serial0 p0=none "
          "hmp@compat_monitor0 " },
        { "-parallel none -serial mon:stdio", "serial0:stdio+mux s0=serial0 p0=none hmp@serial0 " },
        { "-nodefaults -serial tcp:127.0.0.1:4444,server,nowait",
          "serial0:socket host=127.0.0.1 port=4444 server=on wait=off s0=serial0 " },
        { "-nodefaults -serial telnet::23,server=on",
          "serial0:socket port=23 telnet=on server=on s0=serial0 " },
        { "-nodefaults -serial unix:/tmp/s,server=on,wait=off -serial none -serial file:x",
          "serial0:socket path=/tmp/s server=on wait=off serial2:file path=x s0=serial0 s1=none "
          "s2=serial2 " },
        { "-nodefaults -serial udp:h:1@[::1]:2",
          "serial0:udp host=h port=1 localaddr=::1 localport=2 s0=serial0 " },
        { "-nodefaults -qmp tcp:[::]:1,server=on -qmp-pretty null -monitor pty",
          "compat_monitor0:socket host=:: port=1 server=on compat_monitor1:null "
          "compat_monitor2:pty qmp@compat_monitor0 qmp+@compat_monitor1 hmp@compat_monitor2 " },
        { "-nodefaults -chardev stdio,id=c,mux=on -mon c -serial chardev:c -mon "
          "chardev=c,mode=control",
          "c:stdio+mux s0=c hmp@c qmp@c " },
        { "-nodefaults -chardev tty,id=t,path=/dev/ttyS1", "t:serial path=/dev/ttyS1 " },
        { "-nodefaults -serial /dev/ttyUSB0 -serial vc:800x600",
          "serial0:serial path=/dev/ttyUSB0 serial1:vc width=800 height=600 s0=serial0 "
          "s1=serial1 " },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(cases); i++) {
        g_autofree char *ports = ports_of(cases[i].text);

        g_assert_cmpstr(ports, ==, cases[i].ports);
    }
}

static char *
net_of(const char *text)
{
    g_autoptr(VitMachinePlan) plan = plan_of(text);
    GString *out = g_string_new(NULL);

    for (unsigned i = 0; i < plan->netdevs->len; i++) {
        const VitPlanNetdev *n = plan->netdevs->pdata[i];
        g_string_append_printf(out, "%s:%s", n->id, n->type);
        if (n->hub >= 0)
            g_string_append_printf(out, "@hub%d", n->hub);
        for (unsigned p = 0; p < n->props.n_props; p++)
            g_string_append_printf(out, ",%s=%s", n->props.props[p].key, n->props.props[p].value);
        g_string_append_c(out, ' ');
    }
    for (unsigned i = 0; i < plan->nics->len; i++) {
        const VitPlanNic *n = plan->nics->pdata[i];
        g_string_append_printf(out, "nic(%s,%s,", n->model ? n->model : "-", n->mac ? n->mac : "-");
        if (n->hub >= 0)
            g_string_append_printf(out, "hub%d)", n->hub);
        else
            g_string_append_printf(out, "%s)", n->netdev);
        g_string_append(out, n->is_default ? "* " : " ");
    }
    return g_string_free(out, FALSE);
}

static void
test_net(void)
{
    static const struct {
        const char *text, *net;
    } cases[] = {
        { "", "net0:user nic(-,-,net0)* " },
        { "-nodefaults", "" },
        { "-nic none", "" },
        { "-net none", "" },
        { "-nic user,model=e1000,mac=52:54:00:12:34:57,hostfwd=tcp::1-:2",
          "net0:user,hostfwd=tcp::1-:2 nic(e1000,52:54:00:12:34:57,net0) " },
        { "-nic user -nic user,id=x", "net0:user x:user nic(-,-,net0) nic(-,-,x) " },
        { "-netdev user,id=n -device e1000,netdev=n", "n:user " },
        { "-net nic,model=rtl8139 -net user,hostname=h",
          "net0:user@hub0,hostname=h nic(rtl8139,-,hub0) " },
        { "-netdev user,id=n -net nic,netdev=n", "n:user nic(-,-,n) " },
        { "-device e1000", "net0:user nic(-,-,net0)* " },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(cases); i++) {
        g_autofree char *net = net_of(cases[i].text);

        g_assert_cmpstr(net, ==, cases[i].net);
    }
}

static void
test_topology(void)
{
    static const struct {
        const char *text;
        unsigned cpus, max, sockets, cores, threads;
    } cases[] = {
        { "", 1, 1, 1, 1, 1 },
        { "-smp 4", 4, 4, 1, 4, 1 },
        { "-M pc-i440fx-6.1 -smp 4", 4, 4, 4, 1, 1 },
        { "-M pc-q35-6.2 -smp 4", 4, 4, 1, 4, 1 },
        { "-smp 8,sockets=2", 8, 8, 2, 4, 1 },
        { "-smp 8,sockets=2,cores=2", 8, 8, 2, 2, 2 },
        { "-smp cores=2,threads=2", 4, 4, 1, 2, 2 },
        { "-smp 2,maxcpus=8,threads=2", 2, 8, 1, 4, 2 },
        { "-smp maxcpus=6", 6, 6, 1, 6, 1 },
        { "-smp 2 -smp cores=2", 2, 2, 1, 2, 1 },
        { "-smp 8,cores=4,threads=2,sockets=1", 8, 8, 1, 4, 2 },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(cases); i++) {
        g_autoptr(VitMachinePlan) plan = plan_of(cases[i].text);

        g_test_message("%s", cases[i].text);
        g_assert_cmpuint(plan->cpus, ==, cases[i].cpus);
        g_assert_cmpuint(plan->max_cpus, ==, cases[i].max);
        g_assert_cmpuint(plan->sockets, ==, cases[i].sockets);
        g_assert_cmpuint(plan->cores, ==, cases[i].cores);
        g_assert_cmpuint(plan->threads, ==, cases[i].threads);
    }
}

static void
test_single_things(void)
{
    g_autoptr(VitMachinePlan) plan = plan_of(
        "-M pc,accel=kvm:tcg,hpet=off,usb=on -cpu max,+avx,-sse3 -m 1G,slots=2,maxmem=4G -no-acpi "
        "-kernel k -append 'a b' -machine initrd=i -L d1 -L d2 -bios b -boot cd,once=d,menu=on,"
        "splash-time=5 -option-rom r.rom -name g,process=p -uuid "
        "550e8400-e29b-41d4-a716-446655440000 "
        "-rtc base=2006-06-17,clock=vm -no-reboot -action reboot=reset,shutdown=pause -S -k de "
        "-fw_cfg opt/a,string=x -global a.b=c -display none -vga none -msg timestamp=on -echr 0x14 "
        "-d int,exec -D log -pidfile pid -smbios type=1,serial=x -acpitable file=t -qtest null "
        "-qtest-log none -gdb tcp::1 -object rng-builtin,id=r -s");

    g_assert_cmpstr(plan->machine, ==, "pc");
    g_assert_cmpuint(plan->accels->len, ==, 2);
    g_assert_cmpstr(((VitPlanAccel *)plan->accels->pdata[0])->name, ==, "kvm");
    g_assert_cmpstr(((VitPlanAccel *)plan->accels->pdata[1])->name, ==, "tcg");
    g_assert_true(plan->usb && !plan->hpet && !plan->acpi && plan->graphics && plan->fd_bootchk);
    g_assert_cmpstr(plan->cpu_model, ==, "max");
    g_assert_cmpstr(vit_plan_props_get(&plan->cpu_props, "avx"), ==, "on");
    g_assert_cmpstr(vit_plan_props_get(&plan->cpu_props, "sse3"), ==, "off");
    g_assert_cmpuint(plan->ram_bytes, ==, VIT_GIB);
    g_assert_cmpuint(plan->max_ram_bytes, ==, 4 * VIT_GIB);
    g_assert_cmpuint(plan->ram_slots, ==, 2);
    g_assert_cmpstr(plan->kernel, ==, "k");
    g_assert_cmpstr(plan->append, ==, "a b");
    g_assert_cmpstr(plan->initrd, ==, "i");
    g_assert_cmpstr(plan->bios, ==, "b");
    g_assert_cmpuint(plan->data_dirs->len, ==, 2);
    g_assert_cmpstr(plan->boot_order, ==, "cd");
    g_assert_cmpstr(plan->boot_once, ==, "d");
    g_assert_true(plan->boot_menu && !plan->boot_strict);
    g_assert_cmpint(plan->boot_splash_time_ms, ==, 5);
    g_assert_cmpint(plan->boot_reboot_timeout_ms, ==, -1);
    g_assert_cmpstr(((VitPlanOther *)plan->option_roms->pdata[0])->value, ==, "r.rom");
    g_assert_cmpstr(plan->name, ==, "g");
    g_assert_cmpstr(plan->process_name, ==, "p");
    g_assert_true(plan->has_uuid && plan->uuid_bytes[0] == 0x55);
    g_assert_cmpint(plan->rtc_base, ==, VIT_PLAN_RTC_DATETIME);
    g_assert_cmpint(plan->rtc_clock, ==, VIT_PLAN_CLOCK_VM);
    g_assert_true(!plan->reboot_ends && plan->shutdown_pauses && plan->start_paused);
    g_assert_cmpstr(plan->keyboard_layout, ==, "de");
    g_assert_cmpstr(((VitPlanFwCfg *)plan->fw_cfg->pdata[0])->string, ==, "x");
    g_assert_cmpstr(((VitPlanGlobal *)plan->globals->pdata[0])->property, ==, "b");
    g_assert_cmpstr(plan->display.type, ==, "none");
    g_assert_cmpstr(plan->vga, ==, "none");
    g_assert_true(plan->msg_timestamp);
    g_assert_cmpuint(plan->mux_escape, ==, 0x14);
    g_assert_cmpstr(plan->log_items, ==, "int,exec");
    g_assert_cmpint(((VitPlanTable *)plan->smbios->pdata[0])->type, ==, 1);
    g_assert_cmpstr(plan->qtest_chardev, ==, "qtest");
    g_assert_cmpstr(plan->qtest_log, ==, "none");
    g_assert_cmpstr(vit_plan_find_other(plan, "gdb")->value, ==, "gdb");
    g_assert_cmpstr(((VitPlanDevice *)plan->objects->pdata[0])->name, ==, "rng-builtin");

    g_autoptr(VitMachinePlan) empty = plan_of("");
    g_assert_cmpstr(empty->vga, ==, "std");
    g_assert_true(empty->vga_is_default && empty->display.is_default);
    g_assert_cmpstr(((VitPlanAccel *)empty->accels->pdata[0])->name, ==, "tcg");
    g_assert_cmpuint(empty->ram_bytes, ==, 128 * VIT_MIB);
    g_autoptr(VitMachinePlan) card = plan_of("-device VGA");
    g_assert_cmpstr(card->vga, ==, "none");
    g_autoptr(VitMachinePlan) fallback = plan_of("-accel kvm:tcg -nographic");
    g_assert_cmpuint(fallback->accels->len, ==, 2);
    g_assert_cmpstr(fallback->display.type, ==, "none");
    g_autoptr(VitMachinePlan) kvm = plan_of("-enable-kvm");
    g_assert_cmpstr(((VitPlanAccel *)kvm->accels->pdata[0])->name, ==, "kvm");
}

/* A later failure finds its place in the text. */
static void
test_places(void)
{
    const char *text = "-m 1G -drive if=none,file='my disk.img',id=d0";
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    g_autoptr(VitConfig) config = vit_config_parse(text, VIT_PARSE_DEFAULT, NULL);
    g_autoptr(VitMachinePlan) plan = vit_config_normalize(config, NULL);
    const VitPlanDrive *drive = vit_plan_find_drive(plan, "d0");
    g_autoptr(GError) error = g_error_new(VIT_ERROR, VIT_ERROR_NOT_FOUND, "it is gone");

    vit_config_diag_error(config, drive->src.serial, drive->file_param, error, diags);
    g_autofree char *said = vit_diag_format(vit_diag_list_get(diags, 0), text, "p", 80);
    g_assert_cmpstr(said, ==,
                    "p: it is gone\n"
                    "    -m 1G -drive if=none,file='my disk.img',id=d0\n"
                    "                               ^^^^^^^^^^^\n");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plan/drives", test_drives);
    g_test_add_func("/plan/cache", test_cache);
    g_test_add_func("/plan/ports", test_ports);
    g_test_add_func("/plan/net", test_net);
    g_test_add_func("/plan/topology", test_topology);
    g_test_add_func("/plan/single-things", test_single_things);
    g_test_add_func("/plan/places", test_places);
    return g_test_run();
}
