#!/usr/bin/env python3
# nested.py - stdin and stdout through layers of TLS, with Python's ssl:
#
#     nested.py HOST:PORT CA.pem NAME...
#
# A layer for each NAME, the outermost first. It says on stderr what each is,
# and exits with 0 if each was closed by the peer, and not merely cut off.
#
# SPDX-License-Identifier: Apache-2.0

import select
import socket
import ssl
import sys


class Wire:
    """A socket that goes on reading when it cannot write, as the peer may
    read no more before it has written."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), 20)
        self.early = b""

    def read(self):
        data, self.early = self.early, b""
        return data or self.socket.recv(65536)

    def write(self, data):
        while data:
            readable, writable, _ = select.select(
                [self.socket], [self.socket], [], 20)
            if readable:
                self.early += self.socket.recv(65536)
            if writable:
                data = data[self.socket.send(data):]
            if not readable and not writable:
                raise TimeoutError


class Layer:
    """TLS over what has read() and write(): a wire, or another layer."""

    def __init__(self, below, context, name):
        self.below = below
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing,
                                    server_hostname=name)
        self.repeat(self.tls.do_handshake)
        subject = dict(x[0] for x in self.tls.getpeercert()["subject"])
        self.description = "%s %s" % (self.tls.version(),
                                      subject["commonName"])

    def repeat(self, function, *arguments):
        while True:
            try:
                result = function(*arguments)
                self.below.write(self.outgoing.read())
                return result
            except ssl.SSLWantReadError:
                self.below.write(self.outgoing.read())
                data = self.below.read()
                if data:
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()

    def read(self):
        return self.repeat(self.tls.read, 65536)

    def write(self, data):
        while data:
            data = data[self.repeat(self.tls.write, data):]

    def close(self):
        self.repeat(self.tls.unwrap)


def main(address, ca, *names):
    context = ssl.create_default_context(cafile=ca)
    top = Wire(address)
    layers = []
    for number, name in enumerate(names, 1):
        top = Layer(top, context, name)
        layers.append(top)
        print("layer %d: %s" % (number, top.description), file=sys.stderr)

    top.write(sys.stdin.buffer.read())
    while True:
        data = top.read()
        if not data:
            break
        sys.stdout.buffer.write(data)
    for layer in reversed(layers):
        layer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
