import { render } from 'preact';
import { App } from './app.js';
import { keepFresh } from './registry/registry.js';

keepFresh();
render(<App />, document.body);
