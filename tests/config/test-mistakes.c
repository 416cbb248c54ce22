/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Typical mistakes on a command line, and exactly what is said about each: the object, the cause,
 * the place, what to do. mission: cli.synopsis cli.duplicate-id */

#include "vit-plan.h"

typedef struct {
    const char *text, *said;
} Mistake;

static const Mistake mistakes[] = {
    { "-mashine pc", "vitrine-run: there is no option -mashine\n"
                     "    -mashine pc\n"
                     "    ^^^^^^^^\n"
                     "    did you mean '-machine'?\n" },
    { "-machine q36", "vitrine-run: there is no machine 'q36'\n"
                      "    -machine q36\n"
                      "             ^^^\n"
                      "    did you mean 'q35'?\n" },
    { "-machine pc,usbb=on", "vitrine-run: -machine pc has no key 'usbb'\n"
                             "    -machine pc,usbb=on\n"
                             "                ^^^^\n"
                             "    did you mean 'usb'?\n" },
    { "-machine pc,hpet=maybe", "vitrine-run: -machine hpet: 'maybe' is neither on nor off\n"
                                "    -machine pc,hpet=maybe\n"
                                "                     ^^^^^\n" },
    { "-cpu qemu46", "vitrine-run: there is no CPU model 'qemu46'\n"
                     "    -cpu qemu46\n"
                     "         ^^^^^^\n"
                     "    did you mean 'qemu64'?\n" },
    { "-accel kvmm", "vitrine-run: there is no accelerator 'kvmm'\n"
                     "    -accel kvmm\n"
                     "           ^^^^\n"
                     "    did you mean 'kvm'?\n" },
    { "-accel xen", "vitrine-run: accelerator xen: the Xen accelerator needs a Xen host\n"
                    "    -accel xen\n"
                    "           ^^^\n" },
    { "-accel kvm:hvf",
      "vitrine-run: accelerator hvf: Hypervisor.framework exists only on macOS hosts\n"
      "    -accel kvm:hvf\n"
      "               ^^^\n" },
    { "-m 1Q",
      "vitrine-run: -m size: '1Q' is not a size: a number, perhaps followed by one of K, M, G, T\n"
      "    -m 1Q\n"
      "       ^^\n" },
    { "-m 512 -m -smp 2", "vitrine-run: -m needs an argument\n"
                          "    -m 512 -m -smp 2\n"
                          "           ^^\n"
                          "    -m [size=]SIZE[,slots=N,maxmem=SIZE]\n" },
    { "-smp cpus=0", "vitrine-run: -smp cpus: '0' is outside 1 to 1024\n"
                     "    -smp cpus=0\n"
                     "              ^\n" },
    { "-smp 4,sockets=2,cores=3", "vitrine-run: sockets (2) * dies (1) * cores (3) * threads (0) "
                                  "is 0, but the number of CPUs is 4\n"
                                  "    -smp 4,sockets=2,cores=3\n"
                                  "    ^^^^\n" },
    { "-smp 8,maxcpus=4", "vitrine-run: cpus (8) is more than maxcpus (4)\n"
                          "    -smp 8,maxcpus=4\n"
                          "    ^^^^\n" },
    { "-smp 3000", "vitrine-run: -smp cpus: '3000' is outside 1 to 1024\n"
                   "    -smp 3000\n"
                   "         ^^^^\n" },
    { "-m 1G,maxmem=512M", "vitrine-run: not available yet: -m maxmem\n"
                           "    -m 1G,maxmem=512M\n"
                           "          ^^^^^^\n" },
    { "-drive file=a.img,if=scsi", "vitrine-run: -drive if=: this machine has no on-board SCSI "
                                   "slot; use if=none with an adapter and scsi-hd\n"
                                   "    -drive file=a.img,if=scsi\n"
                                   "                         ^^^^\n" },
    { "-drive file=a.img,index=9",
      "vitrine-run: this machine has places for 4 ide drives and no more\n"
      "    -drive file=a.img,index=9\n"
      "    ^^^^^^\n" },
    { "-drive file=a.img,idx=1", "vitrine-run: -drive has no key 'idx'\n"
                                 "    -drive file=a.img,idx=1\n"
                                 "                      ^^^\n"
                                 "    did you mean 'id'?\n" },
    { "-hdc a.img -cdrom b.iso", "vitrine-run: ide bus 1 unit 0 is already taken by '-hdc a.img'\n"
                                 "    -hdc a.img -cdrom b.iso\n"
                                 "               ^^^^^^\n" },
    { "-drive file=a.img,id=d0 -drive file=b.img,id=d0",
      "vitrine-run: the id 'd0' of -drive is already that of -drive\n"
      "    -drive file=a.img,id=d0 -drive file=b.img,id=d0\n"
      "                                                 ^^\n"
      "    give one of them another id\n" },
    { "-device e1001", "vitrine-run: there is no device 'e1001'\n"
                       "    -device e1001\n"
                       "            ^^^^^\n"
                       "    did you mean 'e1000'?\n" },
    { "-device e1000,netdev=n0",
      "vitrine-run: -device netdev: there is no netdev with the id 'n0'\n"
      "    -device e1000,netdev=n0\n"
      "                         ^^\n"
      "    add -netdev with id=n0\n" },
    { "-netdev user,id=n0 -device e1000,netdev=n1",
      "vitrine-run: -device netdev: there is no netdev with the id 'n1'\n"
      "    -netdev user,id=n0 -device e1000,netdev=n1\n"
      "                                            ^^\n"
      "    there is 'n0'\n" },
    { "-netdev usr,id=n0", "vitrine-run: -netdev has no kind 'usr'\n"
                           "    -netdev usr,id=n0\n"
                           "            ^^^\n"
                           "    did you mean 'user'?\n" },
    { "-netdev user", "vitrine-run: -netdev user needs id=\n"
                      "    -netdev user\n"
                      "    ^^^^^^^\n"
                      "    add id=...: Name used by the NIC and the monitor\n" },
    { "-netdev tap,id=t0", "vitrine-run: not available yet: -netdev tap\n"
                           "    -netdev tap,id=t0\n"
                           "            ^^^\n" },
    { "-netdev netmap,id=n", "vitrine-run: -netdev netmap: netmap is a BSD kernel facility and not "
                             "available on this host\n"
                             "    -netdev netmap,id=n\n"
                             "            ^^^^^^\n" },
    { "-nic user,hostfwd", "vitrine-run: -nic hostfwd needs a value\n"
                           "    -nic user,hostfwd\n"
                           "              ^^^^^^^\n" },
    { "-nic user,modle=e1000", "vitrine-run: -nic user has no key 'modle'\n"
                               "    -nic user,modle=e1000\n"
                               "              ^^^^^\n"
                               "    did you mean 'model'?\n" },
    { "-nic user,mac=52:54:00:12:34", "vitrine-run: -nic mac: '52:54:00:12:34' is not a network "
                                      "card's address, such as 52:54:00:12:34:56\n"
                                      "    -nic user,mac=52:54:00:12:34\n"
                                      "                  ^^^^^^^^^^^^^^\n" },
    { "-serial tcp:localhost",
      "vitrine-run: -serial: the address must be HOST:PORT, where HOST may be left out\n"
      "    -serial tcp:localhost\n"
      "                ^^^^^^^^^\n" },
    { "-serial stido",
      "vitrine-run: -serial: there is no character device 'stido'; did you mean stdio?\n"
      "    -serial stido\n"
      "            ^^^^^\n" },
    { "-serial COM1",
      "vitrine-run: -serial: COM ports exist only on Windows hosts; use a path such as /dev/ttyS0\n"
      "    -serial COM1\n"
      "            ^^^^\n" },
    { "-serial stdio -monitor stdio",
      "vitrine-run: standard input and output are already used by 'serial0'; share them with mon: "
      "or with a -chardev that has mux=on\n"
      "    -serial stdio -monitor stdio\n"
      "                           ^^^^^\n" },
    { "-serial chardev:c0", "vitrine-run: -serial: there is no chardev with the id 'c0'\n"
                            "    -serial chardev:c0\n"
                            "                    ^^\n"
                            "    add -chardev with id=c0\n" },
    { "-chardev socket,id=c0,port=1,sevrer=on", "vitrine-run: -chardev socket has no key 'sevrer'\n"
                                                "    -chardev socket,id=c0,port=1,sevrer=on\n"
                                                "                                 ^^^^^^\n"
                                                "    did you mean 'server'?\n" },
    { "-display gtkk", "vitrine-run: -display has no kind 'gtkk'\n"
                       "    -display gtkk\n"
                       "             ^^^^\n"
                       "    did you mean 'gtk'?\n" },
    { "-display dbus", "vitrine-run: not available yet: -display dbus\n"
                       "    -display dbus\n"
                       "             ^^^^\n" },
    { "-vga cirrus", "vitrine-run: not available yet: -vga cirrus\n"
                     "    -vga cirrus\n"
                     "         ^^^^^^\n" },
    { "-vga tcx", "vitrine-run: -vga: the TCX framebuffer exists only on sun4m machines\n"
                  "    -vga tcx\n"
                  "         ^^^\n" },
    { "-vga standard",
      "vitrine-run: -vga: 'standard' is not one of std, cirrus, vmware, qxl, virtio, none\n"
      "    -vga standard\n"
      "         ^^^^^^^^\n" },
    { "-boot order=cx", "vitrine-run: 'x' is no boot device: a and b are floppies, c is the hard "
                        "disk, d the CD, n to p are network cards\n"
                        "    -boot order=cx\n"
                        "                ^^\n" },
    { "-boot cdx", "vitrine-run: 'x' is no boot device: a and b are floppies, c is the hard disk, "
                   "d the CD, n to p are network cards\n"
                   "    -boot cdx\n"
                   "          ^^^\n" },
    { "-rtc base=yesterday", "vitrine-run: 'yesterday' is neither utc nor localtime nor a date "
                             "such as 2006-06-17T16:01:21\n"
                             "    -rtc base=yesterday\n"
                             "              ^^^^^^^^^\n" },
    { "-uuid 1234",
      "vitrine-run: -uuid: '1234' is not a UUID, such as 550e8400-e29b-41d4-a716-446655440000\n"
      "    -uuid 1234\n"
      "          ^^^^\n" },
    { "-k fr-xx", "vitrine-run: -k: 'fr-xx' is not one of ar, bepo, cz, da, de, de-ch, en-gb, "
                  "en-us, es, et, fi, fo, fr, fr-be, fr-ca, ...\n"
                  "    -k fr-xx\n"
                  "       ^^^^^\n"
                  "    did you mean 'fr-be'?\n" },
    { "-kernel", "vitrine-run: -kernel needs an argument\n"
                 "    -kernel\n"
                 "    ^^^^^^^\n"
                 "    -kernel FILE\n" },
    { "-initrd foo", "vitrine-run: -initrd is only used with -kernel\n"
                     "    -initrd foo\n"
                     "            ^^^\n" },
    { "-append \"root=/dev/sda\"", "vitrine-run: -append is only used with -kernel\n"
                                   "    -append \"root=/dev/sda\"\n"
                                   "             ^^^^^^^^^^^^^\n" },
    { "-d int,foo,cpu", "vitrine-run: -d: 'foo' is not one of in_asm, out_asm, op, op_opt, op_ind, "
                        "int, exec, cpu, fpu, mmu, pcall, cpu_reset, ...\n"
                        "    -d int,foo,cpu\n"
                        "           ^^^\n" },
    { "-spice port=5930", "vitrine-run: not available yet: -spice\n"
                          "    -spice port=5930\n"
                          "    ^^^^^^\n" },
    { "-portrait", "vitrine-run: -portrait: there is no PXA LCD on x86 machines\n"
                   "    -portrait\n"
                   "    ^^^^^^^^^\n" },
    { "-device '{\"driver\":\"e1000\",}'", "vitrine-run: the JSON object of -device cannot be "
                                           "read: a string in double quotes is expected here\n"
                                           "    -device '{\"driver\":\"e1000\",}'\n"
                                           "                               ^\n" },
    { "-hda 'disk.img", "vitrine-run: the quote that begins here is not closed\n"
                        "    -hda 'disk.img\n"
                        "         ^\n"
                        "    close the quote\n" },
    { "-hda $HOME/disk.img", "vitrine-run: warning: '$HOME' is not expanded\n"
                             "    -hda $HOME/disk.img\n"
                             "         ^^^^^\n"
                             "    write the value itself, or put single quotes around it\n" },
    { "-m 1G,", "vitrine-run: warning: nothing follows the last comma\n"
                "    -m 1G,\n"
                "         ^\n" },
    { "-fw_cfg opt/x", "vitrine-run: -fw_cfg needs exactly one of file=, string= and gen_id=\n"
                       "    -fw_cfg opt/x\n"
                       "    ^^^^^^^\n" },
    { "-machine accel=tcg -accel kvm",
      "vitrine-run: -machine accel= and -accel cannot be used together; keep one of them\n"
      "    -machine accel=tcg -accel kvm\n"
      "                   ^^^\n" },
    { "-global foo", "vitrine-run: -global is followed by driver, property and value\n"
                     "    -global foo\n"
                     "            ^^^\n"
                     "    DRIVER.PROP=VALUE | driver=DRIVER,property=PROP,value=VALUE\n" },
    { "-set drive.d0.cache=none", "vitrine-run: -set finds no -drive with the id 'd0'\n"
                                  "    -set drive.d0.cache=none\n"
                                  "    ^^^^\n" },
    { "disk1.img disk2.img",
      "vitrine-run: 'disk2.img': only one disk image can be given without an option\n"
      "    disk1.img disk2.img\n"
      "              ^^^^^^^^^\n"
      "    use -hdb or -drive for further disks\n" },
    { "-drive file=a,b.img", "vitrine-run: -drive has no key 'b.img'\n"
                             "    -drive file=a,b.img\n"
                             "                  ^^^^^\n"
                             "    a comma that belongs to a value is written twice\n" },
    { "-M pc -vnc :0 -frob -zap x", "vitrine-run: not available yet: -vnc\n"
                                    "    -M pc -vnc :0 -frob -zap x\n"
                                    "          ^^^^\n"
                                    "vitrine-run: there is no option -frob\n"
                                    "    -M pc -vnc :0 -frob -zap x\n"
                                    "                  ^^^^^\n"
                                    "    -help lists the options there are\n"
                                    "vitrine-run: there is no option -zap\n"
                                    "    -M pc -vnc :0 -frob -zap x\n"
                                    "                        ^^^^\n"
                                    "    -help lists the options there are\n" },
    { "-soundhw all", "vitrine-run: not available yet: -soundhw\n"
                      "    -soundhw all\n"
                      "    ^^^^^^^^\n" },
    { "-device e1000,id=9x", "vitrine-run: '9x' is no id: it begins with a letter and goes on with "
                             "up to 126 letters, digits, '-', '.' and '_'\n"
                             "    -device e1000,id=9x\n"
                             "                     ^^\n" },
    { "-watchdog diag288", "vitrine-run: -watchdog: diag288 exists only on s390x machines\n"
                           "    -watchdog diag288\n"
                           "    ^^^^^^^^^\n" },
    { "-usbdevice tablet", "vitrine-run: not available yet: -usbdevice\n"
                           "    -usbdevice tablet\n"
                           "    ^^^^^^^^^^\n" },
    { "-serial none -serial none -serial none -serial none -serial none",
      "vitrine-run: this machine has 4 serial ports and no more\n"
      "    -serial none -serial none -serial none -serial none -serial none\n"
      "                                                                ^^^^\n" },
    { "-device ide-hd,drive=d0 -drive if=none,id=d00,file=x",
      "vitrine-run: -device drive: there is no drive with the id 'd0'\n"
      "    -device ide-hd,drive=d0 -drive if=none,id=d00,file=x\n"
      "                         ^^\n"
      "    there is 'd00'\n" },
    { "-drive",
      "vitrine-run: -drive needs an argument\n"
      "    -drive\n"
      "    ^^^^^^\n"
      "    -drive "
      "[file=FILE][,if=TYPE][,index=N][,media=disk|cdrom][,format=NAME][,id=ID][,...]\n" },
    { "-smp 2,threads=4,threads=1",
      "vitrine-run: warning: 'threads' is given twice; the last one counts\n"
      "    -smp 2,threads=4,threads=1\n"
      "                     ^^^^^^^\n" },
    { "-machine pc,nohpet", "vitrine-run: warning: 'nohpet' is an old spelling\n"
                            "    -machine pc,nohpet\n"
                            "                ^^^^^^\n"
                            "    write hpet=off\n" },
    { "-name a,debug-thread=on", "vitrine-run: -name has no key 'debug-thread'\n"
                                 "    -name a,debug-thread=on\n"
                                 "            ^^^^^^^^^^^^\n"
                                 "    did you mean 'debug-threads'?\n" },
    { "-rtc base=2006-02-30", "vitrine-run: '2006-02-30' is neither utc nor localtime nor a date "
                              "such as 2006-06-17T16:01:21\n"
                              "    -rtc base=2006-02-30\n"
                              "              ^^^^^^^^^^\n" },
    { "-boot menu=yes,splash-time=70000",
      "vitrine-run: -boot splash-time: '70000' is outside 0 to 65535 ms\n"
      "    -boot menu=yes,splash-time=70000\n"
      "                               ^^^^^\n" },
    { "-qmp unix:", "vitrine-run: -qmp: the path of the socket is missing\n"
                    "    -qmp unix:\n"
                    "         ^^^^^\n" },
    { "-serial telnet:localhost:4444,servr=on",
      "vitrine-run: -serial: a socket device has no key 'servr'; did you mean 'server'?\n"
      "    -serial telnet:localhost:4444,servr=on\n"
      "                                  ^^^^^\n" },
    { "-serial vc:80x",
      "vitrine-run: -serial: the size must be WIDTHxHEIGHT, or COLUMNSCxROWSC such as 80Cx24C\n"
      "    -serial vc:80x\n"
      "               ^^^\n" },
    { "-smbios type=1,uuid=12", "vitrine-run: -smbios uuid: '12' is not a UUID, such as "
                                "550e8400-e29b-41d4-a716-446655440000\n"
                                "    -smbios type=1,uuid=12\n"
                                "                        ^^\n" },
    { "-set disk.d0.x=1", "vitrine-run: -set: there is no option -disk\n"
                          "    -set disk.d0.x=1\n"
                          "         ^^^^\n" },
    { "-nic user -nic user,id=n -device e1000,netdev=n",
      "vitrine-run: the network backend 'n' already has a card; a hub joins several\n"
      "    -nic user -nic user,id=n -device e1000,netdev=n\n"
      "                                                  ^\n" },
    { "-echr 300", "vitrine-run: -echr: '300' is outside 1 to 255\n"
                   "    -echr 300\n"
                   "          ^^^\n" },
    { "-drive file=a.img,format=qcow3",
      "vitrine-run: -drive format=: 'qcow3' is not one of raw, qcow2, vmdk, vdi, vhdx, vpc, qcow, "
      "qed, parallels, bochs, cloop, dmg, ...\n"
      "    -drive file=a.img,format=qcow3\n"
      "                             ^^^^^\n"
      "    did you mean 'qcow2'?\n" },
};

