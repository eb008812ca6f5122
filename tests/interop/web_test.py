#!/usr/bin/python3
"""The web server, asked by programs of others: web_test.py CASE, run through server.py."""
import asyncio
import base64
import os
import re
import socket
import ssl
import subprocess
import sys
import urllib.request
import xml.etree.ElementTree as ET

import proxies
import support

HTTP_PORT = int(os.environ.get("EPODE_TEST_HTTP_PORT", "0"))
HTTPS_PORT = int(os.environ.get("EPODE_TEST_HTTPS_PORT", "0"))
FRONT_PORT = int(os.environ.get("EPODE_TEST_FRONT_PORT", "0"))
FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
STREAMS = "http://etherx.jabber.org/streams"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
OPEN = f"<open xmlns='{FRAMING}' to='{support.DOMAIN}' version='1.0'/>"


def trusting():
    context = ssl.create_default_context(cafile=support.CA)
    context.set_alpn_protocols(["http/1.1"])
    return context


def curl(*arguments):
    done = subprocess.run([support.need("curl"), "-sS", "--max-time", "30", "--cacert", support.CA,
                           "--resolve", f"{support.DOMAIN}:{HTTPS_PORT}:127.0.0.1", *arguments],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def with_curl():
    https = f"https://{support.DOMAIN}:{HTTPS_PORT}"
    links = curl(f"{https}/.well-known/host-meta")
    assert f"wss://{support.DOMAIN}:{HTTPS_PORT}/xmpp-websocket" in links, links
    head = curl("-I", f"{https}/.well-known/host-meta.json")
    assert "HTTP/1.1 200 OK" in head and "Content-Length:" in head, head
    # curl offers HTTP/2 by ALPN; it gets what is spoken here.
    assert curl("-o", os.devnull, "-w", "%{http_version} %{response_code}", f"{https}/nothing") == "1.1 404"
    local = f"http://127.0.0.1:{HTTP_PORT}"
    assert curl(f"{local}/health/live") == "alive\n"
    assert curl(f"{local}/health/ready") == "ready\n"
    assert "epode_http_requests_total" in curl(f"{local}/metrics")
    # Two requests over one connection.
    both = curl("-v", "--stderr", "-", f"{local}/health/live", f"{local}/health/live")
    assert "Re-using existing connection" in both, both
    # A body that is too long is refused before it is sent.
    large = os.path.join(support.FOLDER, "large")
    with open(large, "wb") as out:
        out.write(b"x" * 2000000)
    assert curl("-o", os.devnull, "-w", "%{response_code}", "--data-binary", "@" + large,
                f"{local}/http-bind") == "413"
    chunked = curl("-H", "Transfer-Encoding: chunked", "-d", "nonsense", f"{local}/http-bind")
    assert "bad-request" in chunked, chunked


def with_pipelining():
    """What a browser never does, and a proxy may."""
    request = f"GET /health/live HTTP/1.1\r\nHost: {support.DOMAIN}\r\n\r\n".encode()
    last = f"GET /health/live HTTP/1.1\r\nHost: {support.DOMAIN}\r\nConnection: close\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", HTTP_PORT), support.PATIENCE) as connection:
        connection.sendall(request * 99 + last)
        answers = b""
        while part := connection.recv(65536):
            answers += part
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 100, answers[:1000]


