#!/usr/bin/python3
"""Debian's profanity (libstrophe) in a terminal, with slixmpp on the other side: profanity_test.py CASE."""
import asyncio
import os
import re
import shutil
import subprocess
import sys

import support
from slixmpp_client import Client
from terminal import Terminal

support.need("profanity")
ROMEO, JULIET = support.address("romeo"), support.address("juliet")


def profanity(policy, name="romeo"):
    """policy: force is STARTTLS, legacy is direct TLS. Started again it has what it had."""
    address, home = support.address(name), os.path.join(support.FOLDER, name)

    def write(path, text):
        path = os.path.join(home, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            out.write(text)
    # libstrophe looks for authorities in a folder, by hash.
    authorities = os.path.join(support.FOLDER, "authorities")
    os.makedirs(authorities, exist_ok=True)
    shutil.copy(support.CA, os.path.join(authorities, "ca.pem"))
    subprocess.run(["openssl", "rehash", authorities], check=True, capture_output=True)
    write("config/profanity/profrc",
          f"[connection]\ntls.certpath={authorities}\n[ui]\nsplash=false\n[notifications]\nmessage=false\n"
          "[logging]\nchlog=false\n")
    write("data/profanity/accounts",
          f"[{address}]\nenabled=true\njid={address}\nserver={support.HOST}\n"
          f"port={support.TLS_PORT if policy == 'legacy' else support.PORT}\nresource=profanity\n"
          f"password={support.ACCOUNTS[name]}\ntls.policy={policy}\npresence.last=online\npresence.login=online\n")
    return Terminal(["profanity", "-a", address],
                    {"XDG_CONFIG_HOME": os.path.join(home, "config"),
                     "XDG_DATA_HOME": os.path.join(home, "data")}, "tmux-" + name)


async def logs_in(terminal, address=ROMEO):
    await terminal.says(re.escape(address) + r"/profanity logged in successfully")


async def direct_tls():
    terminal = profanity("legacy")
    try:
        await logs_in(terminal)
        await terminal.does("/tls cert", r"capulet\.example")
    finally:
        terminal.close()


async def chat():
    juliet = await Client("juliet").online()
    terminal = profanity("force")
    try:
        await logs_in(terminal)
        # Roster and subscriptions.
        await terminal.does(f"/roster add {JULIET} Juliet", r"Roster item added: .*juliet@")
        terminal.type(f"/sub request {JULIET}")
        terminal.key("Enter")
        await juliet.presence_from(ROMEO, "subscribe")
        juliet.send_presence_subscription(ROMEO, ptype="subscribed")
        juliet.send_presence_subscription(ROMEO, ptype="subscribe")
        await terminal.says(r"(?i)authori[sz]ation request|subscription request")
        terminal.type(f"/sub allow {JULIET}")
        terminal.key("Enter")
        await juliet.presence_from(ROMEO, "subscribed")
        await juliet.presence_from(ROMEO + "/profanity", "available")
        await terminal.shows("/roster", r"[Jj]uliet.*both|both.*[Jj]uliet")
        # Presence, both ways.
        juliet.send_presence(pshow="away", pstatus="On the balcony")
        await terminal.says(r"is away.*On the balcony")
        terminal.type('/status set dnd "Do not disturb"')
        terminal.key("Enter")
        await juliet.until("Romeo's status", lambda: any(p["status"] == "Do not disturb" for p in juliet.presences))
        # Messages, both ways.
        terminal.type(f"/msg {JULIET} Good night, good night! <3 & so on")
        terminal.key("Enter")
        await juliet.message_saying("Good night, good night! <3 & so on")
        juliet.send_message(mto=ROMEO + "/profanity", mbody="Parting is such sweet sorrow", mtype="chat")
        await terminal.says("Parting is such sweet sorrow")
        # One that is gone is seen to be gone.
        terminal.type("/quit")
        terminal.key("Enter")
        await juliet.presence_from(ROMEO + "/profanity", "unavailable")
    finally:
        terminal.close()
    await juliet.gone()


async def offline():
    """What was sent while nobody was there appears at login."""
    juliet = await Client("juliet").online()
    juliet.send_message(mto=ROMEO, mbody="Wherefore art thou", mtype="chat")
    await juliet.barrier()
    terminal = profanity("force")
    try:
        await logs_in(terminal)
        terminal.type(f"/msg {JULIET}")
        terminal.key("Enter")
        await terminal.says("Wherefore art thou")
    finally:
        terminal.close()
    await juliet.gone()


async def writes_secretly(terminal, text):
    """The keys are fetched when the conversation begins. What is written before is refused, with the advice to
    begin again."""
    for attempt in range(1, support.PATIENCE):
        said = f"{text} {attempt}"
        try:
            await terminal.does(said, "me: " + said, patience=1)
            return said
        except AssertionError:
            for command in ("/omemo end", "/omemo start"):
                terminal.type(command)
                terminal.key("Enter")
    raise AssertionError(f"the keys for '{text}' don't come")


async def omemo():
    """End to end (XEP-0384) between two of them, one of which is away meanwhile."""
    romeo, juliet = profanity("force"), profanity("force", "juliet")
    try:
        await logs_in(romeo)
        await logs_in(juliet, JULIET)
        for one, other in ((romeo, JULIET), (juliet, ROMEO)):
            await one.does(f"/roster add {other}", r"Roster item added")
            await one.does(f"/sub request {other}", r"(?i)sent.*request|request.*sent")
        for one, other in ((romeo, JULIET), (juliet, ROMEO)):
            await one.says(r"(?i)authori[sz]ation request|subscription request")
            one.type(f"/sub allow {other}")
            one.key("Enter")
        for one in (romeo, juliet):
            await one.says(r"\+\+ .*is online")
            await one.does("/omemo trustmode blind", r"(?i)trust mode")
            await one.does("/omemo gen", r"materials generated")
        await romeo.does(f"/omemo start {JULIET}", r"(?i)OMEMO session started|generat")
        said = await writes_secretly(romeo, "Meet me at the friar's cell")
        juliet.type(f"/msg {ROMEO}")
        juliet.key("Enter")
        await juliet.says(said)
        await juliet.does("/omemo start", r"(?i)OMEMO session (already )?(started|has been started)|\[OMEMO\]")
        await romeo.says(await writes_secretly(juliet, "I'll not fail"))
        # What comes while she is away is read when she is back.
        juliet.type("/quit")
        juliet.key("Enter")
        await juliet.ends()
        juliet.close()
        await romeo.does("Bring the ladder", r"Bring the ladder")
        juliet = profanity("force", "juliet")
        await logs_in(juliet, JULIET)
        juliet.type(f"/msg {ROMEO}")
        juliet.key("Enter")
        await juliet.says("Bring the ladder")
    finally:
        romeo.close()
        juliet.close()
    # Nobody but the two could read it.
    for folder, _, files in os.walk(support.SERVER_DATA):
        for name in files:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    assert b"friar's cell" not in file.read(), name


CASES = {case.__name__: case for case in (chat, offline, direct_tls, omemo)}

if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(support.run_case(CASES, sys.argv[1:])(), 4 * support.PATIENCE))
