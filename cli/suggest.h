/* SPDX-License-Identifier: Apache-2.0 */
/* What someone who mistyped a name meant. */
#ifndef CMD_SUGGEST_H
#define CMD_SUGGEST_H

/* The nearer of two names to what was typed; `best` is what an earlier call returned, NULL at
 * first. A name counts only if one letter was left out, put in, changed, or swapped with the next;
 * of six letters and more a third. Borrowed. */
const char *cmd_nearer(const char *typed, const char *best, const char *name);

#endif
