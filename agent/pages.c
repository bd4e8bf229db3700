/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "pages.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Pages that are kept, of two megabytes at most. */
#define PAGES_MOST 16u

/* What the page is made of, as far as it can be seen from outside: of each file its number, size
 * and time. */
struct look {
    struct {
        ino_t number;
        off_t size;
        struct timespec time;
    } files[6];
};

struct waiter {
    struct waiter *next;
    void *who;
};

struct page {
    struct page *next; /* asked for longer ago */
    char *dir;
    bool wanted; /* it is to be made, or is being made */
    struct waiter *waiters;
    struct look look; /* from before it was made */
    bool is_made;
    enum snap_status status;
    struct snap_error error;
    struct agn_shared_text *text; /* NULL unless the status is SNAP_OK */
};

struct agn_pages {
    struct agn_agent *agent;
    const struct agn_pages_waiting *waiting;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool stopping;
    struct page *pages; /* the one that was asked for last is the first */
};

void agn_shared_text_release(struct agn_shared_text *text)
{
    if (text == NULL || atomic_fetch_sub(&text->users, 1) > 1)
        return;
    free(text->text);
    free(text);
}

static void look_at(const char *dir, struct look *look)
{
    static const char *const names[] = { "ledger.jsonl", "events.jsonl", "config.json",
                                         "latest",       "snapshots",    "capsules" };
    char path[PATH_MAX];
    struct stat info;
    memset(look, 0, sizeof *look);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (snprintf(path, sizeof path, "%s/%s", dir, names[i]) >= (int)sizeof path ||
            stat(path, &info) != 0)
            continue;
        look->files[i].number = info.st_ino;
        look->files[i].size = info.st_size;
        look->files[i].time = info.st_mtim;
    }
}

static void release_page(struct page *page)
{
    agn_shared_text_release(page->text);
    free(page->dir);
    free(page);
}

/* ---- the thread ---- */

static struct page *next_wanted(struct agn_pages *pages)
{
    struct page *found = NULL; /* the last is the one that waits longest */
    for (struct page *page = pages->pages; page != NULL; page = page->next)
        if (page->wanted)
            found = page;
    return found;
}

static void let_go_on(struct agn_pages *pages, struct page *page)
{
    while (page->waiters != NULL) {
        struct waiter *one = page->waiters;
        page->waiters = one->next;
        pages->waiting->go_on(one->who);
        free(one);
    }
}

/* The oldest that nobody waits for go. */
static void forget_some(struct agn_pages *pages)
{
    unsigned count = 0;
    for (struct page **at = &pages->pages; *at != NULL;) {
        struct page *page = *at;
        if (++count > PAGES_MOST && !page->wanted) {
            *at = page->next;
            release_page(page);
        } else {
            at = &page->next;
        }
    }
}

/* Make it, with the lock, which is not held on the way. */
static void make(struct agn_pages *pages, struct page *page)
{
    const struct agn_options *options = pages->agent->options;
    struct agn_shared_text *made = NULL;
    struct snap_error err = SNAP_ERROR_INIT;
    struct look look;
    char *text = NULL;
    pthread_mutex_unlock(&pages->lock);
    look_at(page->dir, &look);
    enum snap_status status = options->page(options->page_arg, page->dir, &text, &err);
    if (status == SNAP_OK && (made = calloc(1, sizeof *made)) == NULL) {
        free(text);
        status = snap_error_set(&err, SNAP_NO_MEMORY, "%s: no memory for its page", page->dir);
    } else if (status == SNAP_OK) {
        atomic_init(&made->users, 1);
        made->text = text;
        made->size = strlen(text);
    }
    atomic_fetch_add(&pages->agent->pages, 1);
    pthread_mutex_lock(&pages->lock);
    agn_shared_text_release(page->text);
    page->look = look;
    page->is_made = true;
    page->text = made;
    page->status = status;
    page->error = err;
    page->wanted = false;
    let_go_on(pages, page);
    forget_some(pages);
}

