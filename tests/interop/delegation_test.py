#!/usr/bin/python3
"""Components that answer for the server: delegation_test.py CASE.

Debian's slixmpp keeps people's private storage (XEP-0355) and acts in their name (XEP-0356); Libervia
PubSub, a pubsub service by the author of both documents, takes the place of personal eventing.
"""
import asyncio
import glob
import os
import pwd
import shutil
import subprocess
import sys
import tempfile

import support
from component_test import COMPONENT_PORT, SECRET, until
from slixmpp.componentxmpp import ComponentXMPP
from slixmpp.xmlstream import ET
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath
from slixmpp_client import Client, IqError

MANAGING = "managing." + support.DOMAIN
PRIVATE = "jabber:iq:private"
DELEGATION, FORWARD, CLIENT = "urn:xmpp:delegation:2", "urn:xmpp:forward:0", "jabber:client"
PUBSUB = "http://jabber.org/protocol/pubsub"
MOOD = "http://jabber.org/protocol/mood"
LIBERVIA = os.environ.get("EPODE_TEST_LIBERVIA", "/usr/share/libervia")

# What is further in the server's configuration, for each case.
MORE = {
    "notes": f"""delegated = ["{PRIVATE}"]
roster_access = "both"
message_access = "outgoing"
""",
    "pep": f"""delegated = ["{PUBSUB}", "{PUBSUB}#owner", "urn:xmpp:mam:2 node", "{DELEGATION}:bare:disco#info:*", "{DELEGATION}:bare:disco#items:*"]
roster_access = "both"
message_access = "outgoing"
presence_access = "managed_entity"
iq_access = ["{PUBSUB}=both", "{PUBSUB}#owner=set"]
""",
}


def tag(ns, name):
    return f"{{{ns}}}{name}"


class Notes(ComponentXMPP):
    """Keeps private storage, each account's for itself."""

    def __init__(self):
        # What slixmpp says to its server goes to the name that it has connected to.
        super().__init__(MANAGING, SECRET, support.DOMAIN, COMPONENT_PORT)
        self.kept, self.delegated, self.happened = {}, {}, []
        for plugin in ("xep_0030", "xep_0199", "xep_0356"):
            self.register_plugin(plugin)
        self.register_handler(Callback("delegations", MatchXPath(f"{{{self.default_ns}}}message/" + tag(DELEGATION, "delegation")),
                                       self.told))
        self.register_handler(Callback("delegated", MatchXPath(f"{{{self.default_ns}}}iq/" + tag(DELEGATION, "delegation")),
                                       self.asked))
        for event in ("session_start", "stream_error", "privileges_advertised"):
            self.add_event_handler(event, lambda data=None, event=event: self.happened.append(event))
        for kind in ("::", ":bare:"):
            self["xep_0030"].add_feature(PRIVATE + "#by-component", node=DELEGATION + kind + PRIVATE)

    def told(self, message):
        for one in message.xml.find(tag(DELEGATION, "delegation")):
            self.delegated[one.get("namespace")] = [attribute.get("name") for attribute in one]

    def asked(self, iq):
        inner = iq.xml.find("/".join([tag(DELEGATION, "delegation"), tag(FORWARD, "forwarded"), tag(CLIENT, "iq")]))
        answer = ET.Element(tag(CLIENT, "iq"), {"to": inner.get("from"), "id": inner.get("id"), "type": "result"})
        owner = inner.get("from").split("/")[0]
        if inner.get("to") not in (None, owner):
            answer.set("type", "error")
            error = ET.SubElement(answer, tag(CLIENT, "error"), {"type": "auth"})
            ET.SubElement(error, tag("urn:ietf:params:xml:ns:xmpp-stanzas", "forbidden"))
        else:
            query = inner.find(tag(PRIVATE, "query"))
            if inner.get("type") == "set":
                self.kept.update({(owner, element.tag): element for element in query})
            else:
                result = ET.SubElement(answer, tag(PRIVATE, "query"))
                for element in query:
                    result.append(self.kept.get((owner, element.tag), element))
        reply = iq.reply()
        wrapper = ET.SubElement(reply.xml, tag(DELEGATION, "delegation"))
        ET.SubElement(wrapper, tag(FORWARD, "forwarded")).append(answer)
        reply.send()

    async def online(self):
        self.connect(support.HOST, COMPONENT_PORT)
        await until("the handshake", lambda: self.happened)
        assert "stream_error" not in self.happened, self.happened
        await until("what it manages", lambda: self.delegated and "privileges_advertised" in self.happened)
        return self


def note(text=None):
    query = ET.Element(tag(PRIVATE, "query"))
    ET.SubElement(query, tag("urn:note", "note")).text = text
    return query


