/*
 * EDN, as Clojure writes it and Jepsen its histories, to values: one form after the other.
 * Keywords, symbols and characters become strings; lists, vectors and sets arrays; tags and
 * metadata are left out; a map with keys that are no strings becomes an array of pairs. Any bytes
 * may come: what has no value is refused with its place and the reason in words. It never reads
 * beyond the text and never nests deeper than VALUE_DEPTH_MAX.
 */
#include "base/internal.h"

#include <string.h>

struct parser {
    const uint8_t *text;
    size_t size;
    size_t at;
    struct buffer *out;
    struct buffer string;
    struct buffer pairs; /* struct map_pair: a stack of those of the maps that are open */
    struct buffer sorted;
    const char *problem;
};

static bool read_form(struct parser *parser, unsigned depth);

static bool fail(struct parser *parser, size_t offset, const char *problem)
{
    parser->at = offset;
    parser->problem = problem;
    return false;
}

static int peek(const struct parser *parser)
{
    return parser->at < parser->size ? parser->text[parser->at] : -1;
}

static bool is_space(int byte)
{
    return byte == ' ' || byte == ',' || (byte >= '\t' && byte <= '\r');
}

static bool is_digit(int byte)
{
    return byte >= '0' && byte <= '9';
}

/* What ends a symbol, a keyword or a number. */
static bool ends_token(int byte)
{
    return byte < 0 || is_space(byte) || strchr("()[]{}\";", byte) != NULL;
}

static void skip_blank(struct parser *parser)
{
    while (is_space(peek(parser)) || peek(parser) == ';') {
        if (peek(parser) == ';') {
            const uint8_t *end = memchr(parser->text + parser->at, '\n', parser->size - parser->at);
            parser->at = end == NULL ? parser->size : (size_t)(end - parser->text);
        } else {
            parser->at++;
        }
    }
}

static bool follows(const struct parser *parser, const char *word)
{
    size_t size = strlen(word);
    return parser->size - parser->at >= size && memcmp(parser->text + parser->at, word, size) == 0;
}

static struct bytes take_token(struct parser *parser)
{
    size_t start = parser->at;
    while (!ends_token(peek(parser))) {
        parser->at++;
    }
    return (struct bytes){parser->text + start, parser->at - start};
}

/* ---- strings and characters ----------------------------------------------------------------- */

static bool read_string(struct parser *parser)
{
    static const struct quoted_rules rules = {"\"\"\\\\b\bf\fn\nr\rt\t", true};
    buffer_clear(&parser->string);
    parser->problem = quoted_read((struct bytes){parser->text, parser->size}, &rules, &parser->at,
                                  &parser->string);
    if (parser->problem == NULL) {
        value_write_string(parser->out, parser->string.data, parser->string.size);
    }
    return parser->problem == NULL;
}

/* \a, \newline, \u0041: its name is enough, for it is only compared. */
static bool read_character(struct parser *parser)
{
    size_t start = parser->at++;
    if (peek(parser) < 0) {
        return fail(parser, start, "a character is expected after the backslash");
    }
    parser->at++; /* any one, a bracket too */
    while (!ends_token(peek(parser))) {
        parser->at++;
    }
    value_write_string(parser->out, parser->text + start + 1, parser->at - start - 1);
    return true;
}

/* ---- numbers and words ---------------------------------------------------------------------- */

/* Of digits with a point or an exponent. */
static bool is_decimal(struct bytes token)
{
    size_t at = 0;
    size_t digits = 0;
    while (at < token.size && is_digit(token.data[at])) {
        at++;
        digits++;
    }
    if (at < token.size && token.data[at] == '.') {
        for (at++; at < token.size && is_digit(token.data[at]); at++) {
        }
    }
    if (digits > 0 && at < token.size && (token.data[at] | 0x20) == 'e') {
        at++;
        at += at < token.size && (token.data[at] == '+' || token.data[at] == '-') ? 1 : 0;
        size_t first = at;
        while (at < token.size && is_digit(token.data[at])) {
            at++;
        }
        digits = at > first ? digits : 0;
    }
    return digits > 0 && at == token.size;
}

