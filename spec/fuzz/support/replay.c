/*
 * A main for a fuzzer without libFuzzer: runs it once with each file that is named, after saying
 * which, so that whoever reads its last words knows where it ended.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

/* Memory of just the file's size, so that AddressSanitizer sees each step beyond its end. */
static bool run(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct buffer contents = {0};
    if (file == NULL) {
        perror(path);
        return false;
    }
    for (int byte = fgetc(file); byte != EOF; byte = fgetc(file)) {
        buffer_append_byte(&contents, (uint8_t)byte);
    }
    bool fine = ferror(file) == 0;
    (void)fclose(file);
    struct batch *exact = batch_copy(NULL, contents.data, contents.size);
    buffer_free(&contents);
    (void)LLVMFuzzerTestOneInput(exact->data, exact->size);
    batch_release(exact);
    return fine;
}

int main(int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        (void)printf("%s\n", arguments[i]);
        (void)fflush(stdout);
        if (!run(arguments[i])) {
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}
