import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where the system wants an application's data; on Windows not the roaming profile, which leaves the machine. */
export function defaultCacheDirectory(
  platform: NodeJS.Platform,
  env: Readonly<Record<string, string | undefined>>,
  home: string = homedir(),
): string {
  if (platform === 'win32') return join(env['LOCALAPPDATA'] ?? join(home, 'AppData', 'Local'), 'valetkey');
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'valetkey');
  return join(env['XDG_STATE_HOME'] || join(home, '.local', 'state'), 'valetkey');
}
