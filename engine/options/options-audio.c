/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Options of sound: -audiodev, -audio and the old -soundhw. Thread: any; const data. */

#include "options-schema.h"

static const VitOptionValue v_audiodev_format[] = {
    { .name = "s8", .help = VIT_N_("Signed 8-bit samples") },
    { .name = "s16", .help = VIT_N_("Signed 16-bit samples") },
    { .name = "s32", .help = VIT_N_("Signed 32-bit samples") },
    { .name = "u8", .help = VIT_N_("Unsigned 8-bit samples") },
    { .name = "u16", .help = VIT_N_("Unsigned 16-bit samples") },
    { .name = "u32", .help = VIT_N_("Unsigned 32-bit samples") },
    { .name = "f32", .help = VIT_N_("32-bit float samples") },
    { 0 },
};

static const VitOptionKey k_audiodev[] = {
    K_STRING("driver", NULL, "Backend kind; the key may be left out when first",
             .flags = VIT_OPT_REQUIRED | VIT_OPT_HELP),
    K_NEW_ID("id", NULL, "Name used by audiodev= of devices, VNC and the PC speaker",
             .flags = VIT_OPT_REQUIRED),
    K_INT("timer-period", "10000", "Period of the audio timer in microseconds", .max = 1000000,
          .unit = "µs"),
    K_BOOL("mixing-engine", "on",
           "Internal mixing and sample conversion; when off, fixed-settings must be off too and "
           "the backend must handle several streams and the card's format, else silence",
           .flags = VIT_OPT_DIRECTIONAL),
    K_BOOL("fixed-settings", "on", "On: host stream keeps the configured rate, channels and format",
           .flags = VIT_OPT_DIRECTIONAL),
    K_INT("frequency", "44100", "Host sample rate with fixed settings",
          .flags = VIT_OPT_DIRECTIONAL, .min = 1000, .max = 768000, .unit = "Hz"),
    K_INT("channels", "2", "Host channel count with fixed settings", .flags = VIT_OPT_DIRECTIONAL,
          .min = 1, .max = 16),
    K_ENUM("format", v_audiodev_format, "s16", "Host sample format with fixed settings",
           .flags = VIT_OPT_DIRECTIONAL),
    K_INT("voices", "1", "Number of host voices", .flags = VIT_OPT_DIRECTIONAL, .max = 64),
    K_INT("buffer-length", NULL, "Buffer length in microseconds", .flags = VIT_OPT_DIRECTIONAL,
          .max = 10000000, .unit = "µs"),
    { 0 },
};

static const VitOptionKey k_audiodev_alsa[] = {
    K_STRING("dev", "default", "ALSA PCM name", .flags = VIT_OPT_DIRECTIONAL),
    K_INT("period-length", NULL, "ALSA period in microseconds", .flags = VIT_OPT_DIRECTIONAL,
          .max = 10000000, .unit = "µs"),
    K_BOOL("try-poll", "on", "Prefer poll-driven transfer", .flags = VIT_OPT_DIRECTIONAL),
    K_INT("threshold", "0", "Fill level in microseconds at which playback starts", .max = 10000000,
          .unit = "µs"),
    { 0 },
};

static const VitOptionKey k_audiodev_pa[] = {
    K_STRING("server", NULL, "PulseAudio server to contact"),
    K_STRING("name", NULL, "Source (in) or sink (out) to use", .flags = VIT_OPT_DIRECTIONAL),
    K_STRING("stream-name", NULL, "Name of the stream in a mixer", .flags = VIT_OPT_DIRECTIONAL),
    K_INT("latency", NULL, "Wanted latency; the server may give more or less",
          .flags = VIT_OPT_DIRECTIONAL, .max = 10000000, .unit = "µs"),
    { 0 },
};

static const VitOptionKey k_audiodev_sdl[] = {
    K_INT("buffer-count", NULL, "Number of buffers", .flags = VIT_OPT_DIRECTIONAL, .min = 1,
          .max = 1024),
    { 0 },
};

static const VitOptionKey k_audiodev_oss[] = {
    K_PATH("dev", VIT_PATH_DEVICE, "/dev/dsp", "OSS device node", .flags = VIT_OPT_DIRECTIONAL),
    K_INT("buffer-count", NULL, "Number of fragments", .flags = VIT_OPT_DIRECTIONAL, .min = 1,
          .max = 1024),
    K_BOOL("try-poll", "on", "Prefer poll-driven transfer", .flags = VIT_OPT_DIRECTIONAL),
    K_BOOL("try-mmap", "off", "Try memory-mapped access to the device"),
    K_BOOL("exclusive", "off",
           "Open the device exclusively (software mixing by vmix then stops working)"),
    K_INT("dsp-policy", "5",
          "OSS 4 timing policy, smaller is less latency and more CPU; -1 uses buffer length and "
          "count; ignored without OSS 4",
          .min = -1, .max = 10),
    { 0 },
};

static const VitOptionKey k_audiodev_wav[] = {
    K_PATH("path", VIT_PATH_WRITE, "qemu.wav", "File to write"),
    { 0 },
};

static const VitOptionKey k_audiodev_jack[] = {
    K_STRING("server-name", NULL, "JACK server", .flags = VIT_OPT_DIRECTIONAL),
    K_STRING("client-name", NULL, "Client name", .flags = VIT_OPT_DIRECTIONAL),
    K_STRING("connect-ports", NULL, "Ports to connect to", .flags = VIT_OPT_DIRECTIONAL),
    K_BOOL("start-server", "off", "Start a server", .flags = VIT_OPT_DIRECTIONAL),
    K_BOOL("exact-name", "off", "Insist on the client name", .flags = VIT_OPT_DIRECTIONAL),
    { 0 },
};

