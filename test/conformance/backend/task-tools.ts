/** The tools that become tasks, and the methods by which a client follows them. */
import { setTimeout as wait } from 'node:timers/promises';
import {
  acceptedContent,
  type CallToolResult,
  CLIENT_CAPABILITIES_META_KEY,
  inputRequired,
  type McpServer,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { askForName, capabilitiesOf } from './asking-tools.ts';
import { text } from './contents.ts';
import type { Tasks, TaskWork } from './tasks.ts';

export const tasksExtension = 'io.modelcontextprotocol/tasks';

const done = (value: string, isError = false): CallToolResult => ({
  content: [text(value)],
  ...(isError ? { isError } : {}),
});
const failAfterMs = 300;

/** They cannot answer a client that does not know tasks. */
const onlyTasks = [
  'failing_job',
  'protocol_error_job',
  'confirm_delete',
  'multi_input',
  'test_tool_with_task',
] as const;

const callOfOnlyTasks = z.looseObject({
  id: z.union([z.string(), z.number()]),
  method: z.literal('tools/call'),
  params: z.looseObject({ name: z.enum(onlyTasks), _meta: z.record(z.string(), z.unknown()) }),
});

/**
 * The refusal of a call that needs tasks, for a client that did not declare them. The SDK would turn what a tool
 * throws into a result, so it is asked before.
 */
export function findTaskRefusal(body: unknown): Record<string, unknown> | undefined {
  const call = callOfOnlyTasks.safeParse(body);
  if (!call.success) return undefined;
  const { id, params } = call.data;
  const declared = params._meta[CLIENT_CAPABILITIES_META_KEY] as { extensions?: object } | undefined;
  if (Object.hasOwn(declared?.extensions ?? {}, tasksExtension)) return undefined;
  const { code, message, data } = needsTasks();
  return { jsonrpc: '2.0', id, error: { code, message, data } };
}

export function addTaskTools(server: McpServer, tasks: Tasks): void {
  /** The SDK knows no result of a tool that is a task; on the wire it is what SEP-2663 says. */
  const begin = (work: TaskWork) => tasks.start(work) as unknown as CallToolResult;

  const greeting = { description: 'Greets', inputSchema: z.object({ name: z.string() }) };
  server.registerTool('greet', greeting, ({ name }) => done(`Hello, ${name}!`));

  const slow = {
    description: 'Takes its time; a task where the client knows tasks',
    inputSchema: z.object({ seconds: z.number(), label: z.string().optional() }),
  };
  server.registerTool('slow_compute', slow, ({ seconds }, context) => {
    const compute: TaskWork = async ({ signal }) => {
      await wait(seconds * 1000, undefined, { signal });
      return done(`Computed for ${seconds} s`);
    };
    if (knowsTasks(context)) return begin(compute);
    return compute({ ask: () => Promise.reject(new Error('no task')), signal: context.mcpReq.signal });
  });

  const always = (name: (typeof onlyTasks)[number], description: string, work: TaskWork) =>
    server.registerTool(name, { description, inputSchema: z.looseObject({}) }, () => begin(work));
  always('failing_job', 'A task whose tool fails', async ({ signal }) => {
    await wait(failAfterMs, undefined, { signal });
    return done('The job did not work out', true);
  });
  always('protocol_error_job', 'A task that fails itself', async () => {
    throw new Error('not for the client');
  });
  const confirmation = (message: string) =>
    inputRequired.elicit({
      message,
      requestedSchema: {
        type: 'object',
        properties: { confirm: { type: 'boolean' } },
        required: ['confirm'],
      },
    });
  always('confirm_delete', 'A task that asks once', async ({ ask }) => {
    const answers = await ask({ confirm: confirmation('Delete it?') });
    return done(`Answered: ${Object.keys(answers).join()}`);
  });
  always('multi_input', 'A task that asks twice at once', async ({ ask }) => {
    const answers = await ask({ first: confirmation('The first?'), second: confirmation('The second?') });
    return done(`Answered: ${Object.keys(answers).join()}`);
  });

  const asking = { description: 'Asks, then becomes a task', inputSchema: z.object({}) };
  server.registerTool('test_tool_with_task', asking, (_arguments, context) => {
    const name = acceptedContent(
      context.mcpReq.inputResponses,
      'user_name',
      z.object({ name: z.string() }),
    )?.name;
    return name === undefined ? askForName(context) : begin(async () => done(`Worked for ${name}`));
  });
}

export function addTaskMethods(server: McpServer, tasks: Tasks): void {
  const id = z.looseObject({ taskId: z.string() });
  const unknown = () => new ProtocolError(ProtocolErrorCode.InvalidParams, 'There is no such task');
  server.server.setRequestHandler('tasks/get', { params: id }, ({ taskId }, context) => {
    demandTasks(context);
    const task = tasks.find(taskId);
    if (task === undefined) throw unknown();
    return task;
  });
  server.server.setRequestHandler('tasks/update', { params: id }, ({ taskId }, context) => {
    demandTasks(context);
    if (!tasks.answer(taskId, context.mcpReq.inputResponses ?? {})) throw unknown();
    return {};
  });
  server.server.setRequestHandler('tasks/cancel', { params: id }, ({ taskId }, context) => {
    demandTasks(context);
    if (!tasks.cancel(taskId)) throw unknown();
    return {};
  });
}

function knowsTasks(context: ServerContext): boolean {
  return capabilitiesOf(context).extensions?.[tasksExtension] !== undefined;
}

function demandTasks(context: ServerContext): void {
  if (!knowsTasks(context)) throw needsTasks();
}

function needsTasks(): MissingRequiredClientCapabilityError {
  return new MissingRequiredClientCapabilityError({
    requiredCapabilities: { extensions: { [tasksExtension]: {} } },
  });
}
