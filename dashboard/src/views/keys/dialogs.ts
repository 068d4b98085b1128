import type { DialogsByKind } from '../../dialogs/kinds.js';
import { NewKey } from './new-key.js';
import { RevokeKey } from './revoke-key.js';

export const keysDialogs: DialogsByKind = { 'new-key': NewKey, 'revoke-key': RevokeKey };
