#!/usr/bin/env python3
"""The plugin in a real server: loaded while it runs, used by two clients, unloaded.

  absence_test.py EPODED EPODECTL PLUGINS absence.so
"""
import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

try:
    import slixmpp
except ImportError:
    sys.exit("python3-slixmpp is not installed")

EPODED, EPODECTL, PLUGINS, ABSENCE = sys.argv[1:]
DOMAIN = "capulet.example"
NS = "urn:example:absence:0"
PATIENCE = 20


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


class Server:
    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        # The plugins of the installation, and a place for one more.
        self.plugins = os.path.join(folder, "plugins")
        shutil.copytree(PLUGINS, self.plugins)
        self.socket = os.path.join(folder, "control.sock")
        config = os.path.join(folder, "epode.toml")
        with open(config, "w") as out:
            out.write(f'[host."{DOMAIN}"]\n[listen]\naddresses = ["127.0.0.1"]\nstarttls_port = {self.port}\n'
                      f'tls_port = 0\n')
        self.config = config
        self.certificate = os.path.join(folder, "certs", f"{DOMAIN}.pem")
        self.log = open(os.path.join(folder, "log"), "w")
        self.process = subprocess.Popen([EPODED, "--config", config, "--data", folder], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log,
                                        env={**os.environ, "EPODE_PLUGINS": self.plugins})
        end = time.monotonic() + PATIENCE
        while subprocess.run([EPODECTL, "--socket", self.socket, "status"], capture_output=True).returncode:
            assert self.process.poll() is None and time.monotonic() < end, "the server does not start"
            time.sleep(0.05)  # lint: polls

    def ctl(self, *words, text=None, fails=False):
        done = subprocess.run([EPODECTL, "--socket", self.socket, "--yes", *words], input=text, text=True,
                              capture_output=True, timeout=PATIENCE)
        assert (done.returncode != 0) == fails, (words, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def stop(self):
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0, "the server did not stop well"


class Client(slixmpp.ClientXMPP):
    def __init__(self, name, port, certificate):
        super().__init__(f"{name}@{DOMAIN}/test", "secret", sasl_mech="PLAIN")
        self.ca_certs = certificate
        self.ready = asyncio.Event()
        self.bodies = asyncio.Queue()
        self.ended = False
        self.add_event_handler("session_start", lambda _: (self.send_presence(), self.ready.set()))
        self.add_event_handler("message", lambda stanza: self.bodies.put_nowait(stanza["body"]))
        self.add_event_handler("disconnected", lambda _: setattr(self, "ended", True))
        self.connect(address=("127.0.0.1", port), force_starttls=True)

    async def ask(self, kind, text=None, to=None):
        iq = self.make_iq(itype=kind, ito=to)
        payload = slixmpp.xmlstream.ET.Element(f"{{{NS}}}absence")
        payload.text = text
        iq.append(payload)
        try:
            answer = await iq.send(timeout=PATIENCE)
        except slixmpp.exceptions.IqError as error:
            return error.iq["error"]["condition"]
        found = answer.xml.find(f"{{{NS}}}absence")
        return "" if found is None else found.text or ""

    async def next_body(self):
        return await asyncio.wait_for(self.bodies.get(), PATIENCE)

    async def settle(self):
        """All that was sent before has been handled."""
        await self.ask("get")


async def talk(server):
    juliet, romeo = (Client(name, server.port, server.certificate) for name in ("juliet", "romeo"))
    for client in (juliet, romeo):
        await asyncio.wait_for(client.ready.wait(), PATIENCE)

    assert await juliet.ask("set", "Gone") == "service-unavailable", "nobody serves it yet"
    assert "absence" in server.ctl("plugin", "load", "absence")
    assert "absence" in server.ctl("help")

    assert await juliet.ask("get") == ""
    assert await juliet.ask("set", "At the friar's until Monday") == ""
    assert await juliet.ask("get") == "At the friar's until Monday"
    assert await romeo.ask("get", to=f"juliet@{DOMAIN}") == "forbidden"
    assert await juliet.ask("set", "x" * 1025) == "not-acceptable"
    assert "friar" in server.ctl("absence", "show", f"juliet@{DOMAIN}")

    romeo.send_message(f"juliet@{DOMAIN}", "Art thou not Capulet's daughter?", mtype="chat")
    assert await juliet.next_body() == "Art thou not Capulet's daughter?"
    assert await romeo.next_body() == "At the friar's until Monday"
    romeo.send_message(f"juliet@{DOMAIN}", "Speak again", mtype="chat")
    assert await juliet.next_body() == "Speak again"
    await romeo.settle()
    assert romeo.bodies.empty(), "everybody is told once"

    # A new version takes the place of the old one; the note is in the database.
    server.ctl("plugin", "reload", "absence")
    assert await juliet.ask("get") == "At the friar's until Monday"
    server.ctl("plugin", "unload", "absence")
    assert await juliet.ask("get") == "service-unavailable"
    server.ctl("absence", "show", f"juliet@{DOMAIN}", fails=True)
    romeo.send_message(f"juliet@{DOMAIN}", "Once more", mtype="chat")
    assert await juliet.next_body() == "Once more"
    assert not juliet.ended and not romeo.ended, "nobody was disconnected"
    for client in (juliet, romeo):
        await client.disconnect(wait=2.0)


def main():
    with tempfile.TemporaryDirectory(prefix="absence-") as folder:
        server = Server(folder)
        try:
            for name in ("juliet", "romeo"):
                server.ctl("user", "add", f"{name}@{DOMAIN}", "--password-file", "-", text="secret\n")
            # The plugin comes while the server runs; a mistake in its options is refused.
            shutil.copy(ABSENCE, server.plugins)
            with open(server.config, "a") as out:
                out.write('\n[absence]\nnote_bytes_max = "1 B"\n')
            assert "note_bytes_max" in server.ctl("plugin", "load", "absence", fails=True)
            with open(server.config) as file:
                text = file.read()
            with open(server.config, "w") as out:
                out.write(text.replace('"1 B"', '"1 KiB"'))
            asyncio.get_event_loop_policy().get_event_loop().run_until_complete(talk(server))
            server.stop()
        except BaseException:
            with open(server.log.name) as log:
                sys.stderr.write(log.read()[-4000:])
            server.process.kill()
            raise


main()
