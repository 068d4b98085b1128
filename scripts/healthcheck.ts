// The HEALTHCHECK of the image. Exits with 0 if the service with this configuration answers /livez with a success.
import { loadConfig } from '../src/config.js';

const config = loadConfig(process.env, { dotenv: true });
const everyAddress = config.host === '0.0.0.0' || config.host === '::';
const host = everyAddress ? 'localhost' : config.host.includes(':') ? `[${config.host}]` : config.host;
const url = `http://${host}:${config.port}/livez`;
const { ok, status } = await fetch(url);
if (!ok) throw new Error(`${url} answered ${status}`);
