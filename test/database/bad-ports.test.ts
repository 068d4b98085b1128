// The ports that a new registry excludes, because browsers and fetch() refuse to connect to them.
import t from 'tap';
import { renderContract } from '../../scripts/contract.js';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import { migrate } from '../../src/database/migrate.js';
import { describeRefusedPort } from '../../src/process/refused-ports.js';
import { createDatabase, silentLog } from '../helpers/database.js';

/** The bad ports of https://fetch.spec.whatwg.org/#port-blocking, as the standard lists them. */
const STANDARD = [
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
  111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
  540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
  6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];
const BAD = STANDARD.filter((port) => port >= 3000 && port <= 64_999);
/** Nothing listens on this address. */
const NOBODY = '127.99.88.77';

t.test('the rows of a new database are the bad ports of the standard', async (t) => {
  const config = loadConfig({ DATABASE_URL: await createDatabase(t) });
  const database = await connectDatabase(config, silentLog);
  t.teardown(() => database.close());
  await migrate(database, silentLog);
  const rows = await database.db.selectFrom('excluded_ports').selectAll().orderBy('port').execute();
  t.strictSame(
    rows.map(({ port }) => port),
    BAD,
  );
  for (const { port, reason } of rows)
    t.match(reason, /^Browsers and fetch\(\) refuse it \([a-z0-9-]+, a bad port/, `${port}`);
});

t.test('the service warns of each of the standard, where it is its own port', async (t) => {
  const refused = Array.from({ length: 65_536 }, (_, port) => port).filter(
    (port) => describeRefusedPort(port) !== null,
  );
  t.strictSame([0, ...refused], STANDARD, 'PORT=0 means any free port');
});

t.test('the contract names them', async (t) => {
  const { paths } = JSON.parse((await renderContract()).json);
  const description: string = paths['/v1/excluded-ports'].get.description;
  const [, list = ''] = /a range can have: (.*?)\. /.exec(description) ?? [];
  const named = list.split(', ').flatMap((part) => {
    const [first = 0, last = first] = part.split('–').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  t.strictSame(named, BAD);
});

t.test("Node's own fetch() refuses each of them, and none of their neighbours", async (t) => {
  const refusalOf = (port: number) =>
    fetch(`http://${NOBODY}:${port}`).then(
      () => 'answered',
      (error: { cause?: Error & { code?: string } }) => error.cause?.code ?? error.cause?.message,
    );
  for (const port of BAD) t.equal(await refusalOf(port), 'bad port', `${port}`);
  const neighbours = new Set(BAD.flatMap((port) => [port - 1, port + 1]).filter((port) => !BAD.includes(port)));
  for (const port of [3000, 5000, 8080, 64_999, ...neighbours]) {
    t.not(await refusalOf(port), 'bad port', `${port}`);
  }
});
