#!/usr/bin/python3
"""SASL2, Bind 2 and FAST as written down from the specifications, with nothing of the server's code:
no client in Debian 12 has them yet. sasl2_test.py CASE, run through server.py."""
import base64
import hashlib
import hmac
import os
import socket
import ssl
import sys
import xml.etree.ElementTree as ET

import support

ROMEO = "romeo"
AGENT = "d4565fa7-4d72-4749-b3d3-740edbf87770"
SASL2, BIND2, FAST, SM = "urn:xmpp:sasl:2", "urn:xmpp:bind:0", "urn:xmpp:fast:0", "urn:xmpp:sm:3"
STREAM = "http://etherx.jabber.org/streams"
UPGRADE, SCRAM_UPGRADE, CAM = "urn:xmpp:sasl:upgrade:0", "urn:xmpp:scram-upgrade:0", "urn:xmpp:cam:0"
CLIENT = "jabber:client"


def b64(data):
    return base64.b64encode(data).decode()


class Stream:
    """A connection with direct TLS; `reads` counts how often it had to wait for the server."""

    def __init__(self, session=None, version=None):
        context = ssl.create_default_context(cafile=support.CA)
        context.set_alpn_protocols(["xmpp-client"])
        if version:
            context.maximum_version = version
        self.context = context if session is None else session[0]
        plain = socket.create_connection((support.HOST, support.TLS_PORT), timeout=support.PATIENCE)
        self.tls = self.context.wrap_socket(plain, server_hostname=support.DOMAIN,
                                            session=None if session is None else session[1])
        self.parser = ET.XMLPullParser(["start", "end"])
        self.depth = 0
        self.waiting = []
        self.reads = 0

    def send(self, text):
        self.tls.sendall(text.encode())

    def header(self):
        return (f"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='{STREAM}' version='1.0' "
                f"to='{support.DOMAIN}' from='{support.address(ROMEO)}'>")

    def next(self):
        """The next element of the first level."""
        while not self.waiting:
            data = self.tls.recv(65536)
            assert data, "the server has closed the connection"
            self.reads += 1
            self.parser.feed(data)
            for event, element in self.parser.read_events():
                self.depth += 1 if event == "start" else -1
                if event == "end" and self.depth == 1:
                    self.waiting.append(element)
        return self.waiting.pop(0)

    def expect(self, ns, name):
        element = self.next()
        assert element.tag == "{%s}%s" % (ns, name), ET.tostring(element)
        return element

    def open(self):
        self.send(self.header())
        return self.expect(STREAM, "features").find("{%s}authentication" % SASL2)

    def end_point(self):
        # RFC 5929, 4.1; the server's certificate is signed with SHA-256.
        return hashlib.sha256(self.tls.getpeercert(binary_form=True)).digest()

    def close(self):
        session = (self.context, self.tls.session)
        self.send("</stream:stream>")
        try:
            while self.tls.recv(65536):
                pass
        except (ssl.SSLError, OSError):
            pass
        self.tls.close()
        return session


def authenticate(mechanism, message, more=""):
    return (f"<authenticate xmlns='{SASL2}' mechanism='{mechanism}'><initial-response>{b64(message)}"
            f"</initial-response><user-agent id='{AGENT}'><software>test</software><device>sofa</device>"
            f"</user-agent>{more}</authenticate>")


def scram(stream, more="", name="SCRAM-SHA-256", hash_name="sha256"):
    """Logs in; <success/> or <continue/>, of which the proof of the server was checked."""
    password = support.ACCOUNTS[ROMEO].encode()
    nonce = b64(os.urandom(18))
    bare = f"n={ROMEO},r={nonce}"
    stream.send(authenticate(name, f"n,,{bare}".encode(), more))
    first = base64.b64decode(stream.expect(SASL2, "challenge").text).decode()
    fields = dict(part.split("=", 1) for part in first.split(","))
    assert fields["r"].startswith(nonce)
    salted = hashlib.pbkdf2_hmac(hash_name, password, base64.b64decode(fields["s"]), int(fields["i"]))
    final = f"c=biws,r={fields['r']}"
    message = f"{bare},{first},{final}".encode()
    client_key = hmac.digest(salted, b"Client Key", hash_name)
    signature = hmac.digest(hashlib.new(hash_name, client_key).digest(), message, hash_name)
    proof = bytes(a ^ b for a, b in zip(client_key, signature))
    stream.send(f"<response xmlns='{SASL2}'>" + b64(f"{final},p={b64(proof)}".encode()) + "</response>")
    outcome = stream.next()
    data = outcome.findtext("{%s}additional-data" % SASL2)
    assert data, ET.tostring(outcome)
    server = hmac.digest(hmac.digest(salted, b"Server Key", hash_name), message, hash_name)
    assert base64.b64decode(data) == b"v=" + b64(server).encode(), "the server has not proved itself"
    return outcome


def by_token(stream, token, mechanism, more=""):
    binding = stream.end_point() if mechanism.endswith("ENDP") else b""
    proof = hmac.digest(token.encode(), b"Initiator" + binding, "sha256")
    return authenticate(mechanism, ROMEO.encode() + b"\0" + proof, f"<fast xmlns='{FAST}'/>" + more), binding


def bind(inside=""):
    return f"<bind xmlns='{BIND2}'><tag>test</tag>{inside}</bind>"


