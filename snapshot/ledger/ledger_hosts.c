/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of which only the host part is promised: it must be equal, and the floats are measured. */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/hex.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "ledger/ledger_line.h"

/* The bits of an f32 or f64, or an integer; NaN where it is none of these. */
static double number_of(const json_t *value)
{
    const char *text = json_string_value(value);
    uint64_t wide;
    uint32_t narrow;
    double number = NAN;
    float single;
    if (json_is_integer(value)) {
        number = (double)json_integer_value(value);
    } else if (text != NULL && snap_hex_decode_u64(text, &wide)) {
        memcpy(&number, &wide, sizeof number);
    } else if (text != NULL && snap_hex_decode_u32(text, &narrow)) {
        memcpy(&single, &narrow, sizeof single);
        number = (double)single;
    }
    return number;
}

static double distance(double recorded, double now)
{
    double larger = fmax(fabs(recorded), fabs(now));
    if (!isfinite(recorded) || !isfinite(now))
        return INFINITY;
    return larger == 0 ? 0 : fabs(now / larger - recorded / larger);
}

/* `there` or `here` is NULL where that line does not have it. */
static void add_number(struct snap_float_deviation *deviation, uint64_t step, const char *name,
                       const json_t *there, const json_t *here)
{
    deviation->numbers++;
    if (there != NULL && here != NULL && json_equal(there, here))
        return;
    double recorded = number_of(there);
    double now = number_of(here);
    double away = distance(recorded, now);
    deviation->numbers_unequal++;
    if (deviation->field[0] != '\0' && away <= deviation->largest)
        return;
    deviation->largest = away;
    deviation->step = step;
    snprintf(deviation->field, sizeof deviation->field, "float.scalars.%.140s", name);
    deviation->recorded = recorded;
    deviation->now = now;
}

static void add_floats(struct snap_float_deviation *deviation, uint64_t step, json_t *there,
                       json_t *here)
{
    json_t *recorded = json_object_get(there, "scalars");
    json_t *now = json_object_get(here, "scalars");
    const json_t *state = json_object_get(there, "state");
    const char *name;
    json_t *value;
    json_object_foreach(recorded, name, value)
        add_number(deviation, step, name, value, json_object_get(now, name));
    json_object_foreach(now, name, value)
        if (json_object_get(recorded, name) == NULL)
            add_number(deviation, step, name, NULL, value);
    if (state != NULL) {
        deviation->states++;
        deviation->states_unequal += !json_equal(state, json_object_get(here, "state"));
    }
}

/* The line with the float part of the other one: what then differs is of the host part. */
static enum snap_status tell_host(const char *recorded, json_t *there, json_t *here,
                                  struct snap_ledger_difference *difference,
                                  struct snap_error *err)
{
    struct snap_buffer again = SNAP_BUFFER_INIT;
    enum snap_status status =
        snap_json_set(here, "float", json_incref(json_object_get(there, "float")), err);
    if (status == SNAP_OK)
        status = snap_json_encode(here, &again, err);
    if (status == SNAP_OK)
        status = snap_ledger_compare_lines(recorded, (const char *)again.data, difference, err);
    if (status == SNAP_OK) {
        struct snap_ledger_difference chain = SNAP_LEDGER_DIFFERENCE_INIT;
        snap_json_get_u64(json_object_get(json_object_get(there, "host"), "step"), &chain.step);
        snprintf(chain.kind, sizeof chain.kind, "other");
        snprintf(chain.field, sizeof chain.field, "host_chain");
        snprintf(chain.left, sizeof chain.left, "%.64s",
                 json_string_value(json_object_get(there, "host_chain")));
        snprintf(chain.right, sizeof chain.right, "%.64s",
                 json_string_value(json_object_get(here, "host_chain")));
        *difference = chain;
        status = snap_error_set(err, SNAP_DIFFERS,
                                "step %" PRIu64 ": the host part is equal, but follows from others",
                                chain.step);
    }
    snap_buffer_release(&again);
    return status;
}

enum snap_status snap_ledger_compare_hosts(const char *recorded, const char *now,
                                           struct snap_float_deviation *deviation,
                                           struct snap_ledger_difference *difference,
                                           struct snap_error *err)
{
    if (recorded == NULL || now == NULL || deviation == NULL || difference == NULL ||
        deviation->size_bytes != sizeof *deviation)
        return snap_error_set(err, SNAP_INVALID,
                              "ledger: compare host parts: a line is NULL, or the deviation is not "
                              "SNAP_FLOAT_DEVIATION_INIT");
    json_t *there = NULL;
    json_t *here = NULL;
    uint64_t step = 0;
    enum snap_status status =
        snap_json_decode(recorded, strlen(recorded), "the line recorded", &there, err);
    if (status == SNAP_OK)
        status = snap_json_decode(now, strlen(now), "the line made", &here, err);
    if (status == SNAP_OK &&
        (!json_equal(json_object_get(there, "host"), json_object_get(here, "host")) ||
         !json_equal(json_object_get(there, "host_chain"), json_object_get(here, "host_chain"))))
        status = tell_host(recorded, there, here, difference, err);
    if (status == SNAP_OK) {
        snap_json_get_u64(json_object_get(json_object_get(there, "host"), "step"), &step);
        deviation->lines++;
        add_floats(deviation, step, json_object_get(there, "float"),
                   json_object_get(here, "float"));
    }
    json_decref(there);
    json_decref(here);
    return status;
}
