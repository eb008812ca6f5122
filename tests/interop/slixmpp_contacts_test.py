#!/usr/bin/python3
"""Contacts one would rather not hear of, and several at once, with Debian's slixmpp:
slixmpp_contacts_test.py CASE, run through server.py."""
import asyncio
import sys

import support
from slixmpp_client import Client, IqError

ROMEO, JULIET = "romeo", "juliet"


async def both(*plugins):
    romeo, juliet = Client(ROMEO, plugins=plugins), Client(JULIET, plugins=plugins)
    for client in (romeo, juliet):
        # slixmpp has an event of its own for messages that come back.
        client.add_event_handler("message_error", lambda stanza, client=client: client.keep(client.received, stanza))
        await client.online()
    return romeo, juliet


async def befriend(romeo, juliet):
    for asks, is_asked in ((romeo, juliet), (juliet, romeo)):
        asks.send_presence_subscription(is_asked.boundjid.bare, ptype="subscribe")
        await is_asked.presence_from(asks.boundjid.bare, "subscribe")
        is_asked.send_presence_subscription(asks.boundjid.bare, ptype="subscribed")
        await asks.presence_from(is_asked.boundjid.full, "available")


def blocked_error(client):
    return next((m for m in client.received if m["type"] == "error"
                 and m.xml.find(".//{urn:xmpp:blocking:errors}blocked") is not None), None)


async def blocking():
    romeo, juliet = await both("xep_0030", "xep_0191")
    romeo_jid, juliet_jid = support.address(ROMEO), support.address(JULIET)
    await befriend(romeo, juliet)
    blocking = juliet["xep_0191"]
    pushes = []
    juliet.add_event_handler("blocked", lambda iq: juliet.keep(pushes, iq["block"]["items"]))
    juliet.add_event_handler("unblocked", lambda iq: juliet.keep(pushes, iq["unblock"]["items"]))
    assert not (await blocking.get_blocked())["blocklist"]["items"]

    romeo.presences.clear()
    await blocking.block(romeo_jid)
    await juliet.until("a push", lambda: pushes)
    assert [str(jid) for jid in pushes[0]] == [romeo_jid], pushes
    assert [str(jid) for jid in (await blocking.get_blocked())["blocklist"]["items"]] == [romeo_jid]
    await romeo.presence_from(juliet.boundjid.full, "unavailable")

    romeo.send_message(mto=juliet_jid, mbody="Can you hear me?", mtype="chat")
    await romeo.until("the message comes back", lambda: any(
        m["type"] == "error" and m["error"]["condition"] == "service-unavailable" for m in romeo.received))
    juliet.send_message(mto=romeo_jid, mbody="I block you.", mtype="chat")
    error = await juliet.until("the reason", lambda: blocked_error(juliet))
    assert error["error"]["condition"] == "not-acceptable", error
    try:
        await romeo["xep_0030"].get_info(juliet.boundjid.full)
        raise AssertionError("who is blocked was answered")
    except IqError as refused:
        assert refused.iq["error"]["condition"] == "service-unavailable", refused.iq

    romeo.presences.clear()
    await blocking.unblock(romeo_jid)
    await juliet.until("a second push", lambda: len(pushes) == 2)
    await romeo.presence_from(juliet.boundjid.full, "available")
    romeo.send_message(mto=juliet_jid, mbody="And now?", mtype="chat")
    await juliet.message_saying("And now?")
    await romeo.gone()
    await juliet.gone()


async def reporting():
    """slixmpp 1.8 reports as in the older form, with the reason as an element."""
    _, juliet = await both("xep_0030", "xep_0191", "xep_0377")
    iq = juliet.make_iq_set()
    iq["block"]["items"] = {support.address(ROMEO)}
    iq["block"]["report"]["spam"] = True
    iq["block"]["report"]["text"] = "Never came trouble to my house like this."
    await iq.send(timeout=support.PATIENCE)
    blocked = (await juliet["xep_0191"].get_blocked())["blocklist"]["items"]
    assert [str(jid) for jid in blocked] == [support.address(ROMEO)], blocked
    info = await juliet["xep_0030"].get_info(support.DOMAIN)
    assert "urn:xmpp:reporting:1" in info["disco_info"]["features"]
    await juliet.gone()


async def multicast():
    romeo, juliet = await both("xep_0030", "xep_0033")
    info = await romeo["xep_0030"].get_info(support.DOMAIN)
    assert "http://jabber.org/protocol/address" in info["disco_info"]["features"]
    message = romeo.make_message(mto=support.DOMAIN, mbody="To whom it may concern", mtype="chat")
    message["addresses"].add_address(atype="to", jid=juliet.boundjid.bare, desc="Juliet")
    message["addresses"].add_address(atype="bcc", jid=romeo.boundjid.bare)
    message.send()
    got = await juliet.message_saying("To whom it may concern")
    assert got["from"] == romeo.boundjid, got["from"]
    addresses = [(a.get("type"), a.get("jid"), a.get("delivered"))
                 for a in got.xml.findall(".//{http://jabber.org/protocol/address}address")]
    assert addresses == [("to", juliet.boundjid.bare, "true")], addresses
    got = await romeo.message_saying("To whom it may concern")
    assert {a.get("type") for a in got.xml.findall(".//{http://jabber.org/protocol/address}address")} == {"to", "bcc"}
    await romeo.gone()
    await juliet.gone()


async def retraction():
    """In the form that slixmpp 1.8 knows, fastened to its message."""
    romeo, juliet = await both("xep_0030", "xep_0059", "xep_0313", "xep_0424")
    message = romeo.make_message(mto=juliet.boundjid.bare, mbody="Wrong window", mtype="chat")
    message["id"] = "wrong-1"
    message.send()
    await juliet.message_saying("Wrong window")
    romeo["xep_0424"].send_retraction(juliet.boundjid.bare, "wrong-1", fallback_text="I have taken it back")
    await juliet.message_saying("I have taken it back")
    await juliet.barrier()

    async def bodies():
        return [item["mam_result"]["forwarded"]["stanza"]["body"]
                async for item in juliet["xep_0313"].iterate(rsm={"max": 5})]
    found = await bodies()
    for _ in range(20):
        if "Wrong window" not in found:
            break
        await juliet.barrier()
        found = await bodies()
    assert found == ["", "I have taken it back"], found
    await romeo.gone()
    await juliet.gone()


CASES = {case.__name__: case for case in (blocking, reporting, multicast, retraction)}

if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(support.run_case(CASES, sys.argv[1:])(), 4 * support.PATIENCE))
