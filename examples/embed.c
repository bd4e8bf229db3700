/* SPDX-License-Identifier: Apache-2.0 */
/* A plain C training loop that may be killed at any moment: started again, it goes on from its last
 * snapshot, and every step made again must give the ledger line that it gave before.
 *     cc embed.c $(pkg-config --cflags --libs snapstate) -o embed && ./embed DIR STEPS */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <snapstate/snapstate.h>
static struct snap_run *run;
static struct snap_error err = SNAP_ERROR_INIT;
static void on_signal(int number) /* answered after the step under way */
{
    snap_run_request(run, number == SIGTERM ? SNAP_WANTED_SAVE_AND_STOP : SNAP_WANTED_SAVE);
}
static void must(enum snap_status status)
{
    if (status != SNAP_OK)
        exit((fprintf(stderr, "embed: %s\n", err.text), 3));
}

/* Our own generator: the library must know how to read its state, and how to set it. */
static double draw(uint64_t *state)
{
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return (double)(*state >> 11) / 4503599627370496.0 - 1; /* from -1 to 1 */
}
static enum snap_status get(void *state, void **bytes, size_t *size, struct snap_error *error)
{
    if ((*bytes = malloc(*size = sizeof(uint64_t))) == NULL)
        return snap_error_set(error, SNAP_NO_MEMORY, "generator: out of memory");
    return memcpy(*bytes, state, *size), SNAP_OK;
}
static enum snap_status set(void *state, const void *bytes, size_t size, struct snap_error *error)
{
    if (size == sizeof(uint64_t))
        return memcpy(state, bytes, size), SNAP_OK;
    return snap_error_set(error, SNAP_CORRUPT, "generator: its state has 8 bytes");
}

int main(int argc, char **argv)
{
    uint64_t generator = 88172645463325252u, steps = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
    double weight[2] = { 0, 0 }; /* learns y = 3 x - 1 */
    char hash[SNAP_HASH_TEXT_BYTES];
    struct snap_stream_ops ops = { sizeof ops, get, set, NULL };
    struct snap_run_tensor tensor = { .size_bytes = sizeof tensor, .root = "model", .name = "w",
        .data = weight, .dtype = SNAP_F64, .ndim = 1, .shape = (const uint64_t[]){ 2 } };
    struct snap_run_options options = { .size_bytes = sizeof options, .dir = argv[1], .every = 100,
        .profile = "host-1", .training = "{\"rate\":\"0.05\"}", .state_every = 1 };
    if (steps == 0) return fprintf(stderr, "usage: embed DIR STEPS\n"), 2;
    must(snap_run_open(&options, &run, &err));
    must(snap_run_add_tensor(run, &tensor, &err)); /* everything that decides the next step */
    must(snap_run_add_stream(run, "xorshift", "opaque", &ops, &generator, &err));
    enum snap_status found = snap_run_restore(run, SNAP_TIER_EXACT, NULL, NULL, &err);
    must(found == SNAP_NOT_FOUND ? SNAP_OK : found); /* nothing to restore: a fresh run */
    signal(SIGTERM, on_signal), signal(SIGUSR1, on_signal);
    enum snap_wanted wanted = SNAP_WANTED_NOTHING;
    while (snap_run_steps_done(run) < steps && wanted != SNAP_WANTED_SAVE_AND_STOP) {
        must(snap_run_begin_step(run, &err));
        double x = draw(&generator), error = weight[0] * x + weight[1] - (3 * x - 1);
        must(snap_run_before_update(run, NULL, &err));
        weight[0] -= 0.05 * error * x, weight[1] -= 0.05 * error;
        struct snap_scalar loss = snap_scalar_f64("loss", error * error);
        struct snap_step_record record = { .size_bytes = sizeof record,
            .step = snap_run_steps_done(run) + 1, .float_scalars = &loss, .float_scalar_count = 1 };
        must(snap_run_step(run, &record, &err)); /* the ledger line */
        if ((wanted = snap_run_wanted(run)) != SNAP_WANTED_NOTHING || record.step == steps)
            must(snap_run_capture(run, record.step, NULL, NULL, &err)); /* and train on */
    }
    must(snap_run_wait(run, NULL, NULL, &err)); /* the last one is durable */
    must(snap_run_hash(run, hash, NULL, &err));
    signal(SIGTERM, SIG_DFL), signal(SIGUSR1, SIG_DFL); /* a handler may not see the run closed */
    must(snap_run_close(run, &err));
    printf("y = %.3f x %+.3f\n%s\n", weight[0], weight[1], hash);
    return wanted == SNAP_WANTED_SAVE_AND_STOP ? 75 : 0;
}
