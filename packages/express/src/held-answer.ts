/**
 * Holds the head of an answer back until its first byte, so that what a tool finds out while it runs can still decide
 * the status: Entra wants the person, a scope is missing, a rule says no. Nothing of the body is held.
 *
 * The SDK's transports write `200 text/event-stream` before a tool has begun; Node itself sends no head before there
 * is a body either.
 */
import type { ServerResponse } from 'node:http';

/** A tool that works for longer than this without a word has its head sent: proxies wait for one. */
const holdMs = 5000;

type AnyArguments = never[];
type AnyMethod<Returned> = (...args: AnyArguments) => Returned;

/**
 * @param replace asked once, at the first byte. When it answers in place of the handler it returns true, and what the
 *   handler writes goes nowhere.
 */
export function holdAnswer(res: ServerResponse, replace: () => boolean): void {
  const writeHead = res.writeHead.bind(res) as AnyMethod<ServerResponse>;
  const write = res.write.bind(res) as AnyMethod<boolean>;
  const end = res.end.bind(res) as AnyMethod<ServerResponse>;
  const flushHeaders = res.flushHeaders.bind(res);
  // `replaced`: the handler does not know that somebody else has answered, and what it still writes is dropped.
  const state: { is: 'held' | 'passing' | 'replaced'; head?: AnyArguments; timer?: NodeJS.Timeout } = {
    is: 'held',
  };

  function pass(): void {
    clearTimeout(state.timer);
    state.is = 'passing';
    if (state.head !== undefined) writeHead(...state.head);
  }

  function passNow(): void {
    if (state.is !== 'held') return;
    pass();
    flushHeaders();
  }

  function decide(): void {
    if (state.is !== 'held') return;
    // What `replace` writes passes.
    state.is = 'passing';
    if (!replace()) return pass();
    clearTimeout(state.timer);
    state.is = 'replaced';
  }

  // Other middleware may have wrapped these methods before us, or will: nobody's wrapper is taken off again.
  res.writeHead = (...head: AnyArguments) => {
    if (state.is === 'passing') return writeHead(...head);
    if (state.is === 'replaced') return res;
    state.head = head;
    if (isOpenEnded(res, head)) passNow();
    else state.timer ??= setTimeout(passNow, holdMs).unref();
    return res;
  };
  res.write = ((...chunk: AnyArguments) => {
    decide();
    if (state.is === 'passing') return write(...chunk);
    confirm(chunk);
    return true;
  }) as typeof res.write;
  res.end = ((...chunk: AnyArguments) => {
    decide();
    if (state.is === 'passing') return end(...chunk);
    confirm(chunk);
    return res;
  }) as typeof res.end;
  res.flushHeaders = () => {
    if (state.is === 'passing') flushHeaders();
  };
}

/** A stream that a client opens to listen: it waits for the head, and nothing may come for hours. */
function isOpenEnded({ req }: ServerResponse, head: AnyArguments): boolean {
  return req.method === 'GET' && /text\/event-stream/i.test(JSON.stringify(head));
}

/** Whoever waits for a write to be done hears that it is. */
function confirm(args: readonly unknown[]): void {
  const callback = args.findLast((argument) => typeof argument === 'function') as (() => void) | undefined;
  if (callback !== undefined) queueMicrotask(callback);
}
