/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: a server polled by the test as a training polls it, and clients in
 * threads. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "process/control_address.h"
#include "process/control_socket.h"
#include "trainer.h"

struct fixture {
    char top[64];
    char dir[400]; /* longer than a socket address can be */
};

static int set_up(void **state)
{
    static const char name[] = "/a_folder_with_a_name_that_is_so_long_that_no_socket_address_could"
                               "_hold_it_and_then_some_more_letters_to_be_sure_of_that_anywhere";
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    snprintf(fixture->top, sizeof(fixture->top), "/tmp/snap-test-control.XXXXXX");
    if (mkdtemp(fixture->top) == NULL)
        return -1;
    snprintf(fixture->dir, sizeof(fixture->dir), "%s%s", fixture->top, name);
    *state = fixture;
    return mkdir(fixture->dir, 0700);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    rmdir(fixture->dir);
    rmdir(fixture->top);
    free(fixture);
    return 0;
}

static struct trn_control *open_control(const struct fixture *fixture)
{
    struct trn_control *control;
    struct snap_error err = SNAP_ERROR_INIT;
    if (trn_control_open(fixture->dir, &control, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    return control;
}

/* A `snap save` in a thread. */
struct client {
    pthread_t thread;
    const char *dir;
    enum snap_status status;
    struct trn_saved saved;
    struct snap_error err;
};

static void *ask(void *arg)
{
    struct client *client = arg;
    client->status = trn_save_request(client->dir, 20000, &client->saved, &client->err);
    return NULL;
}

static void start(struct client *client, const struct fixture *fixture)
{
    *client = (struct client){ .dir = fixture->dir, .err = SNAP_ERROR_INIT };
    assert_int_equal(pthread_create(&client->thread, NULL, ask, client), 0);
}

static void wait_for_request(struct trn_control *control)
{
    while (!trn_control_poll(control))
        usleep(1000);
}

static void saves_are_answered(void **state)
{
    const struct fixture *fixture = *state;
    struct trn_control *control = open_control(fixture);
    struct client client;
    assert_false(trn_control_poll(control));
    start(&client, fixture);
    wait_for_request(control);
    assert_true(trn_control_poll(control)); /* it goes on waiting */
    trn_control_saving(control);
    assert_false(trn_control_poll(control));
    trn_control_saved(control, 123, "snap1:abc");
    pthread_join(client.thread, NULL);
    assert_int_equal(client.status, SNAP_OK);
    assert_int_equal(client.saved.step, 123);
    assert_string_equal(client.saved.snapshot_hash, "snap1:abc");
    assert_false(trn_control_poll(control));

    start(&client, fixture);
    wait_for_request(control);
    trn_control_saving(control);
    trn_control_failed(control, "no space: \"disk\" is full");
    pthread_join(client.thread, NULL);
    assert_int_equal(client.status, SNAP_IO);
    assert_non_null(strstr(client.err.text, "no space: \"disk\" is full"));
    trn_control_close(control);
}

static void the_end_of_the_run_is_an_answer(void **state)
{
    const struct fixture *fixture = *state;
    struct trn_control *control = open_control(fixture);
    struct trn_saved saved;
    struct client client;
    start(&client, fixture);
    wait_for_request(control);
    trn_control_close(control);
    pthread_join(client.thread, NULL);
    assert_int_equal(client.status, SNAP_IO);
    assert_non_null(strstr(client.err.text, "the run has ended"));
    assert_int_equal(trn_save_request(fixture->dir, 0, &saved, NULL), SNAP_NOT_FOUND);
}

static void nobody_is_there(void **state)
{
    const struct fixture *fixture = *state;
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_saved saved;
    assert_int_equal(trn_save_request(fixture->dir, 0, &saved, &err), SNAP_NOT_FOUND);
    assert_non_null(strstr(err.text, "no process trains there"));
    assert_int_equal(trn_save_request("/nonexistent/run", 0, &saved, &err), SNAP_NOT_FOUND);
}

static void time_runs_out(void **state)
{
    const struct fixture *fixture = *state;
    struct trn_control *control = open_control(fixture);
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_saved saved;
    assert_int_equal(trn_save_request(fixture->dir, 20, &saved, &err), SNAP_IO);
    assert_non_null(strstr(err.text, "not answered in time"));
    trn_control_close(control);
}

/* A connection of the test's own; what comes back after `text` was sent. */
static int connect_to(const struct fixture *fixture)
{
    struct sockaddr_un address;
    int dir_fd;
    assert_int_equal(trn_control_open_dir(fixture->dir, &dir_fd, NULL), SNAP_OK);
    trn_control_address(dir_fd, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    close(dir_fd);
    return fd;
}

static void expect_answer(const struct fixture *fixture, struct trn_control *control,
                          const char *request, size_t size, const char *answer)
{
    char line[2000];
    int fd = connect_to(fixture);
    assert_int_equal(send(fd, request, size, MSG_NOSIGNAL), size);
    assert_false(trn_control_poll(control));
    ssize_t got = recv(fd, line, sizeof(line) - 1, 0);
    assert_true(got >= 0);
    line[got] = '\0';
    assert_string_equal(line, answer);
    close(fd);
}

static void bad_requests(void **state)
{
    const struct fixture *fixture = *state;
    struct trn_control *control = open_control(fixture);
    static const char *const bad[] = { "\n", "save\n", "{\"request\":\"stop\"}\n", "[]\n",
                                       "{\"request\":\"save\",\"x\":1}\n", "{\"request\":3}\n" };
    static const char expected[] = "{\"error\":\"expected {\\\"request\\\":\\\"save\\\"}\"}\n";
    char long_line[1000];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_answer(fixture, control, bad[i], strlen(bad[i]), expected);
    memset(long_line, ' ', sizeof(long_line));
    /* Only what fits is read; the rest of it is reset, and the answer may go with it. */
    int fd = connect_to(fixture);
    assert_int_equal(send(fd, long_line, sizeof(long_line), MSG_NOSIGNAL), sizeof(long_line));
    assert_false(trn_control_poll(control));
    ssize_t got = recv(fd, long_line, sizeof(long_line), 0);
    assert_true(got <= 0 || strncmp(long_line, "{\"error\":\"the request is too long\"}", 10) == 0);
    close(fd);
    /* Gone before it was heard. */
    close(connect_to(fixture));
    assert_false(trn_control_poll(control));
    trn_control_close(control);
}

/* Who asks while a save is under way wants the next one: the state of now is not in this one. */
static void asked_during_a_save(void **state)
{
    const struct fixture *fixture = *state;
    struct trn_control *control = open_control(fixture);
    struct client first;
    struct client second;
    start(&first, fixture);
    wait_for_request(control);
    trn_control_saving(control);
    start(&second, fixture);
    wait_for_request(control);
    trn_control_saved(control, 1, "snap1:a");
    pthread_join(first.thread, NULL);
    assert_int_equal(first.saved.step, 1);
    assert_true(trn_control_poll(control));
    trn_control_saving(control);
    trn_control_saved(control, 2, "snap1:b");
    pthread_join(second.thread, NULL);
    assert_int_equal(second.saved.step, 2);
    trn_control_close(control);
}

/* Many who say nothing do not keep one from being heard; a request may come in pieces. */
static void silent_clients(void **state)
{
    const struct fixture *fixture = *state;
    struct trn_control *control = open_control(fixture);
    int silent[10];
    for (size_t i = 0; i < 10; i++)
        silent[i] = connect_to(fixture);
    assert_false(trn_control_poll(control));
    int fd = connect_to(fixture);
    assert_int_equal(send(fd, "{\"request\":", 11, 0), 11);
    assert_false(trn_control_poll(control));
    assert_int_equal(send(fd, "\"save\"}\n", 8, 0), 8);
    assert_true(trn_control_poll(control));
    trn_control_saving(control);
    trn_control_saved(control, 5, "snap1:x");
    char line[100];
    assert_int_equal(recv(fd, line, sizeof(line), 0), 28);
    assert_memory_equal(line, "{\"hash\":\"snap1:x\",\"step\":5}\n", 28);
    close(fd);
    for (size_t i = 0; i < 10; i++)
        close(silent[i]);
    trn_control_close(control);
}

static void the_socket_is_the_owners(void **state)
{
    const struct fixture *fixture = *state;
    char path[500];
    struct stat info;
    snprintf(path, sizeof(path), "%s/control", fixture->dir);
    struct trn_control *control = open_control(fixture);
    assert_int_equal(stat(path, &info), 0);
    assert_true(S_ISSOCK(info.st_mode));
    assert_int_equal(info.st_mode & 07777, 0600);
    trn_control_close(control);
    assert_int_equal(stat(path, &info), -1);
}

static void leftovers(void **state)
{
    const struct fixture *fixture = *state;
    char path[500];
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_control *control;
    struct sockaddr_un address;
    int dir_fd;
    snprintf(path, sizeof(path), "%s/control", fixture->dir);
    /* As a killed run leaves it: bound, and nobody listens. */
    assert_int_equal(trn_control_open_dir(fixture->dir, &dir_fd, NULL), SNAP_OK);
    trn_control_address(dir_fd, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    close(dir_fd);
    control = open_control(fixture);
    trn_control_close(control);
    /* A file of the user's stays. */
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    assert_int_equal(trn_control_open(fixture->dir, &control, &err), SNAP_IO);
    assert_non_null(strstr(err.text, "something else is there"));
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(saves_are_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(asked_during_a_save, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_of_the_run_is_an_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_is_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(time_runs_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(silent_clients, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_socket_is_the_owners, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leftovers, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
