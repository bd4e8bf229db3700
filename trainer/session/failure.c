/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "session/failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "session/operations.h"

static const char gradient_prefix[] = "gradient of ";

static const char *const values[] = { "nan", "+inf", "-inf" };

const char *trn_failure_value(const char *text)
{
    for (size_t i = 0; text != NULL && i < sizeof(values) / sizeof(values[0]); i++)
        if (strcmp(text, values[i]) == 0)
            return values[i];
    return NULL;
}

void trn_failure_describe(const struct trn_step *step, struct trn_failure *failure)
{
    *failure = (struct trn_failure){ .step = step->step,
                                     .value = trn_failure_value(step->nonfinite.class_name),
                                     .element = step->nonfinite.index };
    snprintf(failure->where, sizeof(failure->where), "%s", step->nonfinite.where);
}

bool trn_failure_is_same(const struct trn_failure *a, const struct trn_failure *b)
{
    return strcmp(a->where, b->where) == 0 && a->element == b->element &&
           strcmp(a->value, b->value) == 0;
}

/* "loss", "gradient" and a name, "weight" and a name. */
static void split(const char *where, const char **what, const char **name)
{
    size_t prefix = sizeof(gradient_prefix) - 1;
    *name = "";
    if (strcmp(where, "loss") == 0) {
        *what = "loss";
    } else if (strcmp(where, "gradient norm") == 0) {
        *what = "gradient";
    } else if (strncmp(where, gradient_prefix, prefix) == 0) {
        *what = "gradient";
        *name = where + prefix;
    } else {
        *what = "weight";
        *name = where;
    }
}

void trn_failure_where(const char *what, const char *name, char *where, size_t where_size)
{
    if (strcmp(what, "gradient") == 0 && name[0] != '\0')
        snprintf(where, where_size, "%s%s", gradient_prefix, name);
    else if (strcmp(what, "gradient") == 0)
        snprintf(where, where_size, "gradient norm");
    else
        snprintf(where, where_size, "%s", name[0] != '\0' ? name : what);
}

/* The batch as attachments; how many. */
static size_t attach(const struct trn_training *t, const struct trn_step *step,
                     struct snap_attachment attachments[3])
{
    const struct trn_batch *batch = &t->batch;
    if (!step->drew_batch)
        return 0;
    attachments[0] = (struct snap_attachment){ TRN_BATCH_SAMPLES, batch->ids,
                                               batch->count * sizeof(batch->ids[0]) };
    attachments[1] = (struct snap_attachment){
        TRN_BATCH_IMAGES, batch->images,
        batch->count * t->data.train.image_size * sizeof(batch->images[0])
    };
    attachments[2] = (struct snap_attachment){ TRN_BATCH_LABELS, batch->labels,
                                               batch->count * t->data.train.labels_size *
                                                   sizeof(batch->labels[0]) };
    return 3;
}

static enum snap_status keep_operation(void *arg, const struct trn_op_record *record,
                                       struct snap_error *err)
{
    struct trn_operation operation;
    trn_operation_of(record, &operation);
    return trn_operations_add(arg, &operation, err);
}

/* The step once more, operation by operation. Whether it fails again or not is for a replay to say:
 * kept is what the operations give. *text NULL: it has none, its state was not finite before. */
static enum snap_status trace_step(struct trn_training *t, const struct trn_step *step, char **text,
                                   struct snap_error *err)
{
    struct trn_operations operations = TRN_OPERATIONS_INIT;
    const struct trn_op_observer observer = { &operations, keep_operation };
    const bool counted = t->config.tensorboard;
    struct snap_group *group = t->group;
    struct trn_step again;
    if (!step->drew_batch)
        return SNAP_OK;
    enum snap_status status = trn_op_trace_begin(t->backend, &observer, err);
    if (status != SNAP_OK)
        return status;
    t->config.tensorboard = false; /* the labels that are right are no part of the step */
    t->group = NULL; /* the shards of the other ranks too: state and batch are all here */
    status = trn_repeat_gradients(t, &again, err);
    t->group = group;
    t->config.tensorboard = counted;
    trn_op_trace_end(t->backend);
    if (status == SNAP_OK || status == SNAP_NONFINITE)
        status = trn_operations_encode(&operations, text, err);
    trn_operations_release(&operations);
    return status;
}

