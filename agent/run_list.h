/* SPDX-License-Identifier: Apache-2.0 */
/* The run folders below a root. */
#ifndef AGN_RUN_LIST_H
#define AGN_RUN_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct agn_found {
    char *name; /* its path below the root, "exp1" or "sweep/seed-1"; owned */
    char *dir;  /* absolute; owned */
};

struct agn_run_list {
    struct agn_found *runs; /* by bytes of the name */
    size_t count;
};

/* Look for folders with a ledger or events, of this process's user, at most four deep; links and
 * names that begin with '.' are left out, and what is inside a run. False: memory is out, or the
 * root cannot be read. */
bool agn_run_list_read(const char *root, struct agn_run_list *list);
void agn_run_list_release(struct agn_run_list *list);

#endif
