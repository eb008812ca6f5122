#!/usr/bin/python3
"""Debian's coturn takes the credentials that the server gives out: coturn_test.py CASE, run through server.py."""
import asyncio
import base64
import hashlib
import hmac
import os
import socket
import subprocess
import sys
import time

import support
from slixmpp_client import Client
from slixmpp.xmlstream import ET

NS = "urn:xmpp:extdisco:2"
TURN_PORT = int(os.environ.get("EPODE_TEST_TURN_PORT", "0"))
SECRET = os.environ.get("EPODE_TEST_TURN_SECRET", "")


class Relay:
    """coturn on the loopback, sharing a secret with the server."""

    def __enter__(self):
        self.log = os.path.join(support.FOLDER, "turnserver.log")
        # -c none: nothing of the machine's own configuration.
        command = [support.need("turnserver"), "-c", "none", "--use-auth-secret", "--static-auth-secret", SECRET,
                   "--realm", support.DOMAIN, "--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1",
                   "--listening-port", str(TURN_PORT), "--allow-loopback-peers", "--no-cli", "--no-tls", "--no-dtls",
                   "--fingerprint", "--log-file", "stdout", "--simple-log", "--verbose",
                   "--pidfile", os.path.join(support.FOLDER, "turnserver.pid"),
                   "--userdb", os.path.join(support.FOLDER, "turndb")]
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        support.poll("coturn answers on its port", self.answers)
        return self

    def answers(self):
        assert self.process.poll() is None, self.text()
        # A binding request of STUN (RFC 5389), which needs no credentials.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.2)
            asking.sendto(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + os.urandom(12), ("127.0.0.1", TURN_PORT))
            try:
                return asking.recv(1500)[:2] == b"\x01\x01"
            except OSError:
                return False

    def text(self):
        with open(self.log, errors="replace") as file:
            return file.read()[-4000:]

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)

    def allocates(self, username, password):
        """Whether a client with these credentials gets a relay address and sends through it."""
        done = subprocess.run([support.need("turnutils_uclient"), "-y", "-c", "-n", "2", "-m", "1", "-p",
                               str(TURN_PORT), "-u", username, "-w", password, "127.0.0.1"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        print(done.stdout[-600:])
        return done.returncode == 0 and "Total lost packets 0" in done.stdout


async def services():
    romeo = await Client("romeo").online()
    iq = romeo.make_iq_get(ito=support.DOMAIN)
    iq.append(ET.Element(f"{{{NS}}}services"))
    answer = await iq.send(timeout=support.PATIENCE)
    found = [service.attrib for service in answer.xml.find(f"{{{NS}}}services")]
    await romeo.gone()
    return found


def password_of(username):
    return base64.b64encode(hmac.new(SECRET.encode(), username.encode(), hashlib.sha1).digest()).decode()


async def allocation():
    found = await services()
    relay = next(service for service in found if service["type"] == "turn")
    assert relay["port"] == str(TURN_PORT) and relay["host"] == "127.0.0.1", relay
    username, password = relay["username"], relay["password"]
    with Relay() as coturn:
        assert coturn.allocates(username, password), coturn.text()
        assert not coturn.allocates(username, "x" + password[1:]), "a wrong password was taken"
        # Who makes his time longer has the wrong password for it.
        until, _, user = username.partition(":")
        assert not coturn.allocates(f"{int(until) + 3600}:{user}", password), "a forged time was taken"
        expired = f"{int(time.time()) - 60}:{user}"
        assert not coturn.allocates(expired, password_of(expired)), "expired credentials were taken"


if __name__ == "__main__":
    if support.SERVER != "epode" or not TURN_PORT:
        support.skip("this server has no TURN server configured")
    support.need("turnserver")
    support.need("turnutils_uclient")
    asyncio.run(support.run_case({"allocation": allocation}, sys.argv[1:])())
