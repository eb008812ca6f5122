#!/usr/bin/env python3
"""Epode and another server, each with its own people: s2s_test.py CASE"""
import base64
import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET

import federation
import support
import xmpplite

CLIENT = "{jabber:client}"
STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
DISCO = "http://jabber.org/protocol/disco#info"
PUBSUB = "{http://jabber.org/protocol/pubsub}"
EVENT = "{http://jabber.org/protocol/pubsub#event}"
AVATAR = "urn:xmpp:avatar:"
ROSE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==")
ROSE_ID = hashlib.sha1(ROSE).hexdigest()


# ---- what people do

def body_of(element):
    return element.findtext(CLIENT + "body")


def hears(conn, body):
    """Waits for a message with this body; returns it."""
    return conn.wait(lambda e: e.tag == CLIENT + "message" and e.get("type") != "error" and body_of(e) == body,
                     timeout=support.PATIENCE)


def hears_all(peer, conn, lines):
    """Waits for messages with these bodies, once and in order; returns the connection."""
    heard = []
    is_prompt = not peer.PUTS_ASIDE
    end = time.monotonic() + 2 * support.PATIENCE
    while len(heard) < len(lines):
        try:
            heard.append(body_of(conn.wait(
                lambda e: e.tag == CLIENT + "message" and e.get("type") != "error" and body_of(e) in lines,
                timeout=5 if peer.PUTS_ASIDE else support.PATIENCE)))
        except xmpplite.TimeoutExpired:
            if not peer.PUTS_ASIDE or time.monotonic() > end:
                raise
            # It is there when he comes once more, and no longer in its place.
            is_prompt = False
            conn.close()
            conn = peer.login("romeo")
    assert heard == lines or (not is_prompt and sorted(heard) == sorted(lines)), heard
    return conn


def says(conn, to, body, kind="chat"):
    conn.send_raw(f"<message to='{to}' type='{kind}' id='{body}'><body>{body}</body></message>")


def says_safely(conn, to, lines):
    """Its server has taken them over: what it acknowledges (XEP-0198) is not lost."""
    conn.sm_enable(resume=False)
    for line in lines:
        says(conn, to, line)
    conn.send_raw("<r xmlns='urn:xmpp:sm:3'/>")

    def acknowledged(stanza):
        if stanza.tag != xmpplite.q(xmpplite.NS_SM, "a"):
            return False
        if int(stanza.get("h")) < len(lines):
            conn.send_raw("<r xmlns='urn:xmpp:sm:3'/>")
            return False
        return True

    conn.wait(acknowledged, timeout=support.PATIENCE)


def says_and_is_heard(conn, other, body):
    says(conn, other.bare, body)
    try:
        other.wait(lambda e: e.tag == CLIENT + "message" and body_of(e) == body, timeout=1)
        return True
    except xmpplite.TimeoutExpired:
        return False


def gets_back(conn, body):
    """Waits until the message with this id comes back as an error; returns the condition."""
    error = conn.wait(lambda e: e.tag == CLIENT + "message" and e.get("type") == "error" and e.get("id") == body,
                      timeout=support.PATIENCE)
    return condition_of(error)


def condition_of(stanza):
    return next(one.tag.removeprefix(STANZAS) for one in stanza.find(CLIENT + "error") if one.tag.startswith(STANZAS)
                and one.tag != STANZAS + "text")


def sees(conn, sender, kind=None):
    """Waits for presence."""
    return conn.wait(lambda e: e.tag == CLIENT + "presence" and e.get("type") == kind and
                     e.get("from", "").startswith(sender), timeout=support.PATIENCE)


def shows(conn, what, other):
    """Its presence, and the other one sees it."""
    conn.presence(payload=f"<show>{what}</show>")
    other.wait(lambda e: e.tag == CLIENT + "presence" and e.get("from") == conn.jid and
               e.findtext(CLIENT + "show") == what, timeout=support.PATIENCE)


def asks(conn, kind, to, payload, result="result"):
    answer = conn.iq(kind, payload, to=to, timeout=support.PATIENCE)
    assert answer.get("type") == result, ET.tostring(answer)
    return answer


def befriend(one, other):
    one.send_raw(f"<presence type='subscribe' to='{other.bare}'/>")
    sees(other, one.bare, "subscribe")
    other.send_raw(f"<presence type='subscribed' to='{one.bare}'/>")
    sees(one, other.bare, "subscribed")
    sees(one, other.bare)


