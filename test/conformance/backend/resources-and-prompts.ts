/** Resources, one template, prompts of every kind, and completion of an argument. */
import {
  acceptedContent,
  completable,
  inputRequired,
  type McpServer,
  ResourceTemplate,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { embedded, image, pngBase64, text } from './contents.ts';

export function addResources(server: McpServer): void {
  const plain = (name: string, uri: string, value: string) =>
    server.registerResource(name, uri, { description: name, mimeType: 'text/plain' }, () => ({
      contents: [{ uri, mimeType: 'text/plain', text: value }],
    }));
  plain('Static text', 'test://static-text', 'This is the content of the static text resource.');
  plain('Watched resource', 'test://watched-resource', 'Watched resource content');
  const binary = 'test://static-binary';
  server.registerResource('Static binary', binary, { description: 'A pixel', mimeType: 'image/png' }, () => ({
    contents: [{ uri: binary, mimeType: 'image/png', blob: pngBase64 }],
  }));
  const template = new ResourceTemplate('test://template/{id}/data', { list: undefined });
  const about = { description: 'Data by its id', mimeType: 'application/json' };
  server.registerResource('Template', template, about, ({ href }, { id }) => {
    const data = { id, templateTest: true, data: `Data for ID: ${String(id)}` };
    return { contents: [{ uri: href, mimeType: 'application/json', text: JSON.stringify(data) }] };
  });
}

const said = (content: ReturnType<typeof text> | typeof image | ReturnType<typeof embedded>) => ({
  role: 'user' as const,
  content,
});

const suggest = (value: string) =>
  ['paris', 'park', 'party', 'test'].filter((each) => each.startsWith(value));

export function addPrompts(server: McpServer): void {
  server.registerPrompt('test_simple_prompt', { description: 'No arguments' }, () => ({
    messages: [said(text('This is a simple prompt for testing.'))],
  }));
  const two = z.object({ arg1: completable(z.string(), suggest), arg2: z.string() });
  const withTwo = { description: 'Two arguments', argsSchema: two };
  server.registerPrompt('test_prompt_with_arguments', withTwo, ({ arg1, arg2 }) => ({
    messages: [said(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
  }));
  const one = { description: 'A resource inside', argsSchema: z.object({ resourceUri: z.string() }) };
  server.registerPrompt('test_prompt_with_embedded_resource', one, ({ resourceUri }) => ({
    messages: [
      said(embedded(resourceUri, 'text/plain', 'Embedded resource content for testing.')),
      said(text('Please process the embedded resource above.')),
    ],
  }));
  server.registerPrompt('test_prompt_with_image', { description: 'An image inside' }, () => ({
    messages: [said(image), said(text('Please analyze the image above.'))],
  }));
}

/** In the modern era only: a prompt that must ask first. */
export function addAskingPrompt(server: McpServer): void {
  const about = { description: 'Asks for its context', argsSchema: z.object({}) };
  server.registerPrompt('test_input_required_result_prompt', about, (_arguments, { mcpReq }) => {
    const given = acceptedContent(mcpReq.inputResponses, 'user_context', z.object({ context: z.string() }));
    if (given !== undefined) return { messages: [said(text(`In the context of ${given.context}`))] };
    const requestedSchema = {
      type: 'object' as const,
      properties: { context: { type: 'string' as const } },
      required: ['context'],
    };
    const message = 'What context should the prompt use?';
    return inputRequired({
      inputRequests: { user_context: inputRequired.elicit({ message, requestedSchema }) },
    });
  });
}
