// A refusal of each kind, and how both transports tell it.
import type { FastifyRequest } from 'fastify';
import * as accessRefusals from '../../src/access/refusals.js';
import * as portRefusals from '../../src/allocator/port-refusals.js';
import { toRefusal } from '../../src/database/errors.js';
import { type AppError, type Holder, StartError } from '../../src/errors.js';
import { refuse } from '../../src/mcp/results.js';
import { toProblem } from '../../src/plugins/problems.js';
import * as refusals from '../../src/refusals.js';
import * as eventRefusals from '../../src/repositories/events/refusals.js';

const at = new Date('2026-01-02T03:04:05.000Z');
export const id = '0b4e1d1e-6d3c-4a8f-9d55-0f7f6a3f2c11';
export const space = { host: 'localhost', protocol: 'tcp' } as const;
const bounds = { start_port: 3300, end_port: 3399 };
export const range = { ...bounds, project: 'odin' };
const place = { project: 'odin', service: 'web', environment: 'default' };
export const holder: Holder = { kind: 'allocation', id, ...place };

/** One refusal made by each function. If one is missing here, this does not compile. */
export const made: { [Name in keyof Omit<typeof refusals, 'boundsOf'>]: AppError } & {
  [Name in keyof typeof portRefusals]: AppError;
} & { [Name in keyof typeof accessRefusals]: AppError } & { [Name in keyof typeof eventRefusals]: AppError } = {
  keyMissing: accessRefusals.keyMissing(),
  keyWrong: accessRefusals.keyWrong(),
  keyExpired: accessRefusals.keyExpired(at),
  readerChangesNothing: accessRefusals.readerChangesNothing(),
  projectNotCovered: accessRefusals.projectNotCovered('consilio', ['odin']),
  hostNotCovered: accessRefusals.hostNotCovered('10.0.0.7', ['localhost']),
  hostnameNotCovered: accessRefusals.hostnameNotCovered('www.corp.example', ['shop.example']),
  notForProjectKeys: accessRefusals.notForProjectKeys(),
  keysNotInForce: accessRefusals.keysNotInForce(),
  adminsOnly: accessRefusals.adminsOnly('reader'),
  projectNotCreated: accessRefusals.projectNotCreated('shop', 'project', ['shop-api']),
  apiKeyNotFound: accessRefusals.apiKeyNotFound(id),
  projectKeyWithoutProjects: accessRefusals.projectKeyWithoutProjects(),
  unlimitedKeyWithProjects: accessRefusals.unlimitedKeyWithProjects('admin'),
  unlimitedKeyWithNames: accessRefusals.unlimitedKeyWithNames('admin', 'hosts'),
  webhooksNotForReaders: accessRefusals.webhooksNotForReaders(),
  webhookWithoutProjects: accessRefusals.webhookWithoutProjects(['odin']),
  keyExpiredAlready: accessRefusals.keyExpiredAlready(),
  projectNotFound: refusals.projectNotFound('x'),
  rangeNotFound: refusals.rangeNotFound(3350),
  rangeInUse: refusals.rangeInUse(range, 1, 2),
  rangeOverlap: refusals.rangeOverlap(3300, 3399, [range]),
  rangeEndsTooHigh: refusals.rangeEndsTooHigh(65_899, 64_999),
  noFreeBlock: refusals.noFreeBlock(1000, 3000, 64_999),
  portAndPrefer: portRefusals.portAndPrefer(),
  rangeExhausted: portRefusals.rangeExhausted('odin', [space], [bounds], {
    needed: 3,
    free: 1,
    nextAvailableAt: at,
    excluded: 2,
    unusable: 1,
  }),
  portOutsideRange: portRefusals.portOutsideRange('odin', 9000, [bounds]),
  portTaken: portRefusals.portTaken(3300, space, holder),
  portCooling: portRefusals.portCooling(space, { port: 3300, ...place, available_at: at }),
  excludedPortNotFound: refusals.excludedPortNotFound(3780),
  keptForOther: refusals.keptForOther(holder),
  limitReached: refusals.limitReached('environments', 1000, 'odin'),
  environmentElsewhere: refusals.environmentElsewhere('odin', 'default', '/home/kim/odin'),
  allocationNotFound: refusals.allocationNotFound(id),
  keyNotFound: refusals.keyNotFound({ ...place, ...space }),
  allocationReleased: refusals.allocationReleased(id),
  expiryWithoutTime: refusals.expiryWithoutTime(),
  serviceListedTwice: refusals.serviceListedTwice(1, 'web'),
  reservationNotFound: refusals.reservationNotFound(id),
  cloudflareNotConfigured: eventRefusals.cloudflareNotConfigured(),
  cloudflareUnavailable: eventRefusals.cloudflareUnavailable(
    'The tunnel could not be read: Cloudflare answered 503.',
    5,
  ),
  auditNotFound: refusals.auditNotFound(id),
  reservationEnded: refusals.reservationEnded({ id, status: 'cancelled' }),
  reservationExpired: refusals.reservationExpired({ id, port: 3300, expires_at: at }),
  reservedOnOtherHost: refusals.reservedOnOtherHost('localhost'),
  reservedForOtherProtocol: refusals.reservedForOtherProtocol('tcp'),
  reservedForNoService: refusals.reservedForNoService(),
  idempotencyKeyReused: refusals.idempotencyKeyReused('k1'),
  cursorUnknown: refusals.cursorUnknown(),
  eventsExpired: eventRefusals.eventsExpired(7, 42),
  eventNotYet: eventRefusals.eventNotYet('/query/cursor', 99, 42),
  eventIdUnknown: eventRefusals.eventIdUnknown('/query/cursor'),
  eventTypesUnknown: eventRefusals.eventTypesUnknown(['port.created'], ['allocation.created']),
  feedBusy: eventRefusals.feedBusy(new Error('canceling statement due to lock timeout')),
  tooManyStreamsOfKey: eventRefusals.tooManyStreamsOfKey(100),
  tooManyStreams: eventRefusals.tooManyStreams(1000),
  momentWithStatus: refusals.momentWithStatus(),
  momentToCome: refusals.momentToCome('2026-01-31T12:00:00.000Z'),
  noLineReadable: refusals.noLineReadable('Line 1 is of neither ss nor lsof: "x"'),
  tooManyItems: refusals.tooManyItems(1000),
  dotenvNameConflict: refusals.dotenvNameConflict(['3SCALE_PORT of 3scale begins with a digit']),
  dotenvPlaceConflict: refusals.dotenvPlaceConflict(['API_PORT would be that of api in odin and consilio']),
  releasedNotProbeable: refusals.releasedNotProbeable({ id, port: 3300 }),
  udpNotProbeable: refusals.udpNotProbeable(id),
  hostNotAllowed: refusals.hostNotAllowed('10.0.0.5'),
  addressForbidden: refusals.addressForbidden('web', '169.254.0.1', 'a link-local address'),
  webhookNotFound: eventRefusals.webhookNotFound(id),
  deliveryNotFound: eventRefusals.deliveryNotFound(id),
  webhookDisabled: eventRefusals.webhookDisabled(id, 'The receiver answered 410.'),
  webhooksLimitReached: eventRefusals.webhooksLimitReached('There are', 100),
  destinationInvalid: eventRefusals.destinationInvalid('has a password.'),
  destinationNotAllowed: eventRefusals.destinationNotAllowed('10.0.0.5'),
  destinationForbidden: eventRefusals.destinationForbidden('web', '169.254.0.1', 'a link-local address'),
  tooManyCallsWait: refusals.tooManyCallsWait(),
  tooManyLookUpsWait: refusals.tooManyLookUpsWait(),
  tooManyKeysWait: refusals.tooManyKeysWait(),
  callerGaveUp: refusals.callerGaveUp(),
  callerLeft: refusals.callerLeft(),
  auditUnderWay: refusals.auditUnderWay(),
  tooManyAuditsRun: refusals.tooManyAuditsRun(4),
  portNotJudged: refusals.portNotJudged('This process may have 300 open files (ulimit -n), and has used them up.'),
  shuttingDown: refusals.shuttingDown(),
};

