/** Runs the sample; everything it needs comes from the environment. See README.md. */
import { OptionsFault, readOptions, valetkey } from '@valetkey/express';
import { createDirectServer } from './server.ts';

try {
  const vk = await valetkey({
    ...readOptions(process.env),
    scopes: { 'snippets.use': 'Use this server' },
    entraDirect: { applications: 'allow' },
  });
  const server = createDirectServer(vk);
  server.listen(Number(process.env['PORT'] ?? 3001), () => console.log(`MCP server at ${vk.resource}`));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      server.close(() => void vk.close());
      server.closeAllConnections();
    });
  }
} catch (fault) {
  if (!(fault instanceof OptionsFault)) throw fault;
  process.stderr.write(`${fault.message}\n`);
  process.exitCode = 2;
}
