# bench_twisted.py - a peer of the bench: TLS in TLS as Twisted has it.
#
# SPDX-License-Identifier: Apache-2.0
#
# It is driven by lines as bench_program.c says, over memory only: a
# TLSMemoryBIOProtocol for each layer, each of which wraps the next.

import sys
import time

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

DATA = bytes((i * 7 + i // 251) & 255 for i in range(256 * 1024))


@implementer(ITransport)
class Memory:
    """What is written waits here until deliver()."""

    disconnecting = False

    def __init__(self):
        self.chunks = []

    def write(self, data):
        self.chunks.append(data)

    def writeSequence(self, chunks):
        self.chunks.extend(chunks)

    def loseConnection(self):
        pass

    def registerProducer(self, producer, streaming):
        pass

    def unregisterProducer(self):
        pass

    def getPeer(self):
        return None

    def getHost(self):
        return None


class Counter(Protocol):
    """The application: counts what comes."""

    got = 0

    def dataReceived(self, data):
        self.got += len(data)


class Contexts:
    def __init__(self, client):
        self.context = SSL.Context(SSL.TLS_METHOD)
        self.context.set_min_proto_version(SSL.TLS1_3_VERSION)
        SSL._lib.SSL_CTX_set_ciphersuites(self.context._context,
                                          b"TLS_AES_128_GCM_SHA256")
        if not client:
            key, cert = credentials()
            self.context.use_privatekey(key)
            self.context.use_certificate(cert)

    def getContext(self):
        return self.context


def credentials():
    key = crypto.PKey()
    key.generate_key(crypto.TYPE_RSA, 2048)
    cert = crypto.X509()
    cert.set_serial_number(1)
    cert.gmtime_adj_notBefore(-3600)
    cert.gmtime_adj_notAfter(86400)
    cert.set_pubkey(key)
    cert.sign(key, "sha256")
    return key, cert


class End:
    def __init__(self, client, depth, contexts):
        self.application = Counter()
        factory = Factory.forProtocol(lambda: self.application)
        for _ in range(depth):
            factory = TLSMemoryBIOFactory(contexts, client, factory)
        self.outermost = factory.buildProtocol(None)
        self.wire = Memory()
        self.outermost.makeConnection(self.wire)

    def deliver(self, other):
        """All that is written goes to the other end, in one piece."""
        data = b"".join(self.wire.chunks)
        self.wire.chunks.clear()
        if data:
            other.outermost.dataReceived(data)
        return bool(data)


def settle(a, b):
    while a.deliver(b) | b.deliver(a):
        pass


def send(a, b, size, count, answered):
    start = time.process_time()
    before = a.application.got + b.application.got
    data = DATA[:size]
    for _ in range(count):
        a.application.transport.write(data)
        a.deliver(b)
        if answered:
            b.application.transport.write(data)
            b.deliver(a)
    got = a.application.got + b.application.got - before
    print("%.9f %d" % (time.process_time() - start, got), flush=True)


def main():
    if sys.argv[1] != "memory":
        sys.exit(1)
    depth = int(sys.argv[2])
    a = End(True, depth, Contexts(True))
    b = End(False, depth, Contexts(False))
    settle(a, b)
    print("ready", flush=True)
    for line in sys.stdin:
        size, count, answered = (int(word) for word in line.split())
        send(a, b, size, count, answered)


if __name__ == "__main__":
    main()
