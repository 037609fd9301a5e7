/*
 * The event queue of the simulated world: the agenda's wake-ups, and a heap of deliveries, whose
 * contents lie in a pool beside it. It allocates only to grow. It knows no world, and never
 * compares anything but time and order.
 */
#include "sim/internal.h"

static uint32_t take_slot(struct queue *queue)
{
    if (queue->unused != 0) {
        uint32_t slot = queue->unused - 1;
        queue->unused = queue->pool.items[slot].next_unused;
        return slot;
    }
    ensure(queue->pool.count < UINT32_MAX / 2);
    (void)array_push(&queue->pool);
    return (uint32_t)(queue->pool.count - 1);
}

void queue_add(struct queue *queue, int64_t time_ns, const struct delivery *delivery)
{
    uint32_t slot = take_slot(queue);

    queue->pool.items[slot] = *delivery;
    heap_add_value(&queue->deliveries, slot, time_ns, agenda_order(&queue->agenda));
}

int64_t queue_next_ns(struct queue *queue)
{
    const struct heap_entry *delivery = heap_first(&queue->deliveries);
    int64_t delivery_ns = delivery == NULL ? WORLD_NEVER : delivery->key;
    int64_t wakeup_ns = agenda_next_ns(&queue->agenda, delivery_ns);

    return wakeup_ns < delivery_ns ? wakeup_ns : delivery_ns;
}

struct wakeup *queue_take(struct queue *queue, struct delivery *delivery)
{
    const struct heap_entry *first = heap_first(&queue->deliveries);
    const struct heap_entry *wakeup = heap_first(&queue->agenda.wakeups);

    /* queue_next_ns has seen to it that the first wake-up stands where it is due. */
    if (wakeup != NULL && (first == NULL || heap_entry_before(wakeup, first))) {
        return agenda_take(&queue->agenda, wakeup->key);
    }
    uint32_t slot = (uint32_t)heap_take_value(&queue->deliveries);
    *delivery = queue->pool.items[slot];
    queue->pool.items[slot].next_unused = queue->unused;
    queue->unused = slot + 1;
    return NULL;
}

void queue_free(struct queue *queue)
{
    ensure(heap_count(&queue->deliveries) == 0);
    heap_free(&queue->deliveries);
    agenda_free(&queue->agenda);
    array_free(&queue->pool);
}
