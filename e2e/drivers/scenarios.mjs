// What a driver can be asked to do, written once for both TypeScript SDKs against the small `link` interface
// that `ts1.mjs` and `ts2.mjs` implement. A scenario reports what it saw; what must hold is said by the tests.
import { createHash } from 'node:crypto';
import { outcome, say } from './wire.mjs';

const sha = (text) => createHash('sha256').update(text).digest('hex');
const of = (method) => (entry) => entry.method === method;

/** Who the server says it is, what was agreed on, and that it answers. */
async function handshake(c) {
  const link = await c.open();
  const ping = link.era() === 'legacy' ? await outcome(() => link.ping()) : null;
  return { ...link.info(), ping };
}

/** All tools, page by page, and the calls that `params.calls` asks for, one after another. */
async function tools(c) {
  const link = await c.open();
  const listed = await link.list('tools');
  return { tools: listed.items, pages: listed.pages, calls: await calls(c, link) };
}

async function calls(c, link) {
  const done = [];
  for (const call of c.p.calls ?? []) {
    done.push(await outcome(() => link.call(c.tool(call.name), call.arguments ?? {})));
  }
  return done;
}

async function resources(c) {
  const link = await c.open();
  const listed = await link.list('resources');
  const templates = await link.list('resourceTemplates');
  const reads = [];
  for (const uri of c.p.reads ?? []) reads.push(await outcome(() => link.read(c.uri(uri))));
  return { resources: listed.items, pages: listed.pages, templates: templates.items, reads };
}

async function prompts(c) {
  const link = await c.open();
  const listed = await link.list('prompts');
  const gets = [];
  for (const get of c.p.gets ?? []) gets.push(await outcome(() => link.prompt(c.tool(get.name), get.arguments)));
  return { prompts: listed.items, pages: listed.pages, gets };
}

async function completion(c) {
  const link = await c.open();
  const completions = [];
  for (const { prompt, template, argument, context } of c.p.asks) {
    const ref = prompt ? { type: 'ref/prompt', name: c.tool(prompt) } : { type: 'ref/resource', uri: c.uri(template) };
    completions.push(await outcome(() => link.complete({ ref, argument, ...(context ? { context } : {}) })));
  }
  return { completions };
}

/** A call that reports progress. Each entry of `seen` notes whether the result had come already. */
async function progress(c) {
  const link = await c.open();
  return measured(c, link, c.p.arguments);
}

async function measured(c, link, args) {
  const seen = [];
  let answered = false;
  const onprogress = (step) => seen.push({ ...step, late: answered });
  const done = await outcome(() => link.call(c.tool(c.p.name), args, { onprogress }));
  answered = true;
  // A progress notification that comes after its result would come before the answer to a later request.
  if (c.p.echo) await outcome(() => link.call(c.tool(c.p.echo), { message: 'after' }));
  return { progress: seen, ...done };
}

/** Several clients at once, each with arguments of its own: what belongs to one must not reach another. */
async function crossing(c) {
  const links = await Promise.all(c.p.each.map(() => c.open()));
  const seen = await Promise.all(links.map((link, i) => measured(c, link, c.p.each[i])));
  return { clients: seen, sessions: links.map((link) => link.info().sessionId) };
}

/** Aborts a call at its first progress notification, then makes another on the same connection. */
async function cancellation(c) {
  const link = await c.open();
  const controller = new AbortController();
  let abortedAt = null;
  const onprogress = () => {
    if (abortedAt !== null) return;
    abortedAt = performance.now();
    controller.abort('no longer wanted');
  };
  const first = await outcome(() => link.call(c.tool(c.p.name), c.p.arguments, { onprogress, signal: controller.signal }));
  const returnedAfterMs = abortedAt === null ? null : Math.round(performance.now() - abortedAt);
  const second = await outcome(() => link.call(c.tool(c.p.then.name), c.p.then.arguments ?? {}));
  return { first, returnedAfterMs, second };
}

/** A tool that asks the client's model; `params.answer` is the whole answer. */
async function sampling(c) {
  const asked = [];
  const answers = { 'sampling/createMessage': (params) => (asked.push(params), c.p.answer) };
  const link = await c.open({ answers });
  const done = await outcome(() => link.call(c.tool(c.p.name), c.p.arguments ?? {}));
  return { asked, ...done };
}

/** A tool that asks the user, called once for each of `params.answers`. */
async function elicitation(c) {
  const asked = [];
  const left = [...c.p.answers];
  const answers = { 'elicitation/create': (params) => (asked.push(params), left.shift()) };
  const link = await c.open({ answers });
  const results = [];
  for (const _ of c.p.answers) results.push(await outcome(() => link.call(c.tool(c.p.name), c.p.arguments ?? {})));
  return { asked, results };
}

