#!/usr/bin/python3
"""A room with Debian's slixmpp: slixmpp_rooms_test.py CASE, run through server.py."""
import asyncio
import sys

import support
from slixmpp_client import Client, IqError
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

ROMEO, JULIET = "romeo", "juliet"


def slixmpp_jid(text):
    from slixmpp import JID
    return JID(text)


PLUGINS = ("xep_0004", "xep_0030", "xep_0045", "xep_0059", "xep_0199", "xep_0313", "xep_0359", "xep_0421",
           "xep_0424", "xep_0425", "xep_0437")


def room_address():
    return "coven@conference." + support.address(ROMEO).split("@")[1]


def bodies(client):
    return [(m["from"].resource, m["body"]) for m in client.received if m["type"] == "groupchat" and m["body"]]


async def both_in_a_room():
    """Juliet owns it, and has accepted it as it is."""
    romeo, juliet = Client(ROMEO, plugins=PLUGINS), Client(JULIET, plugins=PLUGINS)
    for client in (romeo, juliet):
        await client.online()
    room = room_address()
    await juliet["xep_0045"].join_muc_wait(room, "juliet", timeout=support.PATIENCE)
    form = await juliet["xep_0045"].get_room_config(room)
    form["type"] = "submit"
    await juliet["xep_0045"].set_room_config(room, form)
    _, _, occupants, _ = await romeo["xep_0045"].join_muc_wait(room, "romeo", maxstanzas=20, timeout=support.PATIENCE)
    assert "juliet" in [pr["muc"]["nick"] for pr in occupants], occupants
    return romeo, juliet, room


async def leave(*clients):
    for client in clients:
        await client.gone()


async def chat():
    romeo, juliet, room = await both_in_a_room()
    romeo.send_message(mto=room, mbody="Harpier cries", mtype="groupchat")
    juliet.send_message(mto=room, mbody="'tis time", mtype="groupchat")
    for client in (romeo, juliet):
        await client.until("both messages", lambda client=client: len(bodies(client)) == 2)
        assert set(bodies(client)) == {("romeo", "Harpier cries"), ("juliet", "'tis time")}, bodies(client)
    juliet["xep_0045"].set_subject(room, "Fire burn")
    await romeo["xep_0199"].ping(jid=room + "/romeo")
    await leave(romeo, juliet)


async def history():
    romeo, juliet, room = await both_in_a_room()
    for text in ("one", "two", "three"):
        juliet.send_message(mto=room, mbody=text, mtype="groupchat")
    await romeo.until("all messages", lambda: len(bodies(romeo)) == 3)
    romeo["xep_0045"].leave_muc(room, "romeo")
    await juliet.until("Romeo is gone", lambda: "romeo" not in juliet["xep_0045"].get_roster(room))
    _, _, _, told = await romeo["xep_0045"].join_muc_wait(room, "romeo", maxstanzas=2, timeout=support.PATIENCE)
    assert [m["body"] for m in told] == ["two", "three"], told
    results = await romeo["xep_0313"].retrieve(jid=room, rsm={"max": "2"})
    found = [r["mam_result"]["forwarded"]["stanza"]["body"] for r in results["mam"]["results"]]
    assert found == ["one", "two"], found
    await leave(romeo, juliet)


async def kick():
    romeo, juliet, room = await both_in_a_room()
    try:
        await romeo["xep_0045"].set_role(room, "juliet", "none")
        raise AssertionError("a participant has kicked the owner")
    except IqError as refused:
        assert refused.iq["error"]["condition"] == "forbidden", refused.iq
    kicked = []
    romeo.add_event_handler(f"muc::{room}::self-presence", lambda pr: romeo.keep(kicked, pr))
    await juliet["xep_0045"].set_role(room, "romeo", "none", reason="Avaunt!")
    await romeo.until("the kick", lambda: any(pr["type"] == "unavailable" and 307 in pr["muc"]["status_codes"]
                                              for pr in kicked))
    try:
        await romeo["xep_0199"].ping(jid=room + "/romeo")
        raise AssertionError("who is out was told that he is in")
    except IqError as refused:
        assert refused.iq["error"]["condition"] == "not-acceptable", refused.iq
    await juliet["xep_0045"].set_affiliation(room, "outcast", jid=support.address(ROMEO))
    banned = await juliet["xep_0045"].get_affiliation_list(room, "outcast")
    assert [str(jid) for jid in banned] == [support.address(ROMEO)], banned
    await juliet["xep_0045"].destroy(room, reason="winter")
    await leave(romeo, juliet)


async def moderation():
    """A moderator takes back what somebody has said; what remains in the archive says so."""
    romeo, juliet, room = await both_in_a_room()
    moderated = []
    romeo.add_event_handler("moderated_message", lambda message: romeo.keep(moderated, message))
    romeo.send_message(mto=room, mbody="Something rude", mtype="groupchat")
    await juliet.until("the message", lambda: ("romeo", "Something rude") in bodies(juliet))
    said = next(m for m in juliet.received if m["body"] == "Something rude")
    try:
        await romeo["xep_0425"].moderate(room=slixmpp_jid(room), id=said["stanza_id"]["id"], reason="mine")
        raise AssertionError("a participant has moderated")
    except IqError as refused:
        assert refused.iq["error"]["condition"] == "forbidden", refused.iq
    await juliet["xep_0425"].moderate(room=slixmpp_jid(room), id=said["stanza_id"]["id"], reason="Be kind")
    await romeo.until("the moderation", lambda: moderated)
    told = moderated[0]["apply_to"]
    assert told["id"] == said["stanza_id"]["id"] and told["moderated"]["reason"] == "Be kind", moderated[0]
    results = await romeo["xep_0313"].retrieve(jid=room, rsm={"max": "10"})
    found = [str(r["mam_result"]["forwarded"]["stanza"]) for r in results["mam"]["results"]]
    assert not any("Something rude" in one for one in found), found
    assert any("retracted" in one for one in found), found
    await leave(romeo, juliet)


async def activity():
    """Who isn't in a room that he belongs to hears that something was said there (XEP-0437)."""
    romeo, juliet, room = await both_in_a_room()
    await juliet["xep_0045"].set_affiliation(room, "member", jid=support.address(ROMEO))
    romeo["xep_0045"].leave_muc(room, "romeo")
    await juliet.until("Romeo is gone", lambda: "romeo" not in juliet["xep_0045"].get_roster(room))
    # Its plugin waits for a presence, which an earlier version of the document had.
    heard = []
    romeo.register_handler(Callback("news", MatchXPath("{jabber:client}message/{urn:xmpp:rai:0}rai"), lambda message: romeo.keep(heard, message)))
    romeo["xep_0437"].subscribe(slixmpp_jid(room.split("@")[1]))
    await romeo["xep_0199"].ping(jid=room.split("@")[1])  # what was asked for has come before
    juliet.send_message(mto=room, mbody="He is gone", mtype="groupchat")
    await romeo.until("the news", lambda: any(room in str(message) for message in heard))
    await leave(romeo, juliet)


CASES = {case.__name__: case for case in (chat, history, kick, moderation, activity)}

if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(support.run_case(CASES, sys.argv[1:])(), 4 * support.PATIENCE))
