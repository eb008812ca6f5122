// Contacts: who accepts a request asks back, and presence survives a reload of the page.
export function contacts(_converse) {
    const { RosterContact, Presence } = _converse.exports;

    // The client's own "accept" lets the other one see us, and never asks to see him. (What else calls this
    // function does so for contacts whom we see already or have asked.)
    const { authorize } = RosterContact.prototype;
    RosterContact.prototype.authorize = function (...rest) {
        const { subscription, ask } = this.attributes;
        const result = authorize.apply(this, rest);
        if (!['to', 'both'].includes(subscription) && ask !== 'subscribe') this.subscribeToPresence();
        return result;
    };

    // A stream that is resumed by a new page brings no presence again. Which devices of a contact are
    // there is kept, but was not read back: who left afterwards stayed online for good.
    const { initialize } = Presence.prototype;
    Presence.prototype.initialize = function (...rest) {
        const result = initialize.apply(this, rest);
        this.resources.fetch({ silent: true });
        return result;
    };
}
