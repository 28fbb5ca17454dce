/*
 * onion_err.c - the reasons of this library in OpenSSL's error queue.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdarg.h>
#include <string.h>
#include <openssl/crypto.h>
#include "onion_local.h"

static ERR_STRING_DATA reasons[] = {
    { ERR_PACK(0, 0, ONION_R_NO_STACK), "no stack in the chain" },
    { ERR_PACK(0, 0, ONION_R_NO_TRANSPORT), "no transport below the stack" },
    { ERR_PACK(0, 0, ONION_R_NO_SSL), "layer without an SSL" },
    { ERR_PACK(0, 0, ONION_R_MAX_DEPTH), "maximum depth reached" },
    { ERR_PACK(0, 0, ONION_R_MIN_DEPTH), "below the minimum depth" },
    { ERR_PACK(0, 0, ONION_R_DEPTHS_DIFFER), "a stop is under way" },
    { ERR_PACK(0, 0, ONION_R_SSL_IN_USE), "SSL is not fresh" },
    { ERR_PACK(0, 0, ONION_R_SSL_UNSUPPORTED), "SSL is not for a stream" },
    { ERR_PACK(0, 0, ONION_R_WRITE_UNFINISHED),
      "a write is half done, repeat it first" },
    { ERR_PACK(0, 0, ONION_R_BAD_WRITE_RETRY),
      "write was not repeated with the same bytes" },
    { ERR_PACK(0, 0, ONION_R_UNREAD_DATA), "unread data, read it first" },
    { ERR_PACK(0, 0, ONION_R_IN_HANDSHAKE), "handshake is not done" },
    { ERR_PACK(0, 0, ONION_R_WRITE_CLOSED), "write after our close_notify" },
    { ERR_PACK(0, 0, ONION_R_HANDSHAKE_FAILED), "handshake failed" },
    { ERR_PACK(0, 0, ONION_R_CERTIFICATE_REFUSED), "certificate refused" },
    { ERR_PACK(0, 0, ONION_R_SESSION_MISMATCH),
      "resumed session does not verify for this peer" },
    { ERR_PACK(0, 0, ONION_R_TRUNCATED), "ended without a close_notify" },
    { ERR_PACK(0, 0, ONION_R_LAYER_FAILED), "layer failed" },
    { ERR_PACK(0, 0, ONION_R_BELOW_FAILED), "what lies below failed" },
    { ERR_PACK(0, 0, ONION_R_TRANSPORT_FAILED), "transport failed" },
    { ERR_PACK(0, 0, ONION_R_TOO_MUCH_UNSENT),
      "the peer asks for answers that it does not read" },
    { ERR_PACK(0, 0, ONION_R_BAD_CONFIG), "configuration cannot be used" },
    { ERR_PACK(0, 0, ONION_R_UNKNOWN_KEY), "key is not known" },
    { 0, NULL }
};

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int library = ERR_LIB_USER;

static void load(void)
{
    static ERR_STRING_DATA name[] = { { 0, "onion" }, { 0, NULL } };

    library = ERR_get_next_error_library();
    name[0].error = ERR_PACK(library, 0, 0);
    ERR_load_strings(library, name);
    ERR_load_strings(library, reasons);
}

int BIO_onion_error_library(void)
{
    CRYPTO_THREAD_run_once(&once, load);
    return library;
}

void onion_err_raise(const char *file, int line, const char *func,
                     int reason, const char *fmt, ...)
{
    va_list args;

    ERR_new();
    ERR_set_debug(file, line, func);
    va_start(args, fmt);
    ERR_vset_error(BIO_onion_error_library(), reason, fmt, args);
    va_end(args);
}

const char *onion_err_reason(unsigned long error)
{
    const char *reason = ERR_SYSTEM_ERROR(error)
        ? strerror(ERR_GET_REASON(error)) : ERR_reason_error_string(error);

    return reason != NULL ? reason : "no reason given";
}

const char *onion_err_transport(int sys)
{
    return sys != 0 ? strerror(sys) : onion_err_reason(ERR_peek_error());
}

/* ERR_clear_error() wipes the whole table, and is called for each record. */
void onion_err_clear(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* In an empty queue there is nothing to set a mark on. */
int onion_err_mark(void)
{
    return ERR_set_mark();
}

void onion_err_pop(int mark)
{
    if (mark)
        ERR_pop_to_mark();
    else
        onion_err_clear();
}
