#!/usr/bin/python3
"""Debian's slixmpp against the server: slixmpp_test.py CASE, run through server.py."""
import asyncio
import ssl
import sys

import support
from slixmpp_client import Client, IqError

ROMEO, JULIET = "romeo", "juliet"


async def both(**more):
    romeo, juliet = Client(ROMEO, **more), Client(JULIET, **more)
    await romeo.online()
    await juliet.online()
    return romeo, juliet


async def starttls():
    romeo = await Client(ROMEO).online()
    assert "starttls" in romeo.features, "the stream is not secured by STARTTLS"
    assert romeo.boundjid.full == support.address(ROMEO) + "/slixmpp", romeo.boundjid.full
    await romeo.gone()


async def direct_tls():
    romeo = await Client(ROMEO).online(direct_tls=True)
    assert "starttls" not in romeo.features
    await romeo.barrier()
    await romeo.gone()


async def logs_in_with(mechanism):
    romeo = await Client(ROMEO, mechanism=mechanism).online()
    assert romeo["feature_mechanisms"].mech.name == mechanism
    await romeo.gone()


async def scram_sha_1():
    await logs_in_with("SCRAM-SHA-1")


async def scram_sha_256():
    await logs_in_with("SCRAM-SHA-256")


async def logs_in_by_default():
    """As Debian ships it, with its own idea of channel binding: whatever it prefers, it comes in."""
    romeo = await Client(ROMEO, binds_channel=True).online()
    print("logged in with", romeo["feature_mechanisms"].mech.name)
    await romeo.gone()


async def wrong_password():
    for name, password in ((ROMEO, "not the password"), ("nobody", "not the password")):
        stranger = Client(name, password=password)
        stranger.open()
        await stranger.until("refusal", lambda: stranger.has("failed_all_auth") or stranger.has("session_start"))
        assert not stranger.has("session_start"), f"{name} came in with a wrong password"
        stranger.abort()


async def message():
    romeo, juliet = await both()
    romeo.send_message(mto=juliet.boundjid.full, mbody="Art thou not Romeo, & a Montague? <3 ☂", mtype="chat")
    got = await juliet.message_saying("Art thou not Romeo, & a Montague? <3 ☂")
    assert got["from"] == romeo.boundjid, got["from"]
    assert got["type"] == "chat"
    juliet.send_message(mto=romeo.boundjid.bare, mbody="Neither, fair saint.", mtype="chat")
    got = await romeo.message_saying("Neither, fair saint.")
    assert got["from"] == juliet.boundjid
    for number in range(50):
        romeo.send_message(mto=juliet.boundjid.full, mbody=f"line {number}", mtype="chat")
    await juliet.message_saying("line 49")
    lines = [m["body"] for m in juliet.received if m["body"].startswith("line ")]
    assert lines == [f"line {number}" for number in range(50)], lines
    await romeo.gone()
    await juliet.gone()


async def offline():
    romeo = await Client(ROMEO).online()
    for number in range(3):
        romeo.send_message(mto=support.address(JULIET), mbody=f"while you were away {number}", mtype="chat")
    await romeo.barrier()
    juliet = await Client(JULIET).online()
    await juliet.message_saying("while you were away 2")
    bodies = [m["body"] for m in juliet.received if m["body"]]
    assert bodies == [f"while you were away {number}" for number in range(3)], bodies
    assert juliet.received[0].xml.find("{urn:xmpp:delay}delay") is not None, "no delay stamp (XEP-0203)"
    await juliet.gone()
    again = await Client(JULIET).online()
    await again.barrier()
    assert not [m for m in again.received if m["body"]], "offline messages were delivered twice"
    await again.gone()
    await romeo.gone()


