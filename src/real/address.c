/*
 * IP addresses with a port, as text and as the socket calls want them.
 *
 * It never asks a name server: addresses are numbers, so that nothing here can block.
 */
#include "real/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool parse_port(const char *text, int *port)
{
    int value = 0;
    size_t digits = strlen(text);
    if (digits == 0 || digits > 5) {
        return false;
    }
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '9') {
            return false;
        }
        value = 10 * value + (*at - '0');
    }
    *port = value;
    return value <= UINT16_MAX;
}

bool address_parse(const char *text, struct sockaddr_storage *address, socklen_t *size)
{
    char host[ADDRESS_BYTES];
    const char *colon = strrchr(text, ':');
    int port = 0;
    if (colon == NULL || colon == text || (size_t)(colon - text) >= sizeof host ||
        !parse_port(colon + 1, &port)) {
        return false;
    }
    size_t length = (size_t)(colon - text);
    bool bracketed = length > 2 && text[0] == '[' && text[length - 1] == ']';
    memcpy(host, bracketed ? text + 1 : text, bracketed ? length - 2 : length);
    host[bracketed ? length - 2 : length] = '\0';
    *address = (struct sockaddr_storage){0};
    if (bracketed) {
        *size = sizeof(struct sockaddr_in6);
        return uv_ip6_addr(host, port, (struct sockaddr_in6 *)(void *)address) == 0;
    }
    *size = sizeof(struct sockaddr_in);
    return uv_ip4_addr(host, port, (struct sockaddr_in *)(void *)address) == 0;
}

void address_write(const struct sockaddr_storage *address, char text[ADDRESS_BYTES])
{
    char host[INET6_ADDRSTRLEN] = "";
    text[0] = '\0';
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *ip4 = (const struct sockaddr_in *)(const void *)address;
        if (uv_ip4_name(ip4, host, sizeof host) == 0) {
            (void)snprintf(text, ADDRESS_BYTES, "%s:%u", host, (unsigned)ntohs(ip4->sin_port));
        }
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *ip6 = (const struct sockaddr_in6 *)(const void *)address;
        if (uv_ip6_name(ip6, host, sizeof host) == 0) {
            (void)snprintf(text, ADDRESS_BYTES, "[%s]:%u", host, (unsigned)ntohs(ip6->sin6_port));
        }
    }
}

void address_of_socket(int descriptor, bool peers, char text[ADDRESS_BYTES])
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    int status = peers ? getpeername(descriptor, (struct sockaddr *)&address, &size)
                       : getsockname(descriptor, (struct sockaddr *)&address, &size);
    text[0] = '\0';
    if (status == 0) {
        address_write(&address, text);
    }
}

int address_bind(const struct sockaddr_storage *address, socklen_t size)
{
    int descriptor = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return -1;
    }
    /* So that a node listens again at once where connections of its last life linger, and beside
     * the socket that reserves its port. */
    int on = 1;
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(descriptor, (const struct sockaddr *)address, size) != 0) {
        return address_give_up(descriptor);
    }
    return descriptor;
}

int address_give_up(int descriptor)
{
    int problem = errno;
    (void)close(descriptor);
    errno = problem;
    return -1;
}
