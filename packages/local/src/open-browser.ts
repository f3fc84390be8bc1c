import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseHttpUrl } from '@valetkey/core/base/url';

/** Opens a page for the person. Rejects when there is nothing to open it with. */
export type OpenBrowser = (url: string) => Promise<void>;

export interface BrowserCommand {
  readonly command: string;
  readonly args: readonly string[];
}

/** How long a starter may take to say that it failed; one that stays (the browser itself) has not. */
const settleMs = 1500;

/**
 * The program that opens a URL, and the URL as one argument. No shell reads it: a metadata document that named an
 * "authorization URL" full of shell words ran them (CVE-2025-6514).
 *
 * @throws TypeError for anything that is no plain http or https URL. The message does not repeat it.
 */
export function browserCommand(
  url: string,
  platform: NodeJS.Platform,
  env: Readonly<Record<string, string | undefined>>,
): BrowserCommand {
  const parsed = parseHttpUrl(url);
  if (!parsed.ok) throw new TypeError('refused to open what is no http or https URL');
  const { href } = parsed.value;
  if (platform === 'darwin') return { command: '/usr/bin/open', args: [href] };
  if (platform === 'win32') {
    // `start` is a word of cmd.exe, to which `&` in a URL ends the command.
    const system = env['SystemRoot'] ?? 'C:\\Windows';
    return { command: join(system, 'System32', 'rundll32.exe'), args: ['url.dll,FileProtocolHandler', href] };
  }
  return { command: 'xdg-open', args: [href] };
}

/** Starts the browser apart from this process, with no hold on its stdout: that one speaks JSON-RPC (A1). */
export const openBrowser: OpenBrowser = async (url) => {
  const { command, args } = browserCommand(url, process.platform, process.env);
  const child = spawn(command, args, { stdio: 'ignore', detached: true, shell: false });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, settleMs);
  child.once('error', () => reject(new Error(`${command} cannot be started`)));
  child.once('exit', (status) => (status === 0 ? resolve() : reject(new Error(`${command} failed`))));
  child.unref();
  try {
    await promise;
  } finally {
    clearTimeout(timer);
  }
};