/** Roots as the server sees them, before and after the client says that they changed. */
async function roots(c) {
  let given = c.p.before;
  let asked = 0;
  const answers = { 'roots/list': () => ((asked += 1), { roots: given }) };
  const link = await c.open({ answers });
  const before = await outcome(() => link.call(c.tool(c.p.name), {}));
  const changed = link.era() === 'legacy' && c.p.after;
  let after = null;
  if (changed) {
    given = c.p.after;
    // The server asks again by itself; it says so in a log message.
    await link.rootsChanged();
    const note = (entry) => of('notifications/message')(entry) && String(entry.params.data).includes('Roots updated');
    const had = link.notes.entries.filter(note).length;
    await link.notes.until(note, had + 1, c.p.waitMs ?? 5000);
    after = await outcome(() => link.call(c.tool(c.p.name), {}));
  }
  return { asked, before, after };
}

/** The log messages of two subscriptions, one at each of two levels; an updated resource fences them. */
async function logging(c) {
  const link = await c.open();
  const uri = c.uri(c.p.uri);
  const rounds = [];
  for (const level of c.p.levels) {
    const from = link.notes.entries.length;
    const set = await outcome(() => link.setLevel(level));
    await link.subscribe(uri);
    await link.call(c.tool(c.p.toggle), {});
    const fence = (entry, at) => at >= from && of('notifications/resources/updated')(entry);
    const fences = await link.notes.until((e) => fence(e, link.notes.entries.indexOf(e)), 1, c.p.waitMs ?? 5000);
    await link.unsubscribe(uri);
    await link.call(c.tool(c.p.toggle), {});
    const messages = link.notes.entries.slice(from).filter(of('notifications/message')).map((e) => e.params);
    rounds.push({ level, set, fenced: fences.length > 0, messages });
  }
  return { rounds };
}

/** Messages logged by a call itself: asked for in the request's `_meta`, or by the session's level (`params.session`). */
async function loggedCall(c) {
  const link = await c.open();
  const rounds = [];
  for (const level of c.p.levels) {
    const from = link.notes.entries.length;
    if (c.p.session) await link.setLevel(level);
    const meta = level && !c.p.session ? { 'io.modelcontextprotocol/logLevel': level } : undefined;
    const done = await outcome(() => link.call(c.tool(c.p.name), c.p.arguments ?? {}, { meta }));
    const messages = link.notes.entries.slice(from).filter(of('notifications/message')).map((e) => e.params);
    rounds.push({ level, messages, ...done });
  }
  return { rounds };
}

/** Updates of one resource reach who asked for them; `params.trigger` makes the server send one. */
async function subscription(c) {
  const link = await c.open();
  const uri = c.uri(c.p.uri);
  const legacy = link.era() === 'legacy';
  const listening = legacy ? null : await link.listen({ resourceSubscriptions: [uri] });
  if (legacy) await link.subscribe(uri);
  const trigger = () => link.call(c.tool(c.p.trigger.name), c.p.trigger.arguments ?? {});
  const triggered = await outcome(trigger);
  const updates = await link.notes.until(of('notifications/resources/updated'), 1, c.p.waitMs ?? 5000);
  if (legacy) await link.unsubscribe(uri);
  const honoured = listening?.honoredFilter ?? null;
  await listening?.close();
  const ended = listening ? await listening.closed : null;
  if (c.p.untrigger) await link.call(c.tool(c.p.untrigger), {});
  return { triggered, updates: updates.map((e) => e.params), honoured, ended };
}

/** A list that changes while a client looks: the notification, and the list before and after it. */
async function listChanged(c) {
  const link = await c.open();
  const kind = c.p.kind;
  const before = await link.list(kind);
  const listening = link.era() === 'modern' ? await link.listen({ [`${kind}ListChanged`]: true }) : null;
  const triggered = await outcome(() => link.call(c.tool(c.p.trigger.name), c.p.trigger.arguments ?? {}));
  const told = await link.notes.until(of(`notifications/${kind}/list_changed`), 1, c.p.waitMs ?? 5000);
  const after = await link.list(kind);
  await listening?.close();
  const names = (list) => list.items.map((item) => item.uri ?? item.name);
  return { triggered, told: told.length, before: names(before), after: names(after) };
}

/** Waits for a list to change by somebody else's doing: says when it is ready, then when it was told. */
async function watch(c) {
  const link = await c.open();
  const kind = c.p.kind;
  const before = await link.list(kind);
  const listening = link.era() === 'modern' ? await link.listen({ [`${kind}ListChanged`]: true }) : null;
  await say({ ready: true });
  const told = await link.notes.until(of(`notifications/${kind}/list_changed`), 1, c.p.waitMs ?? 20000);
  const after = await link.list(kind);
  await listening?.close();
  const names = (list) => list.items.map((item) => item.uri ?? item.name);
  return { told: told.length, before: names(before), after: names(after) };
}

