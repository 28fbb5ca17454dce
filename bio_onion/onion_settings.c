/*
 * onion_settings.c - what an application may ask of a stack, and set.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "onion_local.h"

int BIO_onion_read_depth(BIO *stack)
{
    BIO *b = onion_stack_find(stack);

    return b == NULL ? -1 : onion_chain_read_depth(b);
}

int BIO_onion_write_depth(BIO *stack)
{
    BIO *b = onion_stack_find(stack);

    return b == NULL ? -1 : onion_chain_write_depth(b);
}

SSL *BIO_onion_get0_ssl(BIO *stack, int layer)
{
    BIO *b = onion_stack_find(stack);
    BIO *found = b == NULL ? NULL : onion_chain_layer(b, layer);

    return found == NULL ? NULL : onion_layer_of(found)->ssl;
}

int BIO_onion_failed_layer(BIO *stack, int *reason)
{
    BIO *b = onion_stack_find(stack);
    BIO *failed = b == NULL ? NULL : onion_chain_failed(b);

    if (reason != NULL)
        *reason = failed == NULL ? 0 : onion_layer_of(failed)->failure;
    return failed == NULL ? 0 : onion_layer_number(failed);
}

int BIO_onion_set_max_depth(BIO *stack, int depth)
{
    BIO *b = onion_stack_find(stack);

    if (b == NULL)
        return 0;
    if (depth < 0 || depth > ONION_MAX_DEPTH)
        return onion_stack_refuse(b, ERR_R_PASSED_INVALID_ARGUMENT,
                                  "maximum depth out of range");
    onion_stack_of(b)->max_depth = depth;
    return 1;
}

int BIO_onion_set_min_depth(BIO *stack, int depth)
{
    BIO *b = onion_stack_find(stack);

    if (b == NULL)
        return 0;
    if (depth < 0 || depth > ONION_MAX_DEPTH)
        return onion_stack_refuse(b, ERR_R_PASSED_INVALID_ARGUMENT,
                                  "minimum depth out of range");
    onion_stack_of(b)->min_depth = depth;
    return 1;
}

int BIO_onion_set_flags(BIO *stack, unsigned long flags)
{
    BIO *b = onion_stack_find(stack);

    if (b == NULL)
        return 0;
    if ((flags & ~(ONION_FOLLOW | ONION_GATHER
                   | ONION_EARLY | ONION_EARLY_DATA)) != 0)
        return onion_stack_refuse(b, ERR_R_PASSED_INVALID_ARGUMENT,
                                  "unknown flag");
    if ((flags & ONION_EARLY_DATA) != 0 && (flags & ONION_EARLY) == 0)
        return onion_stack_refuse(b, ERR_R_PASSED_INVALID_ARGUMENT,
                                  "ONION_EARLY_DATA needs ONION_EARLY");
    onion_stack_of(b)->flags = flags;
    return 1;
}
