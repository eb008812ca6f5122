#!/usr/bin/python3
"""Logins by signed tokens (OAUTHBEARER): those of the server, and those that PyJWT makes with keys of its own.
token_test.py CASE, run through server.py."""
import base64
import json
import os
import shlex
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import support
from sasl2_test import BIND2, SASL2, STREAM, Stream, b64

try:
    import jwt
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
except ImportError:
    support.skip("python3-jwt is not installed")

CONTROL = shlex.split(os.environ.get("EPODE_TEST_CONTROL", ""))
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
ISSUER = "https://id.example"
ROMEO = support.address("romeo")


def control(*words):
    done = subprocess.run([*CONTROL, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def log_in(token):
    """What the server says to it: nothing, or the status of its refusal."""
    stream = Stream()
    features = stream.open()
    assert "OAUTHBEARER" in [m.text for m in features.findall("{%s}mechanism" % SASL2)], ET.tostring(features)
    message = b64(f"n,,\x01host={support.DOMAIN}\x01auth=Bearer {token}\x01\x01".encode())
    stream.send(f"<authenticate xmlns='{SASL2}' mechanism='OAUTHBEARER'><initial-response>{message}"
                f"</initial-response><bind xmlns='{BIND2}'><tag>token</tag></bind></authenticate>")
    answer = stream.next()
    if answer.tag == "{%s}challenge" % SASL2:
        refusal = json.loads(base64.b64decode(answer.text))
        stream.send(f"<response xmlns='{SASL2}'>AQ==</response>")
        failure = stream.expect(SASL2, "failure")
        assert failure[0].tag == "{%s}not-authorized" % SASL, ET.tostring(failure)
        stream.tls.close()
        return refusal["status"]
    assert answer.tag == "{%s}success" % SASL2, ET.tostring(answer)
    assert answer.findtext("{%s}authorization-identifier" % SASL2).startswith(ROMEO + "/"), ET.tostring(answer)
    stream.expect(STREAM, "features")
    stream.send("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
    while stream.next().get("id") != "1":
        pass
    stream.tls.close()
    return None


def own():
    """`epodectl token issue` makes one that is good, and only as it is."""
    token = json.loads(control("--json", "token", "issue", ROMEO, "--expires", "10min"))["token"]
    assert log_in(token) is None
    head, claims, signature = token.split(".")
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert told["sub"] == ROMEO and told["aud"] == support.DOMAIN, told
    told["exp"] += 1
    forged = base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
    assert log_in(f"{head}.{forged}.{signature}") == "invalid_token"
    assert log_in(jwt.encode(told, "", algorithm="none")) == "invalid_token"
    assert log_in(jwt.encode(told, "secret", algorithm="HS256")) == "invalid_token"


def issuer():
    """An identity provider, as PyJWT sees the standards."""
    keys = {"RS256": rsa.generate_private_key(65537, 2048), "ES256": ec.generate_private_key(ec.SECP256R1())}
    algorithms = jwt.algorithms.get_default_algorithms()
    public = []
    for name, key in keys.items():
        if name == "RS256":
            one = json.loads(algorithms[name].to_jwk(key.public_key()))
        else:
            numbers = key.public_key().public_numbers()
            one = {"kty": "EC", "crv": "P-256"}
            for part in ("x", "y"):
                number = getattr(numbers, part).to_bytes(32, "big")
                one[part] = base64.urlsafe_b64encode(number).decode().rstrip("=")
        public.append(dict(one, kid=name, use="sig"))
    with open(os.path.join(support.SERVER_DATA, "keys.json"), "w") as out:
        json.dump({"keys": public}, out)
    control("reload")

    def claims(**changes):
        told = {"iss": ISSUER, "aud": [support.DOMAIN], "sub": "4711", "preferred_username": "romeo",
                "scope": "openid xmpp", "iat": int(time.time()), "exp": int(time.time()) + 300}
        return {name: value for name, value in dict(told, **changes).items() if value is not None}

    for name, key in keys.items():
        def sign(told, **header):
            return jwt.encode(told, key, algorithm=name, headers=dict({"kid": name}, **header))
        support.poll("the keys are read", lambda: log_in(sign(claims())) is None)
        assert log_in(sign(claims(exp=int(time.time()) - 60))) == "invalid_token"
        assert log_in(sign(claims(iss="https://evil.example"))) == "invalid_token"
        assert log_in(sign(claims(aud="elsewhere.example"))) == "invalid_token"
        assert log_in(sign(claims(scope="mail"))) == "insufficient_scope"
        assert log_in(sign(claims(), kid="another")) == "invalid_token"
    stranger = ec.generate_private_key(ec.SECP256R1())
    assert log_in(jwt.encode(claims(), stranger, algorithm="ES256", headers={"kid": "ES256"})) == "invalid_token"


CASES = {"own": own, "issuer": issuer}

if __name__ == "__main__":
    if support.SERVER == "prosody":
        support.skip("Prosody has no tokens here")
    support.run_case(CASES, sys.argv[1:])()
