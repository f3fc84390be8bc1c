/** Speaks MCP on stdin and stdout; everything for people goes to stderr. */
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { ConfigurationFault, readSignInOptions, signIn } from '@valetkey/local';
import { createProfileServer } from './server.ts';

try {
  const auth = signIn(readSignInOptions(process.env));
  serveStdio(() => createProfileServer(auth));
  // Whoever started us has gone: an open prompt must not keep the process.
  process.stdin.once('end', () => auth.cancelPrompt());
} catch (fault) {
  if (!(fault instanceof ConfigurationFault)) throw fault;
  process.stderr.write(`${fault.message}\n`);
  process.exitCode = 2;
}
