"""A client of the Python SDK 2.x (both eras) that runs one scenario and prints what it observed.

Argument: {url | command, transport: http|sse|stdio, mode: legacy|auto|modern, scenario, prefix, uriPrefix, params, env}.
One line of JSON goes to stdout. It never judges what it sees: what must hold is said by the tests.
"""

import hashlib
import json
import os
import sys
import time
import warnings
from contextlib import AsyncExitStack
from urllib.parse import urlparse

import anyio
import mcp_types as types
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

warnings.simplefilter("ignore")

MODES = {"legacy": "legacy", "auto": "auto", "modern": "2026-07-28"}
KEPT = ("accept", "content-type", "mcp-protocol-version", "mcp-session-id", "mcp-method", "mcp-name", "last-event-id")


def say(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def plain(model):
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)


def fault(error):
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    code = error.code if isinstance(error, MCPError) else None
    data = error.error.data if isinstance(error, MCPError) else None
    return {"type": type(error).__name__, "code": code, "message": str(error), "data": data, "status": None}


async def outcome(work):
    start = time.perf_counter()
    took = lambda: round((time.perf_counter() - start) * 1000)
    try:
        result = await work
        return {"result": plain(result) if hasattr(result, "model_dump") else result, "ms": took()}
    except Exception as error:  # the error is the observation
        return {"error": fault(error), "ms": took()}


class Log:
    """A list that others append to and that can be waited on."""

    def __init__(self):
        self.entries = []
        self.changed = anyio.Event()

    def push(self, entry):
        self.entries.append(entry)
        self.changed.set()
        self.changed = anyio.Event()

    async def until(self, match, count, ms):
        """The first `count` entries that match, or fewer when `ms` have passed."""
        with anyio.move_on_after(ms / 1000):
            while len([e for e in self.entries if match(e)]) < count:
                await self.changed.wait()
        return [e for e in self.entries if match(e)]


def of(method):
    return lambda entry: entry["method"] == method


class Context:
    def __init__(self, given, stack):
        self.given, self.stack = given, stack
        self.p = given.get("params") or {}
        self.notes, self.http, self.errors = Log(), Log(), []

    def tool(self, name):
        return (self.given.get("prefix") or "") + name

    def uri(self, uri):
        return (self.given.get("uriPrefix") or "") + uri

    async def note_http(self, response):
        request = response.request
        keep = lambda headers: {k: headers[k] for k in KEPT if k in headers}
        try:
            rpc = json.loads(request.content).get("method", "response")
        except ValueError:
            rpc = None
        self.http.push(
            {
                "verb": request.method,
                "path": urlparse(str(request.url)).path,
                "rpc": rpc,
                "sent": keep(request.headers),
                "status": response.status_code,
                "got": keep(response.headers),
            }
        )

    def http_client(self, headers=None, timeout=None, auth=None):
        client = create_mcp_http_client(headers, timeout, auth)
        client.event_hooks = {"response": [self.note_http]}
        return client

    async def transport(self):
        given = self.given
        match given["transport"]:
            case "http":
                client = await self.stack.enter_async_context(self.http_client())
                return streamable_http_client(given["url"], http_client=client)
            case "sse":
                return sse_client(given["url"], httpx_client_factory=self.http_client)
            case "stdio":
                command, *args = given["command"]
                env = {**os.environ, **(given.get("env") or {})}
                return stdio_client(StdioServerParameters(command=command, args=args, env=env), errlog=open(os.devnull, "w"))
        raise ValueError(f"no transport is called {given['transport']}")

    async def open(self, **callbacks):
        async def heard(message):
            if isinstance(message, Exception):
                self.errors.append(str(message))
            else:
                self.notes.push(plain(message))

        client = Client(
            await self.transport(),
            mode=MODES[self.given.get("mode") or "legacy"],
            client_info=types.Implementation(name="e2e-python", version="2.0.0"),
            message_handler=heard,
            **callbacks,
        )
        return await self.stack.enter_async_context(client)

    def modern(self, client):
        return client.protocol_version >= "2026-07-28"

    async def call(self, client, name, arguments=None, **options):
        return await client.call_tool(self.tool(name), arguments or {}, **options)


