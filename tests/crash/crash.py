#!/usr/bin/env python3
"""What does an XMPP server lose that it had acknowledged?

Senders (XEP-0198 enabled) send numbered messages and note up to which one the server
has acknowledged (<a h=.../>).  The server is killed (default SIGKILL) at a random moment,
started again, and the receiver collects what it can: resumption, offline messages, archive
(XEP-0313).  An acknowledged message that is nowhere is a loss.  See README.md.
"""
import argparse
import datetime
import json
import os
import random
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time

import xmpplite as x

SM_A, SM_R = x.q(x.NS_SM, "a"), x.q(x.NS_SM, "r")


def log(*a):
    print(*a, file=sys.stderr, flush=True)


class Server:
    def __init__(self, opt):
        self.opt = opt
        self.proc = None

    def start(self):
        t0 = time.monotonic()
        # Somebody else's server would be sent to, never killed, and found to lose nothing.
        if x.wait_port(self.opt.host, self.opt.port, 0.01):
            raise SystemExit("port %d is taken by another program" % self.opt.port)
        out = open(self.opt.server_log, "ab") if self.opt.server_log else subprocess.DEVNULL
        self.proc = subprocess.Popen(shlex.split(self.opt.start), stdin=subprocess.DEVNULL,
                                     stdout=out, stderr=out, start_new_session=True)
        if not x.wait_port(self.opt.host, self.opt.port, self.opt.start_timeout,
                           lambda: self.proc.poll() is None):
            raise SystemExit("server did not open its port (exit code %s)" % self.proc.poll())
        return time.monotonic() - t0

    def kill(self, sig):
        """The process we started, and for SIGKILL its children too."""
        ids = x.descendants(self.proc.pid) if sig == signal.SIGKILL else [self.proc.pid]
        for p in ids:
            try:
                os.kill(p, sig)
            except ProcessLookupError:
                pass

    def wait_dead(self, seconds=30):
        try:
            self.proc.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill(signal.SIGKILL)
            self.proc.wait(10)


class Sender:
    """One SM-enabled sender; stanzas[i] is the message id of the (i+1)-th counted stanza."""

    def __init__(self, opt, user, pw, to, typ, rnd, idx):
        self.opt, self.user, self.pw, self.to, self.typ, self.rnd, self.idx = opt, user, pw, to, typ, rnd, idx
        self.stanzas, self.h, self.n, self.dead = [], 0, 0, False
        self.errors, self.got = 0, 0
        self.c = x.login(opt.host, opt.port, opt.domain, user, pw, tls=opt.tls, resource="snd%d" % idx,
                         timeout=opt.timeout)
        mam_always(self.c)
        self.smid = self.c.sm_enable().get("id")
        self.since_r = 0

    def count(self, raw, mid=None):
        self.c.send_raw(raw)
        self.stanzas.append(mid)

    def join(self, room):
        self.count("<presence to='%s/s%d'><x xmlns='http://jabber.org/protocol/muc'>"
                   "<history maxstanzas='0'/></x></presence>" % (room, self.idx))
        self.c.wait(lambda e: x.local(e.tag) == "presence" and e.get("from") == "%s/s%d" % (room, self.idx))

    def pump(self):
        inflight = len(self.stanzas) - self.h
        if inflight >= self.opt.window:
            return
        buf = []
        for _ in range(min(self.opt.burst, self.opt.window - inflight)):
            self.n += 1
            mid = "r%d-s%d-%d" % (self.rnd, self.idx, self.n)
            buf.append("<message to='%s' type='%s' id='%s'><body>%s %s</body></message>"
                       % (self.to, self.typ, mid, mid, self.opt.pad))
            self.stanzas.append(mid)
            self.since_r += 1
            if self.since_r >= self.opt.ack_every:
                buf.append("<r xmlns='%s'/>" % x.NS_SM)
                self.since_r = 0
        self.c.send_raw("".join(buf))

    def take(self, el):
        # A room says everything to its senders, too: a server that is never told that they have got
        # it ends their sessions when its queue for them is full.
        if x.local(el.tag) in ("message", "iq", "presence"):
            self.got += 1
        if el.tag == SM_A:
            self.h = max(self.h, int(el.get("h")))
        elif el.tag == SM_R:
            self.c.send_raw("<a xmlns='%s' h='%d'/>" % (x.NS_SM, self.got))
        elif x.local(el.tag) == "message" and el.get("type") == "error":
            self.errors += 1

    def acked(self):
        return [m for m in self.stanzas[: self.h] if m]


