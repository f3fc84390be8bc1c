/** The tracing SDK: loaded by `open-telemetry.ts` when traces are asked for, and nowhere else. */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Attributes,
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { parseTraceParent, TraceState } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import type { Resource } from '@opentelemetry/resources';
import { AlwaysOnSampler, BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { TraceContext } from '@valetkey/core/mcp/trace-context';
import type { TelemetryConfig } from '../config/config.ts';
import { sendLastWords } from './last-words.ts';

export interface Tracing {
  /**
   * Decides whether this request is traced; it is decided once, here.
   * @param header the caller's `traceparent` and `tracestate`: an address in a trace, and nothing more. Whoever sends
   *   it decides neither what is recorded nor, unless the configuration says so, whether.
   */
  beginRequest(header: Partial<TraceContext>, attributes: Attributes): ActiveSpan | undefined;
  /** A span below another one, or below a caller outside with a link to the other. */
  begin(name: string, options: SpanOptions): ActiveSpan;
  /** Below the request that is being worked on; undefined where none is, or it is not traced. */
  beginHere(name: string, attributes: Attributes): ActiveSpan | undefined;
  /** Whatever `work` waits for finds `span` by `beginHere`. */
  run<Value>(span: ActiveSpan, work: () => Value): Value;
  close(): Promise<void>;
}

export interface SpanOptions {
  readonly parent: ActiveSpan;
  /** The caller of this operation, where it is told apart from the caller of the request. */
  readonly caller?: TraceContext | undefined;
  readonly kind?: 'server' | 'client' | 'internal';
  readonly attributes?: Attributes;
  /** `performance.now()` of the beginning. Default: now. */
  readonly startMs?: number;
}

export interface ActiveSpan {
  readonly span: Span;
  readonly context: Context;
  /** `traceparent` and `tracestate` with this span as the parent, as a flat list of headers. */
  headers(): string[];
  /** @param errorType makes it a failed one. */
  end(end?: SpanEnd): void;
}

export interface SpanEnd {
  readonly name?: string;
  readonly attributes?: Attributes;
  readonly errorType?: string | undefined;
}

const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL } as const;

export interface TracingOptions {
  readonly config: NonNullable<TelemetryConfig['traces']>;
  readonly resource: Resource;
  /** From 0 to below 1. */
  readonly draw: () => number;
}

export function openTracing({ config, resource, draw }: TracingOptions): Tracing {
  const { endpoint } = config.otlp;
  const url = endpoint === undefined ? {} : { url: `${endpoint.replace(/\/$/, '')}/v1/traces` };
  const provider = new TracerProvider({
    resource,
    sampler: new AlwaysOnSampler(),
    spanLimits: { attributeValueLengthLimit: 256 },
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter(url),
        scheduledDelayMillis: config.delayMs,
      }),
    ],
  });
  const tracer = provider.getTracer('valetkey');
  const current = new AsyncLocalStorage<Context>();

  function activate(span: Span, below: Context): ActiveSpan {
    const context = trace.setSpan(below, span);
    return {
      span,
      context,
      headers: () => headersOf(span.spanContext()),
      end({ name, attributes, errorType } = {}) {
        if (name !== undefined) span.updateName(name);
        if (attributes !== undefined) span.setAttributes(attributes);
        if (errorType !== undefined) {
          span.setAttribute('error.type', errorType);
          span.setStatus({ code: SpanStatusCode.ERROR });
        }
        span.end();
      },
    };
  }

  return {
    beginRequest(header, attributes) {
      const caller = readCaller(header);
      const isWanted =
        config.parentBased && caller !== undefined
          ? (caller.traceFlags & TraceFlags.SAMPLED) !== 0
          : draw() < config.sampleRatio;
      if (!isWanted) return undefined;
      const parent = caller === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, caller);
      return activate(tracer.startSpan('request', { kind: SpanKind.SERVER, attributes }, parent), parent);
    },
    begin(name, { parent, caller: named, kind = 'internal', attributes = {}, startMs }) {
      const caller = named === undefined ? undefined : readCaller(named);
      const below = caller === undefined ? parent.context : trace.setSpanContext(ROOT_CONTEXT, caller);
      const links: Link[] = caller === undefined ? [] : [{ context: parent.span.spanContext() }];
      const startTime = startMs === undefined ? {} : { startTime: performance.timeOrigin + startMs };
      return activate(
        tracer.startSpan(name, { kind: kinds[kind], attributes, links, ...startTime }, below),
        below,
      );
    },
    beginHere(name, attributes) {
      const here = current.getStore();
      if (here === undefined) return undefined;
      return activate(tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, here), here);
    },
    run: (span, work) => current.run(span.context, work),
    close: () => sendLastWords(() => provider.shutdown()),
  };
}

/** Undefined for what is not W3C Trace Context: then the request begins a trace of its own. */
function readCaller({ traceparent, tracestate }: Partial<TraceContext>): SpanContext | undefined {
  const caller = traceparent === undefined ? null : parseTraceParent(traceparent);
  if (caller === null) return undefined;
  caller.isRemote = true;
  if (tracestate !== undefined) caller.traceState = new TraceState(tracestate);
  return caller;
}

function headersOf({ traceId, spanId, traceFlags, traceState }: SpanContext): string[] {
  const flags = (traceFlags & 0xff).toString(16).padStart(2, '0');
  const traceparent = ['traceparent', `00-${traceId}-${spanId}-${flags}`];
  const state = traceState?.serialize() ?? '';
  return state === '' ? traceparent : [...traceparent, 'tracestate', state];
}
