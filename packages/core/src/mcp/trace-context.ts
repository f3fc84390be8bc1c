import { metaOf } from './era.ts';
import type { JsonRpcMessage } from './json-rpc.ts';

/** Where a message stands in a trace of its sender (W3C Trace Context), as its `_meta` tells (SEP-414). */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

const traceparentPattern = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/;
/** Enough for what W3C asks everybody to pass on. */
const maxStateCharacters = 512;

/**
 * Undefined where there is none, or none in W3C's form. Anybody can write anything there: it says where spans belong,
 * and nothing else may be taken from it.
 */
export function findTraceContext(message: JsonRpcMessage): TraceContext | undefined {
  const meta = metaOf(message);
  const traceparent = meta === undefined ? undefined : ownText(meta, 'traceparent');
  if (meta === undefined || traceparent === undefined || !traceparentPattern.test(traceparent))
    return undefined;
  const tracestate = ownText(meta, 'tracestate');
  const isSound = tracestate !== undefined && /^[\x20-\x7e]+$/.test(tracestate);
  return isSound && tracestate.length <= maxStateCharacters ? { traceparent, tracestate } : { traceparent };
}

function ownText(value: object, key: string): string | undefined {
  const found: unknown = Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
  return typeof found === 'string' ? found : undefined;
}
