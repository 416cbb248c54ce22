/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Measures of the windows that are taken inside the process; one per run, by name, a line each on
 * standard output: NAME VALUE UNIT. measure_ui.py runs them on virtual displays. */

#include "app-library.h"
#include "ui-display.h"
#include "ui-library-window.h"

#include <linux/input-event-codes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void
report(const char *name, double value, const char *unit)
{
    printf("%s %.3f %s\n", name, value, unit);
    fflush(stdout);
}

static double
now_ms(void)
{
    return g_get_monotonic_time() / 1000.0;
}

static double
cpu_ms(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static double
resident_mib(void)
{
    g_autofree char *text = NULL;
    long pages = 0;

    if (g_file_get_contents("/proc/self/statm", &text, NULL, NULL)) {
        sscanf(text, "%*d %ld", &pages);
    }
    return pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static void
run_ms(guint ms)
{
    double end = now_ms() + ms;

    while (now_ms() < end) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(500);
    }
}

static int
compare_doubles(gconstpointer a, gconstpointer b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Value below which 95 of 100 lie. */
static double
percentile_95(GArray *values)
{
    g_array_sort(values, compare_doubles);
    return values->len ? g_array_index(values, double, (values->len - 1) * 95 / 100) : 0;
}

/* ---- Library ---- */

static void
make_machines(const char *root, guint count)
{
    g_autofree char *picture = g_build_filename(g_get_tmp_dir(), "measure-thumbnail.png", NULL);
    g_autoptr(GdkPixbuf) pixbuf = gdk_pixbuf_new(GDK_COLORSPACE_RGB, FALSE, 8, 320, 200);
    g_autofree char *data = NULL;
    gsize len;

    for (int i = 0; i < 320 * 200 * 3; i++) {
        gdk_pixbuf_get_pixels(pixbuf)[i] = g_random_int();
    }
    gdk_pixbuf_save(pixbuf, picture, "png", NULL, NULL);
    g_file_get_contents(picture, &data, &len, NULL);
    for (guint i = 0; i < count; i++) {
        g_autofree char *folder = g_strdup_printf("%s/Machine %03u.vitrine", root, i);
        g_autofree char *conf = g_build_filename(folder, "machine.conf", NULL);
        g_autofree char *thumbnail = g_build_filename(folder, "thumbnail.png", NULL);
        g_autofree char *text = g_strdup_printf("[vitrine]\nformat=1\n\n[name]\nguest=Machine "
                                                "%03u\n\n[m]\nsize=512M\n\n[drive:disk0]\n"
                                                "file=%s/disk.raw\nformat=raw\nif=ide\n",
                                                i, folder);

        g_mkdir_with_parents(folder, 0700);
        g_file_set_contents(conf, text, -1, NULL);
        g_file_set_contents(thumbnail, data, len, NULL);
    }
    unlink(picture);
}

static gboolean
on_painted(GtkWidget *widget, cairo_t *cr, gboolean *painted)
{
    *painted = TRUE;
    return FALSE;
}

static UiLibraryWindow *
show_library(GtkApplication *application, AppLibrary *library)
{
    UiLibraryWindow *window = ui_library_window_new(application, library);
    gboolean painted = FALSE;

    g_signal_connect_after(window, "draw", G_CALLBACK(on_painted), &painted);
    gtk_window_present(GTK_WINDOW(window));
    while (!painted) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_signal_handlers_disconnect_by_data(window, &painted);
    return window;
}

static GtkAdjustment *
find_adjustment(GtkWidget *widget)
{
    GtkAdjustment *found = NULL;

    if (GTK_IS_SCROLLED_WINDOW(widget) && gtk_widget_get_mapped(widget)) {
        return gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(widget));
    }
    if (GTK_IS_CONTAINER(widget)) {
        g_autoptr(GList) children = gtk_container_get_children(GTK_CONTAINER(widget));

        for (GList *l = children; l && !found; l = l->next) {
            found = find_adjustment(l->data);
        }
    }
    return found;
}

/* Work of one frame while the library scrolls: from setting the position to the end of drawing. */
static void
measure_scroll(UiLibraryWindow *window)
{
    GtkAdjustment *adjustment = find_adjustment(GTK_WIDGET(window));
    g_autoptr(GArray) frames = g_array_new(FALSE, FALSE, sizeof(double));
    gboolean painted;

    for (guint i = 0; adjustment && i < 100; i++) {
        double begun, ms,
            top = gtk_adjustment_get_upper(adjustment) - gtk_adjustment_get_page_size(adjustment);

        run_ms(16);
        painted = FALSE;
        g_signal_connect_after(window, "draw", G_CALLBACK(on_painted), &painted);
        gtk_adjustment_set_value(adjustment, top * i / 100);
        gtk_widget_queue_draw(GTK_WIDGET(window));
        begun = cpu_ms();
        while (!painted) {
            g_main_context_iteration(NULL, TRUE);
        }
        ms = cpu_ms() - begun;
        g_array_append_val(frames, ms);
        g_signal_handlers_disconnect_by_data(window, &painted);
    }
    report("library-scroll-p95", percentile_95(frames), "ms");
}

static void
measure_library(GtkApplication *application)
{
    g_autofree char *dir = g_dir_make_tmp("measure-ui-XXXXXX", NULL);
    g_autofree char *empty = g_build_filename(dir, "empty", NULL);
    g_autofree char *full = g_build_filename(dir, "full", NULL);
    g_autoptr(GFile) empty_file = g_file_new_for_path(empty);
    g_autoptr(GFile) full_file = g_file_new_for_path(full);
    g_autoptr(AppLibrary) none = NULL;
    g_autoptr(AppLibrary) many = NULL;
    UiLibraryWindow *window;
    double begun, begun_cpu, before;

    g_mkdir_with_parents(empty, 0700);
    make_machines(full, 200);
    none = app_library_new(empty_file, NULL);
    window = show_library(application, none);
    run_ms(500);
    gtk_widget_destroy(GTK_WIDGET(window));
    before = resident_mib();
    begun = now_ms();
    begun_cpu = cpu_ms();
    many = app_library_new(full_file, NULL);
    report("library-200-read", now_ms() - begun, "ms");
    window = show_library(application, many);
    report("library-200-paint", now_ms() - begun, "ms");
    report("library-200-cpu", cpu_ms() - begun_cpu, "ms");
    run_ms(1500);
    report("library-200-memory", resident_mib() - before, "MiB");
    measure_scroll(window);
    report("library-200-memory-scrolled", resident_mib() - before, "MiB");
    gtk_widget_destroy(GTK_WIDGET(window));
    app_remove_folder(dir);
}

/* ---- Frames ---- */

typedef struct Screen {
    GtkWidget *window;
    UiPainter painter;
    VitFrame frame;
    VitFrameRect rect;
    guint8 *pixels;
} Screen;

static void
screen_init(Screen *screen, int width, int height, GtkWidget *window)
{
    memset(screen, 0, sizeof(*screen));
    screen->window = window;
    screen->painter.ops = ui_painter_choose();
    screen->painter.mode = APP_SCALE_ONE;
    screen->painter.widget = screen->painter.ops->create(&screen->painter);
    screen->pixels = g_malloc0((gsize)width * height * 4);
    screen->rect = (VitFrameRect){ 0, 0, width, height };
    screen->frame = (VitFrame){ .pixels = screen->pixels,
                                .width = width,
                                .height = height,
                                .stride_bytes = width * 4,
                                .rects = &screen->rect,
                                .n_rects = 1 };
    gtk_widget_set_size_request(screen->painter.widget, width, height);
    gtk_container_add(GTK_CONTAINER(window), screen->painter.widget);
    gtk_widget_show_all(window);
    run_ms(300);
}

static gboolean
on_tick(GtkWidget *widget, GdkFrameClock *clock, gpointer data)
{
    Screen *screen = data;

    /* every pixel is another one: the guest's part, not counted as the window's */
    memset(screen->pixels, ++screen->frame.serial & 0xff,
           (gsize)screen->frame.width * screen->frame.height * 4);
    screen->painter.frame = &screen->frame;
    screen->painter.ops->frame(&screen->painter);
    return G_SOURCE_CONTINUE;
}

static void
measure_frames(GtkApplication *application)
{
    GtkWidget *window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
    double begun, begun_cpu, seconds, fill_ms;
    guint64 first;
    Screen screen;
    guint tick;

    gtk_window_set_decorated(GTK_WINDOW(window), FALSE);
    screen_init(&screen, 1920, 1080, window);
    begun = now_ms();
    for (guint i = 0; i < 50; i++) {
        memset(screen.pixels, i, 1920 * 1080 * 4);
    }
    fill_ms = (now_ms() - begun) / 50;
    tick = gtk_widget_add_tick_callback(screen.painter.widget, on_tick, &screen, NULL);
    run_ms(500);
    first = screen.painter.n_drawn;
    begun = now_ms();
    begun_cpu = cpu_ms();
    run_ms(5000);
    seconds = (now_ms() - begun) / 1000;
    report("frames-1080p-rate", (screen.painter.n_drawn - first) / seconds, "/s");
    report("frames-1080p-cpu",
           (cpu_ms() - begun_cpu) / MAX(screen.painter.n_drawn - first, 1) - fill_ms, "ms/frame");
    gtk_widget_remove_tick_callback(screen.painter.widget, tick);
    gtk_widget_destroy(window);
}

/* A checkerboard, then the pixels that were drawn: how many are not the guest's. */
static void
measure_pixels(GtkApplication *application)
{
    static const struct {
        const char *name;
        AppScaleMode mode;
        int factor;
    } cases[] = { { "pixels-wrong-1:1", APP_SCALE_ONE, 1 },
                  { "pixels-wrong-integer", APP_SCALE_INTEGER, 3 },
                  { "pixels-wrong-fit-exact", APP_SCALE_FIT, 2 } };

    for (guint c = 0; c < G_N_ELEMENTS(cases); c++) {
        GtkWidget *window = gtk_offscreen_window_new();
        int factor = cases[c].factor, width = 64 * factor, height = 48 * factor, wrong = 0;
        cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
        guint32 *guest;
        cairo_t *cr;
        Screen screen;

        screen_init(&screen, 64, 48, window);
        guest = (guint32 *)screen.pixels;
        for (int i = 0; i < 64 * 48; i++) {
            guest[i] = (i + i / 64) % 2 ? 0xffffff : 0x102030;
        }
        screen.painter.frame = &screen.frame;
        screen.painter.mode = cases[c].mode;
        screen.painter.filter = UI_FILTER_SHARP;
        gtk_widget_set_size_request(screen.painter.widget, width, height);
        run_ms(200);
        cr = cairo_create(image);
        gtk_widget_draw(screen.painter.widget, cr);
        cairo_destroy(cr);
        cairo_surface_flush(image);
        for (int y = 0; y < height; y++) {
            const guint32 *row =
                (const guint32 *)(cairo_image_surface_get_data(image) +
                                  (gsize)y * cairo_image_surface_get_stride(image));

            for (int x = 0; x < width; x++) {
                wrong += (row[x] & 0xffffff) != guest[y / factor * 64 + x / factor];
            }
        }
        report(cases[c].name, wrong, "pixels");
        cairo_surface_destroy(image);
        gtk_widget_destroy(window);
    }
}

/* Each guest pixel of a colour of its own, drawn at SCALE_PERCENT in MODE; how many of 100 points
 * of the picture the pointer would take for another pixel than the one drawn there. */
static int
count_wrong_points(AppScaleMode mode, int scale_percent)
{
    enum { WIDTH = 64, HEIGHT = 48 };
    GtkWidget *window = gtk_offscreen_window_new();
    int width = WIDTH * scale_percent / 100 + 13, height = HEIGHT * scale_percent / 100 + 7;
    cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    int wrong = 0;
    AppViewport viewport;
    guint32 *guest;
    Screen screen;
    cairo_t *cr;

    screen_init(&screen, WIDTH, HEIGHT, window);
    guest = (guint32 *)screen.pixels;
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        guest[i] = i % WIDTH << 8 | i / WIDTH;
    }
    screen.painter.frame = &screen.frame;
    screen.painter.mode = mode;
    screen.painter.filter = UI_FILTER_NEAREST;
    gtk_widget_set_size_request(screen.painter.widget, width, height);
    run_ms(100);
    cr = cairo_create(image);
    gtk_widget_draw(screen.painter.widget, cr);
    cairo_destroy(cr);
    cairo_surface_flush(image);
    viewport = ui_painter_viewport(&screen.painter);
    for (int i = 0; i < 100; i++) {
        int x = MAX(viewport.x, 0) + g_random_int_range(0, MIN(viewport.width, width));
        int y = MAX(viewport.y, 0) + g_random_int_range(0, MIN(viewport.height, height));
        const guint32 *row =
            (const guint32 *)(cairo_image_surface_get_data(image) +
                              (gsize)MIN(y, height - 1) * cairo_image_surface_get_stride(image));
        int guest_x, guest_y;

        x = MIN(x, width - 1);
        y = MIN(y, height - 1);
        wrong += !app_viewport_pixel_to_guest(&viewport, x, y, WIDTH, HEIGHT, &guest_x, &guest_y) ||
                 (row[x] & 0xffffff) != (guint32)(guest_x << 8 | guest_y);
    }
    cairo_surface_destroy(image);
    gtk_widget_destroy(window);
    return wrong;
}

