/*
 * What is in force on links, as bytes: a cluster whose nodes are processes has one fault model in
 * each, and tells all of them what its own has. It never decides what is in force.
 */
#include "world/internal.h"

/* ---- writing -------------------------------------------------------------------------------- */

static void write_link(struct buffer *out, const struct link_faults *link)
{
    field_write_number(out, link->drop);
    field_write_number(out, link->duplicate);
    field_write_number(out, link->reorder);
    field_write_number(out, (uint64_t)link->delay_min_ns);
    field_write_number(out, (uint64_t)link->delay_max_ns);
    field_write_number(out, link->bandwidth_bytes);
    field_write_number(out, link->cut);
}

void faults_write(const struct faults *faults, struct buffer *out)
{
    write_link(out, &faults->of_links_by_default);
    field_write_number(out, faults->rules.count);
    for (size_t i = 0; i < faults->rules.count; i++) {
        const struct fault_rule *rule = &faults->rules.items[i];
        field_write_number(out, rule->from);
        field_write_number(out, rule->to);
        field_write_number(out, rule->is_default);
        write_link(out, &rule->faults);
    }
    field_write_number(out, faults->nodes.count);
    for (size_t i = 0; i < faults->nodes.count; i++) {
        const struct fault_node *node = &faults->nodes.items[i];
        field_write_number(out, node->id);
        field_write_number(out, node->disconnected);
        field_write_number(out, node->group);
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

static void read_link(struct field_reader *reader, struct link_faults *link)
{
    link->drop = field_read_at_most(reader, CHANCE_ALWAYS);
    link->duplicate = field_read_at_most(reader, CHANCE_ALWAYS);
    link->reorder = field_read_at_most(reader, CHANCE_ALWAYS);
    link->delay_min_ns = (int64_t)field_read_at_most(reader, FAULTS_DELAY_MAX_NS);
    link->delay_max_ns = (int64_t)field_read_at_most(reader, FAULTS_DELAY_MAX_NS);
    link->bandwidth_bytes = field_read_number(reader);
    link->cut = field_read_flag(reader);
    reader->is_bad = reader->is_bad || link->delay_min_ns > link->delay_max_ns;
}

/* How many follow, of at least one byte each. */
static size_t read_count(struct field_reader *reader)
{
    return (size_t)field_read_at_most(reader, reader->rest.size);
}

struct settings {
    struct link_faults of_links_by_default;
    array_of(struct fault_rule) rules;
    array_of(struct fault_node) nodes;
};

static bool read_settings(struct bytes bytes, struct settings *settings)
{
    struct field_reader reader = {.rest = bytes};
    read_link(&reader, &settings->of_links_by_default);
    for (size_t left = read_count(&reader); left > 0 && !reader.is_bad; left--) {
        struct fault_rule *rule = array_push(&settings->rules);
        *rule = (struct fault_rule){0};
        rule->from = field_read_number(&reader);
        rule->to = field_read_number(&reader);
        rule->is_default = field_read_flag(&reader);
        read_link(&reader, &rule->faults);
    }
    for (size_t left = read_count(&reader); left > 0 && !reader.is_bad; left--) {
        struct fault_node *node = array_push(&settings->nodes);
        *node = (struct fault_node){0};
        node->id = field_read_number(&reader);
        node->disconnected = field_read_flag(&reader);
        node->group = (uint32_t)field_read_at_most(&reader, UINT32_MAX);
    }
    return field_read_end(&reader);
}

bool faults_read(struct faults *faults, struct bytes bytes)
{
    struct settings settings = {0};
    ensure(!faults->is_none);
    bool is_read = read_settings(bytes, &settings);
    if (is_read) {
        faults->of_links_by_default = settings.of_links_by_default;
        faults->rules.count = 0;
        for (size_t i = 0; i < settings.rules.count; i++) {
            *array_push(&faults->rules) = settings.rules.items[i];
        }
        faults->nodes.count = 0;
        for (size_t i = 0; i < settings.nodes.count; i++) {
            *array_push(&faults->nodes) = settings.nodes.items[i];
        }
        faults_refresh(faults);
    }
    array_free(&settings.rules);
    array_free(&settings.nodes);
    return is_read;
}