const failing = (properties: object, message = 'as the database says it') =>
  toRefusal(Object.assign(new Error(message), properties));
export const fromDatabase = {
  busy: ['55P03', '40P01', '40001'].map((code) => failing({ code })),
  overlap: failing({ code: '23P01', constraint: 'port_ranges_no_overlap' }),
  taken: failing({ code: '23505', constraint: 'port_allocations_active_port' }),
  bounds: failing({ code: '23514', constraint: 'port_ranges_bounds' }),
  notMigrated: failing({ code: '42P01' }, 'relation "port_ranges" does not exist'),
  noConnection: failing({}, 'timeout exceeded when trying to connect'),
  unknown: failing({ code: '57P01' }),
  away: failing({ code: '57P03' }),
  noRight: failing({ code: '42501' }),
  cannotOpen: toRefusal(new StartError('DATABASE_URL cannot be used: the file is missing')),
  mistake: failing({}),
};

/** The texts of a refusal that clients read: the detail of REST's problem document, and the text of MCP's result. */
export function tell(refusal: AppError) {
  const request = { id: 'r1', url: '/v1/x?y', server: { redact: String } } as unknown as FastifyRequest;
  const document = toProblem(refusal, request) as { detail: string };
  const silent = { info() {}, warn() {}, error() {} };
  const [content] = refuse(refusal, 'r1', silent, String).content;
  return { document, detail: document.detail, text: (content as { text: string }).text };
}
