/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Blocks as copies of others: user code that was translated at one linear address and is met again
 * at another, as each start of a program maps it elsewhere.
 *
 * While a block is emitted the assembler notes each place of its host code that depends on where
 * that lies or on where the guest's code does (TcgFix); all other bytes are the same for the same
 * guest bytes at the same offset of a page in the same mode. What takes another form by the value
 * itself (short immediates) makes a block that cannot be copied. The copy is a block like any
 * other: it has links, places and a page of its own, and goes when that is written.
 *
 * The original is found by a hash of its first bytes, whatever page they lie in, and compared with
 * all that it relies on; so dead ones serve as well. Thread: machine's lock held. */

#include "machine.h"

enum { HASHED_BYTES = 16 };

/* Where code and everything that it refers to relative to itself takes eight bytes. */
#define LINEAR_LOWEST ((uint64_t)1 << 33)
#define LINEAR_END    ((uint64_t)1 << 62)

bool
tcg_may_copy(const TcgMachine *machine, const TcgFetch *fetch)
{
    return (fetch->mode & TCG_MODE_VIEW) == X86_VIEW_USER &&
           (fetch->mode & TCG_MODE_SIZE) == TCG_MODE_CODE64 && fetch->page >= LINEAR_LOWEST &&
           fetch->page < LINEAR_END && !machine->options.count;
}

/* BYTES: the guest's page. */
static TcgBlock **
original(TcgMachine *machine, unsigned mode, unsigned offset, const uint8_t *bytes)
{
    uint64_t head[HASHED_BYTES / 8] = { 0 }, hash;

    memcpy(head, bytes + offset, MIN(HASHED_BYTES, VIT_PAGE_SIZE - offset));
    hash = (head[0] ^ (uint64_t)mode << 52 ^ (uint64_t)offset << 40) * 0x9e3779b97f4a7c15ull;
    hash = (hash ^ hash >> 32 ^ head[1]) * 0x9e3779b97f4a7c15ull;
    return &machine->originals[hash >> 40 & (TCG_ORIGINALS - 1)];
}

void
tcg_copy_offer(TcgMachine *machine, TcgBlock *block)
{
    if (block->n_fixes) {
        *original(machine, block->mode, block->offset, block->page->physical->host) = block;
    }
}

static bool
is_same(const TcgBlock *block, const TcgFetch *fetch, unsigned offset)
{
    return block->n_fixes && block->offset == offset && block->mode == fetch->mode &&
           memcmp(block->bytes, fetch->host + offset, block->len) == 0 &&
           tcg_same_elsewhere(block, fetch->host);
}

/* How far the parts of a copy lie from those of its original. */
typedef struct Move {
    ptrdiff_t hot, cold;
    uint64_t linear;
} Move;

static void
add32(uint8_t *at, int64_t value)
{
    int32_t now;

    memcpy(&now, at, 4);
    now += (int32_t)value;
    memcpy(at, &now, 4);
}

static void
store(uint8_t *at, const void *value, size_t len)
{
    memcpy(at, value, len);
}

/* The code of BLOCK, whose own parts lie at HOT and COLD now. */
static void
apply(const TcgBlock *block, const TcgBlock *from, uint8_t *hot, uint8_t *cold, const Move *move)
{
    uint32_t stamp = block->stamp, negated = -block->stamp;

    for (unsigned i = 0; i < block->n_fixes; i++) {
        const TcgFix *fix = &block->fixes[i];
        uint8_t *at = (fix->cold ? cold : hot) + fix->offset;
        ptrdiff_t own = fix->cold ? move->cold : move->hot;
        uint64_t value;

        switch ((TcgFixKind)fix->kind) {
        case TCG_FIX_OUT: add32(at, -own); break;
        case TCG_FIX_ACROSS: add32(at, move->hot + move->cold - 2 * own); break;
        case TCG_FIX_LINEAR:
            memcpy(&value, at, 8);
            value += move->linear;
            store(at, &value, 8);
            break;
        case TCG_FIX_SLOT:
            add32(at, ((int64_t)tcg_fetch_slot(block->page->linear) -
                       (int64_t)tcg_fetch_slot(from->page->linear)) *
                          (int64_t)sizeof(TcgFetch));
            break;
        case TCG_FIX_STAMP: store(at, &stamp, 4); break;
        case TCG_FIX_STAMP_NEGATED: store(at, &negated, 4); break;
        case TCG_FIX_BLOCK: store(at, &block, 8); break;
        }
    }
}