/* Everything that is told about TEXT, as the program prints it. Ownership: caller. */
static char *
complaints(const char *text, const VitKindRegistry *registry)
{
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    g_autoptr(VitConfig) config = vit_config_parse(text, VIT_PARSE_DEFAULT, diags);
    GString *out = g_string_new(NULL);

    vit_config_validate(config, registry, diags);
    if (vit_diag_list_count(diags, VIT_SEVERITY_ERROR) == 0)
        vit_machine_plan_free(vit_config_normalize(config, diags));
    vit_diag_list_sort(diags);
    for (unsigned i = 0; i < vit_diag_list_get_n(diags); i++) {
        g_autofree char *said =
            vit_diag_format(vit_diag_list_get(diags, i), text, "vitrine-run", 80);
        g_string_append(out, said);
    }
    return g_string_free(out, FALSE);
}

static void
test_mistakes(void)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(mistakes); i++) {
        g_autofree char *said = complaints(mistakes[i].text, NULL);

        g_assert_cmpstr(said, ==, mistakes[i].said);
    }
}

/* ---- with a registry ----------------------------------------------------------------------- */

static const VitOptionKey card_props[] = {
    { .name = "mac", .type = VIT_VALUE_MAC, .help = "Address" },
    { .name = "netdev", .type = VIT_VALUE_ID, .ref = "netdev", .help = "Backend" },
    { .name = "bootindex", .type = VIT_VALUE_INT, .max = 100, .help = "Boot order" },
    { 0 },
};

