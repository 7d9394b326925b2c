#!/usr/bin/env python3
"""NGINX's own specification judges our client and our simulator, each by the other's messages.

    nginx-vmss-sync  ->  recorder (here)  ->  prism, over the specification  ->  the simulated NGINX Plus

Prism validates every request and every reply and says what is wrong in a header, which the
recorder collects. The specification is not part of this repository: `$NGINX_API_SPEC`, or
../shared/specs/nginx_plus_api_v9.yaml beside it.

usage: nginx_proxy.py SERVE_CLOUD PRODUCT PRISM DIRECTORY
"""

import base64
import collections
import http.client
import http.server
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import yaml

from cloud import Cloud

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPECIFICATION = "../shared/specs/nginx_plus_api_v9.yaml"
VIOLATIONS = "sl-violations"
HTTP = {"kind": "http", "upstream": "web"}
STREAM = {"kind": "stream", "upstream": "mail"}

Exchange = collections.namedtuple("Exchange", "method path body status reply violations")


def specification():
    """The specification's path, or none."""
    given = os.environ.get("NGINX_API_SPEC")
    path = pathlib.Path(given) if given else ROOT / SPECIFICATION
    return path if path.is_file() else None


def overlay(path, prefix):
    """The specification as strict as NGINX is.

    As published it has no `consumes`, so that every JSON body would be refused; it allows any
    field; and prism ignores its basePath. Its one `format`, of a stream peer's name, contradicts
    its own example.
    """
    document = yaml.safe_load(path.read_text())

    def strict(node):
        if isinstance(node, dict):
            if node.get("type") == "object" and "properties" in node:
                node.setdefault("additionalProperties", False)
            if node.get("format") == "hostname":
                del node["format"]
            for child in node.values():
                strict(child)
        elif isinstance(node, list):
            for child in node:
                strict(child)

    strict(document["definitions"])
    document["consumes"] = document["produces"] = ["application/json"]
    document.pop("basePath", None)
    document.pop("host", None)
    document["paths"] = {prefix + name: value for name, value in document["paths"].items()}
    # Above what is specified: the list of versions.
    versions = {"type": "array", "items": {"type": "integer"}}
    reply = {"200": {"description": "Success", "schema": versions}}
    document["paths"][prefix.rsplit("/", 1)[0] + "/"] = {"get": {"responses": reply}}
    return document


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port, process, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"prism has ended ({process.returncode})")
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("prism does not listen")


class Recorder(http.server.ThreadingHTTPServer):
    """Forwards to prism, and remembers what was said."""

    daemon_threads = True

    def __init__(self, prism_port):
        super().__init__(("127.0.0.1", 0), Forward)
        self.prism_port = prism_port
        self.exchanges = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.server_port}"


