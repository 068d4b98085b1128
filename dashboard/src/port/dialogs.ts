import type { DialogsByKind } from '../dialogs/kinds.js';
import { Describe } from './describe.js';
import { GetPort } from './get-port.js';
import { Cancel, Release } from './release.js';
import { Claim, Renew, Reserve } from './reserve.js';

export const portDialogs: DialogsByKind = {
  get: GetPort,
  reserve: Reserve,
  describe: Describe,
  release: Release,
  claim: Claim,
  renew: Renew,
  cancel: Cancel,
};
