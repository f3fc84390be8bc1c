/** Metrics of several processes: each keeps its own, and the primary asks all of them when it is asked. */
import cluster, { type Worker } from 'node:cluster';
import type { Gateway } from '@valetkey/gateway';
import type { MetricFamily } from '@valetkey/gateway/telemetry/metric-family';
import type { Part } from '@valetkey/gateway/telemetry/prometheus';

interface Question {
  readonly ask: 'metrics';
  readonly id: number;
}

interface Answer {
  readonly told: 'metrics';
  readonly id: number;
  readonly families: readonly MetricFamily[];
}

/** One that is busy or has just died must not keep the others' numbers from being read. */
const answerTimeoutMs = 2_000;

/** In a worker. */
export function answerForMetrics(collect: Gateway['collect']): void {
  process.on('message', (message: Partial<Question>) => {
    if (message.ask !== 'metrics' || message.id === undefined) return;
    const { id } = message;
    void collect().then(
      (families) => process.send?.({ told: 'metrics', id, families } satisfies Answer),
      () => {},
    );
  });
}

/** In the primary: what each worker has, under the number that the log gives it too. */
export async function collectFromWorkers(): Promise<Part[]> {
  const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected() === true);
  const parts = await Promise.all(workers.map((worker) => askWorker(worker as Worker)));
  return parts.filter((part) => part !== undefined);
}

function askWorker(worker: Worker): Promise<Part | undefined> {
  const id = Math.floor(performance.now() * 1000);
  return new Promise((resolve) => {
    const finish = (part: Part | undefined) => {
      clearTimeout(timer);
      worker.off('message', onMessage);
      resolve(part);
    };
    const onMessage = (message: Partial<Answer>) => {
      if (message.told !== 'metrics' || message.id !== id) return;
      finish({ worker: String(worker.id), families: message.families ?? [] });
    };
    const timer = setTimeout(() => finish(undefined), answerTimeoutMs);
    worker.on('message', onMessage);
    worker.send({ ask: 'metrics', id } satisfies Question, (fault) => {
      if (fault !== null) finish(undefined);
    });
  });
}
