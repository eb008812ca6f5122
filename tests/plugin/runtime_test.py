#!/usr/bin/env python3
"""Plugins come, go and are replaced in a real server while clients chat: nobody is disconnected, no
message is lost, doubled or out of order, and every request is answered.

  runtime_test.py EPODED EPODECTL PLUGINS FOREIGN.so

FOREIGN.so is a shared object that claims another plugin interface.
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../crash"))
import xmpplite  # noqa: E402

EPODED, EPODECTL, PLUGINS, FOREIGN = sys.argv[1:]
DOMAIN, OTHER = "capulet.example", "montague.example"
PAIRS = 3
ROUNDS = 4
PATIENCE = 30
AT_ONCE = 0.001
PING = "<ping xmlns='urn:xmpp:ping'/>"
VCARD = "<vCard xmlns='vcard-temp'/>"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


class Server:
    def __init__(self, folder):
        self.port = free_port()
        self.folder = folder
        self.plugins = os.path.join(folder, "plugins")
        shutil.copytree(PLUGINS, self.plugins)
        self.config = os.path.join(folder, "epode.toml")
        self.write_config("")
        self.log = open(os.path.join(folder, "log"), "w")
        self.process = subprocess.Popen([EPODED, "--config", self.config, "--data", folder], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log,
                                        env={**os.environ, "EPODE_PLUGINS": self.plugins})
        end = time.monotonic() + PATIENCE
        while self.run("status")[0] != 0:
            assert self.process.poll() is None and time.monotonic() < end, "the server does not start"
            time.sleep(0.05)  # lint: polls

    def write_config(self, further):
        with open(self.config, "w") as out:
            out.write(f'shards = 2\n[host."{DOMAIN}"]\n[host."{OTHER}"]\n[listen]\naddresses = ["127.0.0.1"]\n'
                      f'starttls_port = {self.port}\ntls_port = 0\n[http]\nplain_port = 0\ntls_port = 0\n[client]\nbytes_per_second = "0 B"\n'
                      + further)

    def run(self, *words, text=None):
        done = subprocess.run([EPODECTL, "--socket", os.path.join(self.folder, "control.sock"), "--yes", *words],
                              input=text, text=True, capture_output=True, timeout=PATIENCE)
        return done.returncode, done.stdout + done.stderr

    def ctl(self, *words, text=None):
        status, said = self.run(*words, text=text)
        assert status == 0, (words, said)
        return said

    def refuses(self, *words):
        status, said = self.run(*words)
        assert status == 1, (words, status, said)
        return said


class Chat(threading.Thread):
    """One writes numbered messages to the other, who reads them; both ask for something now and then."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        domain = DOMAIN if number % 2 == 0 else OTHER
        names = [f"writer{number}", f"reader{number}"]
        for name, host in zip(names, (domain, DOMAIN)):
            server.ctl("user", "add", f"{name}@{host}", "--password-file", "-", text="secret\n")
        self.writer = xmpplite.login("127.0.0.1", server.port, domain, names[0], "secret", tls="starttls")
        self.reader = xmpplite.login("127.0.0.1", server.port, DOMAIN, names[1], "secret", tls="starttls")
        self.writer.presence()
        self.reader.presence()
        self.to = f"{names[1]}@{DOMAIN}"
        self.sent = self.got = self.asked = self.answered = 0
        self.stopping = threading.Event()
        self.problem = None

    def take(self, connection, timeout):
        """Reads what is there. Whatever is no message and no answer is of no interest."""
        while True:
            try:
                stanza = connection.read(timeout)
            except xmpplite.TimeoutExpired:
                return
            body = stanza.find("{jabber:client}body")
            if stanza.tag == "{jabber:client}message" and stanza.get("type") == "error":
                raise AssertionError("a message came back: " + body.text)
            if body is not None:
                assert int(body.text) == self.got, f"message {body.text} instead of {self.got}"
                self.got += 1
            elif stanza.tag == "{jabber:client}iq" and stanza.get("type") in ("result", "error"):
                self.answered += 1
            timeout = AT_ONCE

    def step(self):
        for _ in range(20):
            self.writer.send_raw(f"<message to='{self.to}' type='chat' id='m{self.sent}'><body>{self.sent}</body>"
                                 "</message>")
            self.sent += 1
        for payload in (PING, VCARD, "<query xmlns='jabber:iq:roster'/>", "<prefs xmlns='urn:xmpp:mam:2'/>"):
            self.writer.send_raw(f"<iq type='get' id='q{self.asked}'>{payload}</iq>")
            self.asked += 1
        self.take(self.reader, 0.05)
        self.take(self.writer, AT_ONCE)

    def run(self):
        try:
            while not self.stopping.is_set():
                self.step()
            end = time.monotonic() + PATIENCE
            while (self.got < self.sent or self.answered < self.asked) and time.monotonic() < end:
                self.take(self.reader, 0.2)
                self.take(self.writer, 0.2)
        except Exception as problem:  # told by the main thread
            self.problem = problem


