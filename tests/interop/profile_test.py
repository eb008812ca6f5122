#!/usr/bin/python3
"""Pictures, vCards, nicknames and bookmarks by Debian's slixmpp: profile_test.py CASE, run through server.py."""
import asyncio
import hashlib
import sys

import support
from slixmpp.exceptions import IqError
from slixmpp.plugins.xep_0048 import Bookmarks
from slixmpp.xmlstream import ET
from slixmpp_client import Client

ROMEO, JULIET = "romeo", "juliet"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
OTHER = b"GIF89a" + bytes(range(256)) * 10
DATA, METADATA = "urn:xmpp:avatar:data", "urn:xmpp:avatar:metadata"
BOOKMARKS = "urn:xmpp:bookmarks:1"


async def friends(*plugins):
    romeo, juliet = Client(ROMEO, plugins=plugins), Client(JULIET, plugins=plugins)
    await romeo.online()
    await juliet.online()
    for one, other in ((romeo, juliet), (juliet, romeo)):
        one.send_presence_subscription(other.boundjid.bare, ptype="subscribe")
        await other.presence_from(one.boundjid.bare, "subscribe")
        other.send_presence_subscription(one.boundjid.bare, ptype="subscribed")
        await one.presence_from(other.boundjid.full, "available")
    return romeo, juliet


def photos(client, sender):
    """The hashes in presence of a client, in their order."""
    found = []
    for stanza in client.presences:
        photo = stanza.xml.find("{vcard-temp:x:update}x/{vcard-temp:x:update}photo")
        if stanza["from"] == sender and photo is not None:
            found.append(photo.text or "")
    return found


async def published():
    """XEP-0084 by one client; the other sees the hash in presence and the picture in the vCard."""
    romeo, juliet = await friends("xep_0030", "xep_0054", "xep_0060", "xep_0163", "xep_0084")
    await juliet["xep_0084"].publish_avatar(PICTURE)
    avatar_id = juliet["xep_0084"].generate_id(PICTURE)
    await juliet["xep_0084"].publish_avatar_metadata(
        items=[{"id": avatar_id, "type": "image/png", "bytes": len(PICTURE)}])
    await romeo.until("the hash", lambda: avatar_id in photos(romeo, juliet.boundjid))
    card = await romeo["xep_0054"].get_vcard(juliet.boundjid.bare, timeout=support.PATIENCE)
    assert card["vcard_temp"]["PHOTO"]["BINVAL"] == PICTURE
    assert card["vcard_temp"]["PHOTO"]["TYPE"] == "image/png"
    for client in (romeo, juliet):
        await client.gone()


async def in_vcard():
    """XEP-0153 by one client; the other fetches the picture by XEP-0084."""
    romeo, juliet = await friends("xep_0030", "xep_0054", "xep_0060", "xep_0163", "xep_0084")
    card = juliet["xep_0054"].make_vcard()
    card["FN"] = "Juliet"
    card["PHOTO"]["TYPE"] = "image/gif"
    card["PHOTO"]["BINVAL"] = OTHER
    await juliet["xep_0054"].publish_vcard(card)
    avatar_id = hashlib.sha1(OTHER).hexdigest()
    await romeo.until("the hash", lambda: avatar_id in photos(romeo, juliet.boundjid))
    told = await romeo["xep_0060"].get_items(juliet.boundjid.bare, METADATA)
    info = list(told["pubsub"]["items"])[0].xml.find("{%s}metadata/{%s}info" % (METADATA, METADATA))
    assert info.get("id") == avatar_id and info.get("type") == "image/gif", ET.tostring(info)
    fetched = await romeo["xep_0084"].retrieve_avatar(juliet.boundjid.bare, avatar_id)
    assert list(fetched["pubsub"]["items"])[0]["avatar_data"]["value"] == OTHER
    # As slixmpp itself does it, with a vCard that is read and given back.
    juliet.register_plugin("xep_0153")
    await juliet["xep_0153"].set_avatar(avatar=PICTURE, mtype="image/png")
    other_id = hashlib.sha1(PICTURE).hexdigest()
    await romeo.until("the other hash", lambda: other_id in photos(romeo, juliet.boundjid))
    fetched = await romeo["xep_0084"].retrieve_avatar(juliet.boundjid.bare, other_id)
    assert list(fetched["pubsub"]["items"])[0]["avatar_data"]["value"] == PICTURE
    for client in (romeo, juliet):
        await client.gone()


