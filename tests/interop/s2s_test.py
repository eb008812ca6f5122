#!/usr/bin/env python3
"""Epode and another server, each with its own people: s2s_test.py CASE"""
import os
import re
import shutil
import sys
import tempfile
import xml.etree.ElementTree as ET

import federation
import support

CLIENT = "{jabber:client}"


def body_of(element):
    return element.findtext(CLIENT + "body")


def hears(conn, body):
    """Waits for a message with this body; returns it."""
    return conn.wait(lambda e: e.tag == CLIENT + "message" and e.get("type") != "error" and body_of(e) == body,
                     timeout=support.PATIENCE)


def says(conn, to, body, kind="chat"):
    conn.send_raw(f"<message to='{to}' type='{kind}' id='{body}'><body>{body}</body></message>")


def sees(conn, sender, kind=None):
    """Waits for presence."""
    return conn.wait(lambda e: e.tag == CLIENT + "presence" and e.get("type") == kind and
                     e.get("from", "").startswith(sender), timeout=support.PATIENCE)


def befriend(one, other, one_address, other_address):
    one.send_raw(f"<presence type='subscribe' to='{other_address}'/>")
    sees(other, one_address, "subscribe")
    other.send_raw(f"<presence type='subscribed' to='{one_address}'/>")
    sees(one, other_address, "subscribed")
    sees(one, other_address)


def enter(conn, room, nick):
    conn.send_raw(f"<presence to='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    sees(conn, f"{room}/{nick}")


def instant(conn, room):
    """A new room is open to others at once."""
    conn.send_raw(f"<iq type='set' id='instant' to='{room}'><query xmlns='http://jabber.org/protocol/muc#owner'>"
                  "<x xmlns='jabber:x:data' type='submit'/></query></iq>")
    answer = conn.wait(lambda e: e.tag == CLIENT + "iq" and e.get("id") == "instant", timeout=support.PATIENCE)
    assert answer.get("type") == "result", ET.tostring(answer)


def meet_in(host_conn, guest_conn, room):
    enter(host_conn, room, "host")
    instant(host_conn, room)
    enter(guest_conn, room, "guest")
    sees(host_conn, room + "/guest")
    says(guest_conn, room, "from the guest", "groupchat")
    hears(host_conn, "from the guest")
    says(host_conn, room, "from the host", "groupchat")
    hears(guest_conn, "from the host")


def run(kind, trusted):
    folder = tempfile.mkdtemp(prefix="epode-s2s-")
    names = federation.NameServer()
    authority = federation.Authority(folder)
    epode = federation.Epode(folder, "capulet.example", "127.0.0.2", authority, names)
    peer = kind(folder, "montague.example", "127.0.0.3", authority, names, trusted)
    try:
        epode.start()
        peer.start()
        converse(epode, peer, trusted)
    except BaseException:
        for server in (epode, peer):
            if os.path.exists(server.log):
                print(f"--- {server.domain}\n{server.tail()}", file=sys.stderr)
        print("--- asked of the name server", *names.asked, sep="\n", file=sys.stderr)
        raise
    finally:
        for server in (epode, peer):
            server.stop()
        names.server.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def converse(epode, peer, trusted):
    for server, user in ((epode, "juliet"), (peer, "romeo")):
        server.add(user)
    juliet, romeo = epode.login("juliet"), peer.login("romeo")

    # Messages both ways.
    says(juliet, "romeo@montague.example", "first")
    assert hears(romeo, "first").get("from") == "juliet@capulet.example/test"
    says(romeo, "juliet@capulet.example", "second")
    assert hears(juliet, "second").get("from") == "romeo@montague.example/test"

    # How each side has shown who it is.
    links = epode.command("s2s", "list", "--json").stdout
    print(links)
    incoming = "certificate" if trusted else "dialback"
    assert re.search(r'"direction":\s*"in"[^}]*"shown.by":\s*"' + incoming, links), links

    # Presence, each the other's.
    befriend(juliet, romeo, "juliet@capulet.example", "romeo@montague.example")
    befriend(romeo, juliet, "romeo@montague.example", "juliet@capulet.example")

    # A room on each side.
    meet_in(juliet, romeo, "verona@conference.capulet.example")
    meet_in(romeo, juliet, "mantua@conference.montague.example")

    # The way as an operator sees it.
    explained = epode.command("s2s", "explain", "montague.example")
    assert explained.returncode == 0, explained.stdout + explained.stderr
    assert "montague.example can be reached" in explained.stdout + explained.stderr, explained.stdout

    # The other server is killed, and comes back; what was said meanwhile arrives, once and in order.
    peer.kill()
    for number in range(5):
        says(juliet, "romeo@montague.example", f"meanwhile {number}")
    juliet.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to="capulet.example")
    peer.start()
    romeo = peer.login("romeo")
    for number in range(5):
        hears(romeo, f"meanwhile {number}")
    says(romeo, "juliet@capulet.example", "back again")
    hears(juliet, "back again")

    # So is Epode, while the other one is away.
    peer.kill()
    says(juliet, "romeo@montague.example", "kept over a restart")
    # Stored when it is known, or has been tried, that the other one is away.
    support.poll("it waits", lambda: re.search(r'"queued":\s*[1-9]', epode.command("s2s", "list", "--json").stdout))
    epode.stop()
    epode.start()
    peer.start()
    romeo = peer.login("romeo")
    hears(romeo, "kept over a restart")


CASES = {
    "prosody": lambda: run(federation.Prosody, True),
    "prosody_dialback": lambda: run(federation.Prosody, False),
    "ejabberd": lambda: run(federation.Ejabberd, True),
    "ejabberd_dialback": lambda: run(federation.Ejabberd, False),
    "epode": lambda: run(federation.Epode, True),
}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in CASES:
        print("which case? " + " ".join(CASES), file=sys.stderr)
        sys.exit(2)
    CASES[sys.argv[1]]()
