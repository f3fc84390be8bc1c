/** A Secret Service of our own: a message bus and an unlocked keyring in a fresh home, gone at the end. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Keyring {
  /** For the processes that shall find it. */
  readonly env: Readonly<Record<string, string>>;
  readonly home: string;
  close(): Promise<void>;
}

/** What runs on the bus: unlocks the keyring with a password of its own, says where the bus is, waits for the end. */
const session =
  'printf secret | gnome-keyring-daemon --unlock --components=secrets >/dev/null && echo "bus $DBUS_SESSION_BUS_ADDRESS" && exec cat';

/** @throws Error when `dbus-run-session` or `gnome-keyring-daemon` is missing. */
export async function openKeyring(): Promise<Keyring> {
  const home = await mkdtemp(join(tmpdir(), 'valetkey-keyring-'));
  const { PATH = '' } = process.env;
  const child = spawn('dbus-run-session', ['--', 'sh', '-c', session], {
    env: { PATH, HOME: home },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let said = '';
  const listen = (text: string) => {
    said += text;
    const bus = /^bus (\S+)$/m.exec(said)?.[1];
    if (bus !== undefined) resolve(bus);
  };
  child.stdout.setEncoding('utf8').on('data', listen);
  child.stderr.setEncoding('utf8').on('data', listen);
  child.once('error', () => reject(new Error('no dbus-run-session: install the package `dbus`')));
  const ended = new Promise<void>((settle) => {
    child.once('close', () => {
      reject(new Error(`no keyring: install the package \`gnome-keyring\` (${said.slice(-300)})`));
      settle();
    });
  });
  const bus = await promise;
  return {
    env: { DBUS_SESSION_BUS_ADDRESS: bus, HOME: home },
    home,
    async close() {
      child.stdin.end();
      await ended;
      await rm(home, { recursive: true, force: true });
    },
  };
}
