import { type Static, Type } from '@sinclair/typebox';
import { Allocation } from './allocation.js';
import { Host, NullableRef, PortNumber, Protocol, StringEnum } from './common.js';
import { Range } from './range.js';
import { Reservation, reservationExample } from './reservation.js';

export const Port = Type.Object(
  {
    port: PortNumber,
    host: Host,
    protocol: Protocol,
    state: StringEnum(['free', 'allocated', 'in_use', 'reserved', 'cooling', 'unmanaged'], {
      description: '`unmanaged`: no range covers this number.',
    }),
    range: NullableRef(Range),
    allocation: NullableRef(Allocation),
    reservation: NullableRef(Reservation),
  },
  {
    $id: 'Port',
    description: 'Who owns a port number on one host and protocol.',
    examples: [
      {
        port: 3150,
        host: 'localhost',
        protocol: 'tcp',
        state: 'reserved',
        range: Range.examples[0],
        allocation: null,
        reservation: reservationExample,
      },
    ],
  },
);
export type Port = Static<typeof Port>;

export const PortParams = Type.Object({
  port: Type.Integer({ minimum: 1, maximum: 65535, description: 'The port number.', examples: [3100] }),
});
