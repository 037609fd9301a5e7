/*
 * Traces on their way out: JSON lines to a file, readable lines to a stream. A write that fails is
 * remembered and reported when the file is closed; it never stops the run.
 */
#include "trace/internal.h"

#include <errno.h>
#include <string.h>

#define FILE_BUFFER_BYTES (256U << 10)
/* After these somebody may want to look, or the process may be about to end. */
#define FLUSHED_KINDS                                                                              \
    (TRACE_MASK(TRACE_VIOLATION) | TRACE_MASK(TRACE_VERDICT) | TRACE_MASK(TRACE_RUN))

static void set_problem(char *problem, size_t problem_size, const char *words)
{
    if (problem != NULL && problem_size > 0) {
        snprintf(problem, problem_size, "%s", words);
    }
}

/* ---- JSON lines ----------------------------------------------------------------------------- */

static void note_error(struct json_file *file)
{
    if (file->error == 0) {
        file->error = errno == 0 ? EIO : errno;
    }
}

static void file_read(void *context, const struct trace_event *event)
{
    struct json_file *file = context;
    buffer_clear(&file->line);
    trace_write_json(event, &file->line);
    buffer_append_byte(&file->line, '\n');
    errno = 0;
    bool written = fwrite(file->line.data, 1, file->line.size, file->stream) == file->line.size;
    if (written && (TRACE_MASK(event->kind) & file->flushed) != 0) {
        written = fflush(file->stream) == 0;
    }
    if (!written) {
        note_error(file);
    }
}

bool trace_file_open(struct trace *trace, const char *path, bool append, char *problem,
                     size_t problem_size)
{
    struct json_file *file = &trace->file;
    if (file->stream != NULL) {
        set_problem(problem, problem_size, "this trace is being written to a file already");
        return false;
    }
    FILE *stream = fopen(path, append ? "ae" : "we"); /* e: no child process inherits it */
    if (stream == NULL) {
        set_problem(problem, problem_size, strerror(errno));
        return false;
    }
    setvbuf(stream, NULL, _IOFBF, FILE_BUFFER_BYTES);
    file->stream = stream;
    file->flushed = FLUSHED_KINDS;
    file->error = 0;
    file->subscription = trace_subscribe(trace, TRACE_ALL, file_read, file);
    return true;
}

void trace_file_write_at_once(struct trace *trace)
{
    trace->file.flushed = TRACE_ALL;
}

bool trace_file_close(struct trace *trace, char *problem, size_t problem_size)
{
    struct json_file *file = &trace->file;
    if (file->stream == NULL) {
        return true;
    }
    trace_unsubscribe(trace, file->subscription);
    errno = 0;
    if (fclose(file->stream) != 0) {
        note_error(file);
    }
    file->stream = NULL;
    buffer_free(&file->line);
    if (file->error != 0) {
        set_problem(problem, problem_size, strerror(file->error));
        return false;
    }
    return true;
}

/* ---- readable lines ------------------------------------------------------------------------- */

static void print_read(void *context, const struct trace_event *event)
{
    struct printer *printer = context;
    buffer_clear(&printer->line);
    trace_write_text(event, &printer->line);
    buffer_append_byte(&printer->line, '\n');
    fwrite(printer->line.data, 1, printer->line.size, printer->stream);
}

void trace_print_to(struct trace *trace, FILE *stream, uint64_t mask)
{
    struct printer *printer = memory_new_zeroed(1, sizeof *printer);
    printer->stream = stream;
    printer->next = trace->printers;
    trace->printers = printer;
    trace_subscribe(trace, mask, print_read, printer);
}

void trace_outputs_close(struct trace *trace)
{
    trace_file_close(trace, NULL, 0);
    while (trace->printers != NULL) {
        struct printer *printer = trace->printers;
        trace->printers = printer->next;
        fflush(printer->stream);
        buffer_free(&printer->line);
        memory_free(printer);
    }
}
