/*
 * onion_openssl.h - what older versions of OpenSSL call by other names.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Those of before count seconds in a long, and newer versions deprecate them.
 */

#ifndef ONION_OPENSSL_H
# define ONION_OPENSSL_H

# include <openssl/ssl.h>

# if !OPENSSL_VERSION_PREREQ(3, 3)
#  define SSL_SESSION_get_time_ex(s)    ((time_t)SSL_SESSION_get_time(s))
#  define SSL_SESSION_set_time_ex(s, t) SSL_SESSION_set_time(s, (long)(t))
# endif
# if !OPENSSL_VERSION_PREREQ(3, 4)
#  define SSL_CTX_flush_sessions_ex(c, t) SSL_CTX_flush_sessions(c, (long)(t))
# endif

#endif
