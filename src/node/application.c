/*
 * What the application has to be told of its node. It is told at the end of what the world called,
 * so that it may call the node from there.
 */
#include "node/internal.h"

void application_note(struct node *node, enum application_news news)
{
    node->application.due |= 1U << news;
}

static void tell(struct node *node, enum application_news news,
                 void (*callback)(void *, struct node *))
{
    unsigned bit = 1U << news;
    if ((node->application.due & bit) != 0) {
        node->application.due &= ~bit;
        if (callback != NULL) {
            callback(node->options.context, node);
        }
    }
}

void application_tell(struct node *node)
{
    if (node->application.due == 0) {
        return;
    }
    tell(node, NEWS_STARTED, node->options.on_started);
    tell(node, NEWS_ROLE, node->options.on_role);
    tell(node, NEWS_MEMBERS, node->options.on_members);
    tell(node, NEWS_APPLIED, node->options.on_applied);
    tell(node, NEWS_STOPPED, node->options.on_stopped);
}

void application_tell_soon(struct node *node)
{
    if (node->application.due != 0) {
        drive_flush_soon(node);
    }
}

void application_clear(struct node *node)
{
    node->application.due = 0;
}
