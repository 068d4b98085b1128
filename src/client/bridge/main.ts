#!/usr/bin/env node
import { runOnStdio } from './stdio.js';

void runOnStdio(process.env);
