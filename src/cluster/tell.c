/*
 * Faults and control calls in the trace: a FAULT event carries the call's arguments as a script
 * would write them, in fractions and seconds. It only emits the events.
 */
#include "cluster/internal.h"

#include <string.h>

#define PARTS 1000000000 /* of one, and of a second */

static void emit(struct cluster *cluster, const char *call, uint64_t node)
{
    struct trace_event event = {
        .time_ns = cluster_now_ns(cluster),
        .kind = TRACE_FAULT,
        .node = node,
        .text = bytes_of_text(call),
        .value = buffer_bytes(&cluster->scratch),
    };
    trace_emit(cluster->trace, &event);
    cluster->situations.links_changed = true;
}

/* The value's buffer, empty. NULL: these events have no reader. */
static struct buffer *begin(struct cluster *cluster)
{
    if (!trace_wants(cluster->trace, TRACE_FAULT)) {
        return NULL;
    }
    buffer_clear(&cluster->scratch);
    return &cluster->scratch;
}

void cluster_trace_fault(struct cluster *cluster, const char *call, const uint64_t *ids,
                         size_t count)
{
    struct buffer *value = begin(cluster);
    if (value == NULL) {
        return;
    }
    value_write_array(value, count);
    for (size_t i = 0; i < count; i++) {
        value_write_integer(value, (int64_t)ids[i]);
    }
    emit(cluster, call, count == 1 ? ids[0] : 0);
}

/* ---- arguments with names ------------------------------------------------------------------- */

static void write_name(struct buffer *value, const char *name)
{
    value_write_string(value, name, strlen(name));
}

static void write_parts(struct buffer *value, int64_t parts)
{
    bool finite = value_write_float(value, (double)parts / PARTS);
    ensure(finite);
}

/* In few digits where these mean the same chance: 0.1, not the fraction of 2^32 next to it. */
static void write_chance(struct buffer *value, uint64_t chance)
{
    double exact = chance_to_double(chance);
    double rounded = (double)(int64_t)(exact * PARTS + 0.5) / PARTS;
    bool finite = value_write_float(value, chance_from_double(rounded) == chance ? rounded : exact);
    ensure(finite);
}

static void write_end(struct buffer *value, uint64_t id)
{
    if (id == FAULTS_EVERY) {
        write_name(value, "*");
    } else if (id == WORLD_CLIENT) {
        write_name(value, "client");
    } else {
        value_write_integer(value, (int64_t)id);
    }
}

static void write_delay(struct buffer *value, const struct link_faults *link)
{
    if (link->delay_min_ns == link->delay_max_ns) {
        write_parts(value, link->delay_min_ns);
        return;
    }
    value_write_array(value, 2);
    write_parts(value, link->delay_min_ns);
    write_parts(value, link->delay_max_ns);
}

static void write_named_chance(struct buffer *value, const char *name, uint64_t chance)
{
    if (chance > 0) {
        write_name(value, name);
        write_chance(value, chance);
    }
}

/* Those that are on; the keys in the order of their encoded bytes: shorter first. */
static void write_link(struct buffer *value, uint64_t from, uint64_t to,
                       const struct link_faults *link, bool is_default)
{
    size_t count = 2U + (link->drop > 0) + (link->duplicate > 0) + (link->reorder > 0) +
                   (link->delay_max_ns > 0) + (link->bandwidth_bytes > 0) + link->cut + is_default;
    value_write_map(value, count);
    write_name(value, "to");
    write_end(value, to);
    if (link->cut) {
        write_name(value, "cut");
        value_write_boolean(value, true);
    }
    write_named_chance(value, "drop", link->drop);
    write_name(value, "from");
    write_end(value, from);
    if (link->delay_max_ns > 0) {
        write_name(value, "delay");
        write_delay(value, link);
    }
    if (is_default) {
        write_name(value, "default");
        value_write_boolean(value, true);
    }
    write_named_chance(value, "reorder", link->reorder);
    if (link->bandwidth_bytes > 0) {
        write_name(value, "bandwidth");
        value_write_integer(value, (int64_t)link->bandwidth_bytes);
    }
    write_named_chance(value, "duplicate", link->duplicate);
}

