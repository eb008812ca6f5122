#!/usr/bin/python3
"""Commands, user search and bytestreams with Debian's slixmpp: commands_test.py CASE, through server.py."""
import asyncio
import hashlib
import os
import sys

import support
from slixmpp_client import Client, IqError
from slixmpp.xmlstream import ET

ADMIN, USER = "romeo", "juliet"  # as epode.toml.in has it
MEGABYTES = 10


def answer_to(client, **values):
    form = client["xep_0004"].make_form(ftype="submit")
    for var, value in values.items():
        form.add_field(var=var, value=value)
    return form


async def commands():
    """An operator finds, fills in and finishes commands by slixmpp's own workflow."""
    admin = await Client(ADMIN, plugins=("xep_0004", "xep_0030", "xep_0050", "xep_0133")).online()
    user = await Client(USER, plugins=("xep_0004", "xep_0030", "xep_0050")).online()
    found = await admin["xep_0050"].get_commands(support.DOMAIN)
    nodes = {item[1] for item in found["disco_items"]["items"]}
    assert "urn:epode:command:user.add" in nodes, nodes
    assert "http://jabber.org/protocol/admin#add-user" in nodes, nodes
    none = await user["xep_0050"].get_commands(support.DOMAIN)
    own = {item[1] for item in none["disco_items"]["items"]}
    assert own == {"urn:xmpp:invite#invite", "urn:epode:upload:files"}, none
    invitation = await user["xep_0050"].send_command(support.DOMAIN, "urn:xmpp:invite#invite")
    uri = invitation["command"]["form"].get_values()["uri"]
    assert uri.startswith(f"xmpp:{support.address(USER)}?roster;preauth="), uri

    # XEP-0133, by its own plugin and callbacks.
    ended = asyncio.get_event_loop().create_future()

    def fill_in(iq, session):
        form = answer_to(admin, accountjid=support.address("paris"))
        form.add_field(var="password", value="secret")
        form.add_field(var="password-verify", value="secret")
        session["payload"] = form
        session["next"] = lambda iq, session: ended.set_result(iq)
        admin["xep_0050"].complete_command(session)
    admin["xep_0133"].add_user(jid=support.DOMAIN, session={
        "next": fill_in, "error": lambda iq, session: ended.set_result(iq)})
    last = await asyncio.wait_for(ended, support.PATIENCE)
    assert last["type"] == "result" and last["command"]["status"] == "completed", last
    paris = await Client("paris", password="secret").online()
    await paris.gone()

    # A generated one, with a table.
    asked = await admin["xep_0050"].send_command(support.DOMAIN, "urn:epode:command:user.list")
    assert asked["command"]["status"] == "executing"
    done = await admin["xep_0050"].send_command(
        support.DOMAIN, "urn:epode:command:user.list", action="complete",
        sessionid=asked["command"]["sessionid"], payload=answer_to(admin, host=support.DOMAIN))
    table = done["command"]["form"]
    assert table["type"] == "result"
    assert {row["address"] for row in table["items"]} == {support.address(name) for name in
                                                          ("romeo", "juliet", "paris")}, table
    try:
        await user["xep_0050"].send_command(support.DOMAIN, "urn:epode:command:user.list")
        raise AssertionError("a user ran an operator's command")
    except IqError as refusal:
        assert refusal.condition == "forbidden", refusal
    await admin.gone()
    await user.gone()


