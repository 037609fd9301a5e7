/*
 * What a child prints, line by line to our own standard error, with its node's number, so that a
 * user sees whose it is. It never waits.
 */
#include "process/internal.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_BYTES_MAX 4096U

static void print_line(struct output *output)
{
    if (output->line.size == 0) {
        return;
    }
    buffer_append_byte(&output->line, '\0');
    const char *text = (const char *)output->line.data;
    (void)fprintf(stderr, "node %llu: %s\n", (unsigned long long)output->id, text);
    (void)snprintf(output->last, sizeof output->last, "%s", text);
    buffer_clear(&output->line);
}

void output_read(struct output *output)
{
    char bytes[4096];
    while (output->descriptor >= 0) {
        ssize_t got = read(output->descriptor, bytes, sizeof bytes);
        if (got <= 0) {
            if (got < 0 && errno == EINTR) {
                continue;
            }
            return;
        }
        for (ssize_t i = 0; i < got; i++) {
            if (bytes[i] == '\n' || output->line.size >= LINE_BYTES_MAX) {
                print_line(output);
            }
            if (bytes[i] != '\n') {
                buffer_append_byte(&output->line, (uint8_t)bytes[i]);
            }
        }
    }
}

void output_end(struct output *output)
{
    output_read(output);
    print_line(output);
    if (output->descriptor >= 0) {
        (void)close(output->descriptor);
    }
    output->descriptor = -1;
    buffer_free(&output->line);
}