def check_refusals(server):
    assert "no plugin" in server.refuses("plugin", "load", "nosuch")
    for name in ("../vcard", "/etc/passwd", "Vcard"):
        server.refuses("plugin", "load", name)
    server.refuses("plugin", "unload", "nosuch")
    server.refuses("plugin", "unload", "ping", "--host", "elsewhere.example")
    # Built for another server: said clearly, and none of its code is run.
    shutil.copy(FOREIGN, os.path.join(server.plugins, "foreign.so"))
    said = server.refuses("plugin", "load", "foreign")
    assert "was built for plugin interface 4242" in said and "build it anew" in said, said
    with open(os.path.join(server.plugins, "notes.so"), "w") as out:
        out.write("not a library")
    assert "is no plugin of Epode" in server.refuses("plugin", "load", "notes")
    assert "foreign, notes" in server.ctl("plugin", "list")
    os.remove(os.path.join(server.plugins, "foreign.so"))
    os.remove(os.path.join(server.plugins, "notes.so"))
    # A file that has another plugin's name inside.
    shutil.copy(os.path.join(server.plugins, "ping.so"), os.path.join(server.plugins, "pong.so"))
    assert "calls itself" in server.refuses("plugin", "load", "pong")
    os.remove(os.path.join(server.plugins, "pong.so"))


def check_overrides(server, client):
    """What was unloaded by hand is back after a reload of the configuration."""
    def serves(payload):
        return client.iq("get", payload, to=DOMAIN).get("type") == "result"
    assert serves(PING)
    said = server.ctl("plugin", "unload", "ping")
    assert "epodectl reload" in said, said
    assert not serves(PING)
    assert "unloaded by hand" in server.ctl("plugin", "list")
    server.ctl("reload")
    assert serves(PING)
    # For one host alone.
    server.ctl("plugin", "unload", "ping", "--host", OTHER)
    assert serves(PING)
    server.ctl("plugin", "unload", "ping", "--host", DOMAIN)
    assert not serves(PING)
    server.ctl("plugin", "load", "ping")
    assert serves(PING)
    # A metric of a plugin goes with it.
    assert "epode_archive_expired_total" in server.ctl("metrics")
    server.ctl("plugin", "unload", "mam")
    assert "epode_archive_expired_total" not in server.ctl("metrics")
    server.ctl("plugin", "reload", "mam")
    assert "epode_archive_expired_total" not in server.ctl("metrics")
    server.ctl("plugin", "load", "mam")
    assert "epode_archive_expired_total" in server.ctl("metrics")
    # A mistake in the options of the plugin leaves the old one in place.
    server.write_config('[vcard]\nbytes_max = "1 B"\n')
    assert "bytes_max" in server.refuses("plugin", "reload", "vcard")
    assert client.iq("get", VCARD, to=DOMAIN).get("type") == "result"
    server.write_config('[vcard]\nbytes_max = "2 KiB"\n')
    server.ctl("plugin", "reload", "vcard")
    large = "<vCard xmlns='vcard-temp'><FN>" + "x" * 3000 + "</FN></vCard>"
    assert client.iq("set", large).get("type") == "error", "the option is in force"
    server.write_config("")
    server.ctl("reload")
    assert client.iq("set", large).get("type") == "result"


