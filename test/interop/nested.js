// nested.js - stdin and stdout through layers of TLS, with Node's tls:
//
//     nested.js HOST:PORT CA.pem NAME...
//
// A layer for each NAME, the outermost first. It says on stderr what each is,
// and exits with 0 if the peer has ended the innermost.
//
// SPDX-License-Identifier: Apache-2.0

'use strict';

const fs = require('fs');
const net = require('net');
const tls = require('tls');

const [address, ca, ...names] = process.argv.slice(2);
const [host, port] = address.split(':');

function fail(error) {
    console.error('nested:', error.message);
    process.exit(1);
}

function start(below, servername) {
    return new Promise((resolve) => {
        const layer = tls.connect(
            { socket: below, servername, ca: fs.readFileSync(ca) },
            () => resolve(layer));
        layer.on('error', fail);
    });
}

async function main() {
    let top = net.connect(port, host);
    top.on('error', fail);
    for (const [i, name] of names.entries()) {
        top = await start(top, name);
        console.error(`layer ${i + 1}: ${top.getProtocol()} ` +
            top.getPeerCertificate().subject.CN);
    }
    process.stdin.pipe(top, { end: false });
    top.pipe(process.stdout);
    top.on('end', () => {
        top.end();
        process.stdin.destroy();
    });
}

main().catch(fail);
