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

    // Which messages somebody says to have displayed, by his address. A marker of the archive may be read
    // before the message that it is about.
    const displayed = new Map();

    // Who has displayed a message has displayed what came before it, too.
    function mark(chat) {
        const ids = displayed.get(chat.get('jid'));
        if (!ids) return;
        const sent = chat.messages.filter((message) => message.get('sender') === 'me');
        const last = sent.findLastIndex((message) => ids.has(message.get('msgid')));
        for (const message of sent.slice(0, last + 1))
            if (!message.get('marker_displayed')) message.save({ marker_displayed: new Date().toISOString() });
    }

    api.listen.on('parseMessage', (stanza, attributes) => {
        if (!attributes.marker_id || !sizzle(`displayed[xmlns="${MARKERS}"]`, stanza).length) return attributes;
        const from = Strophe.getBareJidFromJid(attributes.from);
        if (!displayed.has(from)) displayed.set(from, new Set());
        displayed.get(from).add(attributes.marker_id);
        const chat = _converse.state.chatboxes.get(from);
        if (chat?.messages) mark(chat);
        return attributes;
    });

    api.listen.on('chatBoxInitialized', (chat) => {
        let isMarking = false;
        if (chat.get('type') === 'chatbox')
            chat.listenTo(chat.messages, 'add', () => {
                if (isMarking) return;
                isMarking = true;
                // Once for a page of the archive.
                setTimeout(() => { isMarking = false; mark(chat); }, 0);
            });
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
