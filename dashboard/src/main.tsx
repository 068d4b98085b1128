import { render } from 'preact';
import { follow } from './feed/feed.js';
import { followUntold } from './feed/untold.js';
import { countChosenSpace } from './registry/filters.js';
import { App } from './shell/app.js';
import { keepFocus } from './shell/kept-focus.js';

countChosenSpace();
keepFocus();
void follow();
followUntold();
render(<App />, document.body);