/* A number that has no exact form here, as 22/7, is kept as it is written. */
static bool read_number(struct parser *parser)
{
    size_t start = parser->at;
    struct bytes token = take_token(parser);
    struct bytes plain = token;
    bool is_negative = token.data[0] == '-';
    if (is_negative || token.data[0] == '+') {
        plain = (struct bytes){token.data + 1, token.size - 1};
    }
    if (plain.size > 1 &&
        (plain.data[plain.size - 1] == 'N' || plain.data[plain.size - 1] == 'M')) {
        plain.size--;
    }
    size_t digits = 0;
    while (digits < plain.size && is_digit(plain.data[digits])) {
        digits++;
    }
    int64_t number = 0;
    if (digits == plain.size && whole_number(plain, is_negative, &number)) {
        value_write_integer(parser->out, number);
        return true;
    }
    if (!is_decimal(plain)) {
        value_write_string(parser->out, token.data, token.size);
        return true;
    }
    struct bytes decimal = {token.data, (size_t)(plain.data - token.data) + plain.size};
    return value_write_float(parser->out, decimal_read(decimal)) ||
           fail(parser, start, "a number too large for a float");
}

static bool token_is(struct bytes token, const char *word)
{
    return token.size == strlen(word) && memcmp(token.data, word, token.size) == 0;
}

static bool read_word(struct parser *parser)
{
    size_t start = parser->at;
    struct bytes token = take_token(parser);
    if (token.size == 0) {
        return fail(parser, start, "a form is expected here");
    }
    if (token_is(token, "nil")) {
        value_write_null(parser->out);
    } else if (token_is(token, "true") || token_is(token, "false")) {
        value_write_boolean(parser->out, token.data[0] == 't');
    } else if (token.data[0] == ':' && token.size == 1) {
        return fail(parser, start, "a keyword without a name");
    } else {
        size_t colon = token.data[0] == ':' ? 1 : 0;
        value_write_string(parser->out, token.data + colon, token.size - colon);
    }
    return true;
}

/* ---- collections ---------------------------------------------------------------------------- */

/* Skips what is no form: blanks, comments, forms that are left out. */
static bool skip_to_form(struct parser *parser, unsigned depth)
{
    skip_blank(parser);
    while (follows(parser, "#_")) {
        size_t start = parser->out->size;
        parser->at += 2;
        if (!read_form(parser, depth)) {
            return false;
        }
        parser->out->size = start;
        skip_blank(parser);
    }
    return true;
}

/* At a closing bracket (`*over`, and behind it), or at the next form. */
static bool next_inside(struct parser *parser, char closing, size_t opened, unsigned depth,
                        bool *over)
{
    if (!skip_to_form(parser, depth)) {
        return false;
    }
    if (peek(parser) < 0) {
        return fail(parser, opened, "a bracket that is not closed");
    }
    *over = peek(parser) == closing;
    parser->at += *over ? 1 : 0;
    return true;
}

static bool read_list(struct parser *parser, char closing, size_t opened, unsigned depth)
{
    size_t start = parser->out->size;
    size_t count = 0;
    bool over = false;
    for (;;) {
        if (!next_inside(parser, closing, opened, depth, &over)) {
            return false;
        }
        if (over) {
            array_head_insert(parser->out, start, count);
            return true;
        }
        if (!read_form(parser, depth)) {
            return false;
        }
        count++;
    }
}

/* A map as an array of its pairs, in their order. */
static void write_as_pairs(struct parser *parser, size_t start, const struct map_pair *pairs,
                           size_t count)
{
    buffer_clear(&parser->sorted);
    value_write_array(&parser->sorted, count);
    for (size_t i = 0; i < count; i++) {
        value_write_array(&parser->sorted, 2);
        buffer_append(&parser->sorted, parser->out->data + pairs[i].key,
                      pairs[i].end - pairs[i].key);
    }
    parser->out->size = start;
    buffer_append(parser->out, parser->sorted.data, parser->sorted.size);
}

