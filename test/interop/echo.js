// echo.js - a server with Node's tls that sends everything back:
//
//     echo.js CERT.pem KEY.pem [CA.pem]
//
// With a CA it wants a certificate of the client. It says what each connection
// is, and when it has ended.
//
// SPDX-License-Identifier: Apache-2.0

'use strict';

const fs = require('fs');
const tls = require('tls');

const [cert, key, ca] = process.argv.slice(2).map((x) => fs.readFileSync(x));

function serve(socket) {
    const client = socket.getPeerCertificate();
    let bytes = 0;

    console.log(`accepted: ${socket.getProtocol()} ` +
        `name=${socket.servername} alpn=${socket.alpnProtocol} ` +
        `client=${client.subject ? client.subject.CN : '-'}`);
    socket.on('data', (data) => { bytes += data.length; });
    socket.on('end', () => console.log(`closed: after ${bytes} bytes`));
    socket.on('error', (error) => console.log(`cut off: ${error.message}`));
    socket.pipe(socket);
}

const server = tls.createServer({
    cert, key, ca,
    requestCert: ca !== undefined,
    rejectUnauthorized: ca !== undefined,
    ALPNProtocols: ['echo'],
    allowHalfOpen: true,
}, serve);
server.on('tlsClientError', (error) => {
    console.log(`refused: ${error.message}`);
});
server.listen(0, '127.0.0.1', () => {
    console.log(`ACCEPT 127.0.0.1:${server.address().port}`);
});
