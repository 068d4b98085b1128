import { AskKey } from '../dialogs/ask-key.js';
import type { DialogsByKind } from '../dialogs/kinds.js';
import { dialog } from '../place.js';
import { portDialogs } from '../port/dialogs.js';
import { keyRefusal } from '../registry/api.js';
import { isRead } from '../registry/store.js';
import { cloudflareDialogs } from '../views/cloudflare/dialogs.js';
import { environmentsDialogs } from '../views/environments/dialogs.js';
import { excludedDialogs } from '../views/excluded/dialogs.js';
import { findingsDialogs } from '../views/findings/dialogs.js';
import { keysDialogs } from '../views/keys/dialogs.js';
import { projectsDialogs } from '../views/projects/dialogs.js';
import { servicesDialogs } from '../views/services/dialogs.js';
import { webhooksDialogs } from '../views/webhooks/dialogs.js';
import { Boundary, FailedDialog } from './boundary.js';

const KINDS = new Map(
  Object.entries<DialogsByKind[string]>({
    ...portDialogs,
    ...servicesDialogs,
    ...projectsDialogs,
    ...environmentsDialogs,
    ...findingsDialogs,
    ...excludedDialogs,
    ...keysDialogs,
    ...webhooksDialogs,
    ...cloudflareDialogs,
  }),
);

/** The dialog that is open, if any. The one that asks for a key comes before all others. */
export function Dialogs() {
  if (keyRefusal.value !== null) return <AskKey reason={keyRefusal.value} />;
  const [, kind = '', about = ''] = /^([^:]*):?(.*)$/.exec(dialog.value) ?? [];
  const Kind = KINDS.get(kind);
  // What the dialog is about is looked up in the registry, which a page that was just opened has yet to read.
  if (Kind === undefined || !isRead.value) return null;
  return (
    <Boundary key={dialog.value} failed={<FailedDialog />}>
      <Kind about={about} />
    </Boundary>
  );
}
