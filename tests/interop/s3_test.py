#!/usr/bin/python3
"""Uploads in a bucket of OpenStack Swift, from Debian: s3_test.py CASE, which starts both servers; or s3_test.py page
COMMAND… for another test with such servers, where whoever fetches is sent to the bucket."""
import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

import federation
import proxies
import support
import swift_s3 as swift

os.environ["SSL_CERT_FILE"] = support.CA

from slixmpp_client import Client  # noqa: E402

BUCKET = "epode-files"
URL = os.environ.get("EPODE_TEST_S3", "")  # as these tests speak to it
SEEN = os.environ.get("EPODE_TEST_S3_SEEN", "")  # as the server does
MIB = 1 << 20


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def http(url, method="GET", body=None, **fields):
    if body:
        fields["Content-Type"] = "application/octet-stream"
    request = urllib.request.Request(url, body, {name.replace("_", "-"): value for name, value in fields.items()},
                                     method=method)
    context = ssl.create_default_context(cafile=support.CA)
    if os.environ.get("EPODE_TEST_S3_CA"):
        context.load_verify_locations(os.environ["EPODE_TEST_S3_CA"])
    opener = urllib.request.build_opener(NoRedirect, urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=120) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


async def slot(romeo, name, size):
    answer = await romeo["xep_0363"].request_slot("upload." + support.DOMAIN, name, size)
    return [answer["http_upload_slot"][part]["url"] for part in ("put", "get")]


async def through():
    bucket = swift.client(URL)

    def objects():
        return {one["Key"]: one["Size"] for one in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", [])}
    romeo = await Client("romeo", plugins=("xep_0030", "xep_0363")).online()
    # In one piece; in parts, the last one small; a multiple of a part; nothing to speak of.
    for size in (1_000_000, 12 * MIB + 12345, 10 * MIB, 1):
        content = os.urandom(size)
        put, get = await slot(romeo, "rose.bin", size)
        before = set(objects())
        status, _, body = http(put, "PUT", content)
        assert status == 201, (status, body)
        new = {key: size for key, size in objects().items() if key not in before}
        assert list(new.values()) == [size], new
        status, headers, got = http(get)
        assert status == 200 and got == content, (status, len(got))
        assert headers["Content-Length"] == str(size) and headers["Content-Type"] == "application/octet-stream"
        assert "sandbox" in headers["Content-Security-Policy"]
        if size > 1000:
            status, headers, got = http(get, Range="bytes=500-999")
            assert status == 206 and got == content[500:1000], status
            assert headers["Content-Range"] == f"bytes 500-999/{size}", headers
            status, _, got = http(get, Range="bytes=-7")
            assert status == 206 and got == content[-7:], status
        assert http(get, Range=f"bytes={size}-")[0] == 416
        assert http(get, If_None_Match=headers["ETag"])[0] == 304
        status, headers, got = http(get, "HEAD")
        assert status == 200 and headers["Content-Length"] == str(size) and got == b""
        assert http(put, "PUT", content)[0] == 409
    # The folder of this machine has nothing.
    local = os.path.join(support.SERVER_DATA, "uploads")
    assert sum(len(files) for _, _, files in os.walk(local)) == 0
    # A picture of ours, and its twin.
    picture = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                           "../../plugins/web/client/files/icon-192.png")
    with open(picture, "rb") as file:
        content = file.read()
    put, get = await slot(romeo, "icon.png", len(content))
    status, _, body = http(put, "PUT", content, **{"Content-Type": "image/png"})
    assert status == 201, (status, body)
    if body:
        assert b"?thumbnail" in body
        assert http(get + "?thumbnail")[0] == 200
        assert any(key.endswith(".small") for key in objects())
    # What is deleted goes from the bucket, too, and the addresses with it.
    proxies.control("upload", "delete", get, "--yes")
    assert http(get)[0] == 404
    support.poll("it is gone from the bucket", lambda: len(objects()) == 4)
    # An upload in parts that breaks off leaves nothing.
    put, get = await slot(romeo, "broken.bin", 12 * MIB)
    import upload_test
    connection = upload_test.begin(put, os.urandom(12 * MIB))
    support.poll("a part is there", lambda: bucket.list_multipart_uploads(Bucket=BUCKET).get("Uploads"))
    connection.close()
    support.poll("it was given up", lambda: not bucket.list_multipart_uploads(Bucket=BUCKET).get("Uploads"))
    assert len(objects()) == 4
    await romeo.gone()