async def nickname():
    """XEP-0172 and the NICKNAME of the vCard."""
    romeo, juliet = await friends("xep_0004", "xep_0030", "xep_0054", "xep_0060", "xep_0163", "xep_0172")
    # A nickname for contacts alone would stay out of the vCard, which is for everybody.
    options = juliet["xep_0004"].make_form(ftype="submit")
    options.add_field(var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#publish-options")
    options.add_field(var="pubsub#access_model", value="open")
    await juliet["xep_0172"].publish_nick("Jule", options=options)
    # The vCard follows the nickname when that is published, as soon as the disk has it.
    loop = asyncio.get_running_loop()
    deadline, card = loop.time() + support.PATIENCE, None
    while card is None:
        try:
            card = await romeo["xep_0054"].get_vcard(juliet.boundjid.bare, timeout=support.PATIENCE)
        except IqError as early:
            assert early.condition == "item-not-found" and loop.time() < deadline, early
            await romeo.barrier()
    assert "Jule" in card["vcard_temp"]["NICKNAME"], card
    card = juliet["xep_0054"].make_vcard()
    card["NICKNAME"] = "Juliet of Verona"
    await juliet["xep_0054"].publish_vcard(card)
    told = await romeo["xep_0060"].get_items(juliet.boundjid.bare, "http://jabber.org/protocol/nick")
    nick = list(told["pubsub"]["items"])[0].xml.findtext("{http://jabber.org/protocol/nick}nick")
    assert nick == "Juliet of Verona", told
    for client in (romeo, juliet):
        await client.gone()


async def bookmarks():
    """XEP-0048 in private XML and in personal eventing, and XEP-0402."""
    plugins = ("xep_0030", "xep_0045", "xep_0048", "xep_0049", "xep_0060", "xep_0163", "xep_0223")
    juliet = Client(JULIET, plugins=plugins)
    juliet["xep_0048"].auto_join = False
    await juliet.online()
    own = Bookmarks()
    own.add_conference("theplay@conference.example", "JC", name="The Play", autojoin=True)
    own.add_conference("orchard@conference.example", "Jule")
    await juliet["xep_0048"].set_bookmarks(own, method="xep_0049")

    async def items():
        got = await juliet["xep_0060"].get_items(None, BOOKMARKS)
        return {item["id"]: item.xml.find("{%s}conference" % BOOKMARKS) for item in got["pubsub"]["items"]}

    async def old(method):
        got = await juliet["xep_0048"].get_bookmarks(method=method)
        kept = got["private"]["bookmarks"] if method == "xep_0049" else \
            list(got["pubsub"]["items"])[0]["bookmarks"]
        return {str(conference["jid"]): conference["nick"] for conference in kept["conferences"]}

    found = await items()
    assert sorted(found) == ["orchard@conference.example", "theplay@conference.example"], found
    play = found["theplay@conference.example"]
    assert play.get("name") == "The Play" and play.get("autojoin") in ("true", "1"), ET.tostring(play)
    assert play.findtext("{%s}nick" % BOOKMARKS) == "JC", ET.tostring(play)
    both = {"theplay@conference.example": "JC", "orchard@conference.example": "Jule"}
    assert await old("xep_0223") == both, await old("xep_0223")

    # A new client adds one and removes one.
    conference = ET.Element("{%s}conference" % BOOKMARKS, {"name": "Balcony"})
    ET.SubElement(conference, "{%s}nick" % BOOKMARKS).text = "J"
    await juliet["xep_0060"].publish(None, BOOKMARKS, id="balcony@conference.example", payload=conference)
    await juliet["xep_0060"].retract(None, BOOKMARKS, "orchard@conference.example", notify=True)
    both = {"theplay@conference.example": "JC", "balcony@conference.example": "J"}
    for method in ("xep_0049", "xep_0223"):
        assert await old(method) == both, (method, await old(method))
    await juliet.gone()


CASES = {case.__name__: case for case in (published, in_vcard, nickname, bookmarks)}

if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(support.run_case(CASES, sys.argv[1:])(), 4 * support.PATIENCE))
