/*
 * tool_alert.c - why a peer that takes no more has gone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <openssl/err.h>
#include "bio_onion.h"
#include "tool_alert.h"

#define TEXT_SIZE   512
/* What may have come before the alert, and is of no use any more. */
#define READS_MAX   64

static int is_broken(BIO *stack, unsigned long error)
{
    return ERR_GET_LIB(error) == BIO_onion_error_library()
        && ERR_GET_REASON(error) == ONION_R_TRANSPORT_FAILED
        && BIO_onion_failed_layer(stack, NULL) == 0;
}

/* 1 if an alert has come, and is what the error queue tells of. */
static int has_heard(BIO *stack)
{
    char waste[4096];
    int i, reason;

    for (i = 0; i < READS_MAX; i++)
        if (BIO_read(stack, waste, sizeof(waste)) <= 0)
            break;
    return BIO_onion_failed_layer(stack, &reason) > 0
        && reason != ONION_R_TRUNCATED && reason != ONION_R_BELOW_FAILED;
}

void alert_hear(BIO *stack)
{
    char text[TEXT_SIZE];
    const char *said = "";
    int flags = 0;
    unsigned long error = ERR_peek_last_error_all(NULL, NULL, NULL, &said,
                                                  &flags);

    if (!is_broken(stack, error))
        return;
    snprintf(text, sizeof(text), "%s",
             (flags & ERR_TXT_STRING) != 0 ? said : "");
    if (has_heard(stack))
        return;
    ERR_clear_error();
    ERR_new();
    ERR_set_error(ERR_GET_LIB(error), ERR_GET_REASON(error), "%s", text);
}