static bool close_map(struct parser *parser, size_t start, size_t base)
{
    size_t count = (parser->pairs.size - base) / sizeof(struct map_pair);
    struct map_pair *pairs =
        count == 0 ? NULL : (struct map_pair *)(void *)(parser->pairs.data + base);
    parser->pairs.size = base;
    for (size_t i = 0; i < count; i++) {
        struct value_reader reader = {parser->out->data, parser->out->size, pairs[i].key};
        struct value_item item;
        ensure(value_read(&reader, &item));
        if (item.kind != VALUE_STRING) {
            write_as_pairs(parser, start, pairs, count);
            return true;
        }
    }
    const struct map_pair *twice = pairs_write(parser->out, start, pairs, count, &parser->sorted);
    return twice == NULL || fail(parser, twice->offset, "a key that appears twice");
}

static bool read_map(struct parser *parser, size_t opened, unsigned depth)
{
    size_t start = parser->out->size;
    size_t base = parser->pairs.size;
    bool over = false;
    for (;;) {
        if (!next_inside(parser, '}', opened, depth, &over)) {
            return false;
        }
        if (over) {
            return close_map(parser, start, base);
        }
        struct map_pair pair = {.key = parser->out->size, .offset = parser->at};
        /* One level more than a map needs: as pairs it nests deeper. */
        if (!read_form(parser, depth + 1)) {
            return false;
        }
        pair.value = parser->out->size;
        if (!next_inside(parser, '}', opened, depth, &over)) {
            return false;
        }
        if (over) {
            return fail(parser, pair.offset, "a key without a value");
        }
        if (!read_form(parser, depth + 1)) {
            return false;
        }
        pair.end = parser->out->size;
        buffer_append(&parser->pairs, &pair, sizeof pair);
    }
}

/* What follows '#': a set, or a tag and what it is about. */
static bool read_dispatch(struct parser *parser, unsigned depth)
{
    size_t start = parser->at++;
    if (peek(parser) == '{') {
        parser->at++;
        return read_list(parser, '}', start, depth + 1);
    }
    if (peek(parser) == '#') { /* ##Inf, ##NaN: kept as it is written */
        struct bytes token = take_token(parser);
        value_write_string(parser->out, token.data + 1, token.size - 1);
        return true;
    }
    if (take_token(parser).size == 0) {
        return fail(parser, start, "a tag is expected after #");
    }
    return skip_to_form(parser, depth) && read_form(parser, depth + 1);
}

static bool read_metadata(struct parser *parser, unsigned depth)
{
    size_t start = parser->out->size;
    parser->at++;
    if (!skip_to_form(parser, depth) || !read_form(parser, depth + 1)) {
        return false;
    }
    parser->out->size = start;
    return skip_to_form(parser, depth) && read_form(parser, depth + 1);
}

/* Called where a form is expected; `depth` is how many collections, tags and the like are open. */
static bool read_form(struct parser *parser, unsigned depth)
{
    skip_blank(parser);
    size_t start = parser->at;
    if (depth >= VALUE_DEPTH_MAX) {
        return fail(parser, start, "collections that are nested too deeply");
    }
    int next = peek(parser);
    if (next < 0) {
        return fail(parser, start, "the text ends where a form is expected");
    }
    switch (next) {
    case '"':
        return read_string(parser);
    case '\\':
        return read_character(parser);
    case '(':
    case '[':
        parser->at++;
        return read_list(parser, next == '(' ? ')' : ']', start, depth + 1);
    case '{':
        parser->at++;
        return read_map(parser, start, depth + 1);
    case '#':
        return read_dispatch(parser, depth);
    case '^':
        return read_metadata(parser, depth);
    default:
        break;
    }
    bool is_signed = (next == '-' || next == '+') && parser->at + 1 < parser->size &&
                     is_digit(parser->text[parser->at + 1]);
    return is_digit(next) || is_signed ? read_number(parser) : read_word(parser);
}

bool edn_read(struct bytes text, size_t *at, struct buffer *out, bool *over, const char **problem)
{
    struct parser parser = {.text = text.data, .size = text.size, .at = *at, .out = out};
    size_t start = out->size;
    bool is_read = skip_to_form(&parser, 0);
    *over = is_read && parser.at == parser.size;
    if (is_read && !*over) {
        is_read = read_form(&parser, 0);
    }
    if (!is_read) {
        out->size = start;
        *problem = parser.problem;
    }
    *at = parser.at;
    buffer_free(&parser.string);
    buffer_free(&parser.pairs);
    buffer_free(&parser.sorted);
    return is_read;
}