/* The record of the copy. */
static TcgBlock *
copy_record(TcgMachine *machine, const TcgBlock *from, const TcgFetch *fetch, const Move *move)
{
    TcgBlock *block = tcg_pool_alloc(&machine->pool, from->len_bytes);
    ptrdiff_t away = (char *)block - (char *)from;

    memcpy(block, from, from->len_bytes);
    block->links = (TcgLink *)((char *)from->links + away);
    block->places = (TcgPlace *)((char *)from->places + away);
    block->fixes = (TcgFix *)((char *)from->fixes + away);
    block->bytes = from->bytes + away;
    block->page = fetch->code;
    block->stamp = fetch->stamp;
    block->pc += move->linear;
    block->dead = false;
    block->incoming = NULL;
    block->start += move->hot;
    block->end += move->hot;
    block->entry += move->hot;
    block->entry_loop += move->hot;
    block->entry_far += move->hot;
    block->entry_indirect += move->hot;
    block->cold_start += move->cold;
    block->cold_end += move->cold;
    for (unsigned i = 0; i < block->n_links; i++) {
        TcgLink *link = &block->links[i];
        bool cold = link->jump >= machine->cold_start;

        link->from = block;
        link->to = NULL;
        link->next = NULL;
        link->pc += move->linear;
        link->jump += (uint32_t)(cold ? move->cold : move->hot);
        link->stub += (uint32_t)move->cold;
    }
    return block;
}

TcgBlock *
tcg_copy(TcgMachine *machine, const TcgFetch *fetch, uint64_t pc)
{
    ptrdiff_t delta = tcg_exec_delta(machine);
    unsigned offset = pc & 0xfff;
    TcgBlock **at, *from, *block;
    uint8_t *hot, *cold;
    size_t hot_len, cold_len;
    Move move;

    if (!tcg_may_copy(machine, fetch)) {
        return NULL;
    }
    at = original(machine, fetch->mode, offset, fetch->host);
    from = *at;
    if (!from || !is_same(from, fetch, offset) ||
        (!from->hot && tcg_is_hot(machine, offset, from->bytes, from->len))) {
        return NULL;
    }
    hot_len = (size_t)(from->end - from->start);
    cold_len = (size_t)(from->cold_end - from->cold_start);
    hot = machine->code + machine->code_used;
    cold = machine->code + machine->cold_used;
    if (machine->cold_start - machine->code_used < hot_len + 16 ||
        machine->code_len - machine->cold_used < cold_len + 16) {
        return NULL;
    }
    move = (Move){ .hot = hot + delta - from->start,
                   .cold = cold + delta - from->cold_start,
                   .linear = pc - from->pc };
    memcpy(hot, from->start - delta, hot_len);
    memcpy(cold, from->cold_start - delta, cold_len);
    block = copy_record(machine, from, fetch, &move);
    apply(block, from, hot, cold, &move);
    for (unsigned i = 0; i < block->n_links; i++) {
        tcg_unpatch(machine, &block->links[i]);
    }
    machine->code_used += (hot_len + 15) & ~(size_t)15;
    machine->cold_used += (cold_len + 3) & ~(size_t)3;
    machine->copied_blocks++;
    machine->translated_blocks++;
    machine->translated_insns += block->n_insns;
    machine->translated_guest_bytes += tcg_block_guest_bytes(block);
    machine->host_bytes += hot_len + cold_len;
    machine->cold_bytes += cold_len;
    tcg_block_add(machine, block);
    *at = block; /* which is rather in the host's caches */
    return block;
}
