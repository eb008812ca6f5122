// What the browser tests share: Debian's Chromium, people who use the page, and waiting.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const env = process.env;
export const DOMAIN = env.EPODE_TEST_DOMAIN ?? '';
export const FOLDER = env.EPODE_TEST_FOLDER ?? '/tmp';
export const accounts = Object.fromEntries((env.EPODE_TEST_ACCOUNTS ?? '').split(',').filter(Boolean)
    .map((pair) => [pair.slice(0, pair.indexOf(':')), pair.slice(pair.indexOf(':') + 1)]));
export const SECURE = `https://${DOMAIN}:${env.EPODE_TEST_HTTPS_PORT}`;
// Where the server of the tests has files put and fetched: another origin than the page's.
export const FILES = `https://localhost:${env.EPODE_TEST_FILES_PORT ?? env.EPODE_TEST_HTTPS_PORT}`;
// Where they lie, when it leads there: a bucket.
const BUCKET = env.EPODE_TEST_S3_SEEN ?? FILES;
export const LOCAL = `http://127.0.0.1:${env.EPODE_TEST_HTTP_PORT}`;
// Long enough for a busy machine; nothing waits this long unless something is wrong.
export const PATIENCE = 30000;
const SKIPPED = 77;
// Mistakes of the client that our pages can't help: it asks a room's session why it has ended, which
// isn't there yet when the page is left while the room opens.
const CLIENTS_OWN = ["reading 'disconnection_cause'"];

export function skip(why) {
    console.log('skipped: ' + why);
    process.exit(SKIPPED);
}

// Packages lie in the build folder, where a module's own address doesn't lead.
export const modules = createRequire(path.join(env.EPODE_WEB_TEST_MODULES ?? path.dirname(fileURLToPath(import.meta.url)), 'x.cjs'));

