// Starts Converse.js with what the server has written into the page.
import converse from './converse/converse.min.js';
import { brand } from './addons/brand.js';
import { catchUp } from './addons/catchup.js';
import { contacts } from './addons/contacts.js';
import { acceptInvitation, askAbout, invitationIn } from './addons/invitation.js';
import { names } from './addons/names.js';
import { receipts } from './addons/receipts.js';
import { registration } from './addons/registration.js';
import { status } from './addons/status.js';
import { isUsable } from './addons/secure.js';

const page = document.body.dataset;
const files = new URL('.', import.meta.url).pathname;
const invitation = invitationIn(location);
const invited = invitation ? await askAbout(invitation) : null;

converse.plugins.add('epode', {
    dependencies: ['converse-chat', 'converse-chatview', 'converse-register', 'converse-roster'],
    initialize() {
        const { _converse } = this;
        for (const addon of [catchUp, contacts, names, receipts, status, registration])
            addon(_converse, converse.env, page);
        if (invitation) acceptInvitation(_converse, converse.env, page, invitation, invited);
    },
});

brand(page, files);

if (isUsable(page)) {
    // The form for an account, but to a contact or a room alone, and for who is logged in already: the form
    // would ask the server over the very connection that is being restored.
    const isKept = localStorage.getItem('conversejs-session-jid') !== null;
    const form = isKept || (invited?.open && !invited.account) ? 'login' : 'register';
    if (invitation) history.replaceState(null, '', location.pathname + '#converse/' + form);
    const scheme = location.protocol === 'https:' ? 'wss://' : 'ws://';
    const origins = (page.files ?? '').split(' ').filter(Boolean);
    const own = [location.hostname, ...origins.map((origin) => new URL(origin).hostname)];
    const blacklist = page.omemo === undefined ? ['converse-omemo', 'converse-omemo-views'] : [];
    await converse.initialize({
        allow_registration: page.registration !== undefined || (invitation !== null && invited?.account !== false),
        allowed_audio_domains: page.foreignMedia === undefined ? own : null,
        allowed_image_domains: page.foreignMedia === undefined ? own : null,
        allowed_video_domains: page.foreignMedia === undefined ? own : null,
        assets_path: files + 'converse/',
        authentication: 'login',
        autocomplete_providers_url: '',
        blacklisted_plugins: blacklist,
        dark_theme: 'epode-dark',
        discover_connection_methods: false,
        embed_3rd_party_media_players: false,
        locked_domain: page.domain,
        locked_muc_domain: true,
        message_archiving: 'always',
        muc_domain: page.rooms,
        muc_nickname_from_jid: true,
        muc_search_service: page.rooms,
        notification_icon: files + 'icon-192.png',
        play_sounds: false,
        providers_link: '',
        registration_domain: page.domain,
        show_background: false,
        show_self_in_roster: false,
        theme: 'epode',
        view_mode: 'fullscreen',
        visible_toolbar_buttons: { call: false, emoji: true, location: false, spoiler: false, toggle_occupants: true },
        websocket_url: scheme + location.host + '/xmpp-websocket',
        whitelisted_plugins: ['epode'],
        xmpp_providers_url: '',
    });
    document.getElementById('epode-splash')?.remove();
}
