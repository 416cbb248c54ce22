/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Text without a C library, and what the compiler may call by itself. */

#include "demo.h"

void *memcpy(void *to, const void *from, size_t len);
void *memset(void *to, int value, size_t len);

void *
memcpy(void *to, const void *from, size_t len)
{
    void *start = to;

    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len) : : "memory");
    return start;
}

void *
memset(void *to, int value, size_t len)
{
    void *start = to;

    __asm__ volatile("rep stosb" : "+D"(to), "+c"(len) : "a"(value) : "memory");
    return start;
}

void
text_number(char *out, uint32_t value, unsigned digits)
{
    out[digits] = '\0';
    while (digits-- > 0) {
        out[digits] = '0' + value % 10;
        value /= 10;
    }
}

char *
text_append(char *to, const char *text)
{
    while (*text) {
        *to++ = *text++;
    }
    *to = '\0';
    return to;
}
