import type { DialogsByKind } from '../../dialogs/kinds.js';
import { ChangeRange, DeleteRange } from './change-range.js';
import { NewProject, NewRange } from './new-range.js';

export const projectsDialogs: DialogsByKind = {
  'new-project': NewProject,
  'new-range': NewRange,
  'change-range': ChangeRange,
  'delete-range': DeleteRange,
};
