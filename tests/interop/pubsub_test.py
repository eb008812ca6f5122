#!/usr/bin/python3
"""Publishing with Debian's slixmpp: pubsub_test.py CASE, run through server.py."""
import asyncio
import sys

import support
from slixmpp.xmlstream import ET
from slixmpp_client import Client, IqError

ROMEO, JULIET = "romeo", "juliet"
NODE = "urn:example:note"
PUBSUB, RSM = "http://jabber.org/protocol/pubsub", "http://jabber.org/protocol/rsm"
PLUGINS = ("xep_0004", "xep_0030", "xep_0059", "xep_0060", "xep_0115", "xep_0163", "xep_0222", "xep_0223")


def service():
    return "pubsub." + support.DOMAIN


class Payload:
    """What slixmpp takes for a stanza."""

    def __init__(self, xml):
        self.xml = xml


def note(text):
    element = ET.Element("{urn:example:note}note")
    element.text = text
    return Payload(element)


def text_of(item):
    return item["payload"].text


class Reader(Client):
    """Keeps the events it gets: (from, node, id, text)."""

    def __init__(self, name, **more):
        super().__init__(name, plugins=PLUGINS, **more)
        self.news = []
        self.add_event_handler("pubsub_publish", self.published)
        self.add_event_handler("pubsub_retract", self.retracted)

    def published(self, message):
        items = message["pubsub_event"]["items"]
        for item in items["substanzas"]:  # slixmpp iterates over the same object in this very turn
            payload = item["payload"]
            self.news.append((message["from"].full, items["node"], item["id"],
                              payload.text if payload is not None else None))
        self.changed.set()

    def retracted(self, message):
        items = message["pubsub_event"]["items"]
        for item in items["substanzas"]:
            self.news.append((message["from"].full, items["node"], item["id"], "retracted"))
        self.changed.set()

    async def hears(self, *expected):
        await self.until(f"the event {expected}", lambda: expected in self.news)


async def friends():
    romeo, juliet = Reader(ROMEO), Reader(JULIET)
    romeo["xep_0163"].add_interest(NODE)
    juliet["xep_0163"].add_interest(NODE)
    await romeo.online()
    await juliet.online()
    for one, other in ((romeo, juliet), (juliet, romeo)):
        one.send_presence_subscription(other.boundjid.bare, ptype="subscribe")
        await other.presence_from(one.boundjid.bare, "subscribe")
        other.send_presence_subscription(one.boundjid.bare, ptype="subscribed")
        await one.presence_from(other.boundjid.full, "available")
    return romeo, juliet


async def eventing():
    """A contact hears what it is interested in, at once and when it comes back."""
    romeo, juliet = await friends()
    await juliet["xep_0163"].publish(note("O Romeo"), node=NODE, id="a")
    await romeo.hears(juliet.boundjid.bare, NODE, "a", "O Romeo")
    await juliet.hears(juliet.boundjid.bare, NODE, "a", "O Romeo")
    await romeo.gone()
    await juliet["xep_0163"].publish(note("wherefore art thou"), node=NODE, id="b")
    again = Reader(ROMEO)
    again["xep_0163"].add_interest(NODE)
    await again.online()
    await again.hears(juliet.boundjid.bare, NODE, "b", "wherefore art thou")
    assert len(again.news) == 1, again.news
    deaf = Reader(ROMEO, resource="deaf")
    await deaf.online()
    await juliet["xep_0163"].publish(note("Romeo"), node=NODE, id="c")
    await again.hears(juliet.boundjid.bare, NODE, "c", "Romeo")
    await deaf.barrier()
    assert not deaf.news, deaf.news
    for client in (again, deaf, juliet):
        await client.gone()


async def private_storage():
    """XEP-0223: kept for oneself, whoever asks."""
    romeo, juliet = await friends()
    for number in range(3):
        await juliet["xep_0223"].store(note(f"mine {number}"), node="urn:example:private", id=f"i{number}")
    mine = await juliet["xep_0223"].retrieve("urn:example:private")
    items = list(mine["pubsub"]["items"])
    assert items and text_of(items[-1]) == "mine 2", items
    try:
        await romeo["xep_0060"].get_items(juliet.boundjid.bare, "urn:example:private")
        raise AssertionError("a contact has read private data")
    except IqError as error:
        assert error.condition == "not-allowed", error.condition
    for client in (romeo, juliet):
        await client.gone()


