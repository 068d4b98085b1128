// The libraries with which agents are made, as an agent uses them: each lists the tools of an MCP server, converts them,
// and sends them to a model, in whose place a local server keeps what it was sent.
import { createServer } from 'node:http';
import { createGoogle } from '@ai-sdk/google';
import { createMCPClient } from '@ai-sdk/mcp';
import { createOpenAI } from '@ai-sdk/openai';
import { GoogleGenAI, mcpToTool } from '@google/genai';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Agent, MCPServerStreamableHttp, OpenAIProvider, Runner } from '@openai/agents';
import { generateText } from 'ai';
import { createGoogleGenerativeAI } from 'ai-sdk-google-3';

const apiKey = 'none';

/**
 * By name, what sends the tools at a URL to a model.
 *
 * `@openai/agents` 0.20.0 in strict mode makes every field required, and lets an optional one be null. What it cannot
 * convert it sends as it is, without strict mode, and warns.
 * `mcpToTool` of `@google/genai` 3.3.0 and `@ai-sdk/google` 4.0.121 send the schema unchanged, as
 * `parametersJsonSchema`. In `parameters`, `@google/genai` and `@ai-sdk/google` 3.0.141 send Gemini's `Schema`, which
 * has fewer keywords: the former passes on what it does not know, the latter leaves it out.
 * `@ai-sdk/openai` 4.0.118 leaves out `propertyNames` and patterns that look around, and warns.
 * `@ai-sdk/mcp` 2.0.99, which both providers of the AI SDK are used with, closes the object.
 */
export const clients = {
  '@openai/agents': async (url, model) => {
    const server = new MCPServerStreamableHttp({ url });
    await server.connect();
    try {
      const agent = new Agent({ name: 'agent', mcpServers: [server], mcpConfig: { convertSchemasToStrict: true } });
      const modelProvider = new OpenAIProvider({ apiKey, baseURL: model });
      await new Runner({ modelProvider, tracingDisabled: true }).run(agent, 'Hello');
    } finally {
      await server.close();
    }
  },
  '@google/genai': (url, model) => withClient(url, (client) => askGemini(model, mcpToTool(client))),
  '@google/genai, parameters': (url, model) =>
    withClient(url, async (client) => {
      const { tools } = await client.listTools();
      const functionDeclarations = tools.map(({ name, description, inputSchema }) => ({
        name,
        description,
        parameters: inputSchema,
      }));
      await askGemini(model, { functionDeclarations });
    }),
  '@ai-sdk/google': (url, model) => askByAiSdk(url, createGoogle({ apiKey, baseURL: model })('gemini-2.5-pro')),
  '@ai-sdk/google 3': (url, model) =>
    askByAiSdk(url, createGoogleGenerativeAI({ apiKey, baseURL: model })('gemini-2.5-pro')),
  '@ai-sdk/openai': (url, model) => askByAiSdk(url, createOpenAI({ apiKey, baseURL: model })('gpt-5')),
};

async function withClient(url, use) {
  const client = new Client({ name: 'client', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  try {
    await use(client);
  } finally {
    await client.close();
  }
}

function askGemini(model, tool) {
  const ai = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: model } });
  return ai.models.generateContent({ model: 'gemini-2.5-pro', contents: 'Hello', config: { tools: [tool] } });
}

async function askByAiSdk(url, model) {
  const client = await createMCPClient({ transport: { type: 'http', url } });
  try {
    await generateText({ model, tools: await client.tools(), prompt: 'Hello' });
  } finally {
    await client.close();
  }
}

const GEMINI = { candidates: [{ content: { role: 'model', parts: [{ text: 'Hi' }] }, finishReason: 'STOP' }] };
const OPENAI = {
  id: 'resp_1',
  object: 'response',
  created_at: 0,
  status: 'completed',
  model: 'gpt-5',
  output: [
    {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text: 'Hi', annotations: [] }],
    },
  ],
  usage: {
    input_tokens: 1,
    output_tokens: 1,
    total_tokens: 2,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens_details: { reasoning_tokens: 0 },
  },
};

/** A model that says no more than hello, by the API of OpenAI (Responses) or of Gemini, and keeps what it was sent. */
export async function startModel() {
  const model = { url: '', sent: null, stop: () => server.close() };
  const server = createServer(async (request, response) => {
    model.sent = JSON.parse(Buffer.concat(await request.toArray()).toString());
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(request.url.endsWith('/responses') ? OPENAI : GEMINI));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  model.url = `http://127.0.0.1:${server.address().port}`;
  return model;
}
