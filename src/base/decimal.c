/*
 * Floats as decimal text and back, exactly. The process's locale, which an application may have
 * set, has no say in the decimal point.
 */
#include "base/internal.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

/* The C locale is in force on this thread until plain_end(). */
static locale_t plain_begin(locale_t *plain)
{
    *plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    ensure(*plain != (locale_t)0);
    return uselocale(*plain);
}

static void plain_end(locale_t plain, locale_t previous)
{
    uselocale(previous);
    freelocale(plain);
}

void decimal_write(struct buffer *out, double number)
{
    locale_t plain;
    locale_t previous = plain_begin(&plain);
    char text[DECIMAL_BYTES_MAX];
    for (int digits = 15; digits <= 17; digits++) { /* 17 always suffice */
        int size = snprintf(text, sizeof text, "%.*g", digits, number);
        ensure(size > 0 && (size_t)size < sizeof text);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    plain_end(plain, previous);
    buffer_append_text(out, text);
}

double decimal_read(struct bytes text)
{
    struct buffer copy = {0};
    buffer_append(&copy, text.data, text.size);
    buffer_append_byte(&copy, '\0');
    locale_t plain;
    locale_t previous = plain_begin(&plain);
    double number = strtod((const char *)copy.data, NULL);
    buffer_free(&copy);
    plain_end(plain, previous);
    return number;
}

bool whole_number(struct bytes digits, bool is_negative, int64_t *number)
{
    uint64_t limit = is_negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    uint64_t sum = 0;
    for (size_t i = 0; i < digits.size; i++) {
        uint64_t digit = (uint64_t)(digits.data[i] - '0');
        if (sum > (limit - digit) / 10) {
            return false;
        }
        sum = sum * 10 + digit;
    }
    *number = (int64_t)(is_negative ? 0 - sum : sum);
    return true;
}