def identity(success):
    assert success.tag == "{%s}success" % SASL2, ET.tostring(success)
    return success.findtext("{%s}authorization-identifier" % SASL2)


def token_of(mechanism):
    stream = Stream()
    stream.open()
    success = scram(stream, f"<request-token xmlns='{FAST}' mechanism='{mechanism}'/>")
    token = success.find("{%s}token" % FAST).get("token")
    stream.expect(STREAM, "features")
    return token, stream.close()


def offer():
    stream = Stream()
    authentication = stream.open()
    inline = authentication.find("{%s}inline" % SASL2)
    assert inline.find("{%s}sm" % SM) is not None
    features = [f.get("var") for f in inline.iter("{%s}feature" % BIND2)]
    assert SM in features, features
    mechanisms = [m.text for m in inline.iter("{%s}mechanism" % FAST)]
    assert "HT-SHA-256-ENDP" in mechanisms and "HT-SHA-256-NONE" in mechanisms, mechanisms
    stream.close()


def password():
    for name, hash_name in (("SCRAM-SHA-256", "sha256"), ("SCRAM-SHA-1", "sha1")):
        stream = Stream()
        stream.open()
        success = scram(stream, bind(f"<enable xmlns='{SM}' resume='true'/>"), name, hash_name)
        assert identity(success).startswith(support.address(ROMEO) + "/test/")
        bound = success.find("{%s}bound" % BIND2)
        assert bound.find("{%s}enabled" % SM).get("id")
        assert bound.find("{urn:xmpp:mam:2}metadata") is not None
        stream.expect(STREAM, "features")
        stream.send("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert stream.expect(CLIENT, "iq").get("type") == "result"
        stream.close()


def token():
    """A client that comes back: a TLS session resumed, and one round trip after it."""
    for mechanism in ("HT-SHA-256-ENDP", "HT-SHA-256-NONE"):
        secret, session = token_of(mechanism)
        stream = Stream(session)
        assert stream.tls.session_reused, "the TLS session was not resumed"
        request, binding = by_token(stream, secret, mechanism, bind())
        stream.send(stream.header() + request)
        stream.expect(STREAM, "features")
        success = stream.next()
        assert identity(success).startswith(support.address(ROMEO) + "/test/")
        proof = base64.b64decode(success.findtext("{%s}additional-data" % SASL2))
        assert proof == hmac.digest(secret.encode(), b"Responder" + binding, "sha256")
        stream.expect(STREAM, "features")
        stream.close()

        stream = Stream()
        stream.open()
        request, binding = by_token(stream, secret + "x", mechanism)
        stream.send(request)
        failure = stream.expect(SASL2, "failure")
        assert failure[0].tag == "{urn:ietf:params:xml:ns:xmpp-sasl}not-authorized", ET.tostring(failure)
        stream.close()


def resumption():
    secret, session = token_of("HT-SHA-256-ENDP")
    stream = Stream(session)
    stream.open()
    request, _ = by_token(stream, secret, "HT-SHA-256-ENDP", bind(f"<enable xmlns='{SM}' resume='true'/>"))
    stream.send(request)
    success = stream.next()
    full = identity(success)
    sm_id = success.find("{%s}bound/{%s}enabled" % (BIND2, SM)).get("id")
    stream.tls.close()  # without a word

    again = Stream()
    again.open()
    request, _ = by_token(again, secret, "HT-SHA-256-ENDP",
                          f"<resume xmlns='{SM}' previd='{sm_id}' h='0'/>" + bind())
    again.send(request)
    success = again.next()
    assert identity(success) == full
    assert success.find("{%s}resumed" % SM).get("previd") == sm_id
    again.send("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
    while again.next().get("id") != "1":
        pass
    again.close()


def devices():
    secret, _ = token_of("HT-SHA-256-NONE")
    stream = Stream()
    stream.open()
    request, _ = by_token(stream, secret, "HT-SHA-256-NONE", bind())
    stream.send(request)
    identity(stream.next())
    stream.expect(STREAM, "features")
    stream.send(f"<iq type='get' id='list'><list xmlns='{CAM}'/></iq>")
    clients = stream.expect(CLIENT, "iq").findall("{%s}clients/{%s}client" % (CAM, CAM))
    mine = [c for c in clients if c.findtext("{%s}user-agent/{%s}software" % (CAM, CAM)) == "test"]
    assert len(mine) == 1 and mine[0].get("connected") == "true", clients
    assert mine[0].find("{%s}auth/{%s}fast" % (CAM, CAM)) is not None
    stream.send(f"<iq type='set' id='end'><revoke xmlns='{CAM}' id='{mine[0].get('id')}'/></iq>")
    answer = stream.expect(CLIENT, "iq")
    assert answer.find(".//{%s}password-reset-required" % CAM) is not None, ET.tostring(answer)
    assert stream.expect(STREAM, "error")[0].tag.endswith("}not-authorized")

    again = Stream()
    again.open()
    request, _ = by_token(again, secret, "HT-SHA-256-NONE", bind())
    again.send(request)
    again.expect(SASL2, "failure")
    again.close()


CASES = {"offer": offer, "password": password, "token": token, "resumption": resumption, "devices": devices}

if __name__ == "__main__":
    support.run_case(CASES, sys.argv[1:])()
