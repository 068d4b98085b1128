import { keyRefusal } from '../registry/api.js';
import { AskKey } from './ask-key.js';
import { Cancel, Release } from './confirm.js';
import { Describe } from './describe.js';
import { GetPort } from './get-port.js';
import { type OpenDialog, openDialog } from './open.js';
import { Claim, Reserve } from './reserve.js';

/** The dialog that is open, if any. The one that asks for a key comes before all others. */
export function Dialogs() {
  if (keyRefusal.value !== null) return <AskKey reason={keyRefusal.value} />;
  return openDialog.value && <Opened dialog={openDialog.value} />;
}

function Opened({ dialog }: { dialog: OpenDialog }) {
  switch (dialog.kind) {
    case 'get':
      return <GetPort {...dialog} />;
    case 'reserve':
      return <Reserve {...dialog} />;
    case 'describe':
      return <Describe {...dialog} />;
    case 'release':
      return <Release {...dialog} />;
    case 'claim':
      return <Claim {...dialog} />;
    case 'cancel':
      return <Cancel {...dialog} />;
  }
}
