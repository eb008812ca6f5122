"""Servers for the tests of the command-line client: a real one, and bad ones.

The real one is Epode's (see the class Epode), or with EPODE_TEST_SERVER=prosody Debian's Prosody, or the
one that EPODE_TEST_HOST and others name (see the class Given). EPODE_TEST_TRACE=1 shows its log.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time

PROSODY = """
run_as_root = false
data_path = "{folder}/data"
pidfile = "{folder}/prosody.pid"
interfaces = {{ "127.0.0.1" }}; local_interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
c2s_direct_tls_ports = {{ {direct} }}; c2s_direct_tls_interfaces = {{ "127.0.0.1" }}
modules_enabled = {{ "disco"; "roster"; "saslauth"; "tls"; "carbons"; "pep"; "ping"; "register";
  "register_ibr"; "version"; "mam"; "offline"; {more} }}
modules_disabled = {{ "s2s" }}
http_ports = {{ }}; https_ports = {{ }}
allow_registration = true
registration_throttle_max = false
c2s_require_encryption = true
authentication = "internal_hashed"
default_archive_policy = true
storage = "internal"
log = {{ info = "{folder}/prosody.log" }}
ssl = {{ key = "{folder}/certs/key.pem"; certificate = "{folder}/certs/cert.pem" }}
c2s_direct_tls_ssl = {{ key = "{folder}/certs/key.pem"; certificate = "{folder}/certs/cert.pem" }}
VirtualHost "{domain}"
"""


EPODE = """
[host."{domain}"]
tls.certificate = "{folder}/certs/server.pem"

[listen]
addresses = ["127.0.0.1"]
starttls_port = {port}
tls_port = {direct}

[http]
plain_port = 0
tls_port = 0

[registration]
enabled = true
per_address_max = 0

[login]
address_burst = 100000
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Absent(Exception):
    """There is no server to test against."""


def kind():
    return os.environ.get("EPODE_TEST_SERVER", "epode")


def check_present():
    if "EPODE_TEST_HOST" not in os.environ and kind() == "prosody" and not shutil.which("prosody"):
        raise Absent("prosody is not installed, and EPODE_TEST_HOST names no other server")


