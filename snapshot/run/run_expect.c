/* SPDX-License-Identifier: Apache-2.0 */
/* Lines that are expected: of the run's own ledger, or given by the caller. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/hex.h"
#include "run/run_internal.h"

static void name_line(bool genesis, uint64_t step, char where[40])
{
    if (genesis)
        snprintf(where, 40, "genesis line");
    else
        snprintf(where, 40, "step %" PRIu64, step);
}

static enum snap_status tell(struct snap_run *run, const struct snap_ledger_difference *difference,
                             bool genesis, uint64_t step, struct snap_error *err)
{
    char where[40];
    name_line(genesis, step, where);
    run->difference = *difference;
    run->has_difference = true;
    return snap_error_set(err, SNAP_DIFFERS,
                          "%s: %s: %s differs from the ledger: %s: expected %s, "
                          "now %s",
                          snap_run_label(run), where, difference->kind, difference->field,
                          difference->left, difference->right);
}

static enum snap_status tell_difference(struct snap_run *run, const char *expected,
                                        const char *made, bool genesis, uint64_t step,
                                        struct snap_error *err)
{
    struct snap_ledger_difference difference = SNAP_LEDGER_DIFFERENCE_INIT;
    char where[40];
    name_line(genesis, step, where);
    enum snap_status status = snap_ledger_compare_lines(expected, made, &difference, NULL);
    if (status == SNAP_OK)
        return snap_error_set(err, SNAP_DIFFERS,
                              "%s: %s: the line is the one expected, but follows "
                              "from other lines",
                              snap_run_label(run), where);
    if (status != SNAP_DIFFERS)
        return snap_error_set(err, status, "%s: %s: compare with the line expected: %s",
                              snap_run_label(run), where, snap_status_name(status));
    return tell(run, &difference, genesis, step, err);
}

enum snap_status snap_run_meet_host(struct snap_run *run, const char *expected, const char *made,
                                    bool genesis, uint64_t step,
                                    struct snap_float_deviation *deviation, struct snap_error *err)
{
    struct snap_ledger_difference difference = SNAP_LEDGER_DIFFERENCE_INIT;
    enum snap_status status =
        snap_ledger_compare_hosts(expected, made, deviation, &difference, err);
    return status == SNAP_DIFFERS ? tell(run, &difference, genesis, step, err) : status;
}

enum snap_status snap_run_meet(struct snap_run *run, const struct snap_expectation *expectation,
                               const struct snap_buffer *line, bool genesis, uint64_t step,
                               bool *met, struct snap_error *err)
{
    size_t size;
    *met = expectation->ledger != NULL &&
           expectation->next < snap_ledger_line_count(expectation->ledger);
    if (!*met)
        return SNAP_OK;
    const char *expected = snap_ledger_line(expectation->ledger, expectation->next, &size);
    if (expectation->host)
        return snap_run_meet_host(run, expected, (const char *)line->data, genesis, step,
                                  &run->deviation, err);
    if (size == line->size && memcmp(expected, line->data, size) == 0)
        return SNAP_OK;
    return tell_difference(run, expected, (const char *)line->data, genesis, step, err);
}

/* `host`: of each line the host part alone. */
static enum snap_status expect(struct snap_run *run, const struct snap_ledger *ledger, bool host,
                               struct snap_error *err)
{
    char text[2 * SNAP_DIGEST_BYTES + 1];
    size_t index;
    if (run == NULL || ledger == NULL)
        return snap_error_set(err, SNAP_INVALID, "expect: no run or ledger");
    if (run->archive_path != NULL && !run->restore_called)
        return snap_error_set(err, SNAP_INVALID,
                              "expect: restore first: the lines after the "
                              "archive's step are expected");
    if (!run->begun) {
        run->given = (struct snap_expectation){ ledger, 0, host };
        return SNAP_OK;
    }
    snap_hex_encode(host ? run->heads.host : run->heads.run, SNAP_DIGEST_BYTES, text);
    if (!snap_ledger_find(ledger, run->steps_done, &index))
        return snap_error_set(err, SNAP_DIFFERS,
                              "expect: the ledger has no line of step %" PRIu64
                              ", where the run is",
                              run->steps_done);
    const char *chain = host ? snap_ledger_host_chain(ledger, index)
                             : snap_ledger_chain(ledger, index);
    if (strcmp(chain, text) != 0)
        return snap_error_set(err, SNAP_DIFFERS,
                              "expect: at step %" PRIu64 " the ledger's %schain is "
                              "%.16s..., and the run's %.16s...: it is the ledger of another run",
                              run->steps_done, host ? "host " : "", chain, text);
    run->given = (struct snap_expectation){ ledger, index + 1, host };
    return SNAP_OK;
}

enum snap_status snap_run_expect(struct snap_run *run, const struct snap_ledger *ledger,
                                 struct snap_error *err)
{
    return expect(run, ledger, false, err);
}

enum snap_status snap_run_expect_host(struct snap_run *run, const struct snap_ledger *ledger,
                                      struct snap_error *err)
{
    return expect(run, ledger, true, err);
}

const struct snap_float_deviation *snap_run_deviation(const struct snap_run *run)
{
    return run != NULL ? &run->deviation : NULL;
}

uint64_t snap_run_expected_last(const struct snap_run *run)
{
    uint64_t last = 0;
    const struct snap_expectation *both[] = { &run->own, &run->given };
    for (size_t i = 0; i < 2; i++) {
        const struct snap_ledger *ledger = both[i]->ledger;
        if (ledger != NULL && both[i]->next < snap_ledger_line_count(ledger) &&
            snap_ledger_last_step(ledger) > last)
            last = snap_ledger_last_step(ledger);
    }
    return last > run->steps_done ? last : 0;
}

const struct snap_ledger_difference *snap_run_difference(const struct snap_run *run)
{
    return run != NULL && run->has_difference ? &run->difference : NULL;
}
