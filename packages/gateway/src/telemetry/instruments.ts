/** What is measured, under the names that the semantic conventions have, and `valetkey.` where they have none. */
import type { Counter, Histogram, Meter } from '@opentelemetry/api';
import { Timing } from './timing.ts';

export type Instruments = Timings & Counts;

/** What happens with every call. */
export type Timings = ReturnType<typeof createTimings>;

export interface Counts {
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

export function createTimings() {
  return {
    /** Every request, until its last byte is out. */
    request: new Timing({
      name: 'http.server.request.duration',
      description: 'Duration of HTTP server requests.',
      bounds: httpBounds,
      labels: ['http.request.method', 'http.response.status_code', 'http.route', 'error.type'],
    }),
    /** Every operation, until its answer is out; what lasts, until it is open. */
    operation: new Timing({
      name: 'mcp.server.operation.duration',
      description: 'Duration of MCP operations.',
      bounds: mcpBounds,
      labels: [
        'valetkey.backend',
        'mcp.method.name',
        'gen_ai.tool.name',
        'valetkey.outcome',
        'http.response.status_code',
        'error.type',
      ],
    }),
    /** Backends until their first byte, Entra and Graph until the last one. */
    outbound: new Timing({
      name: 'http.client.request.duration',
      description: 'Duration of HTTP client requests.',
      bounds: httpBounds,
      labels: [
        'http.request.method',
        'server.address',
        'server.port',
        'valetkey.backend',
        'http.response.status_code',
        'error.type',
      ],
    }),
    /** What a call took beside waiting for its backend. */
    added: new Timing({
      name: 'valetkey.call.added_duration',
      description: 'What the gateway adds to a call.',
      bounds: addedBounds,
      labels: ['valetkey.backend'],
    }),
  };
}

export function createCounts(meter: Meter): Counts {
  return {
    store: meter.createHistogram('db.client.operation.duration', {
      description: 'Duration of store operations.',
      unit: 's',
      advice: { explicitBucketBoundaries: storeBounds },
    }),
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