static void
measure_pointer(GtkApplication *application)
{
    static const int percents[] = { 100, 125, 150, 200 };
    static const char *const modes[] = { "fit", "1:1", "integer", "stretch" };

    for (guint mode = 0; mode < G_N_ELEMENTS(modes); mode++) {
        int wrong = 0;

        for (guint i = 0; i < G_N_ELEMENTS(percents); i++) {
            wrong += count_wrong_points((AppScaleMode)mode, percents[i]);
        }
        g_autofree char *name = g_strdup_printf("pointer-wrong-%s", modes[mode]);
        report(name, wrong, "points");
    }
}

/* ---- A real guest ---- */

typedef struct Latency {
    VitDisplay *screen;
    gboolean changed;
} Latency;

static void
on_frame(VitDisplay *screen, Latency *latency)
{
    latency->changed = TRUE;
}

static AppLocalSession *
start_demo(const char *demo)
{
    g_autoptr(VitConfig) config = vit_config_new();
    AppLocalSession *session;

    vit_config_add(config, VIT_ORIGIN_DEFAULT, NULL, "kernel", "value", demo, NULL);
    vit_config_add(config, VIT_ORIGIN_DEFAULT, NULL, "m", "size", "32M", NULL);
    vit_config_add(config, VIT_ORIGIN_DEFAULT, NULL, "nic", "type", "none", NULL);
    session = app_local_session_new(config);
    app_session_start(APP_SESSION(session));
    while (app_session_get_state(APP_SESSION(session)) != APP_SESSION_RUNNING) {
        g_main_context_iteration(NULL, TRUE);
    }
    return session;
}

