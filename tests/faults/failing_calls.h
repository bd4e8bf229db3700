/* SPDX-License-Identifier: Apache-2.0 */
/* The Nth system call fails, by number and never at random. The linker sends the library's calls
 * here (-Wl,--wrap, see tests/faults/Makefile.inc). One thread at a time. */
#ifndef SNAP_TESTS_FAILING_CALLS_H
#define SNAP_TESTS_FAILING_CALLS_H

#include <stdbool.h>

enum fault {
    FAULT_NONE = 0,
    FAULT_EIO,
    FAULT_ENOSPC,
    FAULT_EMFILE,      /* open */
    FAULT_EACCES,      /* open, mkdir */
    FAULT_EINTR,       /* once; the call is to be made again */
    FAULT_SHORT,       /* half of the bytes are read or written */
    FAULT_LIE_NOTHING, /* said to be written, and was not */
    FAULT_LIE_OTHER,   /* other bytes were written */
    FAULT_KILL         /* no failure: SIGKILL before the call */
};

/* Whether the fault can happen to a call of this name; and is it one that must not be noticed by
 * the caller of the library? */
bool fault_fits(const char *call, enum fault fault);
bool fault_is_harmless(enum fault fault);
const char *fault_name(enum fault fault);

/* Count calls from here on, and let call `number` (from 1; 0: none) meet with the fault, if it
 * fits. */
void failing_calls_start(unsigned number, enum fault fault);
void failing_calls_stop(void);
/* How many there were since the start; whether the fault has happened, to which call, and what it
 * was about ("file", "/tmp/x/ledger.jsonl"). */
unsigned failing_calls_count(void);
bool failing_calls_hit(void);
const char *failing_calls_name(void);
const char *failing_calls_path(void);

#endif
