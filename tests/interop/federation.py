"""Servers that federate on loopback addresses: a name server and an authority of the tests' own, Epode, and
Debian's Prosody and ejabberd."""
import os
import re
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../crash"))
import support  # noqa: E402
import xmpplite  # noqa: E402

PASSWORD = "secret"


def free_ports(count, host="127.0.0.1"):
    held = [socket.create_server((host, 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, "openssl: " + done.stderr


class Authority:
    """Signs certificates; those who aren't to be trusted sign their own."""

    def __init__(self, folder):
        self.folder = folder
        self.certificate = self.path("ca.pem")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=Authority of the federation tests", "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self.path("ca.key"),
                "-out", self.certificate)

    def path(self, name):
        return os.path.join(self.folder, name)

    def certify(self, domain, trusted=True, names=None, days=2):
        """The files (chain, key, both) of a certificate for the domain and what is directly below it; or for another
        name, or one that has run out (days = -1)."""
        chain, key, both = (self.path(domain + end) for end in (".crt", ".key", ".pem"))
        name = names or domain
        names = f"subjectAltName=DNS:{name},DNS:conference.{name},DNS:upload.{name}"
        if trusted:
            openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=" + domain, "-keyout", key, "-out", self.path("request"))
            with open(self.path("extensions"), "w") as out:
                out.write(names + "\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\n")
            openssl("x509", "-req", "-in", self.path("request"), "-CA", self.certificate, "-CAkey",
                    self.path("ca.key"), "-days", str(days), "-extfile", self.path("extensions"), "-out", chain)
        else:
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=" + domain, "-addext", names, "-keyout", key, "-out", chain)
        with open(both, "w") as out:
            for name in (chain, key):
                with open(name) as part:
                    out.write(part.read())
        return chain, key, both


class NameServer:
    """Answers what it was told, and nothing else (NXDOMAIN)."""

    def __init__(self):
        self.records = {}  # (name, type) -> list of data
        self.asked = []  # (name, type, how many records there were)
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                data, sock = self.request
                sock.sendto(outer.answer(data), self.client_address)

        self.server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def name(text):
        return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".") if part) + b"\0"

    def address(self, name, host):
        self.records[(name, 1)] = [socket.inet_aton(host)]

    def service(self, name, *targets):
        self.records[(name, 33)] = [struct.pack("!HHH", priority, 0, port) + self.name(target)
                                    for priority, port, target in targets]

    def answer(self, query):
        at = 12
        labels = []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        kind = struct.unpack("!H", query[at + 1:at + 3])[0]
        question = query[12:at + 5]
        name = ".".join(labels)
        found = self.records.get((name, kind), [])
        self.asked.append((name, kind, len(found)))
        known = any(one == name or one.endswith("." + name) for one, _ in self.records)
        flags = 0x8580 | (0 if known else 3)
        text = query[:2] + struct.pack("!HHHHH", flags, 1, len(found), 0, 0) + question
        for data in found:
            text += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 1, len(data)) + data
        return text


class SignedNameServer(NameServer):
    """The same, with a zone whose answers are signed (DNSSEC); dnspython does it."""

    def __init__(self, zone):
        try:
            import dns.dnssec
            import dns.message
            from cryptography.hazmat.primitives.asymmetric import ec
        except ImportError:
            support.skip("python3-dnspython or python3-cryptography is not installed")
        self.dns = dns
        self.zone = dns.name.from_text(zone)
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.key = dns.dnssec.make_dnskey(self.private.public_key(), "ECDSAP256SHA256", flags=257)
        self.forged = set()  # names whose answers somebody changes on their way
        super().__init__()

    def anchor(self):
        """What a file with trust anchors has to hold."""
        return f"{self.zone} 3600 IN DNSKEY {self.key.to_text()}\n"

    def tlsa(self, name, text):
        self.records[(name, 52)] = [self.dns.rdata.from_text("IN", "TLSA", text).to_wire()]

    def signed(self, name, kind, data):
        dns = self.dns
        found = dns.rrset.RRset(name, dns.rdataclass.IN, kind)
        found.update_ttl(3600)
        for one in data:
            found.add(dns.rdata.from_wire("IN", kind, one, 0, len(one)), 3600)
        now = int(time.time())
        signature = dns.dnssec.sign(found, self.private, self.zone, self.key, now - 3600, now + 3600)
        if name.to_text(True) in self.forged:
            other = data[0][:1] + bytes([data[0][1] ^ 1]) + data[0][2:]
            found.clear()
            found.add(dns.rdata.from_wire("IN", kind, other, 0, len(other)), 3600)
        return [found, dns.rrset.from_rdata(name, 3600, signature)]

    def answer(self, query):
        dns = self.dns
        asked = dns.message.from_wire(query)
        name, kind = asked.question[0].name, asked.question[0].rdtype
        if not name.is_subdomain(self.zone):
            return super().answer(query)
        answer = dns.message.make_response(asked, recursion_available=True)
        text = name.to_text(True).lower()
        known = {one for other, one in self.records if other == text}
        data = self.records.get((text, int(kind)), [])
        if name == self.zone:
            known |= {48}
            if kind == dns.rdatatype.DNSKEY:
                data = [self.key.to_wire()]
        self.asked.append((text, int(kind), len(data)))
        if data:
            answer.answer = self.signed(name, kind, data)
        else:
            # Nothing is between the name and the one right after it, and the name has only the known types.
            types = " ".join(dns.rdatatype.to_text(one) for one in sorted(known | {46, 47}))
            after = dns.name.Name((b"\0",) + name.labels)
            nsec = dns.rdata.from_text("IN", "NSEC", f"{after} {types}")
            soa = dns.rdata.from_text("IN", "SOA", f"{self.zone} {self.zone} 1 3600 3600 3600 60")
            answer.authority = [*self.signed(self.zone, dns.rdatatype.SOA, [soa.to_wire()]),
                                *self.signed(name, dns.rdatatype.NSEC, [nsec.to_wire()])]
        return answer.to_wire()