static const VitKindInfo kinds[] = {
    { .name = "e1000", .title = "Network card", .category = "Network" },
    { .name = "i8259", .title = "Interrupt controller", .internal = true },
    { 0 },
};

static void
list_kinds(void *data, VitKindClass klass, VitKindFunc func, void *func_data)
{
    static const VitKindInfo features[] = { { .name = "avx2" }, { .name = "sse4.1" }, { 0 } };

    for (const VitKindInfo *info = klass == VIT_KIND_DEVICE        ? kinds
                                   : klass == VIT_KIND_CPU_FEATURE ? features
                                                                   : &kinds[2];
         info->name != NULL; info++)
        func(info, func_data);
}

static bool
find_kind(void *data, VitKindClass klass, const char *name, VitKindInfo *out)
{
    *out = (VitKindInfo){ .name = name };
    for (unsigned i = 0; klass == VIT_KIND_DEVICE && kinds[i].name != NULL; i++)
        if (g_str_equal(kinds[i].name, name)) {
            *out = kinds[i];
            return true;
        }
    return klass == VIT_KIND_CPU && g_str_equal(name, "max");
}

static void
list_props(void *data, VitKindClass klass, const char *name, VitKindPropFunc func, void *func_data)
{
    for (const VitOptionKey *prop = card_props; klass == VIT_KIND_DEVICE && prop->name; prop++)
        func(prop, func_data);
}

