/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Address spaces: flattening a region tree and publishing the result.
 *
 * Invariants:
 *  1. A view is never changed after it is published; a change publishes a new one.
 *  2. Publication happens with the device lock held; epoch is raised after the pointer is set.
 *  3. A retired view carries the epoch of its replacement and is freed only when every registered
 *     reader has been quiescent (or offline) at that epoch or later. A thread that is not a reader
 *     may use a view only while it holds the device lock.
 */

#include "vit-map-private.h"

#include <inttypes.h>
#include <string.h>

typedef struct RetiredView {
    VitFlatView *view;
    uint64_t epoch;
} RetiredView;

static void
retired_view_free(gpointer data)
{
    RetiredView *retired = data;

    g_free(retired->view);
    g_free(retired);
}

VitMapDomain *
vit_map_domain_new(VitLock *device_lock)
{
    VitMapDomain *domain = g_new0(VitMapDomain, 1);

    domain->lock = device_lock;
    domain->spaces = g_ptr_array_new();
    domain->readers = g_ptr_array_new();
    domain->retired = g_ptr_array_new_with_free_func(retired_view_free);
    domain->epoch = 1;
    g_mutex_init(&domain->readers_mutex);
    return domain;
}

void
vit_map_domain_free(VitMapDomain *domain)
{
    if (!domain) {
        return;
    }
    g_assert(domain->spaces->len == 0 && domain->readers->len == 0);
    g_ptr_array_unref(domain->spaces);
    g_ptr_array_unref(domain->readers);
    g_ptr_array_unref(domain->retired);
    g_mutex_clear(&domain->readers_mutex);
    g_free(domain);
}

/* ---- Flattening ---- */

/* Adds [start, last] of REGION where nothing lies yet. RANGES is sorted and without overlap; what
 * is there already has priority. */
static void
ranges_add(GArray *ranges, uint64_t start, uint64_t last, VitRegion *region, uint64_t region_offset)
{
    guint i = 0;

    while (start <= last) {
        VitFlatRange piece = { .region = region,
                               .region_offset = region_offset,
                               .start = start,
                               .last = last,
                               .readonly = region->type == VIT_REGION_ROM };
        const VitFlatRange *next = NULL;

        while (i < ranges->len) {
            next = &g_array_index(ranges, VitFlatRange, i);
            if (next->last >= start) {
                break;
            }
            next = NULL;
            i++;
        }
        if (next && next->start <= start) {
            /* covered up to next->last */
            if (next->last >= last) {
                return;
            }
            region_offset += next->last + 1 - start;
            start = next->last + 1;
            continue;
        }
        if (next && next->start <= last) {
            piece.last = next->start - 1;
        }
        g_array_insert_val(ranges, i, piece);
        if (piece.last == UINT64_MAX) {
            return;
        }
        region_offset += piece.last + 1 - start;
        start = piece.last + 1;
    }
}

/* Renders REGION, whose byte 0 would lie at BASE (which may wrap below zero for aliases), clipped
 * to [clip_start, clip_last]. */
static void
render(GArray *ranges, VitRegion *region, uint64_t base, uint64_t clip_start, uint64_t clip_last,
       unsigned depth)
{
    uint64_t first = base, last = base + region->len_bytes - 1;

    if (!region->enabled || region->len_bytes == 0 || depth > 32) {
        return;
    }
    if (last < first) {
        first = 0; /* BASE is below zero: an alias shows the middle of a longer region */
    }
    first = MAX(first, clip_start);
    last = MIN(last, clip_last);
    if (first > last) {
        return;
    }
    switch (region->type) {
    case VIT_REGION_CONTAINER:
        for (guint i = 0; region->children && i < region->children->len; i++) {
            VitRegion *child = region->children->pdata[i];
            render(ranges, child, base + child->offset, first, last, depth + 1);
        }
        break;
    case VIT_REGION_ALIAS:
        if (region->alias_target) {
            render(ranges, region->alias_target, base - region->alias_offset, first, last,
                   depth + 1);
        }
        break;
    default: ranges_add(ranges, first, last, region, first - base); break;
    }
}

