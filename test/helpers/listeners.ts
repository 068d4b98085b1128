import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import type { Test } from 'tap';

/** Starts a server that accepts connections and sends nothing. It is closed when the test ends. */
export async function listen(t: Test, host: string, port = 0): Promise<Server & { port: number }> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.resume();
  });
  server.listen({ host, port, ipv6Only: host.includes(':') });
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return Object.assign(server, { port: (server.address() as AddressInfo).port });
}

const LISTENS = `
  const server = require('node:net').createServer().listen(Number(process.argv[2]), process.argv[1], () => {
    console.log(server.address().port);
  });`;

/** Starts a process that listens, with a working folder of its own. */
export async function listenIn(t: Test, folder: string, host = '127.0.0.1', port = 0) {
  const child = spawn(process.execPath, ['-e', LISTENS, host, String(port)], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {},
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [text] = (await once(child.stdout, 'data')) as [Buffer];
  const end = async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return { port: Number(text), pid: child.pid as number, end };
}

/** Finds a port that nothing listens on now. */
export async function findClosedPort(host = '127.0.0.1'): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Finds a port of the range from `start` on that no other test listens on now, on any address. */
export async function findFreeIn(start: number): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = start + 10 + Math.floor(Math.random() * 90);
    const server = createServer().listen(port, '::');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error(`Somebody listens on all ports from ${start} on`);
}

const SYN_SENT = '02';

/**
 * Counts this machine's attempts to connect to an IPv4 address, on one port or on any, that have had no answer yet.
 * Linux only.
 */
export async function countUnanswered(host: string, port?: number): Promise<number> {
  const hex = (number: number, digits: number) => number.toString(16).toUpperCase().padStart(digits, '0');
  const bytes = host.split('.').map((byte) => hex(Number(byte), 2));
  const remote = `${bytes.reverse().join('')}:${port === undefined ? '' : hex(port, 4)}`; // the kernel writes the address in little-endian order
  const lines = (await readFile('/proc/self/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/));
  return lines.filter(([, , address = '', state]) => address.startsWith(remote) && state === SYN_SENT).length;
}

const NEVER_ACCEPTS = `
  const { createServer } = require('node:net');
  const [host, ...ports] = process.argv.slice(1);
  const listen = (port) => new Promise((resolve) => {
    const server = createServer().listen({ host, port, backlog: 1 }, () => resolve(server.address().port));
  });
  Promise.all(ports.map(listen)).then((bound) => {
    require('node:fs').writeSync(1, String(bound[0]));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;

/**
 * Starts a listener that never accepts, and fills its backlog. Linux then drops further connection attempts, as a
 * firewall would. Returns its port.
 */
export async function openBlackHole(t: Test, host: string, port = 0): Promise<number> {
  const bound = await startListeners(t, host, [port]);
  for (let i = 0; i < 4; i++) {
    const filler = connect({ host, port: bound });
    filler.on('error', () => {});
    t.teardown(() => filler.destroy());
    await Promise.race([once(filler, 'connect'), new Promise((resolve) => setTimeout(resolve, 100))]);
  }
  return bound;
}

/** The same for many ports at once. */
export async function openBlackHoles(t: Test, host: string, ports: readonly number[]): Promise<void> {
  await startListeners(t, host, ports);
  const fill = async (port: number) => {
    const filler = connect({ host, port });
    t.teardown(() => filler.destroy());
    await once(filler, 'connect');
  };
  // A backlog of 1 has room for two.
  await Promise.all(ports.flatMap((port) => [fill(port), fill(port)]));
}

/** Starts a process that never accepts on these ports. @returns the first of them */
async function startListeners(t: Test, host: string, ports: readonly number[]): Promise<number> {
  const child: ChildProcess = spawn(process.execPath, ['-e', NEVER_ACCEPTS, host, ...ports.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {},
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [text] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  return Number(text);
}
