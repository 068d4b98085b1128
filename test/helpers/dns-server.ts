import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Test } from 'tap';

const TYPE_A = 1;
const NAME_ERROR = 3;
const HEADER_BYTES = 12;
/** A pointer to the name of the question (RFC 1035, 4.1.4). */
const SAME_NAME = Buffer.from([0xc0, HEADER_BYTES]);

/**
 * Starts a DNS server on loopback. It answers for the names in `known`, keeps silent for those in which `isSilent` says
 * so, and knows no other name.
 * @returns its address, and the names that were asked for
 */
export async function startDnsServer(
  t: Test,
  known: Record<string, string>,
  isSilent: (name: string) => boolean = () => false,
): Promise<{ address: string; asked: string[] }> {
  const socket = createSocket('udp4');
  const asked: string[] = [];
  socket.on('message', (query, { port, address }) => {
    const { name, end } = readName(query);
    asked.push(name);
    if (isSilent(name)) return;
    const ip = known[name];
    const isAnswered = ip !== undefined && query.readUInt16BE(end) === TYPE_A;
    const header = Buffer.from(query.subarray(0, HEADER_BYTES));
    header.writeUInt16BE(0x8180 | (ip === undefined ? NAME_ERROR : 0), 2);
    header.writeUInt16BE(isAnswered ? 1 : 0, 6);
    header.fill(0, 8, HEADER_BYTES); // the counts of authority and additional records
    const question = query.subarray(HEADER_BYTES, end + 4);
    socket.send(Buffer.concat([header, question, isAnswered ? addressRecord(ip) : Buffer.of()]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.teardown(() => socket.close());
  return { address: `127.0.0.1:${socket.address().port}`, asked };
}

/** The name of the question, and where it ends. */
function readName(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

function addressRecord(ip: string): Buffer {
  const fields = Buffer.from([0, TYPE_A, 0, 1, 0, 0, 0, 60, 0, 4]); // type, class, TTL of 60 s, length
  return Buffer.concat([SAME_NAME, fields, Buffer.from(ip.split('.').map(Number))]);
}
