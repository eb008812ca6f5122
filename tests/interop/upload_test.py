#!/usr/bin/python3
"""Files sent by other people's clients: upload_test.py CASE, run through server.py."""
import asyncio
import hashlib
import os
import socket
import ssl
import subprocess
import sys
import urllib.request

import support

# aiohttp, within slixmpp, trusts what OpenSSL does.
os.environ["SSL_CERT_FILE"] = support.CA

from slixmpp_client import Client, IqError  # noqa: E402

PLUGINS = ("xep_0004", "xep_0030", "xep_0128", "xep_0363")
SERVICE = "upload." + support.DOMAIN


def fetch(url, **fields):
    context = ssl.create_default_context(cafile=support.CA)
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in fields.items()})
    with urllib.request.urlopen(request, timeout=support.PATIENCE, context=context) as answer:
        return answer.status, answer.headers, answer.read()


def picture(name, size):
    path = os.path.join(support.FOLDER, name)
    with open(path, "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n" + os.urandom(size - 8))
    with open(path, "rb") as file:
        return path, file.read()


def stored():
    folder = os.path.join(support.SERVER_DATA, "uploads")
    return {part: sum(len(files) for _, _, files in os.walk(os.path.join(folder, part)))
            for part in ("incoming", "files")}


left_open = []


def begin(url, content):
    """An upload that lacks its end."""
    host, port = url.split("/")[2].split(":")
    plain = socket.create_connection((host, int(port)), support.PATIENCE)
    connection = ssl.create_default_context(cafile=support.CA).wrap_socket(plain, server_hostname=host)
    connection.sendall(f"PUT {url.split(host + ':' + port)[1]} HTTP/1.1\r\nHost: {host}\r\n"
                       f"Content-Length: {len(content)}\r\n\r\n".encode() + content[:-1_000_000])
    return connection


async def by_slixmpp():
    romeo, juliet = Client("romeo", plugins=PLUGINS), Client("juliet", plugins=PLUGINS)
    for client in (romeo, juliet):
        await client.online()
    # As slixmpp looks for it itself, where asyncio lets it (1.8 gives coroutines to asyncio.wait).
    items = await romeo["xep_0030"].get_items(support.DOMAIN)
    for jid in [item[0] for item in items["disco_items"]["items"]]:
        info = await romeo["xep_0030"].get_info(jid)
        if "urn:xmpp:http:upload:0" in info["disco_info"]["features"]:
            assert ("store", "file") in [identity[:2] for identity in info["disco_info"]["identities"]], info
            romeo["xep_0363"].upload_service = info["from"]
    assert romeo["xep_0363"].upload_service == SERVICE, items
    path, content = picture("a rose.png", 3_000_000)
    url = await romeo["xep_0363"].upload_file(path, timeout=support.PATIENCE)
    romeo.send_message(mto=juliet.boundjid.full, mbody=url, mtype="chat")
    message = await juliet.message_saying(url)
    status, headers, got = fetch(message["body"])
    assert status == 200 and got == content, (status, len(got))
    assert headers["Content-Type"] == "image/png", headers
    assert headers["ETag"] == f'"{hashlib.sha256(content).hexdigest()}"', headers
    status, headers, got = fetch(url, Range="bytes=1000000-1000999")
    assert status == 206 and got == content[1000000:1001000], (status, len(got))
    try:
        await romeo["xep_0363"].request_slot(SERVICE, "large", 10**12, timeout=support.PATIENCE)
        raise AssertionError("a slot for a file that is too large")
    except IqError as refused:
        assert refused.iq["error"]["condition"] == "not-acceptable", refused.iq
    for client in (romeo, juliet):
        await client.gone()


async def breaking_off():
    """What comes in part leaves nothing, and can be repeated."""
    romeo = await Client("romeo", plugins=PLUGINS).online()
    path, content = picture("rose.png", 5_000_000)
    answer = await romeo["xep_0363"].request_slot(SERVICE, "rose.png", len(content), "image/png")
    put, get = (answer["http_upload_slot"][part]["url"] for part in ("put", "get"))
    with begin(put, content):
        support.poll("the upload has begun", lambda: stored()["incoming"] == 1)
    support.poll("the upload is forgotten", lambda: stored()["incoming"] == 0)
    assert stored()["files"] == 0
    done = subprocess.run([support.need("curl"), "-sS", "--cacert", support.CA, "-T", path, "-o", os.devnull, "-w",
                           "%{response_code}", put], capture_output=True, text=True, timeout=60)
    assert done.stdout == "201", done
    assert fetch(get)[2] == content
    # One more is under way when the server is told to stop, which ends no worse for it.
    answer = await romeo["xep_0363"].request_slot(SERVICE, "rose.png", len(content), "image/png")
    left_open.append(begin(answer["http_upload_slot"]["put"]["url"], content))
    support.poll("the upload has begun", lambda: stored()["incoming"] == 1)
    await romeo.gone()


async def by_profanity():
    support.need("profanity")
    import profanity_test
    juliet = await Client("juliet").online()
    path, content = picture("rose.png", 200_000)
    romeo = profanity_test.profanity("force")
    try:
        await profanity_test.logs_in(romeo)
        romeo.type(f"/msg {support.address('juliet')} A rose")
        romeo.key("Enter")
        await juliet.message_saying("A rose")
        romeo.type(f"/sendfile {path}")
        romeo.key("Enter")
        message = await juliet.until("the address of the file", lambda: next(
            (m for m in juliet.received if m["body"].endswith("/rose.png")), None))
        assert fetch(message["body"])[2] == content
    finally:
        romeo.close()
    await juliet.gone()


CASES = {"slixmpp": by_slixmpp, "breaking_off": breaking_off, "profanity": by_profanity}

if __name__ == "__main__":
    if support.SERVER == "prosody":
        support.skip("Prosody's uploads are not set up here")
    asyncio.run(asyncio.wait_for(support.run_case(CASES, sys.argv[1:])(), 4 * support.PATIENCE))
