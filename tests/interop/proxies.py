"""Web servers of others in front of ours, as `epodectl proxy-config` has them, with a port and a folder of their own."""
import contextlib
import os
import re
import socket
import subprocess

import support

HTTP_PORT = int(os.environ.get("EPODE_TEST_HTTP_PORT", "0"))
FRONT_PORT = int(os.environ.get("EPODE_TEST_FRONT_PORT", "0"))
TOP = os.path.dirname(support.FOLDER)
CERTIFICATE = os.path.join(TOP, "server.pem")
FRONT = f"https://{support.DOMAIN}:{FRONT_PORT}"


def control(*words):
    program = os.environ.get("EPODE_CONTROL") or os.path.join(os.environ.get("EPODE_BUILD", "build"), "bin/epodectl")
    done = subprocess.run([program, "--socket", os.path.join(TOP, "data/control.sock"), *words],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def replaced(text, old, new):
    assert old in text, (old, text)
    return text.replace(old, new)


def nginx(text):
    folder = support.FOLDER
    text = replaced(text, "listen 443 ssl;", f"listen 127.0.0.1:{FRONT_PORT} ssl;")
    text = replaced(text, "listen [::]:443 ssl;", "")
    text = re.sub(r"/etc/ssl/\w+/[\w.]+\.(pem|key)", CERTIFICATE, text)
    text = replaced(text, f"server_name {support.DOMAIN};", f"server_name {support.DOMAIN} localhost;")
    paths = "".join(f"    {name}_temp_path {folder}/{name};\n"
                    for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config = os.path.join(folder, "nginx.conf")
    with open(config, "w") as out:
        out.write(f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\n"
                  f"events {{}}\nhttp {{\n    access_log off;\n{paths}{text}}}\n")
    return [support.need("nginx"), "-p", folder, "-c", config]


def caddy(text):
    # Certificates come from the folder, and nothing is asked for at any authority.
    sites = f"https://{support.DOMAIN}:{FRONT_PORT}, https://localhost:{FRONT_PORT}"
    key = os.path.join(TOP, "server.key")
    chain = os.path.join(TOP, "server.crt")
    text = replaced(text, f"\n{support.DOMAIN} {{\n", f"\n{sites} {{\n    bind 127.0.0.1\n    tls {chain} {key}\n")
    config = os.path.join(support.FOLDER, "Caddyfile")
    with open(config, "w") as out:
        out.write("{\n    admin off\n    auto_https disable_redirects\n    skip_install_trust\n"
                  f"    storage file_system {support.FOLDER}/caddy\n}}\n{text}")
    return [support.need("caddy"), "run", "--config", config, "--adapter", "caddyfile"]


def haproxy(text):
    text = replaced(text, "bind :443 ssl", f"bind 127.0.0.1:{FRONT_PORT} ssl")
    text = re.sub(r"/etc/haproxy/certs/[\w.]+\.pem", CERTIFICATE, text)
    text = replaced(text, f"-i {support.DOMAIN}", f"-i {support.DOMAIN} localhost")
    config = os.path.join(support.FOLDER, "haproxy.cfg")
    with open(config, "w") as out:
        out.write("global\n    maxconn 500\n\n" + text)
    return [support.need("haproxy"), "-f", config]


PROGRAMS = {"nginx": nginx, "caddy": caddy, "haproxy": haproxy}


@contextlib.contextmanager
def in_front(program):
    support.need(program)
    text = control("proxy-config", program)
    assert f"127.0.0.1:{HTTP_PORT}" in text, text
    command = PROGRAMS[program](text)
    log = os.path.join(support.FOLDER, program + ".out")
    # Caddy keeps what it knows below its home.
    homes = {name: support.FOLDER for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    with open(log, "w") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   env={**os.environ, **homes})

    def is_open():
        with open(log) as out:
            assert process.poll() is None, f"{program} has ended: " + out.read()
        try:
            socket.create_connection(("127.0.0.1", FRONT_PORT), 1).close()
            return True
        except OSError:
            return False
    try:
        support.poll(f"{program} listens", is_open)
        yield
    except Exception:
        with open(log) as out:
            print(out.read())
        raise
    finally:
        process.terminate()
        process.wait(20)