/* From a key to the frame that shows what it did; the guest is the demo, which echoes keys. */
static void
measure_latency(GtkApplication *application)
{
    AppLocalSession *session = start_demo(g_getenv("VITRINE_DEMO"));
    VitMachine *machine = app_session_get_machine(APP_SESSION(session));
    GtkWidget *window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
    GtkWidget *display = ui_display_new();
    Latency latency = { vit_machine_get_display(machine, 0), FALSE };
    g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(double));
    double begun, begun_cpu;

    gtk_container_add(GTK_CONTAINER(window), display);
    gtk_widget_show_all(window);
    ui_display_set_source(UI_DISPLAY(display), latency.screen, vit_machine_get_input(machine));
    run_ms(8000);
    g_signal_connect(latency.screen, "frame", G_CALLBACK(on_frame), &latency);
    for (guint i = 0; i < 40; i++) {
        double ms;

        run_ms(30 + g_random_int_range(0, 20));
        latency.changed = FALSE;
        begun = now_ms();
        vit_input_send_key(vit_machine_get_input(machine), KEY_A + i % 8, TRUE);
        while (!latency.changed && now_ms() < begun + 1000) {
            g_main_context_iteration(NULL, FALSE);
        }
        ms = now_ms() - begun;
        g_array_append_val(values, ms);
        vit_input_send_key(vit_machine_get_input(machine), KEY_A + i % 8, FALSE);
    }
    report("input-latency-p95", percentile_95(values), "ms");
    begun = now_ms();
    begun_cpu = cpu_ms();
    run_ms(1); /* then the loop sleeps as it does in the program */
    while (now_ms() < begun + 5000) {
        g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);

        g_timeout_add_once(5000, (GSourceOnceFunc)g_main_loop_quit, loop);
        g_main_loop_run(loop);
    }
    report("still-guest-cpu", (cpu_ms() - begun_cpu) / (now_ms() - begun) * 100, "%");
    app_session_pause(APP_SESSION(session));
    ui_display_set_live(UI_DISPLAY(display), FALSE);
    run_ms(300);
    begun = now_ms();
    begun_cpu = cpu_ms();
    while (now_ms() < begun + 3000) {
        g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);

        g_timeout_add_once(3000, (GSourceOnceFunc)g_main_loop_quit, loop);
        g_main_loop_run(loop);
    }
    report("paused-guest-cpu", (cpu_ms() - begun_cpu) / (now_ms() - begun) * 100, "%");
    gtk_widget_destroy(window);
    g_object_unref(session);
}

/* ---- Main ---- */

static void
on_activate(GtkApplication *application, const char *what)
{
    if (strcmp(what, "library") == 0) {
        measure_library(application);
    } else if (strcmp(what, "frames") == 0) {
        measure_frames(application);
    } else if (strcmp(what, "pixels") == 0) {
        measure_pixels(application);
    } else if (strcmp(what, "pointer") == 0) {
        measure_pointer(application);
    } else if (strcmp(what, "latency") == 0) {
        measure_latency(application);
    } else {
        g_printerr("measure-ui: there is no measure %s\n", what);
    }
}

int
main(int argc, char **argv)
{
    g_autoptr(GtkApplication) application =
        gtk_application_new("org.vitrine.Vitrine.Measure", G_APPLICATION_NON_UNIQUE);

    if (argc != 2) {
        g_printerr("usage: measure-ui library|frames|pixels|pointer|latency\n");
        return 2;
    }
    g_signal_connect(application, "activate", G_CALLBACK(on_activate), argv[1]);
    return g_application_run(G_APPLICATION(application), 1, argv);
}
