#!/usr/bin/env python3
# nested.py - peers for the tests of onion_server, by Python's ssl: clients with
# TLS within TLS, and targets that behave in a way of their own.
#
# SPDX-License-Identifier: Apache-2.0
#
#   nested.py client ADDRESS STEP...    each STEP in turn, then a pipe
#       tls=NAME            a layer, verified against $CAFILE
#       connect=HOST:PORT   CONNECT in what is there
#       abort               a reset of the connection, with nothing closed
#       fin                 the end of the connection, with nothing closed
#       upload              send all, whether the peer has ended or not
#   nested.py crowd ADDRESS COUNT       so many at once, in one layer
#   nested.py enemies ADDRESS FILE...   each file, and an end of each kind, in
#                                       the clear and in one layer
#   nested.py target KIND               "PORT n" is printed; KIND is
#       at-eof      answers how many bytes came, when their end has come
#       breaks      sends half of something, then a reset to who still sends
#       deaf        takes connections and reads nothing
#       endless     sends lines, ten a second
#       full        takes no connection, and refuses none
#       hears       ends at once, listens late, and prints how many bytes came
#       reset       sends half of something, then a reset
#       slow        sends 20 lines, ten a second
#       watch       prints "end" or "reset" when its peer has ended

import os
import resource
import selectors
import socket
import ssl
import struct
import sys
import time

SIZE = 16384


class Layer:
    """A TLS session whose bytes go through memory, not through a socket."""

    context = None

    def __init__(self, name):
        if Layer.context is None:
            Layer.context = ssl.create_default_context(
                cafile=os.environ['CAFILE'])
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = Layer.context.wrap_bio(self.incoming, self.outgoing,
                                          server_hostname=name)
        self.closed = False

    def shake(self):
        try:
            self.tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False

    def decrypt(self, data):
        self.incoming.write(data)
        plain = b''
        try:
            while not self.closed:
                piece = self.tls.read(SIZE)
                self.closed = piece == b''
                plain += piece
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.closed = True
        return plain

    def encrypt(self, data):
        if data:
            self.tls.write(data)
        return self.outgoing.read()

    def close(self):
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            pass


class Onion:
    def __init__(self, address):
        host, port = address.rsplit(':', 1)
        self.sock = socket.create_connection((host.strip('[]'), int(port)))
        self.layers = []
        self.stays = False

    def wrap(self, data, layers):
        for layer in reversed(layers):
            data = layer.encrypt(data)
        return data

    def peel(self, data):
        for layer in self.layers:
            data = layer.decrypt(data)
        return data

    def receive(self):
        """What came in the innermost layer, or None at the end of TCP."""
        data = self.sock.recv(4 * SIZE)
        return self.peel(data) if data else None

    def expect(self):
        data = self.receive()
        return sys.exit('an early end') if data is None else data

    def push(self, name):
        layer = Layer(name)
        while not layer.shake():
            self.sock.sendall(self.wrap(layer.outgoing.read(), self.layers))
            data = self.receive()
            if data is None:
                sys.exit('the end came in the handshake with ' + name)
            layer.incoming.write(data)
        self.sock.sendall(self.wrap(layer.outgoing.read(), self.layers))
        self.layers.append(layer)

    def connect(self, place):
        head = 'CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n'.format(place)
        self.sock.sendall(self.wrap(head.encode(), self.layers))
        answer = b''
        while b'\r\n\r\n' not in answer:
            answer += self.expect()
        if not answer.startswith(b'HTTP/1.1 200 '):
            sys.exit(answer.decode().split('\r\n')[0])

    def is_closed(self):
        return all(layer.closed for layer in self.layers)

    def farewell(self):
        """The close_notify of each layer, from the innermost out."""
        data = b''
        for n in range(len(self.layers), 0, -1):
            self.layers[n - 1].close()
            data += self.wrap(b'', self.layers[:n])
        return data

    def pipe(self):
        """Both ways at once, and each way to its own end."""
        out, ended, shut, heard = b'', False, False, False
        while not (heard and (shut or not self.stays)):
            readers = [] if ended or len(out) > SIZE else [0]
            readers += [] if heard else [self.sock]
            ready = select(readers, [self.sock] if out else [])
            if 0 in ready:
                data = os.read(0, SIZE)
                ended = data == b''
                out += self.wrap(data, self.layers) if data \
                    else self.farewell()
            if self.sock in ready and not heard:
                data = self.receive_now()
                heard = data is None
                os.write(1, data or b'')
            if out:
                out = out[self.send_now(out):]
            if ended and not out and not shut:
                self.sock.shutdown(socket.SHUT_WR)
                shut = True

    def receive_now(self):
        self.sock.setblocking(False)
        try:
            return self.receive()
        except BlockingIOError:
            return b''
        finally:
            self.sock.setblocking(True)

    def send_now(self, data):
        self.sock.setblocking(False)
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0
        finally:
            self.sock.setblocking(True)


