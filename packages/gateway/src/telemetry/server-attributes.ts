/** The server of a request that the gateway sends, as the semantic conventions of HTTP name it. */
export function serverAttributes({ hostname, port, protocol }: URL) {
  return {
    'server.address': hostname,
    'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
  };
}
