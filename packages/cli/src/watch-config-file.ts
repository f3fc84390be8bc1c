import { unwatchFile, watchFile } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Gateway } from '@valetkey/gateway';
import type { Config } from '@valetkey/gateway/config/config';
import type { ConfigFault } from '@valetkey/gateway/config/fault';
import { loadConfig } from '@valetkey/gateway/config/load';
import { listConfigWarnings } from '@valetkey/gateway/config/warnings';
import type { Logger } from 'pino';

/** By `stat`, which follows links: Kubernetes swaps a link to a folder when a ConfigMap changes. */
const pollMs = 1000;
/** A file that somebody writes in pieces is left alone until nothing has been added for so long. */
const quietMs = 300;

/**
 * Reads the configuration again upon SIGHUP and when its file has changed. A file with faults changes nothing, and
 * the log says why.
 *
 * The first half of a file is often a whole one with fewer rules, so a tool could stand open until the other half is
 * there. Who sends SIGHUP says that it is.
 */
export function watchConfigFile(file: string, reload: Gateway['reload'], log: Logger): { stop(): void } {
  let running = Promise.resolve();
  const readAgain = () => {
    running = running.then(() => reloadFrom(file, reload, log));
  };
  const readWhenQuiet = () => {
    running = running.then(() => untilQuiet(file)).then(() => reloadFrom(file, reload, log));
  };
  watchFile(file, { interval: pollMs }, readWhenQuiet);
  process.on('SIGHUP', readAgain);
  return {
    stop() {
      unwatchFile(file, readWhenQuiet);
      process.off('SIGHUP', readAgain);
    },
  };
}

async function untilQuiet(file: string): Promise<void> {
  let before: string | undefined;
  for (let now = await stateOf(file); now !== before; now = await stateOf(file)) {
    before = now;
    await pause(quietMs, undefined, { ref: false });
  }
}

async function stateOf(file: string): Promise<string> {
  const found = await stat(file).catch(() => undefined);
  return found === undefined ? 'gone' : [found.ino, found.size, found.mtimeMs].join(' ');
}

async function reloadFrom(file: string, reload: Gateway['reload'], log: Logger): Promise<void> {
  const loaded = loadConfig({ source: { file }, env: process.env });
  if (!loaded.ok) return refuse(loaded.error, log);
  try {
    const reloaded = await reload(loaded.value);
    if (!reloaded.ok) return refuse(reloaded.error, log);
    const { opened, removed } = reloaded.value;
    log.info({ backends: opened, removed, warnings: warningsOf(loaded.value) }, 'configuration reloaded');
  } catch (fault) {
    log.error({ err: fault }, 'configuration not reloaded: the one before stays in effect');
  }
}

function warningsOf(config: Config): readonly ConfigFault[] | undefined {
  const warnings = listConfigWarnings(config);
  return warnings.length === 0 ? undefined : warnings;
}

function refuse(faults: readonly ConfigFault[], log: Logger): void {
  log.error({ faults }, 'configuration not reloaded: the one before stays in effect');
}
