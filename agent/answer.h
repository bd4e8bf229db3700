/* SPDX-License-Identifier: Apache-2.0 */
/* What is answered to one HTTP request, before any server library comes in. */
#ifndef AGN_ANSWER_H
#define AGN_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent_internal.h"
#include "pages.h"

/* A part of a file, or a text. */
struct agn_answer {
    unsigned status;      /* 200, 206, 404 ... */
    const char *type;     /* static */
    char *text;           /* owned; NULL: it is a file */
    size_t text_size;
    struct agn_shared_text *shared; /* in place of it; owned; NULL: none */
    int fd;               /* owned; -1: it is a text */
    uint64_t offset;      /* of the part */
    uint64_t length;
    uint64_t file_size;
    char etag[64];        /* of a file: what changes with its bytes; quoted */
    bool later;           /* there is none yet: who asks was held (pages.h), and asks again */
    bool moves;           /* what it shows is being made: a browser asks again by itself */
};
#define AGN_ANSWER_INIT { .status = 500, .fd = -1 }
void agn_answer_release(struct agn_answer *answer);

/* Fill in a text; NULL: memory is out. `text` is consumed. */
void agn_answer_text(struct agn_answer *answer, unsigned status, const char *type, char *text);
/* One line of plain text that says what is wrong. */
void agn_answer_problem(struct agn_answer *answer, unsigned status, const char *problem);

/* What a client says of the part that it wants; either may be NULL. */
struct agn_part {
    const char *range;    /* the header Range */
    const char *if_range; /* If-Range */
};
/* The part of a file of `size` bytes that `range` means: 200 for the whole (no range, several, or
 * one that is not understood), 206, or 416. */
unsigned agn_part_of(const char *range, uint64_t size, uint64_t *offset, uint64_t *length);

/* Who asks, for pages that are still to be made. */
struct agn_asker {
    struct agn_pages *pages;
    void *waiter;
    bool waited; /* it was held before */
};
/* Answer GET of a path without escapes. */
void agn_answer_get(struct agn_agent *agent, const struct agn_asker *asker, const char *path,
                    const struct agn_part *part, struct agn_answer *answer);

#endif
