// The page in Debian's Chromium, as people use it: page_test.mjs CASE, run through tests/interop/server.py.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { DESK, DOMAIN, FILES, LOCAL, PHONE, Person, SECURE, accounts, runCase, until } from './support.mjs';

// What lies in the server's database, as bytes.
function kept() {
    const folder = process.env.EPODE_TEST_DATA;
    return fs.readdirSync(folder).filter((name) => /\.db|sqlite|-wal$/.test(name))
        .map((name) => fs.readFileSync(path.join(folder, name), 'latin1')).join('');
}

async function twoPeople(options = {}) {
    const romeo = await Person.at('romeo', SECURE, options.romeo);
    await romeo.logIn();
    const juliet = await Person.at('juliet', SECURE, options.juliet);
    await juliet.logIn();
    return [romeo, juliet];
}

async function twoContacts(options) {
    const [romeo, juliet] = await twoPeople(options);
    await romeo.becomeContactOf(juliet);
    await romeo.openChat('juliet');
    await juliet.openChat('romeo');
    return [romeo, juliet];
}

// ---- who comes for the first time

async function registration() {
    const nurse = await Person.at('nurse');
    await nurse.page.click('.register-account');
    await nurse.page.fill('#converse-register input[name=username]', 'nurse');
    await nurse.page.fill('#converse-register input[name=password]', 'a-good-long-password');
    await nurse.page.click('#converse-register input[type=submit]');
    await nurse.isIn();
    // A reload keeps her in, and doesn't bring the form back.
    await nurse.reload();
    await nurse.isIn();
    assert.equal(new URL(nurse.page.url()).hash, '');
    assert.equal(await nurse.page.locator('#converse-register').count(), 0);
}

async function takenName() {
    const impostor = await Person.at('impostor');
    await impostor.page.click('.register-account');
    await impostor.page.fill('#converse-register input[name=username]', 'romeo');
    await impostor.page.fill('#converse-register input[name=password]', 'a-good-long-password');
    await impostor.page.click('#converse-register input[type=submit]');
    await impostor.page.locator('.alert-danger', { hasText: 'different username' }).waitFor();
    assert.equal(await impostor.page.locator('converse-user-profile').count(), 0);
}

async function wrongPassword() {
    const stranger = await Person.at('romeo');
    await stranger.page.fill('#converse-login-jid', 'romeo');
    await stranger.page.fill('#converse-login-password', 'not his');
    await stranger.page.click('#converse-login button[type=submit]');
    await stranger.page.locator('#converse-login .alert-danger').waitFor();
    assert.equal(await stranger.page.locator('converse-user-profile').count(), 0);
}

// Who has the link makes an account, and has a contact from the start. It works once.
async function invitation() {
    const token = makeInvitation('--contact', `romeo@${DOMAIN}`);
    const nurse = await Person.at('nurse', SECURE, DESK, '/invite/' + token);
    await nurse.page.locator('.epode-invitation img').waitFor();
    const uri = await nurse.page.locator('.epode-invitation a').getAttribute('href');
    assert.equal(uri, `xmpp:${DOMAIN}?register;preauth=${token}`);
    await nurse.page.fill('#converse-register input[name=username]', 'nurse');
    await nurse.page.fill('#converse-register input[name=password]', 'a-good-long-password');
    await nurse.page.click('#converse-register input[type=submit]');
    await nurse.isIn();
    assert.equal(new URL(nurse.page.url()).pathname, '/');
    await nurse.contact('romeo').locator('.open-chat').waitFor();
    const late = await Person.at('late', SECURE, DESK, '/invite/' + token);
    await late.page.locator('.alert-danger', { hasText: 'invitation' }).waitFor();
    assert.equal(await late.page.locator('#converse-register input[name=username]').count(), 0);
}

function control(...words) {
    const [program, ...rest] = process.env.EPODE_TEST_CONTROL.split(' ');
    return execFileSync(program, [...rest, ...words], { encoding: 'utf8' });
}

function makeInvitation(...words) {
    return /preauth=([A-Za-z0-9_-]+)/.exec(control('invite', 'create', ...words))[1];
}

