#!/usr/bin/python3
"""Gajim's library (Debian's python3-nbxmpp) as a client: nbxmpp_test.py CASE, run through server.py."""
import hashlib
import os
import sys
import time

import support

try:
    import gi
    gi.require_version("Soup", "3.0")
    from gi.repository import Gio, GLib
    from nbxmpp.client import Client as Connection
    from nbxmpp.const import ConnectionProtocol, ConnectionType
    from nbxmpp.errors import StanzaError
    from nbxmpp.modules.user_avatar import Avatar
    from nbxmpp.modules.vcard4 import VCard
    from nbxmpp.namespaces import Namespace
    from nbxmpp.protocol import JID, Message, Presence
    from nbxmpp.structs import BookmarkData, OMEMOBundle, StanzaHandler
except (ImportError, ValueError):
    support.skip("python3-nbxmpp is not installed")


def until(what, condition):
    """Lets GLib work until condition() is true; returns its value."""
    context, end = GLib.MainContext.default(), time.monotonic() + support.PATIENCE
    wake = GLib.timeout_add(50, lambda: True)
    try:
        while not (value := condition()):
            if time.monotonic() > end:
                raise AssertionError(f"{what}: not within {support.PATIENCE} s")
            context.iteration(True)
        return value
    finally:
        GLib.source_remove(wake)


class Client:
    def __init__(self, name, protocol=ConnectionType.START_TLS):
        self.jid = JID.from_string(support.address(name))
        self.happened, self.messages, self.archived, self.presences, self.events = [], [], [], [], []
        self.connection = Connection(log_context=name)
        self.connection.set_domain(support.DOMAIN)
        self.connection.set_username(name)
        self.connection.set_password(support.ACCOUNTS[name])
        self.connection.set_resource("nbxmpp")
        port = support.TLS_PORT if protocol == ConnectionType.DIRECT_TLS else support.PORT
        self.connection.set_custom_host(f"{support.HOST}:{port}", ConnectionProtocol.TCP, protocol)
        # It knows no authorities but the system's; the certificate itself is accepted.
        with open(os.path.join(os.path.dirname(support.CA), "server.crt")) as file:
            self.connection.set_accepted_certificates([Gio.TlsCertificate.new_from_pem(file.read(), -1)])
        for signal in ("connected", "resume-successful", "disconnected", "connection-failed"):
            self.connection.subscribe(signal, lambda _client, told, *_: self.happened.append(told))
        for name, callback in (("message", self.message), ("presence", self.presence)):
            self.connection.register_handler(StanzaHandler(name=name, callback=callback, priority=50))
        self.connection.connect()
        until("the login", lambda: "connected" in self.happened)

    def message(self, _client, stanza, properties):
        if properties.is_mam_message:
            self.archived.append(properties.body)
        elif properties.is_pubsub_event:
            self.events.append((properties.jid, properties.pubsub_event))
        elif properties.body:
            self.messages.append((properties.jid, properties.body, properties.is_carbon_message))

    def presence(self, _client, stanza, properties):
        self.presences.append((properties.jid, properties.type.value))

    def does(self, module, method, *arguments, **named):
        """The result of a request; errors are raised."""
        finished = []

        def callback(task):  # has its result for as long as this lasts
            try:
                finished.append((task.finish(), None))
            except Exception as error:  # told below
                finished.append((None, error))
        getattr(self.connection.get_module(module), method)(*arguments, callback=callback, **named)
        result, error = until(f"{module}.{method}", lambda: finished)[0]
        if error is not None:
            raise error
        return result

    def refused(self, *words, **named):
        try:
            self.does(*words, **named)
        except StanzaError as error:
            return error.condition
        raise AssertionError(f"{words} was not refused")

    def available(self, **caps):
        self.connection.send_stanza(Presence())
        return self

    def says(self, to, body):
        self.connection.send_stanza(Message(to=to, typ="chat", body=body))

    def hears(self, body):
        return until(f"the message '{body}'", lambda: [one for one in self.messages if one[1] == body])[0]

    def gone(self):
        self.connection.disconnect()
        until("the end", lambda: "disconnected" in self.happened)


def chat():
    """Messages both ways, roster, archive and its preferences, over STARTTLS and direct TLS."""
    romeo, juliet = Client("romeo"), Client("juliet", ConnectionType.DIRECT_TLS)
    romeo.available()
    juliet.available()
    romeo.does("Roster", "set_item", juliet.jid, "Juliet", ["Capulets"])
    roster = romeo.does("Roster", "request_roster")
    item = next(iter(roster.items))
    assert item.jid == juliet.jid and item.name == "Juliet" and set(item.groups) == {"Capulets"}, item
    for number in range(5):
        romeo.says(juliet.jid, f"message {number} <3 &")
    juliet.hears("message 4 <3 &")
    juliet.says(romeo.jid, "answer")
    romeo.hears("answer")
    page = juliet.does("MAM", "make_query", juliet.jid, queryid="1", max_=4)
    assert juliet.archived == [f"message {number} <3 &" for number in range(4)] and not page.complete, juliet.archived
    page = juliet.does("MAM", "make_query", juliet.jid, queryid="2", after=page.rsm.last, max_=4)
    assert juliet.archived[4:] == ["message 4 <3 &", "answer"] and page.complete, juliet.archived
    juliet.does("MAM", "set_preferences", "roster", [romeo.jid], [])
    preferences = juliet.does("MAM", "request_preferences")
    assert preferences.default == "roster" and preferences.always == [romeo.jid], preferences
    romeo.gone()
    juliet.gone()


