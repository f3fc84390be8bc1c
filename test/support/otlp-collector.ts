/** A collector of OpenTelemetry's own protocol (OTLP/HTTP, protobuf), as far as a test looks into it. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { closeGracefully, listen } from '@valetkey/gateway/http/server';

export interface CollectedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly kind: 'internal' | 'server' | 'client' | 'other';
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly isError: boolean;
  readonly durationMs: number;
}

export interface OtlpCollector {
  readonly endpoint: string;
  readonly spans: CollectedSpan[];
  /** Names of the metrics that came. */
  readonly metricNames: Set<string>;
  /** Attributes of the resource that sent them. */
  readonly resource: Record<string, string | number>;
  /** Everything that came, as bytes: for looking for what must not be in it. */
  readonly bodies: Buffer[];
  /** Headers of the last request. */
  readonly headers: Record<string, unknown>;
  close(): Promise<void>;
}

export async function startOtlpCollector(): Promise<OtlpCollector> {
  const spans: CollectedSpan[] = [];
  const metricNames = new Set<string>();
  const resource: Record<string, string | number> = {};
  const bodies: Buffer[] = [];
  const headers: Record<string, unknown> = {};
  const server = createServer((req, res) => void take(req, res));

  async function take(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const sent = await buffer(req);
    const body = req.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
    bodies.push(body);
    Object.assign(headers, req.headers);
    for (const group of messages(body, 1)) {
      for (const own of messages(group, 1)) Object.assign(resource, attributesOf(own, 1));
      for (const scope of messages(group, 2)) {
        if (req.url === '/v1/traces') spans.push(...messages(scope, 2).map(readSpan));
        else for (const metric of messages(scope, 2)) metricNames.add(text(metric, 1));
      }
    }
    res.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  }

  const { port } = await listen(server, '127.0.0.1', 0);
  const endpoint = `http://127.0.0.1:${port}`;
  return {
    endpoint,
    spans,
    metricNames,
    resource,
    bodies,
    headers,
    close: () => closeGracefully(server, 100),
  };
}

const kinds = ['other', 'internal', 'server', 'client'] as const;

/** Field numbers: opentelemetry-proto, `trace.proto`. */
function readSpan(span: Uint8Array): CollectedSpan {
  const [status] = messages(span, 15);
  const at = (field: number) => Number(fields(span, field)[0] ?? 0n) / 1e6;
  return {
    name: text(span, 5),
    traceId: hex(span, 1),
    spanId: hex(span, 2),
    parentId: hex(span, 4),
    kind: kinds[Number(fields(span, 6)[0] ?? 0n)] ?? 'other',
    attributes: attributesOf(span, 9),
    links: messages(span, 13).map((link) => ({ traceId: hex(link, 1), spanId: hex(link, 2) })),
    isError: status !== undefined && fields(status, 3)[0] === 2n,
    durationMs: at(8) - at(7),
  };
}

function attributesOf(message: Uint8Array, field: number): Record<string, string | number> {
  return Object.fromEntries(
    messages(message, field).map((pair) => {
      const [value = new Uint8Array()] = messages(pair, 2);
      const [number] = fields(value, 3);
      return [text(pair, 1), typeof number === 'bigint' ? Number(number) : text(value, 1)];
    }),
  );
}

const text = (message: Uint8Array, field: number) =>
  Buffer.from(messages(message, field)[0] ?? []).toString();
const hex = (message: Uint8Array, field: number) =>
  Buffer.from(messages(message, field)[0] ?? []).toString('hex');

function messages(message: Uint8Array, field: number): Uint8Array[] {
  return fields(message, field).filter((value): value is Uint8Array => typeof value !== 'bigint');
}

/** The wire format of protobuf: https://protobuf.dev/programming-guides/encoding/ */
function fields(message: Uint8Array, wanted: number): (Uint8Array | bigint)[] {
  const found: (Uint8Array | bigint)[] = [];
  const view = Buffer.from(message);
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = BigInt(view[at++] ?? 0);
      value |= (byte & 127n) << shift;
      if (byte < 128n) return value;
    }
  };
  const skip = (bytes: number) => view.subarray(at, (at += bytes));
  while (at < view.length) {
    const key = Number(varint());
    const wire = key & 7;
    const value =
      wire === 0
        ? varint()
        : wire === 1
          ? skip(8).readBigUInt64LE()
          : wire === 5
            ? BigInt(skip(4).readUInt32LE())
            : skip(Number(varint()));
    if (key >> 3 === wanted) found.push(value);
  }
  return found;
}
