/**
 * The tasks extension (SEP-2663), which the SDK's server leaves to its user: a call becomes a task that the client
 * asks after, answers, or cancels. One set of tasks for all requests, as each request has a server of its own.
 */
import { randomUUID } from 'node:crypto';
import type { CallToolResult, InputRequests } from '@modelcontextprotocol/server';

export type TaskStatus = 'working' | 'input_required' | 'completed' | 'failed' | 'cancelled';

/** Ends as a result or, thrown, as the task's error. `ask` parks the task until each question has its answer. */
export type TaskWork = (task: {
  ask(questions: InputRequests): Promise<Answers>;
  signal: AbortSignal;
}) => Promise<CallToolResult>;
export type Answers = Readonly<Record<string, unknown>>;

interface Task {
  readonly taskId: string;
  readonly createdAt: string;
  readonly abort: AbortController;
  status: TaskStatus;
  lastUpdatedAt: string;
  result?: CallToolResult;
  error?: { code: number; message: string };
  pending: InputRequests;
  answers: Record<string, unknown>;
  resume?: (answers: Answers) => void;
}

export interface Tasks {
  /** @returns what the call is answered with: it can be asked after from now on. */
  start(work: TaskWork): Record<string, unknown>;
  /** @returns the task in full, or undefined when nobody knows the id; so also below. */
  find(taskId: string): Record<string, unknown> | undefined;
  /** Unknown keys are ignored. */
  answer(taskId: string, given: Answers): boolean;
  cancel(taskId: string): boolean;
  close(): void;
}

const ttlMs = 600_000;
const pollIntervalMs = 100;
const internalError = -32603;

export function createTasks(): Tasks {
  const tasks = new Map<string, Task>();

  function settle(task: Task, status: TaskStatus, outcome: Pick<Task, 'result' | 'error'> = {}): void {
    if (isOver(task)) return;
    Object.assign(task, outcome, { status, pending: {}, lastUpdatedAt: new Date().toISOString() });
  }

  function ask(task: Task, questions: InputRequests): Promise<Answers> {
    Object.assign(task, { status: 'input_required', pending: { ...questions }, answers: {} });
    return new Promise((resolve) => {
      task.resume = resolve;
    });
  }

  return {
    start(work) {
      const createdAt = new Date().toISOString();
      const task: Task = {
        taskId: randomUUID(),
        createdAt,
        abort: new AbortController(),
        status: 'working',
        lastUpdatedAt: createdAt,
        pending: {},
        answers: {},
      };
      tasks.set(task.taskId, task);
      const { signal } = task.abort;
      void work({ ask: (questions) => ask(task, questions), signal }).then(
        (result) => settle(task, 'completed', { result }),
        () => settle(task, 'failed', { error: { code: internalError, message: 'The job failed' } }),
      );
      return { resultType: 'task', ...headOf(task) };
    },
    find(taskId) {
      const task = tasks.get(taskId);
      return task === undefined ? undefined : { ...headOf(task), ...bodyOf(task) };
    },
    answer(taskId, given) {
      const task = tasks.get(taskId);
      if (task === undefined) return false;
      for (const key of Object.keys(given).filter((each) => Object.hasOwn(task.pending, each))) {
        task.answers[key] = given[key];
        const { [key]: _answered, ...others } = task.pending;
        task.pending = others;
      }
      if (task.status !== 'input_required' || Object.keys(task.pending).length > 0) return true;
      task.status = 'working';
      task.resume?.(task.answers);
      return true;
    },
    cancel(taskId) {
      const task = tasks.get(taskId);
      if (task === undefined) return false;
      settle(task, 'cancelled');
      task.abort.abort();
      return true;
    },
    close() {
      for (const task of tasks.values()) task.abort.abort();
    },
  };
}

function isOver({ status }: Task): boolean {
  return ['completed', 'failed', 'cancelled'].includes(status);
}

function headOf({ taskId, status, createdAt, lastUpdatedAt }: Task) {
  return { taskId, status, createdAt, lastUpdatedAt, ttlMs, pollIntervalMs };
}

function bodyOf({ status, result, error, pending }: Task): Record<string, unknown> {
  if (status === 'input_required') return { inputRequests: pending };
  return { ...(result === undefined ? {} : { result }), ...(error === undefined ? {} : { error }) };
}