static void *work(void *arg)
{
    struct agn_pages *pages = arg;
    pthread_mutex_lock(&pages->lock);
    while (!pages->stopping) {
        struct page *page = next_wanted(pages);
        if (page != NULL)
            make(pages, page);
        else
            pthread_cond_wait(&pages->changed, &pages->lock);
    }
    pthread_mutex_unlock(&pages->lock);
    return NULL;
}

/* ---- asking ---- */

/* The run's entry, now the first; NULL: memory is out. */
static struct page *find(struct agn_pages *pages, const char *dir)
{
    struct page **at = &pages->pages;
    while (*at != NULL && strcmp((*at)->dir, dir) != 0)
        at = &(*at)->next;
    struct page *page = *at;
    if (page != NULL) {
        *at = page->next;
    } else {
        char *copy = strdup(dir);
        page = copy != NULL ? calloc(1, sizeof *page) : NULL;
        if (page == NULL) {
            free(copy);
            return NULL;
        }
        page->dir = copy;
    }
    page->next = pages->pages;
    pages->pages = page;
    return page;
}

/* False: memory is out. */
static bool wait_for(struct agn_pages *pages, struct page *page, void *who)
{
    struct waiter *made = calloc(1, sizeof *made);
    if (made == NULL)
        return false;
    pages->waiting->hold(who);
    *made = (struct waiter){ .next = page->waiters, .who = who };
    page->waiters = made;
    page->wanted = true;
    pthread_cond_signal(&pages->changed);
    return true;
}

bool agn_pages_get(struct agn_pages *pages, const char *dir, void *waiter, bool waited,
                   struct agn_shared_text **text, enum snap_status *status,
                   struct snap_error *err)
{
    struct look look;
    bool is_here = true;
    look_at(dir, &look);
    pthread_mutex_lock(&pages->lock);
    struct page *page = find(pages, dir);
    bool fresh = page != NULL && page->is_made &&
                 (waited || (!page->wanted && memcmp(&page->look, &look, sizeof look) == 0));
    if (page == NULL) {
        *status = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its page", dir);
    } else if (fresh) {
        *status = page->status;
        *text = page->text;
        if (page->text != NULL)
            atomic_fetch_add(&page->text->users, 1);
        else
            *err = page->error;
    } else if (pages->stopping) {
        *status = snap_error_set(err, SNAP_BUSY, "the agent stops");
    } else if (wait_for(pages, page, waiter)) {
        is_here = false;
    } else {
        *status = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its page", dir);
    }
    pthread_mutex_unlock(&pages->lock);
    return is_here;
}

/* ---- beginning and end ---- */

enum snap_status agn_pages_start(struct agn_agent *agent, const struct agn_pages_waiting *waiting,
                                 struct agn_pages **pages, struct snap_error *err)
{
    struct agn_pages *made = calloc(1, sizeof *made);
    if (made == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "--listen: out of memory");
    *made = (struct agn_pages){ .agent = agent, .waiting = waiting };
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->changed, NULL);
    int failed = pthread_create(&made->thread, NULL, work, made);
    if (failed != 0) {
        pthread_cond_destroy(&made->changed);
        pthread_mutex_destroy(&made->lock);
        free(made);
        return snap_error_set_os(err, SNAP_IO, failed, "--listen: starting a thread");
    }
    *pages = made;
    return SNAP_OK;
}

void agn_pages_end_waiting(struct agn_pages *pages)
{
    if (pages == NULL)
        return;
    pthread_mutex_lock(&pages->lock);
    pages->stopping = true;
    for (struct page *page = pages->pages; page != NULL; page = page->next)
        let_go_on(pages, page);
    pthread_cond_signal(&pages->changed);
    pthread_mutex_unlock(&pages->lock);
}

void agn_pages_stop(struct agn_pages *pages)
{
    if (pages == NULL)
        return;
    agn_pages_end_waiting(pages);
    pthread_join(pages->thread, NULL);
    while (pages->pages != NULL) {
        struct page *page = pages->pages;
        pages->pages = page->next;
        release_page(page);
    }
    pthread_cond_destroy(&pages->changed);
    pthread_mutex_destroy(&pages->lock);
    free(pages);
}
