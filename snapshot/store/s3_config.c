/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "store/ini_file.h"
#include "store/s3_config.h"

#define MOST_PROFILE_BYTES ((uint64_t)1 << 20)
#define MOST_BUCKET_BYTES 63u
#define MOST_REGION_BYTES 64u
/* A key has at most 1024 bytes; names of the store take 200. */
#define MOST_PREFIX_BYTES 800u
#define DEFAULT_DEADLINE_MS 120000u

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "s3: out of memory");
}

/* Not of a program that runs with more rights than its caller. An empty one is none. */
static const char *variable(const char *name)
{
    const char *value = secure_getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static void wipe(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void snap_s3_config_release(struct snap_s3_config *config)
{
    free(config->bucket);
    free(config->prefix);
    free(config->base);
    free(config->region);
    free(config->user);
    wipe(config->secret);
    wipe(config->token);
    free(config->ca_bundle);
    *config = (struct snap_s3_config){ .bucket = NULL };
}

/* ---- profile files ---- */

struct profiles {
    struct snap_buffer credentials; /* [NAME] */
    struct snap_buffer settings;    /* [profile NAME], [default] */
    char section[128];              /* of the first */
    char setting_section[144];      /* of the second */
};

/* A file that is not there is empty; one that was named must be there. */
static enum snap_status read_profile(const char *name, const char *home_file,
                                     struct snap_buffer *out, struct snap_error *err)
{
    const char *named = variable(name);
    const char *home = variable("HOME");
    char path[4096];
    if (named == NULL && home == NULL)
        return SNAP_OK;
    int length = named != NULL ? snprintf(path, sizeof path, "%s", named)
                               : snprintf(path, sizeof path, "%s/%s", home, home_file);
    if (length < 0 || (size_t)length >= sizeof path)
        return snap_error_set(err, SNAP_INVALID, "%s: the path is too long",
                              named != NULL ? name : "HOME");
    enum snap_status status = snap_file_read(AT_FDCWD, path, MOST_PROFILE_BYTES, out, err);
    if (status == SNAP_NOT_FOUND && named == NULL)
        return SNAP_OK;
    if (status == SNAP_NOT_FOUND)
        return snap_error_set(err, SNAP_IO, "%s: no such file, and %s names it", path, name);
    return status;
}

static enum snap_status read_profiles(struct profiles *profiles, struct snap_error *err)
{
    const char *name = variable("AWS_PROFILE");
    if (name == NULL)
        name = "default";
    bool fits = (size_t)snprintf(profiles->section, sizeof profiles->section, "%s", name) <
                sizeof profiles->section;
    if (!fits)
        return snap_error_set(err, SNAP_INVALID, "AWS_PROFILE: the name is too long");
    snprintf(profiles->setting_section, sizeof profiles->setting_section, "%s%s",
             strcmp(name, "default") == 0 ? "" : "profile ", profiles->section);
    enum snap_status status = read_profile("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials",
                                           &profiles->credentials, err);
    if (status == SNAP_OK)
        status = read_profile("AWS_CONFIG_FILE", ".aws/config", &profiles->settings, err);
    return status;
}

static void release_profiles(struct profiles *profiles)
{
    if (profiles->credentials.data != NULL)
        explicit_bzero(profiles->credentials.data, profiles->credentials.size);
    if (profiles->settings.data != NULL)
        explicit_bzero(profiles->settings.data, profiles->settings.size);
    snap_buffer_release(&profiles->credentials);
    snap_buffer_release(&profiles->settings);
}

/* A value of the profile, a copy; NULL: it has none. *failed: memory is out. */
static char *profile_value(const struct profiles *profiles, bool credential, const char *key,
                           bool *failed)
{
    const char *value;
    size_t size;
    const struct snap_buffer *first = &profiles->credentials;
    const struct snap_buffer *second = &profiles->settings;
    bool found = credential && first->data != NULL &&
                 snap_ini_find((const char *)first->data, first->size, profiles->section, key,
                               &value, &size);
    if (!found && second->data != NULL)
        found = snap_ini_find((const char *)second->data, second->size, profiles->setting_section,
                              key, &value, &size);
    if (!found)
        return NULL;
    char *copy = strndup(value, size);
    *failed = *failed || copy == NULL;
    return copy;
}

/* The first variable that is set, else the profile's value. */
static char *setting(const struct profiles *profiles, const char *const *variables, const char *key,
                     bool *failed)
{
    for (size_t i = 0; variables[i] != NULL; i++) {
        if (variable(variables[i]) == NULL)
            continue;
        char *copy = strdup(variable(variables[i]));
        *failed = *failed || copy == NULL;
        return copy;
    }
    return profile_value(profiles, false, key, failed);
}

/* ---- the parts ---- */

/* A line break in one of them would be a header of its own. */
static bool is_one_word(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text == 0x7f)
            return false;
    return true;
}

static enum snap_status find_credentials(struct snap_s3_config *config,
                                         const struct profiles *profiles, struct snap_error *err)
{
    const char *user = variable("AWS_ACCESS_KEY_ID");
    const char *secret = variable("AWS_SECRET_ACCESS_KEY");
    const char *token = variable("AWS_SESSION_TOKEN");
    bool failed = false;
    if ((user == NULL) != (secret == NULL))
        return snap_error_set(err, SNAP_INVALID,
                              "s3://%s: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: one is set "
                              "and the other is not",
                              config->bucket);
    if (user != NULL) {
        config->user = strdup(user);
        config->secret = strdup(secret);
        config->token = token != NULL ? strdup(token) : NULL;
        failed = config->user == NULL || config->secret == NULL ||
                 (token != NULL && config->token == NULL);
    } else {
        config->user = profile_value(profiles, true, "aws_access_key_id", &failed);
        config->secret = profile_value(profiles, true, "aws_secret_access_key", &failed);
        config->token = profile_value(profiles, true, "aws_session_token", &failed);
    }
    if (failed)
        return no_memory(err);
    if (config->user == NULL || config->secret == NULL)
        return snap_error_set(err, SNAP_NOT_FOUND,
                              "s3://%s: no credentials: set AWS_ACCESS_KEY_ID and "
                              "AWS_SECRET_ACCESS_KEY, or write them into ~/.aws/credentials "
                              "(profile \"%s\")",
                              config->bucket, profiles->section);
    if (!is_one_word(config->user) || !is_one_word(config->secret) ||
        (config->token != NULL && !is_one_word(config->token)))
        return snap_error_set(err, SNAP_INVALID,
                              "s3://%s: a credential has a blank or a control character in it",
                              config->bucket);
    return SNAP_OK;
}

/* A bucket with dots has no certificate as a host name. */
static enum snap_status find_place(struct snap_s3_config *config, const struct profiles *profiles,
                                   struct snap_error *err)
{
    static const char *const regions[] = { "AWS_REGION", "AWS_DEFAULT_REGION", NULL };
    static const char *const endpoints[] = { "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", NULL };
    static const char *const bundles[] = { "AWS_CA_BUNDLE", NULL };
    bool failed = false;
    char *endpoint = setting(profiles, endpoints, "endpoint_url", &failed);
    enum snap_status status = SNAP_OK;
    int length = 0;
    config->region = setting(profiles, regions, "region", &failed);
    config->ca_bundle = setting(profiles, bundles, "ca_bundle", &failed);
    if (config->region == NULL && !failed)
        failed = (config->region = strdup("us-east-1")) == NULL;
    if (failed) {
        status = no_memory(err);
        goto out;
    }
    size_t end = endpoint != NULL ? strlen(endpoint) : 0;
    while (end > 0 && endpoint[end - 1] == '/')
        end--;
    if (endpoint != NULL &&
        ((strncmp(endpoint, "http://", 7) != 0 && strncmp(endpoint, "https://", 8) != 0) ||
         !is_one_word(endpoint) || strpbrk(endpoint, "?#@") != NULL))
        status = snap_error_set(err, SNAP_INVALID,
                                "s3://%s: the endpoint (AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or "
                                "endpoint_url) is no http:// or https:// address",
                                config->bucket);
    else if (strlen(config->region) > MOST_REGION_BYTES ||
             strspn(config->region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789-_") != strlen(config->region))
        status = snap_error_set(err, SNAP_INVALID, "s3://%s: AWS_REGION: no name of a region",
                                config->bucket);
    else if (endpoint != NULL)
        length = asprintf(&config->base, "%.*s/%s", (int)end, endpoint, config->bucket);
    else if (strchr(config->bucket, '.') != NULL)
        length = asprintf(&config->base, "https://s3.%s.amazonaws.com/%s", config->region,
                          config->bucket);
    else
        length = asprintf(&config->base, "https://%s.s3.%s.amazonaws.com", config->bucket,
                          config->region);
    if (length < 0) {
        config->base = NULL;
        status = no_memory(err);
    }
out:
    free(endpoint);
    return status;
}

/* Is the part that begins here "." or ".."? */
static bool is_dots(const char *part)
{
    size_t length = strcspn(part, "/");
    return length > 0 && length <= 2 && strspn(part, ".") >= length;
}

static enum snap_status parse_uri(struct snap_s3_config *config, const char *uri,
                                  struct snap_error *err)
{
    const char *bucket = uri + strlen("s3://");
    size_t length = strcspn(bucket, "/");
    const char *prefix = bucket[length] == '/' ? bucket + length + 1 : "";
    size_t prefix_length = strlen(prefix);
    /* Such a one is not repeated: it may hold a secret, which may have slashes. */
    if (memchr(bucket, '@', length) != NULL || memchr(bucket, ':', length) != NULL)
        return snap_error_set(err, SNAP_INVALID,
                              "s3://...@...: credentials have no place in a URI: set "
                              "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    while (prefix_length > 0 && prefix[prefix_length - 1] == '/')
        prefix_length--;
    bool legal = length > 0 && length <= MOST_BUCKET_BYTES && prefix_length <= MOST_PREFIX_BYTES &&
                 strspn(bucket, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789.-_") >= length;
    for (size_t i = 0; i < prefix_length; i++)
        legal = legal && (unsigned char)prefix[i] >= ' ' && prefix[i] != 0x7f &&
                !(prefix[i] == '/' && (i == 0 || prefix[i - 1] == '/'));
    /* Parts that a path would fold: the object would be another one. */
    for (size_t i = 0; i < prefix_length; i += strcspn(prefix + i, "/") + 1)
        legal = legal && !is_dots(prefix + i);
    if (!legal)
        return snap_error_set(err, SNAP_INVALID,
                              "%.200s: is no s3://BUCKET/PREFIX: a bucket has letters, digits, "
                              "'.', '-' and '_', a prefix no empty part, '.' or '..'",
                              uri);
    config->bucket = strndup(bucket, length);
    config->prefix = malloc(prefix_length + 2);
    if (config->bucket == NULL || config->prefix == NULL)
        return no_memory(err);
    snprintf(config->prefix, prefix_length + 2, "%.*s%s", (int)prefix_length, prefix,
             prefix_length > 0 ? "/" : "");
    return SNAP_OK;
}

enum snap_status snap_s3_config_init(struct snap_s3_config *config, const char *uri,
                                     struct snap_error *err)
{
    struct profiles profiles = { .credentials = SNAP_BUFFER_INIT, .settings = SNAP_BUFFER_INIT };
    *config = (struct snap_s3_config){ .bucket = NULL };
    enum snap_status status = parse_uri(config, uri, err);
    if (status == SNAP_OK)
        status = read_profiles(&profiles, err);
    if (status == SNAP_OK)
        status = find_credentials(config, &profiles, err);
    if (status == SNAP_OK)
        status = find_place(config, &profiles, err);
    release_profiles(&profiles);
    if (status != SNAP_OK)
        snap_s3_config_release(config);
    return status;
}

enum snap_status snap_s3_deadline(unsigned *deadline_ms, struct snap_error *err)
{
    const char *text = variable("SNAP_S3_DEADLINE");
    char *end;
    *deadline_ms = DEFAULT_DEADLINE_MS;
    if (text == NULL)
        return SNAP_OK;
    unsigned long seconds = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || seconds < 1 || seconds > 86400)
        return snap_error_set(err, SNAP_INVALID,
                              "SNAP_S3_DEADLINE: \"%.40s\" is no number of seconds from 1 to 86400",
                              text);
    *deadline_ms = (unsigned)seconds * 1000;
    return SNAP_OK;
}