def check_state(server):
    """What a session has switched on, and what an account has said, holds over a new version of the plugin."""
    def login(name, resource):
        one = xmpplite.login("127.0.0.1", server.port, DOMAIN, name, "secret", tls="starttls", resource=resource)
        one.presence()
        return one
    for name in ("juliet", "romeo", "tybalt"):
        server.ctl("user", "add", f"{name}@{DOMAIN}", "--password-file", "-", text="secret\n")
    balcony, hall, romeo, tybalt = (login("juliet", "balcony"), login("juliet", "hall"), login("romeo", "orchard"),
                                    login("tybalt", "street"))
    assert balcony.iq("set", "<enable xmlns='urn:xmpp:carbons:2'/>").get("type") == "result"
    assert balcony.iq("set", f"<block xmlns='urn:xmpp:blocking'><item jid='tybalt@{DOMAIN}'/></block>"
                      ).get("type") == "result"
    for name in ("carbons", "blocking"):
        server.ctl("plugin", "reload", name)

    def body(stanza):
        found = stanza.find(".//{jabber:client}body")
        return "" if found is None else found.text
    hall.send_raw(f"<message to='romeo@{DOMAIN}' type='chat'><body>to romeo</body></message>")
    romeo.wait(lambda stanza: body(stanza) == "to romeo", PATIENCE)
    balcony.wait(lambda stanza: body(stanza) == "to romeo" and
                 stanza.find("{urn:xmpp:carbons:2}sent") is not None, PATIENCE)
    tybalt.send_raw(f"<message to='juliet@{DOMAIN}' type='chat'><body>to juliet</body></message>")
    tybalt.wait(lambda stanza: stanza.get("type") == "error", PATIENCE)
    for one in (balcony, hall, romeo, tybalt):
        one.close(polite=True)


def change_plugins(server):
    # Every plugin that the server comes with, one after the other.
    names = [row["plugin"] for row in json.loads(server.ctl("--json", "plugin", "list"))["rows"] if row["hosts"] != "none"]
    assert len(names) > 20, names
    for name in names:
        server.ctl("plugin", "reload", name)
    for round in range(ROUNDS):
        for name in ("ping", "vcard", "mam", "disco"):
            server.ctl("plugin", "reload", name)
        server.ctl("plugin", "unload", "vcard")
        server.ctl("plugin", "unload", "ping", "--host", OTHER)
        server.ctl("plugin", "unload", "mam")
        # As an upgrade does it: another file in its place; and, worse, the same file written over.
        path = os.path.join(server.plugins, "vcard.so")
        shutil.copy(path, path + ".new")
        os.replace(path + ".new", path)
        server.ctl("plugin", "load", "vcard")
        server.ctl("plugin", "load", "mam")
        server.ctl("plugin", "reload", "vcard")
        server.ctl("plugin", "load", "ping")
        server.ctl("plugin", "list")
        if round == 1:
            server.ctl("reload")


def main():
    with tempfile.TemporaryDirectory(prefix="epode-plugins-") as folder:
        server = Server(folder)
        chats = []
        try:
            chats = [Chat(server, number) for number in range(PAIRS)]
            check_refusals(server)
            check_overrides(server, chats[0].writer)
            check_state(server)
            for chat in chats:
                chat.start()
            change_plugins(server)
            for chat in chats:
                chat.stopping.set()
            for chat in chats:
                chat.join(2 * PATIENCE)
                assert chat.problem is None, chat.problem
                assert chat.sent > 100 and chat.got == chat.sent, (chat.got, chat.sent)
                assert chat.answered == chat.asked, (chat.answered, chat.asked)
            print(f"{sum(chat.sent for chat in chats)} messages, {sum(chat.asked for chat in chats)} requests")
            info = server.ctl("plugin", "info", "vcard")
            assert "requests: calls" in info, info
            for chat in chats:
                chat.writer.close(polite=True)
                chat.reader.close(polite=True)
            server.process.terminate()
            assert server.process.wait(PATIENCE) == 0, "the server did not stop well"
        except BaseException:
            with open(server.log.name) as log:
                sys.stderr.write(log.read()[-6000:])
            server.process.kill()
            raise


main()
