#!/usr/bin/python3
"""Debian's sendxmpp (Perl) and go-sendxmpp: programs that send a line, and one that listens."""
import asyncio
import os
import signal
import sys

import support
from slixmpp_client import Client

ROMEO, JULIET = support.address("romeo"), support.address("juliet")
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": support.FOLDER, "LC_ALL": "C.UTF-8",
               # Go's way to name authorities.
               "SSL_CERT_FILE": support.CA}


def private_file(name, text):
    path = os.path.join(support.FOLDER, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    return path


async def run(words, line):
    """Runs a program with a line on its standard input; it must succeed."""
    process = await asyncio.create_subprocess_exec(*words, env=ENVIRONMENT, stdin=asyncio.subprocess.PIPE,
                                                   stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    try:
        output, _ = await asyncio.wait_for(process.communicate(line.encode()), support.PATIENCE)
    except asyncio.TimeoutError:
        process.kill()
        raise AssertionError(f"{words[0]} did not end") from None
    assert process.returncode == 0, f"{words[0]} ended with {process.returncode}: {output.decode()}"


async def sendxmpp():
    program = support.need("sendxmpp")
    config = private_file("sendxmpprc", f"username: romeo\njserver: {support.HOST}\nport: {support.PORT}\n"
                          f"password: {support.ACCOUNTS['romeo']}\ncomponent: {support.DOMAIN}\n")
    juliet = await Client("juliet").online()
    await run([program, "-f", config, "--tls", "--tls-ca-path", support.CA, "--message-type", "chat", JULIET],
              "It is the east & Juliet is the sun\n")
    got = await juliet.until("the line", lambda: next((m for m in juliet.received if "east" in m["body"]), None))
    assert got["body"].strip() == "It is the east & Juliet is the sun", got["body"]
    assert got["from"].bare == ROMEO
    await juliet.gone()


def go_sendxmpp_words(name, direct_tls=False, *more):
    port = support.TLS_PORT if direct_tls else support.PORT
    config = private_file("go-" + name, f"username: {support.address(name)}\npassword: {support.ACCOUNTS[name]}\n"
                          f"jserver: {support.HOST}:{port}\n")
    return [support.need("go-sendxmpp"), "-f", config, *(["-t"] if direct_tls else []), *more]


async def go_sendxmpp():
    juliet = await Client("juliet").online()
    for direct_tls, line in ((False, "A rose by any other name"), (True, "would smell as sweet & <so on>")):
        await run([*go_sendxmpp_words("romeo", direct_tls), JULIET], line + "\n")
        got = await juliet.until("the line", lambda: next((m for m in juliet.received if line in m["body"]), None))
        assert got["from"].bare == ROMEO
    await juliet.gone()


async def go_sendxmpp_listen():
    juliet = await Client("juliet").online()
    listener = await asyncio.create_subprocess_exec(*go_sendxmpp_words("romeo", False, "-l"), env=ENVIRONMENT,
                                                    stdin=asyncio.subprocess.DEVNULL,
                                                    stdout=asyncio.subprocess.PIPE)
    try:
        # A message that comes before the login waits (XEP-0160), so there is nothing to wait for.
        juliet.send_message(mto=ROMEO, mbody="O Romeo, Romeo", mtype="chat")
        line = await asyncio.wait_for(listener.stdout.readline(), support.PATIENCE)
        while JULIET not in line.decode():  # newer ones complain of root first
            line = await asyncio.wait_for(listener.stdout.readline(), support.PATIENCE)
        assert "O Romeo, Romeo" in line.decode() and JULIET in line.decode(), line
    finally:
        listener.send_signal(signal.SIGKILL)
        await listener.wait()
    await juliet.gone()


CASES = {case.__name__: case for case in (sendxmpp, go_sendxmpp, go_sendxmpp_listen)}

if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(support.run_case(CASES, sys.argv[1:])(), 4 * support.PATIENCE))
