/*
 * onion_openssl.h - what is not the same in every version of OpenSSL.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What it does, by the version that runs, which can be newer than the one that
 * this was compiled with; and names that older versions lack. Those of before
 * count seconds in a long, and newer versions deprecate them.
 */

#ifndef ONION_OPENSSL_H
# define ONION_OPENSSL_H

# include <openssl/ssl.h>

/* SSL_free() cleanses the buffers of records; else each record has to be. */
# define ONION_SSL_FREES_CLEAN      (OpenSSL_version_num() < 0x30200000L)
/* A close_notify of TLS 1.3 is pending itself, for good: SSL_has_pending(). */
# define ONION_CLOSE_IS_PENDING     (OpenSSL_version_num() >= 0x30200000L)
/* BIO_read() asks for the end at once, and makes -1 of a 0 that is none. */
# define ONION_READ_ASKS_FOR_END    (OpenSSL_version_num() >= 0x40000000L)

# ifndef SSL_R_RECORD_LAYER_FAILURE
#  define SSL_R_RECORD_LAYER_FAILURE    313
# endif
# if !OPENSSL_VERSION_PREREQ(3, 3)
#  define SSL_SESSION_get_time_ex(s)    ((time_t)SSL_SESSION_get_time(s))
#  define SSL_SESSION_set_time_ex(s, t) SSL_SESSION_set_time(s, (long)(t))
# endif
# if !OPENSSL_VERSION_PREREQ(3, 4)
#  define SSL_CTX_flush_sessions_ex(c, t) SSL_CTX_flush_sessions(c, (long)(t))
# endif

#endif