/* Joins neighbours that continue each other, so that look-ups and executors see long spans. */
static void
ranges_merge(GArray *ranges)
{
    guint out = 0;

    for (guint i = 1; i < ranges->len; i++) {
        VitFlatRange *prev = &g_array_index(ranges, VitFlatRange, out);
        VitFlatRange *range = &g_array_index(ranges, VitFlatRange, i);

        if (prev->last + 1 == range->start && prev->region == range->region &&
            prev->region_offset + (range->start - prev->start) == range->region_offset) {
            prev->last = range->last;
        } else {
            g_array_index(ranges, VitFlatRange, ++out) = *range;
        }
    }
    if (ranges->len) {
        g_array_set_size(ranges, out + 1);
    }
}

static VitFlatView *
view_make(VitAddressSpace *space)
{
    g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(VitFlatRange));
    VitFlatView *view;

    render(ranges, space->root, 0, 0, space->root->len_bytes - 1, 0);
    ranges_merge(ranges);
    view = g_malloc0(sizeof(*view) + ranges->len * sizeof(VitFlatRange));
    view->generation = ++space->generation;
    view->count = ranges->len;
    if (ranges->len) {
        memcpy(view->ranges, ranges->data, ranges->len * sizeof(VitFlatRange));
    }
    return view;
}

/* ---- Publication ---- */

static void
domain_reclaim(VitMapDomain *domain)
{
    uint64_t oldest = UINT64_MAX;

    g_mutex_lock(&domain->readers_mutex);
    for (guint i = 0; i < domain->readers->len; i++) {
        VitMapReader *reader = domain->readers->pdata[i];
        uint64_t seen = __atomic_load_n(&reader->seen, __ATOMIC_ACQUIRE); /* MIN() reads twice */

        oldest = MIN(oldest, seen);
    }
    g_mutex_unlock(&domain->readers_mutex);
    for (guint i = domain->retired->len; i-- > 0;) {
        RetiredView *retired = domain->retired->pdata[i];
        if (retired->epoch <= oldest) {
            g_ptr_array_remove_index_fast(domain->retired, i);
        }
    }
}

static void
space_publish(VitAddressSpace *space)
{
    VitMapDomain *domain = space->domain;
    VitFlatView *old_view = space->view;
    VitFlatView *new_view = view_make(space);
    RetiredView *retired;

    space->stale = false;
    __atomic_store_n(&space->view, new_view, __ATOMIC_RELEASE);
    for (guint i = 0; i < space->listeners->len; i++) {
        const MapListener *listener = &g_array_index(space->listeners, MapListener, i);
        listener->func(listener->opaque, space, old_view, new_view);
    }
    retired = g_new(RetiredView, 1);
    retired->view = old_view;
    retired->epoch = __atomic_add_fetch(&domain->epoch, 1, __ATOMIC_SEQ_CST);
    g_ptr_array_add(domain->retired, retired);
    domain_reclaim(domain);
}

void
vit_map_space_changed(VitAddressSpace *space)
{
    space->stale = true;
    if (space->domain->batch_depth == 0) {
        space_publish(space);
    }
}

void
vit_map_begin(VitMapDomain *domain)
{
    domain->batch_depth++;
}

void
vit_map_commit(VitMapDomain *domain)
{
    g_assert(domain->batch_depth > 0);
    if (--domain->batch_depth > 0) {
        return;
    }
    for (guint i = 0; i < domain->spaces->len; i++) {
        VitAddressSpace *space = domain->spaces->pdata[i];
        if (space->stale) {
            space_publish(space);
        }
    }
}

VitAddressSpace *
vit_address_space_new(VitMapDomain *domain, const char *name, VitRegion *root)
{
    VitAddressSpace *space = g_new0(VitAddressSpace, 1);

    space->name = g_strdup(name);
    space->domain = domain;
    space->root = root;
    space->listeners = g_array_new(FALSE, FALSE, sizeof(MapListener));
    if (!root->space_root_of) {
        root->space_root_of = g_ptr_array_new();
    }
    g_ptr_array_add(root->space_root_of, space);
    g_ptr_array_add(domain->spaces, space);
    space->view = view_make(space);
    return space;
}

