"""A server that asks its client at awkward moments, for what no official SDK would do.

`contrary.py <log> stdio legacy`, `contrary.py <log> stdio modern`, or `contrary.py <log> http <port> [withhold|forget]`
(legacy, Streamable HTTP at /mcp on loopback). Over HTTP an answer of the client is left without a reply (`withhold`) or
met with a forgotten session (`forget`). What it hears is added to the log, a line of JSON each. It never reaches out of
its process.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LEGACY, MODERN = "2025-11-25", "2026-07-28"
FORM = {"message": "Which city?", "requestedSchema": {"type": "object", "properties": {"city": {"type": "string"}}}}
TOOLS = ["echo", "ask", "ask_aside", "ask_and_answer", "ask_and_log", "hold", "release"]
CAPABILITIES = {"tools": {}, "logging": {}}
PATIENCE = 60

log = open(sys.argv[1], "a", buffering=1)
lock = threading.Lock()
numbers = iter(range(1, 1 << 30))
waiting = {}
holding = {}


def heard(message):
    with lock:
        log.write(json.dumps(message) + "\n")


def form():
    """A question, and where its answer will be."""
    key = f"q{next(numbers)}"
    waiting[key] = answered = {"event": threading.Event()}
    return {"jsonrpc": "2.0", "id": key, "method": "elicitation/create", "params": FORM}, answered


def reply(answered):
    answered["event"].wait(PATIENCE)
    result = answered.get("result") or {}
    city = (result.get("content") or {}).get("city")
    return f"{result.get('action')}: {city}" if city else str(result.get("action"))


def call(name, arguments, number, say, aside):
    """Runs a tool of the legacy era; its text. `say` speaks on the call's own stream, `aside` on the session's."""
    if name == "ask":
        question, answered = form()
        say(question)
        return reply(answered)
    if name == "ask_aside":
        question, answered = form()
        aside(question)
        return reply(answered)
    if name == "ask_and_answer":
        say(form()[0])
        return "did not wait"
    if name == "ask_and_log":
        question, answered = form()
        say(question)
        say({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "error", "data": "in between"}})
        return reply(answered)
    return held(name, number) or json.dumps(arguments)


def held(name, number):
    if name == "hold":
        holding[number] = held = {"event": threading.Event()}
        held["event"].wait(PATIENCE)
        heard({"held": held.get("end", "nobody came")})
        return "held"
    if name == "release":
        for held in holding.values():
            held.setdefault("end", "released")
            held["event"].set()
        return "released"
    return None


def take(message):
    """What needs no answer."""
    if message.get("method") == "notifications/cancelled":
        held = holding.get(message["params"]["requestId"])
        if held:
            held.setdefault("end", "cancelled")
            held["event"].set()
    elif message.get("id") in waiting:
        answered = waiting[message["id"]]
        answered.update(message)
        answered["event"].set()


def plain(message, era):
    """The answer to all but tool calls."""
    method, result = message["method"], None
    if method == "initialize" and era == LEGACY:
        result = {"protocolVersion": LEGACY, "capabilities": CAPABILITIES}
        result["serverInfo"] = {"name": "contrary", "version": "1"}
    if method == "server/discover" and era == MODERN:
        result = {"supportedVersions": [MODERN], "capabilities": CAPABILITIES}
        result["_meta"] = {"io.modelcontextprotocol/serverInfo": {"name": "contrary", "version": "1"}}
    if method == "tools/list":
        result = {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]}
    if method in ("ping", "logging/setLevel"):
        result = {}
    if result is None:
        return {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "Method not found"}}
    if era == MODERN:
        result.update(resultType="complete", ttlMs=0, cacheScope="private")
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


def text(message, words, **more):
    return {"jsonrpc": "2.0", "id": message["id"], "result": {"content": [{"type": "text", "text": words}], **more}}


def modern(message):
    """A tool call of the modern era, which asks in its result."""
    params = message["params"]
    if params["name"] == "ask" and "inputResponses" not in params:
        request = {"method": "elicitation/create", "params": {"mode": "form", **FORM}}
        result = {"resultType": "input_required", "inputRequests": {"city": request}, "requestState": "asked"}
        return {"jsonrpc": "2.0", "id": message["id"], "result": result}
    words = held(params["name"], message["id"]) or json.dumps(params.get("inputResponses"))
    return text(message, words, resultType="complete")


def stdio(era):
    def say(message):
        with lock:
            sys.stdout.write(json.dumps(message) + "\n")
            sys.stdout.flush()

    def run(message):
        if era == MODERN:
            return say(modern(message))
        params = message["params"]
        say(text(message, call(params["name"], params.get("arguments"), message["id"], say, say)))

    for line in sys.stdin:
        message = json.loads(line)
        heard(message)
        if "method" not in message or "id" not in message:
            take(message)
        elif message["method"] == "tools/call":
            threading.Thread(target=run, args=(message,), daemon=True).start()
        else:
            say(plain(message, era))


class Session(BaseHTTPRequestHandler):
    """One session for all who come."""

    protocol_version = "HTTP/1.1"
    aside = None
    opened = threading.Event()

    def log_message(self, *_):
        pass

    def give(self, message, status=200):
        body = json.dumps(message).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if "protocolVersion" in (message.get("result") or {}):
            self.send_header("Mcp-Session-Id", "one")
        self.end_headers()
        self.wfile.write(body)

    def event(self, message):
        self.wfile.write(b"data: " + json.dumps(message).encode() + b"\n\n")
        self.wfile.flush()

    def stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def do_GET(self):
        self.stream()
        self.wfile.flush()
        Session.aside = self
        Session.opened.set()
        threading.Event().wait()

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        heard(message)
        if "method" not in message:
            return self.answered(message)
        if "id" not in message:
            take(message)
            return self.give({}, 202)
        if message["method"] != "tools/call":
            return self.give(plain(message, LEGACY))
        name = message["params"]["name"]
        run = lambda say: text(message, call(name, message["params"].get("arguments"), message["id"], say, self.beside))
        if name == "ask":
            self.stream()
            return self.event(run(self.event))
        self.give(run(None))

    def answered(self, message):
        if mode == "withhold":
            threading.Event().wait()
        if mode == "forget":
            refused = {"jsonrpc": "2.0", "id": None, "error": {"code": -32001, "message": "Session not found"}}
            return self.give(refused, 404)
        take(message)
        self.give({}, 202)

    def beside(self, message):
        Session.opened.wait(PATIENCE)
        Session.aside.event(message)


if sys.argv[2] == "stdio":
    stdio(MODERN if sys.argv[3] == "modern" else LEGACY)
else:
    mode = sys.argv[4] if len(sys.argv) > 4 else ""
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[3])), Session).serve_forever()
