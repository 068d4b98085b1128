import { Type } from '@sinclair/typebox';
import { spaceOf } from '../../keys.js';
import { PortNumber, SpaceQuery } from '../../schemas/common.js';
import { Port } from '../../schemas/port.js';
import { describePort as describe } from '../../services/listeners/described-port.js';
import { defineTool, READS } from '../tool.js';

export const describePort = defineTool({
  name: 'describe-port',
  title: 'Tell who owns a port number',
  description:
    'The range, and the allocation or reservation, that one number belongs to on one host and protocol, and the ' +
    'process that listens on it now, where that can be seen. Use it when you meet a number, in an error such as ' +
    'EADDRINUSE or in a file, and want to know whose it is. A free answer is no leave to use the number: get-port or ' +
    'allocate-port gives that.',
  operations: ['getPort'],
  input: Type.Object({ port: PortNumber, ...SpaceQuery.properties }, { additionalProperties: false }),
  output: Port,
  annotations: READS,
  repeatable: 'always',
  execute: ({ session, listeners }, input) => describe(session, listeners, input.port, spaceOf(input)),
});
