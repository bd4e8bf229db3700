/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ssh_keygen.h"

/* The longest public key, of an RSA key of 16384 bits, has under 3 KiB. */
#define MOST_KEY_BYTES 8192

enum snap_status cmd_ssh_signer(const char *key, struct snap_signer *signer,
                                struct snap_error *err)
{
    char path[PATH_MAX], text[MOST_KEY_BYTES];
    size_t length = strlen(key), size;
    bool is_public = length > 4 && strcmp(key + length - 4, ".pub") == 0;
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = SNAP_OK;
    FILE *file;

    if (snprintf(path, sizeof path, "%s%s", key, is_public ? "" : ".pub") >= (int)sizeof path)
        return snap_error_set(err, SNAP_INVALID, "%.100s...: the path is too long", key);
    file = fopen(path, "re");
    if (file == NULL)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: reading the public key", path);
    size = fread(text, 1, sizeof text, file);
    if (ferror(file))
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: reading the public key", path);
    fclose(file); /* it was only read */
    if (status == SNAP_OK && snap_signature_key(text, size, signer, &cause) != SNAP_OK)
        status = snap_error_set(err, SNAP_INVALID, "%s: %s", path, cause.text);
    return status;
}

enum snap_status cmd_ssh_sign(const char *key, const char *path, struct snap_error *err)
{
    /* posix_spawnp takes them as not constant, and leaves them as they are. */
    char *const arguments[] = { (char *)"ssh-keygen", (char *)"-q", (char *)"-Y", (char *)"sign",
                                (char *)"-n", (char *)SNAP_SIGNATURE_NAMESPACE, (char *)"-f",
                                (char *)key, (char *)path, NULL };
    posix_spawn_file_actions_t actions;
    int wait_status = 0;
    pid_t child;
    int problem = posix_spawn_file_actions_init(&actions);

    if (problem == 0) { /* what it says is no part of what we print */
        problem = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
        if (problem == 0)
            problem = posix_spawnp(&child, "ssh-keygen", &actions, NULL, arguments, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    if (problem != 0)
        return snap_error_set_os(err, SNAP_IO, problem,
                                 "ssh-keygen: running it (package openssh-client)");
    while (waitpid(child, &wait_status, 0) < 0)
        if (errno != EINTR)
            return snap_error_set_os(err, SNAP_IO, errno, "ssh-keygen: waiting for it");
    if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0)
        return snap_error_set(err, SNAP_IO, "%s: ssh-keygen has not signed it with %s", path, key);
    return SNAP_OK;
}
