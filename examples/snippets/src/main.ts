/** Runs the sample alone; everything it needs comes from the environment. See README.md. */
import { startSnippetsServer } from './server.ts';

function need(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') {
    console.error(`Set ${name}: see README.md`);
    process.exit(2);
  }
  return value;
}

const functionKey = process.env['FUNCTION_KEY'];
const server = await startSnippetsServer({
  port: Number(process.env['PORT'] ?? 7071),
  host: process.env['HOST'] ?? '127.0.0.1',
  directory: process.env['SNIPPETS_DIRECTORY'] ?? './snippets-data',
  identity: {
    issuer: need('VALETKEY_ISSUER'),
    audience: need('VALETKEY_AUDIENCE'),
    jwksUrl: need('VALETKEY_JWKS_URL'),
  },
  ...(functionKey === undefined || functionKey === '' ? {} : { functionKey }),
});
console.log(`snippets at ${server.url}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void server.close();
  });
}
