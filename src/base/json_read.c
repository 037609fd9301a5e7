/*
 * JSON (RFC 8259) to values. Any bytes may come: whatever is not JSON, or has no value, is refused
 * with its place and the reason in words. It never reads beyond the text and never nests deeper
 * than VALUE_DEPTH_MAX.
 */
#include "base/internal.h"

#include <string.h>

#define MARK_SIZE (sizeof JSON_BYTES_MARK - 1)

struct parser {
    const uint8_t *text;
    size_t size;
    size_t at;
    struct buffer *out;
    struct buffer string;  /* the characters of the string that was read last */
    struct buffer bytes;   /* what its base 64 means */
    struct buffer members; /* struct map_pair: a stack of those of the maps that are open */
    struct buffer sorted;  /* a map's pairs in their final order */
    const char *problem;
};

static bool fail(struct parser *parser, size_t offset, const char *problem)
{
    parser->at = offset;
    parser->problem = problem;
    return false;
}

static bool fail_too_deep(struct parser *parser, size_t offset)
{
    return fail(parser, offset, "arrays and objects that are nested too deeply");
}

static int peek(const struct parser *parser)
{
    return parser->at < parser->size ? parser->text[parser->at] : -1;
}

static void skip_space(struct parser *parser)
{
    for (;;) {
        int next = peek(parser);
        if (next != ' ' && next != '\t' && next != '\n' && next != '\r') {
            return;
        }
        parser->at++;
    }
}

static bool take(struct parser *parser, const char *word)
{
    size_t size = strlen(word);
    if (parser->size - parser->at < size || memcmp(parser->text + parser->at, word, size) != 0) {
        return false;
    }
    parser->at += size;
    return true;
}

/* ---- strings -------------------------------------------------------------------------------- */

/* From its opening quote to behind the closing one, into parser->string. */
static bool read_string(struct parser *parser)
{
    static const struct quoted_rules rules = {"\"\"\\\\//b\bf\fn\nr\rt\t", false};
    buffer_clear(&parser->string);
    parser->problem = quoted_read((struct bytes){parser->text, parser->size}, &rules, &parser->at,
                                  &parser->string);
    return parser->problem == NULL;
}

/* ---- numbers -------------------------------------------------------------------------------- */

static size_t skip_digits(struct parser *parser)
{
    size_t start = parser->at;
    while (peek(parser) >= '0' && peek(parser) <= '9') {
        parser->at++;
    }
    return parser->at - start;
}

static bool read_number(struct parser *parser)
{
    size_t start = parser->at;
    bool is_negative = take(parser, "-");
    size_t first = parser->at;
    size_t count = skip_digits(parser);
    if (count == 0 || (count > 1 && parser->text[first] == '0')) {
        return fail(parser, start,
                    count == 0 ? "a value is expected" : "a number with a leading 0");
    }
    bool is_whole = true;
    if (take(parser, ".")) {
        is_whole = false;
        if (skip_digits(parser) == 0) {
            return fail(parser, parser->at, "digits are expected after the point");
        }
    }
    if (take(parser, "e") || take(parser, "E")) {
        is_whole = false;
        if (!take(parser, "+")) {
            (void)take(parser, "-");
        }
        if (skip_digits(parser) == 0) {
            return fail(parser, parser->at, "digits are expected in the exponent");
        }
    }
    int64_t number = 0;
    if (is_whole &&
        whole_number((struct bytes){parser->text + first, count}, is_negative, &number)) {
        value_write_integer(parser->out, number);
        return true;
    }
    struct bytes digits = {parser->text + start, parser->at - start};
    return value_write_float(parser->out, decimal_read(digits)) ||
           fail(parser, start, "a number too large for a float");
}

/* ---- arrays and maps ------------------------------------------------------------------------ */

static bool read_value(struct parser *parser, unsigned depth);

/* After a value inside brackets: more (`*more`), or the closing bracket. */
static bool read_separator(struct parser *parser, char closing, bool *more)
{
    skip_space(parser);
    int next = peek(parser);
    if (next != ',' && next != closing) {
        return fail(parser, parser->at,
                    closing == ']' ? "a comma or ] is expected" : "a comma or } is expected");
    }
    parser->at++;
    *more = next == ',';
    return true;
}

/* Steps over the opening bracket; true where the closing one follows. */
static bool is_empty(struct parser *parser, char closing)
{
    parser->at++;
    skip_space(parser);
    if (peek(parser) != closing) {
        return false;
    }
    parser->at++;
    return true;
}

static bool read_array(struct parser *parser, unsigned depth)
{
    size_t start = parser->out->size;
    size_t count = 0;
    bool more = !is_empty(parser, ']');
    while (more) {
        if (!read_value(parser, depth) || !read_separator(parser, ']', &more)) {
            return false;
        }
        count++;
    }
    array_head_insert(parser->out, start, count);
    return true;
}