void
vit_address_space_free(VitAddressSpace *space)
{
    if (!space) {
        return;
    }
    if (space->root->space_root_of) {
        g_ptr_array_remove_fast(space->root->space_root_of, space);
        if (space->root->space_root_of->len == 0) {
            g_clear_pointer(&space->root->space_root_of, g_ptr_array_unref);
        }
    }
    g_ptr_array_remove_fast(space->domain->spaces, space);
    g_array_unref(space->listeners);
    g_free(space->view);
    g_free(space->name);
    g_free(space);
}

const char *
vit_address_space_name(const VitAddressSpace *space)
{
    return space->name;
}

VitLock *
vit_address_space_lock(const VitAddressSpace *space)
{
    return space->domain->lock;
}

void
vit_address_space_add_listener(VitAddressSpace *space, VitMapListener listener, void *opaque)
{
    MapListener entry = { listener, opaque };

    g_array_append_val(space->listeners, entry);
}

void
vit_address_space_remove_listener(VitAddressSpace *space, void *opaque)
{
    for (guint i = space->listeners->len; i-- > 0;) {
        if (g_array_index(space->listeners, MapListener, i).opaque == opaque) {
            g_array_remove_index(space->listeners, i);
        }
    }
}

const VitFlatView *
vit_address_space_view(const VitAddressSpace *space)
{
    return __atomic_load_n(&space->view, __ATOMIC_ACQUIRE);
}

const VitFlatRange *
vit_flat_view_find(const VitFlatView *view, uint64_t address)
{
    uint32_t low = 0, high = view->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        const VitFlatRange *range = &view->ranges[middle];

        if (address < range->start) {
            high = middle;
        } else if (address > range->last) {
            low = middle + 1;
        } else {
            return range;
        }
    }
    return NULL;
}

static const char *
range_type_name(const VitFlatRange *range)
{
    switch (range->region->type) {
    case VIT_REGION_RAM: return "ram";
    case VIT_REGION_ROM: return "rom";
    default: return "i/o";
    }
}

void
vit_address_space_dump(VitAddressSpace *space, GString *out)
{
    const VitFlatView *view = vit_address_space_view(space);

    g_string_append_printf(out, "address-space: %s\n", space->name);
    for (uint32_t i = 0; i < view->count; i++) {
        const VitFlatRange *range = &view->ranges[i];
        g_string_append_printf(out, "  %016" PRIx64 "-%016" PRIx64 " (%s): %s", range->start,
                               range->last, range_type_name(range), range->region->name);
        if (range->region_offset) {
            g_string_append_printf(out, " @%016" PRIx64, range->region_offset);
        }
        g_string_append_c(out, '\n');
    }
}

/* ---- Readers ---- */

void
vit_map_reader_register(VitMapDomain *domain, VitMapReader *reader)
{
    reader->domain = domain;
    reader->seen = __atomic_load_n(&domain->epoch, __ATOMIC_SEQ_CST);
    g_mutex_lock(&domain->readers_mutex);
    g_ptr_array_add(domain->readers, reader);
    g_mutex_unlock(&domain->readers_mutex);
}

void
vit_map_reader_unregister(VitMapReader *reader)
{
    g_mutex_lock(&reader->domain->readers_mutex);
    g_ptr_array_remove_fast(reader->domain->readers, reader);
    g_mutex_unlock(&reader->domain->readers_mutex);
}

void
vit_map_reader_quiescent(VitMapReader *reader)
{
    __atomic_store_n(&reader->seen, __atomic_load_n(&reader->domain->epoch, __ATOMIC_SEQ_CST),
                     __ATOMIC_RELEASE);
}

void
vit_map_reader_offline(VitMapReader *reader)
{
    __atomic_store_n(&reader->seen, UINT64_MAX, __ATOMIC_RELEASE);
}

void
vit_map_reader_online(VitMapReader *reader)
{
    __atomic_store_n(&reader->seen, __atomic_load_n(&reader->domain->epoch, __ATOMIC_SEQ_CST),
                     __ATOMIC_SEQ_CST);
}