def questions():
    """What a client asks a server about."""
    romeo = Client("romeo").available()
    domain = JID.from_string(support.DOMAIN)
    info = romeo.does("Discovery", "disco_info", domain)
    assert any(one.category == "server" and one.type == "im" for one in info.identities), info.identities
    for feature in (Namespace.MAM_2, Namespace.BLOCKING):
        account = romeo.does("Discovery", "disco_info", romeo.jid)
        assert feature in info.features or feature in account.features, feature
    items = romeo.does("Discovery", "disco_items", domain)
    assert "pubsub." + support.DOMAIN in [str(item.jid) for item in items.items], items
    assert romeo.does("SoftwareVersion", "request_software_version", domain).name == "Epode"
    assert romeo.does("EntityTime", "request_entity_time", domain)
    assert romeo.does("LastActivity", "request_last_activity", domain).seconds >= 0
    romeo.does("Ping", "ping", domain)
    romeo.gone()


def blocking():
    romeo, juliet = Client("romeo").available(), Client("juliet").available()
    juliet.does("Blocking", "block", [romeo.jid])
    assert juliet.does("Blocking", "request_blocking_list") == {romeo.jid}
    romeo.says(juliet.jid, "Let me be taken")
    juliet.does("Blocking", "unblock", [romeo.jid])
    romeo.says(juliet.jid, "Speak again, bright angel")
    juliet.hears("Speak again, bright angel")
    assert not [one for one in juliet.messages if one[1] == "Let me be taken"], juliet.messages
    romeo.gone()
    juliet.gone()


def profile():
    """vCards old and new, nickname, avatar, bookmarks: as Gajim keeps them."""
    romeo, juliet = Client("romeo").available(), Client("juliet").available()
    card = VCard()
    card.add_property("fn", "Juliet Capulet")
    juliet.does("VCard4", "set_vcard", card, public=True)
    seen = romeo.does("VCard4", "request_vcard", jid=juliet.jid)
    assert [one.value for one in seen.get_properties() if one.name == "fn"] == ["Juliet Capulet"]
    # The same in the old form, and back.
    assert romeo.does("VCardTemp", "request_vcard", jid=juliet.jid).to_node().getTagData("FN") == "Juliet Capulet"
    assert juliet.does("VCardTemp", "request_vcard").to_node().getTagData("FN") == "Juliet Capulet"

    juliet.does("Nickname", "set_nickname", "Jule", public=True)
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
    avatar = Avatar()
    avatar.add_image_source(picture, "image/png", 64, 64)
    juliet.does("UserAvatar", "set_avatar", avatar, public=True)
    told = romeo.does("UserAvatar", "request_avatar_metadata", jid=juliet.jid)
    assert told.default == hashlib.sha1(picture).hexdigest(), told
    assert romeo.does("UserAvatar", "request_avatar_data", told.default, jid=juliet.jid).data == picture

    room = JID.from_string("theplay@conference.example")
    juliet.does("NativeBookmarks", "store_bookmarks",
                [BookmarkData(jid=room, name="The Play", nick="Jule", autojoin=True)])
    marks = juliet.does("NativeBookmarks", "request_bookmarks")
    assert [(mark.jid, mark.name, mark.nick, mark.autojoin) for mark in marks] == [(room, "The Play", "Jule", True)]
    assert [mark.jid for mark in juliet.does("PrivateBookmarks", "request_bookmarks")] == [room]
    juliet.does("NativeBookmarks", "retract_bookmark", room)
    assert not juliet.does("PrivateBookmarks", "request_bookmarks")
    romeo.gone()
    juliet.gone()


def omemo():
    """Device lists and bundles (XEP-0384) between strangers."""
    romeo, juliet = Client("romeo"), Client("juliet")
    juliet.does("OMEMO", "set_devicelist", [12345, 678])
    bundle = OMEMOBundle(spk={"key": b"k" * 33, "id": 1}, spk_signature=b"s" * 64, ik=b"i" * 33,
                         otpks=[{"key": b"p" * 33, "id": number} for number in range(1, 101)])
    juliet.does("OMEMO", "set_bundle", bundle, 12345)
    assert sorted(romeo.does("OMEMO", "request_devicelist", jid=juliet.jid)) == [678, 12345]
    got = romeo.does("OMEMO", "request_bundle", juliet.jid, 12345)
    assert got.ik == bundle.ik and len(got.otpks) == 100, got
    assert romeo.refused("OMEMO", "request_bundle", juliet.jid, 678) == "item-not-found"
    romeo.gone()
    juliet.gone()


CASES = {case.__name__: case for case in (chat, questions, blocking, profile, omemo)}

if __name__ == "__main__":
    support.run_case(CASES, sys.argv[1:])()
