/** Runs the sample; everything it needs comes from the environment. See README.md. */
import { OptionsFault, readOptions, valetkey } from '@valetkey/express';
import { createRemoteServer } from './server.ts';

try {
  const isLegacy = process.env['LEGACY_SSE'] === '1';
  const vk = await valetkey({
    ...readOptions(process.env),
    title: 'Your profile',
    scopes: { 'profile.read': { description: 'Read your own profile', entra: ['User.Read'] } },
    legacySse: isLegacy,
  });
  const port = Number(process.env['PORT'] ?? 3001);
  const server = createRemoteServer(vk, isLegacy).listen(port, () =>
    console.log(`MCP server at ${vk.resource}`),
  );
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
