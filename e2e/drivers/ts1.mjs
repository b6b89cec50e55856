// A client of the TypeScript SDK 1.x (legacy era only) that runs one scenario and prints what it observed.
// Argument: {url | command, transport: http|sse|ws|stdio, scenario, prefix, uriPrefix, params, env}.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { WebSocketClientTransport } from '@modelcontextprotocol/sdk/client/websocket.js';
import * as types from '@modelcontextprotocol/sdk/types.js';
import { scenarios } from './scenarios.mjs';
import { Log, run, watched } from './wire.mjs';

const ASKS = {
  'sampling/createMessage': [types.CreateMessageRequestSchema, { sampling: {} }],
  'elicitation/create': [types.ElicitRequestSchema, { elicitation: { form: {} } }],
  'roots/list': [types.ListRootsRequestSchema, { roots: { listChanged: true } }],
};

function transport(given, eye) {
  const options = { fetch: eye.fetch, reconnectionOptions: RECONNECT };
  switch (given.transport) {
    case 'http': return new StreamableHTTPClientTransport(new URL(given.url), options);
    case 'sse': return new SSEClientTransport(new URL(given.url), { fetch: eye.fetch, eventSourceInit: { fetch: eye.fetch } });
    case 'ws': return new WebSocketClientTransport(new URL(given.url));
    case 'stdio': {
      const [command, ...args] = given.command;
      return new StdioClientTransport({ command, args, env: { ...process.env, ...given.env }, stderr: 'ignore' });
    }
    default: throw new Error(`no transport is called ${given.transport}`);
  }
}

const RECONNECT = { initialReconnectionDelay: 100, maxReconnectionDelay: 1000, reconnectionDelayGrowFactor: 1.5, maxRetries: 5 };

async function open(given) {
  const answers = given.answers ?? {};
  const capabilities = Object.assign({}, ...Object.keys(answers).map((method) => ASKS[method][1]));
  const client = new Client({ name: 'e2e-ts1', version: '1.0.0' }, { capabilities });
  const notes = new Log();
  const errors = [];
  for (const [method, answer] of Object.entries(answers)) {
    client.setRequestHandler(ASKS[method][0], async (request) => answer(request.params));
  }
  client.fallbackNotificationHandler = async (note) => notes.push(note);
  client.onerror = (error) => errors.push(String(error?.message ?? error));
  const eye = watched(given.http);
  const way = transport(given, eye);
  let agreed = null;
  const told = way.setProtocolVersion?.bind(way);
  way.setProtocolVersion = (version) => {
    agreed = version;
    told?.(version);
  };
  await client.connect(way);

  const LISTS = {
    tools: (p) => client.listTools(p),
    resources: (p) => client.listResources(p),
    resourceTemplates: (p) => client.listResourceTemplates(p),
    prompts: (p) => client.listPrompts(p),
  };
  return {
    notes,
    errors,
    streams: eye.streams,
    era: () => 'legacy',
    info: () => ({
      era: 'legacy',
      protocolVersion: agreed,
      serverInfo: client.getServerVersion(),
      capabilities: client.getServerCapabilities(),
      instructions: client.getInstructions() ?? null,
      sessionId: way.sessionId ?? null,
    }),
    list: async (kind) => {
      const items = [];
      let cursor;
      let pages = 0;
      do {
        const page = await LISTS[kind](cursor ? { cursor } : {});
        items.push(...page[kind]);
        cursor = page.nextCursor;
        pages += 1;
      } while (cursor && pages < 100);
      return { items, pages };
    },
    ping: () => client.ping(),
    call: (name, args, { meta, ...options } = {}) =>
      client.callTool({ name, arguments: args, ...(meta ? { _meta: meta } : {}) }, undefined, options),
    read: (uri) => client.readResource({ uri }),
    prompt: (name, args) => client.getPrompt({ name, ...(args ? { arguments: args } : {}) }),
    complete: (params) => client.complete(params),
    setLevel: (level) => client.setLoggingLevel(level),
    subscribe: (uri) => client.subscribeResource({ uri }),
    unsubscribe: (uri) => client.unsubscribeResource({ uri }),
    rootsChanged: () => client.sendRootsListChanged(),
    terminate: () => way.terminateSession(),
    close: () => client.close(),
  };
}

await run(open, scenarios);
