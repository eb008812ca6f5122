// Rooms after a reload of the page: on a stream that is resumed the client keeps to what it had stored,
// and what came just before the reload may not have been. Chats of two look into the archive then, and
// so do rooms.
export function catchUp(_converse) {
    const { api } = _converse;
    api.listen.on('afterMessagesFetched', (chat) => {
        if (chat.get('type') === 'chatroom' && chat.isEntered()) api.trigger('chatReconnected', chat);
    });
}