async def service_nodes():
    """A node of the service: created, configured, subscribed to, published at, read, deleted."""
    romeo, juliet = Reader(ROMEO), Reader(JULIET)
    await romeo.online()
    await juliet.online()
    info = await juliet["xep_0030"].get_info(jid=service())
    assert ("pubsub", "service", None) in {(i[0], i[1], i[2]) for i in info["disco_info"]["identities"]} or \
        any(i[0] == "pubsub" and i[1] == "service" for i in info["disco_info"]["identities"])
    pubsub = juliet["xep_0060"]
    form = juliet["xep_0004"].make_form(ftype="submit")
    form.add_field(var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#node_config")
    form.add_field(var="pubsub#title", value="Letters & more")
    form.add_field(var="pubsub#max_items", value="10")
    await pubsub.create_node(service(), "letters", config=form)
    config = await pubsub.get_node_config(service(), "letters")
    values = config["pubsub_owner"]["configure"]["form"].get_values()
    assert values["pubsub#title"] == "Letters & more", values
    assert values["pubsub#max_items"] == "10", values
    nodes = await romeo["xep_0060"].get_nodes(service())
    assert any(item[1] == "letters" for item in nodes["disco_items"]["items"]), nodes

    answer = await romeo["xep_0060"].subscribe(service(), "letters")
    assert answer["pubsub"]["subscription"]["subscription"] == "subscribed"
    for number in range(5):
        await pubsub.publish(service(), "letters", id=f"l{number}", payload=note(f"letter {number}").xml)
    await romeo.hears(service(), "letters", "l4", "letter 4")
    assert [event[2] for event in romeo.news] == [f"l{number}" for number in range(5)], romeo.news
    found = await romeo["xep_0060"].get_items(service(), "letters", max_items=2)
    assert [item["id"] for item in found["pubsub"]["items"]] == ["l3", "l4"]
    one = await romeo["xep_0060"].get_item(service(), "letters", "l1")
    assert [text_of(item) for item in one["pubsub"]["items"]] == ["letter 1"]
    # slixmpp's own iterator does not know where the set belongs.
    pages, after = [], ""
    while True:
        iq = romeo.make_iq_get(ito=service())
        asked = ET.SubElement(iq.xml, "{%s}pubsub" % PUBSUB)
        ET.SubElement(asked, "{%s}items" % PUBSUB, {"node": "letters"})
        rsm = ET.SubElement(asked, "{%s}set" % RSM)
        ET.SubElement(rsm, "{%s}max" % RSM).text = "2"
        if after:
            ET.SubElement(rsm, "{%s}after" % RSM).text = after
        page = await iq.send(timeout=support.PATIENCE)
        got = [item.get("id") for item in page.xml.iter("{%s}item" % PUBSUB)]
        pages += got
        after = page.xml.findtext(".//{%s}last" % RSM)
        if len(got) < 2:
            break
    assert pages == [f"l{number}" for number in range(5)], pages

    await pubsub.retract(service(), "letters", "l0", notify=True)
    await romeo.hears(service(), "letters", "l0", "retracted")
    try:
        await romeo["xep_0060"].publish(service(), "letters", payload=note("forged").xml)
        raise AssertionError("somebody has published who may not")
    except IqError as error:
        assert error.condition == "forbidden", error.condition
    await pubsub.modify_affiliations(service(), "letters", affiliations=[(romeo.boundjid.bare, "publisher")])
    await romeo["xep_0060"].publish(service(), "letters", id="r", payload=note("from Romeo").xml)
    listed = await pubsub.get_node_subscriptions(service(), "letters")
    assert [s["jid"].bare for s in listed["pubsub_owner"]["subscriptions"]] == [romeo.boundjid.bare]
    await romeo["xep_0060"].unsubscribe(service(), "letters")
    await pubsub.delete_node(service(), "letters")
    try:
        await romeo["xep_0060"].get_items(service(), "letters")
        raise AssertionError("a deleted node answers")
    except IqError as error:
        assert error.condition == "item-not-found", error.condition
    for client in (romeo, juliet):
        await client.gone()


async def avatar():
    """XEP-0084: a contact is told of the new picture and fetches it."""
    romeo, juliet = Reader(ROMEO), Reader(JULIET)
    for client in (romeo, juliet):
        client.register_plugin("xep_0084")
    heard = []
    romeo.add_event_handler("avatar_metadata_publish",
                            lambda message: (heard.append(message), romeo.changed.set()))
    await romeo.online()
    await juliet.online()
    for one, other in ((romeo, juliet), (juliet, romeo)):
        one.send_presence_subscription(other.boundjid.bare, ptype="subscribe")
        await other.presence_from(one.boundjid.bare, "subscribe")
        other.send_presence_subscription(one.boundjid.bare, ptype="subscribed")
        await one.presence_from(other.boundjid.full, "available")
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 200
    await juliet["xep_0084"].publish_avatar(picture)
    avatar_id = juliet["xep_0084"].generate_id(picture)
    await juliet["xep_0084"].publish_avatar_metadata(
        items=[{"id": avatar_id, "type": "image/png", "bytes": len(picture)}])
    await romeo.until("news of the avatar", lambda: heard)
    fetched = await romeo["xep_0084"].retrieve_avatar(juliet.boundjid.bare, avatar_id)
    assert list(fetched["pubsub"]["items"])[0]["avatar_data"]["value"] == picture
    for client in (romeo, juliet):
        await client.gone()


CASES = {case.__name__: case for case in (eventing, private_storage, service_nodes, avatar)}

if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(support.run_case(CASES, sys.argv[1:])(), 4 * support.PATIENCE))
