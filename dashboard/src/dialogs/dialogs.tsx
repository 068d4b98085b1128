import { keyWanted } from '../registry/api.js';
import { AskKey } from './ask-key.js';
import { Cancel, Release } from './confirm.js';
import { Describe } from './describe.js';
import { GetPort } from './get-port.js';
import { type OpenDialog, openDialog } from './open.js';
import { Claim, Reserve } from './reserve.js';

/** The one dialog that is open; wanting a key comes before everything else. */
export function Dialogs() {
  if (keyWanted.value !== null) return <AskKey reason={keyWanted.value} />;
  return openDialog.value && <Asked dialog={openDialog.value} />;
}

function Asked({ dialog }: { dialog: OpenDialog }) {
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