export async function until(what, condition, patience = PATIENCE) {
    const end = Date.now() + patience;
    for (;;) {
        const value = await condition();
        if (value) return value;
        if (Date.now() > end) throw new Error(`${what}: not within ${patience / 1000} s`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

let shared = null;
async function browser() {
    if (shared) return shared;
    const program = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((file) => fs.existsSync(file));
    if (!program) skip('chromium is not installed');
    const { chromium } = modules('playwright-core');
    // The tests' own authority is good, as one of the system's: what only is not refused is not cached.
    const keys = [env.EPODE_TEST_CA, env.EPODE_TEST_S3_CA].filter(Boolean).map((file) => {
        const authority = new crypto.X509Certificate(fs.readFileSync(file));
        return crypto.createHash('sha256').update(authority.publicKey.export({ type: 'spki', format: 'der' }))
            .digest('base64');
    });
    shared = await chromium.launch({
        executablePath: program,
        headless: true,
        args: ['--no-sandbox', '--disable-quic', '--disable-background-networking', '--disable-component-update',
               '--no-first-run', '--disable-dev-shm-usage', '--disable-gpu',
               '--ignore-certificate-errors-spki-list=' + keys.join(','),
               // The host is here, and there is no other one.
               `--host-resolver-rules=MAP ${DOMAIN} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost`],
    });
    return shared;
}
export async function closeBrowser() {
    await shared?.close();
    shared = null;
}

export const DESK = { viewport: { width: 1280, height: 800 } };
export const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const everybody = [];

// Somebody with a browser of his own, and what goes wrong in it.
export class Person {
    static async at(name, base = SECURE, options = DESK, where = '/') {
        const person = new Person();
        person.name = name;
        person.base = base;
        person.problems = [];
        person.requests = [];
        const context = await (await browser()).newContext({ locale: 'en-GB', ...options });
        context.setDefaultTimeout(PATIENCE);
        // What a page would read as a foreign page's text is out of its reach; so the browser reports here.
        await context.exposeBinding('epodeTestViolation', (_, text) => person.problems.push('policy: ' + text));
        await context.addInitScript(() => addEventListener('securitypolicyviolation', (event) =>
            window.epodeTestViolation(`${event.violatedDirective} ${event.blockedURI}`)));
        person.context = context;
        await person.open(where);
        everybody.push(person);
        return person;
    }

    async open(where = '/') {
        this.page = await this.context.newPage();
        this.page.on('pageerror', (error) => {
            const text = String(error.stack ?? error);
            if (!CLIENTS_OWN.some((known) => text.includes(known))) this.problems.push('script: ' + text);
        });
        this.page.on('request', (request) => this.requests.push(request.url()));
        this.page.on('websocket', (socket) => {
            this.requests.push(socket.url());
            if (!env.EPODE_WEB_FRAMES) return;
            socket.on('framesent', ({ payload }) => console.log(`${this.name} > ${payload}`));
            socket.on('framereceived', ({ payload }) => console.log(`${this.name} < ${payload}`));
        });
        if (env.EPODE_WEB_FRAMES) this.page.on('console', (line) => console.log(`${this.name}: ${line.text()}`));
        this.page.on('response', (response) => {
            if (response.status() >= 400) this.problems.push(`${response.status()} ${response.url()}`);
        });
        await this.goTo(where);
    }

    // In the same window.
    async goTo(where) {
        await this.page.goto(this.base + where);
        await this.page.locator('#epode-splash').waitFor({ state: 'detached' });
    }

    get jid() { return `${this.name}@${DOMAIN}`; }

    async logIn(password = accounts[this.name]) {
        await this.page.fill('#converse-login-jid', this.name);
        await this.page.fill('#converse-login-password', password);
        await this.page.click('#converse-login button[type=submit]');
        await this.isIn();
        return this;
    }
    async isIn() {
        await this.page.locator('converse-user-profile .username').waitFor();
    }

    // The client writes down what a reload needs a moment after the login.
    async reload() {
        await this.keepsLogin();
        await this.page.reload();
    }
    async keepsLogin() {
        await until('keys are stored', () => this.page.evaluate(async () => {
            const databases = await indexedDB.databases();
            for (const { name } of databases) {
                const database = await new Promise((resolve, reject) => {
                    const opening = indexedDB.open(name);
                    opening.onsuccess = () => resolve(opening.result);
                    opening.onerror = () => reject(opening.error);
                });
                try {
                    for (const store of database.objectStoreNames) {
                        const texts = await new Promise((resolve, reject) => {
                            const asking = database.transaction(store).objectStore(store).getAll();
                            asking.onsuccess = () => resolve(asking.result);
                            asking.onerror = () => reject(asking.error);
                        });
                        if (JSON.stringify(texts).includes('scram_keys')) return true;
                    }
                } finally {
                    database.close();
                }
            }
            return false;
        }));
    }

    // Picks an entry of a menu that a button opens.
    async choose(menu, entry) {
        await menu.locator('button').first().click();
        await menu.locator(entry).click();
    }

    async addContact(other) {
        const dialog = this.page.locator('converse-add-contact-modal');
        await this.choose(this.page.locator('.dropdown--contacts'), '.add-contact');
        await dialog.locator('input[name=jid]').fill(`${other}@${DOMAIN}`);
        await dialog.locator('button[type=submit]').click();
        await dialog.locator('input[name=jid]').waitFor({ state: 'hidden' });
    }
    contact(other) {
        return this.page.locator('converse-roster-contact', { has: this.page.locator(`[data-jid="${other}@${DOMAIN}"]`) });
    }
    async acceptContact(other) {
        const contact = this.contact(other);
        await contact.locator('.open-chat').waitFor();
        await this.choose(contact.locator('converse-dropdown'), '.accept-xmpp-request');
        await this.page.locator('converse-accept-contact-request-modal button[type=submit]').click();
    }
    async seesOnline(other, isOnline = true) {
        const contact = this.contact(other).locator('.contact-name--online');
        await contact.waitFor({ state: isOnline ? 'visible' : 'detached' });
    }
    async becomeContactOf(other) {
        await this.addContact(other.name);
        await other.acceptContact(this.name);
        await this.seesOnline(other.name);
        await other.seesOnline(this.name);
    }

    async saysOfHerself(status) {
        await this.page.click('converse-user-profile .change-status');
        const dialog = this.page.locator('converse-profile-modal');
        await dialog.locator('input[name=status_message]').fill(status);
        await dialog.locator('#set-xmpp-status [type=submit]').click();
        await this.page.locator('.xmpp-status__msg', { hasText: status }).waitFor();
        await dialog.locator('[data-bs-dismiss=modal]').first().click();
        await dialog.locator('input[name=status_message]').waitFor({ state: 'hidden' });
    }
    async logOut() {
        await this.page.click('converse-user-profile .change-status');
        await this.page.locator('converse-profile-modal .modal-footer .btn-danger').click();
        await this.confirm();
        await this.page.locator('#converse-login-jid').waitFor();
    }
    async confirm() {
        await this.page.locator('converse-confirm-modal button[type=submit], form.confirm button[type=submit]').last().click();
    }

    async openChat(other) {
        await this.contact(other).locator('.open-chat').click();
        await this.page.locator('textarea.chat-textarea').waitFor();
    }
    async say(text) {
        await this.page.fill('textarea.chat-textarea', text);
        await this.page.press('textarea.chat-textarea', 'Enter');
    }
    message(text) {
        return this.page.locator('.chat-msg', { hasText: text }).last();
    }
    async reads(text) {
        await this.message(text).waitFor();
    }
    async texts() {
        const texts = await this.page.locator('.chat-msg__text').allInnerTexts();
        return texts.map((text) => text.trim());
    }
    // An entry of the menu that a message has.
    async act(text, action) {
        const message = this.message(text);
        await message.hover();
        await this.choose(message.locator('converse-message-actions'), action);
    }

    async enterRoom(room) {
        await this.choose(this.page.locator('converse-rooms-list converse-dropdown').first(), '.show-add-muc-modal');
        const dialog = this.page.locator('converse-add-muc-modal');
        await dialog.locator('input[name=chatroom]').fill(room);
        await dialog.locator('input[type=submit]').click();
        await this.page.locator('converse-muc textarea.chat-textarea').waitFor();
    }

    async shoot(name) {
        if (env.EPODE_WEB_SHOTS) await this.page.screenshot({ path: path.join(env.EPODE_WEB_SHOTS, name + '.png') });
    }
}

// What must hold of every visit: no error of a script, nothing refused, nobody else asked.
export function nothingWentWrong() {
    for (const person of everybody) {
        assert.deepEqual(person.problems, [], `in the browser of ${person.name}`);
        const own = [person.base, FILES, BUCKET].map((address) => new URL(address).host);
        const foreign = person.requests.filter((address) =>
            !address.startsWith('data:') && !address.startsWith('blob:') && !own.includes(new URL(address).host));
        assert.deepEqual(foreign, [], `asked by the browser of ${person.name}`);
    }
}

// The main function of a test with several cases. What a failing one saw is kept as pictures.
export async function runCase(cases) {
    const name = process.argv[2];
    if (process.argv.length !== 3 || !cases[name]) {
        console.error('which case? ' + Object.keys(cases).join(' '));
        process.exit(2);
    }
    if (!DOMAIN) {
        console.error('run me through tests/interop/server.py');
        process.exit(2);
    }
    try {
        await cases[name]();
        nothingWentWrong();
    } catch (error) {
        console.error(error);
        for (const person of everybody) {
            console.error(`${person.name}: ${person.problems.join('\n') || 'no problem in the browser'}`);
            const file = path.join(env.EPODE_WEB_FAILURES ?? '/tmp', `epode-web-${name}-${person.name}.png`);
            await person.page.screenshot({ path: file }).then(() => console.error('see ' + file), () => {});
        }
        process.exitCode = 1;
    } finally {
        await closeBrowser();
    }
}
