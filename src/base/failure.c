/*
 * Failures for the user: their codes' names and their message. It never decides whether a command
 * may yet be applied: only the caller knows whether it was handed over.
 */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *failure_name(enum failure_code code)
{
    static const char *const names[] = {
#define X(name, text) text,
        FAILURE_CODES(X)
#undef X
    };
    ensure((size_t)code < sizeof names / sizeof *names);
    return names[code];
}

void text_format(char *text, size_t size, const char *format, va_list arguments)
{
    ensure(size > 0);
    int written = vsnprintf(text, size, format, arguments);
    ensure(written >= 0);
}

void failure_set(struct failure *failure, enum failure_code code, const char *format, ...)
{
    if (failure == NULL) {
        return;
    }
    failure->code = code;
    failure->unknown = false;
    failure->is_damage = false;
    failure->leader = 0;
    failure->offset = 0;
    failure->file[0] = '\0';
    size_t length = strcspn(format, "%");
    if (format[length] == '\0' && length < sizeof failure->message) {
        memcpy(failure->message, format, length + 1); /* each sleep of a client ends so */
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    text_format(failure->message, sizeof failure->message, format, arguments);
    va_end(arguments);
}

void failure_set_damage(struct failure *failure, const char *problem)
{
    failure_set(failure, FAILURE_STORAGE, "%s", problem);
    if (failure != NULL) {
        failure->is_damage = true;
    }
}

void failure_set_place(struct failure *failure, const char *file, uint64_t offset)
{
    if (failure != NULL) {
        (void)snprintf(failure->file, sizeof failure->file, "%s", file);
        failure->offset = offset;
    }
}
