/*
 * What the fuzzers share. A fuzzer is one C file: one function that takes any bytes, and aborts (by
 * `ensure`, or under a sanitizer) where the code under test does what it must not. libFuzzer calls
 * it with bytes that it makes up; replay.c with those of the corpus, in every `make test`.
 */
#ifndef RAFTBENCH_FUZZ_H
#define RAFTBENCH_FUZZ_H

#include "node/node.h"
#include "world/world.h"

/* The fuzzer; libFuzzer knows it by this name. Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- an input that is taken apart from its front (input.c) ---------------------------------- */

/* What is no longer there reads as zeroes and empty pieces. */
struct input {
    const uint8_t *at;
    size_t size;
};

uint8_t input_byte(struct input *input);
/* A byte with a size, and as many bytes as that says, as far as there are any. The batch is exactly
 * as large, so that AddressSanitizer sees each step beyond its end. */
struct batch *input_piece(struct input *input);

/* ---- values (input.c) ----------------------------------------------------------------------- */

/* Whether it is one well-formed value, nothing behind it, in whatever form. */
bool is_value(struct bytes value);

/* ---- one node at work in a simulated world (lone_node.c) ------------------------------------ */

/* Node 1 with a kv machine and a store in memory; nobody else is there. Answers to clients are
 * parsed and have to be well-formed. */
struct lone_node {
    struct trace *trace;
    struct faults *faults;
    struct world *world;
    struct node *node;
    uint64_t answers; /* that clients got */
};

/* `members`: ids 1..members vote; 0: it waits to be added. */
void lone_node_start(struct lone_node *lone, uint64_t members);
/* Hands it one frame of a connection, as its world would; what node.h calls `frame`. */
bool lone_node_frame(struct lone_node *lone, struct connection *from, enum frame_kind kind,
                     uint64_t number, struct bytes body);
void lone_node_run(struct lone_node *lone, int64_t duration_ns);
void lone_node_end(struct lone_node *lone);

#endif