class Receiver:
    def __init__(self, opt, user, pw):
        self.opt, self.user, self.pw = opt, user, pw
        self.live, self.h, self.c, self.smid = [], 0, None, None

    def online(self, resource="rcv"):
        o = self.opt
        self.c = x.login(o.host, o.port, o.domain, self.user, self.pw, tls=o.tls, resource=resource, timeout=o.timeout)
        mam_always(self.c)
        self.smid = self.c.sm_enable().get("id")
        self.c.presence()

    def take(self, el):
        t = x.local(el.tag)
        if t in ("message", "iq", "presence"):
            self.h += 1
            if t == "message" and el.find(x.q(x.NS_CLIENT, "body")) is not None and el.get("type") != "error":
                self.live.append(el.get("id"))
        elif el.tag == SM_R:
            self.c.send_raw("<a xmlns='%s' h='%d'/>" % (x.NS_SM, self.h))


def mam_always(c):
    try:
        c.iq("set", "<prefs xmlns='%s' default='always'/>" % x.NS_MAM, timeout=5)
    except x.XmppError:
        pass


def pump_reads(parts, wait):
    """Read what is there for every participant, waiting at most `wait` seconds once."""
    p = select.poll()
    fds = {}
    for part in parts:
        if part.c is None or part.c.eof:
            continue
        fds[part.c.sock.fileno()] = part
        p.register(part.c.sock.fileno(), select.POLLIN)
    ready = {fd for fd, _ in p.poll(wait * 1000)} if fds else set()
    for fd, part in fds.items():
        pend = part.c.sock.pending() if hasattr(part.c.sock, "pending") else 0
        if fd in ready or pend or part.c.queue:
            data = part.c.recv_raw(0)
            if data:
                part.c._feed(data)
            while part.c.queue:
                try:
                    part.take(part.c.queue.pop(0))
                except x.XmppError:
                    break


def try_resume(opt, who, smid, h):
    """What does the restarted server answer to <resume/>?"""
    if not smid:
        return {"result": "no-id"}
    c = None
    try:
        c = x.Conn(opt.host, opt.port, opt.domain, tls=opt.tls, timeout=opt.timeout)
        c.negotiate()
        c.auth(who.user, who.pw)
        c.open_stream()
        c.send_raw("<resume xmlns='%s' previd=%s h='%d'/>" % (x.NS_SM, x.quoteattr(smid), h))
        el = c.wait(lambda e: e.tag in (x.q(x.NS_SM, "resumed"), x.q(x.NS_SM, "failed")))
        res = {"result": x.local(el.tag), "h": el.get("h"), "cond": ",".join(x.local(e.tag) for e in el) or None}
        if res["result"] == "resumed":
            res["_conn"] = c
        else:
            c.close()
        return res
    except (x.XmppError, OSError) as e:
        if c is not None:
            c.close()
        return {"result": "error", "cond": str(e)}