// Who is logged in already gets the contact, not another account; nobody has to consent to it any more.
async function invitedTwice() {
    const romeo = await Person.at('romeo');
    await romeo.logIn();
    const juliet = await Person.at('juliet');
    await juliet.logIn();
    await juliet.keepsLogin();
    const token = makeInvitation('--contact', `romeo@${DOMAIN}`, '--uses', '2');
    await juliet.goTo('/invite/' + token);
    const offer = juliet.page.locator('.epode-offer');
    await offer.locator('text=' + `romeo@${DOMAIN} invites you`).waitFor();
    await juliet.shoot('invited');
    assert.equal(await offer.locator('.epode-offer-accept').innerText(), `Continue as juliet@${DOMAIN}`);
    await offer.locator('.epode-offer-accept').click();
    await juliet.seesOnline('romeo');
    await romeo.seesOnline('juliet');
    assert.equal(new URL(juliet.page.url()).pathname, '/');
    // Romeo was not asked, and what they say arrives.
    await romeo.openChat('juliet');
    await juliet.page.locator('textarea.chat-textarea').waitFor();
    await juliet.say('I have no joy of this contract to-night');
    await romeo.reads('no joy of this contract');
    // Once more it is no news, and an unknown one is said to be that.
    for (const [where, what] of [[token, 'a contact of yours already'], ['A'.repeat(24), 'unknown, used or expired']]) {
        await juliet.goTo('/invite/' + where);
        await juliet.page.locator('.epode-offer', { hasText: what }).waitFor();
        assert.equal(await juliet.page.locator('.epode-offer-accept').count(), 0);
        await juliet.page.locator('.epode-offer-leave').click();
        await juliet.page.locator('.epode-offer').waitFor({ state: 'detached' });
    }
}

// The same for who has to log in first; and to a room.
async function invitedToRoom() {
    const romeo = await Person.at('romeo');
    await romeo.logIn();
    await romeo.enterRoom('orchard');
    const token = makeInvitation('--room', `orchard@conference.${DOMAIN}`, '--contact', `romeo@${DOMAIN}`, '--no-account');
    const juliet = await Person.at('juliet', SECURE, PHONE, '/invite/' + token);
    await juliet.page.locator('#converse-login-jid').waitFor();
    assert.equal(await juliet.page.locator('#converse-register').count(), 0);
    await juliet.page.fill('#converse-login-jid', 'juliet');
    await juliet.page.fill('#converse-login-password', accounts.juliet);
    await juliet.page.click('#converse-login button[type=submit]');
    await juliet.page.locator('.epode-offer', { hasText: 'to the room orchard.' }).waitFor();
    await juliet.shoot('invited-to-room');
    await juliet.page.locator('.epode-offer-accept').click();
    await juliet.page.locator('converse-muc textarea.chat-textarea').waitFor();
    await juliet.say('The orchard walls are high and hard to climb');
    await romeo.reads('The orchard walls are high');
    await romeo.contact('juliet').locator('.open-chat').waitFor();
}

// A room for members: the invitation lets in who makes an account, and who has one.
async function invitedToMembers() {
    const room = `garden@conference.${DOMAIN}`;
    control('room', 'create', 'garden', `romeo@${DOMAIN}`);
    const token = makeInvitation('--room', room, '--contact', `romeo@${DOMAIN}`, '--uses', '2');
    const nurse = await Person.at('nurse', SECURE, DESK, '/invite/' + token);
    await nurse.page.fill('#converse-register input[name=username]', 'nurse');
    await nurse.page.fill('#converse-register input[name=password]', 'a-good-long-password');
    await nurse.page.click('#converse-register input[type=submit]');
    await nurse.page.locator('converse-muc textarea.chat-textarea').waitFor();
    const juliet = await Person.at('juliet', SECURE, PHONE);
    await juliet.logIn();
    await juliet.keepsLogin();
    await juliet.goTo('/invite/' + token);
    await juliet.page.locator('.epode-offer-accept').click();
    await juliet.page.locator('converse-muc textarea.chat-textarea').waitFor();
    await juliet.say('Parting is such sweet sorrow');
    await nurse.reads('such sweet sorrow');
    await nurse.shoot('invited-to-members');
}

