#!/usr/bin/env node
import { ClientFailure } from '../failure.js';
import { readSettings } from '../settings.js';
import { runOnStdio } from './stdio.js';

void main();

async function main(): Promise<void> {
  try {
    await runOnStdio(readSettings(process.env));
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error;
    process.stderr.write(`${error.message}\n${error.nextStep}\n`);
    process.exitCode = error.exitCode;
  }
}
