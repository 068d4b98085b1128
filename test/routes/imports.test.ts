import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';

const TEXT = { 'content-type': 'text/plain' };
const SS = `State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
LISTEN 0      16         127.0.0.1:3107      0.0.0.0:*    users:(("next-server (v1",pid=29085,fd=3))
LISTEN 0      16           0.0.0.0:3108      0.0.0.0:*    users:(("node",pid=29084,fd=3))
LISTEN 0      16              [::]:3108         [::]:*    users:(("node",pid=29084,fd=4))
LISTEN 0      16                 *:3305            *:*    users:(("node",pid=29083,fd=3))
LISTEN 0      16                 *:3109            *:*    users:(("node",pid=29082,fd=3))
LISTEN 0      16                 *:3110            *:*
LISTEN 0      16           0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=1,fd=3))
LISTEN 0      16           0.0.0.0:8080      0.0.0.0:*    users:(("java",pid=2,fd=3))
and this is no socket
`;
type Item = { port: number; outcome: string; detail: string; allocation: { id: string; service: string } | null };

for (const [name, open] of databases) {
  t.test(`on ${name}`, async (t) => {
    const database = await open(t);
    const request = requester(await makeApp(t, database));
    const held = async () => (await request('GET', '/v1/allocations')).body.items;
    const tell = (body: { items: Item[] }) =>
      body.items.map(({ port, outcome, allocation }) => [port, outcome, allocation?.service]);

    t.test('a port that is listened on is adopted by the project whose range it is in', async (t) => {
      const rehearsal = await request('POST', '/v1/imports?dryRun=true', SS, TEXT);
      t.equal(rehearsal.status, 200);
      t.equal(rehearsal.body.dryRun, true);
      t.same(await held(), [], 'a dry run changes nothing');
      const imported = await request('POST', '/v1/imports', SS, TEXT);
      t.equal(imported.status, 200);
      t.same(tell(imported.body), tell(rehearsal.body), 'and gives the same report');
      t.same(tell(imported.body), [
        [3107, 'adopted', 'next-server-v1'],
        [3108, 'adopted', 'node'],
        [3305, 'adopted', 'node'],
        [3109, 'adopted', 'node-2'],
        [3110, 'adopted', 'port-3110'],
        [22, 'outside', undefined],
        [8080, 'outside', undefined],
        [null, 'invalid', undefined],
      ]);
      const [, node, , second, , ssh, java, junk] = imported.body.items;
      t.match(node.allocation, { project: 'consilio', environment: 'default', host: 'localhost', protocol: 'tcp' });
      t.equal(second.detail, 'For consilio/node-2 (environment default), because node holds another port.');
      t.match(ssh.detail, /No range can cover it/);
      t.match(java.detail, /"startPort": 8000 makes one of 8000–8099/);
      t.match(junk, { line: 10, host: null, detail: /Line 10 .*and this is no socket/ });
      t.equal(imported.body.given, 10);
      t.same(imported.body.counts, { adopted: 5, held: 0, conflict: 0, outside: 2, invalid: 1, passedOver: 2 });
      t.same(imported.body.passedOver, [
        { line: 1, reason: 'Line 1 is the header.' },
        { line: 4, reason: 'Line 4 is of the same port and program as line 3.' },
      ]);
      const adopted = imported.body.items.flatMap((item: Item) => item.allocation ?? []);
      t.same(
        new Set((await held()).map(({ id }: { id: string }) => id)),
        new Set(adopted.map(({ id }: Item['allocation'] & {}) => id)),
      );

      const path = `/v1/allocations/${node.allocation.id}`;
      await request('PATCH', path, { metadata: { team: 'core' } });
      const again = await request('POST', '/v1/imports', SS, TEXT);
      t.same(
        tell(again.body)
          .slice(0, 5)
          .map(([, outcome]) => outcome),
        Array(5).fill('held'),
      );
      t.match(again.body.items[1], {
        detail: 'Held by consilio/node (environment default).',
        allocation: { id: node.allocation.id, service: 'node' },
      });
      t.notOk('metadata' in again.body.items[1].allocation, 'five thousand could be 80 MiB');
      t.same((await request('GET', path)).body.metadata, { team: 'core' }, 'and it is still there');
    });

    t.test('a repeated import finds the names that were numbered, and a process may have any name', async (t) => {
      const items = [9320, 9321, 9322].map((port) => ({ port, service: 'grafana' }));
      const first = await request('POST', '/v1/imports', { items });
      t.same(
        first.body.items.map(({ allocation }: Item) => allocation?.service),
        ['grafana', 'grafana-2', 'grafana-3'],
      );
      const again = await request('POST', '/v1/imports', { items });
      t.same(
        again.body.items.map(({ outcome }: Item) => outcome),
        ['held', 'held', 'held'],
      );
      const odd = 'LISTEN 0 1 *:9330 *:* users:(("a\u0007b",pid=1,fd=3))\nLISTEN 0 1 *:9331 *:*\n';
      const text = await request('POST', '/v1/imports', odd, { 'content-type': 'text/plain' });
      t.same(
        text.body.items.map(({ outcome, allocation }: Item) => [outcome, allocation?.service]),
        [
          ['adopted', 'a-u-7-b'], // the process name is shown as a\u{7}b
          ['adopted', 'port-9331'],
        ],
      );
    });

    t.test('a port that is taken or cooling down for somebody else is a conflict that names them', async (t) => {
      await request('POST', '/v1/projects/openhorizon/allocations', {
        service: 'web',
        port: 3210,
        environment: 'staging',
      });
      await request('POST', '/v1/projects/openhorizon/reservations', { port: 3211, ttlSeconds: 60, service: 'soon' });
      await request('PATCH', '/v1/ranges/3200', { reuseCooldownSeconds: 600 });
      const cooling = await request('POST', '/v1/projects/openhorizon/allocations', { service: 'old', port: 3212 });
      await request('DELETE', `/v1/allocations/${cooling.body.id}`);
      const { body } = await request('POST', '/v1/imports', {
        items: [
          { port: 3210, service: 'web' },
          { port: 3210, service: 'api' },
          { port: 3210, service: 'web', environment: 'default' },
          { port: 3211 },
          { port: 3212, service: 'new' },
          { port: 3212, service: 'old' },
          { port: 3213, service: 'dns', protocol: 'udp', host: 'DB1', environment: 'e' },
          { port: 3214, service: 'twice' },
          { port: 3214 },
        ],
      });
      t.same(
        body.items.map(({ outcome }: Item) => outcome),
        ['held', 'conflict', 'conflict', 'conflict', 'conflict', 'adopted', 'adopted', 'adopted', 'held'],
      );
      t.match(body.items[1], {
        detail: 'Held by openhorizon/web (environment staging).',
        allocation: { service: 'web' },
      });
      t.match(body.items[3], { detail: /^Reserved by openhorizon\/soon, reservation /, allocation: null });
      t.match(body.items[4].detail, /^Released by openhorizon\/old \(environment default\), and kept for it until /);
      t.same(
        [body.given, body.counts, body.passedOver],
        [9, { adopted: 3, held: 2, conflict: 4, outside: 0, invalid: 0, passedOver: 0 }, []],
      );
      t.same(
        body.items.map(({ line }: { line: number }) => line),
        [1, 2, 3, 4, 5, 6, 7, 8, 9],
      );
      t.match(body.items[6].allocation, { host: 'db1', protocol: 'udp', environment: 'e', port: 3213 });
    });

    t.test('what the list tells beside the number is told, and a number is held once', async (t) => {
      const text = [
        'LISTEN 0 4096 0.0.0.0:9420 0.0.0.0:* users:(("docker-proxy",pid=4101,fd=7))',
        'LISTEN 0 4096 [::]:9420 [::]:* users:(("docker-proxy",pid=4108,fd=7))',
        'LISTEN 0 4096 127.0.0.1:9421 0.0.0.0:* users:(("docker-proxy",pid=4120,fd=7))',
        'LISTEN 0 511 0.0.0.0:9422 0.0.0.0:* users:(("nginx",pid=1,fd=6),("nginx",pid=30,fd=6))',
        'LISTEN 0 511 [::]:9422 [::]:* users:(("node",pid=77,fd=6))',
        'LISTEN 0 511 172.17.0.1:9423 0.0.0.0:* users:(("nginx",pid=70,fd=6))',
      ].join('\r\n');
      const { body } = await request('POST', '/v1/imports', text, TEXT);
      t.same(tell(body), [
        [9420, 'adopted', 'port-9420'],
        [9421, 'adopted', 'port-9421'],
        [9422, 'adopted', 'nginx'],
        [9422, 'conflict', undefined],
        [9423, 'adopted', 'nginx'],
      ]);
      t.same(body.counts, { adopted: 4, held: 0, conflict: 1, outside: 0, invalid: 0, passedOver: 1 });
      const [, , first, second, specific] = body.items;
      t.equal(
        first.detail,
        'For shared-services/nginx (environment default). The number is also listened on by node (pid 77) on ' +
          '[::]:9422 (line 5).',
      );
      t.match(second, {
        line: 5,
        host: 'localhost',
        detail: /^9422 is listened on by nginx \(pid 1\) on 0\.0\.0\.0:9422/,
      });
      t.match(specific, {
        host: '172.17.0.1',
        detail: /\. It listens on 172\.17\.0\.1 alone\. While it does, no server /,
      });
      const again = await request('POST', '/v1/imports', text, TEXT);
      t.same(again.body.counts, { adopted: 0, held: 4, conflict: 1, outside: 0, invalid: 0, passedOver: 1 });
    });

    t.test('an excluded number is adopted, with a warning', async (t) => {
      await request('POST', '/v1/ranges', { project: 'games', startPort: 6600 });
      const warning = /^Port 6666 is excluded: /;
      for (const outcome of ['adopted', 'held']) {
        const { body } = await request('POST', '/v1/imports', 'LISTEN 0 1 *:6666 *:*\nLISTEN 0 1 *:6670 *:*', TEXT);
        const [excluded, other] = body.items;
        t.match(excluded, { outcome, detail: / Port 6666 is excluded: /, allocation: { warnings: [warning] } });
        t.same([other.outcome, other.allocation.warnings], [outcome, undefined]);
      }
    });

    t.test('a text that has lost its newlines or has another encoding is told so, or read', async (t) => {
      const before = await held();
      for (const text of [SS, SS.slice(SS.indexOf('\n'))]) {
        const joined = await request('POST', '/v1/imports', text.replaceAll('\n', ''), TEXT);
        t.match([joined.status, joined.body.code], [400, 'validation-failed']);
        t.match(joined.body.detail, /newlines are missing \(curl takes them away with -d, .* with --data-binary\)/);
      }
      const utf16 = Buffer.from(`\ufeffLISTEN 0 1 *:9430 *:*\r\n`, 'utf16le');
      const plain = await request('POST', '/v1/imports?dryRun=true', utf16.subarray(2), TEXT);
      t.match([plain.status, plain.body.detail], [400, /NUL characters, as a text in UTF-16 does\. Send it in UTF-8/]);
      t.same(await held(), before);
      for (const bytes of [utf16, Buffer.from(utf16).swap16()]) {
        const marked = await request('POST', '/v1/imports?dryRun=true', bytes, TEXT);
        t.same(tell(marked.body), [[9430, 'adopted', 'port-9430']], 'as PowerShell writes it');
      }
    });

    t.test('a retry under one Idempotency-Key gets the first report', async (t) => {
      const key = { 'idempotency-key': 'import-1' };
      const rehearsed = await request('POST', '/v1/imports?dryRun=true', { items: [{ port: 3401 }] }, key);
      t.equal(rehearsed.status, 200, 'a dry run leaves the key alone');
      const first = await request('POST', '/v1/imports', { items: [{ port: 3400 }, { port: 3500 }] }, key);
      t.same(
        tell(first.body).map(([, outcome]) => outcome),
        ['adopted', 'adopted'],
      );
      const retry = await request('POST', '/v1/imports', { items: [{ port: 3400 }, { port: 3500 }] }, key);
      t.equal(retry.headers['idempotent-replayed'], 'true');
      t.same(retry.body, first.body);
      const reused = await request('POST', '/v1/imports', { items: [{ port: 3600 }] }, key);
      t.match([reused.status, reused.body.code], [422, 'idempotency-key-reused']);
    });

    t.test('bad input changes nothing', async (t) => {
      const before = await held();
      for (const [body, headers] of [
        ['nothing of this can be read', TEXT],
        ['', TEXT],
        ['LISTEN 0 1 *:3900 *:*\u0000', TEXT],
        [`${'LISTEN 0 1 junk *:*\n'.repeat(6000)}LISTEN 0 1 *:3400 *:*`, TEXT],
        [{ items: [] }, undefined],
        [{}, undefined],
        [undefined, undefined],
        [{ items: [{ port: 0 }] }, undefined],
        [{ items: [{ port: 3490, service: 'Bad Name' }] }, undefined],
        [{ items: [{ port: 3490, host: '256.1.1.1' }] }, undefined],
        [{ items: [{ port: 3490, project: 'odin' }] }, undefined],
        [{ items: [{ port: '3490' }] }, undefined],
      ] as const) {
        const refused = await request('POST', '/v1/imports', body, headers);
        t.match([refused.status, refused.body.code], [400, 'validation-failed'], JSON.stringify(body)?.slice(0, 60));
      }
      t.equal((await request('POST', '/v1/imports?dryRun=maybe', { items: [{ port: 3490 }] })).status, 400);
      const large = await request('POST', '/v1/imports', 'LISTEN 0 1 *:3490 *:*\n'.repeat(60_000), TEXT);
      t.match([large.status, large.body.code], [413, 'payload-too-large']);
      for (const [url, type] of [
        ['/v1/projects/odin/allocations', 'text/plain'],
        ['/v1/imports', 'application/xml'],
      ] as const) {
        const refused = await request('POST', url, 'x', { 'content-type': type });
        t.match([refused.status, refused.body.code], [415, 'unsupported-media-type']);
      }
      t.same(await held(), before);
    });
  });
}
