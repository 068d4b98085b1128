import type { DialogsByKind } from '../../dialogs/kinds.js';
import { Adopt } from './adopt.js';
import { ExcludeFound, ReleaseFound } from './several.js';

export const findingsDialogs: DialogsByKind = {
  adopt: Adopt,
  'release-found': ReleaseFound,
  'exclude-found': ExcludeFound,
};
