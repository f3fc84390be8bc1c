/** The HTTP+SSE transport of 2024-11-05, as a client that already has its token: one stream, and posts to it. */
export interface SseClient {
  /** What the server named for messages, absolute. */
  readonly endpoint: string;
  /** @returns status and text of the answer to the POST; what it leads to comes on the stream. */
  post(body: string, token?: string): Promise<{ readonly status: number; readonly text: string }>;
  /** Sends a request and waits for its answer on the stream. */
  request(method: string, params?: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** Every message that came. */
  readonly messages: Record<string, unknown>[];
  readonly ended: Promise<void>;
  close(): void;
}

export async function openSseClient(sseUrl: string, token: string): Promise<SseClient> {
  const gone = new AbortController();
  const response = await fetch(sseUrl, {
    headers: { accept: 'text/event-stream', authorization: `Bearer ${token}` },
    signal: gone.signal,
  });
  if (response.status !== 200) throw new Error(`no stream: ${response.status} ${await response.text()}`);
  const messages: Record<string, unknown>[] = [];
  const waiting = new Map<number, (message: Record<string, unknown>) => void>();
  const opened = Promise.withResolvers<string>();

  function take(event: string): void {
    const data = /^data: (.*)$/m.exec(event)?.[1];
    if (data === undefined) return;
    if (event.startsWith('event: endpoint')) return opened.resolve(new URL(data, sseUrl).href);
    const message = JSON.parse(data) as Record<string, unknown>;
    messages.push(message);
    waiting.get(Number(message['id']))?.(message);
  }
  async function read(): Promise<void> {
    let rest = '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const parts = (rest + chunk).split('\n\n');
      rest = parts.pop() ?? '';
      for (const part of parts) take(part);
    }
  }
  const ended = read().catch(() => undefined);
  const endpoint = await opened.promise;
  let lastId = 0;

  const post = async (body: string, other = token) => {
    const answer = await fetch(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${other}` },
      body,
    });
    return { status: answer.status, text: await answer.text() };
  };
  return {
    endpoint,
    messages,
    ended,
    post,
    async request(method, params = {}) {
      lastId += 1;
      const id = lastId;
      const answered = new Promise<Record<string, unknown>>((resolve) => {
        waiting.set(id, resolve);
      });
      await post(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
      return answered;
    },
    close: () => gone.abort(),
  };
}