async def search():
    """One registers with the directory (XEP-0077), the other finds her (XEP-0055)."""
    romeo = Client("romeo", plugins=("xep_0004", "xep_0030", "xep_0055", "xep_0077"))
    juliet = Client("juliet", plugins=("xep_0004", "xep_0030", "xep_0077"))
    for client in (romeo, juliet):
        client["xep_0077"].create_account = False  # they have one, and log in
        await client.online()
    directory = "search." + support.DOMAIN
    info = await romeo["xep_0030"].get_info(jid=directory)
    assert ("directory", "user", None, "User directory") in info["disco_info"]["identities"], info

    async def look(**wishes):
        iq = romeo["xep_0055"].make_search_iq(ito=directory)
        for var, value in wishes.items():
            iq["search"]["form"].add_field(var=var, value=value)
        answer = await iq.send(timeout=support.PATIENCE)
        return [row["jid"] for row in answer["search"]["form"]["items"]]
    assert await look(nick="jule") == []
    iq = juliet.make_iq_set(ito=directory)
    iq["register"]["nick"] = "Jule"
    await iq.send(timeout=support.PATIENCE)
    assert await look(nick="jul*") == [support.address("juliet")]
    iq = juliet.make_iq_set(ito=directory)
    iq["register"]["remove"] = True
    await iq.send(timeout=support.PATIENCE)
    assert await look(nick="jule") == []
    await romeo.gone()
    await juliet.gone()


class Received:
    """Counts and digests what comes on a stream."""

    def __init__(self, client):
        self.bytes, self.digest, self.client = 0, hashlib.sha256(), client
        client.add_event_handler("socks5_data", self.take)

    def take(self, data):
        self.bytes += len(data)
        self.digest.update(data)
        self.client.changed.set()


async def bytestream():
    """Ten megabytes each way, through the proxy that slixmpp finds by itself."""
    romeo = await Client("romeo", plugins=("xep_0030", "xep_0065")).online()
    juliet = await Client("juliet", plugins=("xep_0030", "xep_0065")).online()
    proxies = await romeo["xep_0065"].discover_proxies()
    assert "proxy." + support.DOMAIN in {str(jid) for jid in proxies}, proxies
    # Who doesn't see the other's presence gets no answer from there.
    juliet.send_presence(pto=romeo.boundjid.full)
    romeo.send_presence(pto=juliet.boundjid.full)
    await romeo.presence_from(juliet.boundjid.full, "available")
    juliet["xep_0065"].auto_accept = True
    there, back = Received(juliet), Received(romeo)
    streams = []
    juliet.add_event_handler("socks5_stream", lambda stream: juliet.keep(streams, stream))
    ours = await romeo["xep_0065"].handshake(juliet.boundjid, timeout=support.PATIENCE)
    theirs = (await juliet.until("a stream", lambda: streams))[0]

    async def send(stream):
        digest = hashlib.sha256()
        for _ in range(MEGABYTES * 16):
            data = os.urandom(65536)
            digest.update(data)
            await stream.write(data)
        return digest
    sent, returned = await asyncio.gather(send(ours), send(theirs))
    size = MEGABYTES << 20
    await juliet.until("ten megabytes", lambda: there.bytes >= size)
    await romeo.until("ten megabytes back", lambda: back.bytes >= size)
    assert there.bytes == back.bytes == size
    assert there.digest.digest() == sent.digest(), "what arrived is not what was sent"
    assert back.digest.digest() == returned.digest(), "what came back is not what was sent"
    closed = []
    juliet.add_event_handler("socks5_closed", lambda _: juliet.keep(closed, True))
    ours.transport.close()
    await juliet.until("the end of the stream", lambda: closed)

    # Somebody else's address finds no stream.
    iq = romeo.make_iq_set(ito="proxy." + support.DOMAIN)
    query = ET.Element("{http://jabber.org/protocol/bytestreams}query", sid="x")
    ET.SubElement(query, "{http://jabber.org/protocol/bytestreams}activate").text = juliet.boundjid.full
    iq.append(query)
    try:
        await iq.send(timeout=support.PATIENCE)
        raise AssertionError("a stream of nobody was activated")
    except IqError as refusal:
        assert refusal.condition == "item-not-found", refusal
    await romeo.gone()
    await juliet.gone()


CASES = {case.__name__: case for case in (commands, search, bytestream)}

if __name__ == "__main__":
    if support.SERVER != "epode":
        support.skip("this server is not configured for it")
    asyncio.run(asyncio.wait_for(support.run_case(CASES, sys.argv[1:])(), 4 * support.PATIENCE))