async def listed(fetch, key):
    items, pages, cursor = [], 0, None
    while pages < 100:
        page = await fetch(cursor=cursor)
        items += [plain(item) for item in getattr(page, key)]
        pages, cursor = pages + 1, page.next_cursor
        if not cursor:
            break
    return items, pages


def lister(client, kind):
    fetch = {"tools": client.list_tools, "prompts": client.list_prompts, "resources": client.list_resources}
    return listed(fetch[kind], kind)


async def handshake(c):
    client = await c.open()
    session = [e["got"]["mcp-session-id"] for e in c.http.entries if "mcp-session-id" in e["got"]]
    modern = c.modern(client)
    return {
        "era": "modern" if modern else "legacy",
        "protocolVersion": client.protocol_version,
        "serverInfo": plain(client.server_info) if client.server_info else None,
        "capabilities": plain(client.server_capabilities),
        "instructions": client.instructions,
        "sessionId": session[0] if session else None,
        "ping": None if modern else await outcome(client.send_ping()),
    }


async def tools(c):
    client = await c.open()
    items, pages = await lister(client, "tools")
    calls = [await outcome(c.call(client, call["name"], call.get("arguments"))) for call in c.p.get("calls", [])]
    return {"tools": items, "pages": pages, "calls": calls}


async def resources(c):
    client = await c.open()
    items, pages = await lister(client, "resources")
    templates, _ = await listed(client.list_resource_templates, "resource_templates")
    reads = [await outcome(client.read_resource(c.uri(uri))) for uri in c.p.get("reads", [])]
    return {"resources": items, "pages": pages, "templates": templates, "reads": reads}


async def prompts(c):
    client = await c.open()
    items, pages = await lister(client, "prompts")
    gets = [await outcome(client.get_prompt(c.tool(g["name"]), g.get("arguments"))) for g in c.p.get("gets", [])]
    return {"prompts": items, "pages": pages, "gets": gets}


async def completion(c):
    client = await c.open()
    done = []
    for ask in c.p["asks"]:
        if "prompt" in ask:
            ref = types.PromptReference(name=c.tool(ask["prompt"]))
        else:
            ref = types.ResourceTemplateReference(uri=c.uri(ask["template"]))
        context = (ask.get("context") or {}).get("arguments")
        done.append(await outcome(client.complete(ref, ask["argument"], context)))
    return {"completions": done}


async def measured(c, client, arguments):
    seen, answered = [], False

    async def step(progress, total, message):
        seen.append({"progress": progress, "total": total, "late": answered})

    done = await outcome(c.call(client, c.p["name"], arguments, progress_callback=step))
    answered = True
    if "echo" in c.p:
        await outcome(c.call(client, c.p["echo"], {"message": "after"}))
    return {"progress": seen, **done}


async def progress(c):
    return await measured(c, await c.open(), c.p["arguments"])


async def crossing(c):
    clients = [await c.open() for _ in c.p["each"]]
    seen = [None] * len(clients)

    async def one(i):
        seen[i] = await measured(c, clients[i], c.p["each"][i])

    async with anyio.create_task_group() as group:
        for i in range(len(clients)):
            group.start_soon(one, i)
    sessions = [e["got"].get("mcp-session-id") for e in c.http.entries if e["rpc"] == "initialize"]
    return {"clients": seen, "sessions": sessions}


async def cancellation(c):
    client = await c.open()
    first, aborted = {"result": "not cancelled"}, None
    with anyio.CancelScope() as scope:

        async def step(progress, total, message):
            nonlocal aborted
            if aborted is None:
                aborted = time.perf_counter()
                scope.cancel()

        first = await outcome(c.call(client, c.p["name"], c.p["arguments"], progress_callback=step))
    returned = None if aborted is None else round((time.perf_counter() - aborted) * 1000)
    if scope.cancelled_caught:
        first = {"error": {"type": "Cancelled", "code": None, "message": "cancelled by the caller"}}
    then = c.p["then"]
    return {"first": first, "returnedAfterMs": returned, "second": await outcome(c.call(client, then["name"], then.get("arguments")))}