// By http under a name the browser gives no cryptography: the page says so instead of waiting.
async function insecure() {
    const visitor = await Person.at('visitor');
    const page = await visitor.context.newPage();
    await page.goto(`http://${DOMAIN}:${process.env.EPODE_TEST_HTTP_PORT}/`);
    await page.locator('.epode-notice').waitFor();
    const link = await page.locator('#epode-splash a').getAttribute('href');
    assert.equal(new URL(link).protocol, 'https:');
    assert.equal(new URL(link).hostname, DOMAIN);
    assert.equal(await page.locator('#converse-login-jid').count(), 0);
}

// The machine itself counts as protected: this is what the quick start prints.
async function loopback() {
    const romeo = await Person.at('romeo', LOCAL);
    await romeo.logIn();
    await romeo.reload();
    await romeo.isIn();
}

async function firstVisit() {
    // The first start of a browser and a server is not what is looked at.
    const visitor = await Person.at('romeo');
    await visitor.context.close();
    const romeo = await Person.at('romeo');
    const session = await romeo.context.newCDPSession(romeo.page);
    await session.send('Network.enable');
    await session.send('Network.clearBrowserCache');
    let bytes = 0;
    session.on('Network.loadingFinished', (event) => { bytes += event.encodedDataLength; });
    romeo.requests.length = 0;
    const began = Date.now();
    await romeo.page.reload();
    await romeo.page.fill('#converse-login-jid', 'romeo');
    const shown = Date.now() - began;
    await romeo.logIn();
    const ready = Date.now() - began;
    // The library of end-to-end encryption comes after the login.
    await until('the library', () => romeo.requests.some((address) => address.endsWith('.wasm')));
    await romeo.page.waitForLoadState('networkidle');
    console.log(`form after ${shown} ms, logged in after ${ready} ms, ${bytes} bytes`);
    assert.ok(bytes > 300000, `the bytes were counted: ${bytes}`);
    assert.ok(bytes < 700000, `${bytes} bytes`);
    // Kept by the browser: the second time it asks for the page alone.
    bytes = 0;
    await romeo.reload();
    await romeo.isIn();
    assert.ok(bytes < 20000, `${bytes} bytes on the second visit`);
}

// ---- two people

async function contacts() {
    const [romeo, juliet] = await twoPeople();
    await romeo.becomeContactOf(juliet);
    // Over a reload, too, and when one of them goes afterwards.
    await romeo.reload();
    await romeo.isIn();
    await romeo.seesOnline('juliet');
    await juliet.saysOfHerself('At the balcony');
    await romeo.openChat('juliet');
    await romeo.page.locator('converse-chat-heading', { hasText: 'At the balcony' }).waitFor();
    await juliet.logOut();
    await romeo.seesOnline('juliet', false);
}

async function chat() {
    const [romeo, juliet] = await twoContacts();
    await romeo.say('But, soft! what light through yonder window breaks?');
    await juliet.reads('But, soft!');
    await juliet.say('O Romeo, Romeo! wherefore art thou Romeo? <b>&amp;</b>');
    await romeo.reads('wherefore art thou Romeo? <b>&amp;</b>');
    // What he has sent was delivered, and read. What he got has no such sign.
    await romeo.page.locator('.chat-msg--read', { hasText: 'But, soft!' }).locator('.chat-msg__receipt').waitFor();
    assert.equal(await romeo.message('wherefore').locator('.chat-msg__receipt:visible').count(), 0);
    await juliet.page.locator('textarea.chat-textarea').pressSequentially('Deny thy father');
    await romeo.page.locator('.chat-content__notifications', { hasText: 'typing' }).waitFor();
    await juliet.page.press('textarea.chat-textarea', 'Enter');
    await romeo.reads('Deny thy father');
    await until('typing ends', async () =>
        !(await romeo.page.locator('.chat-content__notifications').innerText()).includes('typing'));
}

