// The HEALTHCHECK of the image. Exits with 0 if the service with this configuration answers /livez with a success.
// `fetch` cannot be used: like a browser it refuses some ports, such as 6000 and 10080.
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { loadConfig } from '../config.js';

const { host, port } = loadConfig(process.env, { dotenv: true });
if (port === 0) throw new Error('PORT is 0: the service chose a port that is not known here.');
const isEveryAddress = isIP(host) !== 0 && ipaddr.process(host).range() === 'unspecified';
const service = { host: isEveryAddress ? 'localhost' : host, port, path: '/livez' };
const sent = get({ ...service, headers: { host: 'localhost' }, agent: false });
const [{ statusCode }] = (await once(sent, 'response')) as [IncomingMessage];
if (statusCode !== 200) throw new Error(`${JSON.stringify(service)} answered ${statusCode}`);
sent.destroy();