async def ask(client, kind, payload, to=None):
    iq = client.make_iq_get(ito=to) if kind == "get" else client.make_iq_set(ito=to)
    iq.append(payload)
    return (await iq.send(timeout=support.PATIENCE)).xml


def told(answer):
    return answer.find(tag(PRIVATE, "query") + "/" + tag("urn:note", "note")).text


async def refusal(client, kind, payload, to=None):
    try:
        await ask(client, kind, payload, to)
    except IqError as error:
        return error.condition
    return "nothing"


async def notes():
    """Private storage that a component keeps; it also reads a roster, and speaks for its owner."""
    juliet = await Client("juliet", plugins=("xep_0030",)).online()
    romeo = await Client("romeo").online()
    assert await refusal(juliet, "get", note()) == "service-unavailable"

    component = await Notes().online()
    assert component.delegated == {PRIVATE: []}, component.delegated
    await ask(juliet, "set", note("Nurse knocks twice"))
    await ask(romeo, "set", note("Ask the friar"))
    assert told(await ask(juliet, "get", note())) == "Nurse knocks twice"
    assert told(await ask(romeo, "get", note(), romeo.boundjid.bare)) == "Ask the friar"
    assert await refusal(romeo, "get", note(), juliet.boundjid.bare) == "forbidden"
    assert sorted(owner for owner, _ in component.kept) == [juliet.boundjid.bare, romeo.boundjid.bare]

    async def features(jid):
        info = await juliet["xep_0030"].get_info(jid=jid, cached=False)
        return info["disco_info"]["features"]
    for jid in (support.DOMAIN, juliet.boundjid.bare):
        for _ in range(support.PATIENCE * 10):
            if PRIVATE + "#by-component" in await features(jid):
                break
            await asyncio.sleep(0.1)  # lint: polls
        assert PRIVATE + "#by-component" in await features(jid), jid
    assert DELEGATION in await features(support.DOMAIN)

    privileges = component["xep_0356"]
    await privileges.set_roster(juliet.boundjid.bare, {"friar@" + MANAGING: {
        "name": "Friar Laurence", "subscription": "both", "groups": ["Cell"]}})
    await juliet.until("the roster push", lambda: juliet.client_roster["friar@" + MANAGING]["name"] == "Friar Laurence")
    roster = (await privileges.get_roster(juliet.boundjid.bare))["roster"]["items"]
    assert "friar@" + MANAGING in {str(jid) for jid in roster}, roster
    spoken = component.make_message(romeo.boundjid.bare, "O happy dagger", mtype="chat", mfrom=juliet.boundjid.bare)
    spoken.namespace = CLIENT
    spoken.xml.tag = tag(CLIENT, "message")
    for child in spoken.xml:
        child.tag = child.tag.replace(component.default_ns, CLIENT)
    privileges.send_privileged_message(spoken)
    assert (await romeo.message_saying("O happy dagger"))["from"] == juliet.boundjid.bare

    component.abort()
    async def unavailable():
        return await refusal(juliet, "get", note()) == "service-unavailable"
    for _ in range(support.PATIENCE * 10):
        if await unavailable():
            break
        await asyncio.sleep(0.1)  # lint: polls
    assert await unavailable()
    # Back, with what it had forgotten: nothing of the server's is in the way.
    again = await Notes().online()
    assert told(await ask(juliet, "get", note())) is None
    again.abort()
    for client in (juliet, romeo):
        await client.gone()