// With a server that compresses (compressed_test.py): the browser has agreed on it, and they chat.
async function compressed() {
    const romeo = await Person.at('romeo');
    const session = await romeo.context.newCDPSession(romeo.page);
    await session.send('Network.enable');
    const agreed = [];
    session.on('Network.webSocketHandshakeResponseReceived', ({ response }) => {
        for (const [name, value] of Object.entries(response.headers))
            if (name.toLowerCase() === 'sec-websocket-extensions') agreed.push(value);
    });
    await romeo.logIn();
    await until('the handshake is seen', () => agreed.length > 0);
    assert.match(agreed[0], /^permessage-deflate; server_no_context_takeover; client_no_context_takeover/);
    const juliet = await Person.at('juliet');
    await juliet.logIn();
    await romeo.becomeContactOf(juliet);
    await romeo.openChat('juliet');
    await juliet.openChat('romeo');
    const long = 'But, soft! what light through yonder window breaks? '.repeat(60).trim();
    await romeo.say(long);
    await juliet.reads('yonder window breaks');
    assert.deepEqual(await juliet.texts(), [long]);
    await juliet.say('Ay me!');
    await romeo.reads('Ay me!');
}

async function history() {
    const [romeo, juliet] = await twoContacts();
    const lines = Array.from({ length: 8 }, (_, i) => `line ${i + 1} of the balcony scene`);
    for (const line of lines) await (lines.indexOf(line) % 2 ? juliet : romeo).say(line);
    for (const person of [romeo, juliet]) for (const line of lines) await person.reads(line);
    const before = await romeo.texts();
    assert.equal(before.length, lines.length);
    await romeo.reload();
    await romeo.reads(lines.at(-1));
    assert.deepEqual(await romeo.texts(), before);
    // Another device, which has nothing but what the server kept.
    const laptop = await Person.at('romeo', SECURE, DESK);
    await laptop.logIn();
    await laptop.openChat('juliet');
    await laptop.reads(lines[0]);
    await until('all of it', async () => (await laptop.texts()).length === lines.length);
    assert.deepEqual([...(await laptop.texts())].sort(), [...lines].sort());
}

async function reactions() {
    const [romeo, juliet] = await twoContacts();
    await romeo.say('With love\u2019s light wings did I o\u2019er-perch these walls');
    await juliet.reads('light wings');
    await juliet.act('light wings', '.chat-msg__action-reaction');
    await juliet.page.locator('converse-reaction-picker .reaction-item').first().click();
    for (const person of [romeo, juliet]) await person.message('light wings').locator('.chat-msg__reaction').waitFor();
    assert.equal(await juliet.page.locator('.chat-msg__reaction.reacted').count(), 1);
    assert.equal(await romeo.page.locator('.chat-msg__reaction.reacted').count(), 0);
    // It is history, as the message is, also on another device.
    const laptop = await Person.at('romeo');
    await laptop.logIn();
    await laptop.openChat('juliet');
    await laptop.message('light wings').locator('.chat-msg__reaction').waitFor();
}

async function retraction() {
    const [romeo, juliet] = await twoContacts();
    await romeo.say('I swear by the moon');
    await juliet.reads('by the moon');
    await romeo.act('by the moon', '.chat-msg__action-retract');
    await romeo.confirm();
    for (const person of [romeo, juliet]) {
        await person.page.locator('.chat-msg--retracted').waitFor();
        assert.ok(!(await person.texts()).includes('I swear by the moon'));
    }
}

// Sent by one, shown to the other; nothing but a picture of this server is shown.
async function picture() {
    const [romeo, juliet] = await twoContacts();
    const file = new URL('../../plugins/web/client/files/icon-192.png', import.meta.url);
    const chosen = romeo.page.waitForEvent('filechooser');
    await romeo.page.locator('converse-chat-toolbar [title="Choose a file to send"]').click();
    await (await chosen).setFiles(fileURLToPath(file));
    for (const person of [romeo, juliet]) {
        const image = person.page.locator('.chat-msg img.chat-image').first();
        await image.waitFor();
        await until('its pixels', () => image.evaluate((element) => element.complete && element.naturalWidth === 192));
        assert.equal(new URL(await image.getAttribute('src')).origin, FILES);
    }
    await juliet.say('https://montague.example/spy.png');
    await romeo.reads('https://montague.example/spy.png');
    assert.equal(await romeo.page.locator('.chat-msg img.chat-image').count(), 1);
}

