import { mayTake } from '../access/own-projects.js';
import { isAdmin, mayChange } from '../access/own-role.js';
import { tell } from '../notices.js';
import { copyText } from '../parts/copy.js';
import { go, openDialog } from '../place.js';
import { nameSubject } from '../port/subject.js';
import type { Held, Reservation } from '../registry/api.js';
import { ownerOf } from '../registry/audits.js';
import { commandLineOf, curlLineOf, dotenvLineOf, urlOfService } from '../registry/copies.js';
import { space } from '../registry/filters.js';
import { nameSpot, type Spot } from '../registry/port-space.js';
import { STATES, stateOf } from '../registry/states.js';
import { excluded, heldBySpot, reservationsBySpot } from '../registry/store.js';
import type { Command } from './command.js';

const MAX_PORT = 65_535;

/** What can be done with the number that somebody has typed, whoever has it. */
export function commandsOfNumber(port: number): Command[] {
  if (port < 1 || port > MAX_PORT) return [];
  const spot = { port, ...space.value };
  const name = nameSpot(spot);
  const isInList = heldBySpot.value.has(name) || reservationsBySpot.value.has(name);
  return isInList ? commandsOfSpot(spot) : [detailsOf(spot), ...commandsOfSpot(spot)];
}

/** `3150`: "free, of odin". Those that somebody has are among the services. */
function detailsOf(spot: Spot): Command {
  const owner = ownerOf(spot.port);
  const note = owner === null ? 'in no range' : `${STATES[stateOf(spot)].name.toLowerCase()}, of ${owner}`;
  return { ...command(spot, String(spot.port), '', () => go({ port: nameSpot(spot) })), note };
}

/** What can be done with a port. */
export function commandsOfSpot(spot: Spot): Command[] {
  const held = heldBySpot.value.get(nameSpot(spot));
  if (held) return commandsOfHeld(spot, held);
  const reservation = reservationsBySpot.value.get(nameSpot(spot));
  return reservation ? commandsOfReserved(spot, reservation) : commandsOfFree(spot);
}

function commandsOfHeld(spot: Spot, held: Held): Command[] {
  const texts: [what: string, text: string | null][] = [
    ['the number', String(held.port)],
    ['the URL', urlOfService(held)],
    ['the .env line', dotenvLineOf(held)],
    ['the curl line', curlLineOf(held)],
    ['the pa line', commandLineOf(held)],
  ];
  const copies = texts.flatMap(([what, text]) =>
    text === null
      ? []
      : [{ ...command(spot, `Copy ${what} of ${held.port}`, 'clipboard', () => void copy(what, text)), note: text }],
  );
  if (!mayChange.value) return copies;
  return [
    ...copies,
    command(spot, `Describe ${held.port}`, 'edit hostname metadata', () => openDialog('describe', held.id)),
    command(spot, `Release ${held.port}`, 'free give up delete', () => openDialog('release', held.id)),
  ];
}

async function copy(what: string, text: string): Promise<void> {
  const isCopied = await copyText(text);
  tell(isCopied ? `Copied ${what}: ${text}` : `This browser does not let the page copy. To copy by hand: ${text}`);
}

function commandsOfReserved(spot: Spot, { id, port, project, host }: Reservation): Command[] {
  if (!mayChange.value) return [];
  const claim = command(spot, `Claim ${port}`, 'reservation allocate', () => openDialog('claim', id));
  const cancel = command(spot, `Cancel the reservation of ${port}`, 'end give up', () => openDialog('cancel', id));
  const renew = command(spot, `Renew the reservation of ${port}`, 'extend longer', () => openDialog('renew', id));
  return mayTake(project, host) ? [claim, renew, cancel] : [cancel];
}

function commandsOfFree(spot: Spot): Command[] {
  const { port } = spot;
  const project = ownerOf(port);
  const about = project === null || !mayTake(project, spot.host) ? null : nameSubject({ project, spot });
  const exclude = command(spot, `Exclude ${port}`, 'never give out', () => openDialog('exclude', String(port)));
  return [
    ...(about === null
      ? []
      : [
          command(spot, `Get port ${port}`, `allocate ${project}`, () => openDialog('get', about)),
          command(spot, `Reserve port ${port}`, `hold ${project}`, () => openDialog('reserve', about)),
        ]),
    ...(isAdmin.value && project !== null && !excluded.value.has(port) ? [exclude] : []),
  ];
}

function command(spot: Spot, name: string, keywords: string, run: () => void): Command {
  return { id: `${nameSpot(spot)} ${name}`, group: `Port ${nameSpot(spot)}`, name, keywords, run };
}
