#!/usr/bin/python3
"""Debian's profanity in a terminal, slixmpp and Gajim's library in one room: rooms_test.py together."""
import asyncio
import re
import subprocess
import sys

import support
from profanity_test import logs_in, profanity
from slixmpp_client import Client

support.need("profanity")
ROMEO = support.address("romeo")
PLUGINS = ("xep_0004", "xep_0030", "xep_0045", "xep_0059", "xep_0313", "xep_0359", "xep_0421", "xep_0424", "xep_0425")


def room_address():
    return "coven@conference." + ROMEO.split("@")[1]


async def gajims_library(case):
    """In a process of its own, since it has a loop of its own."""
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, case, stdout=subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), 2 * support.PATIENCE)
    assert process.returncode == 0, output.decode()
    return output.decode()


async def together():
    """Messages, history, moderation, mute and ban, seen by each of them."""
    room = room_address()
    juliet = await Client("juliet", plugins=PLUGINS).online()
    await juliet["xep_0045"].join_muc_wait(room, "juliet", timeout=support.PATIENCE)
    form = await juliet["xep_0045"].get_room_config(room)
    form["type"] = "submit"
    await juliet["xep_0045"].set_room_config(room, form)
    juliet.send_message(mto=room, mbody="Said before you came", mtype="groupchat")
    await juliet.until("the echo", lambda: any(m["body"] == "Said before you came" for m in juliet.received))
    terminal = profanity("force")
    try:
        await logs_in(terminal)
        terminal.type(f"/join {room} nick romeo")
        terminal.key("Enter")
        await terminal.says("Said before you came")
        terminal.type("A word from the terminal <3 &")
        terminal.key("Enter")
        await juliet.until("his word", lambda: any(
            m["body"] == "A word from the terminal <3 &" and m["from"].resource == "romeo" for m in juliet.received))
        juliet.send_message(mto=room, mbody="Heard", mtype="groupchat")
        await terminal.says("juliet.*Heard")
        output = await gajims_library("gajim")
        assert "heard: A word from the terminal <3 &" in output, output
        await terminal.says("nurse.*From Gajim's library")
        said = await juliet.until("it", lambda: next(
            (m for m in juliet.received if m["body"] == "From Gajim's library"), None))
        await juliet["xep_0425"].moderate(room=_jid(room), id=said["stanza_id"]["id"], reason="no")
        output = await gajims_library("gajim_reads")
        assert "archived: Heard" in output and "From Gajim's library" not in output, output
        # Without voice he is told why nobody hears him.
        await juliet["xep_0045"].set_role(room, "romeo", "visitor")
        await terminal.says(r"(?i)role.*visitor|visitor")
        terminal.type("Not heard")
        terminal.key("Enter")
        await terminal.says(r"(?i)forbidden|no voice|not authori[sz]ed|error")
        assert not any(m["body"] == "Not heard" for m in juliet.received)
        await juliet["xep_0045"].set_affiliation(room, "outcast", jid=ROMEO, reason="duels")
        await terminal.says(r"(?i)banned.*duels|banned")
        terminal.type(f"/join {room} nick romeo")
        terminal.key("Enter")
        await terminal.says(r"(?i)banned from|Error joining|forbidden")
    finally:
        terminal.close()
    await juliet.gone()


def _jid(text):
    from slixmpp import JID
    return JID(text)


def in_the_room():
    from nbxmpp_test import Client as Gajim, until
    from nbxmpp.protocol import JID, Presence
    from nbxmpp.namespaces import Namespace
    nurse = Gajim("juliet").available()  # by another nickname
    room = JID.from_string(room_address())
    presence = Presence(to=room.new_with(resource="nurse"))
    presence.setTag("x", namespace=Namespace.MUC)
    nurse.connection.send_stanza(presence)
    until("the room", lambda: [p for p in nurse.presences if str(p[0]) == str(room.new_with(resource="nurse"))])
    return nurse, room


def gajim():
    from nbxmpp.protocol import Message
    nurse, room = in_the_room()
    nurse.hears("A word from the terminal <3 &")
    print("heard: A word from the terminal <3 &")
    nurse.connection.send_stanza(Message(to=room, typ="groupchat", body="From Gajim's library"))
    nurse.hears("From Gajim's library")
    nurse.gone()


def gajim_reads():
    nurse, room = in_the_room()
    nurse.does("MAM", "make_query", room, queryid="1", max_=50)
    for body in nurse.archived:
        print("archived:", body)
    nurse.gone()


CASES = {case.__name__: case for case in (together, gajim, gajim_reads)}

if __name__ == "__main__":
    case = support.run_case(CASES, sys.argv[1:])
    if case is together:
        asyncio.run(asyncio.wait_for(case(), 6 * support.PATIENCE))
    else:
        case()