class Server:
    """A server of one domain; `host` is the loopback address that it serves at."""

    NEEDS_ADDRESSES = False  # where a name would do for others
    FORGETS = False  # what it could not send
    PUTS_ASIDE = False  # for the next time, what arrives just when its receiver comes
    log_level = "debug"
    archive = True
    serves_others = True

    def __init__(self, folder, domain, host, authority, names, trusted=True, target=None):
        self.domain, self.host, self.authority, self.names = domain, host, authority, names
        self.folder = os.path.join(folder, domain)
        os.makedirs(os.path.join(self.folder, "data"))
        self.chain, self.key, self.both = authority.certify(domain, trusted)
        self.port, self.s2s_port, self.https_port = free_ports(3, host)
        self.log = os.path.join(self.folder, "log")
        self.process = None
        target = target or "xmpp." + domain
        names.address(target, host)
        for one in (domain, "conference." + domain, "upload." + domain):
            names.address(one, host)
            names.service("_xmpp-server._tcp." + one, (10, self.s2s_port, target))

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as out:
            out.write(text)
        return path

    def spawn(self, command, environment=None):
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            env={**os.environ, **(environment or {})}, cwd=self.folder)
        for port in (self.port, self.s2s_port) if self.serves_others else (self.port,):
            support.poll(f"{self.domain} listens on {port}", lambda port=port: self.listens(port), 60)

    def listens(self, port):
        assert self.process.poll() is None, f"{self.domain} has ended: {self.tail()}"
        try:
            socket.create_connection((self.host, port), 1).close()
            return True
        except OSError:
            return False

    def said(self):
        with open(self.log, errors="replace") as text:
            return text.read()

    def tail(self):
        return self.said()[-int(os.environ.get("EPODE_TEST_TAIL", "4000")):]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def login(self, user, resource="test"):
        conn = xmpplite.login(self.host, self.port, self.domain, user, PASSWORD, resource=resource, timeout=20)
        # Who hasn't asked for the roster hears nothing of subscriptions (RFC 6121, 2.2).
        conn.iq("get", "<query xmlns='jabber:iq:roster'/>", timeout=20)
        conn.presence()
        return conn

    def add(self, user):
        xmpplite.register(self.host, self.port, self.domain, user, PASSWORD, timeout=20)


class Epode(Server):
    s2s_enabled = "true"
    s2s_settings = ""  # further ones
    settings = ""

    def start(self):
        build = os.environ.get("EPODE_BUILD", os.path.join(HERE, "../../build"))
        self.control = [os.path.join(build, "bin/epodectl"), "--socket",
                        os.path.join(self.folder, "data/control.sock")]
        config = self.write("epode.toml", f"""
[host."{self.domain}"]
tls.certificate = "{self.both}"
[listen]
addresses = ["{self.host}"]
starttls_port = {self.port}
tls_port = 0
[http]
addresses = ["{self.host}"]
plain_port = 0
tls_port = {self.https_port}
[upload]
public_url = "https://upload.{self.domain}:{self.https_port}"
[log]
level = "{self.log_level}"
[archive]
default = "{"always" if self.archive else "never"}"
[registration]
enabled = true
per_address_max = 0
password_length_min = 1
[s2s]
enabled = {self.s2s_enabled}
addresses = ["{self.host}"]
port = {self.s2s_port}
tls_port = 0
authorities = "{self.authority.certificate}"
resolvers = ["127.0.0.1@{self.names.port}"]
retry_most = "5s"
{self.s2s_settings}
{self.settings}""")
        self.spawn([os.path.join(build, "bin/epoded"), "--config", config, "--data",
                    os.path.join(self.folder, "data")])
        support.poll("commands", lambda: self.command("status").returncode == 0)

    def command(self, *words):
        return subprocess.run([*self.control, *words], capture_output=True, text=True, timeout=60, check=False)


