/** One process as a link: a message is a line (MCP Transports, stdio). */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { err, ok } from '@valetkey/core/base/result';
import type { Clock } from '@valetkey/core/base/clock';
import { readLines } from '@valetkey/core/mcp/line-reader';
import { type Principal, personId } from '@valetkey/core/policy/principal';
import { describeInEnvironment } from '@valetkey/core/policy/told-identity';
import type { Logger } from 'pino';
import type { StdioBackendConfig } from '../../config/config.ts';
import type { BackendFault } from '../backend-proxy.ts';
import type { LinkEvents, OpenLink } from '../messages/message-link.ts';
import { type Child, startChild } from './child.ts';
import { createCrashWait } from './crash-wait.ts';
import { logStderr } from './stderr-log.ts';

export interface ProcessLinkOptions {
  readonly backend: StdioBackendConfig;
  readonly clock: Clock;
  readonly log: Logger;
  /** See `ChildOptions`. */
  readonly graceMs?: number;
}

/** Shorter ones stand in too many words for a log to be read without them. */
const shortestSecret = 6;
const lastWordsMs = 1000;

export function createProcessLinks({ backend, clock, log, graceMs }: ProcessLinkOptions): OpenLink {
  const { name, process: config } = backend;
  const crashWait = createCrashWait(clock);
  const env = Object.fromEntries(Object.entries(config.env).map(([key, value]) => [key, value.reveal()]));
  const secrets = Object.values(env).filter((value) => value.length >= shortestSecret);

  return async ({ request: { principal, era } }, events) => {
    // A server of the older era may end at the first question of the newer one, and works all the same.
    const who = `${era} ${config.mode === 'shared' ? '' : personId(principal)}`;
    const leftMs = crashWait.leftMs(who);
    if (leftMs > 0) {
      log.warn({ backend: name, leftMs }, 'backend has failed before and is not started yet');
      return err('unreachable');
    }
    const { command, args, cwd, inherited } = config;
    const started = await startChild({
      command,
      args,
      cwd,
      env: { ...inherited, ...env, ...toldAtStart(backend, principal) },
      ...(graceMs === undefined ? {} : { graceMs }),
    });
    if (!started.ok) {
      crashWait.noteEnd(who, 0);
      log.error(
        { backend: name, cause: started.error, remedy: remedyOf(started.error) },
        'backend cannot be started',
      );
      return err('unreachable');
    }
    const child = started.value;
    const about = { backend: name, childPid: child.pid };
    const state = { isStopping: false, startedMs: clock.nowMs() };
    log.info(about, 'backend started');
    void logStderr({ stderr: child.stderr, secrets, clock, log, ...about });
    const read = readMessages(child, events, config.maxMessageBytes, () => {
      const remedy = `Raise maxMessageBytes if messages of more than ${config.maxMessageBytes} bytes are meant`;
      log.warn({ ...about, remedy }, 'backend wrote a line that is too long, and is ended');
    });
    const ended = child.ended.then(async ({ code, signal }) => {
      // What it wrote last is handed over, unless its reader takes no more.
      await Promise.race([read, setTimeout(lastWordsMs, undefined, { ref: false })]);
      const livedMs = clock.nowMs() - state.startedMs;
      if (!state.isStopping) crashWait.noteEnd(who, livedMs);
      if (state.isStopping) log.info({ ...about, livedMs }, 'backend ended');
      else log.warn({ ...about, code, signal, livedMs }, 'backend ended by itself');
      return undefined;
    });
    return ok({
      ended,
      send: (text) => writeLine(child.stdin, text, config.maxMessageBytes),
      async close() {
        state.isStopping = true;
        await child.stop();
        await ended;
      },
    });
  };
}

/** The environment of a process that is told of its caller once, at its start. */
export function toldAtStart(
  { process: config }: StdioBackendConfig,
  principal: Principal,
): Record<string, string> {
  return config.identity === 'environment' ? describeInEnvironment(principal) : {};
}

/** Reads on only when what was read has found its place. Never rejects. */
async function readMessages(
  child: Child,
  { onMessage }: LinkEvents,
  maxBytes: number,
  onTooLong: () => void,
): Promise<void> {
  try {
    for await (const line of readLines(child.stdout, maxBytes)) {
      if (line.kind === 'too-long') {
        onTooLong();
        return child.kill();
      }
      await onMessage(line.bytes.toString());
    }
  } catch {
    // The pipe broke with its process.
  }
  // It has closed its output: there is no way back.
  void child.stop();
}

async function writeLine(stdin: Writable, text: string, maxBytes: number): Promise<BackendFault | undefined> {
  if (!stdin.writable) return 'unreachable';
  // It does not read; what waits already must not grow without end.
  if (stdin.writableLength > maxBytes) return 'busy';
  if (stdin.write(`${text}\n`)) return undefined;
  const closed = new AbortController();
  const onClose = () => closed.abort();
  stdin.once('close', onClose);
  try {
    await once(stdin, 'drain', { signal: closed.signal });
    return undefined;
  } catch {
    return 'unreachable';
  } finally {
    stdin.off('close', onClose);
  }
}

function remedyOf(cause: string): string {
  if (cause === 'ENOENT')
    return 'Check `command` and `cwd`: one of them does not exist. A shell is never asked';
  if (cause === 'EACCES') return 'Check that the gateway may run `command`';
  return 'Start the command by hand as the user of the gateway, and see what it says';
}