async def roster():
    romeo, juliet = await both()
    romeo_jid, juliet_jid = support.address(ROMEO), support.address(JULIET)
    await romeo.update_roster(juliet_jid, name="Juliet", groups=["Verona"])
    item = romeo.client_roster[juliet_jid]
    assert item["name"] == "Juliet" and list(item["groups"]) == ["Verona"] and item["subscription"] == "none", item
    romeo.send_presence_subscription(juliet_jid, ptype="subscribe")
    await juliet.presence_from(romeo_jid, "subscribe")
    juliet.send_presence_subscription(romeo_jid, ptype="subscribed")
    juliet.send_presence_subscription(romeo_jid, ptype="subscribe")
    await romeo.presence_from(juliet_jid, "subscribed")
    await romeo.presence_from(juliet.boundjid.full, "available")
    await romeo.presence_from(juliet_jid, "subscribe")
    romeo.send_presence_subscription(juliet_jid, ptype="subscribed")
    await juliet.presence_from(romeo.boundjid.full, "available")
    for client, other in ((romeo, juliet_jid), (juliet, romeo_jid)):
        await client.until("subscription both", lambda: client.client_roster[other]["subscription"] == "both")
    # Presence goes both ways.
    juliet.send_presence(pshow="away", pstatus="On the balcony")
    await romeo.until("Juliet's status", lambda: any(p["status"] == "On the balcony" for p in romeo.presences))
    # A second login is told of it at once, by a roster and a probe.
    second = Client(ROMEO, resource="orchard")
    await second.online()
    assert second.client_roster[juliet_jid]["subscription"] == "both"
    assert second.client_roster[juliet_jid]["name"] == "Juliet"
    got = await second.presence_from(juliet.boundjid.full, "available")
    assert got["show"] == "away" or got["type"] == "away", got
    await juliet.gone()
    await romeo.presence_from(juliet.boundjid.full, "unavailable")
    # Removing the item ends both subscriptions.
    await romeo.del_roster_item(juliet_jid)
    juliet = await Client(JULIET, resource="later").online()
    assert juliet.client_roster[romeo_jid]["subscription"] == "none", juliet.client_roster[romeo_jid]
    for client in (romeo, second, juliet):
        await client.gone()


async def archive():
    romeo, juliet = await both(plugins=("xep_0030", "xep_0059", "xep_0313"))
    for number in range(12):
        romeo.send_message(mto=juliet.boundjid.bare, mbody=f"archived {number}", mtype="chat")
    await juliet.message_saying("archived 11")
    await romeo.barrier()
    for client in (romeo, juliet):
        bodies = []
        async for item in client["xep_0313"].iterate(rsm={"max": 5}):
            forwarded = item["mam_result"]["forwarded"]
            bodies.append(forwarded["stanza"]["body"])
            assert forwarded["delay"]["stamp"] is not None
            assert item["mam_result"]["id"]
        assert bodies == [f"archived {number}" for number in range(12)], bodies
    await romeo.gone()
    await juliet.gone()


async def ping():
    romeo, juliet = await both(plugins=("xep_0030", "xep_0199"))
    assert await romeo["xep_0199"].ping(support.DOMAIN, timeout=support.PATIENCE) >= 0
    # A request reaches only a resource whose presence its sender may see (RFC 6121, 8.5.3.1).
    juliet.send_presence(pto=romeo.boundjid.full)
    await romeo.presence_from(juliet.boundjid.full, "available")
    assert await romeo["xep_0199"].ping(juliet.boundjid.full, timeout=support.PATIENCE) >= 0
    await romeo.gone()
    await juliet.gone()


async def vcard():
    romeo, juliet = await both(plugins=("xep_0030", "xep_0054"))
    card = romeo["xep_0054"].make_vcard()
    card["FN"] = "Romeo Montague"
    card["NICKNAME"] = "Romeo"
    await romeo["xep_0054"].publish_vcard(card)
    got = await juliet["xep_0054"].get_vcard(support.address(ROMEO), timeout=support.PATIENCE)
    assert got["vcard_temp"]["FN"] == "Romeo Montague", got
    own = await romeo["xep_0054"].get_vcard(timeout=support.PATIENCE)
    assert own["vcard_temp"]["NICKNAME"] == ["Romeo"] or own["vcard_temp"]["NICKNAME"] == "Romeo", own
    await romeo.gone()
    await juliet.gone()