/** Keeps a session open: says when it is ready, then calls until the harness has had enough, and counts. */
async function hold(c) {
  const link = await c.open();
  await outcome(() => link.call(c.tool(c.p.name), c.p.arguments ?? {}));
  await say({ ready: true, sessionId: link.info().sessionId });
  await new Promise((resolve) => process.stdin.once('data', resolve));
  const again = await outcome(() => link.call(c.tool(c.p.name), c.p.arguments ?? {}));
  return { again };
}

/** Text of `params.bytes` there and back, or only back when the tool makes it of `params.fill` itself. */
async function large(c) {
  const link = await c.open();
  const line = c.p.fill ?? 'The quick brown fox – größer, 狐, 🦊 – jumps over "the" lazy dog\\.\t';
  const message = line.repeat(Math.ceil(c.p.bytes / Buffer.byteLength(line)));
  const args = { ...c.p.arguments, ...(c.p.fill ? {} : { message }) };
  const done = await outcome(() => link.call(c.tool(c.p.name), args, { timeout: c.p.waitMs }));
  const text = done.result?.content?.[0]?.text ?? '';
  const wanted = (c.p.lead ?? '') + message;
  const sizes = (all) => ({ bytes: Buffer.byteLength(all), sha: sha(all) });
  return { wanted: sizes(wanted), got: sizes(text), error: done.error ?? null, ms: done.ms };
}

/** Drops the connection of a running call after some progress; the SDK should fetch what it missed. */
async function resumption(c) {
  const link = await c.open();
  const seen = [];
  let cut = false;
  const onprogress = (step) => {
    seen.push(step.progress);
    if (cut || seen.length < (c.p.cutAfter ?? 2)) return;
    cut = true;
    for (const stream of link.streams) if (stream.entry.rpc === 'tools/call') stream.cut();
  };
  const done = await outcome(() => link.call(c.tool(c.p.name), c.p.arguments, { onprogress, timeout: c.p.waitMs }));
  const resumed = c.http.entries.filter((e) => e.verb === 'GET' && e.sent['last-event-id']);
  return { cut, progress: seen, resumed: resumed.length, ...done };
}

/** Drops the standing GET stream, makes the server notify meanwhile, and waits for the notification. */
async function standingStream(c) {
  const link = await c.open();
  await c.http.until((e) => e.verb === 'GET' && e.status === 200, 1, 5000);
  // Something must have been delivered with an id before: a stream without one cannot be resumed.
  const trigger = (name) => link.call(c.tool(c.p.trigger.name), { ...c.p.trigger.arguments, name });
  await trigger('first.gz');
  const method = 'notifications/resources/list_changed';
  const first = await link.notes.until(of(method), 1, c.p.waitMs ?? 5000);
  for (const stream of link.streams) if (stream.entry.verb === 'GET') stream.cut();
  const during = await outcome(() => trigger('second.gz'));
  const all = await link.notes.until(of(method), first.length + 1, c.p.waitMs ?? 10000);
  const resumed = c.http.entries.filter((e) => e.verb === 'GET' && e.sent['last-event-id']);
  return { first: first.length, during, all: all.length, resumed: resumed.length };
}

/** Many calls in flight at once on one connection, each answer compared with its own question. */
async function concurrent(c) {
  const link = await c.open();
  const asked = Array.from({ length: c.p.count }, (_, i) => `call ${i} of ${c.p.count}`);
  const done = await Promise.all(
    asked.map((message) => outcome(() => link.call(c.tool(c.p.name), { ...c.p.arguments, message }, { timeout: c.p.waitMs }))),
  );
  const own = done.filter((d, i) => d.result?.content?.[0]?.text === (c.p.lead ?? '') + asked[i]);
  const failed = done.filter((d) => d.error).map((d) => d.error);
  return { asked: asked.length, own: own.length, failed: failed.length, failures: failed.slice(0, 3) };
}

/** Ends the session by DELETE; the session must be gone afterwards. */
async function ending(c) {
  const link = await c.open();
  const { sessionId } = link.info();
  const ended = await outcome(() => link.terminate());
  const response = await fetch(c.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json', accept: 'application/json, text/event-stream', 'mcp-session-id': sessionId ?? '',
      'mcp-protocol-version': link.info().protocolVersion,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/list' }),
  });
  return { sessionId, ended, statusAfter: response.status };
}

export const scenarios = {
  handshake, tools, resources, prompts, completion, progress, crossing, cancellation, sampling, elicitation, roots,
  logging, logged_call: loggedCall, subscription, list_changed: listChanged, watch, hold, large, resumption,
  standing_stream: standingStream, concurrent, ending,
};
