/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "http_access.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <snapstate/run.h>

/* Longer ones are none of ours. */
#define TOKEN_MOST 512

/* ---- the address ---- */

static enum snap_status bad_address(const char *listen, struct snap_error *err)
{
    return snap_error_set(err, SNAP_INVALID,
                          "--listen: '%s': expected a port, or an address and a port: 8080, "
                          "192.0.2.1:8080, [2001:db8::1]:8080",
                          listen);
}

static bool read_port(const char *text, in_port_t *port)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long number = digits > 0 && digits <= 5 ? strtoul(text, NULL, 10) : 65536;
    *port = htons((uint16_t)number);
    return text[digits] == '\0' && number <= 65535;
}

static enum snap_status read_address(const char *listen, struct agn_access *access,
                                     struct snap_error *err)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&access->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&access->address;
    const char *colon = strrchr(listen, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - listen);
    char host[INET6_ADDRSTRLEN + 2] = "127.0.0.1";
    in_port_t port;
    if (length >= sizeof host || !read_port(colon == NULL ? listen : colon + 1, &port))
        return bad_address(listen, err);
    if (colon != NULL)
        snprintf(host, sizeof host, "%.*s", (int)length, listen);
    if (strcmp(host, "localhost") == 0)
        snprintf(host, sizeof host, "127.0.0.1");
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = port;
        access->is_loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
        return SNAP_OK;
    }
    if (host[0] != '[' || length < 2 || host[length - 1] != ']')
        return bad_address(listen, err);
    host[length - 1] = '\0';
    if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) != 1)
        return bad_address(listen, err);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = port;
    access->is_loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    return SNAP_OK;
}

/* ---- the token ---- */

/* 64 hex digits at the beginning of the file, as sha256sum writes them. */
static enum snap_status read_token(const char *path, struct agn_access *access,
                                   struct snap_error *err)
{
    char text[2 * SNAP_DIGEST_BYTES + 1] = "";
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: opening the token's hash", path);
    size_t got = fread(text, 1, sizeof text - 1, file);
    fclose(file); /* only read */
    if (got != sizeof text - 1 || strspn(text, "0123456789abcdef") != got)
        return snap_error_set(err, SNAP_INVALID,
                              "%s: does not begin with the SHA-256 of a token in 64 hex digits: "
                              "printf %%s TOKEN | sha256sum",
                              path);
    for (size_t i = 0; i < SNAP_DIGEST_BYTES; i++) {
        char byte[3] = { text[2 * i], text[2 * i + 1], '\0' };
        access->token_sha256[i] = (unsigned char)strtoul(byte, NULL, 16);
    }
    access->has_token = true;
    return SNAP_OK;
}

enum snap_status agn_access_read(const char *listen, const char *token_file,
                                 struct agn_access *access, struct snap_error *err)
{
    struct agn_access read = { .has_token = false };
    enum snap_status status = read_address(listen, &read, err);
    if (status == SNAP_OK && token_file != NULL)
        status = read_token(token_file, &read, err);
    if (status == SNAP_OK && !read.is_loopback && !read.has_token)
        status = snap_error_set(err, SNAP_INVALID,
                                "--listen: '%s' can be reached from elsewhere, and then who asks "
                                "must have a token: --token-file",
                                listen);
    if (status == SNAP_OK)
        *access = read;
    return status;
}

/* ---- who asks ---- */

static bool is_token(const struct agn_access *access, const char *token, size_t size)
{
    unsigned char sha256[SNAP_DIGEST_BYTES];
    return snap_bytes_digest(token, size, sha256, NULL) == SNAP_OK &&
           CRYPTO_memcmp(sha256, access->token_sha256, sizeof sha256) == 0;
}

/* "Basic " and the base64 of NAME:TOKEN. */
static bool is_basic(const struct agn_access *access, const char *encoded)
{
    unsigned char decoded[TOKEN_MOST];
    size_t length = strlen(encoded);
    size_t padding = 0;
    while (padding < 2 && padding < length && encoded[length - 1 - padding] == '=')
        padding++;
    if (length % 4 != 0 || length / 4 * 3 > sizeof decoded - 1)
        return false;
    int size = EVP_DecodeBlock(decoded, (const unsigned char *)encoded, (int)length);
    if (size < (int)padding)
        return false;
    size -= (int)padding;
    decoded[size] = '\0';
    const char *colon = memchr(decoded, ':', (size_t)size);
    return colon != NULL &&
           is_token(access, colon + 1, (size_t)((char *)decoded + size - (colon + 1)));
}

bool agn_access_allows(const struct agn_access *access, const char *authorization)
{
    if (!access->has_token)
        return true;
    if (authorization == NULL || strlen(authorization) > TOKEN_MOST)
        return false;
    if (strncasecmp(authorization, "Bearer ", 7) == 0)
        return is_token(access, authorization + 7, strlen(authorization + 7));
    return strncasecmp(authorization, "Basic ", 6) == 0 && is_basic(access, authorization + 6);
}

bool agn_access_knows_host(const struct agn_access *access, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    char name[INET6_ADDRSTRLEN + 2];
    if (access->has_token)
        return true;
    if (host == NULL)
        return true; /* HTTP/1.0: no browser of today */
    const char *end = host[0] == '[' ? strchr(host, ']') : strchr(host, ':');
    size_t length = end == NULL ? strlen(host) : (size_t)(end - host);
    if (length >= sizeof name)
        return false;
    snprintf(name, sizeof name, "%.*s", (int)length, host);
    if (name[0] == '[')
        return inet_pton(AF_INET6, name + 1, address) == 1;
    return strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, address) == 1;
}
