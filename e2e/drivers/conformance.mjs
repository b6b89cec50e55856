// An official client as the conformance suite's client side wants it: the server is at the URL in the last argument, the
// scenario and the revision are in the suite's variables. Ends with 0 when all was played.
import { Client as Modern, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client as Legacy } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const MODERN = '2026-07-28';
const ME = { name: 'e2e-conformance', version: '1.0.0' };
const url = new URL(process.argv.at(-1));
const scenario = process.env.MCP_CONFORMANCE_SCENARIO;
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');
const modern = process.env.MCP_CONFORMANCE_PROTOCOL_VERSION === MODERN;

async function open(capabilities, answer) {
  const settings = modern ? { capabilities, versionNegotiation: { mode: { pin: MODERN } } } : { capabilities };
  const client = modern ? new Modern(ME, settings) : new Legacy(ME, settings);
  if (answer) client.setRequestHandler(modern ? 'elicitation/create' : ElicitRequestSchema, async () => answer);
  await client.connect(modern ? new ModernTransport(url) : new LegacyTransport(url));
  return client;
}

// A value that a schema's required property accepts.
const SAMPLES = { string: 'text', object: {}, array: [], null: null, number: 1, integer: 1, boolean: true };
const argumentsFor = ({ properties = {}, required = [] }) =>
  Object.fromEntries(required.map((name) => [name, SAMPLES[properties[name].type]]));

const call = (client, name, args = {}) => client.callTool({ name, arguments: args });
const confirmed = { action: 'accept', content: { confirmed: true } };

const SCENARIOS = {
  'initialize': async () => (await open({})).listTools(),
  'tools_call': async () => {
    const client = await open({});
    await client.listTools();
    await call(client, 'add_numbers', { a: 5, b: 3 });
  },
  'elicitation-sep1034-client-defaults': async () => {
    const client = await open({ elicitation: { form: { applyDefaults: true } } }, { action: 'accept', content: {} });
    await client.listTools();
    await call(client, 'test_client_elicitation_defaults');
  },
  'sse-retry': async () => {
    const client = await open({});
    await client.listTools();
    await call(client, 'test_reconnection');
  },
  'request-metadata': async () => {
    const client = await open({ elicitation: { form: {} } }, confirmed);
    await client.listTools();
    await call(client, 'any');
  },
  'sep-2322-client-request-state': async () => {
    const client = await open({ elicitation: { form: {} } }, confirmed);
    await client.listTools();
    await Promise.all(['test_mrtr_echo_state', 'test_mrtr_unrelated'].map((name) => call(client, name)));
    await call(client, 'test_mrtr_no_state');
    // This client takes a result without a type for an error.
    await call(client, 'test_mrtr_no_result_type').catch(() => {});
  },
  'http-standard-headers': async () => {
    const client = await open({});
    for (const tool of (await client.listTools()).tools) await call(client, tool.name);
    for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri });
    for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name });
  },
  'http-custom-headers': async () => {
    const client = await open({});
    await client.listTools();
    for (const wanted of context.toolCalls) await call(client, wanted.name, wanted.arguments);
  },
  'http-invalid-tool-headers': async () => {
    const client = await open({});
    for (const tool of (await client.listTools()).tools) await call(client, tool.name, argumentsFor(tool.inputSchema));
  },
  'json-schema-ref-no-deref': async () => (await open({})).listTools(),
};

const play = SCENARIOS[scenario];
if (!play) throw new Error(`no scenario is called ${scenario}`);
await play();
process.exit(0);