void cluster_trace_late(struct cluster *cluster, const struct late_rule *rule)
{
    struct buffer *value = begin(cluster);
    if (value == NULL) {
        return;
    }
    value_write_map(value, 5); /* the keys in the order of their encoded bytes: shorter first */
    write_name(value, "by");
    write_parts(value, rule->by_ns);
    write_name(value, "to");
    write_end(value, rule->to);
    write_name(value, "from");
    write_end(value, rule->from);
    write_name(value, "again");
    value_write_boolean(value, rule->again);
    write_name(value, "count");
    value_write_integer(value, rule->count);
    emit(cluster, "late", 0);
}

void cluster_trace_link(struct cluster *cluster, uint64_t from, uint64_t to,
                        const struct link_faults *link)
{
    struct buffer *value = begin(cluster);
    if (value != NULL) {
        write_link(value, from, to, link != NULL ? link : &(struct link_faults){0}, link == NULL);
        emit(cluster, "link", 0);
    }
}

static void write_flag(struct buffer *value, const char *name, bool flag)
{
    if (flag) {
        write_name(value, name);
        value_write_boolean(value, true);
    }
}

/* Those that are on, and in any case how slow it is; in the order of the encoded keys. */
void cluster_trace_disk(struct cluster *cluster, uint64_t id, const struct disk_faults *faults)
{
    struct buffer *value = begin(cluster);
    if (value == NULL) {
        return;
    }
    value_write_map(value, 1U + (faults->sync_delay_ns > 0) + faults->flip + faults->full +
                               faults->stall + (faults->corrupt > 0) + (faults->sync_error > 0) +
                               faults->torn_write + (faults->crash_after > 0) +
                               (faults->write_error > 0) + (faults->misdirect_read > 0) +
                               (faults->misdirect_write > 0));
    write_flag(value, "flip", faults->flip);
    write_flag(value, "full", faults->full);
    write_name(value, "node");
    value_write_integer(value, (int64_t)id);
    write_flag(value, "stall", faults->stall);
    write_named_chance(value, "corrupt", faults->corrupt);
    if (faults->sync_delay_ns > 0) {
        write_name(value, "sync_delay");
        write_parts(value, faults->sync_delay_ns);
    }
    write_named_chance(value, "sync_error", faults->sync_error);
    write_flag(value, "torn_write", faults->torn_write);
    if (faults->crash_after > 0) {
        write_name(value, "crash_after");
        value_write_integer(value, (int64_t)faults->crash_after);
    }
    write_named_chance(value, "write_error", faults->write_error);
    write_named_chance(value, "misdirect_read", faults->misdirect_read);
    write_named_chance(value, "misdirect_write", faults->misdirect_write);
    emit(cluster, "disk", 0);
}

void cluster_trace_clock(struct cluster *cluster, uint64_t id, int64_t rate_ppb, int64_t offset_ns)
{
    struct buffer *value = begin(cluster);
    if (value == NULL) {
        return;
    }
    value_write_map(value, 3);
    write_name(value, "node");
    value_write_integer(value, (int64_t)id);
    write_name(value, "rate");
    write_parts(value, rate_ppb);
    write_name(value, "offset");
    write_parts(value, offset_ns);
    emit(cluster, "clock", 0);
}

static size_t write_group(struct buffer *value, const uint64_t *ids, const uint32_t *groups,
                          size_t count, uint32_t group)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += groups[i] == group;
    }
    value_write_array(value, size);
    for (size_t i = 0; i < count; i++) {
        if (groups[i] == group) {
            value_write_integer(value, (int64_t)ids[i]);
        }
    }
    return size;
}

void cluster_trace_partition(struct cluster *cluster, const uint64_t *ids, const uint32_t *groups,
                             size_t count)
{
    struct buffer *value = begin(cluster);
    if (value == NULL) {
        return;
    }
    uint32_t last = 0;
    for (size_t i = 0; i < count; i++) {
        ensure(groups[i] >= 1);
        last = groups[i] > last ? groups[i] : last;
    }
    value_write_array(value, last);
    size_t written = 0;
    for (uint32_t group = 1; group <= last; group++) {
        written += write_group(value, ids, groups, count, group);
    }
    ensure(written == count);
    emit(cluster, "partition", 0);
}
