#!/usr/bin/python3
"""Components by other people: component_test.py CASE, run through server.py.

Debian's slixmpp as a bot; biboumi with ngircd behind it as a gateway to IRC; jabber-muc with rooms.
"""
import asyncio
import json
import os
import random
import shlex
import subprocess
import sys

import support
from slixmpp.componentxmpp import ComponentXMPP
from slixmpp.xmlstream import ET
from slixmpp_client import Client, IqError

COMPONENT_PORT = int(os.environ.get("EPODE_TEST_COMPONENT_PORT", "0"))
SECRET = os.environ.get("EPODE_TEST_COMPONENT_SECRET", "")
CONTROL = shlex.split(os.environ.get("EPODE_TEST_CONTROL", ""))
ECHO, IRC, ROOMS = [name + support.DOMAIN for name in ("echo.", "irc.", "rooms.")]
IRC_PORT = 6667  # where biboumi looks, unless it is told otherwise


class Echo(ComponentXMPP):
    """Repeats what it is told, and agrees to be a contact."""

    def __init__(self, name="echo", secret=SECRET):
        super().__init__(ECHO, secret, support.HOST, COMPONENT_PORT)
        self.name, self.heard, self.happened, self.presences = name, [], [], []
        for plugin in ("xep_0030", "xep_0092", "xep_0199"):
            self.register_plugin(plugin)
        self["xep_0030"].add_identity(category="automation", itype="echo", name="Echo")
        self.add_event_handler("message", self.repeat)
        self.add_event_handler("presence_subscribe", self.agree)
        self.add_event_handler("presence_available", self.presences.append)
        for event in ("session_start", "disconnected", "stream_error"):
            self.add_event_handler(event, lambda data, event=event: self.happened.append((event, data)))

    def repeat(self, message):
        if message["type"] in ("chat", "normal"):
            self.heard.append(message["body"])
            message.reply(f"{self.name}: {message['body']}").send()

    def agree(self, presence):
        for kind in ("subscribed", None, "subscribe"):
            self.send_presence(pto=presence["from"].bare, pfrom=presence["to"].bare, ptype=kind, pstatus="listening")

    def has(self, event):
        return any(event == name for name, _ in self.happened)

    async def online(self):
        self.connect()
        await until("the handshake", lambda: self.has("session_start") or self.has("stream_error"))
        return self


async def until(what, condition):
    async def watch():
        while not condition():
            await asyncio.sleep(0.02)  # lint: polls
    try:
        await asyncio.wait_for(watch(), support.PATIENCE)
    except asyncio.TimeoutError:
        raise AssertionError(f"{what}: not within {support.PATIENCE} s") from None
    return condition()


