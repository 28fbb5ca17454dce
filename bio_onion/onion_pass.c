/*
 * onion_pass.c - what a BIO of ours passes on: controls down, retries up.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A filter that changes bytes must not pass on a control that it does not
 * know: whoever answers below answers for other bytes.
 */

#include "onion_local.h"

BIO_METHOD *onion_pass_method(int kind, const char *name, int *type)
{
    int index = BIO_get_new_index();
    BIO_METHOD *method = index < 0 ? NULL : BIO_meth_new(index | kind, name);

    if (method != NULL)
        *type = index | kind;
    return method;
}

/* What is for the BIO that reaches the network. */
int onion_pass_control(int cmd)
{
    switch (cmd) {
    case BIO_C_SET_CONNECT:
    case BIO_C_GET_CONNECT:
    case BIO_C_SET_CONNECT_MODE:
    case BIO_C_SET_ACCEPT:
    case BIO_C_GET_ACCEPT:
    case BIO_C_SET_BIND_MODE:
    case BIO_C_GET_BIND_MODE:
    case BIO_CTRL_GET_CALLBACK:
    case BIO_C_SET_NBIO:
    case BIO_C_SET_FD:
    case BIO_C_GET_FD:
#ifdef BIO_C_SET_SOCK_TYPE /* since OpenSSL 3.2 */
    case BIO_C_SET_SOCK_TYPE:
    case BIO_C_GET_SOCK_TYPE:
#endif
#ifdef BIO_CTRL_GET_RPOLL_DESCRIPTOR /* since OpenSSL 3.2 */
    case BIO_CTRL_GET_RPOLL_DESCRIPTOR:
    case BIO_CTRL_GET_WPOLL_DESCRIPTOR:
#endif
        return 1;
    default:
        return 0;
    }
}

/* What no BIO gets that is not the SSL's own, not even for DTLS. */
int onion_pass_never(int cmd)
{
    switch (cmd) {
    case BIO_CTRL_PUSH:
    case BIO_CTRL_POP:
    case BIO_CTRL_DUP:
    case BIO_CTRL_RESET:
        return 1;
    default:
        return onion_pass_is_ktls(cmd);
    }
}

void onion_pass_retry(BIO *to, BIO *from)
{
    if (to == from)
        return;
    BIO_set_flags(to, BIO_get_retry_flags(from));
    BIO_set_retry_reason(to, BIO_get_retry_reason(from));
}
