// Invitations (XEP-0401): /invite/<token> opens the form for an account. The token is shown to the
// server before the form is asked for (XEP-0445); who has invited is a contact from the start. Who has
// an account and is logged in, or logs in now, is asked whether to go on with it: the token goes with
// the request to be a contact then (XEP-0379), which needs nobody's consent any more.
export function invitationIn(address) {
    return /^\/invite\/([A-Za-z0-9_-]{8,256})$/.exec(address.pathname)?.[1] ?? null;
}

// What the server says of it: whether it can be used, makes an account, whose contact one becomes, and
// which room it leads to. Nothing when it can't be asked.
export async function askAbout(token) {
    try {
        const answer = await fetch('/invitation/' + token, { credentials: 'omit' });
        return answer.ok ? { token, ...await answer.json() } : null;
    } catch {
        return null;
    }
}

export function acceptInvitation(_converse, env, page, token, facts) {
    register(_converse, env, page, token);
    const { api } = _converse;
    let wasThere = false;
    api.listen.on('rosterContactsFetched', () => {
        // Also when a connection is made again.
        if (wasThere) return;
        wasThere = true;
        // Who has just made an account has left the address of the invitation.
        const isThere = invitationIn(location) === token;
        if (isThere) offer(_converse, env, facts ?? { open: false });
        else if (facts?.room) api.rooms.open(facts.room, {}, true);
    });
}

function register(_converse, { $iq }, page, token) {
    const { api } = _converse;
    const Form = api.elements.registry['converse-registration-form'];
    api.elements.define('converse-registration-form', class extends Form {
        getRegistrationFields(request, callback) {
            const connection = api.connection.get();
            const ask = $iq({ type: 'set', id: connection.getUniqueId('invitation'), to: page.domain })
                .c('preauth', { xmlns: 'urn:xmpp:pars:0', token });
            connection.connected = true;
            connection._addSysHandler((answer) => {
                if (answer.getAttribute('type') === 'result') super.getRegistrationFields(request, callback);
                else this.abortRegistration('This invitation is unknown, used or expired.');
                return false;
            }, null, 'iq', null, null);
            connection.send(ask);
            // As the client itself has it while it registers.
            connection.connected = false;
            return true;
        }

        updated(...rest) {
            super.updated?.(...rest);
            const form = this.querySelector('#converse-register');
            if (form && !form.querySelector('.epode-invitation')) form.append(otherWays(page.domain, token));
        }
    });
}

function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
}

// A question in front of the chats. What it says depends on who is invited to what.
function offer(_converse, env, facts) {
    const { Strophe } = env;
    const me = _converse.session.get('bare_jid');
    const known = facts.contact ? _converse.state.roster.get(facts.contact) : null;
    const isContact = facts.contact === me || known?.get('subscription') === 'both';
    const wants = facts.open && ((facts.contact && !isContact) || facts.room);

    const dialog = element('dialog', { className: 'epode-offer' });
    const leave = () => {
        history.replaceState(null, '', '/');
        dialog.close();
        dialog.remove();
    };
    const say = (text) => element('p', { textContent: text });
    if (!facts.open) dialog.append(say('This invitation is unknown, used or expired.'));
    else if (facts.contact === me) dialog.append(say('This is an invitation of your own. Send its address to somebody else.'));
    else if (!wants && facts.contact) dialog.append(say(`${facts.contact} is a contact of yours already.`));
    else if (!wants) dialog.append(say('This invitation is for a new account, and you have one.'));
    if (wants && facts.contact && !isContact) dialog.append(say(`${facts.contact} invites you to be contacts of each other.`));
    if (wants && facts.room) dialog.append(say(`You are invited to the room ${shownRoom(_converse, facts.room)}.`));

    const buttons = element('div', { className: 'epode-offer-buttons' });
    if (wants) {
        const go = element('button', { type: 'button', className: 'btn btn-primary epode-offer-accept',
                                       textContent: `Continue as ${me}` });
        go.addEventListener('click', async () => {
            go.disabled = true;
            leave();
            if (facts.room) await askIn(_converse, env, facts.token);
            else if (facts.contact && !isContact) await befriend(_converse, env, facts.contact, facts.token);
            if (facts.room) await _converse.api.rooms.open(facts.room, {}, true);
            else await _converse.api.chats.open(Strophe.getBareJidFromJid(facts.contact), {}, true);
        });
        buttons.append(go);
    }
    const no = element('button', { type: 'button', className: 'btn btn-secondary epode-offer-leave',
                                   textContent: wants ? 'Not now' : 'Go to my chats' });
    no.addEventListener('click', leave);
    dialog.addEventListener('cancel', leave);
    buttons.append(no);
    dialog.append(buttons);
    document.body.append(dialog);
    dialog.showModal();
}

// A room of this server is known by its name.
function shownRoom(_converse, room) {
    const end = '@' + _converse.api.settings.get('muc_domain');
    return room.endsWith(end) ? room.slice(0, -end.length) : room;
}

// Asks to see the contact, with the token, and lets him see us: he asks back at once.
async function befriend(_converse, { $pres }, jid, token) {
    const { api, state } = _converse;
    const contact = state.roster.get(jid) ?? await api.contacts.add({ jid }, true, false);
    api.send($pres({ to: jid, type: 'subscribed' }));
    api.send($pres({ to: jid, type: 'subscribe' }).c('preauth', { xmlns: 'urn:xmpp:pars:0', token }));
    contact?.save({ ask: 'subscribe' });
}

// The room lets in who shows its invitation to the server, and whoever has invited him is his contact then.
async function askIn(_converse, { $iq }, token) {
    const host = _converse.session.get('domain');
    const ask = $iq({ type: 'set', to: host }).c('preauth', { xmlns: 'urn:xmpp:pars:0', token });
    await _converse.api.sendIQ(ask, undefined, false);
}

// For people who would rather use an app, on this device or on a phone.
function otherWays(domain, token) {
    const uri = `xmpp:${domain}?register;preauth=${token}`;
    const box = document.createElement('div');
    box.className = 'epode-invitation';
    const link = document.createElement('a');
    link.href = uri;
    link.textContent = 'Open the invitation in an app';
    const hint = document.createElement('p');
    hint.textContent = 'Or scan it with a phone:';
    box.append(link, hint);
    import('../qrcode/qrcode.mjs').then(({ default: qrcode }) => {
        const code = qrcode(0, 'M');
        code.addData(uri);
        code.make();
        const image = document.createElement('img');
        image.src = code.createDataURL(4, 12);
        image.alt = uri;
        box.append(image);
    });
    return box;
}
