#!/usr/bin/python3
"""Debian's poezio (slixmpp) in a terminal, with slixmpp and profanity in its room: poezio_test.py CASE."""
import asyncio
import os
import re
import shutil
import sys
import tempfile
import time

import support
from profanity_test import logs_in, profanity
from slixmpp_client import Client
from terminal import Terminal

support.need("poezio")
JULIET = support.address("juliet")
PLUGINS = ("xep_0004", "xep_0030", "xep_0045", "xep_0059", "xep_0313", "xep_0359", "xep_0421", "xep_0424", "xep_0425")


def room_address():
    return "coven@conference." + support.DOMAIN


def poezio(name, home):
    os.makedirs(os.path.join(home, "logs"))
    shutil.copy(support.CA, os.path.join(home, "ca.pem"))
    config = os.path.join(home, "poezio.cfg")
    with open(config, "w") as out:
        out.write(f"""[Poezio]
jid = {support.address(name)}/poezio
password = {support.ACCOUNTS[name]}
custom_host = {support.HOST}
custom_port = {support.PORT}
ca_cert_path = {home}/ca.pem
default_nick = {name}
log_dir = {home}/logs
use_log = true
mam_sync = true
enable_avatars = false
separate_history = false
hide_exit_join = -1
hide_status_change = -1
information_buffer_popup_on =
enable_vertical_tab_list = false
""")
    command = ["poezio", "-f", config]
    if os.geteuid() == 0:
        # It doesn't like to be root.
        for path in (home, config, os.path.join(home, "logs"), os.path.join(home, "ca.pem")):
            os.chown(path, 65534, 65534)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] + command
    return Terminal(command, {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_DATA_HOME": home, "XDG_CACHE_HOME": home},
                    "tmux-poezio-" + name)


async def enter(terminal, line, begun=""):
    """Types a line. What comes in one go counts as pasted, a line's end within it as text: it waits until poezio
    shows the line."""
    terminal.type(line)
    await terminal.says("^" + re.escape(begun + line) + " *$")
    terminal.key("Enter")


async def does(terminal, line, pattern):
    await enter(terminal, line)
    return await terminal.says(pattern)


async def enters(terminal, room, pattern):
    await terminal.says("Your JID is")
    # The list of contacts waits for the slash alone.
    terminal.type("/")
    await terminal.says("^/ *$")
    await enter(terminal, f"join {room}", "/")
    await terminal.says(pattern)


async def room():
    """History, messages both ways, a message taken back, roles and affiliations, a kick and a ban."""
    coven = room_address()
    juliet = await Client("juliet", plugins=PLUGINS).online()
    await juliet["xep_0045"].join_muc_wait(coven, "juliet", timeout=support.PATIENCE)
    form = await juliet["xep_0045"].get_room_config(coven)
    form["type"] = "submit"
    await juliet["xep_0045"].set_room_config(coven, form)
    for text in ("Said before you came", "Taken back before you came"):
        juliet.send_message(mto=coven, mbody=text, mtype="groupchat")
        await juliet.until("the echo", lambda: any(m["body"] == text for m in juliet.received))
    said = next(m for m in juliet.received if m["body"] == "Taken back before you came")
    from slixmpp import JID
    await juliet["xep_0425"].moderate(room=JID(coven), id=said["stanza_id"]["id"], reason="no")
    # A folder that another user may see.
    home = tempfile.mkdtemp(prefix="epode-poezio-")
    # It asks the archive for what was said before this second.
    said_by = time.time() + 2
    while time.time() < said_by:
        await asyncio.sleep(0.1)  # lint: polls
    terminal = poezio("romeo", home)
    other = None
    try:
        # The history, whether it comes with entering or from the archive; not what was taken back.
        await enters(terminal, f"{coven}/romeo", "juliet> *Said before you came")
        assert "Taken back before you came" not in terminal.screen(), terminal.screen()
        await enter(terminal, "A word from poezio <3 &")
        await juliet.until("his word", lambda: any(
            m["body"] == "A word from poezio <3 &" and m["from"].resource == "romeo" for m in juliet.received))
        juliet.send_message(mto=coven, mbody="Heard", mtype="groupchat")
        await terminal.says("juliet> *Heard")
        # The subject.
        juliet.send_message(mto=coven, msubject="Fire burn", mbody=None, mtype="groupchat")
        await terminal.says("Fire burn")
        # He changes his nickname, and back.
        await does(terminal, "/nick oldhag", "romeo.* is now known as .*oldhag")
        await does(terminal, "/nick romeo", "oldhag.* is now known as .*romeo")
        # As an admin he sends somebody out, who is told why.
        other = profanity("force", "juliet")
        await logs_in(other, JULIET)
        other.type(f"/join {coven} nick nurse")
        other.key("Enter")
        await terminal.says("nurse.* joined")
        await other.says("A word from poezio")
        other.type("From profanity")
        other.key("Enter")
        await terminal.says("nurse> *From profanity")
        await juliet["xep_0045"].set_affiliation(coven, "admin", jid=support.address("romeo"))
        await terminal.says("(?i)romeo.*admin|admin.*romeo")
        # Juliet's other client can't be sent out by him, since she owns the room.
        await enter(terminal, "/kick nurse Go to the friar")
        await terminal.says("(?i)not.allowed|error")
        await does(terminal, "/affiliation nobody@elsewhere.example outcast", ".*")
        async def is_banned():
            answer = await juliet["xep_0045"].get_affiliation_list(coven, "outcast")
            return "nobody@elsewhere.example" in map(str, answer)
        for _ in range(support.PATIENCE * 10):
            if await is_banned():
                break
            await asyncio.sleep(0.1)  # lint: polls
        else:
            raise AssertionError("the ban never came:\n" + terminal.screen())
        # And then it is his turn.
        await juliet["xep_0045"].set_affiliation(coven, "outcast", jid=support.address("romeo"), reason="duels")
        await terminal.says("(?i)banned.*duels|duels.*banned|banned")
        await enter(terminal, f"/join {coven}/romeo")
        await terminal.says("(?i)banned|forbidden")
    finally:
        terminal.close()
        if other:
            other.close()
        shutil.rmtree(home, ignore_errors=True)
    await juliet.gone()


CASES = {"room": room}

if __name__ == "__main__":
    case = support.run_case(CASES, sys.argv[1:])
    asyncio.run(asyncio.wait_for(case(), 5 * support.PATIENCE))
