#!/usr/bin/python3
"""Chat by REST with nothing but Python's own library, and Debian's slixmpp on the other side.
rest_test.py CASE, run through server.py."""
import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import support
from slixmpp_client import Client

PORT = os.environ.get("EPODE_TEST_HTTP_PORT", "0")
BASE = f"http://127.0.0.1:{PORT}/api/v1"
ROMEO, JULIET = support.address("romeo"), support.address("juliet")
PLUGINS = ("xep_0004", "xep_0030", "xep_0045", "xep_0280", "xep_0313", "xep_0359")


def ask(method, path, token=None, body=None, **fields):
    """The status, and what was told."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    if token:
        headers["Authorization"] = "Bearer " + token
    data = None
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=support.PATIENCE) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
        assert error.headers["Content-Type"] == "application/problem+json", (path, error.headers, text)
    return status, json.loads(text) if text else None


def log_in(name, *scopes):
    wish = {"username": name, "password": support.ACCOUNTS[name]}
    if scopes:
        wish["scopes"] = list(scopes)
    status, told = ask("POST", "/login", body=wish)
    assert status == 200, (status, told)
    return told["token"]


class Events:
    """Server-sent events, read in a thread of their own."""

    def __init__(self, token, path="/events", last=None):
        headers = {"Authorization": "Bearer " + token}
        if last:
            headers["Last-Event-ID"] = last
        self.answer = urllib.request.urlopen(urllib.request.Request(BASE + path, headers=headers),
                                             timeout=support.PATIENCE)
        assert self.answer.headers["Content-Type"] == "text/event-stream", self.answer.headers
        self.events, self.last = [], last
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        event = {}
        try:
            for line in self.answer:
                line = line.decode().rstrip("\n")
                if not line:
                    if "event" in event:
                        self.last = event.get("id", self.last)
                        self.events.append((event["event"], json.loads(event["data"])))
                    event = {}
                elif not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    event[name] = value
        except (OSError, ValueError, AttributeError):
            pass

    def bodies(self):
        return [data.get("body") for name, data in self.events if name == "message"]

    def close(self):
        # The reader holds the connection; what ends it ends both.
        import socket
        try:
            self.answer.fp.raw._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(support.PATIENCE)
        self.answer.close()


async def poll(what, condition):
    """While slixmpp goes on."""
    end = asyncio.get_running_loop().time() + support.PATIENCE
    while not condition():
        assert asyncio.get_running_loop().time() < end, what
        await asyncio.sleep(0.05)  # lint: polls


async def in_thread(function, *arguments, **fields):
    return await asyncio.get_running_loop().run_in_executor(None, lambda: function(*arguments, **fields))


async def messages():
    """There and back again, and what was missed."""
    romeo = await Client("romeo", plugins=PLUGINS).online()
    token = await in_thread(log_in, "juliet")
    status, sent = await in_thread(ask, "POST", "/messages", token, {"to": ROMEO, "body": "O Romeo \U0001f339"})
    assert status == 201, sent
    got = await romeo.message_saying("O Romeo \U0001f339")
    assert got["from"].bare == JULIET and got["id"] == sent["message_id"], got

    events = await in_thread(Events, token)
    await poll("the stream begins", lambda: any(name == "ready" for name, _ in events.events))
    romeo.send_message(mto=JULIET, mbody="Shall I hear more?", mtype="chat")
    await poll("the message comes", lambda: events.bodies() == ["Shall I hear more?"])
    romeo.send_presence(pto=JULIET, ptype="subscribe")
    await poll("the request comes", lambda: any(name == "request" for name, _ in events.events))
    status, _ = await in_thread(ask, "POST", f"/contacts/{ROMEO}/accept", token)
    assert status == 204
    await romeo.presence_from(JULIET, "subscribed")
    await romeo.presence_from(JULIET, "available")
    await in_thread(events.close)
    await romeo.presence_from(JULIET, "unavailable")

    romeo.send_message(mto=JULIET, mbody="Or shall I speak at this?", mtype="chat")
    await romeo.barrier()
    again = await in_thread(Events, token, last=events.last)
    await poll("what was missed comes", lambda: again.bodies() == ["Or shall I speak at this?"])
    await in_thread(again.close)

    status, page = await in_thread(ask, "GET", f"/messages?with={ROMEO}&limit=2", token)
    assert [m["body"] for m in page["messages"]] == ["Shall I hear more?", "Or shall I speak at this?"], page
    assert not page["complete"]
    status, page = await in_thread(ask, "GET", f"/messages?with={ROMEO}&before={page['first']}", token)
    assert [m["body"] for m in page["messages"]] == ["O Romeo \U0001f339"] and page["complete"], page
    # As slixmpp sees it.
    archive = await romeo["xep_0313"].retrieve(with_jid=JULIET, timeout=support.PATIENCE)
    assert len(archive["mam"]["results"]) == 3, archive
    await romeo.gone()


async def once():
    """A request that is made again is done once, also when several are under way."""
    romeo = await Client("romeo", plugins=PLUGINS).online()
    token = await in_thread(log_in, "juliet")

    def send(body):
        return ask("POST", "/messages", token, {"to": ROMEO, "body": body}, Idempotency_Key="k1")
    answers = await asyncio.gather(*(in_thread(send, "once") for _ in range(8)))
    told = {answer["message_id"] for status, answer in answers if status == 201}
    assert len(told) == 1 and {status for status, _ in answers} <= {201, 409}, answers
    assert (await in_thread(send, "once"))[0] == 201
    assert (await in_thread(send, "twice"))[0] == 422
    await in_thread(ask, "POST", "/messages", token, {"to": ROMEO, "body": "end"})
    await romeo.message_saying("end")
    assert [m["body"] for m in romeo.received if m["body"]] == ["once", "end"], romeo.received
    await romeo.gone()


async def room():
    """Somebody in a room with slixmpp, somebody with REST."""
    romeo = await Client("romeo", plugins=PLUGINS).online()
    address = "garden@conference." + support.DOMAIN
    await romeo["xep_0045"].join_muc_wait(address, "Romeo", timeout=support.PATIENCE)
    form = await romeo["xep_0045"].get_room_config(address)
    form["type"] = "submit"
    await romeo["xep_0045"].set_room_config(address, form)
    token = await in_thread(log_in, "juliet")
    status, told = await in_thread(ask, "PUT", f"/rooms/{address}", token, {"nick": "Jul"})
    assert status == 201, told
    events = await in_thread(Events, token, f"/events?room={address}")
    status, sent = await in_thread(ask, "POST", "/messages", token,
                                   {"to": address, "type": "groupchat", "body": "Good night"})
    assert status == 201, sent
    got = await romeo.message_saying("Good night")
    assert got["from"].full == address + "/Jul", got
    assert got["stanza_id"]["id"] == sent["id"], (got, sent)
    romeo.send_message(mto=address, mbody="Parting is such sweet sorrow", mtype="groupchat")
    await poll("both are heard", lambda: events.bodies() == ["Good night", "Parting is such sweet sorrow"])
    await in_thread(events.close)
    status, page = await in_thread(ask, "GET", f"/rooms/{address}/messages", token)
    assert [m["body"] for m in page["messages"]] == ["Good night", "Parting is such sweet sorrow"], page
    await romeo.gone()


def permissions():
    """Who may what: as many rows that may as rows that may not."""
    operator = log_in("romeo", "rest:admin")
    reader = log_in("juliet", "rest:read")
    writer = log_in("juliet", "rest:write")
    sender = log_in("juliet", "rest:send")
    everything = log_in("juliet", "rest:read", "rest:write", "rest:send", "rest:admin")
    hello = {"to": ROMEO, "body": "Hello"}
    rows = [
        ("GET", "/contacts", reader, None, 200), ("GET", "/contacts", sender, None, 403),
        ("GET", "/messages", reader, None, 200), ("GET", "/messages", writer, None, 403),
        ("GET", "/profile", everything, None, 200), ("GET", "/profile", None, None, 401),
        ("POST", "/messages", sender, hello, 201), ("POST", "/messages", reader, hello, 403),
        ("PATCH", "/profile", writer, {"nickname": "J"}, 200), ("PATCH", "/profile", sender, {"nickname": "J"}, 403),
        ("PUT", f"/contacts/{ROMEO}", writer, {}, 201), ("PUT", f"/contacts/{ROMEO}", reader, {}, 403),
        ("POST", "/uploads", sender, {"name": "x", "bytes": 1}, 201),
        ("POST", "/uploads", reader, {"name": "x", "bytes": 1}, 403),
        ("GET", "/commands", operator, None, 200), ("GET", "/commands", everything, None, 403),
        ("POST", "/commands/status", operator, {}, 200), ("POST", "/commands/status", everything, {}, 403),
        ("POST", "/commands/user.list", operator, None, 200), ("POST", "/commands/user.list", sender, None, 403),
        ("POST", "/commands/user.show", operator, {"address": JULIET}, 200),
        ("POST", "/commands/user.show", operator, {"address": "a b"}, 400),
        ("POST", "/commands/log.level", operator, {"level": "info"}, 200),
        ("POST", "/commands/no.such", operator, {}, 404),
        ("GET", "/openapi.json", None, None, 200), ("GET", "/nothing", None, None, 404),
    ]
    for method, path, token, body, wanted in rows:
        status, told = ask(method, path, token, body)
        assert status == wanted or (wanted == 200 and status == 201), (method, path, status, told)


def commands():
    """What epodectl does, and the log says who."""
    operator = log_in("romeo", "rest:admin")
    names = {command["name"] for command in ask("GET", "/commands", operator)[1]["commands"]}
    assert {"status", "user.add", "user.list"} <= names, names
    address = support.address("nurse")
    status, told = ask("POST", "/commands/user.add", operator, {"address": address, "password": "secret"})
    assert status == 200, told
    status, told = ask("POST", "/commands/user.add", operator, {"address": address, "password": "secret"})
    assert status == 409, told
    status, told = ask("POST", "/commands/user.remove", operator, {"address": address})
    assert status == 422, told
    status, told = ask("POST", "/commands/user.remove?confirm=true", operator, {"address": address})
    assert status == 200, told
    status, told = ask("POST", "/login", body={"username": "nurse", "password": "secret"})
    assert status == 401, told


def curl():
    """Each command of docs/rest.md, as it stands there."""
    support.need("curl")
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "../../docs/rest.md"), encoding="utf-8") as page:
        blocks = re.findall(r"^```sh\n(.*?)^```", page.read(), re.S | re.M)
    script = "set -e\n"
    folder = support.FOLDER
    for block in blocks:
        # Those that don't end are ended, and the operator's own tool is the one of this tree.
        block = block.replace("http://localhost:5280/api/v1", BASE).replace("curl -sN", "curl -sN --max-time 2")
        block = block.replace("-d '{\"username\": \"juliet\", \"password\": \"secret\"}'",
                              "-d '{\"username\": \"juliet\", \"password\": \"" + support.ACCOUNTS["juliet"] + "\"}'")
        for name in ("juliet", "romeo"):
            block = block.replace(name + "@capulet.example", support.address(name))
        block = block.replace("capulet.example", support.DOMAIN)
        block = block.replace("epodectl ", os.environ["EPODE_TEST_CONTROL"] + " ")
        script += "".join(f"({line}) || [ $? -eq 28 ]\n" if "curl -sN" in line else line + "\n"
                          for line in block.replace("\\\n", " ").splitlines())
    admin = log_in("romeo", "rest:admin")
    path = os.path.join(folder, "commands.sh")
    with open(path, "w", encoding="utf-8") as out:
        out.write(script)
    # What the page takes for granted: a room, somebody to show, an id to come back with.
    done = subprocess.run(["bash", path], capture_output=True, text=True, timeout=120,
                          env=dict(os.environ, ADMIN=admin, LAST="-"))
    assert done.returncode == 0, done.stderr + done.stdout
    problems = [line for line in done.stdout.splitlines() if '"type":"/api/v1/#problem-' in line]
    # The balcony is nobody's room here.
    assert all("no such room" in line.lower() or "item-not-found" in line for line in problems), problems
    assert "event: ready" in done.stdout, done.stdout
    assert shlex.split(os.environ["EPODE_TEST_CONTROL"])


CASES = {"messages": lambda: asyncio.run(messages()), "once": lambda: asyncio.run(once()),
         "room": lambda: asyncio.run(room()), "permissions": permissions, "commands": commands, "curl": curl}

if __name__ == "__main__":
    if support.SERVER == "prosody":
        support.skip("Prosody has no REST here")
    support.run_case(CASES, sys.argv[1:])()