def instances():
    """What epodectl tells about the echo, one entry for each instance."""
    done = subprocess.run([*CONTROL, "--json", "component", "list"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    assert SECRET not in done.stdout
    return [row for row in json.loads(done.stdout)["rows"] if row["component"] == ECHO and row["instance"] is not None]


async def echo():
    """A bot: found, spoken to, a contact, and gone."""
    stranger = await Echo(secret="wrong").online()
    assert stranger.has("stream_error"), "a wrong secret was let in"
    assert not stranger.has("session_start")
    stranger.abort()

    bot = await Echo().online()
    assert not bot.has("stream_error"), bot.happened
    juliet = await Client("juliet", plugins=("xep_0030", "xep_0092", "xep_0313")).online()
    items = await juliet["xep_0030"].get_items(jid=support.DOMAIN)
    assert ECHO in {item[0] for item in items["disco_items"]["items"]}
    info = await juliet["xep_0030"].get_info(jid=ECHO)
    assert any(identity[:2] == ("automation", "echo") for identity in info["disco_info"]["identities"])
    for number in range(50):
        juliet.send_message(f"bot{number % 3}@{ECHO}", f"line {number}", mtype="chat")
    await juliet.message_saying("echo: line 49")
    assert bot.heard == [f"line {number}" for number in range(50)], bot.heard
    answers = [m["body"] for m in juliet.received]
    assert answers == [f"echo: line {number}" for number in range(50)], answers

    contact = f"friend@{ECHO}"
    juliet.send_presence_subscription(contact, ptype="subscribe")
    await juliet.presence_from(contact, "subscribed")
    await juliet.presence_from(contact, "available")
    await juliet.presence_from(contact, "subscribe")
    juliet.send_presence_subscription(contact, ptype="subscribed")
    await until("Juliet's presence", lambda: any(p["from"] == juliet.boundjid for p in bot.presences))

    await bot.disconnect(wait=2.0)
    await until("its end", lambda: bot.has("disconnected"))
    juliet.send_message(contact, "are you there?", mtype="chat")
    await juliet.until("an error", lambda: any(m["type"] == "error" for m in juliet.received))
    refused = next(m for m in juliet.received if m["type"] == "error")
    assert refused["error"]["condition"] == "remote-server-timeout", refused
    await juliet.gone()


async def instances_of_one():
    """Two instances: each sender has one of them, and the other one when that goes."""
    if not CONTROL:
        support.skip("this server has one instance of a component")
    first, second = await Echo("first").online(), await Echo("second").online()
    juliet = await Client("juliet").online()
    for number in range(10):
        juliet.send_message(f"bot{number}@{ECHO}", f"{number}", mtype="chat")
    await juliet.until("all answers", lambda: len(juliet.received) == 10)
    mine, other = (first, second) if first.heard else (second, first)
    assert len(mine.heard) == 10 and not other.heard, (first.heard, second.heard)
    assert len(instances()) == 2, instances()
    mine.abort()
    await until("its end", lambda: mine.has("disconnected"))
    await until("one instance", lambda: len(instances()) == 1)
    juliet.send_message(f"bot0@{ECHO}", "again", mtype="chat")
    await juliet.message_saying(f"{other.name}: again")
    await other.disconnect(wait=2.0)
    await juliet.gone()


class Irc:
    """Somebody with a plain IRC client."""

    async def open(self, host, nick, channel):
        self.reader, self.writer = await asyncio.open_connection(host, IRC_PORT)
        self.lines = []
        self.task = asyncio.ensure_future(self.read())
        self.say(f"NICK {nick}", f"USER {nick} 0 * :{nick}")
        await until("the IRC server's welcome", lambda: any(" 001 " in line for line in self.lines))
        self.say(f"JOIN {channel}")
        await until("the channel", lambda: any(" 366 " in line for line in self.lines))
        return self

    def say(self, *lines):
        self.writer.write("".join(line + "\r\n" for line in lines).encode())

    async def read(self):
        while line := (await self.reader.readline()).decode(errors="replace").rstrip():
            self.lines.append(line)
            if line.startswith("PING"):
                self.say("PONG" + line[4:])

    async def hears(self, text):
        await until(f"'{text}' on IRC", lambda: any(text in line for line in self.lines))


def start(log, *command):
    with open(os.path.join(support.FOLDER, log), "wb") as out:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)


async def info_when_connected(client, domain):
    """What the component tells of itself, as soon as it has connected."""
    for _ in range(support.PATIENCE * 10):
        try:
            return await client["xep_0030"].get_info(jid=domain)
        except IqError:
            await asyncio.sleep(0.1)  # lint: polls
    raise AssertionError(f"{domain} has not connected")


async def gateway():
    """biboumi: Romeo (XMPP) and Mercutio (IRC) speak to each other, in a channel and in private."""
    biboumi, ngircd = support.need("biboumi"), support.need("ngircd")
    # An address of loopback of its own, so that the usual port is free.
    host = f"127.{random.randint(1, 250)}.{random.randint(1, 250)}.{random.randint(2, 250)}"
    irc_config = os.path.join(support.FOLDER, "ngircd.conf")
    with open(irc_config, "w") as out:
        out.write(f"[Global]\nName = irc.montague.example\nInfo = Verona\nListen = {host}\nPorts = {IRC_PORT}\n"
                  "MotdPhrase = Welcome\nServerUID = irc\nServerGID = irc\n[Limits]\nMaxConnectionsIP = 0\n"
                  "[Options]\nDNS = no\nIdent = no\nPAM = no\nSyslogFacility = local1\n")
    os.chmod(irc_config, 0o644)
    os.chmod(support.FOLDER, 0o755)
    config = os.path.join(support.FOLDER, "biboumi.cfg")
    with open(config, "w") as out:
        out.write(f"hostname={IRC}\npassword={SECRET}\nxmpp_server_ip={support.HOST}\nport={COMPONENT_PORT}\n"
                  f"db_name={support.FOLDER}/biboumi.sqlite\nlog_level=0\nidentd_port=0\n")
    processes = [start("ngircd.log", ngircd, "-n", "-f", irc_config), start("biboumi.log", biboumi, config)]
    try:
        romeo = await Client("romeo", plugins=("xep_0030", "xep_0045")).online()

        info = await info_when_connected(romeo, IRC)
        assert any(identity[:2] == ("conference", "irc") for identity in info["disco_info"]["identities"]), info

        async def irc_client():
            for _ in range(support.PATIENCE * 10):
                try:
                    return await Irc().open(host, "mercutio", "#verona")
                except OSError:
                    await asyncio.sleep(0.1)  # lint: polls
            raise AssertionError("ngircd does not listen")
        mercutio = await irc_client()
        room = f"#verona%{host}@{IRC}"
        joined = []
        romeo.add_event_handler("groupchat_presence", lambda presence: romeo.keep(joined, presence))
        romeo["xep_0045"].join_muc(room, "romeo")
        await romeo.until("both in the room", lambda: {"romeo", "mercutio"} <= {p["from"].resource for p in joined})
        romeo.send_message(room, "Peace, peace", mtype="groupchat")
        await mercutio.hears("PRIVMSG #verona :Peace, peace")
        mercutio.say("PRIVMSG #verona :True, I talk of dreams")
        heard = await romeo.message_saying("True, I talk of dreams")
        assert heard["from"] == f"{room}/mercutio" and heard["type"] == "groupchat", heard
        mercutio.say("PRIVMSG romeo :A plague o' both your houses")
        private = await romeo.message_saying("A plague o' both your houses")
        assert private["type"] == "chat", private
        romeo.send_message(private["from"], "Courage, man", mtype="chat")
        await mercutio.hears("PRIVMSG mercutio :Courage, man")
        # The gateway goes: who speaks to it hears so.
        processes[1].terminate()
        processes[1].wait(20)
        romeo.send_message(room, "Good Mercutio", mtype="groupchat")
        await romeo.until("an error", lambda: any(m["type"] == "error" for m in romeo.received))
        await romeo.gone()
    except BaseException:
        for log in ("ngircd.log", "biboumi.log"):
            with open(os.path.join(support.FOLDER, log), errors="replace") as file:
                print(f"---- {log}\n" + "".join(file.readlines()[-40:]), file=sys.stderr)
        raise
    finally:
        for process in processes:
            process.terminate()


async def rooms():
    """jabber-muc: a service of rooms from the days of XEP-0045's beginnings, beside the server's own."""
    conference = support.need("mu-conference")
    folder = os.path.join(support.FOLDER, "mu-conference")
    os.mkdir(folder)
    config = os.path.join(folder, "muc.xml")
    with open(config, "w") as out:
        out.write(f"<jcr><name>{ROOMS}</name><host>{ROOMS}</host><ip>{support.HOST}</ip><port>{COMPONENT_PORT}</port>"
                  f"<secret>{SECRET}</secret><spool>{folder}</spool><logdir>{folder}</logdir>"
                  f"<pidfile>{folder}/pid</pidfile><loglevel>0</loglevel>"
                  "<conference xmlns='jabber:config:conference'><public/><history>10</history>"
                  f"<vCard><FN>Rooms</FN></vCard><dynamic/></conference></jcr>\n")
    process = start("mu-conference.log", conference, "-s", "-c", config)
    try:
        romeo, juliet = [await Client(name, plugins=("xep_0030", "xep_0045")).online() for name in ("romeo", "juliet")]

        info = await info_when_connected(romeo, ROOMS)
        assert any(identity[0] == "conference" for identity in info["disco_info"]["identities"]), info
        room, joined = f"verona@{ROOMS}", {romeo: [], juliet: []}
        for one, other in ((romeo, juliet), (juliet, romeo)):
            one.add_event_handler("groupchat_presence", lambda presence, one=one: one.keep(joined[one], presence))
            one["xep_0045"].join_muc(room, one.boundjid.user)
            await one.until("its own presence", lambda: any(p["from"].resource == one.boundjid.user for p in joined[one]))
            if one is romeo:  # who is the owner of a room that is locked until he says that it is fine
                accepts = romeo.make_iq_set(ito=room)
                query = ET.SubElement(accepts.xml, "{http://jabber.org/protocol/muc#owner}query")
                ET.SubElement(query, "{jabber:x:data}x", {"type": "submit"})
                await accepts.send(timeout=support.PATIENCE)
        await romeo.until("Juliet in the room", lambda: any(p["from"].resource == "juliet" for p in joined[romeo]))
        for number in range(20):
            romeo.send_message(room, f"line {number}", mtype="groupchat")
        await juliet.message_saying("line 19")
        lines = [m["body"] for m in juliet.received if m["body"].startswith("line ")]
        assert lines == [f"line {number}" for number in range(20)], lines
        juliet.send_message(f"{room}/romeo", "in private", mtype="chat")
        assert (await romeo.message_saying("in private"))["from"] == f"{room}/juliet"
        items = await juliet["xep_0030"].get_items(jid=ROOMS)
        assert room in {item[0] for item in items["disco_items"]["items"]}, items
        # A client that is cut off is told to the rooms that it is in, also to those of a component.
        romeo.abort()
        await juliet.until("Romeo out of the room", lambda: any(
            p["from"].resource == "romeo" and p["type"] == "unavailable" for p in joined[juliet]))
        await juliet.gone()
    except BaseException:
        with open(os.path.join(support.FOLDER, "mu-conference.log"), errors="replace") as file:
            print("---- mu-conference.log\n" + "".join(file.readlines()[-40:]), file=sys.stderr)
        raise
    finally:
        process.terminate()
        process.wait(20)


CASES = {"echo": echo, "instances": instances_of_one, "gateway": gateway, "rooms": rooms}

if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(support.run_case(CASES, sys.argv[1:])(), 4 * support.PATIENCE))
