import { render } from 'preact';
import { App } from './app.js';
import { keepRefreshing } from './registry/registry.js';

keepRefreshing();
render(<App />, document.body);
