/** Tools that answer by themselves: every kind of content, an error, notifications on the way, and odd schemas. */
import { fromJsonSchema, type JsonSchemaType, type McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { audio, embedded, image, text } from './contents.ts';

/** So that each notification is a chunk of its own on the wire. */
const pauseMs = 50;
const none = z.object({});
const pause = () => new Promise((resolve) => setTimeout(resolve, pauseMs));

export function addContentTools(server: McpServer): void {
  const tool = (name: string, description: string, content: Parameters<typeof answer>[0]) =>
    server.registerTool(name, { description }, () => answer(content));
  tool('test_simple_text', 'Answers with text', [text('This is a simple text response for testing.')]);
  tool('test_image_content', 'Answers with an image', [image]);
  tool('test_audio_content', 'Answers with a sound', [audio]);
  tool('test_embedded_resource', 'Answers with a resource', [
    embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.'),
  ]);
  tool('test_multiple_content_types', 'Answers with text, image and resource', [
    text('Multiple content types test:'),
    image,
    embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
  ]);
  server.registerTool('test_error_handling', { description: 'Always fails' }, () => {
    throw new Error('This tool intentionally returns an error for testing');
  });
  addNotifyingTools(server);
  addToolsWithOddSchemas(server);
}

function addNotifyingTools(server: McpServer): void {
  const logging = { description: 'Logs three times while it runs', inputSchema: none };
  server.registerTool('test_tool_with_logging', logging, async (_arguments, { mcpReq }) => {
    for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await mcpReq.log('info', data);
      await pause();
    }
    return answer([text('Logged three times')]);
  });
  const quiet = { description: 'Logs only when the request names a level', inputSchema: none };
  server.registerTool('test_logging_tool', quiet, async (_arguments, { mcpReq }) => {
    await mcpReq.log('info', 'Tool execution started');
    return answer([text('Logged if asked to')]);
  });
  const reporting = { description: 'Reports progress three times', inputSchema: none };
  server.registerTool('test_tool_with_progress', reporting, async (_arguments, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      const params = { progressToken, progress, total: 100, message: `Completed step ${progress} of 100` };
      if (progressToken !== undefined) await mcpReq.notify({ method: 'notifications/progress', params });
      await pause();
    }
    return answer([text('Reported three times')]);
  });
  const closing = { description: 'Closes its stream before it answers', inputSchema: none };
  server.registerTool('test_reconnection', closing, async (_arguments, { http }) => {
    http?.closeSSE?.();
    await pause();
    return answer([text('The client came back for this')]);
  });
}

function addToolsWithOddSchemas(server: McpServer): void {
  server.registerTool(
    'json_schema_2020_12_tool',
    { description: 'Tool with JSON Schema 2020-12 features', inputSchema: fromJsonSchema(schema202012) },
    () => answer([text('Valid')]),
  );
  server.registerTool(
    'test_mirrored_header',
    { description: 'Has a parameter that a header repeats', inputSchema: fromJsonSchema(mirroredSchema) },
    (given) => answer([text(JSON.stringify(given))]),
  );
}

/** Exactly what the tool's scenario `json-schema-2020-12` demands to find again in the list. */
const schema202012: JsonSchemaType = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: {
    address: {
      $anchor: 'addressDef',
      type: 'object',
      properties: { street: { type: 'string' }, city: { type: 'string' } },
    },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  // oxlint-disable-next-line no-thenable -- a keyword of JSON Schema
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
};

/** SEP-2243: `Mcp-Param-Region` must say what `region` says. */
const mirrored = { type: 'string' as const, 'x-mcp-header': 'Region' };
const mirroredSchema: JsonSchemaType = {
  type: 'object',
  properties: { region: mirrored },
  required: ['region'],
};

function answer(
  content: (ReturnType<typeof text> | typeof image | typeof audio | ReturnType<typeof embedded>)[],
) {
  return { content };
}
