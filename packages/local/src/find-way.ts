import { existsSync } from 'node:fs';
import type { Way } from './options.ts';

export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isContainer: () => boolean;
}

export type PromptWay = Exclude<Way, 'auto'>;

/** What containers leave: Docker and Podman a file, others a variable. */
export function isContainer(env: Readonly<Record<string, string | undefined>>): boolean {
  const named = ['KUBERNETES_SERVICE_HOST', 'CODESPACES', 'REMOTE_CONTAINERS', 'container'];
  return (
    named.some((name) => env[name]) || ['/.dockerenv', '/run/.containerenv'].some((path) => existsSync(path))
  );
}

/**
 * The ways to try, in order (A6, D12). A browser that is not in front of the person, or whose loopback is another
 * machine's, cannot bring the answer back: over SSH, in a container and without a display it is a device code.
 */
export function findWays(wanted: Way, machine: Machine): readonly PromptWay[] {
  if (wanted !== 'auto') return [wanted];
  return hasBrowser(machine) ? ['broker', 'browser', 'device-code'] : ['broker', 'device-code'];
}

function hasBrowser({ platform, env, isContainer: isInContainer }: Machine): boolean {
  if (env['SSH_CONNECTION'] || env['SSH_CLIENT'] || env['SSH_TTY']) return false;
  if (platform === 'win32' || platform === 'darwin') return true;
  return Boolean(env['DISPLAY'] || env['WAYLAND_DISPLAY']) && !isInContainer();
}
