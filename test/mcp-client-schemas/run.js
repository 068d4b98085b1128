// node run.js SERVICE_URL PLANTED_URL: sends the tools of an MCP server to models by each client library, and asserts
// that nothing of them is lost, warned of or refused; and that each check notices what it can of planted schemas.
import { isDeepStrictEqual } from 'node:util';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { clients, startModel } from './clients.js';
import { findLosses, findRefused, withoutClosing } from './losses.js';
import { planted } from './planted.js';

const [serviceUrl, plantedUrl] = process.argv.slice(2);
const model = await startModel();
const checks = {
  'Ajv, strict': compile,
  ...Object.fromEntries(Object.entries(clients).map(([name, send]) => [name, checkOf(send)])),
};

/** Warnings that were printed since this was last emptied. */
const warnings = [];
for (const method of ['warn', 'error']) console[method] = (...texts) => warnings.push(texts.map(String).join(' '));
process.on('warning', ({ message }) => warnings.push(message));
globalThis.AI_SDK_LOG_WARNINGS = (said) => warnings.push(...said.warnings.map((one) => JSON.stringify(one)));

/** The tools as they are published, before any library has read them. */
async function listTools(url) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }),
  });
  const text = await response.text();
  return JSON.parse(text.replace(/^event: .*\n|^data: /gm, '')).result.tools;
}

/** Ajv in strict mode refuses keywords and formats that it does not know, and warns of lists of types. */
async function compile(_url, tools) {
  const said = [];
  const ajv = new Ajv2020({ logger: { log() {}, warn: (text) => said.push(text), error: (text) => said.push(text) } });
  for (const { inputSchema, outputSchema } of tools) {
    ajv.compile(inputSchema);
    if (outputSchema) ajv.compile(outputSchema);
  }
  return said;
}

function checkOf(send) {
  return async (url, tools) => {
    model.sent = null;
    await send(url, model.url);
    const functions = model.sent.tools.flatMap((tool) => tool.functionDeclarations ?? tool);
    return tools.flatMap((tool) => lossesOf(tool, functions));
  };
}

function lossesOf({ name, description, inputSchema }, functions) {
  // @openai/agents writes get_port, since the names of functions in code have no hyphens.
  const sent = functions.find((one) => one.name.replaceAll('_', '-') === name);
  if (!sent) return [`${name} is gone`];
  const { parameters, parametersJsonSchema } = sent;
  const isGeminiSchema = model.sent.contents !== undefined && parameters !== undefined;
  const losses = isGeminiSchema
    ? [
        ...findLosses(withoutClosing(inputSchema), withoutClosing(parameters)),
        ...findRefused(withoutClosing(parameters)),
      ]
    : findLosses(inputSchema, parameters ?? parametersJsonSchema);
  if (sent.description !== description) losses.push('/description became another');
  return losses.map((loss) => `${name}: ${loss}`);
}

/** All that a check finds: losses, warnings and refusals. */
async function findAll(check, url, tools) {
  warnings.length = 0;
  const found = await check(url, tools).catch((error) => [`refused: ${error.message}`]);
  // Warnings of the process are told in the next turn.
  await new Promise(setImmediate);
  return [...found, ...warnings];
}

function report(passed, name, found) {
  if (!passed) process.exitCode = 1;
  process.stdout.write(passed ? `ok  ${name}\n` : `${[`NOT OK  ${name}`, ...found].join('\n      ')}\n`);
}

for (const [name, { noticed }] of Object.entries(planted)) {
  const url = `${plantedUrl}/${name}`;
  const tools = await listTools(url);
  const found = {};
  for (const [client, check] of Object.entries(checks)) found[client] = await findAll(check, url, tools);
  const by = Object.keys(found).filter((client) => found[client].length > 0);
  const detail = by.flatMap((client) => found[client].map((line) => `${client}: ${line}`));
  report(isDeepStrictEqual(by, noticed), `planted ${name} is noticed by ${by.join('; ') || 'none'}`, detail);
}
const tools = await listTools(serviceUrl);
for (const [client, check] of Object.entries(checks)) {
  const found = await findAll(check, serviceUrl, tools);
  report(tools.length > 0 && found.length === 0, `${client} takes all ${tools.length} tools as they are`, found);
}
model.stop();
