/*
 * The names in a directory of the simulated disk: as they are now, as they would be after a power
 * cut, and the changes between the two. It knows neither bytes nor time.
 */
#include "sim/disk.h"

/* Where the name stands, or would. */
static size_t place_of(const struct disk_directory *directory, const char *name)
{
    size_t low = 0;
    size_t high = directory->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(directory->items[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct disk_file *find(const struct disk_directory *directory, const char *name)
{
    size_t place = place_of(directory, name);
    return place < directory->count && strcmp(directory->items[place].name, name) == 0
               ? directory->items[place].file
               : NULL;
}

static void copy_name(char to[FILE_NAME_BYTES_MAX + 1], const char *from)
{
    size_t size = from == NULL ? 0 : strlen(from);
    ensure(size <= FILE_NAME_BYTES_MAX);
    memcpy(to, from == NULL ? "" : from, size + 1);
}

static void set(struct disk_directory *directory, const char *name, struct disk_file *file)
{
    size_t place = place_of(directory, name);
    (void)disk_file_hold(file);
    if (place < directory->count && strcmp(directory->items[place].name, name) == 0) {
        disk_file_release(directory->items[place].file);
    } else {
        copy_name(array_insert(directory, place)->name, name);
    }
    directory->items[place].file = file;
}

static void unset(struct disk_directory *directory, const char *name)
{
    size_t place = place_of(directory, name);
    disk_file_release(directory->items[place].file);
    array_remove(directory, place, 1);
}

static void apply(struct disk_directory *directory, const struct name_change *change)
{
    if (change->to[0] != 0) {
        set(directory, change->to, change->file);
    }
    if (change->from[0] != 0 && find(directory, change->from) == change->file) {
        unset(directory, change->from);
    }
}

static void copy_directory(struct disk_directory *to, const struct disk_directory *from)
{
    for (size_t i = 0; i < from->count; i++) {
        (void)disk_file_hold(from->items[i].file);
    }
    for (size_t i = 0; i < to->count; i++) {
        disk_file_release(to->items[i].file);
    }
    to->count = 0;
    if (from->count > 0) {
        memcpy(array_extend(to, from->count), from->items, from->count * sizeof *from->items);
    }
}

static void forget_changes(struct disk_names *names)
{
    for (size_t i = 0; i < names->changes.count; i++) {
        disk_file_release(names->changes.items[i].file);
    }
    names->changes.count = 0;
}

struct disk_file *disk_names_find(const struct disk_names *names, const char *name)
{
    return find(&names->present, name);
}

void disk_names_change(struct disk_names *names, const char *from, const char *to,
                       struct disk_file *file)
{
    ensure(from != NULL || to != NULL);
    if (from != NULL && to != NULL && strcmp(from, to) == 0) {
        return;
    }
    struct name_change *change = array_push(&names->changes);
    copy_name(change->from, from);
    copy_name(change->to, to);
    change->file = disk_file_hold(file);
    apply(&names->present, change);
}

void disk_names_sync(struct disk_names *names)
{
    copy_directory(&names->durable, &names->present);
    forget_changes(names);
}

/* Where an earlier change of its name has not happened, the file still has that name too. */
static void keep_one_name(struct disk_directory *directory, const struct name_change *change)
{
    for (size_t i = directory->count; i > 0; i--) {
        const struct disk_name *name = &directory->items[i - 1];
        if (name->file == change->file && strcmp(name->name, change->to) != 0) {
            unset(directory, name->name);
        }
    }
}

void disk_names_cut(struct disk_names *names, struct random *coins)
{
    for (size_t i = 0; i < names->changes.count; i++) {
        if (coins != NULL && (random_next(coins) >> 63) != 0) {
            apply(&names->durable, &names->changes.items[i]);
            keep_one_name(&names->durable, &names->changes.items[i]);
        }
    }
    copy_directory(&names->present, &names->durable);
    forget_changes(names);
}

void disk_names_free(struct disk_names *names)
{
    struct disk_directory nothing = {0};
    copy_directory(&names->present, &nothing);
    copy_directory(&names->durable, &nothing);
    forget_changes(names);
    array_free(&names->present);
    array_free(&names->durable);
    array_free(&names->changes);
}
