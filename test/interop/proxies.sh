# proxies.sh - HTTPS proxies of others, as peers.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# To be sourced. start_PROXY NAME CERT [SETTING...] sets port, where it takes
# CONNECT inside TLS with the certificate of the host CERT, to the ports in
# $connect_to of this machine. What CONNECT has asked for is in $tmp/NAME.access
# then.

# shellcheck source=test/interop/lib.sh
. "$srcdir/test/interop/lib.sh"

connect_to=

# In one program
# --------------

# Settings: options of its https_port.
start_squid() {
    squid=$1
    squid_cert=$certs/$2
    shift 2
    free_port
    mkdir "$tmp/$squid"
    : >"$tmp/$squid/mime"
    cat >"$tmp/$squid.conf" <<END
https_port 127.0.0.1:$port tls-cert=$squid_cert.pem tls-key=$squid_cert.key $*
acl allowed port $connect_to
http_access deny !allowed
http_access allow localhost
http_access deny all
cache deny all
cache_mem 0 MB
memory_pools off
pid_filename $tmp/$squid/pid
cache_log $tmp/$squid/log
access_log stdio:$tmp/$squid.access
coredump_dir $tmp/$squid
netdb_filename none
pinger_enable off
visible_hostname $squid
error_directory /usr/share/squid/errors/templates
icon_directory $tmp/$squid
mime_table $tmp/$squid/mime
dns_nameservers 127.0.0.1
udp_outgoing_address 127.0.0.1
shutdown_lifetime 0 seconds
max_filedescriptors 256
END
    peer "$squid" squid -N -f "$tmp/$squid.conf"
    wait_port "$port"
}

apache_modules=/usr/lib/apache2/modules

# Settings: directives.
start_apache() {
    apache=$1
    apache_cert=$certs/$2
    shift 2
    free_port
    mkdir "$tmp/$apache"
    {
        for module in mpm_event authz_core authz_host ssl proxy proxy_connect
        do
            echo "LoadModule ${module}_module $apache_modules/mod_$module.so"
        done
        cat <<END
ServerRoot $tmp/$apache
ServerName $apache
PidFile $tmp/$apache/pid
DefaultRuntimeDir $tmp/$apache
Listen 127.0.0.1:$port
StartServers 1
MinSpareThreads 1
MaxSpareThreads 25
ErrorLog $tmp/$apache.error
CustomLog $tmp/$apache.access "%r %>s %{SSL_PROTOCOL}x %{SSL_CLIENT_S_DN_CN}x"
SSLEngine on
SSLCertificateFile $apache_cert.pem
SSLCertificateKeyFile $apache_cert.key
ProxyRequests on
AllowCONNECT $connect_to
<Proxy "*">
    Require ip 127.0.0.1
</Proxy>
END
        printf '%s\n' "$@"
    } >"$tmp/$apache.conf"
    peer "$apache" apache2 -D FOREGROUND -f "$tmp/$apache.conf"
    wait_port "$port"
}

# In front of tinyproxy, that takes CONNECT in clear
# --------------------------------------------------

# start_tinyproxy NAME
start_tinyproxy() {
    free_port
    {
        cat <<END
Listen 127.0.0.1
Port $port
Allow 127.0.0.1
MaxClients 20
PidFile "$tmp/$1.pid"
LogFile "$tmp/$1.access"
LogLevel Connect
END
        for tinyproxy_port in $connect_to; do
            echo "ConnectPort $tinyproxy_port"
        done
    } >"$tmp/$1.conf"
    peer "$1" tinyproxy -d -c "$tmp/$1.conf"
    wait_port "$port"
}

# Settings: of the service.
start_stunnel() {
    stunnel=$1
    stunnel_cert=$certs/$2
    shift 2
    start_tinyproxy "$stunnel" || return 1
    stunnel_to=$port
    free_port
    {
        cat <<END
foreground = yes
pid =
debug = info
TIMEOUTclose = 5
[$stunnel]
accept = 127.0.0.1:$port
connect = 127.0.0.1:$stunnel_to
cert = $stunnel_cert.pem
key = $stunnel_cert.key
END
        printf '%s\n' "$@"
    } >"$tmp/$stunnel-front.conf"
    peer "$stunnel-front" stunnel4 "$tmp/$stunnel-front.conf"
    wait_port "$port"
}

# Settings: of its bind line.
start_haproxy() {
    haproxy=$1
    haproxy_cert=$certs/$2
    shift 2
    start_tinyproxy "$haproxy" || return 1
    haproxy_to=$port
    free_port
    cat "$haproxy_cert.pem" "$haproxy_cert.key" >"$tmp/$haproxy-front.pem"
    cat >"$tmp/$haproxy-front.conf" <<END
global
    log stdout format raw local0
    nbthread 1
defaults
    mode tcp
    log global
    option tcplog
    timeout connect 10s
    timeout client 60s
    timeout server 60s
frontend tls
    bind 127.0.0.1:$port ssl crt $tmp/$haproxy-front.pem $*
    default_backend tinyproxy
backend tinyproxy
    server tinyproxy 127.0.0.1:$haproxy_to
END
    peer "$haproxy-front" haproxy -db -f "$tmp/$haproxy-front.conf"
    wait_port "$port"
}
