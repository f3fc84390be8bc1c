/** Finds out at opening whether this Redis could forget what it was given (D22, D49). */
import { StoreUnavailable } from './driver.ts';

export interface RedisWarning {
  readonly problem: string;
  readonly remedy: string;
}

/**
 * @param send a command whose reply is text.
 * @returns what should be said; empty where the server does not tell.
 * @throws StoreUnavailable where records would be thrown away while they are needed, or where it is no Redis we know.
 */
export async function checkRedis(send: (...args: string[]) => Promise<unknown>): Promise<RedisWarning[]> {
  const server = parseInfo(await readInfo(send, 'server'));
  const major = Number(server.get('redis_version')?.split('.')[0] ?? '7');
  if (major < 6) throw new StoreUnavailable('The Redis store is older than version 6');
  const memory = parseInfo(await readInfo(send, 'memory'));
  const policy = memory.get('maxmemory_policy') ?? 'noeviction';
  if (policy.startsWith('allkeys') && memory.get('maxmemory') !== '0') {
    throw new StoreUnavailable(
      `The Redis store throws records away when its memory is full (maxmemory-policy ${policy}): ` +
        'people would be signed out and clients forgotten. Set maxmemory-policy to noeviction',
    );
  }
  const persistence = parseInfo(await readInfo(send, 'persistence'));
  if (persistence.get('aof_enabled') !== '0') return [];
  return [
    {
      problem: 'Redis keeps no append-only file: a restart may forget sign-ins and registrations',
      remedy: 'Set appendonly yes, or switch on data persistence at the provider',
    },
  ];
}

/** Some providers do not let a client ask. */
async function readInfo(send: (...args: string[]) => Promise<unknown>, section: string): Promise<string> {
  try {
    return String(await send('INFO', section));
  } catch (fault) {
    if (fault instanceof StoreUnavailable && /may not run|does not accept the command/.test(fault.message))
      return '';
    throw fault;
  }
}

function parseInfo(text: string): Map<string, string> {
  const lines = text.split(/\r?\n/).map((line) => line.split(':'));
  return new Map(
    lines.flatMap(([name, value]) => (name && value !== undefined ? [[name, value] as const] : [])),
  );
}