def select(readers, writers):
    """Those of them that are ready, for whatever they are in."""
    with selectors.PollSelector() as s:
        for r in set(readers + writers):
            s.register(r, (selectors.EVENT_READ if r in readers else 0)
                       | (selectors.EVENT_WRITE if r in writers else 0))
        return [key.fileobj for key, _ in s.select()]


def abort(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack('ii', 1, 0))
    sock.close()


def client(address, *steps):
    onion = Onion(address)
    for step in steps:
        verb, _, word = step.partition('=')
        if verb == 'tls':
            onion.push(word)
        elif verb == 'connect':
            onion.connect(word)
        elif verb == 'upload':
            onion.stays = True
        elif verb == 'abort':
            abort(onion.sock)
            return
        elif verb == 'fin':
            onion.sock.close()
            return
        else:
            sys.exit('what is ' + step)
    try:
        onion.pipe()
    except ConnectionResetError:
        sys.exit('reset')
    if not onion.is_closed():
        sys.exit('truncated')


def crowd(address, count):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    onions = [Onion(address) for _ in range(int(count))]
    for onion in onions:
        onion.push('inner.example')
    for n, onion in enumerate(onions):
        onion.sock.sendall(onion.wrap(b'%d\n' % n, onion.layers))
    for n, onion in enumerate(onions):
        answer = b''
        while not answer.endswith(b'\n'):
            answer += onion.expect()
        if answer != b'%d\n' % n:
            sys.exit('%r for %d' % (answer, n))
    print('%d answers' % len(onions), flush=True)
    sys.stdin.read()


def assail(onion, data):
    try:
        onion.sock.sendall(onion.wrap(data, onion.layers) + onion.farewell())
        onion.sock.shutdown(socket.SHUT_WR)
        while onion.sock.recv(SIZE):
            pass
    except OSError:
        pass


def enemies(address, *names):
    files = []
    for name in names:
        with open(name, 'rb') as f:
            files.append(f.read())
    for layers in [], ['outer.example']:
        for what in files + [abort, socket.socket.close]:
            onion = Onion(address)
            for name in layers:
                onion.push(name)
            if callable(what):
                what(onion.sock)
            else:
                assail(onion, what)
                onion.sock.close()


def say(text):
    print(text, flush=True)


def listen(backlog=16):
    sock = socket.create_server(('127.0.0.1', 0), backlog=backlog)
    say('PORT %d' % sock.getsockname()[1])
    return sock


def read_all(sock):
    count = 0
    while True:
        data = sock.recv(SIZE)
        if not data:
            return count
        count += len(data)


def target(kind):
    server = listen(0 if kind == 'full' else 16)
    held = []
    while kind == 'full':
        held.append(socket.socket())
        held[-1].setblocking(False)
        held[-1].connect_ex(server.getsockname())
        if len(held) >= 8:
            time.sleep(3600)
    while True:
        sock = server.accept()[0]
        if kind == 'at-eof':
            sock.sendall(b'%d bytes\n' % read_all(sock))
        elif kind == 'breaks':
            sock.sendall(b'half of')
            time.sleep(1)
            abort(sock)
            continue
        elif kind == 'deaf':
            held.append(sock)
            continue
        elif kind == 'endless':
            try:
                while True:
                    sock.sendall(b'line\n')
                    time.sleep(0.1)
            except OSError:
                pass
        elif kind == 'hears':
            sock.shutdown(socket.SHUT_WR)
            time.sleep(1)
            try:
                say('%d bytes' % read_all(sock))
            except ConnectionResetError:
                say('reset')
        elif kind == 'reset':
            sock.sendall(b'half of')
            time.sleep(0.2)
            abort(sock)
            continue
        elif kind == 'slow':
            for n in range(20):
                sock.sendall(b'line %d\n' % n)
                time.sleep(0.1)
        elif kind == 'watch':
            try:
                read_all(sock)
                say('end')
            except ConnectionResetError:
                say('reset')
        sock.close()


if __name__ == '__main__':
    {'client': client, 'crowd': crowd, 'enemies': enemies,
     'target': target}[sys.argv[1]](
        *sys.argv[2:])
