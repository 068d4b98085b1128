import type { DialogsByKind } from '../../dialogs/kinds.js';
import { DescribeSelected, ReleaseSelected } from './bulk-dialogs.js';

export const servicesDialogs: DialogsByKind = {
  'release-selected': ReleaseSelected,
  'describe-selected': DescribeSelected,
};