async def redirect():
    romeo = await Client("romeo", plugins=("xep_0030", "xep_0363")).online()
    content = os.urandom(7 * MIB)
    put, get = await slot(romeo, "a rose.bin", len(content))
    assert http(put, "PUT", content)[0] == 201
    status, headers, _ = http(get)
    assert status == 302 and headers["Location"].startswith(f"{SEEN}/{BUCKET}/"), (status, headers)
    assert headers["Cache-Control"] == "no-store"
    status, told, got = http(headers["Location"])
    assert status == 200 and got == content, (status, got[:500])
    assert "a%20rose.bin" in told["Content-Disposition"], told
    # It is good for that object alone, and no longer than was signed.
    forged = headers["Location"].replace("X-Amz-Expires=600", "X-Amz-Expires=60000")
    assert forged != headers["Location"] and http(forged)[0] == 403
    assert http(get, "HEAD")[0] == 200
    await romeo.gone()


async def refused():
    """A bucket that refuses, or is away, costs nobody more than an error, and the slot stays."""
    romeo = await Client("romeo", plugins=("xep_0030", "xep_0363")).online()
    content = os.urandom(100_000)
    put, get = await slot(romeo, "rose.bin", len(content))
    # Somebody has removed the bucket.
    swift.client(URL).delete_bucket(Bucket=BUCKET)
    assert http(put, "PUT", content)[0] == 500
    assert http(get)[0] == 404
    swift.client(URL).create_bucket(Bucket=BUCKET)
    assert http(put, "PUT", content)[0] == 201
    assert http(get)[2] == content
    os.kill(int(os.environ["EPODE_TEST_SWIFT"]), signal.SIGTERM)
    support.poll("the bucket is away", lambda: http(get)[0] == 502)
    await romeo.gone()


async def untrusted():
    """A bucket whose certificate nobody vouches for gets no file, and no key."""
    romeo = await Client("romeo", plugins=("xep_0030", "xep_0363")).online()
    put, get = await slot(romeo, "rose.bin", 1000)
    assert http(put, "PUT", os.urandom(1000))[0] == 500
    assert http(get)[0] == 404
    assert not swift.client(URL).list_objects_v2(Bucket=BUCKET).get("Contents")
    with open(os.path.join(os.path.dirname(support.SERVER_DATA), "server.log")) as log:
        assert "the certificate is not good" in log.read()
    await romeo.gone()


async def moving():
    """Files from before the bucket are served from the folder, and moved."""
    bucket = swift.client(URL)
    romeo = await Client("romeo", plugins=("xep_0030", "xep_0363")).online()
    files = {}
    for size in (1, 300_000, 7 * MIB):
        put, get = await slot(romeo, "rose.bin", size)
        files[get] = os.urandom(size)
        assert http(put, "PUT", files[get])[0] == 201
    # As if the server had always had them here.
    local = os.path.join(support.SERVER_DATA, "uploads/files")
    keys = [one["Key"] for one in bucket.list_objects_v2(Bucket=BUCKET)["Contents"]]
    for key in keys:
        os.makedirs(os.path.join(local, key[:2]), exist_ok=True)
        bucket.download_file(BUCKET, key, os.path.join(local, key[:2], key[2:]))
        bucket.delete_object(Bucket=BUCKET, Key=key)
    for get, content in files.items():
        assert http(get)[2] == content
    assert http(next(iter(files)), Range="bytes=0-0")[0] == 206
    assert "3 files were moved" in proxies.control("upload", "move")
    assert not any(names for _, _, names in os.walk(local))
    assert sorted(one["Key"] for one in bucket.list_objects_v2(Bucket=BUCKET)["Contents"]) == sorted(keys)
    for get, content in files.items():
        assert http(get)[2] == content
    assert "0 files were moved" in proxies.control("upload", "move")
    await romeo.gone()


