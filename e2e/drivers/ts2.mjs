// A client of the TypeScript package `client` 2.x (both eras) that runs one scenario and prints what it observed.
// Argument: {url | command, transport: http|sse|stdio, mode: legacy|auto|modern, scenario, prefix, uriPrefix, params, env}.
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { scenarios } from './scenarios.mjs';
import { Log, run, watched } from './wire.mjs';

const MODES = { legacy: 'legacy', auto: 'auto', modern: { pin: '2026-07-28' } };
const CAPABILITIES = {
  'sampling/createMessage': { sampling: {} },
  'elicitation/create': { elicitation: { form: {} } },
  'roots/list': { roots: { listChanged: true } },
};
const RECONNECT = { initialReconnectionDelay: 100, maxReconnectionDelay: 1000, reconnectionDelayGrowFactor: 1.5, maxRetries: 5 };

function transport(given, eye) {
  switch (given.transport) {
    case 'http':
      return new StreamableHTTPClientTransport(new URL(given.url), { fetch: eye.fetch, reconnectionOptions: RECONNECT });
    case 'sse':
      return new SSEClientTransport(new URL(given.url), { fetch: eye.fetch, eventSourceInit: { fetch: eye.fetch } });
    case 'stdio': {
      const [command, ...args] = given.command;
      return new StdioClientTransport({ command, args, env: { ...process.env, ...given.env }, stderr: 'ignore' });
    }
    default: throw new Error(`no transport is called ${given.transport}`);
  }
}

async function open(given) {
  const answers = given.answers ?? {};
  const capabilities = Object.assign({}, ...Object.keys(answers).map((method) => CAPABILITIES[method]));
  const versionNegotiation = { mode: MODES[given.mode ?? 'legacy'] };
  const client = new Client({ name: 'e2e-ts2', version: '2.0.0' }, { capabilities, versionNegotiation });
  const notes = new Log();
  const errors = [];
  for (const [method, answer] of Object.entries(answers)) {
    client.setRequestHandler(method, async (request) => answer(request.params));
  }
  client.fallbackNotificationHandler = async (note) => notes.push(note);
  client.onerror = (error) => errors.push(String(error?.message ?? error));
  const eye = watched(given.http);
  const way = transport(given, eye);
  await client.connect(way);

  const LISTS = {
    tools: (p) => client.listTools(p),
    resources: (p) => client.listResources(p),
    resourceTemplates: (p) => client.listResourceTemplates(p),
    prompts: (p) => client.listPrompts(p),
  };
  const era = () => client.getProtocolEra();
  return {
    notes,
    errors,
    streams: eye.streams,
    era,
    info: () => ({
      era: era(),
      protocolVersion: client.getNegotiatedProtocolVersion() ?? null,
      serverInfo: client.getServerVersion() ?? null,
      capabilities: client.getServerCapabilities(),
      instructions: client.getInstructions() ?? null,
      sessionId: way.sessionId ?? null,
    }),
    // Without a cursor the client gathers all pages by itself and hides how many there were.
    list: async (kind) => ({ items: (await LISTS[kind]())[kind], pages: null }),
    ping: () => client.ping(),
    call: (name, args, { meta, ...options } = {}) =>
      client.callTool({ name, arguments: args, ...(meta ? { _meta: meta } : {}) }, options),
    read: (uri) => client.readResource({ uri }),
    prompt: (name, args) => client.getPrompt({ name, ...(args ? { arguments: args } : {}) }),
    complete: (params) => client.complete(params),
    setLevel: (level) => client.setLoggingLevel(level),
    subscribe: (uri) => client.subscribeResource({ uri }),
    unsubscribe: (uri) => client.unsubscribeResource({ uri }),
    listen: (filter) => client.listen(filter),
    rootsChanged: () => client.sendRootsListChanged(),
    terminate: () => way.terminateSession(),
    close: () => client.close(),
  };
}

await run(open, scenarios);