async def sampling(c):
    asked = []

    async def answer(context, params):
        asked.append(plain(params))
        return types.CreateMessageResult.model_validate(c.p["answer"])

    client = await c.open(sampling_callback=answer)
    return {"asked": asked, **await outcome(c.call(client, c.p["name"], c.p.get("arguments")))}


async def elicitation(c):
    asked, left = [], list(c.p["answers"])

    async def answer(context, params):
        asked.append(plain(params))
        return types.ElicitResult.model_validate(left.pop(0))

    client = await c.open(elicitation_callback=answer)
    results = [await outcome(c.call(client, c.p["name"], c.p.get("arguments"))) for _ in c.p["answers"]]
    return {"asked": asked, "results": results}


async def roots(c):
    given, asked = c.p["before"], 0

    async def answer(context):
        nonlocal asked
        asked += 1
        return types.ListRootsResult.model_validate({"roots": given})

    client = await c.open(list_roots_callback=answer)
    before, after = await outcome(c.call(client, c.p["name"])), None
    if not c.modern(client) and c.p.get("after"):
        given = c.p["after"]
        note = lambda e: e["method"] == "notifications/message" and "Roots updated" in str(e["params"]["data"])
        had = len([e for e in c.notes.entries if note(e)])
        await client.send_roots_list_changed()
        await c.notes.until(note, had + 1, c.p.get("waitMs", 5000))
        after = await outcome(c.call(client, c.p["name"]))
    return {"asked": asked, "before": before, "after": after}


async def logging(c):
    client, uri, rounds = await c.open(), c.uri(c.p["uri"]), []
    for level in c.p["levels"]:
        start = len(c.notes.entries)
        done = await outcome(client.set_logging_level(level))
        await client.subscribe_resource(uri)
        await c.call(client, c.p["toggle"])
        updated = of("notifications/resources/updated")
        had = len([e for e in c.notes.entries[:start] if updated(e)])
        fences = await c.notes.until(updated, had + 1, c.p.get("waitMs", 5000))
        await client.unsubscribe_resource(uri)
        await c.call(client, c.p["toggle"])
        messages = [e["params"] for e in c.notes.entries[start:] if of("notifications/message")(e)]
        rounds.append({"level": level, "set": done, "fenced": len(fences) > had, "messages": messages})
    return {"rounds": rounds}


async def logged_call(c):
    client, rounds = await c.open(), []
    for level in c.p["levels"]:
        start = len(c.notes.entries)
        session = c.p.get("session", False)
        if session:
            await client.set_logging_level(level)
        meta = {"io.modelcontextprotocol/logLevel": level} if level and not session else None
        done = await outcome(c.call(client, c.p["name"], c.p.get("arguments"), meta=meta))
        messages = [e["params"] for e in c.notes.entries[start:] if of("notifications/message")(e)]
        rounds.append({"level": level, "messages": messages, **done})
    return {"rounds": rounds}


async def subscription(c):
    client, uri = await c.open(), c.uri(c.p["uri"])
    trigger, wait = c.p["trigger"], c.p.get("waitMs", 5000)
    if not c.modern(client):
        await client.subscribe_resource(uri)
        triggered = await outcome(c.call(client, trigger["name"], trigger.get("arguments")))
        updates = await c.notes.until(of("notifications/resources/updated"), 1, wait)
        await client.unsubscribe_resource(uri)
        if "untrigger" in c.p:
            await c.call(client, c.p["untrigger"])
        return {"triggered": triggered, "updates": [e["params"] for e in updates], "honoured": None, "ended": None}
    updates = []
    async with client.listen(resource_subscriptions=[uri]) as stream:
        honoured = plain(stream.honored)
        triggered = await outcome(c.call(client, trigger["name"], trigger.get("arguments")))
        with anyio.move_on_after(wait / 1000):
            async for event in stream:
                updates.append({"uri": event.uri})
                break
    if "untrigger" in c.p:
        await c.call(client, c.p["untrigger"])
    return {"triggered": triggered, "updates": updates, "honoured": honoured, "ended": "local"}