enum snap_status trn_failure_capsule(struct trn_training *t, const struct trn_step *step,
                                     struct trn_failure *failure, struct snap_error *err)
{
    struct snap_attachment attachments[4];
    struct snap_failure found = SNAP_FAILURE_INIT;
    char *operations = NULL;
    found.step = step->step;
    split(step->nonfinite.where, &found.what, &found.name);
    found.value = step->nonfinite.class_name;
    found.element = step->nonfinite.index;
    found.attachments = attachments;
    enum snap_status status = trace_step(t, step, &operations, err);
    if (status != SNAP_OK)
        return status;
    found.attachment_count = attach(t, step, attachments);
    if (operations != NULL)
        attachments[found.attachment_count++] =
            (struct snap_attachment){ TRN_OPERATIONS, operations, strlen(operations) };
    status = snap_run_capsule(t->run, &found, failure->capsule, sizeof(failure->capsule), err);
    free(operations);
    return status;
}

enum snap_status trn_failure_read(const struct snap_archive *capsule, struct trn_failure *failure,
                                  struct snap_error *err)
{
    const char *text = snap_archive_json(capsule, "manifest.json");
    json_t *manifest = text != NULL ? json_loads(text, 0, NULL) : NULL;
    const json_t *found = json_object_get(manifest, "failure");
    const char *what = json_string_value(json_object_get(found, "what"));
    const char *name = json_string_value(json_object_get(found, "name"));
    const char *value = trn_failure_value(json_string_value(json_object_get(found, "value")));
    enum snap_status status = SNAP_OK;
    if (what == NULL || name == NULL || value == NULL) {
        status = snap_error_set(err, SNAP_UNSUPPORTED,
                                "capsule: its failure is none that this trainer makes");
        goto out;
    }
    *failure = (struct trn_failure){ .value = value };
    trn_failure_where(what, name, failure->where, sizeof(failure->where));
    failure->step = (uint64_t)json_integer_value(json_object_get(found, "step"));
    failure->element = (uint64_t)json_integer_value(json_object_get(found, "element"));
out:
    json_decref(manifest);
    return status;
}

/* SNAP_DIFFERS unless the member `name` holds these bytes. */
static enum snap_status compare_member(const struct snap_archive *capsule, const char *name,
                                       const void *data, size_t size_bytes, struct snap_error *err)
{
    const struct snap_member *member = snap_archive_find(capsule, name);
    if (member == NULL || member->data_size != size_bytes)
        return snap_error_set(err, SNAP_DIFFERS, "%s: another size than in the capsule", name);
    void *recorded = malloc(size_bytes > 0 ? size_bytes : 1);
    if (recorded == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory", name);
    enum snap_status status = snap_archive_read(capsule, member, recorded, err);
    if (status == SNAP_OK && memcmp(recorded, data, size_bytes) != 0)
        status = snap_error_set(err, SNAP_DIFFERS, "%s: other bytes than in the capsule", name);
    free(recorded);
    return status;
}

enum snap_status trn_failure_compare_batch(const struct trn_training *t,
                                           const struct trn_step *step,
                                           const struct snap_archive *capsule, char *member,
                                           size_t member_size, struct snap_error *err)
{
    struct snap_attachment attachments[3];
    size_t count = attach(t, step, attachments);
    for (size_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof(name), "extra/%s", attachments[i].name);
        enum snap_status status = compare_member(capsule, name, attachments[i].data,
                                                 attachments[i].size_bytes, err);
        if (status == SNAP_DIFFERS)
            snprintf(member, member_size, "%s", name);
        if (status != SNAP_OK)
            return status;
    }
    return SNAP_OK;
}
