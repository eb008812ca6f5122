#!/usr/bin/python3
"""Debian's mcabber (loudmouth) in a terminal, with slixmpp on the other side: mcabber_test.py CASE."""
import asyncio
import os
import sys

import support
from slixmpp_client import Client
from terminal import Terminal

support.need("mcabber")
ROMEO, JULIET = support.address("romeo"), support.address("juliet")


def mcabber(direct_tls=False):
    folder = os.path.join(support.FOLDER, "mcabber")
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o700)
    path = os.path.join(folder, "mcabberrc")
    with open(path, "w") as out:
        out.write(f"set jid = {ROMEO}\nset password = {support.ACCOUNTS['romeo']}\n"
                  f"set server = {support.HOST}\n"
                  f"set port = {support.TLS_PORT if direct_tls else support.PORT}\n"
                  f"set {'ssl' if direct_tls else 'tls'} = 1\nset tls = {0 if direct_tls else 1}\n"
                  f"set ssl_ca = {support.CA}\nset resource = mcabber\nset disable_random_resource = 1\n"
                  "set beep_on_message = 0\nset log_win_height = 12\nset hide_offline_buddies = 0\n")
    os.chmod(path, 0o600)
    return Terminal(["mcabber", "-f", path])


async def logs_in(terminal):
    await terminal.says(r"Your status has been set")


async def direct_tls():
    terminal = mcabber(direct_tls=True)
    juliet = await Client("juliet").online()
    try:
        await logs_in(terminal)
        terminal.type(f"/say_to -q {JULIET} Under the cover of TLS")
        terminal.key("Enter")
        await juliet.message_saying("Under the cover of TLS")
    finally:
        terminal.close()
    await juliet.gone()


async def chat():
    juliet = await Client("juliet").online()
    terminal = mcabber()
    try:
        await logs_in(terminal)
        # /add asks for the subscription as well.
        terminal.type(f"/add {JULIET} Juliet")
        terminal.key("Enter")
        await juliet.presence_from(ROMEO, "subscribe")
        juliet.send_presence_subscription(ROMEO, ptype="subscribed")
        juliet.send_presence_subscription(ROMEO, ptype="subscribe")
        await terminal.says(r"wants to subscribe to your presence")
        await terminal.does(f"/authorization allow {JULIET}", r"Sent presence subscription approval")
        await juliet.presence_from(ROMEO, "subscribed")
        await juliet.presence_from(ROMEO + "/mcabber", "available")
        # Presence, both ways; the roster shows the contact by its name.
        juliet.send_presence(pshow="away", pstatus="On the balcony")
        terminal.type("/roster search Juliet")
        terminal.key("Enter")
        await terminal.says(r"\[a\] Juliet")
        await terminal.does("/info", r"On the balcony")
        terminal.type("/status dnd Do not disturb")
        terminal.key("Enter")
        await juliet.until("Romeo's status", lambda: any(p["status"] == "Do not disturb" for p in juliet.presences))
        # Messages, both ways.
        terminal.type(f"/say_to {JULIET} What light through yonder window breaks? <3 &")
        terminal.key("Enter")
        await juliet.message_saying("What light through yonder window breaks? <3 &")
        juliet.send_message(mto=ROMEO + "/mcabber", mbody="Ay me", mtype="chat")
        await terminal.says(r"Ay me")
        terminal.type("/quit")
        terminal.key("Enter")
        await juliet.presence_from(ROMEO + "/mcabber", "unavailable")
    finally:
        terminal.close()
    await juliet.gone()


CASES = {case.__name__: case for case in (chat, direct_tls)}

if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(support.run_case(CASES, sys.argv[1:])(), 4 * support.PATIENCE))
