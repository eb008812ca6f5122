// @xmpp/client, a third client library for the web, over WebSocket: run through tests/interop/server.py.
import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';

import { DOMAIN, PATIENCE, accounts, modules, until } from './support.mjs';

// Node reads it when it opens a connection; browsers have it from their system.
if (!process.env.NODE_EXTRA_CA_CERTS) throw new Error('NODE_EXTRA_CA_CERTS names the authority of the tests');
const { client, xml } = await import(pathToFileURL(modules.resolve('@xmpp/client')).href);
// Browsers and newer versions of Node have it.
globalThis.WebSocket ??= modules('ws');
const service = `wss://localhost:${process.env.EPODE_TEST_HTTPS_PORT}/xmpp-websocket`;

function within(what, promise) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what}: not within ${PATIENCE / 1000} s`)), PATIENCE);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function logIn(name) {
    const xmpp = client({ service, domain: DOMAIN, username: name, password: accounts[name] });
    xmpp.heard = [];
    xmpp.problems = [];
    xmpp.elements = [];
    xmpp.on('error', (error) => xmpp.problems.push(error));
    xmpp.on('element', (element) => xmpp.elements.push(element.name));
    xmpp.on('stanza', (stanza) => {
        const body = stanza.is('message') && stanza.getChildText('body');
        if (body) xmpp.heard.push(body);
    });
    xmpp.me = (await within(`login of ${name}`, xmpp.start())).toString();
    await xmpp.send(xml('presence'));
    return xmpp;
}

const say = (from, to, body) =>
    from.send(xml('message', { type: 'chat', to }, xml('body', {}, body)));

const romeo = await logIn('romeo');
const juliet = await logIn('juliet');
// It takes the short way in (XEP-0388, XEP-0386), with stream management.
assert.ok(romeo.elements.includes('success'));
assert.equal(romeo.streamManagement.enabled, true);

const text = 'But, soft! \u{1F319} <&> \u0301';
await say(romeo, juliet.me, text);
await until('she hears him', () => juliet.heard.length === 1);
assert.equal(juliet.heard[0], text);
await say(juliet, `romeo@${DOMAIN}`, 'Ay me!');
await until('he hears her', () => romeo.heard.includes('Ay me!'));

// Questions both ways, between two who see each other.
await juliet.send(xml('presence', { to: romeo.me }));
const info = await within('disco', romeo.iqCaller.get(xml('query', 'http://jabber.org/protocol/disco#info'), DOMAIN));
assert.ok(info.getChildren('feature').some((feature) => feature.attrs.var === 'urn:xmpp:carbons:2'));
juliet.iqCallee.get('jabber:iq:version', 'query', () => xml('query', 'jabber:iq:version', xml('name', {}, 'balcony')));
const version = await within('version', romeo.iqCaller.get(xml('query', 'jabber:iq:version'), juliet.me));
assert.equal(version.getChildText('name'), 'balcony');
const unknown = await within('a refusal', romeo.iqCaller.get(xml('query', 'urn:nobody:knows'), DOMAIN)
    .catch((error) => error.condition));
assert.equal(unknown, 'service-unavailable');

// The line breaks: the session is resumed, and nothing is lost or said twice.
const resumed = new Promise((resolve) => romeo.streamManagement.on('resumed', resolve));
romeo.socket.socket.close();
await say(juliet, romeo.me, 'while you were away');
await within('resumption', resumed);
await until('he hears it after all', () => romeo.heard.includes('while you were away'));
await say(juliet, romeo.me, 'and now');
await until('and the next', () => romeo.heard.includes('and now'));
assert.deepEqual(romeo.heard, ['Ay me!', 'while you were away', 'and now']);

// A wrong password is refused as such.
const stranger = client({ service, domain: DOMAIN, username: 'romeo', password: 'not his' });
stranger.on('error', () => {});
const refusal = await within('the refusal', stranger.start().then(() => null, (error) => error));
assert.equal(refusal?.condition, 'not-authorized');
stranger.reconnect.stop();

for (const xmpp of [romeo, juliet]) {
    await within('goodbye', xmpp.stop());
    assert.deepEqual(xmpp.problems.filter((error) => !/close|disconnect/i.test(String(error))), []);
}
// Timers of its own may run for a while.
process.exit(0);
