import type { DialogsByKind } from '../../dialogs/kinds.js';
import { ExpireEnvironment } from './expire-environment.js';
import { GetStack } from './get-stack.js';
import { ReleaseEnvironment } from './release-environment.js';

export const environmentsDialogs: DialogsByKind = {
  'get-stack': GetStack,
  'expire-environment': ExpireEnvironment,
  'release-environment': ReleaseEnvironment,
};
