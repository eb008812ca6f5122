// People of this server are called by their name alone where they have chosen no other; who comes
// from elsewhere keeps the whole address.
export function names(_converse, { Strophe }, page) {
    const shortened = (name) =>
        name?.endsWith('@' + page.domain) ? Strophe.unescapeNode(Strophe.getNodeFromJid(name)) : name;
    for (const Type of ['RosterContact', 'ChatBox', 'Profile', 'Message']) {
        const type = _converse.exports[Type]?.prototype;
        const original = type?.getDisplayName;
        if (!original) continue;
        type.getDisplayName = function (...rest) {
            return shortened(original.apply(this, rest));
        };
    }
}
