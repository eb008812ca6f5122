// Invitations (XEP-0401): /invite/<token> opens the form for an account. The token is shown to the
// server before the form is asked for (XEP-0445); who has invited is a contact from the start.
export function invitationIn(address) {
    return /^\/invite\/([A-Za-z0-9_-]{8,256})$/.exec(address.pathname)?.[1] ?? null;
}

export function acceptInvitation(_converse, { Strophe, $iq }, page, token) {
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
