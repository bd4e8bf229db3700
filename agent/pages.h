/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of runs, made by a thread of their own and kept while the run's files stay as they are: who
 * asks for one that is being made waits for it, and no thread that answers does. */
#ifndef AGN_PAGES_H
#define AGN_PAGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "agent_internal.h"

struct agn_pages;

/* Text that several answers have at one time. */
struct agn_shared_text {
    atomic_uint users;
    size_t size;
    char *text; /* owned */
};
/* One user less; NULL is fine. */
void agn_shared_text_release(struct agn_shared_text *text);

/* What becomes of who waits: `hold` is called when it begins to, and `go_on` once, from another
 * thread, when it is to ask again. Never both at one time. */
struct agn_pages_waiting {
    void (*hold)(void *waiter);
    void (*go_on)(void *waiter);
};

/* `waiting` is borrowed until stop. */
enum snap_status agn_pages_start(struct agn_agent *agent, const struct agn_pages_waiting *waiting,
                                 struct agn_pages **pages, struct snap_error *err);
/* All who wait go on, and are told SNAP_BUSY; nobody waits from now on. NULL is fine. */
void agn_pages_end_waiting(struct agn_pages *pages);
/* After that, when nobody asks any more. NULL is fine. */
void agn_pages_stop(struct agn_pages *pages);

/* The page of the run in `dir`: false: it is being made, and `waiter` is held. Who `waited` gets
 * what was made. True: *status says whether *text is the page, for the caller to release, or *err
 * why there is none. */
bool agn_pages_get(struct agn_pages *pages, const char *dir, void *waiter, bool waited,
                   struct agn_shared_text **text, enum snap_status *status,
                   struct snap_error *err);

#endif
