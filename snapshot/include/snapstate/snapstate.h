/* SPDX-License-Identifier: Apache-2.0 */
/* libsnapstate: the whole public interface. */
#ifndef SNAPSTATE_SNAPSTATE_H
#define SNAPSTATE_SNAPSTATE_H

#include <snapstate/agent.h>
#include <snapstate/archive.h>
#include <snapstate/device.h>
#include <snapstate/diff.h>
#include <snapstate/fsck.h>
#include <snapstate/group.h>
#include <snapstate/import.h>
#include <snapstate/keep.h>
#include <snapstate/ledger.h>
#include <snapstate/pool.h>
#include <snapstate/publication.h>
#include <snapstate/receipt.h>
#include <snapstate/run.h>
#include <snapstate/signature.h>
#include <snapstate/status.h>
#include <snapstate/store.h>
#include <snapstate/stream.h>
#include <snapstate/stream_draws.h>
#include <snapstate/tree.h>
#include <snapstate/verify.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library's version ("0.1.0"); static. */
const char *snap_version(void);

#ifdef __cplusplus
}
#endif

#endif
