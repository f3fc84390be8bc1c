/** What is measured, under the names that the semantic conventions have, and `valetkey.` where they have none. */
import type { Counter, Histogram, Meter } from '@opentelemetry/api';

export interface Instruments {
  /** `http.server.request.duration`: every request, until its last byte is out. */
  readonly request: Histogram;
  /** `mcp.server.operation.duration`: every operation, until its answer is out; what lasts, until it is open. */
  readonly operation: Histogram;
  /** `http.client.request.duration`: backends until their first byte, Entra and Graph until the last one. */
  readonly outbound: Histogram;
  /** What a call took beside waiting for its backend. */
  readonly added: Histogram;
  /** `db.client.operation.duration`. */
  readonly store: Histogram;
  readonly signIn: Counter;
  readonly tokens: Counter;
}

/** As the semantic conventions advise for HTTP. */
const httpBounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** Likewise for MCP. */
const mcpBounds = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
/** Tenths of a millisecond are what we fight for. */
const addedBounds = [0.0001, 0.0002, 0.0003, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 1];
const storeBounds = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

export function createInstruments(meter: Meter): Instruments {
  const seconds = (name: string, description: string, explicitBucketBoundaries: number[]) =>
    meter.createHistogram(name, { description, unit: 's', advice: { explicitBucketBoundaries } });
  return {
    request: seconds('http.server.request.duration', 'Duration of HTTP server requests.', httpBounds),
    operation: seconds('mcp.server.operation.duration', 'Duration of MCP operations.', mcpBounds),
    outbound: seconds('http.client.request.duration', 'Duration of HTTP client requests.', httpBounds),
    added: seconds('valetkey.call.added_duration', 'What the gateway adds to a call.', addedBounds),
    store: seconds('db.client.operation.duration', 'Duration of store operations.', storeBounds),
    signIn: meter.createCounter('valetkey.sign_in.steps', {
      description: 'Steps of sign-ins, by what came of them.',
      unit: '{step}',
    }),
    tokens: meter.createCounter('valetkey.token.requests', {
      description: 'Requests at the token endpoint, by what came of them.',
      unit: '{request}',
    }),
  };
}