def run_round(opt, srv, rnd, rng):
    room = "%s@%s" % (opt.room, opt.muc) if opt.mode == "muc" else None
    to = room or "%s@%s" % (opt.receiver[0], opt.domain)
    start_stamp = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    rcv = Receiver(opt, *opt.receiver)
    if opt.mode == "offline":
        c = x.login(opt.host, opt.port, opt.domain, *opt.receiver, tls=opt.tls, timeout=opt.timeout)
        mam_always(c)
        c.close(polite=True)
    else:
        rcv.online("rcv%d" % rnd)
    senders = [Sender(opt, u, p, to, "groupchat" if room else "chat", rnd, i) for i, (u, p) in enumerate(opt.senders)]
    if room:
        # A new room is closed to others until its owner has configured it (XEP-0045, 10.1).
        senders[0].join(room)
        if rnd == 1:  # take the room as it is by default, made non-temporary where it can be
            senders[0].count("<iq type='set' id='cfg' to='%s'><query xmlns='http://jabber.org/protocol/muc#owner'>"
                             "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig"
                             "</value></field><field var='muc#roomconfig_persistentroom'><value>1</value></field></x></query></iq>" % room)
            senders[0].c.wait(lambda e: e.get("id") == "cfg")
        for s in senders[1:]:
            s.join(room)
        rcv.c.send_raw("<presence to='%s/rcv'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>" % room)
        time.sleep(0.3)
    if opt.mode == "hibernating":
        time.sleep(0.3)
        pump_reads([rcv], 0.1)
        rcv.c.sock.close()
        rcv.c.eof = True
        time.sleep(0.3)
    strace = None
    if opt.fsync:
        sf = "/tmp/crash-strace.%d" % os.getpid()
        strace = subprocess.Popen(["strace", "-f", "-c", "-e", "trace=fsync,fdatasync,msync,sync_file_range", "-o", sf,
                                   "-p", str(srv.proc.pid)], stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        time.sleep(1.0)
    t0 = time.monotonic()
    kill_after = rng.uniform(opt.seconds * 0.4, opt.seconds)
    killed = threading.Event()

    def do_kill():
        srv.kill(opt.sig)
        killed.set()

    timer = threading.Timer(kill_after, do_kill)
    timer.daemon = True
    timer.start()
    parts = senders + [rcv]
    while not killed.is_set() and time.monotonic() - t0 < opt.seconds + 20:
        for s in senders:
            if not s.dead:
                try:
                    s.pump()
                except x.XmppError:
                    s.dead = True
        pump_reads(parts, 0.002 if not all(s.dead for s in senders) else 0.02)
    # read what the server had already put on the wire before it died
    end = time.monotonic() + (10 if opt.sig != signal.SIGKILL else 3)
    while time.monotonic() < end and any(p.c is not None and not p.c.eof for p in parts):
        pump_reads(parts, 0.2)
    dur = kill_after
    srv.wait_dead()
    fsyncs = None
    if strace:
        try:
            strace.wait(5)
        except subprocess.TimeoutExpired:
            strace.send_signal(signal.SIGINT)
            strace.wait(5)
        fsyncs = {}
        with open(sf) as f:
            for line in f:
                w = line.split()
                if len(w) >= 5 and w[-1] in ("fsync", "fdatasync", "msync", "sync_file_range"):
                    fsyncs[w[-1]] = int(w[3])
        os.unlink(sf)
    for p in parts:
        if p.c is not None:
            p.c.close()
    acked = [m for s in senders for m in s.acked()]
    sent = sum(s.n for s in senders)
    # ---------------------------------------------------------------- restart
    t_start = time.monotonic()
    boot = srv.start()
    resume_rcv = try_resume(opt, rcv, rcv.smid, rcv.h) if rcv.smid else None
    resume_snd = try_resume(opt, senders[0], senders[0].smid, 0)
    later = []
    for r in (resume_rcv, resume_snd):
        c = r and r.pop("_conn", None)
        if c is not None and r is resume_rcv:
            later += collect(c, 1.5)
        if c is not None:
            c.close()
    c = x.login(opt.host, opt.port, opt.domain, *opt.receiver, tls=opt.tls, resource="after", timeout=opt.timeout)
    ready = time.monotonic() - t_start
    c.presence()
    later += collect(c, opt.settle)
    arch_r, arch_err = [], None
    if room:
        c.send_raw("<presence to='%s/rcv2'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>" % room)
        collect(c, 1.0)
    try:
        arch_r = [m.get("id") for _, m in c.mam_query(to=room, start=start_stamp, page=opt.page, timeout=60) if m is not None]
    except x.XmppError as e:
        arch_err = str(e)
    c.close(polite=True)
    arch_s = None
    if not room:
        arch_s = []
        for s in senders:
            c = x.login(opt.host, opt.port, opt.domain, s.user, s.pw, tls=opt.tls, timeout=opt.timeout)
            try:
                arch_s += [m.get("id") for _, m in c.mam_query(start=start_stamp, page=opt.page, timeout=60) if m is not None]
            except x.XmppError as e:
                arch_err = (arch_err or "") + " sender:" + str(e)
            c.close(polite=True)
    mine = "r%d-" % rnd
    sa, sl, so = set(arch_r), set(rcv.live), set(later)
    gone = [m for m in acked if m not in sa and m not in sl and m not in so]
    no_arch = [m for m in acked if m not in sa]
    no_deliv = [m for m in acked if m not in sl and m not in so]
    order = []
    for s in senders:
        pre = "r%d-s%d-" % (rnd, s.idx)
        seq = [int(m[len(pre):]) for m in arch_r if m and m.startswith(pre)]
        order.append(sum(1 for a, b in zip(seq, seq[1:]) if b <= a))
    dup = sum(1 for m in arch_r if m and m.startswith(mine)) - len({m for m in sa if m and m.startswith(mine)})
    res = {
        "round": rnd, "traffic_s": round(dur, 2), "sent": sent, "acked": len(acked),
        "acked_per_s": round(len(acked) / dur, 1),
        "delivered_live": len([m for m in rcv.live if m and m.startswith(mine)]),
        "delivered_after_restart": len([m for m in later if m and m.startswith(mine)]),
        "in_receiver_archive": len([m for m in sa if m and m.startswith(mine)]),
        "in_sender_archive": None if arch_s is None else len({m for m in arch_s if m and m.startswith(mine)}),
        "acked_but_lost": len(gone),
        "acked_missing_in_receiver_archive": len(no_arch),
        "acked_missing_in_sender_archive": None if arch_s is None else len([m for m in acked if m not in set(arch_s)]),
        "acked_not_delivered_without_archive": len(no_deliv),
        "archive_duplicates": dup, "archive_order_breaks": sum(order),
        "error_bounces": sum(s.errors for s in senders),
        "resume_receiver": resume_rcv, "resume_sender": resume_snd,
        "port_open_s": round(boot, 2), "login_ok_s": round(ready, 2),
        "archive_error": arch_err, "fsyncs": fsyncs,
        "lost_examples": gone[:5],
    }
    return res


def run_round_xmppload(opt, srv, rnd, rng):
    """The same with the load generator as senders and receivers, where Python would be the limit."""
    tls = "starttls" if opt.tls == "auto" else opt.tls
    common = ["--host", opt.host, "--port", str(opt.port), "--domain", opt.domain, "--tls", tls,
              "--user", "crash-u%d", "--password", "pw-crash"]
    notes = os.path.join(opt.notes_dir, "notes-%d" % rnd)
    out = open(os.path.join(opt.notes_dir, "out-%d" % rnd), "w+")
    driver = subprocess.Popen([opt.driver, "crash", *common, "--pairs", str(opt.sends), "--mode", opt.mode,
                               "--window", str(opt.window), "--sm-req", str(opt.ack_every), "--size", str(opt.body),
                               "--round", str(rnd), "--notes", notes, "--duration", str(opt.seconds + 30)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if driver.stdout.readline().strip() != "sending":
        raise x.XmppError("the driver could not log in")
    kill_after = rng.uniform(opt.seconds * 0.4, opt.seconds)
    time.sleep(kill_after)
    srv.kill(opt.sig)
    sent = json.loads(driver.communicate(timeout=60)[0].strip().splitlines()[-1])
    srv.wait_dead()
    t_start = time.monotonic()
    boot = srv.start()
    x.login(opt.host, opt.port, opt.domain, "crash-u1", "pw-crash", tls=opt.tls, timeout=opt.timeout).close(polite=True)
    ready = time.monotonic() - t_start
    done = subprocess.run([opt.driver, "verify", *common, "--notes", notes, "--settle", str(opt.settle),
                           "--page", str(opt.page)], stdin=subprocess.DEVNULL, stdout=out, timeout=600)
    out.seek(0)
    lines = out.read().strip().splitlines()
    if done.returncode != 0 or not lines:
        raise x.XmppError("not every archive could be read: " + (lines[-1] if lines else "no answer"))
    found = json.loads(lines[-1])
    res = {"round": rnd, "traffic_s": round(kill_after, 2), "port_open_s": round(boot, 2), "login_ok_s": round(ready, 2)}
    res.update({k: sent[k] for k in ("sent", "acked", "acked_per_s", "delivered_live", "live_duplicates", "error_bounces")})
    res.update({k: found[k] for k in found if k not in ("scenario", "tls", "mech", "sm", "sent", "acked")})
    if opt.fail_on_doubt and (found["never_sent"] or sent["alien"]):
        raise x.XmppError("messages came up that nobody had sent, or at the wrong receiver")
    return res


def register_for_xmppload(opt):
    tls = "starttls" if opt.tls == "auto" else opt.tls
    subprocess.run([opt.driver, "register", "--host", opt.host, "--port", str(opt.port), "--domain", opt.domain,
                    "--tls", tls, "--user", "crash-u%d", "--password", "pw-crash", "--n", str(2 * opt.sends)],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)


def collect(c, quiet, most=60):
    """Message ids that come in until nothing has come for `quiet` seconds."""
    out, end = [], time.monotonic() + most
    while time.monotonic() < end:
        try:
            el = c.read(quiet)
        except x.XmppError:
            break
        if x.local(el.tag) == "message" and el.get("type") != "error" and el.find(x.q(x.NS_CLIENT, "body")) is not None:
            out.append(el.get("id"))
    return out


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--start", required=True, help="command that runs the server in the foreground (its pid is killed)")
    ap.add_argument("--host", default="127.0.0.1")
    ap.add_argument("--port", type=int, required=True)
    ap.add_argument("--domain", default="localhost")
    ap.add_argument("--tls", default="auto", choices=("auto", "none", "starttls", "direct"))
    ap.add_argument("--mode", default="offline", choices=("offline", "online", "hibernating", "muc"))
    ap.add_argument("--muc", help="rooms' domain (default conference.DOMAIN)")
    ap.add_argument("--room", default="crashroom")
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--seconds", type=float, default=5.0, help="most seconds of traffic in a round (at most 60)")
    ap.add_argument("--sends", type=int, default=2, help="how many senders (with --register)")
    ap.add_argument("--accounts", help="user:password,... last one is the receiver; default: made by registration")
    ap.add_argument("--register", action="store_true", help="make the accounts by in-band registration")
    ap.add_argument("--ack-every", type=int, default=5, help="<r/> after so many messages")
    ap.add_argument("--burst", type=int, default=10)
    ap.add_argument("--window", type=int, default=200, help="most unacknowledged stanzas of a sender")
    ap.add_argument("--body", type=int, default=100, help="bytes of padding in a body")
    ap.add_argument("--signal", default="KILL", choices=("KILL", "TERM", "INT", "ABRT"))
    ap.add_argument("--settle", type=float, default=2.0)
    ap.add_argument("--page", type=int, default=100)
    ap.add_argument("--timeout", type=float, default=15.0)
    ap.add_argument("--start-timeout", type=float, default=60.0)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--fsync", action="store_true", help="count the server's fsync calls with strace (slows it)")
    ap.add_argument("--server-log", help="file for the server's own output")
    ap.add_argument("--name", default="server")
    ap.add_argument("--json", help="write the result here as well ('-': only JSON on stdout anyway)")
    ap.add_argument("--driver", help="path of xmppload (tests/load): sends in place of Python, many times faster")
    ap.add_argument("--max-disorder", type=int, default=None,
                    help="exit 1 when archives hold more doubled or disordered messages than this")
    ap.add_argument("--max-lost", type=int, default=None, help="exit 1 when more acknowledged messages than this are lost")
    opt = ap.parse_args()
    if opt.host not in ("127.0.0.1", "::1", "localhost"):
        ap.error("loopback only")
    opt.seconds = min(opt.seconds, 60.0)
    opt.sig = getattr(signal, "SIG" + opt.signal)
    opt.muc = opt.muc or "conference." + opt.domain
    opt.pad = "x" * opt.body
    rng = random.Random(opt.seed)
    if opt.accounts:
        acc = [tuple(a.split(":", 1)) for a in opt.accounts.split(",")]
    else:
        acc = [("crash-s%d" % i, "pw-s%d" % i) for i in range(opt.sends)] + [("crash-rcv", "pw-rcv")]
        opt.register = True
    opt.senders, opt.receiver = acc[:-1], acc[-1]
    if opt.driver and opt.mode == "muc":
        ap.error("rooms are sent to by Python only")
    srv = Server(opt)
    rounds = []
    work = tempfile.TemporaryDirectory(prefix="crash-")
    opt.notes_dir, opt.fail_on_doubt = work.name, True
    try:
        srv.start()
        if opt.driver:
            register_for_xmppload(opt)
            opt.register = False
            # The accounts must survive the first kill; some servers take their time to write them.
            time.sleep(opt.settle + 3 if opt.sig == signal.SIGKILL else 0)
        if opt.register:
            for u, p in acc:
                if not x.register(opt.host, opt.port, opt.domain, u, p, tls=opt.tls):
                    raise SystemExit("registration of %s failed" % u)
            if opt.sig == signal.SIGKILL:
                # accounts themselves must survive: give the server its own time to write them
                time.sleep(opt.settle + 3)
        for rnd in range(1, opt.rounds + 1):
            try:
                r = (run_round_xmppload if opt.driver else run_round)(opt, srv, rnd, rng)
            except (x.XmppError, OSError, subprocess.SubprocessError) as e:
                r = {"round": rnd, "failed": "%s: %s" % (type(e).__name__, e)}
            rounds.append(r)
            log(json.dumps(r))
            if srv.proc.poll() is not None:
                srv.start()
    finally:
        if srv.proc and srv.proc.poll() is None:
            srv.kill(signal.SIGTERM)
            srv.wait_dead(15)
        work.cleanup()
    good = [r for r in rounds if "failed" not in r]

    def tot(k):
        v = [r[k] for r in good if r.get(k) is not None]
        return sum(v) if v else None

    out = {"name": opt.name, "mode": opt.mode, "signal": opt.signal, "rounds": len(rounds), "rounds_failed": len(rounds) - len(good),
           "seconds": opt.seconds, "senders": opt.sends if opt.driver else len(opt.senders), "ack_every": opt.ack_every, "seed": opt.seed}
    for k in ("sent", "acked", "delivered_live", "delivered_after_restart", "acked_but_lost", "acked_missing_in_receiver_archive",
              "acked_missing_in_sender_archive", "acked_not_delivered_without_archive", "archive_duplicates",
              "archive_order_breaks", "error_bounces"):
        out[k] = tot(k)
    out["acked_per_s"] = round(sum(r["acked_per_s"] for r in good) / len(good), 1) if good else None
    out["login_ok_s_max"] = max((r["login_ok_s"] for r in good), default=None)
    out["rounds_detail"] = rounds
    print(json.dumps(out))
    if opt.json and opt.json != "-":
        with open(opt.json, "w") as f:
            json.dump(out, f, indent=1)
    if len(good) < len(rounds):
        return 2
    if opt.max_lost is not None and (out["acked_but_lost"] or 0) > opt.max_lost:
        return 1
    disorder = (out["archive_duplicates"] or 0) + (out["archive_order_breaks"] or 0)
    return 1 if opt.max_disorder is not None and disorder > opt.max_disorder else 0


if __name__ == "__main__":
    sys.exit(main())
