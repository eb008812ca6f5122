// The text of a contact's status stands in the head of the chat: the head reads it from the chat,
// where the client never puts it. Without one the address stands there.
export function status(_converse) {
    _converse.api.listen.on('chatBoxInitialized', (box) => {
        if (!box.contact) return;
        const copy = () => box.save({ status: box.contact.get('status') || box.get('jid') });
        box.listenTo(box.contact, 'change:status', copy);
        copy();
    });
}
