import type { DialogsByKind } from '../../dialogs/kinds.js';
import { Exclude, StopExcluding } from './exclude.js';

export const excludedDialogs: DialogsByKind = { exclude: Exclude, 'stop-excluding': StopExcluding };
