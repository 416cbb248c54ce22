/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Regions: the tree that describes an address map. Each change tells the domain, which flattens
 * anew the spaces under whose root the region lies (vit-map.c). Thread: device lock held. */

#include "vit-map-private.h"

static void
region_init(VitRegion *region, const char *name, VitRegionType type, uint64_t len_bytes)
{
    *region = (VitRegion){
        .name = g_strdup(name),
        .type = type,
        .len_bytes = len_bytes,
        .enabled = true,
    };
}

void
vit_region_init_container(VitRegion *region, const char *name, uint64_t len_bytes)
{
    region_init(region, name, VIT_REGION_CONTAINER, len_bytes);
}

void
vit_region_init_ram(VitRegion *region, const char *name, VitRamBlock *block, uint64_t block_offset,
                    uint64_t len_bytes)
{
    g_assert(block_offset + len_bytes <= block->len_bytes);
    region_init(region, name, VIT_REGION_RAM, len_bytes);
    region->block = block;
    region->block_offset = block_offset;
}

void
vit_region_init_rom(VitRegion *region, const char *name, VitRamBlock *block, uint64_t block_offset,
                    uint64_t len_bytes)
{
    vit_region_init_ram(region, name, block, block_offset, len_bytes);
    region->type = VIT_REGION_ROM;
}

void
vit_region_init_io(VitRegion *region, const char *name, const VitRegionOps *ops, void *opaque,
                   uint64_t len_bytes)
{
    region_init(region, name, VIT_REGION_IO, len_bytes);
    region->ops = ops;
    region->opaque = opaque;
}

void
vit_region_init_alias(VitRegion *region, const char *name, VitRegion *target,
                      uint64_t target_offset, uint64_t len_bytes)
{
    region_init(region, name, VIT_REGION_ALIAS, len_bytes);
    region->alias_target = target;
    region->alias_offset = target_offset;
    if (!target->aliases) {
        target->aliases = g_ptr_array_new();
    }
    g_ptr_array_add(target->aliases, region);
}

void
vit_region_finish(VitRegion *region)
{
    if (!region->name) {
        return;
    }
    if (region->parent) {
        vit_region_remove(region);
    }
    if (region->alias_target && region->alias_target->aliases) {
        g_ptr_array_remove_fast(region->alias_target->aliases, region);
    }
    if (region->children) {
        for (guint i = 0; i < region->children->len; i++) {
            ((VitRegion *)region->children->pdata[i])->parent = NULL;
        }
        g_ptr_array_unref(region->children);
    }
    if (region->aliases) {
        for (guint i = 0; i < region->aliases->len; i++) {
            ((VitRegion *)region->aliases->pdata[i])->alias_target = NULL;
        }
        g_ptr_array_unref(region->aliases);
    }
    g_free((char *)region->name);
    *region = (VitRegion){ 0 };
}

/* Every space that shows REGION, by way of its parents and of aliases to any of them. DEPTH bounds
 * alias chains, which a guest cannot make but a coding mistake could. */
static void
region_touch(VitRegion *region, unsigned depth)
{
    for (VitRegion *r = region; r && depth < 16; r = r->parent) {
        if (r->space_root_of) {
            for (guint i = 0; i < r->space_root_of->len; i++) {
                vit_map_space_changed(r->space_root_of->pdata[i]);
            }
        }
        for (guint i = 0; r->aliases && i < r->aliases->len; i++) {
            region_touch(r->aliases->pdata[i], depth + 1);
        }
    }
}

void
vit_region_add(VitRegion *parent, uint64_t offset, VitRegion *child, int priority)
{
    guint at;

    g_assert(!child->parent && parent->type == VIT_REGION_CONTAINER);
    child->parent = parent;
    child->offset = offset;
    child->priority = priority;
    if (!parent->children) {
        parent->children = g_ptr_array_new();
    }
    /* kept highest priority first; among equals the newest first */
    for (at = 0; at < parent->children->len; at++) {
        if (((VitRegion *)parent->children->pdata[at])->priority <= priority) {
            break;
        }
    }
    g_ptr_array_insert(parent->children, at, child);
    region_touch(child, 0);
}

void
vit_region_remove(VitRegion *child)
{
    VitRegion *parent = child->parent;

    if (!parent) {
        return;
    }
    g_ptr_array_remove(parent->children, child);
    child->parent = NULL;
    region_touch(parent, 0);
}

void
vit_region_set_enabled(VitRegion *region, bool enabled)
{
    if (region->enabled != enabled) {
        region->enabled = enabled;
        region_touch(region, 0);
    }
}

void
vit_region_set_offset(VitRegion *region, uint64_t offset)
{
    if (region->offset != offset) {
        region->offset = offset;
        region_touch(region, 0);
    }
}

void
vit_region_set_alias_offset(VitRegion *region, uint64_t target_offset)
{
    if (region->alias_offset != target_offset) {
        region->alias_offset = target_offset;
        region_touch(region, 0);
    }
}

void
vit_region_set_readonly(VitRegion *region, bool readonly)
{
    VitRegionType type = readonly ? VIT_REGION_ROM : VIT_REGION_RAM;

    g_assert(region->block);
    if (region->type != type) {
        region->type = type;
        region_touch(region, 0);
    }
}

bool
vit_region_is_mapped(const VitRegion *region)
{
    return region->parent != NULL;
}