CASES = {"through": through, "redirect": redirect, "refused": refused, "tls": through, "tls_redirect": redirect,
         "untrusted": untrusted, "moving": moving}
PICTURES = 'thumbnails = true\nremove_image_metadata = ["message"]'
REDIRECT = 's3_downloads = "redirect"'
MORE = {"through": PICTURES, "tls": PICTURES, "redirect": REDIRECT, "tls_redirect": REDIRECT, "page": REDIRECT}
WITH_TLS = ("tls", "tls_redirect", "untrusted", "page")


@contextlib.contextmanager
def tls_in_front(folder, url, trusted):
    """Debian's HAProxy before it, with a certificate for localhost: its address and the authority."""
    authority = federation.Authority(folder)
    chain, key, both = authority.certify("localhost", trusted)
    # A browser of the tests knows the authority by its key, which has to come along.
    with open(both, "w") as out:
        for name in (chain, authority.certificate, key) if trusted else (chain, key):
            with open(name) as part:
                out.write(part.read())
    port = swift.free_ports(1)[0]
    config = os.path.join(folder, "haproxy.cfg")
    swift.write(config, f"""global
    maxconn 100
defaults
    mode http
    timeout connect 5s
    timeout client 1m
    timeout server 1m
frontend tls
    bind 127.0.0.1:{port} ssl crt {both} alpn h2,http/1.1
    default_backend swift
backend swift
    server swift {url.removeprefix("http://")}
""")
    with open(os.path.join(folder, "haproxy.out"), "w") as out:
        process = subprocess.Popen([support.need("haproxy"), "-f", config], stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=out)

    def is_open():
        assert process.poll() is None, "haproxy has ended"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False
    try:
        support.poll("haproxy listens", is_open)
        yield f"https://localhost:{port}", authority.certificate
    finally:
        process.terminate()
        process.wait(20)


def with_both(case, command=()):
    """Swift first, for its address is a part of the server's configuration."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="epode-s3-"))
        url, processes = stack.enter_context(swift.running(folder, BUCKET))
        seen, authority, more = url, "", MORE.get(case, "")
        if case in WITH_TLS:
            seen, authority = stack.enter_context(tls_in_front(folder, url, case != "untrusted"))
            more += f'\ns3_authorities = "{authority}"'
        secret = os.path.join(folder, "secret")
        swift.write(secret, swift.KEY + "\n")
        here = os.path.dirname(os.path.abspath(__file__))
        return subprocess.run(
            [sys.executable, os.path.join(here, "server.py"), "--",
             *(command or (sys.executable, os.path.abspath(__file__), case))],
            env={**os.environ, "EPODE_TEST_S3": url, "EPODE_TEST_S3_SEEN": seen, "EPODE_TEST_S3_CA": authority,
                 "EPODE_TEST_SWIFT": str(processes["proxy"].pid),
                 "EPODE_TEST_UPLOAD": f"""s3_url = "{seen}/{BUCKET}"
s3_key_id = "{swift.USER}"
s3_secret_file = "{secret}"
s3_part_bytes = "5 MiB"
{more}"""}).returncode


if __name__ == "__main__":
    if sys.argv[1:2] == ["page"]:
        sys.exit(with_both("page", sys.argv[2:]))
    if len(sys.argv) == 2 and sys.argv[1] in CASES and not URL:
        sys.exit(with_both(sys.argv[1]))
    asyncio.run(asyncio.wait_for(support.run_case(CASES, sys.argv[1:])(), 5 * support.PATIENCE))
