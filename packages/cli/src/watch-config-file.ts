import { unwatchFile, watchFile } from 'node:fs';
import type { Gateway } from '@valetkey/gateway';
import type { Config } from '@valetkey/gateway/config/config';
import type { ConfigFault } from '@valetkey/gateway/config/fault';
import { loadConfig } from '@valetkey/gateway/config/load';
import { listConfigWarnings } from '@valetkey/gateway/config/warnings';
import type { Logger } from 'pino';

/** By `stat`, which follows links: Kubernetes swaps a link to a folder when a ConfigMap changes. */
const pollMs = 1000;

/**
 * Reads the configuration again upon SIGHUP and when its file has changed. A file with faults changes nothing, and
 * the log says why.
 */
export function watchConfigFile(file: string, reload: Gateway['reload'], log: Logger): { stop(): void } {
  let running = Promise.resolve();
  const readAgain = () => {
    running = running.then(() => reloadFrom(file, reload, log));
  };
  watchFile(file, { interval: pollMs }, readAgain);
  process.on('SIGHUP', readAgain);
  return {
    stop() {
      unwatchFile(file, readAgain);
      process.off('SIGHUP', readAgain);
    },
  };
}

async function reloadFrom(file: string, reload: Gateway['reload'], log: Logger): Promise<void> {
  const loaded = loadConfig({ source: { file }, env: process.env });
  if (!loaded.ok) return refuse(loaded.error, log);
  try {
    const reloaded = await reload(loaded.value);
    if (!reloaded.ok) return refuse(reloaded.error, log);
    log.info({ backends: reloaded.value, warnings: warningsOf(loaded.value) }, 'configuration reloaded');
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