class Forward(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        kept = ("authorization", "content-type", "accept", "user-agent")
        headers = {name: value for name, value in self.headers.items() if name.lower() in kept}
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.prism_port, timeout=30)
        upstream.request(self.command, self.path, body or None, headers)
        reply = upstream.getresponse()
        content = reply.read()
        upstream.close()
        violations = json.loads(reply.getheader(VIOLATIONS) or "[]")
        # `check` also knocks without a key, to see whether anybody is there; the specification
        # knows no keys.
        if "authorization" in {name.lower() for name in headers}:
            self.server.exchanges.append(
                Exchange(
                    self.command, self.path, body.decode(), reply.status, content.decode(), violations
                )
            )
        self.send_response(reply.status)
        self.send_header("content-type", reply.getheader("content-type") or "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = forward

    def log_message(self, *_):
        pass


class Judge:
    def __init__(self, cloud, product, recorder, directory):
        self.cloud, self.product, self.recorder = cloud, product, recorder
        self.failures = []
        self.passes = 0
        self.config = directory / "config.yaml"
        origin = urllib.parse.urlsplit(cloud.info["nginx_http"])
        self.endpoint = recorder.origin + origin.path
        self.config.write_text(cloud.info["config"].replace("API_ENDPOINT", self.endpoint))

    def expect(self, truth, text):
        if not truth:
            self.failures.append(text)

    def sync(self, title, *wanted, code=0, command=("sync",)):
        """One pass; `wanted` are the exchanges that it must consist of beside its reads."""
        start = len(self.recorder.exchanges)
        run = subprocess.run(
            [self.product, *command, "--config", self.config],
            env={**os.environ, **self.cloud.info["environment"]},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
        )
        self.passes += 1
        seen = self.recorder.exchanges[start:]
        print(f"-- {title}: exit {run.returncode}")
        print("   " + (run.stdout.strip() or run.stderr.strip()).replace("\n", "\n   "))
        writes = collections.Counter(self.describe(one) for one in seen if one.method != "GET")
        for write, count in sorted(writes.items()):
            print(f"   {count} x {write}")
        told = f"{title}: exit {run.returncode}, {dict(writes)}\n{run.stdout}{run.stderr}"
        self.expect(run.returncode == code, f"exit {code} expected in {told}")
        self.expect(
            writes == collections.Counter(wanted), f"writes {sorted(wanted)} expected in {told}"
        )

    def describe(self, exchange):
        """`PATCH http drain 200`: method, kind, fields, status, and the code of a refusal."""
        path = exchange.path.split("/nplus/9/")[-1]
        words = [exchange.method, path.split("/")[0]]
        if exchange.method == "PATCH":
            words.append("+".join(sorted(json.loads(exchange.body))) or "nothing")
        words.append(str(exchange.status))
        if exchange.status >= 400:
            words.append(json.loads(exchange.reply).get("error", {}).get("code", "?"))
        return " ".join(words)

    def addresses(self, name, port):
        return self.cloud.do("addresses", set=name, port=port)["addresses"]

    def servers(self, upstream):
        return self.cloud.do("servers", **upstream)["servers"]

    def verdict(self):
        for exchange in self.recorder.exchanges:
            if exchange.violations:
                self.failures.append(
                    f"violates the specification: {exchange.method} {exchange.path} "
                    f"{exchange.body} -> {exchange.status} {exchange.reply}\n"
                    f"   {json.dumps(exchange.violations)}"
                )
        return self.failures


def notices_faults(judge):
    """Before anything is believed: the judge itself must notice faults of either side."""
    cloud, recorder = judge.cloud, judge.recorder
    address = urllib.parse.urlsplit(judge.endpoint)
    servers = f"{address.path}/9/http/upstreams/web/servers"
    key = base64.b64encode(cloud.info["api_key"].encode()).decode()
    headers = {"authorization": f"ApiKey {key}", "content-type": "application/json"}

    def ask(method, path, body=None):
        client = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        client.request(method, path, json.dumps(body) if body else None, headers)
        client.getresponse().read()
        client.close()
        return recorder.exchanges[-1]

    def blamed(exchange, side):
        return any(side in one["location"] for one in exchange.violations)

    server = "10.9.9.9:80"
    faults = [
        ("request", "a misspelt field", ("POST", servers + "/", {"server": server, "maxconns": 1})),
        ("request", "a wrong type", ("POST", servers + "/", {"server": server, "max_conns": "many"})),
        ("request", "a path without its slash", ("POST", servers, {"server": server})),
        ("response", "a misspelt field", ("GET", servers + "/"), [{"id": 0, "sever": server}]),
        ("response", "a wrong type", ("GET", servers + "/"), [{"id": "0", "server": server}]),
    ]
    for side, what, request, *reply in faults:
        if reply:
            cloud.do("answer-once", path="/upstreams/web/servers", body=json.dumps(reply[0]))
        exchange = ask(*request)
        if not blamed(exchange, side):
            sys.exit(f"the judge does not notice {what} in the {side}: {exchange}")
    cloud.do("take", **HTTP, address=server)
    recorder.exchanges.clear()


def play(judge):
    """The product and the simulator, through everything that they say to each other."""
    cloud = judge.cloud

    judge.sync("an empty upstream is filled", *["POST http 201"] * 3, *["POST stream 201"] * 2)
    judge.expect(
        sorted(one["address"] for one in judge.servers(HTTP)) == judge.addresses("front", 80),
        "the http servers are not the instances",
    )
    judge.sync("nothing to change")
    judge.sync("nothing to change, planned", command=("plan",))
    judge.sync("check", "PATCH http nothing 404 UpstreamServerNotFound", command=("check",))

    first, second, third = judge.addresses("front", 80)
    cloud.do("max-conns", **HTTP, address=first, to=0)
    cloud.do("max-conns", **STREAM, address=judge.addresses("back", 25)[0], to=9)
    judge.sync("changed parameters", "PATCH http max_conns 200", "PATCH stream max_conns 200")

    cloud.do("active", **HTTP, address=third, count=3)
    cloud.do("mark-deleting", set="front", place=2)
    judge.sync("an instance is being deleted", "PATCH http drain 200")
    judge.sync("it drains")
    cloud.do("settle", set="front")
    judge.sync("it is gone", "DELETE http 200")

    cloud.do("power", set="front", place=1, power="stopped")
    judge.sync("an instance stops", "PATCH http drain 200")
    cloud.do("power", set="front", place=1, power="running")
    judge.sync("it runs again", "PATCH http drain 200")
    judge.expect(not any(one["drain"] for one in judge.servers(HTTP)), "a server still drains")

    cloud.do("power", set="back", place=1, power="deallocated")
    judge.sync("a stream instance is deallocated", "PATCH stream down 200", "DELETE stream 200")
    cloud.do("power", set="back", place=1, power="running")
    judge.sync("it is back", "POST stream 201")

    # Refusals: each is NGINX's, and our client must live with it.
    cloud.do("put", **HTTP, address="10.99.0.1:80", fixed=True)
    judge.sync("a static server stays", "DELETE http 400 UpstreamServerImmutable")
    cloud.do("put", **HTTP, address="10.99.0.2:80", fixed=False)
    cloud.do("race-removal", **HTTP, address="10.99.0.2:80")
    judge.sync(
        "somebody else removes it first",
        "DELETE http 404 UpstreamServerNotFound",
        "DELETE http 400 UpstreamServerImmutable",
    )
    cloud.do("scale", set="front", count=3)
    newcomer = [one for one in judge.addresses("front", 80) if one not in (first, second)][0]
    cloud.do("race-addition", **HTTP, address=newcomer)
    judge.sync(
        "somebody else adds it first",
        "POST http 409 EntryExists",
        "DELETE http 400 UpstreamServerImmutable",
    )
    judge.sync(
        "its parameters are put right",
        "PATCH http max_conns+slow_start 200",
        "DELETE http 400 UpstreamServerImmutable",
    )

    cloud.do("scale", set="back", count=3)
    cloud.do("writes", allowed=False)
    judge.sync(
        "the API is read-only",
        "POST stream 405 MethodDisabled",
        "DELETE http 405 MethodDisabled",
        code=1,
    )
    cloud.do("writes", allowed=True)
    cloud.do("zone", **STREAM, servers=2)
    judge.sync(
        "the zone is full",
        *["POST stream 400 UpstreamOutOfMemory"] * 2,
        "DELETE http 400 UpstreamServerImmutable",
        code=1,
    )
    cloud.do("zone", **STREAM, servers=None)
    cloud.do("static", **HTTP, on=True)
    judge.sync("an upstream without a zone", "POST stream 201", code=1)
    cloud.do("static", **HTTP, on=False)
    cloud.do("remove-upstream", **STREAM)
    judge.sync(
        "an upstream that does not exist", "DELETE http 400 UpstreamServerImmutable", code=1
    )

    # That nothing was written says little of what was read.
    read = {one.path.split("/nplus/")[-1] for one in judge.recorder.exchanges if one.method == "GET"}
    for path in ("", "9/http/upstreams/web/", "9/http/upstreams/web/servers/"):
        judge.expect(path in read, f"{path!r} was never read, only {sorted(read)}")


def main(serve_cloud, product, prism, directory):
    path = specification()
    if path is None:
        print(f"SKIPPED: NGINX's specification is not at hand ($NGINX_API_SPEC, {SPECIFICATION})")
        return 0
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with Cloud(serve_cloud) as cloud:
        origin = urllib.parse.urlsplit(cloud.info["nginx_http"])
        strict = directory / "strict.json"
        strict.write_text(json.dumps(overlay(path, origin.path + "/9"), default=str))
        port = free_port()
        with open(directory / "prism.log", "w") as log:
            process = subprocess.Popen(
                [prism, "proxy", strict, f"http://{origin.netloc}", "-p", str(port), "-h", "127.0.0.1"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                wait_for(port, process)
                recorder = Recorder(port)
                judge = Judge(cloud, product, recorder, directory)
                notices_faults(judge)
                play(judge)
                failures = judge.verdict()
            finally:
                process.terminate()
                process.wait(timeout=10)
    strict.unlink()
    for failure in failures:
        print(f"FAILED: {failure}")
    print(f"{judge.passes} runs of the product, {len(recorder.exchanges)} exchanges judged")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
