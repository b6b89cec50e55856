"""A server of both eras on the official Python SDK, for what the reference servers of the modern era do not do.

`both.py stdio`, or `both.py http <port>` (Streamable HTTP of both eras at /mcp on loopback); `both.py stdio legacy` and
`both.py stdio modern` refuse the other era as a server does that never heard of it. It reports progress, notices that a call was cancelled, asks its client (model, user, roots), logs, changes its lists, updates a
resource, and takes an argument that must come in a header as well. It never reaches out of its process.
"""

import asyncio
import io
import json
import os
import sys
import threading
import warnings
from typing import Annotated

import anyio
from mcp.server import MCPServer
from mcp.server.elicitation import ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, ListRoots, Resolve, Sample
from mcp.server.streamable_http import EventMessage, EventStore
from mcp.types import Completion, CreateMessageResult, ListRootsResult, SamplingMessage, TextContent
from pydantic import BaseModel, Field

warnings.simplefilter("ignore")

server = MCPServer("both-eras", version="1.0.0", instructions="Made for tests.", log_level="ERROR")
cancelled: list[str] = []


@server.tool(structured_output=False)
def echo(message: str) -> str:
    return f"Echo: {message}"


@server.tool(structured_output=False)
async def count(steps: int, pause_ms: int, ctx: Context) -> str:
    """Reports each of its steps."""
    for step in range(1, steps + 1):
        await anyio.sleep(pause_ms / 1000)
        await ctx.report_progress(step, steps, f"step {step}")
    return f"Counted to {steps}."


@server.tool(structured_output=False)
async def hold(tag: str, ctx: Context) -> str:
    """Reports progress once and then waits until it is cancelled."""
    await ctx.report_progress(1, 2, "waiting")
    try:
        await anyio.sleep(120)
    except asyncio.CancelledError:
        cancelled.append(tag)
        raise
    return "Nobody cancelled."


@server.tool(structured_output=False)
async def was_cancelled(tag: str) -> str:
    """Whether `hold` with this tag was cancelled; waits up to five seconds for it."""
    with anyio.move_on_after(5):
        while tag not in cancelled:
            await anyio.sleep(0.02)
    return str(tag in cancelled).lower()


class Answer(BaseModel):
    city: str


def which_city() -> Elicit[Answer]:
    return Elicit("Which city?", Answer)


@server.tool(structured_output=False)
async def ask(answer: Annotated[ElicitationResult[Answer], Resolve(which_city)]) -> str:
    """Asks the user for a city."""
    data = getattr(answer, "data", None)
    return f"{answer.action}: {data.city}" if data else answer.action


def a_thought(prompt: str) -> Sample:
    return Sample([SamplingMessage(role="user", content=TextContent(text=prompt))], max_tokens=50)


@server.tool(structured_output=False)
async def think(prompt: str, thought: Annotated[CreateMessageResult, Resolve(a_thought)]) -> str:
    """Asks the client's model."""
    return f"{thought.model}: {thought.content.text}"


def the_roots() -> ListRoots:
    return ListRoots()


@server.tool(structured_output=False)
async def where(roots: Annotated[ListRootsResult, Resolve(the_roots)]) -> str:
    """Lists the client's roots."""
    return " ".join(str(root.uri) for root in roots.roots)


@server.tool(structured_output=False)
async def noisy(ctx: Context) -> str:
    """Logs at three levels."""
    for level in ("debug", "info", "error"):
        await ctx.log(level, f"a message of level {level}", logger_name="noisy")
    return "Said all."


@server.tool(structured_output=False)
async def grow(name: str, ctx: Context) -> str:
    """Adds a tool of this name and says so to whom it may concern."""

    def grown() -> str:
        return f"I am {name}."

    server.add_tool(grown, name=name, structured_output=False)
    await ctx.notify_tools_changed()
    if ctx.protocol_version and ctx.protocol_version < "2026-07-28":
        await ctx.session.send_tool_list_changed()
    return f"Grew {name}."


