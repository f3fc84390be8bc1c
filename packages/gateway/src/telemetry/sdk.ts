/** What metrics and traces share of OpenTelemetry's SDK. */
import { readFileSync } from 'node:fs';
import { setGlobalErrorHandler } from '@opentelemetry/core';
import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from '@opentelemetry/resources';
import type { Logger } from 'pino';

/** Who tells all this: OTEL_RESOURCE_ATTRIBUTES, and a random id per process. */
export function createResource(serviceName: string): Resource {
  return defaultResource()
    .merge(detectResources({ detectors: [envDetector, serviceInstanceIdDetector] }))
    .merge(resourceFromAttributes({ 'service.name': serviceName, 'service.version': ownVersion() }));
}

/** Of the package. */
export function ownVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

/** A collector that cannot be reached is worth a line, not an end. The message may hold an address, never a secret. */
export function reportFaults(log: Pick<Logger, 'warn'>): void {
  setGlobalErrorHandler((fault) => {
    const { name = 'unknown', code } = fault as { readonly name?: string; readonly code?: unknown };
    log.warn({ reason: name, code }, 'telemetry could not be sent');
  });
}