class Postgres:
    """A cluster of this test's own, reachable by a UNIX socket."""

    def __init__(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
        if not found:
            support.skip("postgresql is not installed")
        self.binaries, self.folder = os.path.dirname(found[-1]), tempfile.mkdtemp(prefix="epode-pg-")
        # It refuses to run as root.
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            os.chown(self.folder, pwd.getpwnam(self.user).pw_uid, pwd.getpwnam(self.user).pw_gid)
        data = os.path.join(self.folder, "data")
        self.run("initdb", "-D", data, "-U", "libervia", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        self.run("pg_ctl", "-D", data, "-w", "-l", os.path.join(self.folder, "log"), "-o",
                 f"-F -h '' -k {self.folder}", "start")

    def run(self, program, *arguments):
        done = subprocess.run([os.path.join(self.binaries, program), *arguments], user=self.user, cwd="/",
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout

    def stop(self):
        self.run("pg_ctl", "-D", os.path.join(self.folder, "data"), "-m", "immediate", "stop")
        shutil.rmtree(self.folder)


def has_libervia():
    modules = "import psycopg2, twisted, wokkel, sat_pubsub"
    return subprocess.run(["/usr/bin/python3", "-c", modules], env=libervia_environment(), capture_output=True).returncode == 0


def libervia_environment():
    return {**os.environ, "PYTHONPATH": ":".join(filter(None, [LIBERVIA, os.environ.get("PYTHONPATH", "")]))}


async def pep():
    """Libervia PubSub: Juliet's mood is published to it, and Romeo hears of it from her."""
    if not has_libervia():
        support.skip("libervia-pubsub is not installed")
    database = Postgres()
    process = None
    try:
        database.run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", database.folder, "-U", "libervia", "-d", "postgres", "-f",
                     os.path.join(LIBERVIA, "sat_pubsub/db/pubsub.sql"))
        log = os.path.join(support.FOLDER, "libervia.log")
        with open(log, "wb") as out:
            process = subprocess.Popen(
                ["/usr/bin/python3", "-m", "twisted", "--log-format=text", "libervia-pubsub", "--verbose",
                 f"--jid={MANAGING}", f"--xmpp_pwd={SECRET}", f"--rhost={support.HOST}", f"--rport={COMPONENT_PORT}",
                 "--db_user=libervia", "--db_name=postgres", f"--db_host={database.folder}"],
                env=libervia_environment(), cwd=support.FOLDER, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            await with_libervia()
        except BaseException:
            with open(log, errors="replace") as file:
                print("---- libervia.log\n" + "".join(file.readlines()[-80:]), file=sys.stderr)
            raise
    finally:
        if process:
            process.terminate()
            process.wait(20)
        database.stop()


async def with_libervia():
    plugins = ("xep_0030", "xep_0115", "xep_0060", "xep_0163", "xep_0107")
    juliet = await Client("juliet", plugins=plugins).online()
    romeo = Client("romeo", plugins=plugins)
    romeo["xep_0163"].add_interest(MOOD)
    heard = []
    romeo.add_event_handler("user_mood_publish", lambda message: romeo.keep(heard, message))
    await romeo.online()

    async def served():
        info = await juliet["xep_0030"].get_info(jid=juliet.boundjid.bare, cached=False)
        return PUBSUB + "#publish" in info["disco_info"]["features"]
    for _ in range(support.PATIENCE * 10):
        if await served():
            break
        await asyncio.sleep(0.1)  # lint: polls
    assert await served(), "Libervia has not told what it can"
    info = await juliet["xep_0030"].get_info(jid=juliet.boundjid.bare, cached=False)
    assert ("pubsub", "pep") in {identity[:2] for identity in info["disco_info"]["identities"]}, info
    # Before she has said anything there is nothing, and Libervia says so.
    assert await condition(juliet["xep_0060"].get_items(juliet.boundjid.bare, MOOD)) == "item-not-found"

    # They see each other.
    for one, other in ((juliet, romeo), (romeo, juliet)):
        one.send_presence_subscription(other.boundjid.bare, ptype="subscribe")
        await other.presence_from(one.boundjid.bare, "subscribe")
        other.send_presence_subscription(one.boundjid.bare, ptype="subscribed")
        await one.presence_from(other.boundjid.bare, "subscribed")
    await romeo.presence_from(juliet.boundjid.full, "available")

    await juliet["xep_0107"].publish_mood(value="amorous", text="my only love")
    await romeo.until("her mood", lambda: heard)
    assert heard[0]["from"] == juliet.boundjid.bare, heard[0]
    items = await romeo["xep_0060"].get_items(juliet.boundjid.bare, MOOD)
    assert "my only love" in str(items), items
    nodes = await juliet["xep_0030"].get_items(jid=juliet.boundjid.bare)
    assert MOOD in str(nodes), nodes
    # Romeo is no owner of it.
    assert await condition(romeo["xep_0060"].delete_node(juliet.boundjid.bare, MOOD)) == "forbidden"
    await juliet["xep_0060"].delete_node(juliet.boundjid.bare, MOOD)
    assert await condition(juliet["xep_0060"].get_items(juliet.boundjid.bare, MOOD)) == "item-not-found"
    for client in (juliet, romeo):
        await client.gone()


async def condition(request):
    try:
        await request
    except IqError as error:
        return error.condition
    return "nothing"


CASES = {"notes": notes, "pep": pep}


def with_server(case):
    """With a server of its own, which delegates."""
    here = os.path.dirname(os.path.abspath(__file__))
    more = '[component."managing.@DOMAIN@"]\nsecret = "@COMPONENT_SECRET@"\n' + MORE[case]
    return subprocess.run(
        [sys.executable, os.path.join(here, "server.py"), "--", sys.executable, os.path.abspath(__file__), case],
        env={**os.environ, "EPODE_TEST_MORE": more, "EPODE_TEST_DISABLED": "pubsub" if case == "pep" else ""}).returncode


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1] in CASES and not support.PORT:
        sys.exit(with_server(sys.argv[1]))
    asyncio.run(asyncio.wait_for(support.run_case(CASES, sys.argv[1:])(), 5 * support.PATIENCE))