async def disco():
    romeo = await Client(ROMEO, plugins=("xep_0030",)).online()
    info = await romeo["xep_0030"].get_info(jid=support.DOMAIN, timeout=support.PATIENCE)
    identities = {(category, kind) for category, kind, *_ in info["disco_info"]["identities"]}
    assert ("server", "im") in identities, identities
    features = info["disco_info"]["features"]
    for wanted in ("http://jabber.org/protocol/disco#info", "urn:xmpp:ping", "vcard-temp", "jabber:iq:roster"):
        assert wanted in features, f"{wanted} is not announced in {sorted(features)}"
    await romeo["xep_0030"].get_items(jid=support.DOMAIN, timeout=support.PATIENCE)
    account = await romeo["xep_0030"].get_info(jid=support.address(ROMEO), timeout=support.PATIENCE)
    assert any(category == "account" for category, *_ in account["disco_info"]["identities"])
    assert "urn:xmpp:mam:2" in account["disco_info"]["features"]
    # Other people's accounts tell a stranger nothing.
    try:
        other = await romeo["xep_0030"].get_info(jid=support.address(JULIET), timeout=support.PATIENCE)
    except IqError as refused:
        assert refused.iq["error"]["condition"] in ("service-unavailable", "subscription-required", "forbidden")
    else:
        assert "urn:xmpp:mam:2" not in other["disco_info"]["features"]
    await romeo.gone()


async def resumption():
    romeo = Client(ROMEO, plugins=("xep_0198",))
    await romeo.online()
    juliet = Client(JULIET, plugins=("xep_0198",))
    await juliet.online()
    await juliet.until("stream management", lambda: juliet.has("sm_enabled"))
    assert juliet["xep_0198"].sm_id, "the session cannot be resumed"
    romeo.send_message(mto=juliet.boundjid.full, mbody="before", mtype="chat")
    await juliet.message_saying("before")
    acknowledged = []
    romeo.add_event_handler("stanza_acked", lambda stanza: romeo.keep(acknowledged, stanza))

    # The line breaks: no goodbye, and what is sent meanwhile waits.
    address = juliet.boundjid.full
    juliet.happened.clear()
    juliet.transport.abort()
    await juliet.until("the break", lambda: juliet.has("disconnected"))
    romeo.send_message(mto=address, mbody="meanwhile", mtype="chat")
    await romeo.barrier()
    romeo["xep_0198"].request_ack()
    await romeo.until("the acknowledgement", lambda: any(getattr(s, "name", "") == "message" and
                                                         s["body"] == "meanwhile" for s in acknowledged))
    assert "meanwhile" not in [m["body"] for m in juliet.received]
    juliet.open()
    await juliet.until("resumption", lambda: juliet.has("session_resumed") or juliet.has("session_start"))
    assert juliet.has("session_resumed"), "the server did not resume the session"
    await juliet.message_saying("meanwhile")
    romeo.send_message(mto=address, mbody="after", mtype="chat")
    await juliet.message_saying("after")
    bodies = [m["body"] for m in juliet.received if m["body"]]
    assert bodies == ["before", "meanwhile", "after"], bodies
    await romeo.gone()
    await juliet.gone()


async def carbons():
    plugins = ("xep_0030", "xep_0280")
    romeo, juliet = Client(ROMEO), Client(JULIET, plugins=plugins)
    desk = Client(JULIET, resource="desk", plugins=plugins)
    for client in (romeo, juliet, desk):
        await client.online()
    info = await juliet["xep_0030"].get_info(support.DOMAIN, timeout=support.PATIENCE)
    assert {"urn:xmpp:carbons:2", "urn:xmpp:carbons:rules:0"} <= set(info["disco_info"]["features"])
    copies = []
    for event in ("carbon_sent", "carbon_received"):
        juliet.add_event_handler(event, lambda stanza, event=event: juliet.keep(copies, (event, stanza)))
    await juliet["xep_0280"].enable(timeout=support.PATIENCE)

    def copied(event, body):
        return next((copy for name, copy in copies
                     if name == event and copy[event]["body"] == body), None)

    desk.send_message(mto=romeo.boundjid.full, mbody="what I say", mtype="chat")
    copy = await juliet.until("a copy of what is sent", lambda: copied("carbon_sent", "what I say"))
    assert copy["from"] == support.address(JULIET) and copy["to"] == juliet.boundjid.full, copy
    inner = copy["carbon_sent"]
    assert inner["from"] == desk.boundjid and inner["to"] == romeo.boundjid and inner["type"] == "chat", inner
    romeo.send_message(mto=desk.boundjid.full, mbody="what I hear", mtype="chat")
    copy = await juliet.until("a copy of what is received", lambda: copied("carbon_received", "what I hear"))
    inner = copy["carbon_received"]
    assert inner["from"] == romeo.boundjid and inner["to"] == desk.boundjid, inner
    await desk.message_saying("what I hear")
    # Those who are addressed get the message, and no copy.
    romeo.send_message(mto=support.address(JULIET), mbody="to both", mtype="chat")
    await juliet.message_saying("to both")
    await desk.message_saying("to both")
    await juliet.barrier()
    assert len(copies) == 2, copies
    for client in (romeo, juliet, desk):
        await client.gone()