static const VitOptionKey k_audiodev_sndio[] = {
    K_STRING("dev", NULL, "Device", .flags = VIT_OPT_DIRECTIONAL),
    K_INT("latency", NULL, "Latency", .flags = VIT_OPT_DIRECTIONAL, .max = 10000000, .unit = "µs"),
    { 0 },
};

static const VitOptionKey k_audiodev_dsound[] = {
    K_INT("latency", "10000", "Added latency", .max = 10000000, .unit = "µs"),
    { 0 },
};

static const VitOptionVariant vr_audiodev[] = {
    { .name = "none", .help = VIT_N_("Silent backend that discards output; no own properties") },
    { .name = "alsa",
      .help = VIT_N_("Linux ALSA backend for playback and recording"),
      .keys = k_audiodev_alsa },
    { .name = "pa", .help = VIT_N_("PulseAudio backend"), .keys = k_audiodev_pa },
    { .name = "sdl",
      .help = VIT_N_("SDL backend; works widely but a native backend is preferable"),
      .keys = k_audiodev_sdl },
    { .name = "oss", .help = VIT_N_("OSS backend"), .keys = k_audiodev_oss },
    { .name = "spice",
      .help = VIT_N_("Sends sound over the SPICE connection; needs -spice; no own properties") },
    { .name = "wav", .help = VIT_N_("Writes all output to a WAV file"), .keys = k_audiodev_wav },
    { .name = "jack",
      .help = VIT_N_("JACK backend of current builds"),
      .keys = k_audiodev_jack,
      .mission = "x.audiodev.jack" },
    { .name = "sndio",
      .help = VIT_N_("sndio backend of 7.x builds"),
      .keys = k_audiodev_sndio,
      .mission = "x.audiodev.sndio" },
    { .name = "dbus", .help = VIT_N_("D-Bus audio of 7.x builds"), .mission = "x.audiodev.dbus" },
    { .name = "coreaudio",
      .help = VIT_N_("macOS Core Audio"),
      .keys = k_audiodev_sdl,
      .status = VIT_STATUS_OTHER_HOST,
      .reason = VIT_N_("Core Audio exists only on macOS hosts") },
    { .name = "dsound",
      .help = VIT_N_("Windows DirectSound"),
      .keys = k_audiodev_dsound,
      .status = VIT_STATUS_OTHER_HOST,
      .reason = VIT_N_("DirectSound exists only on Windows hosts") },
    { 0 },
};

static const VitOptionKey k_audio[] = {
    K_STRING("driver", NULL, "Backend", .flags = VIT_OPT_HELP),
    K_STRING("model", NULL, "Sound card"),
    { 0 },
};

static const VitOptionValue v_soundhw_value[] = {
    { .name = "sb16", .help = VIT_N_("Adds a Sound Blaster 16") },
    { .name = "adlib", .help = VIT_N_("Adds an OPL2 card") },
    { .name = "es1370", .help = VIT_N_("Adds an Ensoniq ES1370") },
    { .name = "ac97",
      .help =
          VIT_N_("Adds an Intel 82801AA AC97 (old Linux OSS drivers may need clocking=48000)") },
    { .name = "hda", .help = VIT_N_("Adds an Intel HDA controller with a duplex codec") },
    { .name = "gus", .help = VIT_N_("Adds a Gravis Ultrasound") },
    { .name = "cs4231a", .help = VIT_N_("Adds a CS4231A card") },
    { .name = "pcspk", .help = VIT_N_("Connects the PC speaker to sound output") },
    { .name = "all", .help = VIT_N_("Adds every card") },
    { 0 },
};

static const VitOptionKey k_soundhw[] = {
    K_ENUM("value", v_soundhw_value, NULL, "Sound cards"),
    { 0 },
};

static const VitOption options[] = {
    { .name = "audiodev",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("DRIVER,id=ID[,PROP=VALUE[,...]]"),
      .help = VIT_N_("Creates a host audio backend that sound devices refer to by id"),
      .section = VIT_N_("Sound"),
      .page = VIT_N_("Sound"),
      .implied = "driver",
      .id_key = "id",
      .keys = k_audiodev,
      .variants = vr_audiodev,
      .flags = VIT_OPT_HELP | VIT_OPT_JSON,
      .change = VIT_CHANGE_HOT,
      .status = VIT_STATUS_NOT_YET,
      .mission = "audiodev.in-out" },
    { .name = "audio",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("[driver=]DRIVER[,model=CARD][,...]"),
      .help = VIT_N_("Backend and sound card in one option"),
      .section = VIT_N_("Sound"),
      .page = VIT_N_("Sound"),
      .implied = "driver",
      .keys = k_audio,
      .flags = VIT_OPT_HELP | VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET,
      .since = "7.1",
      .mission = "x.audio" },
    { .name = "soundhw",
      .syntax = VIT_SYNTAX_LIST,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("CARD[,CARD...] | all"),
      .help =
          VIT_N_("Turns on sound and the named cards in one go; -device and -audiodev say more"),
      .section = VIT_N_("Sound"),
      .page = VIT_N_("Sound"),
      .keys = k_soundhw,
      .flags = VIT_OPT_DEPRECATED | VIT_OPT_HELP,
      .status = VIT_STATUS_NOT_YET },
    { .name = "audio-help",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("Prints the -audiodev arguments equivalent to the old audio environment "
                     "variables, then exits"),
      .section = VIT_N_("Sound"),
      .page = VIT_N_("Sound"),
      .flags = VIT_OPT_DEPRECATED | VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_NOT_YET,
      .mission = "intro.env.QEMU_AUDIO" },
};

const VitOptionArea vit_options_audio_area = { options, VIT_ARRAY_LEN(options) };
