// Read receipts (XEP-0333) in chats of two: the client answers requests of others for them, but asks
// for none, and shows none.
const MARKERS = 'urn:xmpp:chat-markers:0';

export function receipts(_converse, { Strophe, sizzle }) {
    const { api } = _converse;

    api.listen.on('createMessageStanza', (chat, data) => {
        if (chat.get('type') === 'chatroom' || !data.message.get('body')) return data;
        const element = data.stanza.tree();
        const markable = element.ownerDocument.createElementNS(MARKERS, 'markable');
        // What is sent is written from attributes.
        markable.setAttribute('xmlns', MARKERS);
        element.appendChild(markable);
        data.stanza = { tree: () => element, toString: () => Strophe.serialize(element) };
        return data;
    });

    // Who has displayed a message has displayed what came before it, too.
    api.listen.on('parseMessage', (stanza, attributes) => {
        if (!attributes.marker_id || !sizzle(`displayed[xmlns="${MARKERS}"]`, stanza).length) return attributes;
        const chat = _converse.state.chatboxes.get(Strophe.getBareJidFromJid(attributes.from));
        const sent = chat?.messages.filter((message) => message.get('sender') === 'me') ?? [];
        const last = sent.findIndex((message) => message.get('msgid') === attributes.marker_id);
        for (const message of sent.slice(0, last + 1))
            if (!message.get('marker_displayed')) message.save({ marker_displayed: new Date().toISOString() });
        return attributes;
    });

    const Message = api.elements.registry['converse-chat-message'];
    api.elements.define('converse-chat-message', class extends Message {
        getExtraMessageClasses() {
            const own = this.model.get('sender') === 'me' ? ' chat-msg--own' : '';
            const read = this.model.get('marker_displayed') ? ' chat-msg--read' : '';
            return super.getExtraMessageClasses() + own + read;
        }
    });
}