@server.tool(structured_output=False)
async def touch(uri: str, ctx: Context) -> str:
    """Says that a resource was updated."""
    await ctx.notify_resource_updated(uri)
    return f"Touched {uri}."


@server.tool(structured_output=False)
def region(
    name: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
    ctx: Context,
) -> str:
    """Its argument must stand in the header Mcp-Param-Region as well; the SDK refuses the call otherwise."""
    return f"{name} / {(ctx.headers or {}).get('mcp-param-region')}"


@server.tool(structured_output=False)
def large(bytes: int) -> str:
    """Text of this many bytes."""
    return "x" * bytes


class Weather(BaseModel):
    city: str
    celsius: float


@server.tool()
def weather(city: str) -> Weather:
    """Answers with structured content."""
    return Weather(city=city, celsius=21.5)


@server.tool(structured_output=False)
def fail() -> str:
    raise ValueError("it went wrong")


@server.resource("note://fixed", mime_type="text/plain")
def fixed() -> str:
    return "a fixed note"


@server.resource("note://by-name/{name}", mime_type="text/plain")
def by_name(name: str) -> str:
    return f"the note {name}"


@server.resource("note://bytes", mime_type="application/octet-stream")
def some_bytes() -> bytes:
    return bytes(range(256))


@server.prompt()
def greet(name: str, tone: str = "kind") -> str:
    return f"Greet {name} in a {tone} tone."


@server.completion()
async def complete(ref, argument, context):
    known = {"tone": ["kind", "keen", "curt"], "name": ["alpha", "beta"]}.get(argument.name, [])
    return Completion(values=[value for value in known if value.startswith(argument.value)])


class Kept(EventStore):
    """Every event of a legacy session, so that a client which lost its stream can fetch what it missed."""

    def __init__(self):
        self.events = []

    async def store_event(self, stream_id, message):
        self.events.append((stream_id, message))
        return str(len(self.events))

    async def replay_events_after(self, last_event_id, send):
        stream_id = self.events[int(last_event_id) - 1][0]
        for at, (stream, message) in enumerate(list(self.events), start=1):
            if at > int(last_event_id) and stream == stream_id and message is not None:
                await send(EventMessage(message, str(at)))
        return stream_id


def refusal(era: str, message: dict) -> dict | None:
    """What a server of this era alone answers to a request of the other."""
    if "id" not in message or "method" not in message:
        return None
    meta = (message.get("params") or {}).get("_meta") or {}
    modern = "io.modelcontextprotocol/protocolVersion" in meta
    if era == "legacy" and modern:
        return {"code": -32601, "message": "Method not found"}
    if era == "modern" and not modern:
        data = {"supported": ["2026-07-28"], "requested": (message.get("params") or {}).get("protocolVersion", "")}
        return {"code": -32022, "message": "Unsupported protocol version", "data": data}
    return None


def only(era: str) -> None:
    """Puts a reader between standard input and the SDK, which answers what that era does not know."""
    outside = sys.stdin.buffer
    inside, passed = os.pipe()
    sys.stdin = io.TextIOWrapper(os.fdopen(inside, "rb"), encoding="utf-8")

    def read() -> None:
        with os.fdopen(passed, "wb") as onwards:
            for line in outside:
                error = refusal(era, json.loads(line))
                if error is None:
                    onwards.write(line)
                    onwards.flush()
                else:
                    answer = {"jsonrpc": "2.0", "id": json.loads(line)["id"], "error": error}
                    os.write(1, json.dumps(answer).encode() + b"\n")

    threading.Thread(target=read, daemon=True).start()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["stdio"]:
            server.run("stdio")
        case ["stdio", "legacy" | "modern" as era]:
            only(era)
            server.run("stdio")
        case ["http", port]:
            server.run("streamable-http", host="127.0.0.1", port=int(port), event_store=Kept(), retry_interval=100)
        case _:
            sys.exit("usage: both.py stdio [legacy | modern] | both.py http <port>")
