/*
 * Linked into a mutant's build: what gcov has counted is written also where the process ends by
 * abort, as a failed assertion does.
 */
#include <stdlib.h>

void __gcov_dump(void);
void __real_abort(void) __attribute__((noreturn));
void __wrap_abort(void) __attribute__((noreturn));

void __wrap_abort(void)
{
    __gcov_dump();
    __real_abort();
}