async def client_state():
    romeo, juliet = await both(plugins=("xep_0352", "xep_0085", "xep_0030"))
    await juliet.until("client state", lambda: juliet["xep_0352"].enabled)
    juliet["xep_0352"].send_inactive()
    romeo.send_presence(pto=juliet.boundjid.full, pstatus="one")
    romeo.send_presence(pto=juliet.boundjid.full, pstatus="two")
    await romeo.barrier()

    def seen():
        return [p["status"] for p in juliet.presences if p["from"] == romeo.boundjid]

    assert seen() == [], seen()
    romeo.send_message(mto=juliet.boundjid.full, mbody="wake up", mtype="chat")
    await juliet.message_saying("wake up")
    assert seen() == ["two"], seen()
    romeo.send_presence(pto=juliet.boundjid.full, pstatus="three")
    await romeo.barrier()
    juliet["xep_0352"].send_active()
    await juliet.until("the third status", lambda: seen() == ["two", "three"])
    await romeo.gone()
    await juliet.gone()


async def register(name, password):
    """Asks for an account as the first thing on a stream; returns the client and the answer."""
    client = Client(name, password=password, plugins=("xep_0030", "xep_0066", "xep_0077"))
    # slixmpp 1.8 holds back every stanza until there is a session, also those of a registration.
    client._always_send_everything = True
    answers = []

    async def ask(form):
        assert "username" in form["register"]["fields"] and "password" in form["register"]["fields"]
        iq = client.make_iq_set()
        iq["register"]["username"], iq["register"]["password"] = name, password
        try:
            await iq.send(timeout=support.PATIENCE)
            client.keep(answers, "registered")
        except IqError as refused:
            client.keep(answers, refused.iq["error"]["condition"])

    client.add_event_handler("register", ask)
    client.open()
    await client.until("an answer to the registration", lambda: answers)
    return client, answers[0]


async def registration():
    nurse, answer = await register("nurse", "a new password")
    assert answer == "registered", answer
    await nurse.until("login", lambda: nurse.has("session_start"))
    await nurse.gone()
    # A name that is taken is refused, and the account keeps its password.
    thief, answer = await register("nurse", "another")
    assert answer == "conflict", answer
    thief.abort()
    again = await Client("nurse", password="a new password").online()
    await again.gone()


async def foreign_authority():
    """A client that trusts somebody else doesn't stay: the tests would prove nothing otherwise."""
    romeo = Client(ROMEO)
    romeo.ca_certs = None
    romeo.ssl_context.verify_mode = ssl.CERT_REQUIRED
    romeo.open()
    await romeo.until("refusal", lambda: romeo.has("ssl_invalid_chain") or romeo.has("session_start"))
    assert not romeo.has("session_start"), "the certificate was not checked"
    romeo.abort()


CASES = {case.__name__: case for case in (
    starttls, direct_tls, scram_sha_1, scram_sha_256, logs_in_by_default, wrong_password, foreign_authority, message,
    offline, roster, archive, ping, vcard, disco, resumption, carbons, client_state, registration)}

if __name__ == "__main__":
    if support.SERVER == "prosody" and sys.argv[1:] == ["scram_sha_256"]:
        support.skip("Prosody keeps the secrets of one hash")
    asyncio.run(asyncio.wait_for(support.run_case(CASES, sys.argv[1:])(), 4 * support.PATIENCE))
