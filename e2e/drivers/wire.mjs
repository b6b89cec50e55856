// What the drivers share: the argument, the one line of output, bounded waits, and a `fetch` that
// notes every HTTP exchange and can cut a stream that is being read. It never judges what it sees.

/** The headers that a test may want to look at, both ways. */
const KEPT = [
  'accept', 'content-type', 'mcp-protocol-version', 'mcp-session-id', 'mcp-method', 'mcp-name', 'last-event-id',
];

/** The driver's one argument. */
export function argument() {
  if (process.argv.length < 3) throw new Error('usage: driver <one JSON argument>');
  return JSON.parse(process.argv[2]);
}

/** Prints one line for the harness. */
export function say(value) {
  return new Promise((done) => process.stdout.write(JSON.stringify(value) + '\n', done));
}

/** An error as plain data: what the SDK's user would have in hand. */
export function fault(error) {
  return {
    type: error?.constructor?.name ?? typeof error,
    code: error?.code ?? null,
    message: String(error?.message ?? error),
    data: error?.data ?? null,
    status: error?.status ?? error?.data?.status ?? null,
  };
}

/** Runs `work`; the outcome is `{result}` or `{error}`, with the time it took. */
export async function outcome(work) {
  const from = performance.now();
  try {
    return { result: await work(), ms: Math.round(performance.now() - from) };
  } catch (error) {
    return { error: fault(error), ms: Math.round(performance.now() - from) };
  }
}

/** A list that others append to and that can be waited on. */
export class Log {
  entries = [];
  #waiting = new Set();

  push(entry) {
    this.entries.push(entry);
    for (const check of [...this.#waiting]) check();
  }

  /** Resolves to the first `count` entries that match, or to fewer when `ms` have passed. */
  until(match, count, ms) {
    return new Promise((resolve) => {
      const check = () => {
        const found = this.entries.filter(match);
        if (found.length < count) return;
        finish(found);
      };
      const timer = setTimeout(() => finish(this.entries.filter(match)), ms);
      const finish = (found) => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(found);
      };
      this.#waiting.add(check);
      check();
    });
  }
}

/** A `fetch` that notes each exchange in `log` and keeps the open event streams so that they can be cut. */
export function watched(log) {
  const streams = [];
  const fetching = async (url, init = {}) => {
    const entry = note(url, init);
    const response = await fetch(url, init);
    entry.status = response.status;
    entry.got = kept(response.headers);
    log.push(entry);
    if (!entry.got['content-type']?.startsWith('text/event-stream') || !response.body) return response;
    const stream = cuttable(entry, response);
    streams.push(stream);
    return stream.response;
  };
  return { fetch: fetching, streams };
}

function note(url, init) {
  let rpc = null;
  if (typeof init.body === 'string') {
    try {
      const message = JSON.parse(init.body);
      rpc = Array.isArray(message) ? message.map((m) => m.method ?? 'response') : message.method ?? 'response';
    } catch {
      rpc = 'not JSON';
    }
  }
  return { verb: init.method ?? 'GET', path: new URL(url).pathname, rpc, sent: kept(new Headers(init.headers)) };
}

function kept(headers) {
  const found = {};
  for (const name of KEPT) if (headers.has(name)) found[name] = headers.get(name);
  return found;
}

/** The response with a body whose connection `cut()` drops, as a lost network would. */
function cuttable(entry, response) {
  const reader = response.body.getReader();
  let sink;
  const body = new ReadableStream({
    start(controller) {
      sink = controller;
    },
    async pull(controller) {
      try {
        const { value, done } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        controller.error(error);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
  const cut = () => {
    reader.cancel('cut by the driver').catch(() => {});
    try {
      sink.error(new Error('cut by the driver'));
    } catch {
      // Already closed: there is nothing left to cut.
    }
  };
  const { status, statusText, headers } = response;
  return { entry, cut, response: new Response(body, { status, statusText, headers }) };
}

/** Runs the scenario that the argument names and prints what was observed. */
export async function run(open, scenarios) {
  const given = argument();
  const scenario = scenarios[given.scenario];
  if (!scenario) throw new Error(`no scenario is called ${given.scenario}`);
  const links = [];
  const http = new Log();
  const context = {
    ...given,
    p: given.params ?? {},
    tool: (name) => (given.prefix ?? '') + name,
    uri: (uri) => (given.uriPrefix ?? '') + uri,
    http,
    open: async (options = {}) => {
      const link = await open({ ...given, http, ...options });
      links.push(link);
      return link;
    },
  };
  const observed = await outcome(() => scenario(context));
  const closed = await outcome(() => Promise.all(links.map((link) => link.close())));
  await say({
    ok: !observed.error,
    observed: observed.result ?? null,
    error: observed.error ?? null,
    errors: links.flatMap((link) => link.errors),
    http: http.entries,
    closed: closed.error ?? null,
  });
  process.exit(0);
}
