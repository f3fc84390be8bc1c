/** The product as another process runs it, from the line that `valetkey dev --json` prints. */
import { z } from 'zod';
import type { Target } from './oauth-client.ts';

/** Exactly this, and nothing else: it is a documented interface. */
const readyLine = z.strictObject({
  issuer: z.url(),
  gateway: z.url(),
  emulator: z.url(),
  mcp: z.strictObject({ snippets: z.url() }),
  users: z.array(z.strictObject({ username: z.string(), password: z.string(), roles: z.array(z.string()) })),
});

export type Ready = z.output<typeof readyLine>;

/** @throws when stdout is anything but one line of the documented shape. */
export function parseReady(stdout: string): Ready {
  if (!/^[^\n]+\n$/.test(stdout))
    throw new Error(`stdout is not exactly one line: ${JSON.stringify(stdout)}`);
  return readyLine.parse(JSON.parse(stdout));
}

export function targetOf(ready: Ready): Target {
  return { url: ready.gateway, mcpUrl: ready.mcp.snippets, emulator: { httpOrigin: ready.emulator } };
}

/** @throws RangeError when nobody has exactly these roles. */
export function userWith(ready: Ready, ...roles: readonly string[]): Ready['users'][number] {
  const found = ready.users.find((user) => user.roles.toSorted().join() === roles.toSorted().join());
  if (found === undefined)
    throw new RangeError(`no user with ${roles.join()}: ${JSON.stringify(ready.users)}`);
  return found;
}