class Prosody(Server):
    def start(self):
        support.need("prosody")
        config = self.write("prosody.cfg.lua", f"""
run_as_root = true
data_path = "{self.folder}/data"
pidfile = "{self.folder}/prosody.pid"
interfaces = {{ "{self.host}" }}
c2s_ports = {{ {self.port} }}
s2s_ports = {{ {self.s2s_port} }}
http_ports = {{ }}
https_ports = {{ }}
modules_enabled = {{ "roster", "saslauth", "tls", "disco", "ping", "register_ibr", "dialback", "smacks", "offline", "pep", "blocklist",
    "s2s_bidi"{', "mam"' if self.archive else ""} }}
-- Its own collector costs two to three times the CPU.
gc = {{ mode = "incremental", threshold = 200, speed = 500 }}
allow_registration = true
authentication = "internal_plain"
s2s_require_encryption = true
s2s_secure_auth = false
unbound = {{ resolvconf = false, hoststxt = false, forward = "127.0.0.1@{self.names.port}",
             options = {{ ["do-not-query-localhost:"] = "no" }} }}
log = {{ {self.log_level.replace("warning", "warn")} = "{self.folder}/log" }}
ssl = {{ key = "{self.key}", certificate = "{self.chain}", cafile = "{self.authority.certificate}" }}
VirtualHost "{self.domain}"
Component "conference.{self.domain}" "muc"
    restrict_room_creation = false
    modules_enabled = {{ "muc_mam" }}
""")
        self.spawn(["prosody", "-F", "--config", config])


class Ejabberd(Server):
    # It looks services up where it is told to, but the addresses of their targets where the whole machine does
    # (net:getaddrinfo): an address in place of a name needs nobody to ask.
    NEEDS_ADDRESSES = True
    # For a moment after it has not reached a server it drops what is for it, also when that has come back.
    FORGETS = True
    PUTS_ASIDE = True

    def kill(self):
        # It writes what it knows a moment later; a kill before that takes accounts with it.
        data = os.path.join(self.folder, "data")
        support.poll("its database is at rest", lambda: time.time() - 3 > max(
            os.path.getmtime(os.path.join(data, name)) for name in os.listdir(data)))
        super().kill()

    def start(self):
        if shutil.which("ejabberdctl", path=os.environ["PATH"] + ":/usr/sbin") is None:
            support.skip("ejabberd is not installed")
        files = subprocess.run(["dpkg", "-L", "ejabberd"], capture_output=True, text=True, check=False).stdout.split()
        library = next(os.path.dirname(one) for one in files if re.search("/ejabberd-[0-9.-]+$", one))
        config = self.write("ejabberd.yml", f"""
loglevel: {self.log_level}
hosts: [ "{self.domain}" ]
certfiles: [ "{self.both}" ]
ca_file: "{self.authority.certificate}"
s2s_use_starttls: required
# It bounces for so long what is for a server that it hasn't reached.
s2s_max_retry_delay: 1
listen:
  - port: {self.port}
    ip: "{self.host}"
    module: ejabberd_c2s
    starttls: true
  - port: {self.s2s_port}
    ip: "{self.host}"
    module: ejabberd_s2s_in
auth_method: internal
registration_timeout: infinity
access_rules:
  local: {{ allow: all }}
  register: {{ allow: all }}
modules:
  mod_blocking: {{}}
  mod_caps: {{}}
  mod_disco: {{}}
  mod_mam: {{ default: {"always" if self.archive else "never"} }}
  mod_muc:
    host: "conference.{self.domain}"
    access_create: all
    default_room_options: {{ mam: true }}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_privacy: {{}}
  mod_pubsub: {{ plugins: [flat, pep] }}
  mod_register: {{ ip_access: all }}
  mod_roster: {{}}
  mod_s2s_dialback: {{}}
""")
        # Erlang asks the DNS for services; addresses it asks the C library for.
        inetrc = self.write("inetrc", '{resolv_conf,""}.\n{lookup,[dns]}.\n{nameserver,{127,0,0,1},%d}.\n'
                            '{cache_size,0}.\n' % self.names.port)
        self.spawn(["erl", "-kernel", "inetrc", f'"{inetrc}"', "-mnesia", "dir", f'"{self.folder}/data"',
                    "+K", "true", "-s", "ejabberd", "-noinput"],
                   {"EJABBERD_CONFIG_PATH": config, "EJABBERD_LOG_PATH": os.path.join(self.folder, "log"),
                    "ERL_LIBS": library, "HOME": self.folder})
