/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <dlfcn.h>
#include <string.h>

#include "group/mpi_calls.h"

#if OMPI_MAJOR_VERSION != 4 && OMPI_MAJOR_VERSION != 5
#error "the names of the objects below are those of Open MPI 4 and 5"
#endif
#define LIBRARY "libmpi.so.40" /* of both */

/* In the program before the library: one that links with MPI itself may have the objects of libmpi
 * in its own memory (copy relocations), and libmpi then uses those. */
static enum snap_status find(void *library, const char *name, void *place, struct snap_error *err)
{
    void *found = dlsym(RTLD_DEFAULT, name);
    if (found == NULL)
        found = dlsym(library, name);
    if (found == NULL)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "ranks: " LIBRARY " has no %s: it is not the Open MPI that this was "
                              "built for", name);
    memcpy(place, &found, sizeof found); /* POSIX has both pointers in one form */
    return SNAP_OK;
}

enum snap_status snap_mpi_load(struct snap_mpi_calls *calls, struct snap_error *err)
{
    struct snap_mpi_calls loaded;
    /* For all: what Open MPI loads itself looks for its names there. */
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
    enum snap_status status = SNAP_OK;
    if (library == NULL)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "ranks: libmpi cannot be loaded: %.300s: install Open MPI",
                              dlerror());
#define FIND(name)                                                                                 \
    if (status == SNAP_OK)                                                                         \
        status = find(library, #name, &loaded.name, err);
    SNAP_MPI_FUNCTIONS(FIND)
#undef FIND
    if (status == SNAP_OK)
        status = find(library, "ompi_mpi_comm_world", &loaded.world, err);
    if (status == SNAP_OK)
        status = find(library, "ompi_mpi_byte", &loaded.byte, err);
    if (status == SNAP_OK)
        status = find(library, "ompi_mpi_errors_return", &loaded.errors_return, err);
    if (status == SNAP_OK)
        status = find(library, "ompi_mpi_info_null", &loaded.no_info, err);
    if (status == SNAP_OK)
        *calls = loaded;
    return status;
}