class Session:
    """A login over WebSocket, whichever library carries it: `send` and `receive` take and give texts."""

    def __init__(self, name, send, receive):
        self.name, self.send, self.receive = name, send, receive

    async def next(self):
        text = await asyncio.wait_for(self.receive(), support.PATIENCE)
        return ET.fromstring(text)

    async def expect(self, tag):
        element = await self.next()
        assert element.tag == tag, ET.tostring(element)
        return element

    async def open(self):
        await self.send(OPEN)
        opened = await self.expect(f"{{{FRAMING}}}open")
        assert opened.get("from") == support.DOMAIN
        return await self.expect(f"{{{STREAMS}}}features")

    async def log_in(self):
        features = await self.open()
        names = [one.text for one in features.iter(f"{{{SASL}}}mechanism")]
        assert "PLAIN" in names, names
        assert features.find("{urn:ietf:params:xml:ns:xmpp-tls}starttls") is None
        plain = base64.b64encode(f"\0{self.name}\0{support.ACCOUNTS[self.name]}".encode()).decode()
        await self.send(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{plain}</auth>")
        await self.expect(f"{{{SASL}}}success")
        await self.open()
        await self.send("<iq xmlns='jabber:client' type='set' id='bind'>"
                        "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        bound = await self.expect("{jabber:client}iq")
        self.jid = bound.find(".//{urn:ietf:params:xml:ns:xmpp-bind}jid").text
        await self.send("<presence xmlns='jabber:client'/>")
        while (await self.next()).tag != "{jabber:client}presence":
            pass

    async def message(self):
        while True:
            element = await self.next()
            body = element.find("{jabber:client}body")
            if element.tag == "{jabber:client}message" and body is not None:
                return body.text


async def chat(romeo, juliet):
    await romeo.log_in()
    await juliet.log_in()
    for text in ("Wherefore?", "ü€🌹" * 1000, "x" * 100000):
        await romeo.send(f"<message xmlns='jabber:client' to='{juliet.jid}' type='chat'><body>{text}</body></message>")
        assert await juliet.message() == text
    for one in (romeo, juliet):
        await one.send(f"<close xmlns='{FRAMING}'/>")
        while (await one.next()).tag != f"{{{FRAMING}}}close":
            pass


async def chat_by_aiohttp(url, context, compress=0):
    import aiohttp
    async with aiohttp.ClientSession() as http:
        async def connect(name):
            socket = await http.ws_connect(url, protocols=["xmpp"], ssl=context, compress=compress)
            assert socket.protocol == "xmpp" and socket.compress == compress, socket.compress

            async def receive():
                message = await socket.receive()
                assert message.type == aiohttp.WSMsgType.TEXT, message
                return message.data
            return socket, Session(name, socket.send_str, receive)
        romeos, romeo = await connect("romeo")
        juliets, juliet = await connect("juliet")
        await romeos.ping()
        await chat(romeo, juliet)
        for one in (romeos, juliets):
            message = await asyncio.wait_for(one.receive(), support.PATIENCE)
            assert message.type == aiohttp.WSMsgType.CLOSE and message.data == 1000, message
            await one.close()


def with_aiohttp():
    asyncio.run(chat_by_aiohttp(f"wss://localhost:{HTTPS_PORT}/xmpp-websocket", trusting()))


async def chat_by_websockets(extensions=()):
    try:
        import websockets
    except ImportError:
        support.skip("python3-websockets is not installed")
    url = f"wss://localhost:{HTTPS_PORT}/xmpp-websocket"

    def connect():
        return websockets.connect(url, subprotocols=["xmpp"], ssl=trusting(), max_size=None)
    async with connect() as romeos, connect() as juliets:
        assert romeos.subprotocol == "xmpp"
        assert [type(one).__name__ for one in romeos.extensions] == list(extensions), romeos.extensions
        await asyncio.wait_for(await romeos.ping(), support.PATIENCE)
        await chat(Session("romeo", romeos.send, romeos.recv), Session("juliet", juliets.send, juliets.recv))
        await asyncio.wait_for(romeos.wait_closed(), support.PATIENCE)
        assert romeos.close_code == 1000, romeos.close_code
    # It offers compression; nothing of it is agreed to, and another subprotocol is refused.
    try:
        async with websockets.connect(url, subprotocols=["soap"], ssl=trusting()):
            raise AssertionError("another subprotocol was accepted")
    except websockets.exceptions.InvalidStatusCode as refusal:
        assert refusal.status_code == 400, refusal


def with_compression():
    """aiohttp and websockets compress when the server wants it."""
    config = os.path.join(proxies.TOP, "epode.toml")
    with open(config) as file:
        text = file.read()
    with open(config, "w") as out:
        out.write(proxies.replaced(text, "[http]\n", "[http]\nwebsocket_compression = true\n"))
    proxies.control("reload")
    asyncio.run(chat_by_aiohttp(f"wss://localhost:{HTTPS_PORT}/xmpp-websocket", trusting(), compress=15))
    asyncio.run(chat_by_websockets(["PerMessageDeflate"]))


def with_websockets():
    asyncio.run(chat_by_websockets())


def with_bosh():
    """A login over BOSH with the standard library, one connection for each request."""
    rid = int.from_bytes(os.urandom(6), "big")
    sid = ""

    def ask(payload="", attributes=""):
        nonlocal rid
        rid += 1
        body = (f"<body xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh' rid='{rid}' "
                f"{sid} {attributes}>{payload}</body>")
        request = urllib.request.Request(f"https://localhost:{HTTPS_PORT}/http-bind", body.encode(),
                                         {"Content-Type": "text/xml; charset=utf-8"})
        with urllib.request.urlopen(request, timeout=support.PATIENCE, context=trusting()) as answer:
            return ET.fromstring(answer.read())
    created = ask(attributes=f"to='{support.DOMAIN}' wait='5' hold='1' ver='1.6' xmpp:version='1.0'")
    sid = f"sid='{created.get('sid')}'"
    assert created.find(f"{{{STREAMS}}}features") is not None
    plain = base64.b64encode(f"\0romeo\0{support.ACCOUNTS['romeo']}".encode()).decode()
    assert ask(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{plain}</auth>").find(f"{{{SASL}}}success") is not None
    assert ask(attributes=f"to='{support.DOMAIN}' xmpp:restart='true'").find(f"{{{STREAMS}}}features") is not None
    bound = ask("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    jid = bound.find(".//{urn:ietf:params:xml:ns:xmpp-bind}jid").text
    got = ask(f"<message xmlns='jabber:client' to='{jid}' type='chat'><body>to myself</body></message>")
    assert got.find(".//{jabber:client}body").text == "to myself"
    assert ask(attributes="type='terminate'").get("type") == "terminate"


# Another address of this machine, so that it can't be the proxy's own.
ELSEWHERE = "127.0.0.7"


async def chat_from_elsewhere(url):
    """Whom the server believes to be talking to."""
    import aiohttp
    connector = aiohttp.TCPConnector(local_addr=(ELSEWHERE, 0), ssl=trusting())
    async with aiohttp.ClientSession(connector=connector) as http:
        socket = await http.ws_connect(url, protocols=["xmpp"])

        async def receive():
            return (await socket.receive()).data
        romeo = Session("romeo", socket.send_str, receive)
        await romeo.log_in()
        sessions = proxies.control("session", "list")
        assert ELSEWHERE in sessions, sessions
        # It came over TLS, though not over ours.
        assert re.search(romeo.jid.split("/")[1] + r".*\b(yes|true)\b", sessions), sessions
        await socket.close()


async def upload_through(front):
    """A file goes through in both directions, in pieces, as large as it is."""
    import hashlib
    from slixmpp_client import Client
    romeo = await Client("romeo", plugins=("xep_0030", "xep_0363")).online()
    content = os.urandom(3_000_000)
    answer = await romeo["xep_0363"].request_slot("upload." + support.DOMAIN, "rose.bin", len(content))
    put, get = (answer["http_upload_slot"][part]["url"].replace(f"https://localhost:{HTTPS_PORT}", front)
                for part in ("put", "get"))
    await romeo.gone()

    def fetch(url, method="GET", body=None, **fields):
        # (It would call a body a form.)
        if body:
            fields["Content-Type"] = "application/octet-stream"
        request = urllib.request.Request(url, body, fields, method=method)
        with urllib.request.urlopen(request, timeout=support.PATIENCE, context=trusting()) as answered:
            return answered.status, answered.headers, answered.read()
    status, _, _ = fetch(put, "PUT", content)
    assert status == 201, status
    status, headers, got = fetch(get)
    assert status == 200 and got == content, (status, len(got))
    assert headers["ETag"] == f'"{hashlib.sha256(content).hexdigest()}"', headers
    status, headers, got = fetch(get, Range="bytes=1000000-1000999")
    assert status == 206 and got == content[1000000:1001000], (status, len(got))


def behind(program):
    def test():
        with proxies.in_front(program):
            at = ["--resolve", f"{support.DOMAIN}:{FRONT_PORT}:127.0.0.1"]
            assert "xmpp-websocket" in curl(*at, f"{proxies.FRONT}/.well-known/host-meta")
            # What is for the operator, and what a client could say of itself.
            for path in ("metrics", "health/ready", "health/live"):
                assert curl(*at, "-o", os.devnull, "-w", "%{response_code}", f"{proxies.FRONT}/{path}") == "404", path
            url = f"wss://localhost:{FRONT_PORT}/xmpp-websocket"
            asyncio.run(chat_by_aiohttp(url, trusting()))
            asyncio.run(chat_from_elsewhere(url))
            forged = curl(*at, "--interface", ELSEWHERE, "-H", "X-Forwarded-For: 192.0.2.99",
                          "-o", os.devnull, "-w", "%{response_code}", f"{proxies.FRONT}/.well-known/host-meta")
            assert forged == "200", forged
            assert "192.0.2.99" not in logged(), "a client has chosen its own address"
            asyncio.run(upload_through(f"https://localhost:{FRONT_PORT}"))
    return test


def logged():
    with open(os.path.join(proxies.TOP, "server.log"), errors="replace") as file:
        return file.read()


def with_proxy_protocol():
    """HAProxy tells by the PROXY protocol who has come, and that he has come by TLS."""
    support.need("haproxy")
    config = os.path.join(proxies.TOP, "epode.toml")
    with open(config) as file:
        text = file.read()
    with open(config, "w") as out:
        out.write(proxies.replaced(text, "[http]\n", "[http]\nproxy_protocol = true\n"))
    proxies.control("reload")
    assert "send-proxy-v2-ssl" in proxies.control("proxy-config", "haproxy")
    behind("haproxy")()


CASES = {"curl": with_curl, "pipelining": with_pipelining, "aiohttp": with_aiohttp, "websockets": with_websockets, "compression": with_compression,
         "bosh": with_bosh, "nginx": behind("nginx"), "caddy": behind("caddy"), "haproxy": behind("haproxy"),
         "proxy_protocol": with_proxy_protocol}

if __name__ == "__main__":
    if support.SERVER == "prosody":
        support.skip("Prosody's web server is not set up here")
    support.run_case(CASES, sys.argv[1:])()