class Started:
    """A server on loopback ports, in a folder of its own."""

    host = "127.0.0.1"
    domain = "localhost"

    def __init__(self):
        self.port, self.direct_port = free_port(), free_port()
        self.folder = tempfile.mkdtemp(prefix="epode-cli-")
        os.makedirs(self.folder + "/certs")
        os.makedirs(self.folder + "/data")
        self.certificate = self.folder + "/certs/cert.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-keyout", self.folder + "/certs/key.pem", "-out", self.certificate],
            check=True, capture_output=True)
        self.command = self.prepare()
        self.run()

    def run(self):
        with open(self.folder + "/output.log", "ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        self._await(self.port)
        self._await(self.direct_port)

    def _await(self, port):
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection((self.host, port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    with open(self.log) as log:
                        raise RuntimeError("the server did not start:\n" + log.read())
                time.sleep(0.05)  # lint: polls

    def shut_down(self):
        self.process.terminate()
        self.process.wait()

    def crash(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.shut_down()
        if os.environ.get("EPODE_TEST_TRACE"):
            with open(self.log, errors="replace") as log:
                print(log.read())
        shutil.rmtree(self.folder, ignore_errors=True)


class Epode(Started):
    """The server of this tree: $EPODE_SERVER, or bin/epoded of the build."""

    def prepare(self):
        build = os.environ.get("EPODE_BUILD", os.path.join(os.path.dirname(__file__), "../../build"))
        server = os.path.abspath(os.environ.get("EPODE_SERVER", os.path.join(build, "bin/epoded")))
        if not os.access(server, os.X_OK):
            raise RuntimeError("there is no server at %s; build it, or set EPODE_SERVER or "
                               "EPODE_TEST_SERVER=prosody" % server)
        self.log = self.folder + "/output.log"
        with open(self.folder + "/certs/server.pem", "w") as out:
            for part in ("cert.pem", "key.pem"):
                with open(self.folder + "/certs/" + part) as file:
                    out.write(file.read())
        config = self.folder + "/epode.toml"
        with open(config, "w") as file:
            file.write(EPODE.format(folder=self.folder, port=self.port, direct=self.direct_port,
                                    domain=self.domain))
        return [server, "--config", config, "--data", self.folder + "/data"]


class Prosody(Started):
    """Debian's prosody."""

    def __init__(self, modules='"smacks";'):
        self.modules = modules
        super().__init__()

    def prepare(self):
        self.log = self.folder + "/prosody.log"
        config = self.folder + "/prosody.cfg.lua"
        with open(config, "w") as file:
            file.write(PROSODY.format(folder=self.folder, port=self.port, more=self.modules,
                                      direct=self.direct_port, domain=self.domain))
        command = ["prosody", "--config", config, "-F"]
        if os.getuid() == 0:
            user = pwd.getpwnam("prosody")
            for folder, _, files in os.walk(self.folder):
                os.chown(folder, user.pw_uid, user.pw_gid)
                for name in files:
                    os.chown(os.path.join(folder, name), user.pw_uid, user.pw_gid)
            os.chmod(self.folder, 0o755)
            command = ["setpriv", "--reuid=prosody", "--regid=prosody", "--clear-groups"] + command
        return command


class Given:
    """The server that the environment names:

    EPODE_TEST_HOST, EPODE_TEST_PORT        where it takes STARTTLS
    EPODE_TEST_DIRECT_PORT                  where it takes direct TLS (tests of it are skipped without)
    EPODE_TEST_DOMAIN                       its domain (default: localhost)
    EPODE_TEST_CERTIFICATE                  its self-signed certificate as PEM (likewise)
    It has to allow registration.
    """

    def __init__(self):
        environment = os.environ
        self.host = environment["EPODE_TEST_HOST"]
        self.port = int(environment["EPODE_TEST_PORT"])
        self.direct_port = int(environment.get("EPODE_TEST_DIRECT_PORT", 0))
        self.domain = environment.get("EPODE_TEST_DOMAIN", "localhost")
        self.certificate = environment.get("EPODE_TEST_CERTIFICATE")

    def stop(self):
        pass


def start_own():
    """One that a test may stop and start."""
    return {"epode": Epode, "prosody": Prosody}[kind()]()


def start_server():
    return Given() if "EPODE_TEST_HOST" in os.environ else start_own()


class Listener:
    """Takes connections on a loopback port; `serve` is called with each, in a thread."""

    def __init__(self, serve):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.heard = b""
        self.serve = serve
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(peer,), daemon=True).start()

    def _run(self, peer):
        try:
            self.serve(self, peer)
        except OSError:
            pass
        peer.close()

    def hear(self, peer):
        data = peer.recv(65536)
        self.heard += data
        return data

    def stop(self):
        # shutdown wakes the thread in accept; close alone would leave it listening.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def silent(listener, peer):
    while listener.hear(peer):
        pass


def web_server(listener, peer):
    listener.hear(peer)
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<h1>Bad Request</h1>")


def without_tls(listener, peer):
    """An XMPP server, or somebody in between, that offers no TLS but wants the password."""
    listener.hear(peer)
    peer.sendall(b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' id='1' version='1.0' "
                 b"from='localhost' xmlns:stream='http://etherx.jabber.org/streams'>"
                 b"<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
                 b"<mechanism>PLAIN</mechanism></mechanisms></stream:features>")
    silent(listener, peer)


class Relay:
    """A network that can fail: it relays to the server until it is cut, and again after `mend`."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.isWhole = True
        self.pairs = []
        self.listener = Listener(self._serve)
        self.port = self.listener.port

    def _serve(self, _, peer):
        if not self.isWhole:
            return
        server = socket.create_connection(self.target)
        self.pairs.append((peer, server))
        threading.Thread(target=self._pump, args=(peer, server), daemon=True).start()
        self._pump(server, peer)
        server.close()

    @staticmethod
    def _pump(source, sink):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.isWhole = False
        for pair in self.pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pairs.clear()

    def mend(self):
        self.isWhole = True

    def stop(self):
        self.cut()
        self.listener.stop()