static const VitKindRegistry registry = {
    .list = list_kinds,
    .find = find_kind,
    .list_props = list_props,
};

static void
test_registry(void)
{
    static const Mistake cases[] = {
        { "-device e1000,mac=52:54:00:12:34:56,bootindex=3,id=x,addr=4", "" },
        { "-device e1000,bootidnex=3", "vitrine-run: -device e1000 has no key 'bootidnex'\n"
                                       "    -device e1000,bootidnex=3\n"
                                       "                  ^^^^^^^^^\n"
                                       "    did you mean 'bootindex'?\n" },
        { "-device e1000,drive=x", "vitrine-run: -device e1000 has no key 'drive'\n"
                                   "    -device e1000,drive=x\n"
                                   "                  ^^^^^\n"
                                   "    -device e1000,help lists them\n" },
        { "-device e1000,bootindex=101",
          "vitrine-run: -device bootindex: '101' is outside 0 to 100\n"
          "    -device e1000,bootindex=101\n"
          "                            ^^^\n" },
        { "-device i8259", "vitrine-run: 'i8259' is part of the board and cannot be added\n"
                           "    -device i8259\n"
                           "            ^^^^^\n" },
        { "-device rtl8139", "vitrine-run: not available yet: -device rtl8139\n"
                             "    -device rtl8139\n"
                             "            ^^^^^^^\n" },
        { "-cpu max,+avx2,sse4_1=off,hv_relaxed,zzz", "" },
        { "-cpu max,+avx3", "vitrine-run: there is no CPU feature 'avx3'\n"
                            "    -cpu max,+avx3\n"
                            "             ^^^^^\n"
                            "    did you mean 'avx2'?\n" },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(cases); i++) {
        g_autofree char *said = complaints(cases[i].text, &registry);

        g_assert_cmpstr(said, ==, cases[i].said);
    }
}

/* Long lines are cut around the place; wide letters take two columns. */
static void
test_layout(void)
{
    g_autofree char *padding = g_strnfill(200, 'x');
    g_autofree char *text =
        g_strdup_printf("-append %s -kernel k -vga nopenope -name %s", padding, padding);
    g_autofree char *said = complaints(text, NULL);
    g_autofree char *wide = complaints("-append 日本é -kernel k -vga nopenope", NULL);

    g_assert_cmpstr(
        said, ==,
        "vitrine-run: -vga: 'nopenope' is not one of std, cirrus, vmware, qxl, virtio, none\n"
        "    ...xxxxxxxx -kernel k -vga nopenope -name xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\n"
        "                               ^^^^^^^^\n");
    g_assert_cmpstr(
        wide, ==,
        "vitrine-run: -vga: 'nopenope' is not one of std, cirrus, vmware, qxl, virtio, none\n"
        "    -append 日本é -kernel k -vga nopenope\n"
        "                                 ^^^^^^^^\n");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mistakes/typical", test_mistakes);
    g_test_add_func("/mistakes/registry", test_registry);
    g_test_add_func("/mistakes/layout", test_layout);
    return g_test_run();
}
