import type { DialogsByKind } from '../../dialogs/kinds.js';
import { ChangeWebhook, DeleteWebhook, SwitchOffWebhook } from './change-webhook.js';
import { NewWebhook } from './make-webhook.js';

export const webhooksDialogs: DialogsByKind = {
  'new-webhook': NewWebhook,
  'change-webhook': ChangeWebhook,
  'switch-off-webhook': SwitchOffWebhook,
  'delete-webhook': DeleteWebhook,
};