async def told_of(c, client, kind, before_waiting):
    """How many list-changed notifications of `kind` came (0 or 1) after `before_waiting` was done."""
    wait = c.p.get("waitMs", 5000)
    if not c.modern(client):
        extra = await before_waiting()
        told = await c.notes.until(of(f"notifications/{kind}/list_changed"), 1, wait)
        return len(told), extra
    told = 0
    async with client.listen(**{f"{kind}_list_changed": True}) as stream:
        extra = await before_waiting()
        with anyio.move_on_after(wait / 1000):
            async for _ in stream:
                told = 1
                break
    return told, extra


def names(items):
    return [item.get("uri") or item["name"] for item in items]


async def list_changed(c):
    client, kind = await c.open(), c.p["kind"]
    before, _ = await lister(client, kind)
    trigger = c.p["trigger"]
    told, triggered = await told_of(c, client, kind, lambda: outcome(c.call(client, trigger["name"], trigger.get("arguments"))))
    after, _ = await lister(client, kind)
    return {"triggered": triggered, "told": told, "before": names(before), "after": names(after)}


async def watch(c):
    client, kind = await c.open(), c.p["kind"]
    before, _ = await lister(client, kind)

    async def ready():
        say({"ready": True})

    told, _ = await told_of(c, client, kind, ready)
    after, _ = await lister(client, kind)
    return {"told": told, "before": names(before), "after": names(after)}


async def large(c):
    client, fill = await c.open(), c.p.get("fill")
    line = fill or 'The quick brown fox – größer, 狐, 🦊 – jumps over "the" lazy dog\\.\t'
    message = line * -(-c.p["bytes"] // len(line.encode()))
    arguments = {**c.p.get("arguments", {}), **({} if fill else {"message": message})}
    done = await outcome(c.call(client, c.p["name"], arguments))
    content = (done.get("result") or {}).get("content") or [{}]
    sizes = lambda s: {"bytes": len(s.encode()), "sha": hashlib.sha256(s.encode()).hexdigest()}
    wanted, got = c.p.get("lead", "") + message, content[0].get("text", "")
    return {"wanted": sizes(wanted), "got": sizes(got), "error": done.get("error"), "ms": done["ms"]}


async def concurrent(c):
    client = await c.open()
    asked = [f"call {i} of {c.p['count']}" for i in range(c.p["count"])]
    done = [None] * len(asked)

    async def one(i):
        done[i] = await outcome(c.call(client, c.p["name"], {**c.p.get("arguments", {}), "message": asked[i]}))

    async with anyio.create_task_group() as group:
        for i in range(len(asked)):
            group.start_soon(one, i)
    text = lambda d: ((d.get("result") or {}).get("content") or [{}])[0].get("text")
    own = [d for d, a in zip(done, asked) if text(d) == c.p.get("lead", "") + a]
    failed = [d["error"] for d in done if "error" in d]
    return {"asked": len(asked), "own": len(own), "failed": len(failed), "failures": failed[:3]}


SCENARIOS = (
    handshake, tools, resources, prompts, completion, progress, crossing, cancellation, sampling, elicitation, roots,
    logging, logged_call, subscription, list_changed, watch, large, concurrent,
)


async def main():
    given = json.loads(sys.argv[1])
    scenario = {s.__name__: s for s in SCENARIOS}[given["scenario"]]
    observed, error, closed, c = None, None, None, None
    try:
        async with AsyncExitStack() as stack:
            c = Context(given, stack)
            try:
                observed = await scenario(c)
            except Exception as failed:  # the error is the observation
                error = fault(failed)
    except BaseException as failed:
        closed = fault(failed)
    say(
        {
            "ok": error is None and observed is not None,
            "observed": observed,
            "error": error or (None if observed is not None else closed),
            "errors": c.errors,
            "http": c.http.entries,
            "closed": closed,
        }
    )


anyio.run(main)
