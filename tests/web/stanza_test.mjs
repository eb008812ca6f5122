// stanza, another client library for the web, against the server: stanza_test.mjs websocket|bosh, run
// through tests/interop/server.py.
import assert from 'node:assert/strict';

import { DOMAIN, PATIENCE, accounts, modules, until } from './support.mjs';

// Node reads it when it opens a connection; browsers have it from their system.
if (!process.env.NODE_EXTRA_CA_CERTS) throw new Error('NODE_EXTRA_CA_CERTS names the authority of the tests');
const { createClient } = modules('stanza');
const port = process.env.EPODE_TEST_HTTPS_PORT;
const ways = {
    websocket: { websocket: `wss://localhost:${port}/xmpp-websocket`, bosh: false },
    bosh: { bosh: `https://localhost:${port}/http-bind`, websocket: false },
};
const transports = ways[process.argv[2]];
if (!transports || !DOMAIN) throw new Error('which way? ' + Object.keys(ways).join(' '));

function within(what, promise) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what}: not within ${PATIENCE / 1000} s`)), PATIENCE);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function logIn(name) {
    const client = createClient({ jid: `${name}@${DOMAIN}`, password: accounts[name], server: DOMAIN, transports });
    client.heard = [];
    client.on('chat', (message) => client.heard.push(message));
    const started = new Promise((resolve, reject) => {
        client.on('session:started', resolve);
        client.on('auth:failed', () => reject(new Error('the login was refused')));
        client.on('stream:error', (error) => reject(new Error('stream error: ' + error.condition)));
    });
    client.connect();
    await within(`login of ${name}`, started);
    client.sendPresence();
    return client;
}

const romeo = await logIn('romeo');
const juliet = await logIn('juliet');
await romeo.ping(DOMAIN);

romeo.sendMessage({ to: juliet.jid, type: 'chat', body: 'But, soft! \u{1F319} <&>' });
await until('she hears him', () => juliet.heard.length === 1);
assert.equal(juliet.heard[0].body, 'But, soft! \u{1F319} <&>');
juliet.sendMessage({ to: juliet.heard[0].from, type: 'chat', body: 'Ay me!' });
await until('he hears her', () => romeo.heard.length === 1);

const history = await within('history', romeo.searchHistory({ with: `juliet@${DOMAIN}` }));
assert.deepEqual(history.results.map((result) => result.item.message.body), ['But, soft! \u{1F319} <&>', 'Ay me!']);

// From all her devices.
await juliet.enableCarbons();
const features = await juliet.getDiscoInfo(DOMAIN);
assert.ok(features.features.includes('urn:xmpp:carbons:2'));

// (Over BOSH it stumbles over the answer to its own goodbye.)
for (const client of transports.websocket ? [romeo, juliet] : []) {
    const gone = new Promise((resolve) => client.on('disconnected', resolve));
    client.disconnect();
    await within('goodbye', gone);
}
// It keeps timers for a while.
process.exit(0);
