"""A legacy server on standard streams that heeds no cancellation: what it has to ask or tell comes late.

Tools: `ask {after, message}` asks the user after so many seconds, and answers only then; `tell {after, message}` writes
a log message then; `wait {for}` answers after so long; `instance` answers with the number of its process. The name of
each tool that is called becomes a line of the file in the argument.
"""

import json
import os
import sys
import threading
import time

questions: dict[str, threading.Event] = {}
TOOLS = ["ask", "tell", "wait", "instance"]


def send(**message) -> None:
    line = json.dumps({"jsonrpc": "2.0", **message}) + "\n"
    os.write(1, line.encode())


def ask(key: str, after: float = 0, message: str = "?") -> str:
    answered = questions[key] = threading.Event()
    time.sleep(after)
    schema = {"type": "object", "properties": {}}
    send(id=key, method="elicitation/create", params={"message": message, "requestedSchema": schema})
    answered.wait(60)
    return "answered"


def call(number, name: str, arguments: dict) -> None:
    match name:
        case "ask":
            text = ask(f"question-{number}", **arguments)
        case "tell":
            time.sleep(arguments["after"])
            send(method="notifications/message", params={"level": "info", "data": arguments["message"]})
            text = "told"
        case "wait":
            time.sleep(arguments["for"])
            text = "waited"
        case _:
            text = str(os.getpid())
    send(id=number, result={"content": [{"type": "text", "text": text}]})


def take(message: dict) -> None:
    number, params = message.get("id"), message.get("params", {})
    match message.get("method"):
        case None:
            questions[number].set()
        case "initialize":
            offer = {"tools": {}, "logging": {}}
            info = {"name": "late", "version": "1"}
            send(id=number, result={"protocolVersion": "2025-11-25", "capabilities": offer, "serverInfo": info})
        case "tools/list":
            send(id=number, result={"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]})
        case "tools/call":
            with open(sys.argv[1], "a") as called:
                called.write(params["name"] + "\n")
            given = (number, params["name"], params.get("arguments", {}))
            threading.Thread(target=call, args=given, daemon=True).start()
        case "logging/setLevel" | "ping":
            send(id=number, result={})
        case _ if number is not None:
            send(id=number, error={"code": -32601, "message": "Method not found"})


for line in sys.stdin:
    take(json.loads(line))
