/*
 * Linking items into a list and out of it. The list is a circle through its own ends, so that no
 * item is the first or the last in a way of its own.
 */
#include "base/base.h"

static void insert_before(struct list_link *link, struct list_link *next)
{
    ensure(!list_holds(link));
    link->previous = next->previous;
    link->next = next;
    next->previous->next = link;
    next->previous = link;
}

static void begin(struct list *list)
{
    if (list->ends.next == NULL) {
        list->ends.next = &list->ends;
        list->ends.previous = &list->ends;
    }
}

void list_append(struct list *list, struct list_link *link)
{
    begin(list);
    insert_before(link, &list->ends);
}

void list_prepend(struct list *list, struct list_link *link)
{
    begin(list);
    insert_before(link, list->ends.next);
}

void list_insert(struct list_link *link, struct list_link *before)
{
    ensure(list_holds(before));
    insert_before(link, before);
}

void list_remove(struct list_link *link)
{
    if (!list_holds(link)) {
        return;
    }
    ensure(link->previous->next == link && link->next->previous == link);
    link->previous->next = link->next;
    link->next->previous = link->previous;
    *link = (struct list_link){0};
}