// ---- rooms

async function rooms() {
    const [romeo, juliet] = await twoPeople();
    await romeo.enterRoom('orchard');
    await juliet.enterRoom('orchard');
    await romeo.say('He jests at scars that never felt a wound.');
    await juliet.reads('He jests at scars');
    await juliet.say('Ay me!');
    await romeo.reads('Ay me!');
    await romeo.page.locator('converse-muc-sidebar, .occupants').locator('text=juliet').first().waitFor();
    // The next time he comes he is in it, and finds what was said.
    await romeo.reload();
    await romeo.reads('Ay me!');
    assert.deepEqual(await romeo.texts(), ['He jests at scars that never felt a wound.', 'Ay me!']);
}

async function moderation() {
    const [romeo, juliet] = await twoPeople();
    await romeo.enterRoom('orchard');
    await juliet.enterRoom('orchard');
    await juliet.say('something she should not have said');
    await romeo.reads('should not have said');
    await romeo.act('should not have said', '.chat-msg__action-retract');
    await romeo.confirm();
    for (const person of [romeo, juliet]) {
        await person.page.locator('.chat-msg--retracted').waitFor();
        assert.ok(!(await person.texts()).includes('something she should not have said'));
    }
}

// ---- a phone

async function phone() {
    const [romeo, juliet] = await twoContacts({ juliet: PHONE });
    await romeo.say('O, speak again, bright angel! for thou art as glorious to this night as a winged messenger of heaven.');
    await juliet.reads('speak again');
    await juliet.say('Romeo, doff thy name');
    await romeo.reads('doff thy name');
    const isTooWide = () => juliet.page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert.equal(await isTooWide(), false, 'the chat is as wide as the screen');
    await juliet.page.locator('converse-controlbox-navback converse-icon').click();
    await juliet.contact('romeo').locator('.open-chat').waitFor();
    assert.equal(await isTooWide(), false, 'the list is as wide as the screen');
}

// ---- end to end

async function encryption() {
    const [romeo, juliet] = await twoPeople();
    await romeo.becomeContactOf(juliet);
    // Whether a contact can decrypt is asked when a chat begins. Their keys take the two a moment.
    await until('keys of both', async () => {
        for (const person of [romeo, juliet]) {
            await person.reload();
            await person.isIn();
            await person.openChat(person === romeo ? 'juliet' : 'romeo');
        }
        let able = 0;
        for (const { page } of [romeo, juliet]) {
            await page.locator('.toggle-omemo').waitFor();
            able += await page.locator('.toggle-omemo[data-disabled=false]').count();
        }
        return able === 2;
    });
    await romeo.page.click('.toggle-omemo');
    await romeo.page.locator('.toggle-omemo .fa-lock').waitFor();
    await romeo.say('Th\u2019 exchange of thy love\u2019s faithful vow for mine');
    await juliet.reads('faithful vow');
    for (const person of [romeo, juliet])
        assert.equal(await person.message('faithful vow').getAttribute('data-encrypted'), 'true');
    // The server has nothing that it could read.
    const archive = kept();
    assert.ok(archive.includes('eu.siacs.conversations.axolotl') || archive.includes('urn:xmpp:omemo:2'), 'it is kept');
    assert.ok(!archive.includes('faithful vow'), 'the server cannot read it');
}

await runCase({
    registration, invitation, invited_twice: invitedTwice, invited_to_room: invitedToRoom, invited_to_members: invitedToMembers, taken_name: takenName, wrong_password: wrongPassword, insecure, loopback, first_visit: firstVisit,
    contacts, chat, compressed, history, reactions, retraction, picture, rooms, moderation, phone, encryption,
});
