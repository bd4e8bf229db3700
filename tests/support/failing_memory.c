/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

#include "failing_memory.h"

static struct {
    long countdown; /* the allocation that fails, from 1; 0: none */
    bool hit;
    bool paused; /* in Jansson's parser */
} memory;

void failing_memory_set(long n)
{
    memory.countdown = n;
    if (n > 0)
        memory.hit = false;
}

bool failing_memory_hit(void)
{
    return memory.hit;
}

static bool fails(void)
{
    if (memory.paused || memory.countdown == 0 || --memory.countdown > 0)
        return false;
    memory.hit = true;
    errno = ENOMEM;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
json_t *__real_json_loadb(const char *bytes, size_t size, size_t flags, json_error_t *error);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);
json_t *__wrap_json_loadb(const char *bytes, size_t size, size_t flags, json_error_t *error);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return fails() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

json_t *__wrap_json_loadb(const char *bytes, size_t size, size_t flags, json_error_t *error)
{
    memory.paused = true;
    json_t *value = __real_json_loadb(bytes, size, flags, error);
    memory.paused = false;
    return value;
}

void failing_memory_with_jansson(bool with_jansson)
{
    json_set_alloc_funcs(with_jansson ? __wrap_malloc : __real_malloc, free);
}