/* The key as it is meant: see JSON_BYTES_MARK. */
static bool write_key(struct parser *parser, size_t offset, bool *is_mark)
{
    struct bytes key = buffer_bytes(&parser->string);
    *is_mark = key.size == MARK_SIZE && memcmp(key.data, JSON_BYTES_MARK, MARK_SIZE) == 0;
    if (key.size > MARK_SIZE && memcmp(key.data, JSON_BYTES_MARK ":", MARK_SIZE + 1) == 0) {
        struct bytes digits = {key.data + MARK_SIZE + 1, key.size - MARK_SIZE - 1};
        buffer_clear(&parser->bytes);
        if (!base64_read(&parser->bytes, digits)) {
            return fail(parser, offset, "a key that is marked as bytes and is not base 64");
        }
        key = buffer_bytes(&parser->bytes);
    } else if (key.size > 1 && key.data[0] == '$' && key.data[1] == '$') {
        key = (struct bytes){key.data + 1, key.size - 1};
    }
    value_write_string(parser->out, key.data, key.size);
    return true;
}

static bool read_member(struct parser *parser, unsigned depth)
{
    skip_space(parser);
    struct map_pair member = {.key = parser->out->size, .offset = parser->at};
    if (peek(parser) != '"') {
        return fail(parser, parser->at, "a key in quotes is expected");
    }
    if (!read_string(parser) || !write_key(parser, member.offset, &member.marked)) {
        return false;
    }
    skip_space(parser);
    if (!take(parser, ":")) {
        return fail(parser, parser->at, "a colon is expected after a key");
    }
    member.value = parser->out->size;
    if (!read_value(parser, depth)) {
        return false;
    }
    member.end = parser->out->size;
    buffer_append(&parser->members, &member, sizeof member);
    return true;
}

/* {"$bytes": "BASE64"} is no map but a string. */
static bool replace_by_bytes(struct parser *parser, size_t start, struct bytes digits,
                             size_t offset)
{
    buffer_clear(&parser->bytes);
    if (!base64_read(&parser->bytes, digits)) {
        return fail(parser, offset, "the string of " JSON_BYTES_MARK " is not base 64");
    }
    parser->out->size = start;
    value_write_string(parser->out, parser->bytes.data, parser->bytes.size);
    return true;
}

/* `*is_bytes`: it was no map. */
static bool close_map(struct parser *parser, size_t start, size_t base, bool *is_bytes)
{
    size_t count = (parser->members.size - base) / sizeof(struct map_pair);
    struct map_pair *members = (struct map_pair *)(void *)(parser->members.data + base);
    parser->members.size = base;
    if (count == 1 && members[0].marked) {
        struct value_reader reader = {parser->out->data, parser->out->size, members[0].value};
        struct value_item item;
        ensure(value_read(&reader, &item));
        *is_bytes = item.kind == VALUE_STRING;
        if (*is_bytes) {
            return replace_by_bytes(parser, start, item.string, members[0].offset);
        }
    }
    const struct map_pair *twice = pairs_write(parser->out, start, members, count, &parser->sorted);
    return twice == NULL || fail(parser, twice->offset, "a key that appears twice");
}

static bool read_map(struct parser *parser, unsigned depth)
{
    size_t offset = parser->at;
    size_t start = parser->out->size;
    size_t base = parser->members.size;
    bool more = !is_empty(parser, '}');
    if (!more) {
        value_write_map(parser->out, 0);
    }
    while (more) {
        if (!read_member(parser, depth) || !read_separator(parser, '}', &more)) {
            return false;
        }
    }
    bool is_bytes = false;
    if (parser->members.size > base && !close_map(parser, start, base, &is_bytes)) {
        return false;
    }
    return depth <= VALUE_DEPTH_MAX || is_bytes || fail_too_deep(parser, offset);
}

static bool read_word(struct parser *parser)
{
    if (take(parser, "null")) {
        value_write_null(parser->out);
    } else if (take(parser, "true")) {
        value_write_boolean(parser->out, true);
    } else if (take(parser, "false")) {
        value_write_boolean(parser->out, false);
    } else {
        return fail(parser, parser->at, "a value is expected");
    }
    return true;
}

/* An object may stand one level deeper than any value: the one that marks a string as bytes. */
static bool read_value(struct parser *parser, unsigned depth)
{
    skip_space(parser);
    int next = peek(parser);
    if (next == '"') {
        if (!read_string(parser)) {
            return false;
        }
        value_write_string(parser->out, parser->string.data, parser->string.size);
        return true;
    }
    if (next == '[' || next == '{') {
        if (depth > VALUE_DEPTH_MAX || (depth == VALUE_DEPTH_MAX && next == '[')) {
            return fail_too_deep(parser, parser->at);
        }
        return next == '[' ? read_array(parser, depth + 1) : read_map(parser, depth + 1);
    }
    return next == '-' || (next >= '0' && next <= '9') ? read_number(parser) : read_word(parser);
}

bool json_read(struct bytes text, struct buffer *out, size_t *offset, const char **problem)
{
    struct parser parser = {.text = text.data, .size = text.size, .out = out};
    size_t start = out->size;
    bool is_read = read_value(&parser, 0);
    if (is_read) {
        skip_space(&parser);
        is_read = parser.at == parser.size || fail(&parser, parser.at, "something after the value");
    }
    if (!is_read) {
        out->size = start;
        *offset = parser.at;
        *problem = parser.problem;
    }
    buffer_free(&parser.string);
    buffer_free(&parser.bytes);
    buffer_free(&parser.members);
    buffer_free(&parser.sorted);
    return is_read;
}
