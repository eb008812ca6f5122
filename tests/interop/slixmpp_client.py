"""A client on Debian's slixmpp, shaped for tests: it keeps what arrives, and waits with a deadline."""
import asyncio
import logging
import os
import sys

import support

try:
    import slixmpp
    from slixmpp.exceptions import IqError  # noqa: F401  (tests import it from here)
except ImportError:
    support.skip("python3-slixmpp is not installed")

logging.basicConfig(level=logging.DEBUG if os.environ.get("EPODE_TEST_TRACE") else logging.ERROR, stream=sys.stderr)


class Client(slixmpp.ClientXMPP):
    def __init__(self, name, password=None, resource="slixmpp", mechanism=None, plugins=(), binds_channel=False):
        super().__init__(support.address(name) + "/" + resource, password or support.ACCOUNTS.get(name, ""),
                         sasl_mech=mechanism)
        # slixmpp 1.8 believes that tls-unique exists in TLS 1.3 (RFC 9266 says that it doesn't) and
        # offers nothing else, so it is told that it can't bind.
        if not binds_channel:
            self["feature_mechanisms"].sasl_callback = self.credentials_without_binding
        self.ca_certs = support.CA
        self.whitespace_keepalive = False
        self.auto_authorize = None
        self.auto_subscribe = False
        self.received, self.presences, self.happened = [], [], []
        self.changed = asyncio.Event()
        for name in plugins:
            self.register_plugin(name)
        for kind in ("message", "message_error"):
            self.add_event_handler(kind, lambda stanza: self.keep(self.received, stanza))
        for kind in ("available", "away", "chat", "dnd", "xa", "unavailable", "subscribe", "subscribed",
                     "unsubscribe", "unsubscribed"):
            self.add_event_handler("presence_" + kind, lambda stanza: self.keep(self.presences, stanza))
        for event in ("session_start", "failed_auth", "failed_all_auth", "connection_failed", "disconnected",
                      "stream_error", "session_resumed", "sm_enabled", "sm_failed", "roster_update",
                      "ssl_invalid_chain", "register"):
            self.add_event_handler(event, lambda data, event=event: self.keep(self.happened, (event, data)))

    def credentials_without_binding(self, required, optional):
        return self["feature_mechanisms"]._default_credentials(required, set(optional) - {"channel_binding"})

    def keep(self, where, what):
        where.append(what)
        self.changed.set()

    async def until(self, what, condition):
        """Waits until condition() is true and returns its value."""
        async def watch():
            while True:
                value = condition()
                if value:
                    return value
                self.changed.clear()
                try:
                    # Some conditions change without an event of ours.
                    await asyncio.wait_for(self.changed.wait(), 0.1)
                except asyncio.TimeoutError:
                    pass
        try:
            return await asyncio.wait_for(watch(), support.PATIENCE)
        except asyncio.TimeoutError:
            raise AssertionError(f"{self.boundjid}: {what}: not within {support.PATIENCE} s; "
                                 f"events: {[event for event, _ in self.happened]}") from None

    def has(self, event):
        return any(event == name for name, _ in self.happened)

    def open(self, direct_tls=False):
        address = (support.HOST, support.TLS_PORT if direct_tls else support.PORT)
        if hasattr(self, "enable_direct_tls"):  # slixmpp 1.9 and later
            self.enable_direct_tls, self.enable_starttls, self.enable_plaintext = direct_tls, not direct_tls, False
            self.connect(*address)
        elif direct_tls:
            self.connect(address=address, use_ssl=True)
        else:
            self.connect(address=address, force_starttls=True)

    async def online(self, direct_tls=False, presence=True):
        self.open(direct_tls)
        await self.until("login", lambda: self.has("session_start") or self.has("failed_all_auth"))
        assert self.has("session_start"), f"{self.boundjid}: login refused"
        if presence:
            await self.get_roster()
            self.send_presence()
        return self

    async def barrier(self):
        """When this returns the server has handled everything that was sent before."""
        iq = self.make_iq_get(ito=support.DOMAIN)
        iq.append(slixmpp.xmlstream.ET.Element("{urn:xmpp:ping}ping"))
        try:
            await iq.send(timeout=support.PATIENCE)
        except IqError:
            pass

    async def message_saying(self, body):
        return await self.until(f"the message '{body}'",
                                lambda: next((m for m in self.received if m["body"] == body), None))

    async def presence_from(self, jid, kind):
        """The first presence of this kind ('available', 'subscribe', …) from a bare or full address."""
        def find():
            for stanza in self.presences:
                sender = stanza["from"]
                stanza_kind = stanza["type"] if stanza["type"] in ("unavailable", "subscribe", "subscribed",
                                                                   "unsubscribe", "unsubscribed") else "available"
                if stanza_kind == kind and jid in (sender.full, sender.bare):
                    return stanza
            return None
        return await self.until(f"presence '{kind}' of {jid}", find)

    async def gone(self):
        if self.transport is not None:
            await self.disconnect(wait=2.0)
