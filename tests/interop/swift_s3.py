"""OpenStack Swift, from Debian, as a server that speaks S3: one process of each kind, all data below one folder."""
import contextlib
import os
import socket
import subprocess
import sys

import support

USER, KEY = "test:tester", "a-secret-of-the-tests"


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def write(path, text):
    with open(path, "w") as out:
        out.write(text)


def supports_attributes(folder):
    """Swift keeps what it knows of a file with the file."""
    path = os.path.join(folder, "attributes")
    write(path, "")
    try:
        os.setxattr(path, "user.swift.test", b"x" * 300)
        return True
    except OSError:
        return False


def ring(folder, kind, port):
    builder = os.path.join(folder, kind + ".builder")
    program = support.need("swift-ring-builder")
    for words in (["create", "4", "1", "0"],
                  ["add", "--region", "1", "--zone", "1", "--ip", "127.0.0.1", "--port", str(port), "--device", "d1",
                   "--weight", "1"],
                  ["rebalance"]):
        done = subprocess.run([program, builder, *words], capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 1), done.stdout + done.stderr


@contextlib.contextmanager
def running(folder, bucket):
    """Its address and its processes, by kind; a bucket was made in it."""
    if not supports_attributes(folder):
        support.skip("this file system keeps no extended attributes")
    for program in ("swift-proxy-server", "swift-account-server", "swift-container-server", "swift-object-server"):
        support.need(program)
    os.makedirs(os.path.join(folder, "node/d1"))
    # Its programs look for this one in a fixed place, or where they are told.
    write(os.path.join(folder, "swift.conf"),
          "[swift-hash]\nswift_hash_path_suffix = tests\nswift_hash_path_prefix = tests\n"
          "[storage-policy:0]\nname = only\ndefault = yes\n")
    ports = dict(zip(("account", "container", "object", "proxy"), free_ports(4)))
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, timeout=10).stdout.strip()
    common = (f"swift_dir = {folder}\nuser = {user}\nbind_ip = 127.0.0.1\nworkers = 0\nlog_udp_host = \n"
              f"log_statsd_host = \nlog_address = {folder}/nowhere\n")
    for kind in ("account", "container", "object"):
        ring(folder, kind, ports[kind])
        write(os.path.join(folder, kind + "-server.conf"),
              f"[DEFAULT]\n{common}bind_port = {ports[kind]}\ndevices = {folder}/node\nmount_check = false\n"
              f"[pipeline:main]\npipeline = {kind}-server\n[app:{kind}-server]\nuse = egg:swift#{kind}\n")
    write(os.path.join(folder, "proxy-server.conf"),
          f"[DEFAULT]\n{common}bind_port = {ports['proxy']}\n"
          "[pipeline:main]\npipeline = catch_errors cache s3api tempauth slo dlo proxy-server\n"
          "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n"
          "[filter:catch_errors]\nuse = egg:swift#catch_errors\n[filter:cache]\nuse = egg:swift#memcache\n"
          "[filter:s3api]\nuse = egg:swift#s3api\ns3_acl = false\ncheck_bucket_owner = false\n"
          f"[filter:tempauth]\nuse = egg:swift#tempauth\nuser_{USER.replace(':', '_')} = {KEY} .admin\n"
          "[filter:slo]\nuse = egg:swift#slo\nmin_segment_size = 1\n[filter:dlo]\nuse = egg:swift#dlo\n")
    processes = []
    try:
        for kind in ("account", "container", "object", "proxy"):
            with open(os.path.join(folder, kind + ".log"), "w") as out:
                processes.append(subprocess.Popen(
                    [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "swift_server.py"), folder,
                     support.need(f"swift-{kind}-server"), os.path.join(folder, kind + "-server.conf"), "-v"],
                    stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder))
        for kind, process in zip(ports, processes):
            def is_open(port=ports[kind], process=process, kind=kind):
                with open(os.path.join(folder, kind + ".log")) as log:
                    assert process.poll() is None, f"swift's {kind} server has ended: {log.read()}"
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    return True
                except OSError:
                    return False
            support.poll(f"swift's {kind} server listens", is_open)
        url = f"http://127.0.0.1:{ports['proxy']}"
        # Amazon's own library makes the bucket, so that both sides are others' work.
        client(url).create_bucket(Bucket=bucket)
        yield url, dict(zip(ports, processes))
    except BaseException:
        for kind in ports:
            with open(os.path.join(folder, kind + ".log"), errors="replace") as log:
                print(f"---- {kind}\n" + log.read()[-3000:])
        raise
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)


def client(url):
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        support.skip("python3-boto3 is not installed")
    return boto3.client("s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=USER,
                        aws_secret_access_key=KEY,
                        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
