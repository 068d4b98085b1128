import type { DialogsByKind } from '../../dialogs/kinds.js';
import { ApplyCloudflare } from './apply.js';

export const cloudflareDialogs: DialogsByKind = { 'apply-cloudflare': ApplyCloudflare };
