import type { Logger } from 'pino';
import type { TelemetryConfig } from '../config/config.ts';
import type { Part } from './prometheus.ts';
import { openScrapeListener, type ScrapeListener } from './scrape-listener.ts';

export interface ScrapesOptions {
  readonly config: TelemetryConfig | undefined;
  /** What each process of this gateway has collected, asked anew for each scrape. */
  readonly collect: () => Promise<readonly Part[]>;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/** Listens for a Prometheus server, where one is expected. @throws the system's error, such as `EADDRINUSE`. */
export async function openScrapes({
  config,
  collect,
  log,
}: ScrapesOptions): Promise<ScrapeListener | undefined> {
  const listen = config?.metrics.prometheus;
  if (config === undefined || listen === undefined) return undefined;
  const [{ renderPrometheus }, { ownVersion }] = await Promise.all([
    import('./prometheus.ts'),
    import('./sdk.ts'),
  ]);
  const target = {
    'service.name': config.serviceName,
    'service.version': ownVersion(),
  };
  const listener = await openScrapeListener({
    ...listen,
    render: async () => renderPrometheus(await collect(), target),
    log,
  });
  log.info({ host: listen.host, port: listener.port, path: '/metrics' }, 'metrics for Prometheus');
  return listener;
}