def enter(conn, room, nick):
    conn.send_raw(f"<presence to='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    sees(conn, f"{room}/{nick}")


def talk_in(host_conn, guest_conn, room, what):
    says(guest_conn, room, f"{what} from the guest", "groupchat")
    hears(host_conn, f"{what} from the guest")
    says(host_conn, room, f"{what} from the host", "groupchat")
    hears(guest_conn, f"{what} from the host")


def meet_in(host_conn, guest_conn, room):
    """A room on the first one's server; who comes from the other server finds what was said there."""
    enter(host_conn, room, "host")
    # A new room is open to others at once.
    asks(host_conn, "set", room, "<query xmlns='http://jabber.org/protocol/muc#owner'>"
         "<x xmlns='jabber:x:data' type='submit'/></query>")
    enter(guest_conn, room, "guest")
    sees(host_conn, room + "/guest")
    talk_in(host_conn, guest_conn, room, "first")
    archived = [body_of(message) for _, message in guest_conn.mam_query(to=room)]
    assert [body for body in archived if body] == ["first from the guest", "first from the host"], archived


# ---- avatars

def listener(conn):
    """Says that it wants to hear of avatars (XEP-0115), and answers who asks what that means."""
    features = sorted([DISCO, AVATAR + "metadata+notify"])
    text = "client/pc//epode-test<" + "".join(feature + "<" for feature in features)
    ver = base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()
    answer = (f"<query xmlns='{DISCO}' node='https://client.example#{ver}'>"
              "<identity category='client' type='pc' name='epode-test'/>" +
              "".join(f"<feature var='{feature}'/>" for feature in features) + "</query>")
    conn.presence(payload="<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://client.example' "
                  f"ver='{ver}'/>")
    return answer


def publish_avatar(conn):
    for node, item in (("data", f"<data xmlns='{AVATAR}data'>{base64.b64encode(ROSE).decode()}</data>"),
                       ("metadata", f"<metadata xmlns='{AVATAR}metadata'><info id='{ROSE_ID}' bytes='{len(ROSE)}' "
                        "type='image/png' width='1' height='1'/></metadata>")):
        asks(conn, "set", None, f"<pubsub xmlns='{PUBSUB[1:-1]}'><publish node='{AVATAR}{node}'>"
             f"<item id='{ROSE_ID}'>{item}</item></publish></pubsub>")


def gets_avatar(conn, friend):
    """Hears of the friend's avatar, and fetches it."""
    meaning = listener(conn)

    def heard(stanza):
        if stanza.tag == CLIENT + "iq" and stanza.get("type") == "get" and stanza.find(f"{{{DISCO}}}query") is not None:
            conn.send_raw(f"<iq type='result' id='{stanza.get('id')}' to='{stanza.get('from')}'>{meaning}</iq>")
        if stanza.tag != CLIENT + "message" or stanza.get("from") != friend:
            return False
        items = stanza.find(f"{EVENT}event/{EVENT}items")
        return items is not None and items.get("node") == AVATAR + "metadata"

    news = conn.wait(heard, timeout=support.PATIENCE)
    assert ROSE_ID in ET.tostring(news).decode(), ET.tostring(news)
    got = asks(conn, "get", friend, f"<pubsub xmlns='{PUBSUB[1:-1]}'><items node='{AVATAR}data'>"
               f"<item id='{ROSE_ID}'/></items></pubsub>")
    assert base64.b64decode(got.find(f".//{{{AVATAR}data}}data").text) == ROSE


# ---- blocking

def blocks(conn, other):
    asks(conn, "set", None, f"<block xmlns='urn:xmpp:blocking'><item jid='{other.bare}'/></block>")
    says(other, conn.bare, "unwanted")
    gets_back(other, "unwanted")
    asks(conn, "set", None, f"<unblock xmlns='urn:xmpp:blocking'><item jid='{other.bare}'/></unblock>")
    says(other, conn.bare, "wanted again")
    hears(conn, "wanted again")
    assert "unwanted" not in [body_of(one) for one in conn.skipped if one.tag == CLIENT + "message"]


# ---- files

def curl(server, *words):
    done = subprocess.run([support.need("curl"), "-sS", "--cacert", server.authority.certificate, "--resolve",
                           f"upload.{server.domain}:{server.https_port}:{server.host}", *words],
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def share_file(epode, conn, friend, trusted):
    """A file of one server's user is for everybody who knows where it is; slots are for its own users."""
    service = "upload." + epode.domain
    request = "<request xmlns='urn:xmpp:http:upload:0' filename='rose.png' size='%d' content-type='image/png'/>"
    slot = asks(conn, "get", service, request % len(ROSE))
    put, get = (slot.find(f".//{{urn:xmpp:http:upload:0}}{part}").get("url") for part in ("put", "get"))
    path = epode.write("rose.png", "")
    with open(path, "wb") as out:
        out.write(ROSE)
    insecure = [] if trusted else ["--insecure"]
    curl(epode, *insecure, "-f", "-T", path, put)
    says(conn, friend.bare, get)
    assert curl(epode, *insecure, "-f", body_of(hears(friend, get))) == ROSE
    refused = asks(friend, "get", service, request % 1000, "error")
    assert condition_of(refused) == "forbidden", ET.tostring(refused)


# ---- the tests

@contextlib.contextmanager
def stage(names):
    """A folder, and the servers in it that the list gets; all of it is gone in the end. What they have said is told when
    something is wrong."""
    folder = tempfile.mkdtemp(prefix="epode-s2s-")
    servers = []
    try:
        yield folder, servers
    except BaseException:
        for server in servers:
            if os.path.exists(server.log):
                print(f"--- {server.domain}\n{server.tail()}", file=sys.stderr)
        print("--- asked of the name server", *names.asked, sep="\n", file=sys.stderr)
        raise
    finally:
        for server in servers:
            server.stop()
        names.server.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def run(kind, trusted):
    names = federation.NameServer()
    with stage(names) as (folder, servers):
        authority = federation.Authority(folder)
        epode = federation.Epode(folder, "capulet.example", "127.0.0.2", authority, names, trusted,
                                 "127.0.0.2" if kind.NEEDS_ADDRESSES else None)
        peer = kind(folder, "montague.example", "127.0.0.3", authority, names, trusted)
        servers += [epode, peer]
        epode.start()
        peer.start()
        converse(epode, peer, trusted)
        peer_away(epode, peer)
        epode_away(epode, peer)


def converse(epode, peer, trusted):
    for server, user in ((epode, "juliet"), (peer, "romeo")):
        server.add(user)
    juliet, romeo = epode.login("juliet"), peer.login("romeo")

    # Messages both ways.
    says(juliet, romeo.bare, "first")
    assert hears(romeo, "first").get("from") == juliet.jid
    says(romeo, juliet.bare, "second")
    assert hears(juliet, "second").get("from") == romeo.jid

    # How each side has shown who it is.
    links = epode.command("s2s", "list", "--json").stdout
    shown = "certificate" if trusted else "(dialback|dns)"
    for direction in ("in", "out"):
        assert re.search(rf'"direction":\s*"{direction}"[^}}]*"shown.by":\s*"{shown}', links), links

    # Presence, each the other's.
    befriend(juliet, romeo)
    befriend(romeo, juliet)

    # A room on each side, with its history.
    meet_in(juliet, romeo, "verona@conference.capulet.example")
    meet_in(romeo, juliet, "mantua@conference.montague.example")

    for one, other in ((juliet, romeo), (romeo, juliet)):
        publish_avatar(one)
        gets_avatar(other, one.bare)
        blocks(one, other)
    share_file(epode, juliet, romeo, trusted)

    # The way as an operator sees it.
    explained = epode.command("s2s", "explain", "montague.example")
    assert explained.returncode == 0, explained.stdout + explained.stderr
    assert "montague.example can be reached" in explained.stdout + explained.stderr, explained.stdout
    for one in (juliet, romeo):
        one.close()


def peer_away(epode, peer):
    """The other server is killed, and comes back; what was said meanwhile arrives, once and in order."""
    juliet, romeo = epode.login("juliet"), peer.login("romeo")
    sees(juliet, romeo.jid)
    room = "padua@conference.capulet.example"
    meet_in(juliet, romeo, room)
    peer.kill()
    for number in range(5):
        says(juliet, "romeo@montague.example", f"meanwhile {number}")
    asks(juliet, "get", "capulet.example", "<ping xmlns='urn:xmpp:ping'/>")
    peer.start()
    romeo = peer.login("romeo")
    # Each hears again that the other one is there.
    sees(juliet, romeo.jid)
    romeo = hears_all(peer, romeo, [f"meanwhile {number}" for number in range(5)])
    says(romeo, juliet.bare, "back again")
    hears(juliet, "back again")
    shows(juliet, "dnd", romeo)
    # He is in the room once more, in his own place.
    enter(romeo, room, "guest")
    talk_in(juliet, romeo, room, "second")
    for one in (juliet, romeo):
        one.close()


def epode_away(epode, peer):
    """Epode is killed while there is something to be said, and while the other server is away; and it is restarted."""
    juliet, romeo = epode.login("juliet"), peer.login("romeo")
    sees(juliet, romeo.jid)
    room = "milan@conference.montague.example"
    meet_in(romeo, juliet, room)
    lines = [f"line {number}" for number in range(20)]
    says_safely(juliet, romeo.bare, lines)
    epode.kill()
    says(romeo, "juliet@capulet.example", "into the dark")
    epode.start()
    juliet = epode.login("juliet")
    for line in lines:
        hears(romeo, line)
    if not peer.FORGETS:
        sees(juliet, romeo.jid)
    support.poll("a message gets through again", lambda: says_and_is_heard(romeo, juliet, "back again"))
    shows(juliet, "away", romeo)
    shows(romeo, "xa", juliet)
    enter(juliet, room, "guest")
    talk_in(romeo, juliet, room, "third")

    # Both are away for a while.
    for end in (epode.kill, epode.stop):
        peer.kill()
        line = f"kept over a {end.__name__}"
        says_safely(juliet, "romeo@montague.example", [line])
        end()
        epode.start()
        peer.start()
        juliet, romeo = epode.login("juliet"), peer.login("romeo")
        romeo = hears_all(peer, romeo, [line])


def dane():
    """Nobody trusts Montague's certificate, and a dialback is not enough: the signed DNS is."""
    names = federation.SignedNameServer("montague.example")
    with stage(names) as (folder, servers):
        authority = federation.Authority(folder)
        epode = federation.Epode(folder, "capulet.example", "127.0.0.2", authority, names)
        peer = federation.Epode(folder, "montague.example", "127.0.0.3", authority, names, trusted=False)
        servers += [epode, peer]
        with open(os.path.join(folder, "anchors"), "w") as out:
            out.write(names.anchor())
        epode.s2s_settings = f'dialback = "never"\nbidirectional = false\ndns_trust_anchors = "{out.name}"'
        peer.s2s_settings = "bidirectional = false"
        tlsa = f"_{peer.s2s_port}._tcp.xmpp.montague.example"
        peer.start()
        right = re.search("3 1 1 [0-9a-f]{64}", peer.command("cert", "list", "--json").stdout).group()
        wrong = "3 1 1 " + "00" * 32
        for what, text, forged, part in (
                ("right", right, None, "what the signed DNS says"),
                ("wrong", wrong, None, "is not what the signed DNS says"),
                ("forged records", right, tlsa, "TLSA of " + tlsa),
                ("a forged address", right, "xmpp.montague.example", "Addresses of xmpp.montague.example"),
                ("a forged service", right, "_xmpp-server._tcp.montague.example", "SRV of _xmpp-server"),
                ("none", None, None, "isn't trusted")):
            names.records.pop((tlsa, 52), None)
            if text:
                names.tlsa(tlsa, text)
            names.forged = {forged}
            names.asked.clear()
            # It keeps what it was answered.
            epode.stop()
            epode.start()
            explained = epode.command("s2s", "explain", "montague.example")
            said = explained.stdout + explained.stderr
            assert part in " ".join(said.split()) or part in said, f"{what}: {said}"
            assert ("believes our certificate" in said) == (what == "right"), f"{what}: {said}"
            print(what + ": as it should be")


def auto():
    """Who has no certificate that others trust is not there for them, until a reload brings one."""
    names = federation.NameServer()
    with stage(names) as (folder, servers):
        authority = federation.Authority(folder)
        epode = federation.Epode(folder, "capulet.example", "127.0.0.2", authority, names, trusted=False)
        peer = federation.Epode(folder, "montague.example", "127.0.0.3", authority, names)
        servers += [epode, peer]
        epode.s2s_enabled = '"auto"'
        epode.serves_others = False
        epode.start()
        peer.start()

        def said(*words):
            done = epode.command(*words)
            return " ".join((done.stdout + done.stderr).split())

        def is_off(why):
            assert not epode.listens(epode.s2s_port)
            for words in (["list"], ["show", "montague.example"], ["explain", "montague.example"],
                          ["ping", "montague.example"]):
                answer = said("s2s", *words)
                assert "Federation is off" in answer and why in answer, answer
            assert why in said("status"), said("status")

        is_off("capulet.example: it is signed by itself")
        epode.add("juliet")
        juliet = epode.login("juliet")
        says(juliet, "romeo@montague.example", "too early")
        error = juliet.wait(lambda e: e.tag == CLIENT + "message" and e.get("type") == "error", timeout=support.PATIENCE)
        assert error.find(f".//{STANZAS}remote-server-not-found") is not None, ET.tostring(error)

        # A reload with the same certificate changes nothing, one with a better one does.
        said("reload")
        is_off("capulet.example: it is signed by itself")
        authority.certify("capulet.example")
        said("reload")
        assert epode.listens(epode.s2s_port)
        assert "federation on" in said("status"), said("status")
        with open(epode.log) as log:
            told = [line for line in log if "federation is on" in line]
        assert len(told) == 1 and "capulet.example" in told[0], told
        peer.add("romeo")
        romeo = peer.login("romeo")
        says(juliet, romeo.bare, "at last")
        hears(romeo, "at last")
        says(romeo, juliet.bare, "I hear")
        hears(juliet, "I hear")
        assert "montague.example can be reached" in said("s2s", "explain", "montague.example")

        # Links are not cut off by a worse one, but a restart begins without.
        authority.certify("capulet.example", trusted=False)
        said("reload")
        assert epode.listens(epode.s2s_port)
        epode.stop()
        epode.start()
        is_off("signed by itself")
        epode.stop()
        epode.s2s_enabled = "false"
        epode.start()
        is_off("s2s.enabled is false")


def refusal(conn, domain):
    """The text of the error that a request to the domain comes back with."""
    conn.send_raw(f"<iq type='get' id='q' to='{domain}'><ping xmlns='urn:xmpp:ping'/></iq>")
    error = conn.wait(lambda e: e.tag == CLIENT + "iq" and e.get("type") == "error", timeout=support.PATIENCE)
    return " ".join(error.itertext())


def certificates():
    """What a certificate lacks is found and told on both sides, where no dialback helps it."""
    names = federation.NameServer()
    with stage(names) as (folder, servers):
        authority = federation.Authority(folder)
        epode = federation.Epode(folder, "capulet.example", "127.0.0.2", authority, names)
        peer = federation.Epode(folder, "montague.example", "127.0.0.3", authority, names)
        servers += [epode, peer]
        epode.s2s_settings = 'dialback = "never"'
        for server in servers:
            server.start()
        epode.add("juliet")
        peer.add("romeo")
        juliet, romeo = epode.login("juliet"), peer.login("romeo")
        for what, made, cause in (
                ("one of its own", {"trusted": False}, "self-signed certificate"),
                ("one that has run out", {"days": -1}, "certificate has expired"),
                ("one for another name", {"names": "paris.example"}, "not for montague.example but for paris.example")):
            authority.certify("montague.example", **made)
            peer.command("reload")
            explained = epode.command("s2s", "explain", "montague.example")
            said = " ".join((explained.stdout + explained.stderr).split())
            assert cause in said and "montague.example can't be reached" in said, f"{what}: {said}"
            # Out: it comes back with the cause. In: it is refused, and the line has domain and cause.
            said_before = len(epode.said())
            # For a moment it is the cause of the attempt before.
            support.poll(what + " comes back with its cause", lambda: cause in refusal(juliet, "montague.example"))
            says(romeo, juliet.bare, what)
            support.poll(what + " is told", lambda: any(
                "doesn't show who it is" in line and "montague.example" in line and cause in line
                for line in epode.said()[said_before:].splitlines()))
            print(what + ": as it should be")
        # All of it waits, and arrives when there is nothing to be said against the certificate.
        authority.certify("montague.example")
        peer.command("reload")
        for what in ("one of its own", "one that has run out", "one for another name"):
            hears(juliet, what)


CASES = {
    "prosody": lambda: run(federation.Prosody, True),
    "prosody_dialback": lambda: run(federation.Prosody, False),
    "ejabberd": lambda: run(federation.Ejabberd, True),
    "ejabberd_dialback": lambda: run(federation.Ejabberd, False),
    "epode": lambda: run(federation.Epode, True),
    "epode_dialback": lambda: run(federation.Epode, False),
    "dane": dane,
    "auto": auto,
    "certificates": certificates,
}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in CASES:
        print("which case? " + " ".join(CASES), file=sys.stderr)
        sys.exit(2)
    CASES[sys.argv[1]]()
