/**
 * What a team would write by itself: the MCP SDK's bearer guard on Express before http-proxy-middleware. It verifies the
 * token, and knows no tool, writes no record and does not say who is calling.
 *
 * Settings come as JSON in PEER_SETTINGS: port, backendPort, addresses, publicPem, issuer, audience.
 */
import { Agent } from 'node:http';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import express from 'express';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { importSPKI, jwtVerify } from 'jose';

const { port, backendPort, addresses, publicPem, issuer, audience } = JSON.parse(
  process.env.PEER_SETTINGS ?? '{}',
);
const key = await importSPKI(publicPem, 'RS256');

const verifier = {
  async verifyAccessToken(token) {
    try {
      const { payload } = await jwtVerify(token, key, { issuer, audience, algorithms: ['RS256'] });
      const { client_id: clientId, scope, exp } = payload;
      return { token, clientId, scopes: scope.split(' '), expiresAt: exp };
    } catch {
      throw new InvalidTokenError('The token is not valid');
    }
  },
};

const app = express();
app.disable('x-powered-by');
const agent = new Agent({ keepAlive: true, maxFreeSockets: 1024 });
for (const [address, target] of Object.entries(addresses)) {
  app.use(
    address,
    requireBearerAuth({ verifier, requiredScopes: ['call.use'] }),
    createProxyMiddleware({
      target: `http://127.0.0.1:${backendPort}`,
      changeOrigin: true,
      agent,
      pathRewrite: () => target,
    }),
  );
}
const server = app.listen(port, '127.0.0.1', 4096);
server.keepAliveTimeout = 3_600_000;
process.on('SIGTERM', () => process.exit(0));
