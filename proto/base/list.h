/* An intrusive, circular, doubly linked list: the head is a node, an unlinked node points at itself. */
#ifndef MR_PROTO_BASE_LIST_H
#define MR_PROTO_BASE_LIST_H

#include "proto/base/mem.h"

#include <stdbool.h>

struct mr_list {
    struct mr_list *next, *prev;
};

static inline void mr_list_init(struct mr_list *node)
{
    node->next = node->prev = node;
}

static inline bool mr_list_empty(const struct mr_list *head)
{
    return head->next == head;
}

static inline void mr_list_remove(struct mr_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    mr_list_init(node);
}

/* Before the head is the end of the list. */
static inline void mr_list_push_back(struct mr_list *head, struct mr_list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void mr_list_push_front(struct mr_list *head, struct mr_list *node)
{
    mr_list_push_back(head->next, node);
}

#define mr_list_entry(node, type, member) MR_CONTAINER(node, type, member)
#define mr_list_each(node, head)                                                               \
    for (struct mr_list *node = (head)->next; node != (head); node = node->next)
/* The same, when the body may remove node. */
#define mr_list_each_safe(node, head)                                                          \
    for (struct mr_list *node = (head)->next, *node##_next = node->next; node != (head);       \
         node = node##_next, node##_next = node->next)

#endif
