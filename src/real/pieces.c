/*
 * Large frames travel in pieces, so that a heartbeat passes one on a slow connection: a piece is a
 * frame whose body continues the last one of its connection. Between pieces only urgent
 * frames leave. Here they are cut, and joined again; no other room sees one.
 *
 * It never holds more than one frame for each direction of a connection, and nothing of a stranger.
 */
#include "real/internal.h"

#define PIECE_BYTES (64U << 10) /* of a frame in one piece */

/* ---- out ------------------------------------------------------------------------------------ */

static bool begin_next(struct tcp_connection *connection)
{
    if (connection->state != TCP_UP || frame_queue_is_empty(&connection->remote->queue)) {
        return false;
    }
    connection->large = frame_queue_take(&connection->remote->queue);
    connection->large_bytes = 0;
    ensure(connection->large->size > FRAME_UNCUT_BYTES);
    return true;
}

struct batch *pieces_cut(struct tcp_connection *connection)
{
    if (connection->large == NULL && !begin_next(connection)) {
        return NULL;
    }
    struct batch *large = connection->large;
    struct frame_head head = frame_head_of(batch_bytes(large));
    size_t left = large->size - connection->large_bytes;
    size_t size = left < PIECE_BYTES ? left : PIECE_BYTES;
    struct batch *piece = batch_new(NULL, FRAME_HEAD_BYTES + size);
    struct buffer frame = {.data = piece->data, .capacity = piece->size};
    frame_begin(&frame);
    buffer_append(&frame, large->data + connection->large_bytes, size);
    frame_seal(&frame, FRAME_PIECE, head.number, head.directory);
    ensure(frame.data == piece->data && frame.size == piece->size);
    connection->large_bytes += size;
    if (connection->large_bytes == large->size) {
        batch_release(large);
        connection->large = NULL;
    }
    return piece;
}

/* ---- in ------------------------------------------------------------------------------------- */

/* The first piece begins with the head of the whole. */
static const char *begin_joining(struct tcp_connection *connection, struct bytes piece)
{
    struct frame_head head;
    const char *problem = NULL;
    enum frame_verdict verdict = frame_parse(piece, false, &head, &problem);
    if (verdict == FRAME_BAD) {
        return problem;
    }
    if (verdict == FRAME_WHOLE || head.length <= FRAME_UNCUT_BYTES) {
        return "a piece of a frame that is small";
    }
    if (!strangers_make_room_for(connection, head.length)) {
        return "the connection has ended";
    }
    connection->joined = batch_new(NULL, head.length);
    connection->joined_bytes = 0;
    return NULL;
}

struct batch *pieces_join(struct tcp_connection *connection, struct bytes piece,
                          const char **problem)
{
    *problem = connection->seen.peer == 0   ? "the first frame is not a hello"
               : connection->joined == NULL ? begin_joining(connection, piece)
                                            : NULL;
    if (*problem != NULL) {
        return NULL;
    }
    struct batch *joined = connection->joined;
    ensure(joined != NULL);
    size_t room = joined->size - connection->joined_bytes;
    if (piece.size == 0 || piece.size > room) {
        *problem = "a piece that does not belong to its frame";
        return NULL;
    }
    memcpy(joined->data + connection->joined_bytes, piece.data, piece.size);
    connection->joined_bytes += piece.size;
    if (piece.size < room) {
        return NULL;
    }
    connection->joined = NULL;
    return joined;
}
