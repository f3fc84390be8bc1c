/** nginx as a plain proxy: one worker, connections to the backend kept, no access log. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findFreePort } from '../../test/support/free-port.ts';
import { cores } from './machine.ts';
import { start, untilListening } from './running.ts';
import { openSubject, type Subject, type Surroundings } from './subject.ts';
import { addresses } from './workload.ts';

export async function openNginx(surroundings: Surroundings, tokens: Subject['tokens']): Promise<Subject> {
  const port = await findFreePort();
  const { directory } = surroundings;
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'nginx.conf');
  writeFileSync(file, configuration(port, surroundings));
  return openSubject('nginx', port, tokens, async () => {
    const running = start('nginx', ['-c', file, '-p', directory, '-e', join(directory, 'error.log')], {
      core: cores.subject,
    });
    await untilListening(running, port);
    return running;
  });
}

function configuration(port: number, { backendPort, directory }: Surroundings): string {
  const locations = Object.entries(addresses).map(([address, target]) => {
    // Documented for event streams; for all else buffering is the default, and quicker.
    const buffering = target.startsWith('/events') ? ' proxy_buffering off; proxy_read_timeout 1h;' : '';
    return `location = ${address} { proxy_pass http://backend${target};${buffering} }`;
  });
  return `
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${join(directory, 'nginx.pid')};
error_log ${join(directory, 'error.log')};
events { worker_connections 20000; multi_accept on; }
http {
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 1h;
  client_max_body_size 4m;
  client_body_buffer_size 300k;
  proxy_buffers 16 32k;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${join(directory, name)};`).join(' ')}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  upstream backend { server 127.0.0.1:${backendPort}; keepalive 256; keepalive_requests 100000000; keepalive_timeout 1h; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    ${locations.join('\n    ')}
  }
}
`;
}
